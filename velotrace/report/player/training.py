"""The epochs of a training that a player shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from velotrace.learning.runs import open_run
from velotrace.report.player.content import Frame
from velotrace.walkthrough import retrace


def frames_of(run: Path) -> list[Frame]:
    """The first iteration of some epochs of a training: 0, 1, 2, 5, 10, … and the last.

    Args:
        run: folder of the training.

    Returns:
        One frame for each.

    Raises:
        InputError: there is no such training, or it has no epoch.
        ContradictionError: an iteration is not the one that trained.
    """
    done = open_run(run).epochs_done
    return [Frame(epoch, retrace(run, epoch)) for epoch in shown_epochs(done)]


def shown_epochs(done: int) -> list[int]:
    """Which of so many epochs are shown; the first where there is none, so that it is refused.

    Example:
        >>> shown_epochs(30), shown_epochs(1)
        ([0, 1, 2, 5, 10, 20, 29], [0])
    """
    early = [epoch for epoch in _round(done) if epoch < done]
    return sorted({0, *early, max(done - 1, 0)})


def _round(limit: int) -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, … below a limit."""
    for power in count():
        for digit in (1, 2, 5):
            if digit * 10**power >= limit:
                return
            yield digit * 10**power
