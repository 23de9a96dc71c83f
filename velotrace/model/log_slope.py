"""The log slope of a Beta draw: one form for each part of the range of x, a and b.

With y = 1 − x, w = x^a y^b / B(a, b) and F the Beta(a, b) distribution function,

    h(x; a, b) = −∂_a F(x; a, b) / w.

h is positive and moderate, (ψ(a+1) − ψ(a+b) − log x)/a at x → 0 and (ψ(a+b) − ψ(a))/b at x → 1,
where F, ∂_a F and the density may all underflow. F is w times a power series (DLMF 8.17.8), and so
is 1 − F with x, a and y, b exchanged. Term by term, with (s)_n = s (s+1) … (s+n−1),

    h = Σ_n (a+b)_n/(a)_{n+1} x^n [ψ(a+1+n) − ψ(a+b+n) − log x]                (lower series)
      = Σ_n (a+b)_n/(b)_{n+1} y^n [ψ(a+b+n) − ψ(a) + log x],                   (upper series)

and differentiating under the integral instead, with log t* = ψ(a) − ψ(a+b),

    h = ∫_0^x (log t* − log t) r dt = ∫_x^1 (log t − log t*) r dt,             (tail integral)
    r = t^(a−1) (1−t)^(b−1) / (x^a y^b).

Where b is small, (1 − t)^(b−1) may be expanded in t (DLMF 8.17.7), whose terms shrink faster:

    h = y^(−b) Σ_n (1−b)_n/n! x^n [log t* − log x + 1/(a+n)]/(a+n).         (binomial series)

Each is used where its terms have one sign, or nearly, and where few are needed: the binomial series
where b ≤ 4 and x ≤ 1/2, as most are in training; the other two up to `_SHAPE` and `_REACH`, with
a form of its own for small b; a tail integral beyond. Each was within 3e-13 of mpmath for a and b
from 1e-3 to 1e3. Differences of F (as in autograd-gamma) are good to 1e-8 in the middle and keep
no digit in the tails.

No entry's result depends, to the last bit, on which others it is computed with: sums go from term
to term, and each entry takes as many as its own x wants, or goes on until a term changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from velotrace.model.special import FEW, in_chunks

_BINOMIAL = 4.0
"""The binomial series serves x ≤ 1/2, b ≤ 4. There, (1−b)_n/n! is 3 at most, and the signs, which
alternate while n < b, cost a factor ((1 + x)/(1 − x))^3 ≤ 27 at most.
"""

_TERMS = (6, 9, 13, 18, 25, 33, 42)
_SERVED = np.array([(terms * 2.0**-47) ** (1.0 / terms) for terms in _TERMS[:-1]])
"""How many of its terms are enough, and up to which x: N where x^N/N = 2^-47."""

_LAST = np.array(_TERMS) - 2
"""The row of the last of them, where the first row is n = 1."""

_N = np.arange(1.0, _TERMS[-1])[:, None]
_MINUS_INVERSE = -1.0 / _N
"""n and −1/n, a row each."""

_SMALLEST = float(np.finfo(np.float64).tiny)
"""What a draw of 0 is read as."""

_Form = Callable[..., np.ndarray]

_SHAPE, _REACH = 20.0, 3.0
"""The lower series serves x ≤ 1/2, a ≤ 20, x (a+b) ≤ a + 3; the upper one the same of y and b.

There, 140 terms are enough and those of the wrong sign cost two digits at most. Beyond, the
tail to integrate has a concentration of at least 6 at its end, so that it is short and smooth.
"""

_SMALL_B = 0.25
"""Below this b the upper series, which cancels all but b of its terms, gets another form."""

_RESOLUTION = 2.0**-54
"""A series ends when adding another term would leave it as it is."""

_TAIL = 38.0
"""A tail integral ends where r has fallen to e^−38 of its start, a tenth of round-off."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(26)
_NODES, _WEIGHTS = 0.5 * (_NODES + 1.0)[:, None], 0.5 * _WEIGHTS[:, None]
"""Gauss–Legendre on [0, 1]. 22 nodes give 3e-13 over a fall by e^38, from 24 on it is round-off."""

