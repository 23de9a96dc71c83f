"""Finite differences of any named value, with an estimate of their error that is derived.

The quotient is D(h) = (8 [f(x+h) − f(x−h)] − [f(x+2h) − f(x−2h)]) / 12h. Its error has two parts:

* truncation, h⁴ f⁽⁵⁾/30: from one step to a quarter of it D changes by 255/256 of the larger
  step's truncation, so that change covers the smaller step's own, 1/256, many times over. (A change
  that vanishes by accident could deceive it; no finite number of values can exclude that.)
* round-off: if f is computed to within δ, D is off by at most 18 δ / 12 h.

D is taken at each of `STEPS`, and the step with the smallest sum of both wins, component by
component. A step that switches a rectified unit on or off, or takes a free value past its clamp, is
out: the loss has a corner there. Where even the smallest does (a dead layer before the unit, and
biases 0; a value at its clamp) there is no derivative.

All steps of all components of a value are stacked into one run of the forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from velotrace.model.distributions import softplus
from velotrace.model.holding import NOISE
from velotrace.quantities import PARAMETERS, RATES, VOCABULARY
from velotrace.tape import Evaluation, Intervention, Shift, Tape, evaluate

STEPS = 2.0 ** -np.arange(4.0, 15.0, 2.0)
"""Steps relative to the size of the component: 1/16, 1/64, … 1/16384."""

STENCIL = np.array([-2.0, -1.0, 1.0, 2.0])
"""Where f is taken for a quotient, in steps from x."""

_WEIGHTS = np.array([1.0, -8.0, 8.0, -1.0]) / 12.0

_POSITIVE = (*PARAMETERS, *NOISE.values(), "concentration", "pi")
_SMALLEST = 1e-150  # below, a step's reciprocal may overflow
_MOST_NUMBERS = 4_000_000  # of one stacked run's largest array


@dataclass(frozen=True)
class Differences:
    """Difference quotients of some components of one value.

    Attributes:
        components: their flat indices.
        quotient: dL/dx, one for each.
        step: the step that won.
        bound: on the quotient's error.
    """

    components: np.ndarray
    quotient: np.ndarray
    step: np.ndarray
    bound: np.ndarray


Function = Callable[[Any], Any]
Follow = Callable[[Mapping[str, Any]], Mapping[str, Intervention]]
"""From a shifted run's values to what else must be moved with them."""


def noise_of(tape: Tape) -> float:
    """δ: how far round-off may move the result, from the tape itself.

    Every operation's result v is off by at most a few units of round-off ε, and moves the result
    by its adjoint times that: δ = 2ε Σ |v| |adjoint| over all operations. (First-order running
    error analysis; 2 covers functions that are not correctly rounded.)
    """
    total = sum(
        float(np.sum(np.abs(entry.value * entry.adjoint)))
        for entry in tape.entries
        if entry.adjoint is not None
    )
    return 2.0 * float(np.finfo(np.float64).eps) * total


def _sizes(name: str, value: np.ndarray, components: np.ndarray) -> np.ndarray:
    """What a step is relative to: the component, or the array's mean where it may change sign."""
    size = np.abs(value.ravel()[components])
    typical = 0.0 if name in _POSITIVE else float(np.mean(np.abs(value)))
    size = np.maximum(size, typical)
    return np.where(size == 0.0, 1.0, size)


