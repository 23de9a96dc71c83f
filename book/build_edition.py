"""Write another edition or form of the book from what `make book` has read and executed.

    python book/build_edition.py students      writes book/_build/students, without answers
    python book/build_edition.py pdf           writes book/_build/velotrace.pdf, answers at its end

No page is executed again: only what is written differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

BOOK = Path(__file__).resolve().parent
BUILT = BOOK / "_build"


def write(form: str) -> int:
    """Write the book once more; returns Sphinx's exit code."""
    from jupyter_book.sphinx import build_sphinx

    students = form == "students"
    shared = {
        "external_toc_path": (BOOK / "_toc.yml").as_posix(),
        "latex_individualpages": False,
        "nitpicky": True,
    }
    code = build_sphinx(
        BOOK,
        BUILT / ("students" if students else "print"),
        path_config=BOOK / "_config.yml",
        confoverrides=shared | {"velotrace_edition": "students" if students else "answers"},
        builder="html" if students else "singlehtml",
        doctreedir=BUILT / ".doctrees",
        force_all=True,
        warningiserror=True,
        keep_going=True,
    )
    return int(code) if isinstance(code, int) else 1