CHUNK, _BLOCK, _INTEGRAL_CHUNK = 16384, 16384, 1024
"""Entries at once, terms (over all entries) at once, entries integrated at once: for the cache."""


def log_slope(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, increase: np.ndarray
) -> np.ndarray:
    """The log slope h; for each entry the form that suits it.

    Args:
        x: the draw, from 0 to 1; 0 is read as the smallest normal number. One axis, as all.
        y: 1 − x, without the digits lost in that.
        a: its own concentration.
        b: sum of the others.
        increase: ψ(a + 1 + b) − ψ(a + 1).

    Returns:
        h, same shape.
    """
    x = np.maximum(x, _SMALLEST)
    lower = x <= 0.5
    short = lower & (b <= _BINOMIAL)
    h, arguments = np.empty_like(x), np.array((x, y, a, b, increase))
    for chosen, form in ((short, _binomial_series), *_longer_forms(short, lower, x, y, a, b)):
        index = chosen.nonzero()[0]
        if index.size:
            h[index] = form(*arguments.take(index, axis=1))
    return h


def _longer_forms(
    short: np.ndarray, lower: np.ndarray, x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[tuple[np.ndarray, _Form], ...]:
    """Which form suits each of the entries that the binomial series does not."""
    near, own = np.minimum(x, y), np.where(lower, a, b)
    rest = ~short
    beyond = rest & ((own > _SHAPE) | (near * (a + b) > own + _REACH))
    rest &= ~beyond
    upper = rest & ~lower
    small_b = upper & (b < _SMALL_B)
    return (
        (rest & lower, _lower_series),
        (upper & ~small_b, _upper_series),
        (small_b, _small_b_series),
        (beyond, _tail_integral),
    )


def _binomial_series(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, increase: np.ndarray
) -> np.ndarray:
    """The lower series for small b: (1 − t)^(b−1) as a power series, integrated term by term.

    h = y^(−b) Σ_n (1−b)_n/n! x^n [L + 1/(a+n)]/(a+n), with L = log t* − log x.
    """
    bracket = 1.0 / (a + b) - increase - np.log(x)  # that of n = 0, where L + 1/a may cancel
    level = bracket - 1.0 / a  # L
    scale = np.exp(-b * np.log1p(-x))
    coefficient, h, x_b = np.ones_like(x), bracket / a, x * b
    if x.size < FEW:  # quicker all at once; each takes the sum that it wants
        last = _LAST.take(np.searchsorted(_SERVED, x))
        _, sums = _binomial_terms(1, _TERMS[-1], x, x_b, a, level, coefficient, h)
        return sums[last, np.arange(x.size)] * scale
    stage = sum((x > served).view(np.uint8) for served in _SERVED)
    order = np.argsort(stage, kind="stable")  # the quick ones first, to be left behind
    starts = np.searchsorted(stage[order], np.arange(len(_TERMS)))
    x, x_b, a, level, h = (values.take(order) for values in (x, x_b, a, level, h))
    for start, (first, end) in zip(starts, pairwise((1, *_TERMS)), strict=True):
        left = (values[start:] for values in (x, x_b, a, level, coefficient, h))
        products, sums = _binomial_terms(first, end, *left)
        coefficient[start:], h[start:] = products[-1], sums[-1]
    result = np.empty_like(h)
    result[order] = h
    return result * scale


def _binomial_terms(
    first: int,
    end: int,
    x: np.ndarray,
    x_b: np.ndarray,
    a: np.ndarray,
    level: np.ndarray,
    coefficient: np.ndarray,
    h: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients, and the sum up to each, a row for each n from `first` to before `end`."""
    rows = slice(first - 1, end - 1)
    inverse = a + _N[rows]
    np.divide(1.0, inverse, out=inverse)
    sums = inverse + level
    sums *= inverse
    products = np.multiply(x_b, _MINUS_INVERSE[rows], out=inverse)  # x (n − b)/n
    products += x
    products[0] *= coefficient
    _accumulate(np.multiply, products)
    sums *= products
    sums[0] += h
    _accumulate(np.add, sums)
    return products, sums


def _lower_series(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, increase: np.ndarray
) -> np.ndarray:
    """The brackets grow by 1/(a + n) − 1/(a + b + n − 1) = (b − 1)/((a + n)(a + b + n − 1))."""
    total = a + b
    return _series(x, a, total, 1.0 / total - increase - np.log(x), b - 1.0)


def _upper_series(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, increase: np.ndarray
) -> np.ndarray:
    """The brackets grow by 1/(a + b + n − 1)."""
    total = a + b
    return _series(y, b, total, increase + b / (a * total) + np.log1p(-y), None)


def _series(
    near: np.ndarray,
    own: np.ndarray,
    total: np.ndarray,
    bracket: np.ndarray,
    excess: np.ndarray | None,
) -> np.ndarray:
    """Sum a series from its first bracket; `excess` is b − 1 in the lower one, None in the upper.

    With p = near ≤ 1/2, A = own and N = a + b, step n multiplies the coefficient by
    p (N + n − 1)/(A + n). Sums and products go from term to term and end where terms no longer
    change them, so that no entry's result depends on which others it is computed with.
    """
    order = None if near.size < FEW else np.argsort(near)
    if order is not None:  # the quick to converge first, to be left behind block by block
        near, own, total, bracket = (values.take(order) for values in (near, own, total, bracket))
        excess = None if excess is None else excess.take(order)
    size = np.abs(bracket)
    coefficient = 1.0 / own
    h = coefficient * bracket
    space = np.empty((3, max(_BLOCK, 4 * h.size)))
    done, n = 0, 1
    while True:
        left = h.size - done
        rows = max(4, min(_BLOCK // left, 64))
        terms, steps_of_bracket, ratios = space[:, : rows * left].reshape(3, rows, left)
        steps = np.arange(n, n + rows, dtype=np.float64)[:, None]
        below, above = terms, ratios
        np.add(own[done:], steps, out=below)
        np.add(total[done:], steps - 1.0, out=above)
        if excess is None:
            np.divide(1.0, above, out=steps_of_bracket)
        else:
            np.multiply(below, above, out=steps_of_bracket)
            np.divide(excess[done:], steps_of_bracket, out=steps_of_bracket)
        above *= near[done:]
        ratios /= below
        ratios[0] *= coefficient
        steps_of_bracket[0] += bracket
        _accumulate(np.multiply, ratios)
        _accumulate(np.add, steps_of_bracket)
        np.multiply(ratios, steps_of_bracket, out=terms)
        terms[0] += h[done:]
        _accumulate(np.add, terms)
        h[done:] = terms[-1]
        last = ratios[-1] * (size[done:] + np.abs(steps_of_bracket[-1]))
        unfinished = (last > _RESOLUTION * h[done:]).nonzero()[0]
        if not unfinished.size:
            break
        finished = 0 if order is None else unfinished[0]
        coefficient = ratios[-1, finished:].copy()
        bracket = steps_of_bracket[-1, finished:].copy()
        done, n = done + finished, n + rows
    if order is None:
        return h
    result = np.empty_like(h)
    result[order] = h
    return result


def _accumulate(operation: np.ufunc, rows: np.ndarray) -> None:
    """Replace each row by the running product or sum of the rows up to it."""
    if rows.shape[1] < 128:
        operation.accumulate(rows, axis=0, out=rows)
    else:  # which walks down one column after the other: ten times slower when there are many
        for above, row in pairwise(rows):
            operation(above, row, out=row)


def _small_b_series(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, increase: np.ndarray
) -> np.ndarray:
    """Sum the upper series, from which b has been divided out.

    b h = Σ_n e_n y^n [ψ(a+b+n) − ψ(a) + log x], e_n = (a+b)_n/(b+1)_n, would be 0 at b = 0:
    Σ_n f_n y^n [ψ(a+n) − ψ(a) + log x] = ∂_a x^(−a) + x^(−a) log x, f_n = (a)_n/n!. Subtracting the
    two term by term, with ρ = e/f, leaves

        h = Σ_n f_n y^n {δ_n [ψ(a+n) − ψ(a) + log x] + ρ_n (ψ(a+b+n) − ψ(a+n))/b},
        δ_n = (ρ_n − 1)/b,  δ_{n+1} = δ_n + q_n ρ_n,  q_n = (1−a)/((a+n)(b+n+1)).
    """
    total, log_x = a + b, np.log1p(-y)
    coefficient, delta, bracket = np.ones_like(y), np.zeros_like(y), log_x
    slope = increase / b + 1.0 / (a * total)
    h = slope
    n, unfinished = 0, True
    while unfinished:
        delta = delta + (1.0 - a) / ((a + n) * (b + n + 1.0)) * (1.0 + b * delta)
        bracket = bracket + 1.0 / (a + n)
        slope = slope - 1.0 / ((a + n) * (total + n))
        coefficient = coefficient * y * (a + n) / (n + 1.0)
        h = h + coefficient * (delta * bracket + (1.0 + b * delta) * slope)
        size = np.abs(delta) * (np.abs(bracket) - log_x) + np.abs(slope)
        unfinished = bool(np.any(coefficient * size > _RESOLUTION * h))
        n += 1
    return h


def _tail_integral(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, increase: np.ndarray
) -> np.ndarray:
    """Integrate over the tail without t*, where the integrand has one sign."""
    log_x = np.where(x > 0.5, np.log1p(-np.minimum(y, 0.5)), np.log(x))
    to_centre = increase + b / (a * (a + b)) + log_x  # log x − log t*
    return in_chunks(_tail_quadrature, _INTEGRAL_CHUNK, x, y, a, b, to_centre)


def _tail_quadrature(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, to_centre: np.ndarray
) -> np.ndarray:
    """Apply Gauss–Legendre to v, how far logit t is from logit x.

    In the lower tail let p, q, A, B = x, y, a, b, in the upper one y, x, b, a. Then

        r |dt| = e^(−A v − (a+b) ℓ) dv,    ℓ = log(q + p e^−v) ≤ 0.

    The end's component of t is p e^(−v−ℓ), the other one q e^−ℓ, so that log t moves away from
    log x by v + ℓ in the lower tail and by −ℓ in the upper.
    """
    lower = to_centre < 0.0
    p, q = np.where(lower, x, y), np.where(lower, y, x)
    own, other = np.where(lower, a, b), np.where(lower, b, a)
    length = _tail_length(p, q, own, other)
    v = length * _NODES
    log_share = np.log1p(p * np.expm1(-v))  # ℓ
    integrand = np.exp(-own * v - (a + b) * log_share)
    integrand *= np.abs(to_centre) + np.where(lower, v + log_share, -log_share)
    integrand *= _WEIGHTS
    _accumulate(np.add, integrand)
    return length * integrand[-1]


def _tail_length(p: np.ndarray, q: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The v at which −log r = A v + (a+b) ℓ reaches `_TAIL`; it need not be exact.

    It is convex in v. Newton's method from the root of its parabola at 0 overshoots once at most,
    then descends towards the root.
    """
    total = own + other
    slope = np.maximum(own * q - other * p, 0.0)
    length = 2.0 * _TAIL / (slope + np.sqrt(slope**2 + 2.0 * _TAIL * total * p * q))
    for _ in range(5):
        odds = p + q * np.exp(length)  # e^(v + ℓ)
        fall = total * np.log(odds) - other * length
        length = length - (fall - _TAIL) / (own - total * p / odds)
    return length
