"""How much a run may use, and how the kernel is told."""

from __future__ import annotations

import math
from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What the cells of one notebook may use.

    seconds: of the clock, for all cells together.
    cell_seconds: of the clock, for one cell, or for one function on all its points.
    memory: bytes of address space.
    disk: bytes in the scratch directory; of one file, half as many.
    answers: bytes that the answers may take.
    files: that may be open at once.
    """

    seconds: float = 30.0
    cell_seconds: float = 10.0
    memory: int = 2048 * MEBIBYTE
    disk: int = 32 * MEBIBYTE
    answers: int = MEBIBYTE
    files: int = 64

    @property
    def processor_seconds(self) -> int:
        """Of processor time, for all cells together.

        A loop that never waits would reach equal limits at once, and luck decide which reason is
        told. With a second more the clock ends it, and this limit only what has several threads.
        """
        return math.ceil(self.seconds) + 1


DEFAULTS = Limits()
"""Far more than an exercise needs, even on a busy machine."""


def apply_limits(limits: Limits, processes: int | None) -> None:
    """Set this process's limits, for good.

    Args:
        limits: what it may use.
        processes: how many this user may have; None to leave it. Root is not held to it.
    """
    import resource

    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: limits.processor_seconds,
        resource.RLIMIT_FSIZE: limits.disk // 2,
        resource.RLIMIT_NOFILE: limits.files,
        resource.RLIMIT_AS: limits.memory,
    }
    if processes is not None:
        wanted[resource.RLIMIT_NPROC] = processes
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        soft, firm = most, most
        if kind == resource.RLIMIT_CPU:  # the signal at the first may be ignored
            firm += 1
        if hard != resource.RLIM_INFINITY:
            soft, firm = min(soft, hard), min(firm, hard)
        try:
            resource.setrlimit(kind, (soft, firm))
        except (ValueError, OSError):  # macOS has no limit of address space
            if kind != resource.RLIMIT_AS:
                raise
