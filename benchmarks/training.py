"""Training: many seeds at once, and what keeping a history costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.timing import Row, medians, ratio
from velotrace.learning.ensemble import Settings, Trainer, empty_history, plan_of
from velotrace.learning.training import begin
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
    return [
        ratio("100 seeds at once / one seed", seeds, "hundred", "one", 15.0),
        ratio("training with history / without", history, "kept", "bare", 1.2),
    ]


def _epochs(resolved: Resolved, seeds: int, kept: bool) -> Callable[[], object]:
    settings = Settings(EPOCHS, 2, seeds)
    plan = plan_of(resolved, settings)
    history = empty_history(resolved, plan, settings) if kept else None
    trainer = Trainer(plan)

    def call() -> object:
        state = begin(plan)
        while state.epoch < EPOCHS:
            state = trainer.epoch(state, history)
        return state

    return call
