"""What grading gives a teacher: a table with one row per sheet, and a report on slips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import mean, median

from tabulate import tabulate

from velotrace.exercises.checking import (
    NOT_ANSWERED,
    NOT_READABLE,
    NOT_RECOGNISED,
    TOO_FEW_DIGITS,
)
from velotrace.exercises.grading import Graded
from velotrace.report.escape import csv_cell, csv_text, markdown

_NO_SLIP = ("", NOT_ANSWERED, NOT_READABLE, NOT_RECOGNISED, TOO_FEW_DIGITS)
"""What a result says that is no slip known beforehand."""

_Row = list[str | int]

COMMON = 12
"""So many slips are listed in the order of how common they are."""


def grades_csv(graded: Sequence[Graded], worth: Mapping[str, int]) -> str:
    """One row per sheet: student, sheet, points, of, each exercise, problem, note.

    Args:
        graded: all sheets.
        worth: the points of each exercise.
    """
    of = str(sum(worth.values()))
    rows = [["student", "sheet", "points", "of", *worth, "problem", "note"]]
    for one in graded:
        earned = [str(one.by_exercise.get(name, 0)) for name in worth]
        texts = [csv_cell(text) for text in (one.student, one.file, one.problem, one.note)]
        rows.append([*texts[:2], str(one.points), of, *earned, *texts[2:]])
    return csv_text(rows)


def summary(graded: Sequence[Graded], worth: Mapping[str, int]) -> str:
    """One sentence or two: how many sheets, how many ran to their end, how many points."""
    troubled = sum(bool(one.problem) for one in graded)
    points = [one.points for one in graded if one.marked]
    told = f"{_counted(len(graded), 'sheet')} of {_counted(len(worth), 'exercise')}"
    told += f", of which {len(graded) - troubled} ran to their end."
    if points:
        middle = f"mean {mean(points):.1f}, median {median(points):g}"
        told += f" Points: {middle} of {sum(worth.values())}"
        told += f" ({_counted(len(points), 'sheet')} checked)."
    return told


def report_markdown(graded: Sequence[Graded], worth: Mapping[str, int]) -> str:
    """The common slips, every part of every exercise, and the sheets to look at.

    Args:
        graded: all sheets.
        worth: the points of each exercise.
    """
    pieces = ["# Grades", summary(graded, worth)]
    slips = common_slips(graded)
    if slips:
        rows: list[_Row] = [[slip, title, part, count] for (title, part, slip), count in slips]
        pieces += ["## Common slips", _table(["slip", "exercise", "part", "sheets"], rows)]
    parts = _part_rows(graded)
    if parts:
        names = ["exercise", "part", "right", "slip", "other", "not answered"]
        pieces += ["## Every part", "Number of sheets.", _table(names, parts)]
    troubled = [_row(one, one.problem) for one in graded if one.problem]
    odd = [_row(one, one.note) for one in graded if one.note]
    for title, rows in (("Did not run to their end", troubled), ("To look at", odd)):
        if rows:
            pieces += [f"## {title}", _table(["sheet", "student", "points", "why"], rows)]
    return "\n\n".join(pieces) + "\n"


def common_slips(graded: Sequence[Graded]) -> list[tuple[tuple[str, str, str], int]]:
    """The slips in the order of how common they are.

    Returns:
        Title of the exercise, letter of the part, the slip in a few words; in how many sheets.
    """
    counted: Counter[tuple[str, str, str]] = Counter(
        (each.question.title, each.part.key, each.result.slip)
        for one in graded
        for each in one.marked
        if each.result.slip not in _NO_SLIP
    )
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:COMMON]


def _part_rows(graded: Sequence[Graded]) -> list[_Row]:
    counted: dict[tuple[str, str], Counter[str]] = {}
    for one in graded:
        for each in one.marked:
            place = (each.question.title, each.part.key)
            counted.setdefault(place, Counter())[_sort_of(each.result.slip)] += 1
    sorts = ("right", "slip", "other", NOT_ANSWERED)
    return [[*place, *(count[sort] for sort in sorts)] for place, count in counted.items()]


def _sort_of(slip: str) -> str:
    if slip in ("", NOT_ANSWERED):
        return slip or "right"
    return "other" if slip in _NO_SLIP else "slip"


def _row(one: Graded, why: str) -> _Row:
    return [one.file, one.student, one.points, why]


def _table(names: Sequence[str], rows: Sequence[_Row]) -> str:
    shown = [[markdown(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    return tabulate(shown, names, tablefmt="github")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
