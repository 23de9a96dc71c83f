"""Time alternatives in turn, so that a noisy machine disturbs all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured ratio.

    Attributes:
        what: the two things compared.
        ratio: median of the first over median of the second.
        target: the largest ratio wanted; None where it is only reported.
        seconds: both medians.
    """

    what: str
    ratio: float
    target: float | None
    seconds: tuple[float, float]

    @property
    def met(self) -> bool:
        """Whether the target holds."""
        return self.target is None or self.ratio <= self.target


def medians(
    alternatives: Mapping[str, Callable[[], object]], rounds: int = 15, budget: float = 0.05
) -> dict[str, float]:
    """Median seconds per call of each alternative, measured in turn.

    Args:
        alternatives: what to call, by name.
        rounds: how often each is measured.
        budget: seconds that one measurement should last at least; short calls are repeated.

    Returns:
        Seconds per call.
    """
    repeats = {}
    for name, call in alternatives.items():
        call()  # once to warm caches
        repeats[name] = max(1, round(budget / max(_seconds(call, 1), 1e-9)))
    measured: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(rounds):
        for name, call in alternatives.items():
            measured[name].append(_seconds(call, repeats[name]) / repeats[name])
    return {name: statistics.median(times) for name, times in measured.items()}


def _seconds(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start


def ratio(what: str, times: Mapping[str, float], of: str, to: str, target: float | None) -> Row:
    """The ratio of two medians as a row."""
    return Row(what, times[of] / times[to], target, (times[of], times[to]))
