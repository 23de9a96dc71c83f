"""Transcription, splicing and degradation: equations (3) to (12), and RNA velocity.

With u̇ = α − βu and ṡ = βu − γs, from (0, 0) in induction and with α = 0 in repression. All
functions broadcast; times of cells have shape (cell, gene), parameters (gene,).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.numpy import metadata
from autograd.numpy.numpy_vjps import unbroadcast

from velotrace.model.readings import Denominator
from velotrace.model.special import exprel_slope
from velotrace.tape import defvjp, primitive

Array = Any

SCVI_EPS = 1e-6
"""What scvi-tools adds to γ − β."""

# A ufunc meets autograd by itself: np.expm1 of a box is what is registered here for it.
defvjp(primitive(np.expm1), lambda ans, x: lambda g: g * np.exp(x))  # not ans + 1, 0 far down


@primitive
def exprel(x: Array) -> Array:
    """(e^x − 1)/x, and 1 at x = 0; scipy.special's function of this name is five times slower."""
    at_zero = x == 0.0
    return np.expm1(x) / (x + at_zero) + at_zero


defvjp(exprel, lambda ans, x: lambda g: g * exprel_slope(x))


@primitive
def by_state(
    induction: Array, induction_steady: Array, repression: Array, repression_steady: Array
) -> Array:
    """Put the four states' values side by side, on a last axis of length 4."""
    four = (induction, induction_steady, repression, repression_steady)
    together = np.empty_like(induction, np.float64, shape=(*np.broadcast(*four).shape, 4))
    for k, values in enumerate(four):
        together[..., k] = values
    return together


def _by_state_vjp(argument: int) -> Any:
    def vjp(ans: Array, *four: Array) -> Any:
        target = metadata(four[argument])
        return lambda g: unbroadcast(g[..., argument], target)

    return vjp


defvjp(by_state, *(_by_state_vjp(k) for k in range(4)))


def exponential_difference(
    beta: Array, gamma: Array, time: Array, denominator: Denominator = "exact"
) -> Array:
    """(e^(−γt) − e^(−βt)) / (γ − β), the shape that (4) and (8) share.

    At β = γ it has a removable singularity. Written as −t e^(−min(β,γ)t) exprel(−|γ−β|t), with
    exprel(x) = (e^x − 1)/x, it is exact there and overflows nowhere.

    Args:
        beta: splicing rate, 1/time.
        gamma: degradation rate, 1/time.
        time: time since the start of the phase.
        denominator: 'exact', or 'eps' for scvi-tools' γ − β + 1e-6.

    Returns:
        The quotient, in units of time; never positive.

    Example:
        >>> float(exponential_difference(0.5, 0.5, 2.0))  # −t e^(−βt)
        -0.7357588823428847
    """
    slower, gap = np.minimum(beta, gamma), gamma - beta
    exact = -time * np.exp(-slower * time) * exprel(-np.abs(gap) * time)
    return exact if denominator == "exact" else exact * (gap / (gap + SCVI_EPS))


def u_induction(alpha: Array, beta: Array, time: Array) -> Array:
    """Unspliced RNA in induction, equation (3): α/β (1 − e^(−βt)).

    Example:
        >>> round(float(u_induction(0.85, 0.1, 8.0)), 4)
        4.6807
    """
    return alpha / beta * -np.expm1(-beta * time)


def s_induction(
    alpha: Array, beta: Array, gamma: Array, time: Array, denominator: Denominator = "exact"
) -> Array:
    """Spliced RNA in induction, equation (4): α/γ (1 − e^(−γt)) + α (e^(−γt) − e^(−βt))/(γ − β).

    Example:
        >>> round(float(s_induction(0.85, 0.1, 0.05, 8.0)), 4)
        1.8477
    """
    quotient = exponential_difference(beta, gamma, time, denominator)
    return alpha / gamma * -np.expm1(-gamma * time) + alpha * quotient


def u_repression(u_start: Array, beta: Array, since: Array) -> Array:
    """Unspliced RNA in repression, equation (7): u0 e^(−βτ), τ = t − t_s."""
    return u_start * np.exp(-beta * since)


def s_repression(
    u_start: Array,
    s_start: Array,
    beta: Array,
    gamma: Array,
    since: Array,
    denominator: Denominator = "exact",
) -> Array:
    """Spliced RNA in repression, equation (8): s0 e^(−γτ) − βu0 (e^(−γτ) − e^(−βτ))/(γ − β)."""
    quotient = exponential_difference(beta, gamma, since, denominator)
    return s_start * np.exp(-gamma * since) - beta * u_start * quotient


def velocity(beta: Array, gamma: Array, u_bar: Array, s_bar: Array) -> Array:
    """RNA velocity ds/dt = β u_bar − γ s_bar, abundance per time."""
    return beta * u_bar - gamma * s_bar
