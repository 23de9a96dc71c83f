"""A notebook's cells, run in order in this process; what they answer goes to a file, line by line.

It runs inside the sandbox, beside the student's code, which may change it: what it writes is only
ever an answer. A line of the file is `{"variable": …, "value": …}` or `{"problem": …}`, the last
one `{"end": true}`. The last line of a variable counts, so that what was answered before the
process ended is kept.
"""

from __future__ import annotations

import json
import linecache
import re
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from velotrace.exercises.sandbox.answers import Probes

LONGEST_PROBLEM = 200
TOO_LONG = "it did not end"
_NOTHING = object()
_MAGIC = re.compile(r"^(\s*)([%!?]|get_ipython\(\)).*|^(\s*)[\w.]+\?{1,2}\s*$")


@dataclass(frozen=True)
class Job:
    """What is to be run.

    cells: sources of the code cells, in order.
    probes: the answers asked for.
    cell_seconds: how long one cell, or one function on its points, may take; 0 for any length.
    """

    cells: Sequence[str]
    probes: Probes
    cell_seconds: float


class TooLongError(BaseException):
    """Raised inside a cell that takes too long; `except Exception` lets it by."""


def run_job(job: Job, log: TextIO) -> None:
    """Run the cells and log every answer as soon as it is given, and all of them at the end.

    A cell that fails does not stop the next ones.

    Args:
        job: cells, the answers asked for, and the time of one cell.
        log: takes one JSON text per line; it is flushed after each.
    """
    notebook = types.ModuleType("__main__")
    names = notebook.__dict__
    names["display"] = lambda *_shown, **_options: None
    sys.modules["__main__"] = notebook  # as in Jupyter: dataclasses and pickles look there
    logged: dict[str, object] = dict.fromkeys(job.probes, _NOTHING)
    for number, source in enumerate(job.cells, start=1):
        _run_cell(number, source, names, job.cell_seconds, log)
        for variable, points in job.probes.items():
            if (value := names.get(variable, _NOTHING)) is not logged[variable]:
                logged[variable] = value
                _write_answer(log, variable, value, points, job.cell_seconds)
    for variable, points in job.probes.items():  # what a later cell defined or changed in place
        _write_answer(log, variable, names.get(variable, _NOTHING), points, job.cell_seconds)
    _write(log, {"end": True})


def plain_python(source: str) -> str:
    """A cell without IPython's own commands: its lines of magic become `pass`."""
    try:
        compile(source, "cell", "exec")
    except (SyntaxError, ValueError):
        lines = source.splitlines()
        if lines and lines[0].startswith("%%"):
            return "pass"
        return "\n".join(_MAGIC.sub(r"\1\3pass", line) for line in lines)
    return source


def encode(value: object) -> Any:
    """An answer as JSON has it: a number, a text, true, false, null, or a (nested) list of these.

    Example:
        >>> encode(np.array([1.0, 2.0])), encode((1, "B")), encode(...), encode(1j)
        ([1.0, 2.0], [1, 'B'], None, {'unreadable': 'complex'})
    """
    if value is None or value is ...:
        return None
    if hasattr(value, "dtype"):  # NumPy, xarray, pandas
        value = np.asarray(value).tolist()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [encode(entry) for entry in value]
    return {"unreadable": type(value).__name__}


def _run_cell(number: int, source: str, names: dict[str, Any], seconds: float, log: TextIO) -> None:
    place = f"<cell {number}>"
    text = plain_python(source)
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    failed = _attempt(lambda: exec(compile(text, place, "exec"), names), seconds)[1]
    if failed:
        _write(log, {"problem": f"cell {number}: {failed}"})


def _write_answer(
    log: TextIO,
    variable: str,
    value: object,
    points: Sequence[Sequence[float]] | None,
    seconds: float,
) -> None:
    if value is _NOTHING:
        return
    if points is not None and callable(value):
        encoded: Any = {"values": _on_points(value, points, seconds)}
    else:
        encoded, failed = _attempt(partial(encode, value), seconds)
        encoded = {"error": failed} if failed else encoded
    try:
        _write(log, {"variable": variable, "value": encoded})
    except (ValueError, RecursionError, MemoryError):  # a whole number of many thousand digits
        _write(log, {"variable": variable, "value": {"unreadable": type(value).__name__}})


def _on_points(
    function: Callable[..., object], points: Sequence[Sequence[float]], seconds: float
) -> list[Any]:
    """What a function returns on each point; once it has taken too long, it is not called again."""
    values: list[Any] = []
    end = time.monotonic() + seconds
    for point in points:
        left = max(0.01, end - time.monotonic()) if seconds else 0.0
        value, failed = _attempt(partial(_value_at, function, point), left)
        if failed.startswith(TOO_LONG):
            values += [{"error": TOO_LONG}] * (len(points) - len(values))
            break
        values.append({"error": failed} if failed else value)
    return values


def _value_at(function: Callable[..., object], point: Sequence[float]) -> Any:
    return encode(function(*point))


def _attempt(step: Callable[[], Any], seconds: float) -> tuple[Any, str]:
    """What a step returns, and why it failed, in one line; '' where it did not."""
    try:
        with _at_most(seconds):
            return step(), ""
    except TooLongError:
        return None, f"{TOO_LONG} within {seconds:.3g} s"
    except MemoryError:
        return None, "MemoryError: it asked for more memory than is allowed"
    except (
        BaseException
    ) as problem:  # SystemExit and KeyboardInterrupt too: the next cell still runs
        return None, _described(problem)


def _described(problem: BaseException) -> str:
    try:
        told = traceback.format_exception_only(problem)[-1]
    except BaseException:  # a class made to fail when it is printed
        told = type(problem).__name__
    return " ".join(told.split())[:LONGEST_PROBLEM]


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise `TooLongError` in what runs for longer, again and again should it be caught."""
    if not (seconds and hasattr(signal, "setitimer")):
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise TooLongError

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        yield
    finally:
        _disarm()


def _disarm() -> None:
    while True:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            return
        except TooLongError:  # the next alarm came in this very moment
            continue


def _write(log: TextIO, line: dict[str, Any]) -> None:
    log.write(json.dumps(line) + "\n")
    log.flush()


def main() -> None:
    """Run the job of the first file and write the answers to the second."""
    job = Job(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    with Path(sys.argv[2]).open("w", encoding="utf-8") as log:
        run_job(job, log)


if __name__ == "__main__":
    main()
