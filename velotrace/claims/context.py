"""What the claims are tested on: one iteration in each reading, and trainings, made when asked for.

Nothing here is global: a test function sees a `Context` and nothing else, so whoever hands it
another document, another iteration or another training gets another verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from velotrace.claims.document import DOCUMENT, Document
from velotrace.claims.ensembles import EPOCHS, Ensemble, ensemble, other_reading
from velotrace.claims.records import ANY, Check, Evidence
from velotrace.data import Expression
from velotrace.model.objective import loss
from velotrace.model.random import generator
from velotrace.scenario import Resolved
from velotrace.tape import record
from velotrace.walkthrough import Trace, trace

READINGS = ("document", "paper", "joint", "scvi-tools")

Progress = Callable[[str, int], None]
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Lazy(Mapping[Key, Value], Generic[Key, Value]):
    """A mapping whose values are made when first asked for, and kept.

    Example:
        >>> squares = Lazy((1, 2, 3), lambda n: n * n)
        >>> squares[3], list(squares)
        (9, [1, 2, 3])
    """

    def __init__(self, keys: tuple[Key, ...], make: Callable[[Key], Value]) -> None:
        self._keys, self._make = keys, make
        self._made: dict[Key, Value] = {}

    def __getitem__(self, key: Key) -> Value:
        """The value, made now if it was not before."""
        if key not in self._keys:
            raise KeyError(key)
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]

    def __iter__(self) -> Iterator[Key]:
        """The keys, whether made or not."""
        return iter(self._keys)

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._keys)


@dataclass(frozen=True)
class Context:
    """Everything a claim may look at.

    Attributes:
        traces: the walkthrough's iteration by reading; the first is the one verdicts are about.
        trainings: ensembles of trainings by name, such as 'document' or 'joint, softplus'.
        without_kl_z: the same with KL_z left out of the loss, by reading.
        document: what the document states.
        draws: how many draws where a claim is about chance.
        truth: true rates by name, shape (gene,), and noise; None, since the document's data were
            made up and not simulated.
        held_out: cells that no training has seen; None, since there are only four.
    """

    traces: Mapping[str, Trace]
    trainings: Mapping[str, Ensemble] = field(default_factory=dict)
    without_kl_z: Mapping[str, Ensemble] = field(default_factory=dict)
    document: Document = DOCUMENT
    draws: int = 4000
    truth: Mapping[str, np.ndarray] | None = None
    held_out: Expression | None = None

    @property
    def own(self) -> str:
        """The reading that verdicts are about."""
        return next(iter(self.traces))

    @cached_property
    def trace(self) -> Trace:
        """The iteration in that reading."""
        return self.traces[self.own]

    def iteration(self, reading: str) -> Trace:
        """The iteration in any reading, also one that no claim is tested under."""
        if reading in self.traces:
            return self.traces[reading]
        return iteration_of(other_reading(self.trace.resolved, preset=reading))

    @property
    def data(self) -> Expression:
        """The cells of all data."""
        return self.trace.resolved.expression

    def random(self, purpose: str) -> np.random.Generator:
        """Random numbers for one purpose, the same each time."""
        return generator(0, f"claims {purpose}", 0)


def iteration_of(resolved: Resolved) -> Trace:
    """One iteration of a resolved scenario."""
    return Trace(resolved, record(partial(loss, iteration=resolved.iteration), resolved.parameters))


SOFTPLUS = ", softplus"
"""How a training's name ends where θ is held as free values, which the reading does not say."""


def names_of_trainings(readings: tuple[str, ...]) -> tuple[str, ...]:
    """The trainings of some readings: as they hold θ, then by softplus where that is another."""
    natural = [name for name in readings if name != "scvi-tools"]
    return (*readings, *(f"{name}{SOFTPLUS}" for name in natural))


def make_context(
    readings: tuple[str, ...] = READINGS,
    seeds: int = 50,
    epochs: int = EPOCHS,
    cache: Path | None = None,
    progress: Progress = lambda name, epoch: None,
) -> Context:
    """The context of the document's walkthrough; nothing is run before a claim asks for it.

    Args:
        readings: of the iteration and the trainings; verdicts are about the first.
        seeds: of each training.
        epochs: of each training.
        cache: folder to keep trainings in; None to keep none.
        progress: called with a training's name and the epochs done, from 0.

    Returns:
        The context.
    """
    base = trace().resolved

    def train(name: str, dropped: tuple[str, ...]) -> Ensemble:
        reading, _, held = name.partition(SOFTPLUS[:2])
        choices = {"preset": reading} | ({"parameterisation": "softplus"} if held else {})
        title = " without ".join([name, *dropped])
        resolved = other_reading(base, **choices)
        return ensemble(
            resolved, seeds, epochs, dropped, cache, lambda epoch: progress(title, epoch)
        )

    return Context(
        Lazy(readings, lambda name: iteration_of(other_reading(base, preset=name))),
        Lazy(names_of_trainings(readings), lambda name: train(name, ())),
        Lazy(readings, lambda name: train(name, ("kl_z",))),
    )


def each(context: Context, look: Callable[[Trace], tuple[Check, ...]]) -> Evidence:
    """The same checks on every reading's iteration."""
    return {reading: look(trace) for reading, trace in context.traces.items()}


def trained(context: Context, look: Callable[[Ensemble], tuple[Check, ...]]) -> Evidence:
    """The same checks on every ensemble of trainings."""
    return {name: look(ensemble) for name, ensemble in context.trainings.items()}


def once(*checks: Check) -> Evidence:
    """Checks that no reading changes."""
    return {ANY: checks}
