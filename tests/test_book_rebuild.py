"""A page follows the package: change a constant there, build, and the page shows it.

Jupyter Book's cache does not notice a changed module, and so is switched off. The test builds one
page with a copy of the package, as it is and with one constant changed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = (ROOT / "book" / "_config.yml").read_text(encoding="utf-8")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("jupyter_book") is None, reason="there is no Jupyter Book"
    ),
]

PAGE = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# The likelihood of one cell

```{code-cell} ipython3
:tags: [remove-cell]

import velotrace
from velotrace.report import book

trace = velotrace.trace()
book.glue(found=book.at(trace, "log_density_u", "Cell 1", "A", 1))
```

It is {glue:text}`found` nat.
"""


def built(folder: Path) -> str:
    """The number that the page shows."""
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [programs / "jupyter-book", "build", folder / "book", "--all"],
        env={**environment, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    page = folder / "book" / "_build" / "html" / "page.html"
    assert page.is_file(), done.stderr
    found = re.search(r'It is .*?pasted-text">([^<]*)<', page.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def test_a_changed_constant_of_the_package_changes_the_page(tmp_path: Path) -> None:
    for part in ("velotrace", "data"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "book" / "_toc.yml").write_text("format: jb-book\nroot: page\n", encoding="utf-8")
    execute = re.search(r"(?m)^execute:\n(?: .*\n)+", SETTINGS)  # as the book's
    assert execute is not None
    (tmp_path / "book" / "_config.yml").write_text(f"title: one page\n{execute[0]}")
    before = built(tmp_path)
    changed = tmp_path / "velotrace" / "model" / "distributions.py"
    text = changed.read_text(encoding="utf-8")
    old, new = "LOG_2_PI = math.log(2.0 * math.pi)", "LOG_2_PI = math.log(2.0 * math.pi) + 2.0"
    assert old in text
    changed.write_text(text.replace(old, new), encoding="utf-8")
    after = built(tmp_path)
    assert before == "−751.609"  # model.md section 3
    assert after == "−752.609"  # minus half of what was added
