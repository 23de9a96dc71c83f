"""The grader's side of the sandbox: servers that run notebooks, and what comes back from them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from velotrace.errors import InputError
from velotrace.exercises.sandbox import places
from velotrace.exercises.sandbox.answers import Probes, Run, read_answers
from velotrace.exercises.sandbox.limits import DEFAULTS, Limits
from velotrace.exercises.sandbox.scratch import empty
from velotrace.exercises.sandbox.server import ANSWERS, JOB, LAYERS

_GRACE = 15.0
"""Seconds over a notebook's limit after which its server is taken to be lost."""

_START = """
import sys
sys.path.insert(0, sys.argv[1])
import velotrace
del sys.path[0]
from velotrace.exercises.sandbox.server import main
main()
"""
"""The same velotrace as the grader's, even where another one is installed."""


class Sandbox:
    """Servers that run notebooks; use it in a `with` statement.

    Args:
        limits: of each notebook.
        workers: how many run at once.
        layers: which protections to use where this machine has them (see `server.LAYERS`).
    """

    def __init__(
        self, limits: Limits = DEFAULTS, workers: int = 1, layers: Sequence[str] = LAYERS
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="velotrace-", ignore_cleanup_errors=True)
        self.limits = limits
        self._idle: queue.Queue[_Server] = queue.Queue()
        self._servers: list[_Server] = []
        try:
            for _ in range(workers):
                self._servers.append(_Server(Path(self._folder.name), layers, limits))
            for server in self._servers:
                server.wait_until_ready()
                self._idle.put(server)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def workers(self) -> int:
        """How many notebooks run at once."""
        return len(self._servers)

    @property
    def layers(self) -> tuple[str, ...]:
        """The protections in force."""
        return self._servers[0].layers or ()

    def run(self, cells: Sequence[str], probes: Probes) -> Run:
        """Run one notebook's cells; may be called from several threads.

        Args:
            cells: sources of its code cells, in order.
            probes: the variables asked for; with points, on which a function is called.
        """
        server = self._idle.get()
        try:
            return server.run(cells, probes)
        finally:
            self._idle.put(server)

    def close(self) -> None:
        """End all servers and remove what they used."""
        for server in self._servers:
            server.close()
        self._folder.cleanup()


class _Server:
    """One process of `server.main`, started anew where it is lost."""

    def __init__(self, above: Path, layers: Sequence[str], limits: Limits) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="server-", dir=above))
        self._work = self._folder / "work"
        self._layers, self._limits = layers, limits
        self._count = 0
        self.layers: tuple[str, ...] | None = None
        (self._folder / "root").mkdir()
        self._work.mkdir()
        self._start()

    def _start(self) -> None:
        setting = {
            "folder": str(self._folder),
            "layers": self._layers,
            "limits": asdict(self._limits),
        }
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        command = [sys.executable, "-P", "-c", _START, str(places.package_root())]
        with (self._folder / _ERRORS).open("w") as errors:
            self._process = subprocess.Popen(
                [*command, json.dumps(setting)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self._folder,
                env=kept | _VARIABLES,
                start_new_session=True,
                text=True,
                encoding="utf-8",
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout

    def wait_until_ready(self) -> None:
        """Wait for its first line, which says how it confines.

        Raises:
            InputError: it did not start, or does not confine as it did before.
        """
        ready = self._receive(60.0)
        if ready is None:
            told = (self._folder / _ERRORS).read_text(errors="replace").strip().splitlines()
            why = told[-1] if told else "no reason is known"
            raise InputError(f"the process that runs notebooks does not start: {why}")
        if self.layers not in (None, tuple(ready["layers"])):
            raise InputError("the process that runs notebooks is not confined any more")
        self.layers = tuple(ready["layers"])

    def run(self, cells: Sequence[str], probes: Probes) -> Run:
        """Run one notebook's cells."""
        self._count += 1
        scratch = self._work / str(self._count)
        scratch.mkdir(mode=0o700)
        (scratch / JOB).write_text(json.dumps({"cells": cells, "probes": probes}), encoding="utf-8")
        answer = None
        with suppress(BrokenPipeError):
            self._send({"scratch": scratch.name})
            answer = self._receive(self._limits.seconds + _GRACE)
        if answer is not None:
            return read_answers(answer["lines"], probes, answer["problem"])
        self.close()
        empty(self._work)
        self._start()
        self.wait_until_ready()
        return Run({}, "the process that ran it was lost")

    def _send(self, line: dict[str, Any]) -> None:
        self._input.write(json.dumps(line) + "\n")
        self._input.flush()

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        """The next line; None where the process ends before it, or has to be ended."""
        alarm = threading.Timer(seconds, self._process.kill)
        alarm.start()
        try:
            line = self._output.readline()
        finally:
            alarm.cancel()
        return json.loads(line) if line else None

    def close(self) -> None:
        """End the process and all it started; what it is running ends with an answer."""
        with suppress(BrokenPipeError):
            self._input.close()
        try:
            self._process.wait(2.0)  # when its input has ended, it ends what it runs
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


_ERRORS = "errors.txt"
_KEPT_VARIABLES = ("HOME", "PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
_VARIABLES = {
    "LC_ALL": "C.UTF-8",
    "MPLBACKEND": "agg",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
}


def run_cells(cells: Sequence[str], probes: Probes, limits: Limits = DEFAULTS) -> Run:
    """Run one notebook's cells in a process of their own, confined as far as this machine can.

    Args:
        cells: sources of its code cells, in order.
        probes: the variables asked for; with points, on which a function is called.
        limits: what they may use.

    Returns:
        The answers, and the first problem.
    """
    if os.name != "posix":
        return _run_plainly(cells, probes, limits)
    with Sandbox(limits) as sandbox:
        return sandbox.run(cells, probes)


def _run_plainly(cells: Sequence[str], probes: Probes, limits: Limits) -> Run:
    """Where no process can be forked: in a new one, limited in time only."""
    with tempfile.TemporaryDirectory(prefix="velotrace-", ignore_cleanup_errors=True) as folder:
        job, answers = Path(folder, JOB), Path(folder, ANSWERS)
        given = {"cells": cells, "probes": probes, "cell_seconds": limits.cell_seconds}
        job.write_text(json.dumps(given), encoding="utf-8")
        answers.touch()
        problem = ""
        try:
            subprocess.run(
                [sys.executable, "-m", "velotrace.exercises.sandbox.cells", job, answers],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=limits.seconds,
                check=True,
            )
        except subprocess.TimeoutExpired:
            problem = f"it did not end within {limits.seconds:g} s"
        except subprocess.CalledProcessError as ended:
            problem = f"its process ended with exit code {ended.returncode}"
        with answers.open(encoding="utf-8", errors="replace") as file:
            return read_answers(file.read(limits.answers).splitlines(), probes, problem)
