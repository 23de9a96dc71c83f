"""A training's steps as programs: the bits of steps that are called as they are written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import write_scenario

from velotrace.learning import computing
from velotrace.learning.computing import Repeated
from velotrace.learning.ensemble import Settings, plan_of
from velotrace.learning.training import Plan, State, after, begin, epoch_steps
from velotrace.model import adjoint, objective, random
from velotrace.scenario import resolve
from velotrace.tape import leaves, same_bits

CASES: dict[str, tuple[dict[str, Any], Settings]] = {
    "document": ({}, Settings(3)),
    "paper": ({"reading": {"preset": "paper"}}, Settings(3)),
    "joint": ({"reading": {"preset": "joint"}}, Settings(3)),
    "scvi-tools": ({"reading": {"preset": "scvi-tools", "kl_warmup": 4}}, Settings(6)),
    "scvi-tools, batches of two": (
        {"reading": {"preset": "scvi-tools", "kl_warmup": 4}},
        Settings(3, batch_size=2),
    ),
    "several runs": ({"reading": {"preset": "scvi-tools", "kl_warmup": 2}}, Settings(3, seeds=3)),
    "a smaller last batch": ({"reading": {"preset": "joint"}}, Settings(4, batch_size=3)),
    "one cell": ({"reading": {"preset": "paper"}}, Settings(2, batch_size=1)),
    "one cell of several runs": ({}, Settings(2, batch_size=1, seeds=2)),
    "relu": ({"networks": {"activation": "relu", "hidden": [7]}}, Settings(3)),
    "two hidden layers": (
        {"networks": {"hidden": [5, 4]}, "reading": {"decoders": "shared-hidden"}},
        Settings(3),
    ),
    "no hidden layer": ({"networks": {"hidden": []}}, Settings(3)),
    "free values, drawn state": ({"reading": {"parameterisation": "softplus"}}, Settings(3)),
    "variances": ({"reading": {"noise_parameter": "variance"}}, Settings(3)),
    "eps": ({"reading": {"denominator": "eps", "reduction": "mean"}}, Settings(3)),
    "plain descent": ({"optimiser": {"name": "sgd", "learning_rate": 1e-7}}, Settings(3)),
    "clipped, decayed": (
        {"optimiser": {"name": "adamw", "clip_norm": 1.0, "weight_decay": 0.1}},
        Settings(3),
    ),
    "decay in the gradient": ({"optimiser": {"weight_decay": 0.1}}, Settings(3)),
    "without kl_z": ({}, Settings(3, dropped=("kl_z",))),
    "without the data": (
        {"reading": {"preset": "paper"}},
        Settings(3, dropped=("reconstruction",)),
    ),
    "without u": ({"reading": {"preset": "joint"}}, Settings(3, dropped=("log_density_u",))),
    "u not, drawn state": ({}, Settings(3, dropped=("log_density_u", "switch_penalty_s"))),
}


def plan_for(folder: Path, name: str) -> tuple[Plan, int]:
    keys, settings = CASES[name]
    return plan_of(resolve(write_scenario(folder, keys)), settings), settings.epochs


def repeated_for(plan: Plan) -> Repeated:
    return Repeated(plan.layout, plan.optimiser)


def next_epoch(plan: Plan, state: State, repeated: Repeated) -> State:
    """One epoch, every step of it both ways."""
    called = epoch_steps(plan, state, random.Keyed())
    twice = epoch_steps(plan, state, random.Keyed(), repeated)
    for (before, one), (_, other) in zip(called, twice, strict=True):
        for part in ("values", "adjoints", "gradient", "updated"):
            there, here = dict(leaves(getattr(one, part))), dict(leaves(getattr(other, part)))
            assert there.keys() == here.keys()
            for name, value in there.items():
                assert same_bits(here[name], value), f"{part}: {name}"
        assert other.memory.step == one.memory.step
        for moment in ("first_moment", "second_moment"):
            assert same_bits(getattr(other.memory, moment), getattr(one.memory, moment))
        state = after(before, one)
    return State(state.epoch + 1, state.rows, state.memory, state.left)


@pytest.fixture(autouse=True)
def programs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computing, "OFTEN", 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CASES)
def test_every_bit_of_every_step_is_the_same(tmp_path: Path, name: str) -> None:
    plan, epochs = plan_for(tmp_path, name)
    state, repeated = begin(plan), repeated_for(plan)
    for _ in range(epochs):
        state = next_epoch(plan, state, repeated)
    programs = repeated.programs.values()
    assert len(programs) == (2 if plan.cells % plan.batch_size else 1)
    assert all(program is not None and program.trusted for program in programs)


def plant_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy copies without asking: velocity stays that of the step that was written down."""
    monkeypatch.setattr(objective, "over_states", lambda x: np.array([x])[0].sum(axis=-1))


