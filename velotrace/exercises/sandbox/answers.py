"""What a notebook answered, read from a log that may hold anything."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Probes = Mapping[str, Sequence[Sequence[float]] | None]
"""For each answer's variable: None, or the points on which its function is called."""

LONGEST_TEXT = 2000
DEEPEST_LIST = 4


@dataclass(frozen=True)
class Run:
    """What the cells of one notebook gave.

    answers: by variable, as the student's code gave them: nothing in them is to be trusted.
    problem: why a cell, or the whole, did not run to its end, in one line; '' where all did.
    """

    answers: dict[str, Any]
    problem: str


def read_answers(lines: Sequence[str], probes: Probes, problem: str) -> Run:
    """The answers in a log that may hold anything; the last one of each variable counts.

    Args:
        lines: of the log, see `cells`.
        probes: the variables asked for; others are passed over.
        problem: why the whole did not run to its end, or ''.

    Example:
        >>> lines = ['{"variable": "a", "value": 1}', '{"variable": "b", "value": 2}', "[[["]
        >>> read_answers([*lines, '{"end": true}'], {"a": None}, "")
        Run(answers={'a': 1}, problem='')
    """
    answers: dict[str, Any] = {}
    problems: list[str] = []
    ended = False
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, dict):
            continue
        if isinstance(told := entry.get("problem"), str):
            problems.append(told)
        ended = ended or "end" in entry
        variable = entry.get("variable")
        if isinstance(variable, str) and variable in probes:
            answers[variable] = _plain(entry.get("value"))
    if problem or not ended:
        problems.append(problem or "it ended its process itself")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Run(answers, _one_line(problems[0]) + more if problems else "")


def _plain(value: Any, depth: int = 0) -> Any:
    """A value of the kinds an answer may have, of a size that can be worked with."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, bool | float | None):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else math.inf if value > 0 else -math.inf
    if depth == DEEPEST_LIST:
        return {"unreadable": "list"}
    if isinstance(value, list):
        return [_plain(entry, depth + 1) for entry in value]
    return _marked(value, depth)


def _marked(value: dict[str, Any], depth: int) -> dict[str, Any]:
    """One of the three marks that `cells` writes."""
    match value:
        case {"values": list(values), **rest} if not rest:
            return {"values": [_plain(entry, depth + 1) for entry in values]}
        case {"error": str(text), **rest} if not rest:
            return {"error": _one_line(text)}
        case {"unreadable": str(text), **rest} if not rest:
            return {"unreadable": _one_line(text)}
    return {"unreadable": "dict"}


def _one_line(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:1000])
    return " ".join(shown.split())[:240]
