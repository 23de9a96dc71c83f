"""Write another edition or form of the book from what `make book` has read and executed.

    python book/build_edition.py students      writes book/_build/students, without answers
    python book/build_edition.py pdf           writes book/_build/velotrace.pdf, answers at its end

No page is executed again: only what is written differs. The PDF is printed by Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

BOOK = Path(__file__).resolve().parent
BUILT = BOOK / "_build"
PDF = BUILT / "velotrace.pdf"

# Chromium as root needs no-sandbox; the others keep it from calling home.
SWITCHES = ("no-sandbox", "disable-gpu", "disable-background-networking", "disable-sync")
FOOTER = (
    '<div style="font-size:8px;width:100%;text-align:center">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)


def write(folder: Path, builder: str, edition: str) -> int:
    """Write the book once more.

    Args:
        folder: to write to.
        builder: Sphinx's name for the form.
        edition: 'answers' or 'students'.

    Returns:
        Sphinx's exit code; a warning is an error.
    """
    from jupyter_book.sphinx import build_sphinx

    shutil.rmtree(folder, ignore_errors=True)
    # The same as `jupyter-book build --nitpick` says, else Sphinx would read all pages again.
    said = {
        "external_toc_path": (BOOK / "_toc.yml").as_posix(),
        "latex_individualpages": False,
        "nitpicky": True,
    }
    code = build_sphinx(
        BOOK,
        folder,
        path_config=BOOK / "_config.yml",
        noconfig=True,
        confoverrides=said | {"velotrace_edition": edition},
        builder=builder,
        doctreedir=BUILT / ".doctrees",
        force_all=True,
        warningiserror=True,
        keep_going=True,
    )
    return code if isinstance(code, int) else 1


def chromium_here() -> str | None:
    """The program that prints, wherever this machine has it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    apps = ("Google Chrome", "Chromium")  # macOS keeps them off the path
    places = [f"/Applications/{app}.app/Contents/MacOS/{app}" for app in apps]
    return next(filter(None, map(shutil.which, (*names, *places))), None)


def print_pdf(page: Path, chromium: str) -> None:
    """Print a page of HTML with all its formulas set and all its boxes open.

    Args:
        page: the one long page.
        chromium: the program.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(
            executable_path=chromium, args=[f"--{switch}" for switch in SWITCHES]
        )
        opened = browser.new_page()
        opened.set_default_timeout(600_000)
        opened.goto(page.as_uri(), wait_until="load")
        opened.evaluate("window.MathJax?.startup?.promise.then(() => null)")
        opened.evaluate("document.querySelectorAll('details').forEach(box => { box.open = true })")
        unfinished = PDF.with_suffix(".part")
        opened.pdf(
            path=unfinished,
            format="A4",
            margin=dict.fromkeys(("top", "bottom", "left", "right"), "16mm"),
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            outline=True,
            tagged=True,
        )
        unfinished.replace(PDF)
        browser.close()


def main() -> int:
    """Write one form, and say where it is."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("form", choices=("students", "pdf"))
    if asked.parse_args().form == "students":
        folder = BUILT / "students"
        code, made = write(folder, "html", "students"), folder / "index.html"
    else:
        chromium = chromium_here()
        if chromium is None:  # said before the long page is written
            sys.stderr.write("There is no Chromium or Chrome on the PATH to print with.\n")
            return 2
        folder = BUILT / "print"
        code, made = write(folder, "singlehtml", "answers"), PDF
        if code == 0:
            print_pdf(folder / "intro.html", chromium)
    if code == 0:
        sys.stdout.write(f"\nWritten:\n  {made}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
