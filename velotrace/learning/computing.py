"""What a step of a training computes: forward, backward, update; as a program where it is small."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from velotrace.learning.layout import Layout
from velotrace.learning.optimisers import AdamState, take_step
from velotrace.model.adjoint import backward
from velotrace.model.objective import loss
from velotrace.model.readings import Optimiser, Reading
from velotrace.model.records import Iteration
from velotrace.tape import (
    Program,
    UnrepeatableError,
    named_values,
    program_of,
    same_bits,
    whole,
)

SMALL = 4096
"""Up to so many runs × cells × genes a step may be a program. Beyond, its numbers take longer than
its calls.
"""

OFTEN = 100
"""Steps of one size before a program is written. Writing takes as long as some 80 of them."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What a step computes.

    Attributes:
        values: every named value, a run axis in front.
        adjoints: of the same, by hand.
        gradient: the parameters' adjoints, shape (run, parameter).
        updated: parameters after the step, same shape.
        first_moment: that Adam remembers, same shape.
        second_moment: likewise.
    """

    values: Mapping[str, np.ndarray]
    adjoints: Mapping[str, np.ndarray]
    gradient: np.ndarray
    updated: np.ndarray
    first_moment: np.ndarray
    second_moment: np.ndarray

    @property
    def parts(self) -> tuple[Any, ...]:
        """All of it, in order."""
        moments = self.first_moment, self.second_moment
        return self.values, self.adjoints, self.gradient, self.updated, *moments


@dataclass(frozen=True, slots=True)
class Given:
    """What a step computes from.

    Attributes:
        rows: parameters, shape (run, parameter).
        memory: of the optimiser.
        iteration: data, draws, constants and reading.
    """

    rows: np.ndarray
    memory: AdamState
    iteration: Iteration


Compute = Callable[[Given], Computed]


def compute(layout: Layout, optimiser: Optimiser, given: Given) -> Computed:
    """Forward, backward by hand, and the optimiser's step."""
    rows, iteration = given.rows, given.iteration
    parameters = layout.nested(rows)
    _, values = named_values(loss, parameters, iteration)
    adjoints = backward(parameters, iteration, values)
    gradient = layout.pack(adjoints, len(rows))
    memory, info = take_step(rows, gradient, given.memory, optimiser)
    moments = memory.first_moment, memory.second_moment
    return Computed(values, adjoints, gradient, info["updated"], *moments)


class Repeated:
    """`compute` for the steps of one training: the same bits, sooner where arrays are small.

    When a size has come often, its step is written down as a program. The next step is done both
    ways, and only where they agree in every bit are later ones left to the program. The values and
    adjoints that a call returns are good until the next one; threads need one `Repeated` each.

    Attributes:
        programs: by the shape (run, cell, gene) of a step; None where there can be none.
    """

    def __init__(self, layout: Layout, optimiser: Optimiser):
        self.programs: dict[tuple[int, ...], _StepProgram | None] = {}
        self._steps: Counter[tuple[int, ...]] = Counter()
        self._compute = partial(compute, layout, optimiser)

    def __call__(self, given: Given) -> Computed:
        """One step.

        Raises:
            ValueError: the step is of another training than the one that a program repeats.
        """
        size = given.iteration.unspliced.shape
        program = self.programs.get(size)
        if program is not None and program.trusted:
            return program.repeat(given)
        self._steps[size] += 1
        if program is not None:
            self._try(program, size, given)
        elif self._steps[size] == OFTEN and math.prod(size) <= SMALL:
            self._write(size, given)
        return self._compute(given)

    def _write(self, size: tuple[int, ...], given: Given) -> None:
        try:
            self.programs[size] = _StepProgram(self._compute, given)
        except UnrepeatableError as problem:
            self._do_without(size, str(problem))

    def _try(self, program: _StepProgram, size: tuple[int, ...], given: Given) -> None:
        """Compare, with weights that no step has had: a weight of 0 would hide what is wrong."""
        iteration = given.iteration
        reading = replace(iteration.reading, kl_weight=0.314, switch_weight=0.732)
        other = replace(given, iteration=replace(iteration, reading=reading))
        program.trusted = same_bits(program.repeat(other).parts, self._compute(other).parts)
        if not program.trusted:
            self._do_without(size, "it differs from its step")

    def _do_without(self, size: tuple[int, ...], why: str) -> None:
        self.programs[size] = None
        warnings.warn(f"no program for steps of shape {size}: {why}", stacklevel=4)


class _StepProgram:
    """A step as a program, of all but what is the same in every step."""

    def __init__(self, compute_it: Compute, first: Given):
        self.trusted = False
        self._fixed, self._draws = _fixed(first.iteration), first.iteration.draws

        def step(moving: dict[str, Any]) -> tuple[Any, ...]:
            weights = {name: moving[name] for name in ("kl_weight", "switch_weight")}
            iteration = replace(
                first.iteration,
                unspliced=moving["unspliced"],
                spliced=moving["spliced"],
                draws=_DrawnAnew(moving["epsilon_z"], self),
                reading=replace(first.iteration.reading, **weights),
            )
            memory = AdamState(moving["step"], moving["first_moment"], moving["second_moment"])
            return compute_it(Given(moving["rows"], memory, iteration)).parts

        self._program: Program = program_of(step, _moving(first))

    def repeat(self, given: Given) -> Computed:
        """Another step. What the next one begins with is copied; the rest is good until then."""
        if _fixed(given.iteration) != self._fixed:
            raise ValueError("a program repeats the steps of one training only")
        self._draws = given.iteration.draws
        values, adjoints, gradient, *next_begins = self._program.repeat(_moving(given))
        return Computed(values, adjoints, gradient, *(x.copy() for x in next_begins))

    @whole
    def draw_pi(self, concentration: np.ndarray) -> np.ndarray:
        """The π of the step that is being repeated."""
        return self._draws.pi_given(concentration)

    @whole
    def draw_state(self, pi: np.ndarray) -> np.ndarray | None:
        """Its k."""
        return self._draws.state_given(pi)


@dataclass(frozen=True, slots=True)
class _DrawnAnew:
    """The draws of whichever step a program repeats."""

    epsilon_z: np.ndarray
    of: _StepProgram

    def pi_given(self, concentration: Any) -> np.ndarray:
        pi: np.ndarray = self.of.draw_pi(concentration)
        return pi

    def state_given(self, pi: Any) -> np.ndarray:
        state: np.ndarray = self.of.draw_state(pi)
        return state


_CHOICES = attrgetter(
    *(field.name for field in fields(Reading) if field.name not in ("kl_weight", "switch_weight"))
)


def _fixed(iteration: Iteration) -> tuple[Any, ...]:
    """What is the same in every step of a training."""
    constants, choices = id(iteration.constants), _CHOICES(iteration.reading)
    return constants, iteration.activation, iteration.dropped, choices


def _moving(given: Given) -> dict[str, Any]:
    """What each step has of its own, the draws of π and k aside."""
    iteration, memory = given.iteration, given.memory
    return {
        "rows": given.rows,
        "unspliced": iteration.unspliced,
        "spliced": iteration.spliced,
        "epsilon_z": iteration.draws.epsilon_z,
        "kl_weight": iteration.reading.kl_weight,
        "switch_weight": iteration.reading.switch_weight,
        "step": float(memory.step),
        "first_moment": memory.first_moment,
        "second_moment": memory.second_moment,
    }
