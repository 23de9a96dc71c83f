"""Formulas in the Markdown of a downloaded notebook."""

from __future__ import annotations

import re

KEPT_OR_FORMULA = re.compile(
    r"(?ms)^ *(?P<fence>`{3,}).*?^ *(?P=fence)`*$"
    r"|(?P<ticks>`+).+?(?<!`)(?P=ticks)(?!`)"
    r"|(?P<formula>\$\$.+?\$\$|(?<!\\)\$(?:\\.|[^$\\])+\$)"
)


def display_maths(body: str, tag: str = "") -> str:
    """A display formula, with the number that it has in the book.

    Args:
        body: in LaTeX.
        tag: as the book prints it, in brackets; without one the formula has no number.
    """
    number = f"\n\\tag{{{tag.strip('()')}}}" if tag else ""
    return f"$$\n{body.strip()}{number}\n$$"


def on_one_line(text: str) -> str:
    """Each formula on a line of its own: Jupyter would take the marks of a block quote into it."""

    def joined(found: re.Match[str]) -> str:
        return re.sub(r"\s*\n\s*", " ", found[0]) if found["formula"] else found[0]

    return KEPT_OR_FORMULA.sub(joined, text)
