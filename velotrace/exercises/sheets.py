"""Sheets: one student's questions as a notebook or as Markdown, and a notebook read back.

A sheet holds the questions and their parameters; no answer, no slip, no hidden point and no salt.
What is needed to ask the same questions again stands in the notebook's metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from velotrace.errors import InputError
from velotrace.exercises import salts
from velotrace.exercises.catalogue import EXERCISES, checked_student
from velotrace.exercises.checking import check
from velotrace.exercises.records import Part, Question, Result

SCHEMA = "velotrace-sheet/1"

LARGEST_SHEET = 20_000_000
"""Bytes; a sheet with its plots has some hundred thousand."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that was read back; nothing of it was run.

    Attributes:
        student: whose it is.
        topic: what it is about; None for all exercises.
        exercises: names of the exercises, in order.
        salt_mark: 'public', or the mark of the salt it was made with.
        cells: sources of all code cells, in order.
    """

    student: str
    topic: str | None
    exercises: tuple[str, ...]
    salt_mark: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Marked:
    """One part of one question with what checking gave.

    Attributes:
        question: as the student got it.
        part: of it.
        variable: the name of the answer in the sheet.
        result: points, feedback and slip.
    """

    question: Question
    part: Part
    variable: str
    result: Result


def variable(position: int, part: Part) -> str:
    """The name of a part's answer: 'answer_03a' for part a of a sheet's third exercise."""
    return f"answer_{position:02d}{part.key}"


def metadata(student: str, topic: str | None, exercises: Sequence[str], salt: bytes) -> Any:
    """What a sheet says of itself: enough to ask its questions again, with the salt."""
    from velotrace import __version__

    about = {
        "student": checked_student(student),
        "topic": topic,
        "exercises": list(exercises),
        "salt": salts.mark(salt),
    }
    name = hashlib.sha256(json.dumps([SCHEMA, about], sort_keys=True).encode()).hexdigest()[:12]
    return {"schema": SCHEMA, "sheet": name, **about, "version": __version__}


# ---- reading --------------------------------------------------------------------------------


def read_sheet(path: Path) -> Sheet:
    """Read a sheet's notebook.

    Raises:
        InputError: it cannot be read, is too large, or is not a sheet.
    """
    if path.suffix == ".md":
        right = "answers go into the notebook; write it with -o sheet.ipynb"
        raise InputError(f"{path}: a sheet in Markdown is for print: {right}")
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST_SHEET + 1)
    except OSError as problem:
        raise InputError(f"{path}: the sheet cannot be read: {problem.strerror}") from None
    if len(raw) > LARGEST_SHEET:
        raise InputError(f"{path}: larger than {LARGEST_SHEET // 1_000_000} MB; clear its outputs")
    return parse_sheet(raw.decode("utf-8", errors="replace"), str(path))


def parse_sheet(text: str, where: str) -> Sheet:
    """The sheet in a notebook's text.

    Args:
        text: of the file.
        where: its name, for messages.

    Raises:
        InputError: it is not a notebook, or not one that `velotrace exercise new` wrote.
    """
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: not a notebook: it is no JSON") from None
    about = _nested(notebook, "metadata", "velotrace")
    if _nested(about, "schema") != SCHEMA:
        right = "write one with: velotrace exercise new --student ID -o sheet.ipynb"
        raise InputError(f"{where}: not a sheet of exercises; {right}")
    return _sheet(about, notebook, where)


def _sheet(about: Mapping[str, Any], notebook: Mapping[str, Any], where: str) -> Sheet:
    student, mark, topic = (about.get(name) for name in ("student", "salt", "topic"))
    exercises = about.get("exercises")
    if not (isinstance(student, str) and isinstance(mark, str) and isinstance(exercises, list)):
        raise InputError(f"{where}: what the sheet says of itself was changed; make it anew")
    for place, name in enumerate(exercises):
        if not isinstance(name, str) or name not in EXERCISES or name in exercises[:place]:
            given = f"names the exercise {str(name)[:40]!r}"
            raise InputError(f"{where}: the sheet {given}, unknown or for the second time")
    topic = topic if isinstance(topic, str) else None
    return Sheet(checked_student(student), topic, tuple(exercises), mark, _code(notebook))


def _nested(holder: Any, *keys: str) -> Any:
    for key in keys:
        holder = holder.get(key) if isinstance(holder, Mapping) else None
    return holder


def _code(notebook: Mapping[str, Any]) -> tuple[str, ...]:
    cells = notebook.get("cells")
    sources = [
        _nested(cell, "source")
        for cell in (cells if isinstance(cells, list) else [])
        if _nested(cell, "cell_type") == "code"
    ]
    return tuple("".join(map(str, s)) if isinstance(s, list) else str(s or "") for s in sources)


# ---- its questions and answers --------------------------------------------------------------


def questions(sheet: Sheet, salt: bytes) -> tuple[Question, ...]:
    """The questions of a sheet, asked again.

    Raises:
        InputError: it was made with another salt.
    """
    if salts.mark(salt) != sheet.salt_mark:
        if sheet.salt_mark == "public":
            raise InputError("the sheet was made without a salt file; check it without one")
        if salt == salts.PUBLIC_SALT:
            right = "only who holds that file can check it, with --salt-file"
            raise InputError(f"the sheet was made with a salt file; {right}")
        raise InputError("the sheet was made with another salt file")
    return tuple(EXERCISES[name](sheet.student, salt) for name in sheet.exercises)


def probes(asked: Sequence[Question]) -> dict[str, list[list[float]] | None]:
    """What is to be collected: each answer's name, and of code the points to run it on."""
    return {
        variable(position, part): [list(probe) for probe in part.probes] or None
        for position, question in enumerate(asked, 1)
        for part in question.parts
    }


def check_answers(asked: Sequence[Question], answers: Mapping[str, Any]) -> tuple[Marked, ...]:
    """Check every part of a sheet; an answer that is missing counts as not given."""
    return tuple(
        Marked(question, part, name, check(question, part, answers.get(name)))
        for position, question in enumerate(asked, 1)
        for part in question.parts
        for name in (variable(position, part),)
    )
