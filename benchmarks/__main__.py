"""`python -m benchmarks`: every ratio in one run, with its target; exit 1 where one is missed."""

from __future__ import annotations

import sys

import numpy as np
from tabulate import tabulate

from benchmarks.start_up import start_up
from benchmarks.steps import HAVE_TORCH, large_steps, recording, scaling, small_steps
from benchmarks.training import training
from benchmarks.velovi import HAVE_SCVI, against_velovi


def main() -> int:
    """Measure, print, and say whether every target is met."""
    rows = [
        *start_up(),
        *recording(),
        *small_steps(),
        *large_steps(),
        *training(),
        *against_velovi(),
    ]
    shown = [
        [row.what, f"{row.ratio:.2f}", "" if row.target is None else f"≤ {row.target:g}",
         f"{1e3 * row.seconds[0]:.2f}", f"{1e3 * row.seconds[1]:.2f}", "" if row.met else "MISSED"]
        for row in rows
    ]  # fmt: skip
    headers = ["ratio of medians", "", "target", "ms", "ms", ""]
    print(tabulate(shown, headers, disable_numparse=True))
    if not HAVE_TORCH:
        print("\nNo PyTorch here: its rows are left out (pip install 'velotrace[bench]').")
    if not HAVE_SCVI:
        print("\nNo scvi-tools here: its rows are left out (make bench sets it up in .venv-scvi).")
    measured = scaling()
    sizes = [[c, g, n, f"{1e3 * t:.2f}", f"{1e9 * t / n:.0f}"] for c, g, n, t in measured]
    print("\n" + tabulate(sizes, ["cells", "genes", "entries", "ms by hand", "ns per entry"]))
    large = [(n, t) for _, _, n, t in measured if n >= 10_000]
    slope = np.polyfit(*np.log(np.array(large)).T, 1)[0]
    print(f"\nSlope of log time over log entries from 10⁴ on: {slope:.2f}")
    _plot(measured)
    return 0 if all(row.met for row in rows) else 1


def _plot(measured: list[tuple[int, int, int, float]]) -> None:
    try:
        import matplotlib as mpl
    except ImportError:
        return
    mpl.use("Agg")
    from matplotlib import pyplot

    entries, seconds = [row[2] for row in measured], [row[3] for row in measured]
    figure, axes = pyplot.subplots(figsize=(5, 3.5), layout="constrained")
    axes.loglog(entries, seconds, "o-", label="one step by hand")
    ideal = [seconds[-1] * n / entries[-1] for n in entries]
    axes.loglog(entries, ideal, ":", label="slope 1")
    axes.set_xlabel("cells × genes")
    axes.set_ylabel("seconds")
    axes.legend()
    figure.savefig("benchmarks/scaling.svg")
    print("Drawn: benchmarks/scaling.svg")


if __name__ == "__main__":
    sys.exit(main())
