"""How long the command line takes to say what it can do, against importing NumPy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.timing import Row, medians, ratio


def start_up() -> list[Row]:
    """`velotrace --help` against `python -c "import numpy"`, as whole processes."""
    command = Path(sys.executable).parent / "velotrace"
    shown = [str(command)] if command.exists() else [sys.executable, "-m", "velotrace.cli"]
    times = medians(
        {
            "help": _process([*shown, "--help"]),
            "numpy": _process([sys.executable, "-c", "import numpy"]),
        },
        rounds=11,
        budget=0.0,
    )
    return [ratio('velotrace --help / python -c "import numpy"', times, "help", "numpy", 2.0)]


def _process(arguments: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(arguments, check=True, capture_output=True)
