"""Training: the same bytes however it is run or cut short; each step as the tape has it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import WALKTHROUGH, write_scenario

from velotrace.errors import ContradictionError, InputError
from velotrace.learning import runs
from velotrace.learning.ensemble import Settings, empty_history, plan_of, train_in_memory
from velotrace.learning.history import BY_CELL, DRAWN
from velotrace.learning.training import State, after, batches_of, begin, epoch_steps
from velotrace.model import random
from velotrace.model.objective import infer, loss
from velotrace.model.records import Draws, Iteration
from velotrace.report.render import print_text
from velotrace.scenario import Resolved, resolve
from velotrace.tape import leaves, map_leaves, record
from velotrace.walkthrough import retrace

HERE = Path(__file__).parent

CHOICES: dict[str, dict[str, Any]] = {
    "document": {"reading": {"preset": "document"}},
    "paper": {"reading": {"preset": "paper"}},
    "joint, three cells": {"reading": {"preset": "joint", "reduction": "mean"}},
    "scvi-tools": {"reading": {"preset": "scvi-tools", "kl_warmup": 4}},
    "plain descent": {"optimiser": {"name": "sgd", "learning_rate": 1e-7}},
}


def scenario_of(folder: Path, keys: dict[str, Any], **more: Any) -> Path:
    return write_scenario(folder, WALKTHROUGH, {"networks": {"hidden": [5]}}, keys, more)


def trained(folder: Path, keys: dict[str, Any], settings: Settings) -> runs.Run:
    run = runs.start(scenario_of(folder, keys), folder / "RUN", settings)
    runs.train(run)
    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# ---- a second route: the tape's gradients and a step written out -----------------------------


def slow_training(resolved: Resolved, epochs: int, size: int) -> dict[str, np.ndarray]:
    """The first run's training, one cell axis, gradients from the tape, moments in dicts."""
    settings, reading, seed = resolved.optimiser, resolved.reading, resolved.scenario.noise.seed
    expression = resolved.expression
    parameters = map_leaves(lambda _, value: value.copy(), resolved.parameters)
    first = {name: np.zeros_like(value) for name, value in leaves(parameters)}
    second, step, cells = dict(first), 0, len(expression.cells)
    for epoch in range(epochs):
        order = random.generator(seed, "batches", epoch).permutation(cells)
        weight = reading.kl_weight
        if reading.kl_warmup:
            weight *= min(1.0, epoch / reading.kl_warmup)
        fading = 1.0 - weight if reading.switch_fades else 1.0
        now = replace(
            reading,
            kl_weight=weight,
            switch_weight=reading.switch_weight * fading,
            kl_warmup=0,
            switch_fades=False,
        )
        for start in range(0, cells, size):
            rows = order[start : start + size]
            u, s = expression.unspliced[rows], expression.spliced[rows]
            noise = random.draw_epsilon(seed, step, cells, resolved.architecture.latent)[rows]
            fixed = resolved.iteration
            undrawn = Draws(noise, np.zeros(0), None)
            iteration = Iteration(u, s, undrawn, fixed.constants, now, fixed.activation)
            pi = random.draw_pi(seed, step, infer(parameters, iteration, u, s)["concentration"])
            state = random.draw_state(seed, step, pi) if reading.draws_state else None
            iteration = replace(iteration, draws=Draws(noise, pi, state))
            tape = record(partial(loss, iteration=iteration), parameters)
            step += 1
            gradients = {
                name: np.zeros_like(value) if tape[name].adjoint is None else tape[name].adjoint
                for name, value in leaves(parameters)
            }
            norm = np.sqrt(sum(np.sum(g**2) for g in gradients.values()))
            if settings.clip_norm is not None and norm > settings.clip_norm:
                gradients = {n: g * settings.clip_norm / norm for n, g in gradients.items()}
            for name, value in leaves(parameters):
                gradient = gradients[name]
                if settings.name == "sgd":
                    value -= settings.learning_rate * gradient
                    continue
                decay = settings.weight_decay * value
                if settings.name == "adam":
                    gradient = gradient + decay
                b_1, b_2 = settings.betas
                first[name] = b_1 * first[name] + (1 - b_1) * gradient
                second[name] = b_2 * second[name] + (1 - b_2) * gradient**2
                ratio = (first[name] / (1 - b_1**step)) / (
                    np.sqrt(second[name] / (1 - b_2**step)) + settings.eps
                )
                if settings.name == "adamw":
                    ratio = ratio + decay
                value -= settings.learning_rate * ratio
    return dict(leaves(parameters))


