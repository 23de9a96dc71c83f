"""A training as a folder: what it started from, its history, its checkpoints.

    scenario.toml         the resolved scenario
    data.csv              its data, as they were
    run.json              epochs, seeds, size of a mini-batch, versions
    history.nc            every number of interest of every epoch
    checkpoints/*.npz     parameters and the optimiser's memory

Nothing in it depends on the clock. Files are renamed into place, the history before the checkpoint,
so a kill at any moment leaves a folder that reads, and from which `resume` goes on.
"""

from __future__ import annotations

import io
import json
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from velotrace.errors import InputError
from velotrace.files import write_whole
from velotrace.learning.ensemble import Settings, Trainer, empty_history, plan_batch, plan_of
from velotrace.learning.history import History
from velotrace.learning.optimisers import AdamState
from velotrace.learning.training import Left, Plan, State, begin
from velotrace.resources import data_path
from velotrace.scenario import Resolved, resolve, resolved_dict
from velotrace.version import __version__

if TYPE_CHECKING:
    import xarray

SCHEMA = "velotrace-run/1"


@dataclass(frozen=True)
class Run:
    """A folder of a training, and what it holds fixed.

    Attributes:
        folder: where.
        settings: what was asked.
        resolved: the scenario of its first run.
    """

    folder: Path
    settings: Settings
    resolved: Resolved

    @cached_property
    def plan(self) -> Plan:
        """All that the training holds fixed."""
        return plan_of(self.resolved, self.settings)

    @property
    def epochs_done(self) -> int:
        """Epochs that a checkpoint has."""
        return max(self.checkpoints)

    @property
    def checkpoints(self) -> dict[int, Path]:
        """Checkpoints by the epochs they come after."""
        found = {}
        for path in sorted((self.folder / "checkpoints").glob("epoch-*.npz")):
            match = re.fullmatch(r"epoch-(\d+)\.npz", path.name)
            if match:
                found[int(match[1])] = path
        if not found:
            raise InputError(f"{self.folder} has no checkpoints; it is not a run that can be read")
        return found

    def state(self, epoch: int) -> State:
        """The state after the last checkpoint that is not beyond an epoch."""
        at = max(done for done in self.checkpoints if done <= epoch)
        return read_checkpoint(self.checkpoints[at])

    def history(self) -> xarray.Dataset:
        """The history, loaded whole, of the epochs that a checkpoint has."""
        return read_history(self.folder).isel(epoch=slice(0, self.epochs_done))


# ---- training -------------------------------------------------------------------------------


def train(run: Run, progress: Callable[[int], None] = lambda epoch: None) -> State:
    """Train from where the folder stands to the last epoch, saving on the way.

    Args:
        run: the folder.
        progress: called with the number of epochs done.

    Returns:
        The last state.

    Raises:
        InputError: the only run, or every run, has left its domain.
    """
    settings, state = run.settings, run.state(run.settings.epochs)
    if state.epoch >= settings.epochs:
        return state
    history = empty_history(run.resolved, run.plan, settings)
    history.load(read_history(run.folder), state.epoch)
    trainer = Trainer(run.plan)
    while state.epoch < settings.epochs:
        progress(state.epoch)
        state = trainer.epoch(state, history)
        if not state.going.any():
            _save(run, history, state)
            raise InputError(f"{run.folder}: {stopped(run, state.left[-1])}")
        if state.epoch % settings.checkpoint_every == 0 or state.epoch == settings.epochs:
            _save(run, history, state)
    progress(state.epoch)
    return state


