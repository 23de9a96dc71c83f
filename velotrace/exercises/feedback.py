"""What a student reads after checking a sheet, and the list of all exercises."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import TextWrapper

from velotrace.exercises.catalogue import Exercise
from velotrace.exercises.checking import NOT_ANSWERED
from velotrace.exercises.sheets import Marked

LINE = TextWrapper(79, " " * 5, " " * 9, break_long_words=False)

SHOWN = 4
"""So many unanswered parts are named."""


def feedback_text(marked: Sequence[Marked], problem: str = "") -> str:
    """Points by exercise, a line for every answer that is not right, and the sum.

    Args:
        marked: all parts of a sheet, in its order.
        problem: why the notebook did not run to its end; empty where it did.
    """
    lines = [f"The notebook did not run to its end: {problem}", ""] if problem else []
    by_exercise = groupby(marked, key=lambda one: one.question.id)
    for position, (_, group) in enumerate(by_exercise, 1):
        parts = list(group)
        earned = sum(one.result.points for one in parts)
        title, of = parts[0].question.title, parts[0].question.points
        lines.append(f"{position:3d}  {title:32s} {earned} of {of}")
        lines += [
            LINE.fill(f"({one.part.key}) {one.result.feedback}")
            for one in parts
            if one.result.slip not in ("", NOT_ANSWERED)
        ]
    blank = [one.variable for one in marked if one.result.slip == NOT_ANSWERED]
    lines.append("")
    if blank:
        more = f" and {len(blank) - SHOWN} more" if len(blank) > SHOWN else ""
        lines += [f"Not answered yet: {', '.join(blank[:SHOWN])}{more}", ""]
    earned = sum(one.result.points for one in marked)
    lines.append(f"{earned} of {sum(one.result.of for one in marked)} points")
    return "\n".join(lines) + "\n"


def list_text(exercises: Sequence[Exercise]) -> str:
    """All exercises by topic: name, kind and title."""
    lines = []
    for topic, group in groupby(exercises, key=lambda exercise: exercise.topic):
        lines.append(topic)
        lines += [f"  {each.id:24s} {each.kind:7s} {each.title}" for each in group]
    return "\n".join(lines) + "\n"
