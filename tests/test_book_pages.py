"""What a reader may expect of every page: what goes in and out, questions, the likely trap.

Read from the sources, so that it needs no built book. That answers are hidden in one edition and
absent from the other is tested on the built ones, in `test_book` and `test_book_editions`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from velotrace.exercises.catalogue import chosen

BOOK = Path(__file__).resolve().parent.parent / "book"
TOC = re.findall(r"file: (\S+)", (BOOK / "_toc.yml").read_text(encoding="utf-8"))
PAGES = {page: (BOOK / f"{page}.md").read_text(encoding="utf-8") for page in ("intro", *TOC)}

QUESTIONS = 2
"""Of each page, at least: one may be guessed, and one says too little about what was understood."""

FEW = 40
"""Words that may stand before the box of a page's first lines: a sentence or two."""

NO_TRAP = {
    "errors/": "each of these pages is about one misunderstanding from start to end",
    "api-book": "helpers for pages; who uses one wrongly is told by the build or by a test",
}
"""Pages without the box `A likely misunderstanding`, by name or folder, with the reason."""

FRONT_MATTER = re.compile(r"(?s)\A---\n.*?\n---\n")
TITLE = re.compile(r"(?m)^(?:\([\w-]+\)=|# .*)$")
IN_AND_OUT = re.compile(
    r"(?ms)^:::\{admonition\} In and out\n:class: note\n"
    r"\*\*In:\*\* \S.*?\n\n\*\*Out:\*\* \S.*?\n:::$"
)
ASKED = re.compile(r"(?m)^:{3,}\{admonition\} .*\n:class: (question|answer dropdown)$")
EXERCISES = re.compile(r"(?m)^(?:\w+\.)?exercises\(\"(\w+)\"\)$")
TRAP = re.compile(r"(?m)^:{3,}\{admonition\} A likely misunderstanding\n:class: tip$")


def opening(text: str) -> str | None:
    """What stands between the title and the box `In and out`; None without such a box."""
    found = IN_AND_OUT.search(text)
    if found is None:
        return None
    return TITLE.sub("", FRONT_MATTER.sub("", text[: found.start()])).strip()


def asked(text: str) -> list[str]:
    """The boxes of questions and of hidden answers that are written on a page, in order."""
    return ASKED.findall(text)


def answered(text: str) -> int:
    """Questions with a hidden answer: those written on the page, and the exercises it shows."""
    written = sum(pair == ("question", "answer dropdown") for pair in pairwise(asked(text)))
    return written + sum(len(chosen(topic)) for topic in EXERCISES.findall(text))


def has_no_trap(name: str) -> bool:
    """Whether a page is among the exceptions."""
    return any(name == one or (one[-1] == "/" and name.startswith(one)) for one in NO_TRAP)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_first_what_goes_in_and_out(name: str) -> None:
    before = opening(PAGES[name])
    assert before is not None, "no box `In and out` with **In:** and **Out:**"
    assert len(before.split()) <= FEW
    assert "## " not in before
    assert "{code-cell}" not in before


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_two_questions_and_answers_them(name: str) -> None:
    assert answered(PAGES[name]) >= QUESTIONS


@pytest.mark.parametrize("name", PAGES)
def test_no_question_is_left_without_a_hidden_answer(name: str) -> None:
    boxes = asked(PAGES[name])
    assert boxes == ["question", "answer dropdown"] * (len(boxes) // 2)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_the_likely_misunderstanding(name: str) -> None:
    """Or is an exception; an exception that has the box is none any more."""
    assert bool(TRAP.search(PAGES[name])) != has_no_trap(name)


def test_every_exception_is_a_page() -> None:
    assert [one for one in NO_TRAP if not any(name.startswith(one) for name in PAGES)] == []


# ---- planted errors --------------------------------------------------------------------------

BOX = ":::{admonition} In and out\n:class: note\n**In:** a name.\n\n**Out:** a number.\n:::\n"
WHY = ":::{admonition} Question\n:class: question\nWhy?\n:::\n\n"
BECAUSE = ":::{admonition} Answer\n:class: answer dropdown\nBecause.\n:::\n"
TIP = ":::{admonition} A likely misunderstanding\n:class: tip\nNot so.\n:::\n"
GOOD = f"(sec-x)=\n# A page\n\n{BOX}\nText.\n\n{TIP}\n{(WHY + BECAUSE) * 2}"
CHECKS = (
    test_a_page_says_first_what_goes_in_and_out,
    test_a_page_asks_two_questions_and_answers_them,
    test_no_question_is_left_without_a_hidden_answer,
    test_a_page_names_the_likely_misunderstanding,
)


def faults(monkeypatch: pytest.MonkeyPatch, text: str, name: str = "planted") -> list[int]:
    """Which of the checks a text fails, by their places."""
    monkeypatch.setitem(PAGES, name, text)
    failed = []
    for place, check in enumerate(CHECKS):
        try:
            check(name)
        except AssertionError:
            failed.append(place)
    return failed


def test_a_good_page_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, GOOD) == []
    shown = f'# A page\n\n{BOX}\n{TIP}\n```{{code-cell}} ipython3\nexercises("kinetics")\n```\n'
    assert len(chosen("kinetics")) >= QUESTIONS
    assert faults(monkeypatch, shown) == []


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        (GOOD.replace(BOX, ""), [0]),
        (GOOD.replace("**Out:** a number.\n", ""), [0]),  # half a box
        (GOOD.replace(BOX, "## First\n\n" + BOX), [0]),  # not in the first lines
        (GOOD.replace(BOX, "word " * (FEW + 1) + "\n\n" + BOX), [0]),
        (GOOD.replace(WHY + BECAUSE, "", 1), [1]),  # one question
        (GOOD.replace(BECAUSE, "", 1), [1, 2]),  # two, one of them without an answer
        (GOOD.replace("answer dropdown", "dropdown"), [1, 2]),  # students would see these
        (GOOD.replace(":class: answer dropdown", ":class: answer"), [1, 2]),  # not hidden
        (GOOD.replace(TIP, ""), [3]),
    ],
)
def test_a_planted_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, text: str, failed: list[int]
) -> None:
    assert faults(monkeypatch, text) == failed


def test_an_exception_with_the_box_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, GOOD, "errors/planted") == [3]
