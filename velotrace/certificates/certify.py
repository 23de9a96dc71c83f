"""Compare the three routes, value by value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from velotrace.certificates.differences import (
    Differences,
    Function,
    checkable,
    differentiate,
    noise_of,
    shifted_values,
)
from velotrace.certificates.moving_draw import MovingDraw, moving_draw
from velotrace.certificates.sensitivity import exact_bounds
from velotrace.errors import InputError
from velotrace.model.adjoint import backward
from velotrace.model.kinetics import SCVI_EPS
from velotrace.model.objective import loss
from velotrace.tape import evaluate
from velotrace.walkthrough import Trace

EXACT = 1e-12
"""Largest difference of tape and hand, relative to the largest component of the adjoint.

Both are the same sums in float64, in another order: some 200 operations of round-off 1.1e-16 each
make 2e-14; the rest is room for terms of opposite sign that cancel to a fiftieth. Where they cancel
further, `sensitivity.exact_bounds` measures it and allows as much."""

_TINY = float(np.finfo(np.float64).tiny)
"""Below it float64 has fewer digits, and a bound relative to the component may be 0."""

MOST = 400
"""Components of one array that finite differences check unless told otherwise."""


@dataclass(frozen=True)
class Pair:
    """Two routes compared over the components of one value.

    Attributes:
        absolute: largest difference.
        relative: the same, relative to the largest component.
        worst: largest difference as a share of its bound; above 1 is a breach.
        bound: the bound where that is.
    """

    absolute: float
    relative: float
    worst: float
    bound: float


@dataclass(frozen=True)
class Certificate:
    """One adjoint by three routes.

    Attributes:
        name: of the value, or a weight such as 'encoder_z.0.W'.
        largest: absolute value of the largest component.
        components: how many there are.
        checked: how many of them finite differences checked.
        step: of the difference quotient where it came closest to its bound.
        tape_hand: tape against hand.
        tape_differences: tape against finite differences.
        hand_differences: hand against finite differences.
    """

    name: str
    largest: float
    components: int
    checked: int
    step: float
    tape_hand: Pair
    tape_differences: Pair
    hand_differences: Pair

    @property
    def holds(self) -> bool:
        """Whether every difference is within its bound."""
        pairs = (self.tape_hand, self.tape_differences, self.hand_differences)
        return all(pair.worst <= 1.0 for pair in pairs)


@dataclass(frozen=True)
class Report:
    """All certificates of one iteration.

    Attributes:
        certificates: one for each named value and weight with a path, in order of computation.
        without_path: names of the values that cannot move the loss, by either exact route.
        noise: δ, how far round-off may move the loss.
    """

    certificates: tuple[Certificate, ...]
    without_path: tuple[str, ...]
    noise: float

    @property
    def holds(self) -> bool:
        """Whether every certificate holds."""
        return all(certificate.holds for certificate in self.certificates)


def certify(trace: Trace, most: int = MOST) -> Report:
    """Compare tape, hand and finite differences for every named value and every weight.

    Args:
        trace: of one iteration.
        most: components of one array that finite differences check.

    Returns:
        The report.

    Raises:
        InputError: the loss overflows.
    """
    resolved = trace.resolved
    if not np.isfinite(trace.tape.value):
        raise InputError(
            "the loss overflows float64 in this scenario; there is no gradient to check"
        )
    function = partial(loss, iteration=resolved.iteration)
    values = evaluate(function, resolved.parameters).values
    by_hand = backward(resolved.parameters, resolved.iteration, values)
    exact = exact_bounds(resolved.parameters, resolved.iteration, values, by_hand)
    noise, draw = noise_of(trace.tape), None
    if trace.tape["pi"].adjoint is not None:  # not a hard draw, and not dropped
        draw = moving_draw(values["pi"], values["concentration"])
    moved_by = _before(trace, "concentration") if draw is not None else frozenset()
    certificates, without = [], []
    for name, entry in trace.tape.names.items():
        left_out = _only_from_dropped(trace, name) or not np.any(by_hand.get(name, 0.0))
        if entry.adjoint is None and left_out:
            without.append(name)
            continue
        hand = by_hand.get(name, np.full(entry.value.shape, np.nan))
        tape = entry.adjoint if entry.adjoint is not None else np.full(entry.value.shape, np.nan)
        follow = draw if name in moved_by else None
        found = _differences(trace, function, name, entry.value, noise, most, follow)
        certificates.append(_certificate(name, tape, hand, found, exact.get(name, 0.0)))
    return Report(tuple(certificates), tuple(without), noise)


def _only_from_dropped(trace: Trace, name: str) -> bool:
    """Whether a value is a dropped term, or made of such alone: a constant, which moves nothing."""
    dropped, sources = trace.resolved.iteration.dropped, trace.tape.graph[name]
    if name in dropped:
        return True
    return bool(_before(trace, name) & dropped) and all(
        trace.tape[source].adjoint is None for source in sources
    )


def _before(trace: Trace, name: str) -> frozenset[str]:
    """The named values that a value was computed from, itself included."""
    found, waiting = {name}, [name]
    while waiting:
        for source in trace.tape.graph[waiting.pop()]:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return frozenset(found)


def _differences(
    trace: Trace,
    function: Function,
    name: str,
    value: np.ndarray,
    noise: float,
    most: int,
    draw: MovingDraw | None,
) -> Differences:
    parameters = trace.resolved.parameters
    components = checkable(name, value, most)
    find = partial(differentiate, function, parameters, name, value, noise, components)
    iteration = trace.resolved.iteration
    corners = iteration.activation == "relu" or iteration.reading.parameterisation == "softplus"
    if draw is None:
        return find(reach=_reach(trace, name), corners=corners)
    found = find(draw.follow, corners=corners)
    if len(found.components) == 0:
        return found
    # the slopes of the draw are quotients as well: add their errors times what hangs on each
    shifted = shifted_values(function, parameters, name, value, found.components, found.step)
    moved = np.abs(shifted["concentration"] - draw.concentration)
    moved = moved / found.step.reshape(-1, *[1] * draw.pi.ndim)
    weight = np.abs(trace.tape["pi"].adjoint * draw.pi)
    reach = np.einsum("ngj,ngji,kngi->k", weight, draw.error, moved)
    return replace(found, bound=found.bound + reach)


def _reach(trace: Trace, name: str) -> np.ndarray | None:
    """How far the loss is known to be smooth, where that may be less than the value's own size.

    With scvi-tools' denominator β and γ have a pole at γ − β = −1e-6. In the mixtures one state
    takes over from another within 1 nat of its log density, which is d/(1 + |r|) of its mean.
    """
    iteration, tape = trace.resolved.iteration, trace.tape
    rate = name.removesuffix("_free")  # a softplus brings no point nearer than it was
    if rate in ("beta", "gamma") and iteration.reading.denominator == "eps":
        return np.abs(tape["gamma"].value - tape["beta"].value + SCVI_EPS)
    if iteration.reading.draws_state:
        return None
    if name in ("log_density_u", "log_density_s"):
        return np.ones(tape[name].value.shape)
    if name in ("u_bar", "s_bar"):
        measured = iteration.unspliced if name == "u_bar" else iteration.spliced
        sigma = tape[f"sigma_{name[0]}"].value
        deviation = sigma[:, None] * iteration.constants.state_scale
        residual = (measured[..., None] - tape[name].value) / deviation
        return np.asarray(deviation / (1.0 + np.abs(residual)))
    return None


def _certificate(
    name: str, tape: np.ndarray, hand: np.ndarray, found: Differences, sensitivity: float
) -> Certificate:
    largest = float(np.max(np.abs(tape), initial=0.0))
    scale = largest if largest > 0.0 else 1.0
    flat_tape, flat_hand = tape.ravel(), hand.ravel()
    exact = np.full(tape.size, max(EXACT * scale, sensitivity, _TINY))
    at = found.components
    tape_differences = _pair(flat_tape[at] - found.quotient, found.bound, scale)
    worst = _worst_place(flat_tape[at] - found.quotient, found.bound)
    return Certificate(
        name,
        largest,
        tape.size,
        len(at),
        float(found.step[worst]) if len(at) else np.nan,
        _pair(flat_tape - flat_hand, exact, scale),
        tape_differences,
        _pair(flat_hand[at] - found.quotient, found.bound, scale),
    )


def _pair(difference: np.ndarray, bound: np.ndarray, scale: float) -> Pair:
    if difference.size == 0:
        return Pair(0.0, 0.0, 0.0, np.nan)
    worst = _worst_place(difference, bound)
    largest = float(np.max(np.abs(difference)))
    share = float(np.abs(difference[worst]) / bound[worst])
    if np.isnan(difference).any():  # a route has no number where another has one
        share = np.inf
    return Pair(largest, largest / scale, share, float(bound[worst]))


def _worst_place(difference: np.ndarray, bound: np.ndarray) -> int:
    return int(np.argmax(np.abs(difference) / bound)) if difference.size else 0
