"""What a step of a training computes: forward, backward, update; as a program where it is small."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from velotrace.learning.layout import Layout
from velotrace.learning.optimisers import AdamState, take_step
from velotrace.model.adjoint import backward
from velotrace.model.objective import loss
from velotrace.model.readings import Optimiser
from velotrace.model.records import Iteration
from velotrace.tape import Program, leaves, named_values, program_of, whole

SMALL = 4096
"""Up to so many runs × cells × genes a step is a program. Beyond, its numbers take longer than its
calls, and memory that is used again at once is quicker than memory of its own for every result.
"""


class Computed(NamedTuple):
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


Compute = Callable[[Layout, Optimiser, Given], Computed]


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
    """`compute` for the steps of one plan: the same bits, sooner where arrays are small.

    The first step of each size is written down as a program. The second is computed both ways, and
    only where they agree in every bit are later ones left to the program. The values and adjoints
    that a call returns are good until the next one.

    Attributes:
        programs: by the shape (run, cell, gene) of a step; None where one differed.
    """

    def __init__(self) -> None:
        self.programs: dict[tuple[int, ...], _StepProgram | None] = {}

    def __call__(self, layout: Layout, optimiser: Optimiser, given: Given) -> Computed:
        """One step."""
        size = given.iteration.unspliced.shape
        if math.prod(size) > SMALL:
            return compute(layout, optimiser, given)
        if size not in self.programs:
            self.programs[size] = _StepProgram(layout, optimiser, given)
            return compute(layout, optimiser, given)
        program = self.programs[size]
        if program is not None and program.trusted:
            return program.repeat(given)
        computed = compute(layout, optimiser, given)
        if program is not None:
            program.trusted = _same_bits(program.repeat(given), computed)
            if not program.trusted:
                self.programs[size] = None
                warnings.warn("a program differs from its step and is not used", stacklevel=2)
        return computed


class _StepProgram:
    """A step as a program, of all but what is the same in every step."""

    def __init__(self, layout: Layout, optimiser: Optimiser, first: Given):
        self.trusted = False
        self._draws = first.iteration.draws

        def step(moving: dict[str, Any]) -> Computed:
            iteration = replace(
                first.iteration,
                unspliced=moving["unspliced"],
                spliced=moving["spliced"],
                draws=_DrawnAnew(moving["epsilon_z"], self),
                reading=replace(
                    first.iteration.reading,
                    kl_weight=moving["kl_weight"],
                    switch_weight=moving["switch_weight"],
                ),
            )
            memory = AdamState(moving["step"], moving["first_moment"], moving["second_moment"])
            return compute(layout, optimiser, Given(moving["rows"], memory, iteration))

        self._program: Program = program_of(step, _moving(first))

    def repeat(self, given: Given) -> Computed:
        """Another step. What the next one begins with is copied; the rest is good until then."""
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
        "step": memory.step,
        "first_moment": memory.first_moment,
        "second_moment": memory.second_moment,
    }


def _same_bits(one: Computed, other: Computed) -> bool:
    pairs = zip(leaves(one), leaves(other), strict=True)
    return all(a[0] == b[0] and np.array_equal(a[1], b[1], equal_nan=True) for a, b in pairs)
