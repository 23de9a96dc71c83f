"""Any iteration of a training again, bit for bit: from the checkpoint before it, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from velotrace.errors import ContradictionError, InputError
from velotrace.learning.ensemble import Trainer
from velotrace.learning.optimisers import AdamState
from velotrace.learning.runs import Run
from velotrace.learning.training import Plan, State, Step, epoch_steps
from velotrace.model import random
from velotrace.model.readings import in_force
from velotrace.model.records import Draws, Iteration, Parameters
from velotrace.quantities import PARAMETERS
from velotrace.scenario import Resolved


@dataclass(frozen=True)
class Replayed:
    """One iteration of a training.

    Attributes:
        resolved: what the iteration held fixed, with its own cells, parameters and draws.
        gradient: by hand, as it trained, shape (1, parameter).
        memory: of the optimiser before it.
        updated: the parameters after it, shape (1, parameter).
        values: every named value, as it trained.
    """

    resolved: Resolved
    gradient: np.ndarray
    memory: AdamState
    updated: np.ndarray
    values: dict[str, np.ndarray]


def replay(run: Run, epoch: int, batch: int = 0, seed: int | None = None) -> Replayed:
    """Make one iteration of a training again.

    Args:
        run: the training.
        epoch: from 0.
        batch: number of the mini-batch in its epoch, from 0.
        seed: noise seed of the run where several trained at once; None for the first.

    Returns:
        The iteration.

    Raises:
        InputError: the training has no such iteration.
        ContradictionError: its loss is not the one in the history.
    """
    index = _run_index(run, seed)
    done = run.epochs_done
    if not 0 <= epoch < done:
        has = f"epochs 0 to {done - 1}" if done else "no epoch yet"
        raise InputError(f"{run.folder} has {has}; there is no epoch {epoch}")
    if not 0 <= batch < run.plan.batches:
        last = run.plan.batches - 1
        raise InputError(f"an epoch of {run.folder} has batches 0 to {last}; there is no {batch}")
    plan, state = _alone(run.plan, run.state(epoch), index)
    trainer = Trainer(plan)
    while state.epoch < epoch:
        state = trainer.epoch(state)
    if not state.going.all():
        raise InputError(
            f"seed {plan.seeds[0]} of {run.folder} had left its domain by epoch {epoch}"
        )
    before, step = list(epoch_steps(plan, state, random.Keyed()))[batch]
    _check(run, epoch, batch, index, step)
    return _replayed(run, plan, index, before, step)


def _run_index(run: Run, seed: int | None) -> int:
    if seed is None:
        return 0
    if seed not in run.plan.seeds:
        first, last = run.plan.seeds[0], run.plan.seeds[-1]
        raise InputError(f"{run.folder} has seeds {first} to {last}; there is no {seed}")
    return run.plan.seeds.index(seed)


def _alone(plan: Plan, state: State, index: int) -> tuple[Plan, State]:
    """One run of several: rows of an array do not touch each other."""
    only = slice(index, index + 1)
    memory = state.memory
    moments = AdamState(memory.step, memory.first_moment[only], memory.second_moment[only])
    left = tuple(replace(one, run=0) for one in state.left if one.run == index)
    alone = replace(plan, start=plan.start[only], seeds=plan.seeds[only])
    return alone, State(state.epoch, state.rows[only], moments, left)


def _check(run: Run, epoch: int, batch: int, index: int, step: Step) -> None:
    kept = run.history()["loss"].to_numpy()[epoch, batch, index]
    if float(step.values["loss"][0]) != float(kept):
        raise ContradictionError(
            f"epoch {epoch}, batch {batch} of {run.folder} gives loss {step.values['loss'][0]!r}, "
            f"its history has {kept!r}: made by other versions, or on another machine"
        )


def _replayed(run: Run, plan: Plan, index: int, before: State, step: Step) -> Replayed:
    resolved = run.resolved
    values = {name: value[0] for name, value in step.values.items() if value.ndim}
    iteration = Iteration(
        step.iteration.unspliced[0],
        step.iteration.spliced[0],
        Draws(values["epsilon_z"], values["pi"], values.get("state")),
        plan.constants,
        in_force(plan.reading, before.epoch),
        plan.activation,
        plan.dropped,
    )
    parameters: Parameters = plan.layout.one_run(before.rows[0])
    cells = tuple(resolved.expression.cells[row] for row in step.cells[0])
    theta = {name: (parameters | values)[name] for name in PARAMETERS}
    seeds = {"seed": resolved.scenario.networks.seed + index}
    scenario = resolved.scenario.model_copy(
        update={
            "networks": resolved.scenario.networks.model_copy(update=seeds),
            "noise": resolved.scenario.noise.model_copy(update={"seed": plan.seeds[0]}),
            "batch": resolved.scenario.batch.model_copy(update={"cells": list(cells)}),
            "initial": resolved.scenario.initial.model_copy(
                update={name: np.ravel(value).tolist() for name, value in theta.items()}
            ),
        }
    )
    there = replace(
        resolved, scenario=scenario, cells=cells, parameters=parameters, iteration=iteration
    )
    return Replayed(there, step.gradient, before.memory, step.updated, values)