@pytest.mark.parametrize("name", CHOICES)
def test_training_is_the_walkthroughs_step_repeated(name: str, tmp_path: Path) -> None:
    """Ten steps by hand, all runs at once, against the tape, one run alone.

    The gradients differ by round-off; Adam divides by its root mean square, which where a gradient
    has been near 0 throughout magnifies that to the step itself, so what is compared is the change
    of θ, with 1e-9 of the learning rate a step.
    """
    path = scenario_of(tmp_path, CHOICES[name])
    size = 3 if "three" in name else 2
    made = train_in_memory(resolve(path), Settings(5, size, 2))
    slow = slow_training(resolve(path), 5, size)
    ours = dict(leaves(made.plan.layout.one_run(made.state.rows[0])))
    rate = made.plan.optimiser.learning_rate
    for parameter, value in slow.items():
        np.testing.assert_allclose(ours[parameter], value, rtol=1e-9, atol=1e-8 * rate)


@pytest.mark.parametrize("name", CHOICES)
def test_a_run_among_others_is_the_run_alone(name: str, tmp_path: Path) -> None:
    """Bit for bit, or no single run of an ensemble could be opened."""
    path = scenario_of(tmp_path, CHOICES[name])
    several = train_in_memory(resolve(path), Settings(8, 3, 7))
    alone = train_in_memory(resolve(path), Settings(8, 3, 1))
    np.testing.assert_array_equal(several.state.rows[:1], alone.state.rows)
    for field, values in alone.history.data_vars.items():
        if "seed" in values.dims:
            np.testing.assert_array_equal(several.history[field].isel(seed=[0]), values)


# ---- bytes ----------------------------------------------------------------------------------


def test_the_same_bytes_again_with_any_threads_and_hash_seed(tmp_path: Path) -> None:
    """1,000 epochs of the walkthrough, as three processes that differ in what must not matter."""
    made = []
    for number, (threads, hashes) in enumerate((("1", "0"), ("2", "1"), ("2", "4711"))):
        folder = tmp_path / f"RUN{number}"
        environment = os.environ | {
            "PYTHONHASHSEED": hashes,
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
        }
        call = [sys.executable, "-m", "velotrace.cli", "train", "--epochs", "1000"]
        more = ["--batch-size", "2", "-o", str(folder)]
        subprocess.run([*call, *more], env=environment, check=True, capture_output=True)
        made.append(contents(folder))
    assert made[0] == made[1] == made[2]
    assert "checkpoints/epoch-001000.npz" in made[0]


