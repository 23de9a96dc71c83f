"""Docstrings as the book shows them: safe from reStructuredText's signs, and linked to the pages.

Docstrings are written to be read in the code, where |x| is an absolute value and * a product; here
such signs are told from markup. Below each docstring stands where the book has what it computes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

from velotrace.report.atlas import Place, of_function

KEPT = re.compile(r"(`+[^`]+`+|(?<![\w*])\*{1,2}(?=[^\s*'])[^*]+(?<=[^\s*'/])\*{1,2}(?!\w))")
"""Code and emphasis, which stay; a sign outside of them is only a sign."""


def show_docstring(
    app: Sphinx, what: str, name: str, described: Any, options: Any, lines: list[str]
) -> None:
    """Guard a docstring's signs, and add where the book has what the function computes."""
    shown = list(guarded(lines, what == "module"))
    for place in of_function(name.removeprefix("velotrace.")):
        shown += ["", in_the_book(place)]
    lines[:] = shown


def guarded(lines: list[str], module: bool) -> Iterator[str]:
    """The lines with signs that are no markup escaped; examples and code stay as they are.

    Args:
        lines: of a docstring.
        module: whether it is a module's, where a paragraph that is set in shows code or a formula.
    """
    code, before = False, ""
    for line in lines:
        if not before.strip() and line.strip():  # a paragraph begins
            set_in = module and line.startswith("    ")
            code = set_in or line.lstrip().startswith(">>>")
            if set_in:
                yield from ("::", "")
        yield line if code else escaped(line)
        before = line


def escaped(line: str) -> str:
    """A line in which | and * that are no markup stand for themselves."""
    bullet = re.match(r"\s*(?:\* )?", line)[0]
    pieces = KEPT.split(line[len(bullet) :])
    pieces[::2] = [re.sub(r"[|*]", r"\\\g<0>", piece) for piece in pieces[::2]]
    return bullet + "".join(pieces)


def in_the_book(place: Place) -> str:
    """One sentence in reStructuredText with links to the equation, the page and the values."""
    values = ", ".join(f":term:`{value}`" for value in place.values)
    return f"In the book: :eq:`{place.label}`, {place.what}, on :doc:`/{place.page}`; {values}."


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("autodoc-process-docstring", show_docstring, priority=900)  # after napoleon
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
