"""From a scenario to a training of several seeds, in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from velotrace.learning.computing import Repeated
from velotrace.learning.history import History
from velotrace.learning.layout import Layout
from velotrace.learning.training import LARGEST_BATCH, Plan, State, after, begin, epoch_steps
from velotrace.model import random
from velotrace.scenario import Resolved
from velotrace.scenario.resolve import work_out
from velotrace.tape import leaves

if TYPE_CHECKING:
    import xarray

CHECKPOINT_EVERY = 50
"""Epochs between checkpoints: what a kill can cost, and what a retrace must repeat."""


@dataclass(frozen=True)
class Settings:
    """What a training is asked to do.

    Attributes:
        epochs: passes through the data.
        batch_size: cells of a mini-batch; None for all, but at most 256.
        seeds: how many runs train at once; run k adds k to the scenario's two seeds.
        by_cell: whether the history keeps the values of cells.
        dropped: terms left out of the loss.
        checkpoint_every: epochs between checkpoints.
    """

    epochs: int
    batch_size: int | None = None
    seeds: int = 1
    by_cell: bool = True
    dropped: tuple[str, ...] = ()
    checkpoint_every: int = CHECKPOINT_EVERY


def plan_of(resolved: Resolved, settings: Settings) -> Plan:
    """What a training of a scenario holds fixed: all cells, and one start for each seed."""
    members = [member(resolved, run) for run in range(settings.seeds)]
    layout = Layout.of(resolved.parameters)
    rows = [layout.pack(dict(leaves(one.parameters)), 1)[0] for one in members]
    cells = len(resolved.expression.cells)
    size = min(settings.batch_size or LARGEST_BATCH, cells)
    return Plan(
        resolved.expression.unspliced,
        resolved.expression.spliced,
        resolved.iteration.constants,
        resolved.reading,
        resolved.architecture.activation,
        resolved.architecture.latent,
        resolved.optimiser,
        layout,
        np.stack(rows),
        tuple(one.scenario.noise.seed for one in members),
        size,
        frozenset(settings.dropped),
    )


def member(resolved: Resolved, run: int) -> Resolved:
    """The scenario of run k: its two seeds raised by k."""
    if run == 0:
        return resolved
    scenario = resolved.scenario
    networks = scenario.networks.model_copy(update={"seed": scenario.networks.seed + run})
    noise = scenario.noise.model_copy(update={"seed": scenario.noise.seed + run})
    seeded = scenario.model_copy(update={"networks": networks, "noise": noise})
    return work_out(seeded, resolved.expression)


def plan_batch(resolved: Resolved, batch_size: int | None) -> int:
    """The size of a mini-batch where none, or one larger than the data, is asked for."""
    return min(batch_size or LARGEST_BATCH, len(resolved.expression.cells))


def empty_history(resolved: Resolved, plan: Plan, settings: Settings) -> History:
    """A history with room for all epochs.

    Raises:
        InputError: it would be too large.
    """
    expression = resolved.expression
    return History.empty(
        plan, expression.cells, expression.genes, settings.epochs, settings.by_cell
    )


class Trainer:
    """Trains by a plan, epoch after epoch, and keeps what the next step can use again."""

    def __init__(self, plan: Plan):
        self._plan, self._numbers = plan, random.Keyed()
        self._repeated = Repeated(plan.layout, plan.optimiser)

    def epoch(self, state: State, history: History | None = None) -> State:
        """One epoch: every cell once.

        Args:
            state: before it.
            history: where to keep what it computes; None to keep nothing.

        Returns:
            The state after it.
        """
        end = state
        steps = epoch_steps(self._plan, state, self._numbers, self._repeated)
        for batch, (before, step) in enumerate(steps):
            if history is not None:
                history.put_step(state.epoch, batch, before, step)
            end = after(before, step)
        if history is not None:
            history.put_epoch(state.epoch, end)
        return State(state.epoch + 1, end.rows, end.memory, end.left)


@dataclass(frozen=True)
class Trained:
    """A training that stayed in memory.

    Attributes:
        plan: all that it held fixed.
        state: after the last epoch.
        history: of every epoch.
    """

    plan: Plan
    state: State
    history: xarray.Dataset


def train_in_memory(
    resolved: Resolved, settings: Settings, progress: Callable[[int], None] = lambda epoch: None
) -> Trained:
    """Train without a folder; runs that leave their domain stop, the others go on.

    Args:
        resolved: the scenario.
        settings: what to do.
        progress: called with the number of epochs done.

    Returns:
        The training.
    """
    plan = plan_of(resolved, settings)
    trainer, state, history = Trainer(plan), begin(plan), empty_history(resolved, plan, settings)
    while state.epoch < settings.epochs and state.going.any():
        state = trainer.epoch(state, history)
        progress(state.epoch)
    return Trained(plan, state, history.dataset(state))
