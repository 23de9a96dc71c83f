"""How a Dirichlet draw moves with its concentrations: the implicit (pathwise) derivative.

A component of a Dirichlet draw is Beta(a, b) distributed, a its own concentration and b the sum of
the others. Holding its rank F(x; a, b) fixed while a changes gives dx/da = −∂_a F / pdf (Figurnov,
Mohamed and Mnih, "Implicit reparameterization gradients", 2018), and the other components keep
their proportions. With y = 1 − x and w = x^a y^b / B(a, b) = x y pdf, all rests on the *log slope*

    h(x; a, b) = −∂_a F(x; a, b) / w,        ∂ log π_i/∂conc_i =  (1 − π_i) h_i,
                                             ∂ log π_j/∂conc_i = −π_i h_i   (j ≠ i).

h is positive and moderate, (ψ(a+1) − ψ(a+b) − log x)/a at x → 0 and (ψ(a+b) − ψ(a))/b at x → 1,
where F, ∂_a F and the density may all underflow. F is w times a power series (DLMF 8.17.8), and so
is 1 − F with x, a and y, b exchanged. Term by term, with (s)_n = s (s+1) … (s+n−1),

    h = Σ_n (a+b)_n/(a)_{n+1} x^n [ψ(a+1+n) − ψ(a+b+n) − log x]                (lower series)
      = Σ_n (a+b)_n/(b)_{n+1} y^n [ψ(a+b+n) − ψ(a) + log x],                   (upper series)

and differentiating under the integral instead, with log t* = ψ(a) − ψ(a+b),

    h = ∫_0^x (log t* − log t) r dt = ∫_x^1 (log t − log t*) r dt,             (tail integral)
    r = t^(a−1) (1−t)^(b−1) / (x^a y^b).

Each is used where its terms have one sign, or nearly, and where few are needed: a series up to
`_SHAPE` and `_REACH`, with a form of its own for small b, and a tail integral beyond. Each was
within 1e-13 of mpmath for a and b from 1e-3 to 1e3. Differences of F (as in autograd-gamma) are
good to 1e-8 in the middle and keep no digit in the tails.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from velotrace.model.special import digamma_increase, in_chunks

_BINOMIAL = 4.0
"""Up to this b the lower series is the binomial one, of as many terms as x wants."""


_TERMS = (6, 9, 13, 18, 25, 33, 41)
_SERVED = tuple((terms * 2.0**-45) ** (1.0 / terms) for terms in _TERMS[:-1])
"""How many terms of the binomial series serve which x: from there on x^N/N < 2^-45."""

_FEW = 256
"""So few entries wait more for the next operation than for the numbers."""

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
_NODES, _WEIGHTS = (0.5 * (_NODES + 1.0))[:, None], 0.5 * _WEIGHTS
"""Gauss–Legendre on [0, 1]. 22 nodes give 3e-13 over a fall by e^38, from 24 on it is round-off."""

_CHUNK, _BLOCK, _INTEGRAL_CHUNK = 16384, 16384, 1024
"""Entries at once, terms (over all entries) at once, entries integrated at once: for the cache."""


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
    return in_chunks(_log_slope, _CHUNK, x, complement, a, b, increase)[()]


def beta_slope(x: np.ndarray, complement: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Slope g = −∂_a F(x; a, b) / (pdf(x; a, b) (1 − x)) = x h, which vanishes with x.

    Arguments and errors are those of `beta_log_slope`, to be preferred where g meets 1/x.

    Example:
        >>> print(beta_slope(0.5, 0.5, 2.0, 1.0).round(12), np.log(2.0).round(12) / 2)
        0.34657359028 0.34657359028
    """
    return x * beta_log_slope(x, complement, a, b)


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
    others = 1.0 - np.eye(pi.shape[-1])  # x @ others sums the others, without the loss of 1 − x
    complement, rest = pi @ others, concentration @ others
    increase = digamma_increase(concentration + 1.0, rest)
    h = in_chunks(_log_slope, _CHUNK, pi, complement, concentration, rest, increase)
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


def _check_positive(name: str, values: np.ndarray) -> None:
    if not np.all(values > 0.0):
        raise ValueError(f"{name} must be positive; the smallest given is {values.min()}")


def _log_slope(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, increase: np.ndarray
) -> np.ndarray:
    """Choose the form for each entry; all arguments have the same single axis."""
    x = np.maximum(x, np.finfo(np.float64).tiny)
    lower = x <= 0.5
    short = lower & (b <= _BINOMIAL)
    near, own = np.minimum(x, y), np.where(lower, a, b)
    beyond = ~short & ((own > _SHAPE) | (near * (a + b) > own + _REACH))
    small_b = ~(lower | beyond) & (b < _SMALL_B)
    series = ~(short | beyond | small_b)
    forms = (
        (series & lower, _lower_series),
        (series & ~lower, _upper_series),
        (small_b, _small_b_series),
        (beyond, _tail_integral),
        (short, _binomial_series),
    )
    h = np.empty_like(x)
    for chosen, form in forms:
        index = chosen.nonzero()[0]
        if index.size:
            h[index] = form(*(values.take(index) for values in (x, y, a, b, increase)))
    return h


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
    if x.size < _FEW:  # quicker all at once; each takes the sum that it wants
        stage = np.searchsorted(_SERVED, x)
        _, sums = _binomial_terms(1, _TERMS[-1], x, x_b, a, level, coefficient, h)
        return sums[np.take(_TERMS, stage) - 2, np.arange(x.size)] * scale
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
    n = np.arange(first, end, dtype=np.float64)[:, None]
    inverse = a + n
    np.divide(1.0, inverse, out=inverse)
    sums = inverse + level
    sums *= inverse
    products = np.multiply(x_b, -1.0 / n, out=inverse)  # x (n − b)/n
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
    order = np.argsort(near)  # the quick to converge first, to be left behind block by block
    near, own, total, bracket = (values.take(order) for values in (near, own, total, bracket))
    excess = None if excess is None else excess.take(order)
    size = np.abs(bracket)
    coefficient = 1.0 / own
    h = coefficient * bracket
    space = np.empty((3, max(_BLOCK, 4 * h.size)))
    done, n = 0, 1
    while done < h.size:
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
        finished = unfinished[0] if unfinished.size else left
        coefficient = ratios[-1, finished:].copy()
        bracket = steps_of_bracket[-1, finished:].copy()
        done, n = done + finished, n + rows
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
    return length * (_WEIGHTS @ integrand)


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
