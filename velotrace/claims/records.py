"""What a claim is, what testing it finds, and the one rule that turns findings into a verdict."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from velotrace.claims.context import Context

ANY = "any reading"
"""The key of evidence that does not depend on how the document is read."""


class Grade(StrEnum):
    """What one comparison says of the statement."""

    HOLDS = "holds"
    PARTLY = "partly"
    FAILS = "fails"
    OPEN = "open"


class Verdict(StrEnum):
    """What came out for a whole claim."""

    HOLDS = "holds"
    THIS_READING = "holds in this reading only"
    LOOSE = "loose"
    WRONG = "wrong"
    UNDECIDABLE = "not decidable here"


@dataclass(frozen=True, slots=True)
class Share:
    """In how many runs of an ensemble something happened.

    Attributes:
        successes: runs in which it did.
        runs: all of them.
        low: lower end of the 95 % Wilson interval of the share.
        high: its upper end.
    """

    successes: int
    runs: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.successes} of {self.runs} ({self.low:.2f} to {self.high:.2f})"


Number = float | int | str | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of a number with what the document says of it.

    Attributes:
        key: short name; `right` may quote the number by it.
        what: the number, in words.
        found: its value, or several; text where there is none, such as 'no path'.
        wanted: what it would have to be.
        grade: what the comparison says; None for a number that is only shown.
        share: of an ensemble, where there is one.
    """

    key: str
    what: str
    found: Number
    wanted: str
    grade: Grade | None
    share: Share | None = None


Checks = tuple[Check, ...]
Evidence = Mapping[str, Checks]
"""Checks by reading, or under `ANY` alone."""
Test = Callable[["Context"], Evidence]


@dataclass(frozen=True)
class Claim:
    """A statement of the document with the function that puts it to the test.

    Attributes:
        id: short name.
        section: of the document, such as '3a'.
        paragraphs: numbers of the document's paragraphs that make it, as in `paragraphs`.
        says: what it says, in our words.
        test: pure function that compares numbers.
        page: of the book, where the numbers are made, such as 'switch.md'.
        right: what is right instead; may quote numbers of the checks by their keys.
        item: number of the known error in the list of those, 0 for none.
    """

    id: str
    section: str
    paragraphs: tuple[int, ...]
    says: str
    test: Test
    page: str
    right: str = ""
    item: int = 0

    @property
    def how(self) -> str:
        """How it is tested: the first line of the function's docstring."""
        return (inspect.getdoc(self.test) or "").partition("\n")[0]

    @property
    def function(self) -> str:
        """The dotted name of the function that tests it."""
        return f"{self.test.__module__}.{self.test.__qualname__}"

    @property
    def source(self) -> str:
        """The code of the test, without the decorator that says what the claim is."""
        code = textwrap.dedent(inspect.getsource(self.test))
        return code[code.index("def ") :].rstrip()


def claim(
    name: str,
    section: str,
    *paragraphs: int,
    says: str,
    page: str,
    right: str = "",
    item: int = 0,
) -> Callable[[Test], Claim]:
    """Make a function the test of a claim; the arguments are `Claim`'s."""
    return lambda test: Claim(name, section, paragraphs, says, test, page, right, item)


@dataclass(frozen=True)
class Finding:
    """What testing a claim found.

    Attributes:
        claim: which.
        evidence: the checks, by reading.
        own: the reading whose outcome the verdict is about: the document's, or the one asked for.
    """

    claim: Claim
    evidence: Evidence
    own: str

    @property
    def outcomes(self) -> dict[str, Grade]:
        """For each reading, all its checks taken together."""
        return {reading: together(checks) for reading, checks in self.evidence.items()}

    @property
    def verdict(self) -> Verdict:
        """The verdict that the outcomes imply; never typed."""
        return verdict(self.outcomes, self.own)

    @property
    def holds_in(self) -> tuple[str, ...]:
        """The readings in which it holds."""
        return tuple(r for r, grade in self.outcomes.items() if grade is Grade.HOLDS)

    @property
    def shown(self) -> Checks:
        """The checks of the reading that the verdict is about."""
        return self.evidence.get(self.own, next(iter(self.evidence.values())))

    @property
    def elsewhere(self) -> str:
        """Where it is otherwise than in the reading that the verdict is about; empty if nowhere."""
        if self.verdict is Verdict.THIS_READING:
            others = [r for r, grade in self.outcomes.items() if grade in _FAILING]
            return f"Not so in {_listed(others)}."
        if self.verdict in (Verdict.WRONG, Verdict.LOOSE) and self.holds_in:
            return f"It holds in {_listed(list(self.holds_in))}."
        return ""

    @property
    def right(self) -> str:
        """What is right instead, with its numbers; empty where the claim simply holds."""
        if self.verdict in (Verdict.HOLDS, Verdict.UNDECIDABLE):
            return ""
        numbers = {check.key: shown(check.found, 5) for check in self.shown}
        right = re.sub(r"\{(\w+)\}", lambda m: numbers[m[1]], self.claim.right)
        return " ".join(filter(None, (right, self.elsewhere)))


_FAILING = (Grade.FAILS, Grade.PARTLY)


def _listed(names: list[str]) -> str:
    """Names of readings in a sentence; one with a comma in it is put in brackets."""
    plain = [re.sub(r", (.*)", r" (\1)", name) for name in names]
    return " and ".join(filter(None, (", ".join(plain[:-1]), plain[-1])))


def together(checks: Checks) -> Grade:
    """One grade for several checks: theirs where they agree; an open one leaves it open.

    Example:
        >>> yes, no = (Check("", "", 0, "", grade) for grade in (Grade.HOLDS, Grade.FAILS))
        >>> together((yes, yes)).value, together((yes, no)).value
        ('holds', 'partly')
    """
    grades = {check.grade for check in checks if check.grade is not None}
    if len(grades) == 1:
        return grades.pop()
    decided = grades - {Grade.OPEN}
    if decided == {Grade.HOLDS}:
        return Grade.OPEN
    return Grade.FAILS if decided == {Grade.FAILS} else Grade.PARTLY


def verdict(outcomes: Mapping[str, Grade], own: str) -> Verdict:
    """The rule for all claims.

    The statement belongs to one reading, the document's own unless another is asked for. If it
    fails there, it is wrong. If some of its parts hold there and others fail, or a number is off
    by little, or it happens less often than said, it is loose. If it holds there, it holds; but in
    this reading only, if there is another in which it does not.

    Args:
        outcomes: by reading.
        own: the reading it belongs to; evidence for any reading stands for it too.

    Returns:
        The verdict.

    Example:
        >>> verdict({"document": Grade.HOLDS, "paper": Grade.FAILS}, "document").value
        'holds in this reading only'
    """
    at_home = outcomes.get(own, next(iter(outcomes.values())))
    if at_home is not Grade.HOLDS:
        return {
            Grade.FAILS: Verdict.WRONG,
            Grade.PARTLY: Verdict.LOOSE,
            Grade.OPEN: Verdict.UNDECIDABLE,
        }[at_home]
    elsewhere = set(outcomes.values()) & set(_FAILING)
    return Verdict.THIS_READING if elsewhere else Verdict.HOLDS


def shown(found: Number, digits: int = 6) -> str:
    """A number, or several, as the ledger writes them.

    Example:
        >>> shown((0.85, 1 / 3)), shown("no path")
        ('0.85, 0.333333', 'no path')
    """
    if isinstance(found, str):
        return found
    several = found if isinstance(found, tuple) else (found,)
    return ", ".join(f"{x + 0.0:.{digits}g}" for x in several)
