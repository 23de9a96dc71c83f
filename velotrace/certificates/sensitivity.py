"""How much an adjoint may differ between two exact routes: its own sensitivity to round-off.

No program in float64 can know an adjoint better than the rounding of what it is made of leaves it:
where terms of opposite sign cancel, that is far worse than ε of the result. So the rounding is
exaggerated: every parameter and every named value is moved by a relative 1e-8 with random signs,
the backward pass by hand is repeated, and what each adjoint changed by, per unit, is its
sensitivity.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from velotrace.model.adjoint import backward
from velotrace.model.objective import loss
from velotrace.model.random import generator
from velotrace.model.records import Iteration, Parameters
from velotrace.tape import Shift, evaluate, leaves, map_leaves

DISTURBANCE = 1e-8
TRIALS = 4

OPERATIONS = 256.0
"""Bound on the number of roundings between an input and an adjoint, there and back; each acts like
a disturbance of ε = 2^-52 at most."""


def exact_bounds(
    parameters: Parameters,
    iteration: Iteration,
    values: Mapping[str, np.ndarray],
    by_hand: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """How far two exact routes to each adjoint may be apart: OPERATIONS × ε × sensitivity.

    Args:
        parameters: θ and φ.
        iteration: what is held fixed.
        values: the named values of the forward pass.
        by_hand: the adjoints there.

    Returns:
        A bound for each adjoint, on the largest difference of its components.
    """
    inside = set(values) - {name for name, _ in leaves(parameters)} - {"state"}
    sensitivity = {name: float(np.max(np.abs(x), initial=0.0)) for name, x in by_hand.items()}
    for trial in range(TRIALS):
        numbers = generator(0, "disturbance", trial)
        moved_parameters = map_leaves(partial(_disturbed, numbers), parameters)
        shifts = {name: Shift(_disturbance(numbers, values[name])) for name in sorted(inside)}
        run = evaluate(partial(loss, iteration=iteration), moved_parameters, shifts)
        moved = backward(moved_parameters, iteration, run.values)
        for name, adjoint in by_hand.items():
            change = float(np.max(np.abs(moved[name] - adjoint), initial=0.0))
            sensitivity[name] = max(sensitivity[name], change / DISTURBANCE)
    unit = OPERATIONS * float(np.finfo(np.float64).eps)
    return {name: unit * reach for name, reach in sensitivity.items()}


def _disturbance(numbers: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return DISTURBANCE * x * numbers.choice((-1.0, 1.0), np.shape(x))


def _disturbed(numbers: np.random.Generator, _: str, x: np.ndarray) -> np.ndarray:
    return np.asarray(x + _disturbance(numbers, x))
