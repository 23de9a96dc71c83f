"""Training: many seeds at once, what keeping a history costs, what programs spare."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.timing import Row, medians, ratio
from velotrace.learning.computing import OFTEN
from velotrace.learning.ensemble import Settings, Trainer, empty_history, plan_of
from velotrace.learning.training import State, after, begin, epoch_steps
from velotrace.model import random
from velotrace.resources import data_path
from velotrace.scenario import Resolved, resolve

EPOCHS = 5
"""Of one call: enough that an epoch's share of what happens once does not count."""


def training() -> list[Row]:
    """The walkthrough in mini-batches of two cells."""
    resolved = resolve(Path(data_path("walkthrough.toml")))
    seeds = medians(
        {"hundred": _epochs(resolved, 100, False), "one": _epochs(resolved, 1, False)}, rounds=15
    )
    history = medians(
        {"kept": _epochs(resolved, 1, True), "bare": _epochs(resolved, 1, False)}, rounds=25
    )
    long, short = (
        medians({"new": partial(_new, resolved, n), "called": partial(_called, resolved, n)}, 5)
        for n in (500, 60)
    )
    return [
        ratio("100 seeds at once / one seed", seeds, "hundred", "one", 15.0),
        ratio("training with history / without", history, "kept", "bare", 1.2),
        ratio("1,000 steps, programs written on the way / called", long, "new", "called", None),
        ratio("120 steps, likewise", short, "new", "called", None),
    ]


def _new(resolved: Resolved, epochs: int) -> object:
    """A training from its beginning to its end."""
    plan = plan_of(resolved, Settings(epochs, 2))
    state, trainer = begin(plan), Trainer(plan)
    while state.epoch < epochs:
        state = trainer.epoch(state)
    return state


def _called(resolved: Resolved, epochs: int) -> object:
    """The same with every step called as it is written."""
    plan = plan_of(resolved, Settings(epochs, 2))
    state, numbers = begin(plan), random.Keyed()
    while state.epoch < epochs:
        for before, step in epoch_steps(plan, state, numbers):
            end = after(before, step)
        state = State(state.epoch + 1, end.rows, end.memory)
    return state


def _epochs(resolved: Resolved, seeds: int, kept: bool) -> Callable[[], object]:
    settings = Settings(EPOCHS, 2, seeds)
    plan = plan_of(resolved, settings)
    history = empty_history(resolved, plan, settings) if kept else None
    trainer, begun = Trainer(plan), begin(plan)
    for _ in range(OFTEN):  # until the program is written that most of a training repeats
        begun = trainer.epoch(begun)

    def call() -> object:
        state = begin(plan)
        while state.epoch < EPOCHS:
            state = trainer.epoch(state, history)
        return state

    return call
