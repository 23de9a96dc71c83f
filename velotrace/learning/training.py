"""Training: many steps, several seeds at once as one more dimension.

A step is the walkthrough's: draws, forward pass, backward pass by hand, optimiser. Whatever a step
needs beyond the parameters follows from (seed, purpose, step), so any step can be made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from velotrace.learning.computing import Compute, Given, compute
from velotrace.learning.layout import Layout
from velotrace.learning.optimisers import AdamState
from velotrace.model import random
from velotrace.model.holding import domain, held_names, outside_domain
from velotrace.model.readings import Optimiser, Reading, in_force
from velotrace.model.records import Activation, Constants, Iteration

LARGEST_BATCH = 256
"""Cells of a mini-batch unless told otherwise, as in scvi-tools."""


@dataclass(frozen=True)
class Plan:
    """What a training holds fixed.

    Attributes:
        unspliced: u of all cells, shape (cell, gene).
        spliced: s of all cells, same shape.
        constants: t_max, c, prior, u*, s*.
        reading: the choices; its weights as at the end of a warm-up.
        activation: of the networks.
        latent: dimensions of z.
        optimiser: settings of a step.
        layout: of one run's parameters.
        start: the first parameters, shape (run, parameter).
        seeds: of each run's draws and batches.
        batch_size: cells of a mini-batch; the last one of an epoch holds what is left.
        dropped: terms that are left out of the loss.
    """

    unspliced: np.ndarray
    spliced: np.ndarray
    constants: Constants
    reading: Reading
    activation: Activation
    latent: int
    optimiser: Optimiser
    layout: Layout
    start: np.ndarray
    seeds: tuple[int, ...]
    batch_size: int
    dropped: frozenset[str] = frozenset()

    @cached_property
    def domain(self) -> tuple[np.ndarray, np.ndarray]:
        """Open bounds of θ as it is held, which stands at the start of a row."""
        bounds = [domain(name, self.constants.t_max) for name in held_names(self.reading)]
        lowest, highest = np.repeat(np.array(bounds), self.unspliced.shape[1], axis=0).T
        return lowest, highest

    @cached_property
    def groups(self) -> Mapping[str, int]:
        """Where each parameter of θ and each network begins in a row."""
        starts: dict[str, int] = {}
        for path, place in self.layout.places.items():
            starts.setdefault(path.partition(".")[0], place.start)
        return starts

    @cached_property
    def group_starts(self) -> np.ndarray:
        """The same places alone."""
        return np.array(list(self.groups.values()))

    @property
    def cells(self) -> int:
        """How many cells the data have."""
        return len(self.unspliced)

    @property
    def batches(self) -> int:
        """Mini-batches of one epoch."""
        return -(-self.cells // self.batch_size)


@dataclass(frozen=True)
class Left:
    """How a run left the domain of its parameters, and so stopped.

    Attributes:
        run: which.
        step: of the training, from 0.
        parameter: as it is held, or 'loss' where that is no finite number.
        gene: its place among the genes; −1 for the loss.
        value: what the step made of it.
    """

    run: int
    step: int
    parameter: str
    gene: int
    value: float


@dataclass(frozen=True)
class State:
    """Where a training stands.

    Attributes:
        epoch: epochs done.
        rows: parameters, shape (run, parameter).
        memory: of the optimiser, same shape.
        left: the runs that have stopped; their parameters stay as they were before that step.
    """

    epoch: int
    rows: np.ndarray
    memory: AdamState
    left: tuple[Left, ...] = ()

    @property
    def going(self) -> np.ndarray:
        """Whether each run goes on."""
        going = np.ones(len(self.rows), dtype=bool)
        if self.left:
            going[[left.run for left in self.left]] = False
        return going


@dataclass(frozen=True)
class Step:
    """What one step computed.

    Attributes:
        cells: rows of the data in each run's mini-batch, shape (run, cell).
        iteration: what it held fixed, of all runs.
        values: every named value, a run axis in front.
        adjoints: of the same, by hand.
        gradient: by hand, shape (run, parameter).
        updated: parameters after it, same shape.
        memory: of the optimiser after it.
        left: the runs that leave their domain in this step.
    """

    cells: np.ndarray
    iteration: Iteration
    values: Mapping[str, np.ndarray]
    adjoints: Mapping[str, np.ndarray]
    gradient: np.ndarray
    updated: np.ndarray
    memory: AdamState
    left: tuple[Left, ...]


def begin(plan: Plan) -> State:
    """The state before the first epoch."""
    start = plan.start
    memory = AdamState(0, np.zeros_like(start), np.zeros_like(start))
    return State(0, start, memory)


def batches_of(plan: Plan, epoch: int, numbers: random.Numbers = random.generator) -> np.ndarray:
    """The order in which each run visits the cells, without replacement, shape (run, cell)."""
    orders = [numbers(seed, "batches", epoch).permutation(plan.cells) for seed in plan.seeds]
    return np.array(orders)


@dataclass(frozen=True)
class FreshDraws:
    """Every run's draws of one step, each made when the forward pass has come to it.

    Attributes:
        epsilon_z: standard normal, shape (run, cell, latent).
        seeds: of each run.
        step: of the training.
        numbers: random numbers by key.
        purpose: put before the key, to keep draws that do not train apart from those that do.
    """

    epsilon_z: np.ndarray
    seeds: tuple[int, ...]
    step: int
    numbers: random.Numbers
    purpose: str = ""

    def pi_given(self, concentration: np.ndarray) -> np.ndarray:
        """State probabilities, shape (run, cell, gene, state)."""
        return random.draw_pis(self.seeds, self.step, concentration, self.numbers, self.purpose)

    def state_given(self, pi: np.ndarray) -> np.ndarray:
        """States k, shape (run, cell, gene)."""
        return random.draw_states(self.seeds, self.step, pi, self.numbers, self.purpose)


def fresh_draws(plan: Plan, cells: np.ndarray, step: int, numbers: random.Numbers) -> FreshDraws:
    """The draws of one step for each run's mini-batch."""
    everyone = random.draw_epsilons(plan.seeds, step, plan.cells, plan.latent, numbers)
    epsilon = everyone[np.arange(len(cells))[:, None], cells]
    return FreshDraws(epsilon, plan.seeds, step, numbers)