def differentiate(
    function: Function,
    parameters: Any,
    name: str,
    value: np.ndarray,
    noise: float,
    components: np.ndarray,
    follow: Follow | None = None,
    reach: np.ndarray | None = None,
    corners: bool = False,
) -> Differences:
    """Difference quotients of a function's result by components of a named value.

    Args:
        function: of the parameters; must accept stacked runs.
        parameters: where.
        name: of the value.
        value: it, unshifted.
        noise: δ of the function.
        components: flat indices of the components to shift, one at a time.
        follow: what moves along although no operation computes it (a Dirichlet draw).
        reach: for each component of the value, the distance within which the function is known
            to be smooth, where that is less than the value's own size.
        corners: whether hidden layers are rectified, or free values clamped.

    Returns:
        One quotient with its step and bound for each component that has a derivative.
    """
    size = _sizes(name, value, components)
    if reach is not None:
        size = np.minimum(size, reach.ravel()[components])
    steps = STEPS[:, None] * size  # (step, component)
    quotient, smooth = np.empty_like(steps), np.ones(steps.shape, dtype=bool)
    rows = max(1, _MOST_NUMBERS // max(1, value.size * len(STEPS) * len(STENCIL)))
    for start in range(0, len(components), rows):
        part = slice(start, start + rows)
        shifts = STENCIL[:, None, None] * steps[:, part]  # (stencil, step, component)
        run = shifted_runs(function, parameters, name, value, components[part], shifts, follow)
        results = np.broadcast_to(run.value, shifts.size).reshape(shifts.shape)
        quotient[:, part] = quotient_of(results, steps[:, part])
        if corners:
            smooth[:, part] = _no_corner(run.values, shifts.shape)
    return _best(quotient, steps, noise, smooth, components)


def quotient_of(results: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """D(h) of results at the places of `STENCIL`, which is the first axis."""
    return np.asarray(np.tensordot(_WEIGHTS, results, axes=1) / steps)


def round_off_of(noise: float, steps: np.ndarray) -> np.ndarray:
    """How far round-off may move D(h): 18 δ / 12 h."""
    return 1.5 * noise / steps


def _best(
    quotient: np.ndarray,
    steps: np.ndarray,
    noise: float,
    smooth: np.ndarray,
    components: np.ndarray,
) -> Differences:
    bound = np.abs(np.diff(quotient, axis=0)) + round_off_of(noise, steps[1:])
    error = np.where(smooth[1:] & smooth[:-1], bound, np.inf)
    best = np.argmin(error, axis=0)
    columns = np.arange(len(components))
    kept = np.isfinite(error[best, columns])
    picked = [array[best, columns][kept] for array in (quotient[1:], steps[1:], error)]
    return Differences(components[kept], *picked)


def _no_corner(values: Mapping[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    """Whether all four points of a step have the same units on and clamps; (step, component)."""
    sides = [
        hidden > 0.0
        for name, hidden in values.items()
        if name.endswith(".h") and np.ndim(hidden) > 2  # stacked: it moves with the shift
    ]
    sides += [
        values[name] < softplus(values[f"{name}_free"])
        for name in RATES
        if f"{name}_free" in values and np.ndim(values[f"{name}_free"]) > 1
    ]
    smooth = np.ones(shape[1:], dtype=bool)
    for side in sides:
        parted = side.reshape(*shape, -1)
        smooth &= np.all(parted == parted[:1], axis=(0, -1))
    return smooth


def shifted_runs(
    function: Function,
    parameters: Any,
    name: str,
    value: np.ndarray,
    components: np.ndarray,
    shifts: np.ndarray,
    follow: Follow | None = None,
) -> Evaluation:
    """One stacked run of the function with every shift, in the order of `shifts`.

    Args:
        function: of the parameters; must accept stacked runs.
        parameters: where.
        name: of the value to shift.
        value: it, unshifted.
        components: flat indices of the components to shift, one at a time.
        shifts: by how much; the last axis is the component.
        follow: what moves along although no operation computes it.

    Returns:
        Result and named values, all runs in one axis in front.
    """
    by = np.zeros((*shifts.shape, value.size))
    by[..., np.arange(len(components)), components] = shifts
    change = {name: Shift(by.reshape(-1, *stacked_shape(name, value.shape)))}
    run = evaluate(function, parameters, change)
    if follow is not None:
        run = evaluate(function, parameters, change | dict(follow(run.values)))
    return run


def shifted_values(
    function: Function,
    parameters: Any,
    name: str,
    value: np.ndarray,
    components: np.ndarray,
    step: np.ndarray,
) -> Mapping[str, Any]:
    """All named values with each component shifted by its step, stacked in front."""
    by = np.zeros((len(components), value.size))
    by[np.arange(len(components)), components] = step
    shift = Shift(by.reshape(-1, *stacked_shape(name, value.shape)))
    return evaluate(function, parameters, {name: shift}).values


def stacked_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A value's shape in a stacked run: what has no cell axis of its own gets one of length 1."""
    of_cells = name in VOCABULARY and VOCABULARY[name].dims[:1] == ("cell",)
    return (1, *shape) if len(shape) == 1 and not of_cells else shape


def checkable(name: str, value: np.ndarray, most: int) -> np.ndarray:
    """Flat indices of the components to check: all, or `most` of them spread evenly.

    A positive value too small to be shifted (a state probability at its floor) is left out.
    """
    flat = np.abs(value.ravel())
    allowed = np.flatnonzero((flat >= _SMALLEST) | (flat == 0.0))
    if len(allowed) > most:
        allowed = allowed[np.linspace(0, len(allowed) - 1, most).astype(int)]
    return allowed
