"""The process that runs notebooks one after another, each in a child that cannot leave its sandbox.

It has imported NumPy before it forks, so that a notebook costs milliseconds. It never holds the
salt, nor what a notebook says: the child reads that itself from its scratch directory. Jobs come as
lines of JSON on standard input, results go as lines of JSON to standard output.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from velotrace.exercises.sandbox import kernel, landlock, namespaces, places, seccomp
from velotrace.exercises.sandbox.limits import MEBIBYTE, Limits, apply_limits
from velotrace.exercises.sandbox.processes import end_descendants, succeeds_apart
from velotrace.exercises.sandbox.scratch import empty, used

LAYERS = ("namespaces", "landlock", "seccomp")
JOB, ANSWERS = "job.json", "answers.jsonl"
PROCESSES = 64
"""That may exist where no filter forbids to start any."""

_PACKAGES = ("numpy", "velotrace.exercises.sandbox.cells")


@dataclass(frozen=True)
class Setting:
    """How one server confines what it runs.

    folder: holds `root`, where the view of files is mounted, and `work`, for scratch directories.
    layers: of `LAYERS`, those to use where this machine has them.
    limits: of each notebook.
    """

    folder: Path
    layers: tuple[str, ...]
    limits: Limits

    @property
    def work(self) -> Path:
        """The folder of scratch directories."""
        return self.folder / "work"


def available(setting: Setting) -> Setting:
    """The same setting with those layers only that work on this machine for this user."""
    steps = {
        "namespaces": lambda: namespaces.enter(*_view(setting)),
        "landlock": lambda: landlock.restrict((), ()),
        "seccomp": seccomp.restrict,
    }
    working = (layer for layer in setting.layers if succeeds_apart(steps[layer]))
    return replace(setting, layers=tuple(working))


def main() -> None:
    """Serve until standard input ends; the setting is the last argument, as JSON."""
    given = json.loads(sys.argv[-1])
    setting = available(
        Setting(Path(given["folder"]), tuple(given["layers"]), Limits(**given["limits"]))
    )
    os.umask(0o077)
    with suppress(OSError):
        kernel.call("prctl", kernel.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if "namespaces" in setting.layers:
        namespaces.enter(*_view(setting))
    for package in _PACKAGES:
        importlib.import_module(package)
    _say({"layers": setting.layers})
    for line in sys.stdin:
        _say(_run(json.loads(line)["scratch"], setting))


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _view(setting: Setting) -> tuple[Path, Iterable[Path], Iterable[Path]]:
    return setting.folder / "root", places.readable(), (*places.DEVICES, setting.work)


def _run(name: str, setting: Setting) -> dict[str, Any]:
    """Run one notebook, end all it started, and hand back what it wrote."""
    scratch = setting.work / name
    # Opened before any code runs: whatever is then put in its place is not read.
    answers = os.open(scratch / ANSWERS, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
    try:
        child = os.fork()
        if child == 0:
            _be_the_child(scratch, answers, setting)
        try:
            problem = _watch(child, scratch, setting.limits)
        finally:
            _end_all(setting, child)
        return {"problem": problem, "lines": _read(answers, setting.limits.answers)}
    finally:
        os.close(answers)
        empty(setting.work)


def _be_the_child(scratch: Path, answers: int, setting: Setting) -> None:
    """Confine this process, run the cells, and end; never returns."""
    status = 70
    try:
        os.setsid()
        with suppress(OSError):
            kernel.call("prctl", kernel.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _leave_all_files(answers)
        os.chdir(scratch)
        os.environ.update(HOME=str(scratch), TMPDIR=str(scratch), MPLCONFIGDIR=str(scratch))
        _confine(scratch, setting)
        status = 71
        cells = importlib.import_module("velotrace.exercises.sandbox.cells")
        given = json.loads(Path(JOB).read_text(encoding="utf-8"))
        job = cells.Job(given["cells"], given["probes"], setting.limits.cell_seconds)
        with os.fdopen(3, "w", encoding="utf-8") as log:
            cells.run_job(job, log)
        status = 0
    finally:
        os._exit(status)


def _leave_all_files(answers: int) -> None:
    """Keep the answers as file 3, and nothing else; the standard streams lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    kept = os.dup2(answers, max(answers, nowhere, 3) + 1)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.dup2(kept, 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))


def _confine(scratch: Path, setting: Setting) -> None:
    limited = "seccomp" not in setting.layers and os.getuid() != 0
    apply_limits(setting.limits, PROCESSES if limited else None)
    if sys.platform != "linux":
        return
    with suppress(OSError):
        kernel.drop_capabilities()
    if "landlock" in setting.layers:
        landlock.restrict(places.readable(), (*places.DEVICES, scratch))
    if "seccomp" in setting.layers:
        seccomp.restrict()


def _watch(child: int, scratch: Path, limits: Limits) -> str:
    """Wait for the child, but not for ever; why it did not run to its end, or ''."""
    end = time.monotonic() + limits.seconds
    pause = 0.001
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return _told(os.waitstatus_to_exitcode(status), limits)
        if time.monotonic() > end:
            return f"it did not end within {limits.seconds:g} s"
        if used(scratch, limits.disk) > limits.disk:
            return f"it wrote more than {limits.disk // MEBIBYTE} MiB of files"
        if select.select([0], [], [], 0)[0]:  # no job is sent meanwhile: the grader has gone
            return "the grading was stopped"
        time.sleep(pause)
        pause = min(1.2 * pause, 0.05)


def _told(code: int, limits: Limits) -> str:
    if code == 0:
        return ""
    if code == 70:
        return "it could not be confined, and was not run"
    if code == 71:
        return "what it answered could not be written down"
    if code == -signal.SIGXCPU:
        return f"it took more than {limits.processor_seconds} s of processor time"
    if code < 0:
        names = {each.value: each.name for each in signal.Signals}
        return f"its process was ended by {names.get(-code, f'signal {-code}')}"
    return f"its process ended with exit code {code}"


def _end_all(setting: Setting, child: int) -> None:
    if "namespaces" in setting.layers:
        namespaces.end_all_others()
    elif sys.platform == "linux":
        end_descendants()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(child, 0)


def _read(file: int, most: int) -> list[str]:
    """The whole lines of the first bytes of a file."""
    text = os.pread(file, most, 0)
    return text[: text.rfind(b"\n") + 1].decode("utf-8", errors="replace").splitlines()
