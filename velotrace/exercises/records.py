"""The frozen records of an exercise: a question, its parts, the likely slips, and a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["number", "vector", "choice", "code", "plot", "bug"]
PartKind = Literal["number", "vector", "choice", "line", "code"]

LETTERS = "ABCDEFGH"
"""What the options of a choice are called."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far from the right number an answer may lie.

    Attributes:
        digits: significant digits asked for.
        absolute: allowed difference whatever the size, as when a value is read off a plot.
    """

    digits: int = 4
    absolute: float = 0.0

    @property
    def relative(self) -> float:
        """Half a unit of the last digit asked for, relative to the smallest number so written.

        A number 1.000 written to four digits is known to within 0.0005: 5e-4 of it. Every other
        leading digit makes the same half unit a smaller share.
        """
        return 0.5 * 10.0 ** (1 - self.digits)

    @property
    def read_off(self) -> bool:
        """Whether a value is read off a plot rather than worked out."""
        return self.absolute > 0.0 or self.digits < 3

    @property
    def near(self) -> float:
        """An answer that misses by up to this many tolerances was meant to be the right one."""
        return 2.0 if self.read_off else 10.0

    @property
    def apart(self) -> float:
        """Right answers and slips differ by this many tolerances, well beyond what is near."""
        return 2.5 * self.near

    def around(self, right: float) -> float:
        """How far an answer may lie from this right one."""
        return max(self.absolute, self.relative * abs(right))


@dataclass(frozen=True, slots=True)
class Slip:
    """A likely mistake.

    Attributes:
        key: a few words, for the report on which slips were common.
        answer: what it gives, in the form of the part's answer.
        message: what the student reads; it names the slip and not the answer.
    """

    key: str
    answer: Any
    message: str


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is asked.

    Attributes:
        key: 'a', 'b', …
        kind: the form of the answer.
        prompt: Markdown.
        answer: a float; a tuple of them for a vector; a letter for a choice; the number of a
            line; for code the right value at each probe.
        slips: likely mistakes.
        tolerance: of numbers.
        points: for the right answer.
        labels: of a vector's components.
        options: of a choice, Markdown, lettered in this order; or the lines of a listing.
        arguments: names of a function's arguments.
        probes: the hidden points a function is run on, each a tuple of arguments.
    """

    key: str
    kind: PartKind
    prompt: str
    answer: Any
    slips: tuple[Slip, ...] = ()
    tolerance: Tolerance = field(default_factory=Tolerance)
    points: int = 1
    labels: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    probes: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """An exercise as one student gets it.

    Attributes:
        id: of the exercise.
        topic: the book's page it belongs to.
        title: a few words.
        kind: what sort of exercise it is.
        text: Markdown, before the parts.
        parts: what is asked.
        data: the student's parameters by name.
        solution: how it is done, Markdown; in the book, never in a sheet.
        figure: draws the PNG to read off; None where there is none.
        figure_alt: what it shows, in words that give nothing away.
    """

    id: str
    topic: str
    title: str
    kind: Kind
    text: str
    parts: tuple[Part, ...]
    data: Mapping[str, Any]
    solution: str
    figure: Callable[[], bytes] | None = None
    figure_alt: str = ""

    @property
    def points(self) -> int:
        """The points of all parts together."""
        return sum(part.points for part in self.parts)


@dataclass(frozen=True, slots=True)
class Result:
    """What checking one answer gave.

    Attributes:
        points: earned.
        of: at most.
        feedback: one line for the student.
        slip: which mistake, in a few words; empty where the answer is right.
    """

    points: int
    of: int
    feedback: str
    slip: str = ""
