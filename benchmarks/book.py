"""`python -m benchmarks.book`: the time of `make book` against a book that only imports.

The other book has the same pages in the same order; a page that executes code there executes its
import statements alone. Both are built by the same command, in turn. What the pages compute, draw
and say is thus what the ratio measures, the notebooks to download and the links between equations
and functions among it, which the other book has not. With `--cold` the trainings that the ledger
keeps are made anew; without it those are that had not been kept, and the first line says how many.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from velotrace.claims.ensembles import cache_folder

BOOK = Path(__file__).resolve().parent.parent / "book"
TARGET = 2.0
CELL = re.compile(r"(?ms)^```\{code-cell\}[^\n]*\n(.*?)^```$")
OPTIONS = re.compile(r"(?ms)\A(?:---\n.*?^---\n|(?::[^\n]*\n)+)")
FRONT = re.compile(r"(?s)\A---\n.*?\n---\n")


def imports_of(source: str) -> list[str]:
    """The import statements of a page's cells, in order, each once."""
    found: dict[str, None] = {}
    for cell in CELL.findall(source):
        for node in ast.walk(ast.parse(OPTIONS.sub("", cell))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found[ast.unparse(node)] = None
    return list(found)


def bare_page(source: str) -> str:
    """A page with the title and the imports of another."""
    front = FRONT.match(source)
    title = next(line for line in source.splitlines() if line.startswith("# "))
    if not CELL.search(source):
        return f"{title}\n"
    cell = "\n".join(["```{code-cell} ipython3", *imports_of(source), "```"])
    return f"{front[0] if front else ''}\n{title}\n\n{cell}\n"


def bare_book(folder: Path) -> int:
    """Write the book that only imports; returns the number of its pages."""
    shutil.copytree(BOOK, folder, ignore=shutil.ignore_patterns("_build", "__pycache__"))
    pages = [page for page in folder.rglob("*.md") if "_ext" not in page.parts]
    for page in pages:
        page.write_text(bare_page(page.read_text(encoding="utf-8")), encoding="utf-8")
    config = folder / "_config.yml"  # the atlas's equations are not on these pages
    lines = config.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.strip() not in ("- atlas_links", "- notebooks")]
    config.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return len(pages)


def seconds(book: Path) -> float:
    """Build a book from nothing; returns the seconds it took."""
    shutil.rmtree(book / "_build", ignore_errors=True)
    programs = Path(sys.executable).parent
    command = [str(programs / "jupyter-book"), "build", str(book), "--keep-going", "--all"]
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    start = time.perf_counter()
    setting = {**os.environ, "PATH": path}
    done = subprocess.run(command, env=setting, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{book}: the build failed\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


def kept() -> int:
    """How many trainings the ledger has kept."""
    return len(list(cache_folder().glob("*")))


def main() -> int:
    """Measure, print, and say whether the target is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--cold", action="store_true", help="forget the trainings that were kept")
    if asked.parse_args().cold:
        shutil.rmtree(cache_folder(), ignore_errors=True)
    before = kept()
    with tempfile.TemporaryDirectory() as folder:
        bare, full = Path(folder, "bare"), Path(folder, "full")
        pages = bare_book(bare)
        shutil.copytree(BOOK, full, ignore=shutil.ignore_patterns("_build", "__pycache__"))
        only_imports = seconds(bare)
        ours = seconds(full)
    ratio, made = ours / only_imports, kept() - before
    print(f"{pages} pages; {made} of the ledger's trainings were made anew")
    print(f"this book          {ours:7.1f} s")
    print(f"only the imports   {only_imports:7.1f} s")
    missed = "" if ratio <= TARGET else "MISSED "
    print(f"ratio              {ratio:7.2f}   {missed}(at most {TARGET:g})")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