def stopped(run: Run, left: Left) -> str:
    """One line on a run that left its domain: what, where, and what to choose instead."""
    epoch, batch = divmod(left.step, run.plan.batches)
    where = f"epoch {epoch}, batch {batch} (step {left.step})"
    seed = "" if len(run.plan.seeds) == 1 else f" of seed {run.plan.seeds[left.run]}"
    if left.parameter == "loss":
        what = f"the loss{seed} became {left.value:g} in {where}"
    else:
        gene = run.resolved.genes[left.gene]
        what = f"{left.parameter}{seed} of gene {gene!r} became {left.value:g} in {where}"
    advice = 'choose a lower learning_rate, or parameterisation = "softplus" under [reading]'
    if run.plan.reading.parameterisation == "softplus":
        advice = "choose a lower learning_rate"
    return f"training left the domain of its parameters: {what}; {advice}"


# ---- the folder -----------------------------------------------------------------------------


def start(scenario: Path, folder: Path, settings: Settings) -> Run:
    """Make the folder of a new training, complete from the first moment.

    Args:
        scenario: file to train.
        folder: to make; it must not exist, or be empty.
        settings: what to do.

    Returns:
        The run, no epoch done.

    Raises:
        InputError: the scenario is unusable, or the folder exists.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists; continue it with --resume, or choose another folder")
    resolved = resolve(scenario)
    table = scenario.parent / resolved.scenario.data.file
    run = Run(folder, settings, resolved)
    history, state = empty_history(resolved, run.plan, settings), begin(run.plan)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".velotrace."))
    except OSError as problem:
        raise InputError(f"{folder}: cannot be made: {problem.strerror}") from None
    try:
        made.chmod(0o755)
        (made / "checkpoints").mkdir()
        staged = replace(run, folder=made)
        data = resolved.scenario.data.model_copy(update={"file": "data.csv"})
        kept = replace(resolved, scenario=resolved.scenario.model_copy(update={"data": data}))
        write_whole(made / "scenario.toml", scenario_toml(kept))
        write_whole(made / "data.csv", table.read_bytes())
        write_whole(made / "run.json", _run_json(run))
        _save(staged, history, state)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return open_run(folder)


def open_or_start(
    folder: Path, scenario: Path | None, asked: Mapping[str, Any], resume_it: bool
) -> Run:
    """The run to train: that of the folder, or a new one.

    Args:
        folder: of the run.
        scenario: file to train; None for the folder's, or else the document's walkthrough.
        asked: fields of `Settings` that are asked for; the others as they were, or as by default.
        resume_it: whether to go on with the run that is there.

    Returns:
        The run, with at least the epochs it has.

    Raises:
        InputError: something else was trained there, or nothing says for how many epochs.
    """
    there = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if resume_it and there:
        opened = open_run(folder)
        return resume(opened, replace(opened.settings, **asked), scenario)
    if "epochs" not in asked:
        raise InputError("say for how many epochs: velotrace train … --epochs N")
    return start(scenario or data_path("walkthrough.toml"), folder, Settings(**asked))


def open_run(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        InputError: it is none, or was made by a version that cannot be read.
    """
    about = folder / "run.json"
    if not about.is_file():
        raise InputError(f"{folder} is no run of a training: it has no run.json")
    try:
        found = json.loads(about.read_text(encoding="utf-8"))
        settings = Settings(
            found["epochs"],
            found["batch_size"],
            len(found["seeds"]),
            found["history"] == "all",
            tuple(found["dropped"]),
            found["checkpoint_every"],
        )
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{about}: not the run.json of a training") from None
    if found.get("schema") != SCHEMA:
        raise InputError(f"{about}: schema is {found.get('schema')!r}; it must be {SCHEMA!r}")
    return Run(folder, settings, resolve(folder / "scenario.toml"))