def plant_a_frozen_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows where the weight is another one, so never while a warm-up has it at 0."""

    def full(shape: tuple[int, ...], number: Any) -> Any:
        copied = np.array(number)
        return np.zeros(shape) + (copied if copied == 0.0 else number)

    monkeypatch.setattr(adjoint, "_full", full)


@pytest.mark.parametrize("plant", [plant_a_copy, plant_a_frozen_weight])
def test_a_program_that_differs_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Any
) -> None:
    plan, _ = plan_for(tmp_path, "scvi-tools, batches of two")
    plant(monkeypatch)
    state, repeated = begin(plan), repeated_for(plan)
    with pytest.warns(UserWarning, match="it differs from its step"):
        state = next_epoch(plan, state, repeated)
    assert list(repeated.programs.values()) == [None]
    for _ in range(3):  # called as it is written from now on
        state = next_epoch(plan, state, repeated)


def test_a_step_that_cannot_be_a_program_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, _ = plan_for(tmp_path, "document")
    repeated = repeated_for(plan)
    monkeypatch.setattr(
        adjoint, "over_states", lambda x: x.sum(axis=-1) if (x == x).all() else x[..., 0]
    )
    with pytest.warns(UserWarning, match="depends on an array's numbers"):
        state = next_epoch(plan, begin(plan), repeated)
    next_epoch(plan, state, repeated)


def test_steps_of_another_training_are_refused(tmp_path: Path) -> None:
    plan, _ = plan_for(tmp_path / "one", "document")
    repeated = repeated_for(plan)
    state = next_epoch(plan, next_epoch(plan, begin(plan), repeated), repeated)
    others = [
        plan_for(tmp_path / "other", "document")[0],
        replace(plan, dropped=frozenset({"kl_z"})),
        replace(plan, activation="relu"),
        replace(plan, reading=replace(plan.reading, reduction="mean")),
    ]
    for other in others:
        with pytest.raises(ValueError, match="one training only"):
            next_epoch(other, begin(other), repeated)
    heavier = replace(plan, reading=replace(plan.reading, kl_weight=0.5))  # as a warm-up does
    next_epoch(heavier, state, repeated)


def test_a_short_training_writes_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, _ = plan_for(tmp_path, "document")
    monkeypatch.setattr(computing, "OFTEN", 3)
    state, repeated = begin(plan), repeated_for(plan)
    for programs in (0, 0, 1, 1):
        state = next_epoch(plan, state, repeated)
        assert len(repeated.programs) == programs


def test_large_steps_are_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, _ = plan_for(tmp_path, "document")
    monkeypatch.setattr(computing, "SMALL", plan.unspliced.size - 1)
    repeated = repeated_for(plan)
    next_epoch(plan, next_epoch(plan, begin(plan), repeated), repeated)
    assert repeated.programs == {}
    monkeypatch.setattr(computing, "SMALL", plan.unspliced.size)
    repeated = repeated_for(plan)
    next_epoch(plan, begin(plan), repeated)
    assert len(repeated.programs) == 1


def test_what_a_step_begins_with_outlives_the_next_one(tmp_path: Path) -> None:
    """A state may be kept: of the program's memory it has copies."""
    plan, _ = plan_for(tmp_path, "document")
    states, repeated = [begin(plan)], repeated_for(plan)
    for epoch in range(4):
        for before, step in epoch_steps(plan, states[-1], random.Keyed(), repeated):
            end = after(before, step)
        states.append(State(epoch + 1, end.rows, end.memory))
    kept = [(state.rows.copy(), state.memory.first_moment.copy()) for state in states]
    list(epoch_steps(plan, states[-1], random.Keyed(), repeated))
    for state, (rows, moment) in zip(states, kept, strict=True):
        np.testing.assert_array_equal(state.rows, rows)
        np.testing.assert_array_equal(state.memory.first_moment, moment)