@pytest.mark.slow
def test_a_hundred_kills_change_nothing(tmp_path: Path) -> None:
    """Killed at random moments, resumed each time: the bytes of a training left in peace."""
    path = scenario_of(tmp_path, {})
    driver = [sys.executable, str(HERE / "kill_driver.py"), str(path)]
    ended = subprocess.run(
        [*driver, str(tmp_path / "KILLED"), "300", "100"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(ended.stdout) == 100
    runs.train(runs.start(path, tmp_path / "PEACE", Settings(300, 2, 2, checkpoint_every=3)))
    assert contents(tmp_path / "KILLED") == contents(tmp_path / "PEACE")


def test_resuming_ends_as_if_never_stopped(tmp_path: Path) -> None:
    """More epochs of a finished run, and a run cut back to a checkpoint."""
    path = scenario_of(tmp_path, {})
    settings = Settings(20, 2, 2, checkpoint_every=5)
    whole = runs.start(path, tmp_path / "WHOLE", settings)
    runs.train(whole)
    short = runs.start(path, tmp_path / "SHORT", replace(settings, epochs=10))
    runs.train(short)
    longer = runs.resume(runs.open_run(short.folder), settings, path)
    runs.train(longer)
    assert contents(short.folder) == contents(whole.folder)

    before = contents(whole.folder)
    (whole.folder / "checkpoints" / "epoch-000020.npz").unlink()
    (whole.folder / ".velotrace.left").write_text("what a kill leaves")
    runs.train(runs.resume(runs.open_run(whole.folder), None, None))
    assert contents(whole.folder) == before


def test_resume_on_the_command_line(tmp_path: Path, command: Callable[..., Any]) -> None:
    """A missing run is started, a finished one left alone, a different one refused."""
    folder = tmp_path / "RUN"
    call = ["train", "--epochs", "3", "-o", str(folder), "--resume"]
    assert command(*call).status == 0
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert command(*call).status == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    for other in (["--seeds", "2"], ["--batch-size", "1"], ["--drop", "kl_z"]):
        outcome = command(*call, *other)
        assert (outcome.status, outcome.err.count("\n")) == (2, 1)
        assert "cannot go on" in outcome.err
    outcome = command("train", "--epochs", "3", "-o", str(folder))
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "--resume" in outcome.err


# ---- what is kept ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHOICES)
def test_any_iteration_opens_bit_for_bit(name: str, tmp_path: Path) -> None:
    """`retrace` checks every value against what trained; here, the history and the next step."""
    settings = Settings(7, 3, 2, checkpoint_every=3)
    run = trained(tmp_path, CHOICES[name], settings)
    history = run.history()
    for epoch, batch, seed in ((0, 0, 0), (4, 1, 1), (6, 0, 1)):
        made = retrace(run.folder, epoch, batch, seed)
        kept = history.isel(epoch=epoch).sel(seed=seed)
        assert made.loss == kept["loss"].isel(batch=batch).item()
        for value in ("pi", "concentration", "time_induction", "velocity"):
            rows = kept[value].sel(cell=list(made.resolved.cells))
            np.testing.assert_array_equal(made.value(value), rows)
    state = run.state(6)
    assert state.epoch == 6
    first, second = (retrace(run.folder, 6, batch, 0) for batch in (0, 1))
    which = "sgd" if run.plan.optimiser.name == "sgd" else "adam"
    for parameter, info in first.updates[which].items():
        np.testing.assert_array_equal(info["updated"], second.tape[parameter].value)


def test_a_retrace_says_which_iteration_it_is(tmp_path: Path) -> None:
    """The scenario's title and its first parameters are not those of a later epoch."""
    run = trained(tmp_path, {}, Settings(3, 2))
    first, later = (print_text(retrace(run.folder, epoch, 0)) for epoch in (0, 2))
    assert first.startswith("Epoch 0, batch 0 of a training")
    assert later.startswith("Epoch 2, batch 0 of a training")
    for words in ("First parameters", "First weights"):
        assert words in first
        assert words not in later


def test_a_history_that_was_tampered_with_is_noticed(tmp_path: Path) -> None:
    run = trained(tmp_path, {}, Settings(2, 2))
    history = runs.read_history(run.folder)
    history["loss"][1, 0, 0] *= 1.0 + 2e-16
    (run.folder / "history.nc").write_bytes(bytes(history.to_netcdf(engine="scipy")))
    with pytest.raises(ContradictionError, match="epoch 1, batch 0"):
        retrace(run.folder, 1, 0)


def test_every_cell_once_an_epoch(tmp_path: Path) -> None:
    plan = plan_of(resolve(scenario_of(tmp_path, {})), Settings(1, 3, 5))
    orders = [batches_of(plan, epoch) for epoch in range(20)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order, axis=1), [[0, 1, 2, 3]] * 5)
    assert len({order.tobytes() for order in orders}) > 10


def test_history_has_what_it_says(tmp_path: Path) -> None:
    keys = {"reading": {"preset": "scvi-tools", "kl_warmup": 4}}
    history = trained(tmp_path, keys, Settings(6, 3, 2)).history()
    assert dict(history.sizes) == {
        "epoch": 6, "batch": 2, "seed": 2, "parameter": 11, "gene": 3, "cell": 4, "state": 4,
    }  # fmt: skip
    np.testing.assert_allclose(history["kl_weight"], [0.0, 0.25, 0.5, 0.75, 1.0, 1.0])
    np.testing.assert_allclose(history["switch_weight"], 0.2 * (1.0 - history["kl_weight"]))
    for name, values in history.data_vars.items():
        assert np.isfinite(values).all(), name
        assert values.attrs["long_name"].endswith("."), name
    for kind in ("u", "s"):
        total = history[f"responsibility_{kind}"].sum("state")
        np.testing.assert_allclose(total, 1.0, rtol=1e-12)
    norms = np.sqrt((history["gradient_norm_of"] ** 2).sum("parameter"))
    np.testing.assert_allclose(norms, history["gradient_norm"], rtol=1e-12)
    assert "time" not in " ".join(map(str, history.attrs))


def test_what_would_not_fit_is_refused(tmp_path: Path) -> None:
    plan = plan_of(resolve(scenario_of(tmp_path, {})), Settings(1, 2))
    big = replace(plan, seeds=tuple(range(10**6)))
    with pytest.raises(InputError, match="--history theta"):
        runs.History.empty(big, ("a",) * 4, ("A", "B", "C"), 1000, True)


# ---- leaving the domain ---------------------------------------------------------------------


def test_leaving_the_domain_stops_with_one_line(
    tmp_path: Path, command: Callable[..., Any]
) -> None:
    """Plain gradient descent as the document prints it (model.md 4.5)."""
    path = scenario_of(tmp_path, {"optimiser": {"name": "sgd", "learning_rate": 0.01}})
    outcome = command("train", str(path), "--epochs", "5", "-o", str(tmp_path / "RUN"))
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    for words in ("alpha of gene 'A' became -", "epoch 0, batch 0", "softplus", "learning_rate"):
        assert words in outcome.err
    free = {"name": "sgd", "learning_rate": 1e-5}
    softplus = {"optimiser": free, "reading": {"parameterisation": "softplus"}}
    train_in_memory(resolve(scenario_of(tmp_path, softplus)), Settings(3, 2))


def test_other_runs_go_on_when_one_leaves(tmp_path: Path) -> None:
    """A rate so high that some seeds leave: the rest train as if alone, the left ones are NaN."""
    path = scenario_of(tmp_path, {"optimiser": {"learning_rate": 0.12}})
    several = train_in_memory(resolve(path), Settings(6, 2, 12))
    left = {one.run: one for one in several.state.left}
    assert 0 < len(left) < 12
    stays = min(set(range(12)) - set(left))
    for run, one in left.items():
        epoch = one.step // several.plan.batches
        alpha = several.history["alpha"].to_numpy()[:, run]
        assert np.isfinite(alpha[:epoch]).all()
        assert np.isnan(alpha[epoch:]).all()
        assert several.history["left_step"].to_numpy()[run] == one.step
    assert np.isfinite(several.history["loss"].to_numpy()[:, :, stays]).all()


def test_a_history_without_cells_keeps_no_order_of_them(tmp_path: Path) -> None:
    resolved = resolve(scenario_of(tmp_path, {}))
    for by_cell, epochs in ((True, 7), (False, 0)):
        settings = Settings(7, 2, by_cell=by_cell)
        assert (
            empty_history(resolved, plan_of(resolved, settings), settings).order.shape[0] == epochs
        )


@pytest.mark.parametrize(
    ("choice", "rate"), [("document", 0.2), ("paper", 0.12), ("joint, three cells", 0.12)]
)
def test_the_history_of_cells_is_what_their_steps_computed(
    tmp_path: Path, choice: str, rate: float
) -> None:
    """In the order of the data, also of runs that leave in the middle of an epoch, then NaN."""
    keys = {"optimiser": {"learning_rate": rate}} | CHOICES[choice]
    several = train_in_memory(resolve(scenario_of(tmp_path, keys)), Settings(6, 3, 12))
    plan, state = several.plan, begin(several.plan)
    fields = [*BY_CELL, *([DRAWN] if plan.reading.draws_state else [])]
    shares = {"paper": "responsibility_u", "joint, three cells": "responsibility"}
    wanted = {
        name: np.full(several.history[name].shape, np.nan)
        for name in (*fields, *shares.values())
        if name in several.history
    }
    for epoch in range(several.state.epoch):
        for before, step in epoch_steps(plan, state, random.generator):
            for run in np.flatnonzero(before.going):
                for place, cell in enumerate(step.cells[run]):
                    for name in fields:
                        values = step.values["state" if name == DRAWN else name]
                        wanted[name][epoch, run, cell] = values[run, place]
                    if choice in shares:
                        of_log = step.adjoints["log_density_u"][run, place]
                        whole = step.adjoints["log_likelihood"][run, place]
                        wanted[shares[choice]][epoch, run, cell] = of_log / whole[:, None]
            end = after(before, step)
        state = State(epoch + 1, end.rows, end.memory, end.left)
    assert any(one.step % plan.batches == 0 for one in several.state.left)  # not an epoch's last
    for name, values in wanted.items():
        np.testing.assert_array_equal(several.history[name].to_numpy(), values, err_msg=name)


@pytest.mark.parametrize("term", ["kl_z", "kl_pi", "switch_penalty", "switch_penalty_u",
                                  "log_density_u", "log_density_s", "reconstruction"])  # fmt: skip
@pytest.mark.parametrize("preset", ["document", "joint", "scvi-tools"])
def test_a_dropped_term_pulls_at_nothing(term: str, preset: str, tmp_path: Path) -> None:
    """By hand as on the tape, where the term stands as 0."""
    keys = {"reading": {"preset": preset, "kl_weight": 0.5, "switch_weight": 0.3}}
    run = trained(tmp_path, keys, Settings(1, 2, dropped=(term,)))
    made = retrace(run.folder, 0, 1)
    np.testing.assert_array_equal(made.tape[term].value, 0.0)
    assert made.before is not None
    assert made.before.gradient is not None
    by_hand = run.plan.layout.unpack(made.before.gradient)
    for name, gradient in by_hand.items():
        adjoint = made.tape[name].adjoint
        ours = gradient.reshape(made.tape[name].value.shape)
        if adjoint is None:
            np.testing.assert_array_equal(ours, 0.0)
        else:
            scale = np.max(np.abs(adjoint))
            np.testing.assert_allclose(ours, adjoint, rtol=0, atol=1e-12 * scale)