def take(
    plan: Plan,
    state: State,
    cells: np.ndarray,
    step: int,
    numbers: random.Numbers,
    computes: Compute | None = None,
) -> Step:
    """One step of every run that has not stopped.

    Args:
        plan: of the training.
        state: parameters and memory before the step.
        cells: rows of the data in each run's mini-batch, shape (run, cell).
        step: its number, from 0.
        numbers: random numbers by key.
        computes: a step from what it is given; None calls it as it is written.

    Returns:
        All that it computed.
    """
    iteration = Iteration(
        plan.unspliced[cells],
        plan.spliced[cells],
        fresh_draws(plan, cells, step, numbers),
        plan.constants,
        in_force(plan.reading, state.epoch),
        plan.activation,
        plan.dropped,
    )
    computes = computes or partial(compute, plan.layout, plan.optimiser)
    done = computes(Given(state.rows, state.memory, iteration))
    memory = AdamState(state.memory.step + 1, done.first_moment, done.second_moment)
    updated = done.updated
    left = _who_left(plan, state, updated, done.values["loss"], step)
    if left or state.left:
        going = state.going
        going[[one.run for one in left]] = False
        updated = np.where(going[:, None], updated, state.rows)
    return Step(cells, iteration, done.values, done.adjoints, done.gradient, updated, memory, left)


def _who_left(
    plan: Plan, state: State, updated: np.ndarray, losses: np.ndarray, step: int
) -> tuple[Left, ...]:
    """Runs that this step takes out of their domain, or whose loss is no number."""
    lowest, highest = plan.domain
    theta = updated[:, : len(lowest)]
    if ((theta > lowest) & (theta < highest)).all() and np.isfinite(losses).all():
        return ()
    going = state.going
    left: dict[int, Left] = {}
    for run in np.flatnonzero(going & ~np.isfinite(losses)).tolist():
        left[run] = Left(run, step, "loss", -1, float(losses[run]))
    for name in held_names(plan.reading):
        values = updated[:, plan.layout.places[name]]
        outside = outside_domain(name, values, plan.constants.t_max)
        for run, gene in np.argwhere(outside).tolist():
            if going[run]:
                left.setdefault(run, Left(run, step, name, gene, float(values[run, gene])))
    return tuple(left.values())


def after(state: State, step: Step) -> State:
    """The state after a step of the current epoch."""
    return State(state.epoch, step.updated, step.memory, (*state.left, *step.left))


def epoch_steps(
    plan: Plan, state: State, numbers: random.Numbers, computes: Compute | None = None
) -> Iterator[tuple[State, Step]]:
    """The steps of the state's epoch, each with the state before it.

    Args:
        plan: of the training.
        state: after `state.epoch` epochs.
        numbers: random numbers by key.
        computes: a step from what it is given; None calls it as it is written.

    Yields:
        The state before a step, and the step.
    """
    order = batches_of(plan, state.epoch, numbers)
    for batch in range(plan.batches):
        cells = order[:, batch * plan.batch_size : (batch + 1) * plan.batch_size]
        number = state.epoch * plan.batches + batch
        step = take(plan, state, cells, number, numbers, computes)
        yield state, step
        state = after(state, step)
