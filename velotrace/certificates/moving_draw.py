"""How a Dirichlet draw moves with its concentrations, from its distribution function alone.

Nothing is drawn anew and no derivative of ours is used: with F the Beta(a, b) distribution function
of one component, d log π_i/da = −∂_a F / (pdf · π_i), where ∂_a F is a difference quotient of
scipy's `betainc`, taken in the tail where F or 1 − F is the smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

from velotrace.tape import Intervention, Replace

_STEPS = 2.0 ** -np.arange(3.0, 12.0, 2.0)  # relative to a
_STENCIL = np.array([-2.0, -1.0, 1.0, 2.0])
_WEIGHTS = np.array([1.0, -8.0, 8.0, -1.0]) / 12.0
_NOISE = 2e-14
"""Relative error allowed for scipy's incomplete beta function."""

_TINY = 1e-20  # x, or 1 − x, below which the next term of the tail's series is lost
_LEAST = float(np.nextafter(0.0, 1.0))  # a probability moved below any float stays above 0

_MOST_GROWTH = 700.0  # e^709 overflows; only a step far too large to win comes near it


@dataclass(frozen=True)
class MovingDraw:
    """A draw and how its logs move with the concentrations.

    Attributes:
        pi: the draw, shape (cell, gene, state).
        concentration: where it was drawn, same shape.
        slope: d log π_j / d concentration_i at [..., j, i].
        error: bound on each slope's error, same shape.
    """

    pi: np.ndarray
    concentration: np.ndarray
    slope: np.ndarray
    error: np.ndarray

    def follow(self, values: Mapping[str, Any]) -> Mapping[str, Intervention]:
        """Move π along with the shifted concentrations of a stacked run, in logs."""
        change = values["concentration"] - self.concentration
        growth = np.einsum("...ji,...i->...j", self.slope, change)
        moved = self.pi * np.exp(np.clip(growth, -_MOST_GROWTH, _MOST_GROWTH))
        return {"pi": Replace(np.maximum(moved, _LEAST))}


def moving_draw(pi: np.ndarray, concentration: np.ndarray) -> MovingDraw:
    """Work out how a draw moves.

    Args:
        pi: shape (cell, gene, state), last axis summing to 1.
        concentration: same shape.

    Returns:
        The draw with its slopes and their errors.
    """
    states = pi.shape[-1]
    others = 1.0 - np.eye(states)
    complement, b = pi @ others, concentration @ others
    own, error = _own_slope(pi, complement, concentration, b)
    # the others keep their proportions: d log π_j = −dπ_i / (1 − π_i)
    jacobian = np.where(np.eye(states) > 0.0, 1.0, -(pi / complement)[..., None, :])
    return MovingDraw(
        pi, concentration, jacobian * own[..., None, :], np.abs(jacobian) * error[..., None, :]
    )


def _own_slope(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """d log π_i / da and a bound on its error; x = π_i, y = 1 − π_i."""
    lower = scipy.special.betainc(a, b, x) <= 0.5
    steps = _STEPS.reshape(-1, *[1] * a.ndim) * a
    shifted = a + _STENCIL.reshape(-1, *[1] * steps.ndim) * steps

    def log_tail(at: np.ndarray) -> np.ndarray:
        return np.where(lower, _log_lower_tail(at, b, x), _log_upper_tail(at, b, y, x))

    quotient = np.tensordot(_WEIGHTS, log_tail(shifted), axes=1) / steps
    error = np.abs(np.diff(quotient, axis=0)) / 8.0 + 1.5 * _NOISE / steps[1:]
    best = np.argmin(error, axis=0)[None]
    slope, error = (np.take_along_axis(q, best, axis=0)[0] for q in (quotient[1:], error))
    # ∂_a F = ± tail · ∂_a log tail, and the density times x is x^a y^(b−1) / B(a, b)
    log_density = a * np.log(x) + (b - 1.0) * np.log(y) - scipy.special.betaln(a, b)
    scale = np.exp(log_tail(a) - log_density)
    return np.where(lower, -1.0, 1.0) * scale * slope, scale * error


def _log_lower_tail(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    """log F(x; a, b). Where F underflows, its leading term x^a/(a B(a, b)) is F to the last bit."""
    tail = scipy.special.betainc(a, b, x)
    leading = a * np.log(x) - np.log(a) - scipy.special.betaln(a, b)
    return np.where(x < _TINY, leading, np.log(np.where(x < _TINY, 1.0, tail)))


def _log_upper_tail(a: np.ndarray, b: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """log(1 − F(x; a, b)) likewise, y = 1 − x."""
    tail = scipy.special.betaincc(a, b, x)
    leading = b * np.log(y) - np.log(b) - scipy.special.betaln(a, b)
    return np.where(y < _TINY, leading, np.log(np.where(y < _TINY, 1.0, tail)))
