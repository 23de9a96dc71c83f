"""No number in the built book's prose without a source.

`test_book_sources` reads what was typed; this reads what a reader sees. Of each built page the
sentences are taken: paragraphs, lists, boxes, captions, headings, alternative texts. What a cell
printed, code and formulas are no sentences. A number in a sentence is either glued, and then stands
in a `pasted-text` of the page, or an allowed constant. The pages of the programming interface are
docstrings, which define (an interval from 0 to 1, section 3a) and whose results are doctests.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from test_book_sources import ALLOWED, ALLOWED_WORDS

HTML = Path(__file__).resolve().parent.parent / "book" / "_build" / "html"
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in (*HTML.glob("*.html"), *HTML.glob("errors/*.html"))
    if path.stem not in ("index", "search", "genindex", "py-modindex")
    and not path.stem.startswith("api-")
)
REQUIRED = os.environ.get("VELOTRACE_BOOK") == "required"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PAGES and not REQUIRED, reason="the book is not built: make book"),
]

COMPUTED = (
    ".pasted-text",  # glued
    ".cell_input, .cell_output",  # code, and what it gave
    "pre, code, .math, script, style",
    "dl.py",  # docstrings, whose examples are tested
    "sup, .reference.internal, .citation, .footnote",  # numbers that Sphinx gives
    ".caption-number, .section-number, .headerlink, .eqno",
    "[role=list]",  # the literature: years, volumes, pages
    "dl.glossary",  # in a cell's output anyway
    ".bibliography",
)

CONSTANTS = {
    r"\(\d+\)": "a number that an equation or the paper gives",
    r"\b[12]\d{3}\b(?=\))": "the year of a citation",
    r"\bIn \[\d+\]": "the prompt of a notebook",
    r"\b2\.\d+\b(?= of the GNU)": "a licence",
}


def sentences(html: str) -> list[str]:
    """The text of a page without what has a source."""
    from bs4 import BeautifulSoup

    page = BeautifulSoup(html, "html.parser")
    article = page.select_one("article.bd-article")
    assert article is not None
    for selector in COMPUTED:
        for found in article.select(selector):
            found.replace_with(" ")
    alternatives = [image.get("alt", "") for image in article.select("img")]
    return [article.get_text(" "), *alternatives]


def unsourced(html: str) -> list[str]:
    """Numbers in the sentences of a page that nothing has computed, each with its surroundings."""
    found = []
    for text in sentences(html):
        for pattern in (*ALLOWED, *CONSTANTS):
            text = re.sub(pattern, " ", text)
        for phrase in ALLOWED_WORDS:
            text = text.replace(phrase, " ")
        found += [text[max(0, m.start() - 40) : m.end() + 40] for m in re.finditer(r"\d+", text)]
    return [re.sub(r"\s+", " ", each) for each in found]


def test_the_book_is_built() -> None:
    assert len(PAGES) > 40, "the book is not built: run `make book`"


@pytest.mark.parametrize("page", PAGES or ["intro.html"])
def test_every_number_has_a_source(page: str) -> None:
    assert unsourced((HTML / page).read_text(encoding="utf-8")) == []


def test_some_numbers_are_glued() -> None:
    """The test would see nothing if the class of glued text were another."""
    text = (HTML / "kinetics.html").read_text(encoding="utf-8")
    assert text.count("pasted-text") > 5


@pytest.mark.parametrize(
    "planted", ["<p>It is 4.68 here.</p>", '<img alt="It falls to 38.">', "<li>about 12 nat</li>"]
)
def test_a_typed_number_is_found(planted: str) -> None:
    assert unsourced(f'<article class="bd-article">{planted}</article>')


def test_a_glued_number_passes() -> None:
    glued = '<p>It is <span class="pasted-text">4.68</span> in Cell 1, paper (3).</p>'
    assert unsourced(f'<article class="bd-article">{glued}</article>') == []
