"""Special functions that SciPy lacks, computes slowly, or computes with cancellation.

DLMF is the NIST Digital Library of Mathematical Functions. Its asymptotic series are used from
argument 9 on, which nine steps of the recurrence reach from 0, and eight from 1; there, eight terms
leave less than 3e-16 of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.special

from velotrace.tape import whole

_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
"""B_2, B_4, …, B_16."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(7)
_NODES = 0.5 * (_NODES + 1.0)[:, None]
_WEIGHTS = 0.5 * _WEIGHTS[:, None] * _NODES
"""Gauss–Legendre on [0, 1], for ∫ s f(s) ds."""

_PAIRS = np.array([[k * (8.0 - k)] for k in (3, 2, 1, 0)])
"""c of each pair of `trigamma`'s shifts, one row each."""

_CHUNK = 16384
"""Entries worked on at once."""

FEW = 256
"""Up to so many entries, calling an operation takes longer than its numbers do."""


def in_chunks(function: Callable[..., np.ndarray], size: int, *arrays: np.ndarray) -> np.ndarray:
    """Call an elementwise function on `size` entries at a time, which stay in the cache.

    Args:
        function: of as many arrays as given, to one array; all of one and the same axis.
        size: how many entries at once.
        arrays: of one shape, any.

    Returns:
        What the function returns, in that shape.

    Example:
        >>> in_chunks(np.add, 2, np.arange(3), np.arange(3)).tolist()
        [0, 2, 4]
    """
    shape, entries = arrays[0].shape, arrays[0].size
    flat = [array.reshape(-1) for array in arrays]
    if entries <= size:
        return function(*flat).reshape(shape)
    starts = range(0, entries, size)
    parts = [function(*(array[i : i + size] for array in flat)) for i in starts]
    return np.concatenate(parts).reshape(shape)


@whole
def sums_along(axis: int, several: Sequence[np.ndarray]) -> np.ndarray:
    """The sum along one axis of each of several arrays of one shape, side by side.

    Of few numbers all are summed at once, since there one sum costs what eight do.

    Example:
        >>> [x.tolist() for x in sums_along(-2, [np.ones((3, 2)), np.zeros((3, 2))])]
        [[3.0, 3.0], [0.0, 0.0]]
    """
    if several[0].size < FEW:
        return np.add.reduce(np.array(several), axis=axis)
    return np.array([np.add.reduce(x, axis=axis) for x in several])


@whole
def exprel_slope(x: np.ndarray) -> np.ndarray:
    """Derivative of exprel(x) = (e^x − 1)/x.

    exprel'(x) = ((x − 1) e^x + 1)/x² = ∫_0^1 s e^(xs) ds. The closed form loses every digit as
    x → 0, and at most two bits from |x| = 1 on; the integral is used within, by Gauss's rule.

    Args:
        x: finite, any shape. Above 709 the result is inf, as e^x is.

    Returns:
        Same shape, positive; relative error below 1e-15.

    Example:
        >>> exprel_slope(np.array([0.0, -1e-7, -2.0])).round(6).tolist()
        [0.5, 0.5, 0.148499]
    """
    return in_chunks(_exprel_slope_chunk, _CHUNK, np.asarray(x, dtype=np.float64))[()]


def _exprel_slope_chunk(x: np.ndarray) -> np.ndarray:
    near = np.abs(x) < 1.0
    if near.all():
        return _exprel_slope_integral(x)
    result = (x - 1.0) * np.exp(x) + 1.0
    divisor = x + near  # never 0
    result /= divisor
    result /= divisor  # in two steps, since x² could overflow
    inside = near.nonzero()[0]
    result[inside] = _exprel_slope_integral(x[inside])
    return result


def _exprel_slope_integral(x: np.ndarray) -> np.ndarray:
    terms = _NODES * x
    np.exp(terms, out=terms)
    terms *= _WEIGHTS
    return np.add.reduce(terms, axis=0)


