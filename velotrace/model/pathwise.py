"""How a Dirichlet draw moves with its concentrations: the implicit (pathwise) derivative.

A component of a Dirichlet draw is Beta(a, b) distributed, a its own concentration and b the sum of
the others. Holding its rank F(x; a, b) fixed while a changes gives dx/da = −∂_a F / pdf (Figurnov,
Mohamed and Mnih, "Implicit reparameterization gradients", 2018), and the other components keep
their proportions. With y = 1 − x and w = x^a y^b / B(a, b) = x y pdf, all rests on the *log slope*

    h(x; a, b) = −∂_a F(x; a, b) / w,        ∂ log π_i/∂conc_i =  (1 − π_i) h_i,
                                             ∂ log π_j/∂conc_i = −π_i h_i   (j ≠ i).

`log_slope` computes h.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from velotrace.model.log_slope import CHUNK, log_slope
from velotrace.model.special import digamma_increase, in_chunks
from velotrace.tape import whole


def beta_log_slope(
    x: np.ndarray, complement: np.ndarray, a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """Log slope of a Beta draw, h = −∂_a F(x; a, b) B(a, b) / (x^a (1 − x)^b), at fixed b.

    Args:
        x: the draw, from 0 to 1; 0 is read as the smallest normal number, 2.2e-308.
        complement: 1 − x, given apart so that no digits are lost when x is near 1.
        a: its own concentration, positive.
        b: sum of the other concentrations, positive.

    Returns:
        h, positive, in the shape to which the four broadcast.

    Raises:
        ValueError: a or b is not positive, or the shapes do not broadcast.

    Example:
        For b = 1, F = x^a and h = −log x / (a (1 − x)):

        >>> print(beta_log_slope(0.5, 0.5, 2.0, 1.0).round(12), np.log(2.0).round(12))
        0.69314718056 0.69314718056
    """
    arrays = [np.asarray(values, dtype=np.float64) for values in (x, complement, a, b)]
    for name, values in zip("ab", arrays[2:], strict=True):
        _check_positive(name, values)
    x, complement, a, b = np.broadcast_arrays(*arrays)
    increase = digamma_increase(a + 1.0, b)
    return in_chunks(log_slope, CHUNK, x, complement, a, b, increase)[()]


def beta_slope(x: np.ndarray, complement: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Slope g = −∂_a F(x; a, b) / (pdf(x; a, b) (1 − x)) = x h, which vanishes with x.

    Arguments and errors are those of `beta_log_slope`, to be preferred where g meets 1/x.

    Example:
        >>> print(beta_slope(0.5, 0.5, 2.0, 1.0).round(12), np.log(2.0).round(12) / 2)
        0.34657359028 0.34657359028
    """
    return x * beta_log_slope(x, complement, a, b)


@whole
def dirichlet_pullback_log(
    pi: np.ndarray, concentration: np.ndarray, upstream: np.ndarray
) -> np.ndarray:
    """Adjoint of the concentrations from the adjoint of log π, where π ~ Dirichlet(concentration).

    adjoint(conc_i) = h_i [(1 − π_i) upstream_i − π_i Σ_{j≠i} upstream_j], in which 1 − π_i is the
    sum of the other components.

    Args:
        pi: the draw, shape (…, components); sums to 1 over the last axis up to round-off.
        concentration: positive, same shape.
        upstream: adjoint of log π, same shape.

    Returns:
        Adjoint of the concentrations, same shape.

    Raises:
        ValueError: the shapes differ, or a concentration is not positive.

    Example:
        With its concentration, log π_1 grows by (1 − π_1) h_1 and log π_2 shrinks by π_1 h_1:

        >>> pi, ones = np.array([0.5, 0.5]), np.ones(2)
        >>> print(dirichlet_pullback_log(pi, ones, np.array([1.0, 0.0])), np.log(2.0))
        [ 0.69314718 -0.69314718] 0.6931471805599453
    """
    pi, concentration, upstream = (
        np.asarray(values, dtype=np.float64) for values in (pi, concentration, upstream)
    )
    if not pi.shape == concentration.shape == upstream.shape:
        raise ValueError(
            "pi, concentration and upstream must have one shape; "
            f"they have {pi.shape}, {concentration.shape}, {upstream.shape}"
        )
    _check_positive("concentration", concentration)
    others = _others(pi.shape[-1])
    complement, rest = pi @ others, concentration @ others
    increase = digamma_increase(concentration + 1.0, rest)
    h = in_chunks(log_slope, CHUNK, pi, complement, concentration, rest, increase)
    return h * (complement * upstream - pi * (upstream @ others))


def dirichlet_pullback(
    pi: np.ndarray, concentration: np.ndarray, upstream: np.ndarray
) -> np.ndarray:
    """Adjoint of the concentrations from the adjoint of π, where π ~ Dirichlet(concentration).

    Σ_j upstream_j ∂π_j/∂conc_i = g_i (upstream_i − Σ_j π_j upstream_j), by way of the adjoint of
    log π, π_j upstream_j, which is moderate even where upstream_j = −r_j/π_j is near overflow.

    Arguments, result and errors are those of `dirichlet_pullback_log`, but for `upstream`, the
    adjoint of π, which must be finite.

    Example:
        >>> pi, ones = np.array([0.5, 0.5]), np.ones(2)
        >>> print(dirichlet_pullback(pi, ones, np.array([1.0, 0.0])), np.log(2.0) / 2)
        [ 0.34657359 -0.34657359] 0.34657359027997264
    """
    return dirichlet_pullback_log(pi, concentration, np.multiply(pi, upstream))


@cache
def _others(components: int) -> np.ndarray:
    """x @ this is the sum of the other components, without the loss of digits in 1 − x."""
    others = 1.0 - np.eye(components)
    others.flags.writeable = False  # every caller has this same array
    return others


def _check_positive(name: str, values: np.ndarray) -> None:
    if not np.minimum.reduce(values, axis=None, initial=np.inf) > 0.0:
        raise ValueError(f"{name} must be positive; the smallest given is {values.min()}")
