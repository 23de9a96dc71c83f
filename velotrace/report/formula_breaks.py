r"""Long formulas in LaTeX broken into lines that fit a page.

A line may end before a plus, as far out as possible: rather between the addends of a sum than
within one. Brackets that a break cuts in two lose `\left` and `\right`, which must not span lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

WIDEST = 60
"""Characters that a reader sees on a line of a page's text, signs of operation counted thrice."""

_TOKEN = re.compile(r"\\left[({.]|\\right[)}.]|\\[A-Za-z]+ ?|\\.|.", re.DOTALL)
_UNSEEN = re.compile(
    r"\\left|\\right|\\mathopen|\\textstyle|\\displaystyle|\\operatorname|\\mathrm|\\,|[{}^_]"
)
_WORDS = ("\\log", "\\exp", "\\tanh")


@dataclass(frozen=True)
class _Plus:
    """A plus outside braces: where it stands, and inside how many brackets."""

    at: int
    depth: int


def aligned(lines: Iterable[str]) -> str:
    r"""Lines of a formula as display maths, with room between them for fractions.

    Example:
        >>> print(aligned(["x &= 1 + 1", "&= 2"]))
        $$
        \begin{aligned}
        x &= 1 + 1 \\[4pt]
        &= 2
        \end{aligned}
        $$
    """
    body = " \\\\[4pt]\n".join(lines)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def visible(latex: str) -> int:
    r"""About how many characters wide a formula is.

    Example:
        >>> visible(r"\frac{0.85}{0.1}\times 8"), visible(r"\log\Gamma\left(4\right)+1")
        (8, 11)
    """
    fraction = re.compile(r"\\frac\{([^{}]*)\}\{([^{}]*)\}")
    latex = fraction.sub(lambda found: max(found[1], found[2], key=len), latex)
    return sum(map(_width, _TOKEN.findall(_UNSEEN.sub("", latex))))


def _width(token: str) -> int:
    token = token.strip()
    if token in ("+", "=", "\\times", "-"):
        return 3 if token != "-" else 2
    return len(token) - 1 if token in _WORDS else 1


def broken(latex: str, widest: int = WIDEST) -> list[str]:
    r"""The lines of a formula, each at most so many characters wide where its pluses allow it.

    Args:
        latex: without line breaks.
        widest: a line may be.

    Returns:
        One or more lines; all but the first begin with a plus.

    Example:
        >>> broken(r"1.5+\left(2.5+3.5\right)+4.5", 14)
        ['1.5', '+\\left(2.5+3.5\\right)', '+4.5']
        >>> broken(r"-\left(1.5+2.5+3.5\right)", 12)
        ['-(1.5+2.5', '+3.5)']
    """
    tokens = _TOKEN.findall(latex)
    cuts = [0, *_cuts(tokens, widest), len(tokens)]
    tokens = _without_pairs(tokens, cuts[1:-1])
    return ["".join(tokens[a:b]) for a, b in pairwise(cuts)]


def _cuts(tokens: list[str], widest: int) -> list[int]:
    pluses, cuts, start = _pluses(tokens), [], 0
    while visible("".join(tokens[start:])) > widest:
        fitting = [
            plus for plus in pluses
            if plus.at > start and visible("".join(tokens[start : plus.at])) <= widest
        ]  # fmt: skip
        if not fitting:
            fitting = [plus for plus in pluses if plus.at > start][:1]
        if not fitting:
            break
        best = min(fitting, key=lambda plus: (plus.depth, -plus.at))
        cuts.append(best.at)
        start = best.at
    return cuts


def _pluses(tokens: list[str]) -> list[_Plus]:
    found, braces, brackets = [], 0, 0
    for at, token in enumerate(tokens):
        braces += (token == "{") - (token == "}")
        brackets += token.startswith("\\left") - token.startswith("\\right")
        if token == "+" and not braces:
            found.append(_Plus(at, brackets))
    return found


def _without_pairs(tokens: list[str], cuts: list[int]) -> list[str]:
    r"""Tokens with plain brackets in place of each pair of \left and \right that a cut parts."""
    made, opened = list(tokens), []
    for at, token in enumerate(tokens):
        if token.startswith("\\left"):
            opened.append(at)
        elif token.startswith("\\right"):
            first = opened.pop()
            if any(first < cut <= at for cut in cuts):
                made[first] = made[first].removeprefix("\\left").replace(".", "")
                made[at] = token.removeprefix("\\right").replace(".", "")
    return made
