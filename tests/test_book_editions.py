"""The students' edition and the printed book, both written from the same executed pages.

`make editions` writes them. Where they are absent these tests are skipped, except under
`make test-book`.
"""

from __future__ import annotations

import base64
import json
import os
import re
from functools import cache
from pathlib import Path

import pytest
from pypdfium2 import PdfDocument

BUILT = Path(__file__).resolve().parent.parent / "book" / "_build"
ANSWERS, STUDENTS, PRINT = BUILT / "html", BUILT / "students", BUILT / "print" / "intro.html"
PDF = BUILT / "velotrace.pdf"
REQUIRED = os.environ.get("VELOTRACE_BOOK") == "required"
WRITTEN = STUDENTS.is_dir() and PDF.is_file()
TEX = re.compile(r"\\(?:frac|bar|alpha|beta|gamma|sigma|partial|begin|mathrm|operatorname|log)\b")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not WRITTEN and not REQUIRED, reason="not written: make editions"),
]


def soup(path: Path):
    """A page, parsed."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def squeezed(text: str) -> str:
    """Text without white space."""
    return re.sub(r"\s+", "", text)


@cache
def answers() -> dict[str, list[str]]:
    """The pieces of every answer, by page: paragraphs and list items long enough to be its own."""
    found = {}
    for path in sorted(ANSWERS.rglob("*.html")):
        boxes = soup(path).select(".admonition.answer")
        pieces = [squeezed(p.get_text()) for box in boxes for p in box.select("p, li, pre")]
        long = [piece for piece in pieces if len(piece) > 30]
        if boxes:
            found[path.relative_to(ANSWERS).as_posix()] = long
    return found


def test_there_are_answers_to_leave_out() -> None:
    assert len(answers()) > 20
    assert sum(map(len, answers().values())) > 100


def test_no_box_of_the_students_edition_is_an_answer() -> None:
    assert [path for path in STUDENTS.rglob("*.html") if soup(path).select(".answer")] == []


def test_no_output_file_of_the_students_edition_holds_an_answer() -> None:
    """Pages, search index, scripts, notebooks: whatever is text."""
    texts = {}
    for path in sorted(STUDENTS.rglob("*")):
        if path.suffix in (".html", ".js", ".ipynb", ".json", ".txt", ".md"):
            raw = path.read_text(encoding="utf-8")
            texts[path] = squeezed(soup(path).get_text() if path.suffix == ".html" else raw)
            texts[path] += squeezed("".join(carried(raw)))
    leaked = [
        (path.name, piece[:60])
        for pieces in answers().values()
        for piece in pieces
        for path, text in texts.items()
        if piece in text
    ]
    assert leaked == []


def carried(page: str) -> list[str]:
    """The files that links of a page carry inside themselves, such as its notebook."""
    found = re.findall(r'href="data:[^"]*;base64,([^"]*)"', page)
    return [base64.b64decode(content).decode("utf-8") for content in found]


def test_the_search_does_not_know_the_words_of_answers() -> None:
    from snowballstemmer import stemmer

    stem = stemmer("porter").stemWord
    text = (STUDENTS / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text[text.index("{") : text.rindex("}") + 1])
    known = {}
    for term, places in index["terms"].items():
        known[term] = set(places if isinstance(places, list) else [places])
    only_in_answers, leaked = 0, []
    for place, page in enumerate(index["docnames"]):
        if f"{page}.html" not in answers():
            continue
        tree = soup(ANSWERS / f"{page}.html").select_one("article")
        inside = words(" ".join(box.extract().get_text(" ") for box in tree.select(".answer")))
        for word in inside - words(tree.get_text(" ")):
            only_in_answers += 1
            if place in known.get(stem(word), ()) and not shares_stem(page, word, stem):
                leaked.append((page, word))
    assert only_in_answers > 100
    assert leaked == []


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{5,}", text.lower()))


def shares_stem(page: str, word: str, stem) -> bool:
    """Whether another word of the students' page has the same stem, as 'cells' that of 'cell'."""
    text = soup(STUDENTS / f"{page}.html").get_text(" ").lower()
    return stem(word) in map(stem, set(re.findall(r"[a-z]+", text)))


def test_both_editions_have_the_same_pages() -> None:
    pages = [
        {path.relative_to(where).as_posix() for path in where.rglob("*.html")}
        for where in (ANSWERS, STUDENTS)
    ]
    assert pages[0] == pages[1]


def test_every_page_says_its_version_and_edition() -> None:
    from velotrace import __version__

    for where, edition in ((ANSWERS, "with answers"), (STUDENTS, "without answers")):
        silent = [
            path.name
            for path in where.rglob("*.html")
            if "_static" not in path.parts and path.name != "index.html"  # which only leads on
            for foot in [soup(path).select_one(".extra_footer")]
            if foot is None or __version__ not in foot.text or edition not in foot.text
        ]
        assert silent == []


# ---- print -----------------------------------------------------------------------------------


@cache
def printed() -> list[str]:
    """The text of each sheet of the PDF."""
    with PdfDocument(PDF) as pdf:
        return [sheet.get_textpage().get_text_range() for sheet in pdf]


def test_the_pdf_has_every_chapter() -> None:
    with PdfDocument(PDF) as pdf:
        outline = {squeezed(entry.get_title()) for entry in pdf.get_toc()}
    chapters = [
        squeezed(soup(path).select_one("article h1").get_text()).removesuffix("#")
        for path in ANSWERS.rglob("*.html")
        if path.stem not in ("index", "search", "genindex", "py-modindex")
        and "_static" not in path.parts
    ]
    assert len(chapters) > 50
    assert [title for title in chapters if title not in outline] == []


def test_the_pdf_has_no_raw_tex() -> None:
    """Code may show TeX; wherever else it stands, a formula was not set."""
    assert len(soup(PRINT).select(".math")) > 500
    code = squeezed("".join(one.get_text() for one in soup(PRINT).select("pre, code")))
    lines = [line for sheet in printed() for line in sheet.splitlines() if TEX.search(line)]
    assert [line for line in lines if squeezed(line) not in code] == []


def test_answers_are_collected_at_the_end_of_the_pdf() -> None:
    """None is where its question is, and nearly all are found (a few break over two sheets)."""
    text = squeezed("".join(printed()))
    start = text.rindex("isattheend.")  # the last of "Answer 1 is at the end."
    pieces = [piece for found in answers().values() for piece in found if piece.isascii()]
    plain = [piece for piece in pieces if "\\" not in piece]
    assert len(plain) > 50
    assert [piece for piece in plain if piece in text[:start]] == []
    assert sum(piece in text[start:] for piece in plain) > 0.8 * len(plain)


def test_the_pdf_counts_its_sheets() -> None:
    assert f"/{len(printed())}" in squeezed(printed()[-1])
