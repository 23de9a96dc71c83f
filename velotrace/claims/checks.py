"""The comparisons that checks are made by: each looks at numbers and grades them.

No test grades anything itself. What 'loose' means is said here, in numbers: a stated number that
is not what is found to its last digit but within 5 % of it, a property that some of the values
asked about have and others lack, an event that happens more often than not but less than its
wording says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from velotrace.claims.records import Check, Grade, Number, Share

CLOSE = 0.05
"""A stated number off by no more than this share of itself is loose, not wrong."""

LIKELY = 0.5
"""'Likely': more often than not."""

WILL = 0.75
"""'Will', 'learns', 'converges': at least three times out of four."""

LEVEL = 0.95
"""Of the intervals of shares."""

Array = Any


def agrees(key: str, what: str, found: Array, said: Array, digits: int) -> Check:
    """Whether numbers are the stated ones, to the last digit stated.

    Args:
        key: of the check.
        what: the numbers, in words.
        found: computed, any shape.
        said: stated in the document, same shape or one for all.
        digits: decimals to which they are stated.

    Returns:
        Holds within half a unit of the last digit, partly within 5 %, fails otherwise.

    Example:
        >>> agrees("u", "u_bar", 4.6807, 4.68, 2).grade.value
        'holds'
    """
    found, said = np.asarray(found, dtype=float), np.asarray(said, dtype=float)
    apart = np.abs(found - said)
    exact = apart <= 0.5 * 10.0**-digits * (1.0 + 1e-9)  # a tie, as far as float64 can tell
    close = apart <= CLOSE * np.abs(said)
    grade = Grade.HOLDS if exact.all() else Grade.PARTLY if close.all() else Grade.FAILS
    return Check(key, what, _flat(found), _listed(said), grade)


def same(key: str, what: str, found: Array, said: Array, tolerance: float = 1e-9) -> Check:
    """Whether arrays computed in two ways are the same, relative to their largest component."""
    found, said = np.broadcast_arrays(np.asarray(found, float), np.asarray(said, float))
    size = max(float(np.max(np.abs(found))), float(np.max(np.abs(said))), 1.0)
    apart = float(np.max(np.abs(found - said)))
    grade = Grade.HOLDS if apart <= tolerance * size else Grade.FAILS
    return Check(key, what, apart, f"0, to {tolerance:g} of the largest", grade)


def equal(key: str, what: str, found: Number, said: Number) -> Check:
    """Whether a count, a word or a truth value is the stated one."""
    grade = Grade.HOLDS if found == said else Grade.FAILS
    words = {True: "yes", False: "no"}
    if isinstance(said, bool) and isinstance(found, bool):
        return Check(key, what, words[found], words[said], grade)
    return Check(key, what, found, f"{said:g}" if isinstance(said, float) else f"{said}", grade)


def above(key: str, what: str, found: float, bound: float) -> Check:
    """Whether a number is greater than a bound."""
    return _bounded(key, what, found, f"> {bound:g}", found > bound)


def below(key: str, what: str, found: float, bound: float) -> Check:
    """Whether a number is less than a bound."""
    return _bounded(key, what, found, f"< {bound:g}", found < bound)


def _bounded(key: str, what: str, found: float, wanted: str, holds: bool) -> Check:
    return Check(key, what, float(found), wanted, Grade.HOLDS if holds else Grade.FAILS)


def counted(key: str, what: str, hits: Iterable[Any]) -> Check:
    """Whether all of several have a property: holds for all, fails for none, else partly."""
    answers = [bool(hit) for hit in hits]
    found, every = sum(answers), len(answers)
    grade = Grade.HOLDS if found == every else Grade.PARTLY if found else Grade.FAILS
    return Check(key, what, f"{found} of {every}", "all", grade)


def noted(key: str, what: str, found: float) -> Check:
    """A number to show; it decides nothing."""
    return Check(key, what, float(found), "", None)


def flows(key: str, what: str, adjoint: Array) -> Check:
    """Whether a gradient arrives: at all components, at some, at none, or without a path."""
    if adjoint is None:
        return Check(key, what, "no path", "a gradient", Grade.FAILS)
    return counted(key, what, np.asarray(adjoint).ravel() != 0.0)


def likely(key: str, what: str, happened: Sequence[Any] | Array) -> Check:
    """Whether something happens more often than not, by an ensemble of runs.

    Returns:
        Holds where the whole interval of the share lies above one half, fails where it lies below,
        and is open otherwise: more seeds would decide.
    """
    return _often(key, what, happened, LIKELY)


def will(key: str, what: str, happened: Sequence[Any] | Array) -> Check:
    """Whether something happens as a rule, at least three times out of four.

    Returns:
        Holds where the whole interval of the share lies above that; fails where it lies below one
        half; is partly so where it lies below three in four, and open otherwise.
    """
    return _often(key, what, happened, WILL)


def may(key: str, what: str, happened: Sequence[Any] | Array) -> Check:
    """Whether something can happen: holds if it did in one run, fails if it did in none."""
    found = share(happened)
    grade = Grade.HOLDS if found.successes else Grade.FAILS
    return Check(key, what, found.successes / found.runs, "once or more", grade, found)


def _often(key: str, what: str, happened: Sequence[Any] | Array, least: float) -> Check:
    found = share(happened)
    if found.low > least:
        grade = Grade.HOLDS
    elif found.high < LIKELY:
        grade = Grade.FAILS
    elif found.high < least:
        grade = Grade.PARTLY
    else:
        grade = Grade.OPEN
    wanted = f"more than {least:g} of the runs"
    return Check(key, what, found.successes / found.runs, wanted, grade, found)


def share(happened: Sequence[Any] | Array) -> Share:
    """A share of runs with its 95 % Wilson interval.

    Example:
        >>> str(share([True] * 9 + [False]))
        '9 of 10 (0.60 to 0.98)'
    """
    from scipy.stats import binomtest  # heavy, and only here needed

    answers = np.asarray(happened, dtype=bool).ravel()
    successes, runs = int(answers.sum()), len(answers)
    interval = binomtest(successes, runs).proportion_ci(LEVEL, method="wilson")
    return Share(successes, runs, float(interval.low), float(interval.high))


def undecided(key: str, what: str, wanted: str) -> Check:
    """What the data cannot say."""
    return Check(key, what, "not known", wanted, Grade.OPEN)


def _flat(found: Array) -> Number:
    numbers = tuple(float(x) for x in np.ravel(found))
    return numbers[0] if len(numbers) == 1 else numbers


def _listed(said: Array) -> str:
    numbers = np.ravel(said)
    short = numbers[:1] if np.all(numbers == numbers[0]) else numbers
    return ", ".join(f"{float(x):g}" for x in short)
