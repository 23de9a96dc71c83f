"""Checking an answer: against the right one, then against what the likely slips would give.

Nothing is run here. Of a function the student wrote, the values on the hidden points arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from velotrace.exercises.reading import (
    UnreadableError,
    is_empty,
    plain_error,
    read_number,
    shown,
    value_of_code,
)
from velotrace.exercises.records import LETTERS, Part, Question, Result, Slip, Tolerance

NOT_ANSWERED, NOT_READABLE = "not answered", "not readable"
NOT_RECOGNISED, TOO_FEW_DIGITS = "not recognised", "too few digits"


def check(question: Question, part: Part, given: Any) -> Result:
    """Compare an answer with the right one and with the likely slips.

    Args:
        question: the student's.
        part: one of its parts.
        given: what was collected from the sheet: a number, a list, a letter; for code
            {"values": [...]}, one for each hidden point.

    Returns:
        All of the part's points or none, and one line that names the slip without the answer.

    Example:
        >>> from velotrace.exercises.catalogue import EXERCISES
        >>> from velotrace.exercises.salts import PUBLIC_SALT
        >>> question = EXERCISES["unspliced-induction"]("ada", PUBLIC_SALT)
        >>> check(question, question.parts[0], question.parts[0].answer).feedback
        'Right.'
        >>> check(question, question.parts[0], None).feedback
        'Not answered yet: put a number in the place of the three dots.'
    """
    if part not in question.parts:
        raise ValueError(f"{question.id} has no such part {part.key!r}")
    if is_empty(given):
        place = "in the place of the three dots"
        return _wrong(part, NOT_ANSWERED, f"Not answered yet: put {_wanted(part)} {place}.")
    try:
        return _CHECKS[part.kind](part, given)
    except UnreadableError as problem:
        return _wrong(part, NOT_READABLE, f"{problem} Give {_wanted(part)}.")


def _right(part: Part) -> Result:
    return Result(part.points, part.points, "Right.")


def _wrong(part: Part, slip: str, feedback: str) -> Result:
    return Result(0, part.points, feedback, slip)


def _wanted(part: Part) -> str:
    if part.kind == "vector":
        return f"a list of {len(part.answer)} numbers"
    if part.kind == "choice":
        return f"one letter in quotation marks, from A to {LETTERS[len(part.options) - 1]},"
    if part.kind == "line":
        return f"the number of a line, from 1 to {len(part.options)}"
    if part.kind == "code":
        return f"a function of {', '.join(part.arguments)}"
    return "a number"


# ---- numbers --------------------------------------------------------------------------------


def _agrees(given: float, right: float, tolerance: Tolerance) -> bool:
    return abs(given - right) <= tolerance.around(right)


def _check_number(part: Part, given: Any) -> Result:
    value = read_number(given)
    if _agrees(value, part.answer, part.tolerance):
        return _right(part)
    for slip in part.slips:
        if _agrees(value, slip.answer, part.tolerance):
            return _wrong(part, slip.key, slip.message)
    if abs(value - part.answer) <= part.tolerance.near * part.tolerance.around(part.answer):
        return _wrong(part, TOO_FEW_DIGITS, _too_few(part))
    return _wrong(part, NOT_RECOGNISED, "Not right, and none of the usual slips gives it.")


def _too_few(part: Part) -> str:
    if part.tolerance.read_off:
        return "Close. Read it off once more, along the grid lines."
    return f"Close, but not to {part.tolerance.digits} significant digits: round only at the end."


# ---- vectors --------------------------------------------------------------------------------


def _check_vector(part: Part, given: Any) -> Result:
    if not isinstance(given, list):
        read_number(given)
        raise UnreadableError("This is a single number.")
    size = len(part.answer)
    if len(given) != size:
        raise UnreadableError(f"This list has {_counted(len(given), 'entry', 'entries')}.")
    values = []
    for place, (label, entry) in enumerate(zip(_labels(part), given, strict=True)):
        try:
            values.append(read_number(entry))
        except UnreadableError as problem:
            raise UnreadableError(f"Entry [{place}] ({label}): {problem}") from None
    failing = _failing(values, part.answer, part.tolerance)
    if not failing:
        return _right(part)
    where = _where(part, failing)
    slip = _slip_behind(part, values, failing)
    if slip is not None:
        return _wrong(part, slip.key, f"{slip.message} {where}")
    return _wrong(part, *_vector_in_general(part, values, where))


def _vector_in_general(part: Part, values: list[float], where: str) -> tuple[str, str]:
    ordered = _failing(sorted(values), sorted(part.answer), part.tolerance)
    if not ordered:
        return "order of a vector", f"The right numbers in another order. {where}"
    near = Tolerance(part.tolerance.digits - 1)  # ten times as wide
    if not _failing(values, part.answer, near):
        return TOO_FEW_DIGITS, f"{_too_few(part)} {where}"
    return NOT_RECOGNISED, f"Not right. {where}"


def _failing(given: Sequence[float], right: Sequence[float], tolerance: Tolerance) -> list[int]:
    pairs = enumerate(zip(given, right, strict=True))
    return [place for place, (x, y) in pairs if not _agrees(x, y, tolerance)]


def _slip_behind(part: Part, values: Sequence[float | None], failing: Sequence[int]) -> Slip | None:
    """The slip that gives all of these values, or else those of them that fail."""
    for places in (range(len(values)), failing):
        for slip in part.slips:
            if all(_same(values[i], slip.answer[i], part.tolerance) for i in places):
                return slip
    return None


def _labels(part: Part) -> Sequence[str]:
    return part.labels or [f"number {place}" for place in range(1, len(part.answer) + 1)]


def _where(part: Part, failing: list[int]) -> str:
    if len(failing) == len(part.answer):
        return "All entries are wrong."
    labels = _labels(part)
    named = ", ".join(f"[{place}] ({labels[place]})" for place in failing)
    return f"Wrong: entry {named}; the others are right."


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


# ---- choices --------------------------------------------------------------------------------


def _check_choice(part: Part, given: Any) -> Result:
    letters = LETTERS[: len(part.options)]
    if not isinstance(given, str):
        raise UnreadableError(f"{shown(given)} is not a letter.")
    letter = given.strip().rstrip(".)").strip().upper()
    if len(letter) != 1 or letter not in letters:
        raise UnreadableError(f"{shown(given)} is none of the options.")
    if letter == part.answer:
        return _right(part)
    slip = next(slip for slip in part.slips if slip.answer == letter)
    return _wrong(part, slip.key, slip.message)


# ---- lines of a listing ---------------------------------------------------------------------


def _check_line(part: Part, given: Any) -> Result:
    value = read_number(given)
    if value not in range(1, len(part.options) + 1):
        raise UnreadableError(f"There is no line {shown(given)}.")
    if value == part.answer:
        return _right(part)
    for slip in part.slips:
        if value == slip.answer:
            return _wrong(part, slip.key, slip.message)
    return _wrong(part, NOT_RECOGNISED, f"Line {value:g} is right.")


# ---- code -----------------------------------------------------------------------------------


def _check_code(part: Part, given: Any) -> Result:
    values = given.get("values") if isinstance(given, Mapping) else None
    if values is None:
        raise UnreadableError("This is not a function.")
    if not isinstance(values, list) or len(values) != len(part.probes):
        raise UnreadableError("The function was not run on every hidden point.")
    found = [value_of_code(value) for value in values]
    pairs = list(zip(found, part.answer, strict=True))
    failing = [
        i for i, (x, y) in enumerate(pairs) if x is None or not _agrees(x, y, part.tolerance)
    ]
    if not failing:
        return _right(part)
    slip = _slip_behind(part, found, failing)
    if slip is not None:
        return _wrong(part, slip.key, slip.message)
    return _wrong(part, *_code_in_general(values, found, failing))


def _code_in_general(
    values: list[Any], found: list[float | None], failing: list[int]
) -> tuple[str, str]:
    stopped = [v["error"] for v in values if isinstance(v, Mapping) and "error" in v]
    count = _counted(len(values), "hidden point", "hidden points")
    if stopped:
        return "code stops", f"At {len(stopped)} of {count} it stops: {plain_error(stopped[0])}."
    if all(value is None for value in values):
        return NOT_ANSWERED, "The function returns nothing: end it with return and a value."
    odd = [v for v, x in zip(values, found, strict=True) if x is None]
    if odd:
        return NOT_READABLE, f"At {len(odd)} of {count} it returns no finite number."
    right = len(values) - len(failing)
    return NOT_RECOGNISED, f"Right at {right} of {count}; none of the usual slips gives the others."


def _same(given: float | None, slip: float | None, tolerance: Tolerance) -> bool:
    if given is None or slip is None:
        return given is slip
    return _agrees(given, slip, tolerance)


_CHECKS: Mapping[str, Callable[[Part, Any], Result]] = {
    "number": _check_number,
    "vector": _check_vector,
    "choice": _check_choice,
    "line": _check_line,
    "code": _check_code,
}


# ---- what a good exercise keeps apart -------------------------------------------------------


def told_apart(part: Part) -> bool:
    """Whether checking can tell the right answer and all slips from each other."""
    if part.kind in ("choice", "line"):
        return len({part.answer, *(slip.answer for slip in part.slips)}) == len(part.slips) + 1
    answers = [part.answer, *(slip.answer for slip in part.slips)]
    if part.kind == "number":
        answers = [(answer,) for answer in answers]
    return all(
        _apart(first, second, part.tolerance)
        for place, first in enumerate(answers)
        for second in answers[:place]
    )


def _apart(
    first: Sequence[float | None], second: Sequence[float | None], tolerance: Tolerance
) -> bool:
    """Whether two answers differ clearly in a component at least."""
    return any(_differ(x, y, tolerance) for x, y in zip(first, second, strict=True))


def _differ(x: float | None, y: float | None, tolerance: Tolerance) -> bool:
    if x is None or y is None:
        return x is not y
    return abs(x - y) > tolerance.apart * max(tolerance.around(x), tolerance.around(y))
