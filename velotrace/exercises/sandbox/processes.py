"""Processes: try a step in one of its own, and end everything that one has started."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def succeeds_apart(step: Callable[[], object]) -> bool:
    """Whether a step succeeds, tried in a process that ends at once.

    Args:
        step: raises where it fails; what it changes in its process is lost.
    """
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            step()
            status = 0
        os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def end_descendants(patience: float = 10.0) -> None:
    """Stop all descendants of this process, then end them, and wait for them.

    This process is a subreaper: what its children leave behind becomes its own child, however often
    they forked. All are stopped first, again until none is new: what is stopped cannot fork.

    Args:
        patience: seconds after which it gives up on what keeps appearing.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found: set[int] = set()
        while new := _descendants() - found:
            _signal(new, signal.SIGSTOP)
            found |= new
            if time.monotonic() > end:
                break
        _signal(found, signal.SIGKILL)
        if not _wait_for_all(end):
            return


def _signal(processes: set[int], which: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, which)


def _wait_for_all(end: float) -> bool:
    """Collect children until none is left, or none ends any more; whether any is left."""
    pause = 0.001
    while True:
        try:
            ended = os.waitpid(-1, os.WNOHANG)[0]
        except ChildProcessError:
            return False
        if not ended:
            if pause > 0.1 or time.monotonic() > end:
                return True
            time.sleep(pause)
            pause *= 2


def _descendants() -> set[int]:
    parents = _parents()
    children: dict[int, list[int]] = {}
    for process, parent in parents.items():
        children.setdefault(parent, []).append(process)
    found, waiting = set(), [os.getpid()]
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _parents() -> dict[int, int]:
    """The parent of every process that can be seen."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            # "PID (NAME) STATE PARENT …", where NAME may hold anything
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            parents[int(entry.name)] = int(fields[1])
    return parents
