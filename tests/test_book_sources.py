"""No number is typed in the book: its prose takes every one from the trace, through glue.

Scanned is what a reader reads as sentences: not code, not display formulas, not front matter, not
the targets of links and roles. What digits may stand there is listed below, each with its reason.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parent.parent / "book"
PAGES = sorted([*BOOK.glob("*.md"), *BOOK.glob("errors/*.md")])

NOT_PROSE = (
    r"(?s)\A---\n.*?\n---\n",  # front matter
    r"(?ms)^(`{3,})(?:\{code-cell\}|\{eval-rst\}|\{bibliography\}|[a-z]+\n).*?^\1$",  # code
    r"(?s)\$\$.*?\$\$(?: \([a-z0-9-]+\))?",  # display formulas with their labels
    r"(?m)^\([a-z0-9-]+\)=$",  # labels of sections
    r"\{[a-z:]+\}`[^`]*`",  # roles: glue, references, citations
    r"(?m)^(:{3,}|`{3,})\{[a-z-]+\}|^:[a-z-]+:.*$",  # the lines that open a box, and its options
    r"`[^`]*`",  # code in a sentence
    r"(?<=\])\([^)]*\)",  # targets of links
)

ALLOWED = {
    r"paper\s+\(\d+\)(?:(?:, | and | to )\(\d+\))*": "numbers of the paper's equations",
    r"(?m)^\| \(\d+\)(?:(?:, | to )\(\d+\))*": "the same in the table of equations",
    r"\bdoc \([12]\)": "numbers of the document's two equations",
    r"\bCells? [1-4](?:(?:,| and) [1-4])?\b": "names of cells",
    r"\bCells? [1-4]’s|\bCell [1-4]'s": "names of cells",
    r"\bstates? [1-4](?: and [1-4])?\b": "labels of the kinetic states",
    r"\bfrom 1 to\s+4\b": "labels of the kinetic states",
    r"\bfloat64\b": "name of a number format",
    r"\b10 to the power\b": "the base that the glued exponent belongs to",
    r"\bexit code 2\b": "an interface, not a result",
}

IN_FORMULA = re.compile(r"(?<=frac)[12]{1,2}|(?<![0-9.])[0-4](?![0-9.])")
"""In a formula inside a sentence: single digits, as subscripts, exponents, states, 0 and 1."""

WORDS = (
    *("five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "sixteen", "twenty"),
    *("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "million"),
)
"""Numbers in words that could hide a result. One to four count genes, cells, states, networks."""

ALLOWED_WORDS = {
    "ninety-ninth percentile": "what the document says, quoted",
    "hundreds of times": "no number in particular",
}


def typed_numbers(text: str) -> list[str]:
    """The typed numbers in the prose of one page, each with what stands around it."""
    for pattern in NOT_PROSE:
        text = re.sub(pattern, lambda found: "\n" * found[0].count("\n"), text)
    for pattern in ALLOWED:
        text = re.sub(pattern, " ", text)
    for phrase in ALLOWED_WORDS:
        text = text.replace(phrase, " ")
    text = re.sub(r"\$[^$]*\$", lambda found: IN_FORMULA.sub("", found[0]), text)
    words = re.compile(rf"[0-9]|(?i:\b(?:{'|'.join(WORDS)})\b)")
    return [text[max(0, m.start() - 30) : m.end() + 30].strip() for m in words.finditer(text)]


def test_there_are_pages() -> None:
    assert len(PAGES) > 15


@pytest.mark.parametrize("source", PAGES, ids=lambda source: source.stem)
def test_no_number_is_typed(source: Path) -> None:
    assert typed_numbers(source.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "The loss is 29213 nat.",
        "so $u = 4.68$ there",
        "about $10$ dimensions",
        ":::{admonition} A box\n:class: warning\nIt is 8.5.\n:::",
        "| A | 0.85 |",
        "Equation (3) gives it",
        ":    alt: It falls below 38 standard deviations.",
        "there are sixteen hidden units",
    ],
)
def test_a_typed_number_is_found(text: str) -> None:
    assert typed_numbers(text)


@pytest.mark.parametrize(
    "text",
    [
        "The loss is {glue:text}`loss` nat.",
        "Cell 1 and Cell 3 are in state 2, paper (3) and (4), doc (2).",
        "$\\tfrac12(u^0 - u^*)^2$ at $k = 4$",
        "$$\na = 0.25\n$$ (eq-a)\n",
        "```{code-cell} ipython3\nprint(8.5)\n```\n",
    ],
)
def test_what_is_no_typed_number_passes(text: str) -> None:
    assert typed_numbers(text) == []


@pytest.mark.parametrize("source", PAGES, ids=lambda source: source.stem)
def test_alternative_text_has_no_number_either(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    alts = re.findall(r"(?m)^: +(?:alt|caption): (.*)$", text)
    assert [alt for alt in alts if typed_numbers(alt)] == []
