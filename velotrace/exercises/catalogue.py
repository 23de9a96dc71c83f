"""All exercises in the document's order, and how one becomes a student's own question."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

from velotrace.data import closest
from velotrace.errors import ContradictionError, InputError
from velotrace.exercises.checking import told_apart
from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, UnsuitableError
from velotrace.exercises.records import Kind, Part, Question
from velotrace.exercises.topics import BY_TOPIC

ATTEMPTS = 200
"""How often other parameters are tried until all answers are readable and clearly apart."""

SMALLEST, LARGEST = 1e-3, 1e5
"""A number to give is 0 or of a size that is readable without powers of ten."""

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise: called with a student and a salt, it is that student's question.

    Attributes:
        id: its name in sheets and on the command line.
        topic: the book's page that it belongs to.
        title: a few words.
        kind: 'number', 'vector', 'choice', 'code', 'plot' or 'bug'.
        make: from choices to text, parts and solution.
    """

    id: str
    topic: str
    title: str
    kind: Kind
    make: Callable[[Chooser], Draft]

    def __call__(self, student: str, salt: bytes) -> Question:
        """The question of one student; the same for the same student and salt, everywhere.

        Args:
            student: a name or number.
            salt: of the course, or the public one.

        Returns:
            The question with parameters, right answers from the engine, and likely slips.

        Raises:
            InputError: the student's name cannot be used.
        """
        name = checked_student(student)
        for attempt in range(ATTEMPTS):
            chooser = Chooser(salt, name, self.id, attempt)
            with suppress(UnsuitableError):
                question = self._question(self.make(chooser), chooser)
                if sensible(question):
                    return question
        raise ContradictionError(f"exercise {self.id} found no parameters in {ATTEMPTS} attempts")

    def _question(self, draft: Draft, chooser: Chooser) -> Question:
        parts = tuple(
            replace(part, key=key) for key, part in zip("abcdefgh", draft.parts, strict=False)
        )
        return Question(
            self.id, self.topic, self.title, self.kind, draft.text, parts,
            MappingProxyType(chooser.data), draft.solution, draft.figure, draft.figure_alt,
        )  # fmt: skip


def checked_student(student: str) -> str:
    """A student's name without white space around it, in Unicode's normal form C.

    Raises:
        InputError: it is empty, too long, or holds what cannot be printed.
    """
    name = unicodedata.normalize("NFC", student).strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        right = f"give 1 to {LONGEST_NAME} printable characters"
        raise InputError(f"the student is {student[:40]!r}; {right}")
    return name


# ---- what makes parameters sensible ---------------------------------------------------------


def sensible(question: Question) -> bool:
    """Whether answers are of a readable size, not to be read in the text, and apart from slips."""
    return all(
        told_apart(part) and _readable(part) and not _given_away(question, part)
        for part in question.parts
    )


def _readable(part: Part) -> bool:
    if part.kind not in ("number", "vector"):
        return True
    numbers = part.answer if part.kind == "vector" else [part.answer]
    return all(math.isfinite(x) and (SMALLEST <= abs(x) <= LARGEST) for x in numbers)


_IN_TEXT = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def _given_away(question: Question, part: Part) -> bool:
    """Whether the right number, rounded as asked for, stands in the question by chance."""
    if part.kind != "number":
        return False
    words = " ".join([question.text, *(each.prompt for each in question.parts)])
    numbers = (float(found) for found in _IN_TEXT.findall(words))
    return any(abs(x - abs(part.answer)) <= part.tolerance.around(part.answer) for x in numbers)


# ---- the catalogue --------------------------------------------------------------------------

TOPICS = tuple(BY_TOPIC)
"""The book's pages that end with exercises, in its order."""

EXERCISES: Mapping[str, Exercise] = MappingProxyType(
    {
        name: Exercise(name, topic, title, kind, make)
        for topic, entries in BY_TOPIC.items()
        for name, title, kind, make in entries
    }
)
"""Every exercise by its name, in the document's order."""


def chosen(topic: str | None = None) -> tuple[Exercise, ...]:
    """The exercises of one topic, or all.

    Raises:
        InputError: there is no such topic.
    """
    if topic is None:
        return tuple(EXERCISES.values())
    if topic not in TOPICS:
        raise InputError(
            f"there is no topic {topic!r}{closest(topic, TOPICS)}; it is {', '.join(TOPICS)}"
        )
    return tuple(exercise for exercise in EXERCISES.values() if exercise.topic == topic)