def resume(run: Run, settings: Settings | None, scenario: Path | None) -> Run:
    """The run as it is to go on: with more epochs perhaps, all else unchanged.

    Args:
        run: the folder.
        settings: what is asked now; None for what was asked then.
        scenario: what is to be trained, if it is named; it must be the same.

    Returns:
        The run, left-over files of a kill removed.

    Raises:
        InputError: another scenario or other settings than the folder's.
    """
    for left_over in [*run.folder.glob(".velotrace.*"), *run.folder.glob("*/.velotrace.*")]:
        left_over.unlink()
    if scenario is not None:
        _check_same_scenario(run, scenario)
    if settings is None:
        return run
    asked = replace(settings, batch_size=plan_batch(run.resolved, settings.batch_size))
    for name, then in asdict(replace(run.settings, epochs=asked.epochs)).items():
        if getattr(asked, name) != then:
            raise InputError(f"{run.folder} was trained with {name} {then}; it cannot go on with "
                             f"{getattr(asked, name)}")  # fmt: skip
    longer = replace(run, settings=replace(run.settings, epochs=max(asked.epochs, run.epochs_done)))
    if longer.settings != run.settings:
        write_whole(run.folder / "run.json", _run_json(longer))
    return longer


def _check_same_scenario(run: Run, scenario: Path) -> None:
    asked = resolve(scenario)
    ours, theirs = (resolved_dict(one.scenario) for one in (run.resolved, asked))
    for described in (ours, theirs):
        described["data"]["file"] = ""
    table = scenario.parent / asked.scenario.data.file
    same_data = table.read_bytes() == (run.folder / "data.csv").read_bytes()
    if ours != theirs or not same_data:
        what = "other data" if ours == theirs else "another scenario"
        raise InputError(f"{run.folder} was trained on {what} than {scenario}; leave it out, or "
                         "choose another folder")  # fmt: skip


def _run_json(run: Run) -> str:
    settings, plan = run.settings, run.plan
    versions = {name: version(name) for name in ("autograd", "numpy", "scipy", "xarray")}
    about: dict[str, Any] = {
        "schema": SCHEMA,
        "versions": {"velotrace": __version__, "python": platform.python_version(), **versions},
        "epochs": settings.epochs,
        "batch_size": plan.batch_size,
        "seeds": list(plan.seeds),
        "history": "all" if settings.by_cell else "theta",
        "dropped": list(settings.dropped),
        "checkpoint_every": settings.checkpoint_every,
    }
    return json.dumps(about, indent=1) + "\n"


def scenario_toml(resolved: Resolved) -> str:
    """The resolved scenario as a file that can be run again."""
    import tomli_w

    return tomli_w.dumps(resolved_dict(resolved.scenario))


# ---- history and checkpoints ----------------------------------------------------------------


def _save(run: Run, history: History, state: State) -> None:
    """The history first: a checkpoint is never without the history of its epochs."""
    content = history.dataset(state).to_netcdf(engine="scipy")
    write_whole(run.folder / "history.nc", bytes(content))
    path = run.folder / "checkpoints" / f"epoch-{state.epoch:06d}.npz"
    write_whole(path, _checkpoint(state))


def read_history(folder: Path) -> xarray.Dataset:
    """`history.nc`, loaded whole."""
    import xarray

    path = folder / "history.nc"
    try:
        with xarray.open_dataset(io.BytesIO(path.read_bytes()), engine="scipy") as dataset:
            return dataset.load()
    except (OSError, ValueError, TypeError) as problem:
        raise InputError(f"{path}: cannot be read: {problem}") from None


def _checkpoint(state: State) -> bytes:
    stream = io.BytesIO()
    left = json.dumps([asdict(one) for one in state.left])
    np.savez(
        stream,
        epoch=state.epoch,
        rows=state.rows,
        step=state.memory.step,
        first_moment=state.memory.first_moment,
        second_moment=state.memory.second_moment,
        left=np.array(left),
    )
    return stream.getvalue()


def read_checkpoint(path: Path) -> State:
    """The state that a checkpoint holds.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            memory = AdamState(int(kept["step"]), kept["first_moment"], kept["second_moment"])
            left = tuple(Left(**one) for one in json.loads(str(kept["left"])))
            return State(int(kept["epoch"]), kept["rows"], memory, left)
    except Exception as problem:  # zipfile, zlib and NumPy each have their own
        raise InputError(f"{path}: cannot be read: {problem}") from None