def trigamma(x: np.ndarray) -> np.ndarray:
    """Second derivative of log Γ, some ten times faster than `scipy.special.polygamma`.

    ψ'(x) = Σ_{k<9} 1/(x + k)² + ψ'(x + 9), and for large z (DLMF 5.15.8)
    ψ'(z) ~ 1/z + 1/(2z²) + Σ_k B_2k / z^(2k + 1).

    Args:
        x: positive, any shape.

    Returns:
        Same shape; relative error below 2e-15 from 1e-6 to 1e8.

    Example:
        π²/6 and π²/2:

        >>> trigamma(np.array([1.0, 0.5])).round(9).tolist()
        [1.644934067, 4.934802201]
    """
    return in_chunks(_trigamma_chunk, _CHUNK, np.asanyarray(x, dtype=np.float64))[()]


def _trigamma_chunk(x: np.ndarray) -> np.ndarray:
    inverse = 1.0 / (x + 9.0)
    square = inverse * inverse
    total = _BERNOULLI[-1] * square
    for bernoulli in _BERNOULLI[-2::-1]:
        total += bernoulli
        total *= square
    total += 1.0
    total *= inverse
    total += 0.5 * square
    # 1/(x + k)² and 1/(x + 8 − k)² are added as one fraction: with s = x (x + 8) and c = k (8 − k),
    # (x + k)(x + 8 − k) = s + c and (x + k)² + (x + 8 − k)² = 2s + 64 − 2c. k = 4 stands alone.
    s = x * (x + 8.0)
    denominator = s + _PAIRS
    denominator *= denominator
    pairs = 2.0 * s + (64.0 - 2.0 * _PAIRS)
    pairs /= denominator
    total += np.add.reduce(pairs, axis=0)
    s += 16.0
    total += 1.0 / s
    return total


def digamma_increase(x: np.ndarray, step: np.ndarray) -> np.ndarray:
    """ψ(x + step) − ψ(x), accurate also where the two nearly cancel.

    Where they do not, SciPy's digamma is the faster.

    Args:
        x: at least 1, any shape.
        step: nonnegative, same shape.

    Returns:
        Same shape, nonnegative; relative error below 2e-14 for x up to 1e6.

    Example:
        >>> digamma_increase(np.array([1.0]), np.array([2.0])).round(12).tolist()  # 1 + 1/2
        [1.5]
    """
    increase = np.asarray(scipy.special.digamma(x + step) - scipy.special.digamma(x))
    short = 4.0 * step < x
    if short.any():
        increase[short] = _short_digamma_increase(x[short], step[short])
    return increase


def _short_digamma_increase(x: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Difference the recurrence and the asymptotic series (DLMF 5.5.2, 5.11.2) term by term.

    With z = x + 8 and Z = z + step it is Σ_{k<8} step/((x + k)(x + step + k)) + log(Z/z)
    + (1/z − 1/Z)/2 + P(z^−2) − P(Z^−2), where P(s) = Σ_k B_2k/(2k) s^k.
    """
    z = x + 8.0
    inner, outer = 1.0 / z, 1.0 / (z + step)
    gap = step * inner * outer  # 1/z − 1/Z
    sum_of_inverses = inner + outer
    inner *= inner
    outer *= outer
    value = np.full_like(z, _BERNOULLI[-1] / 16.0)  # Horner's scheme for P at Z^−2 …
    divided_difference = value.copy()  # … and for (P(z^−2) − P(Z^−2))/(z^−2 − Z^−2)
    for k in range(7, 0, -1):
        value *= outer
        value += _BERNOULLI[k - 1] / (2.0 * k)
        divided_difference *= inner
        divided_difference += value
    total = gap * (0.5 + sum_of_inverses * divided_difference) + np.log1p(step / z)
    for k in range(7, -1, -1):
        total += step / ((x + k) * (x + step + k))
    return total
