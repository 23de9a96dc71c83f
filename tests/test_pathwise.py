"""The implicit derivative of a Dirichlet draw, by routes that share no code with it.

Reference: mpmath's incomplete Beta function, differentiated numerically by a with 50 digits, in the
tail in which the point lies, and divided by w = x^a y^b / B(a, b).

Tolerance: 1e-12. The worst that was found over 8,000 points with a and b from 1e-3 to 1e3 is 2e-13:
the binomial series leaves out what is below 2^-47, which is more of h where b is small and a large.
Elsewhere it is 8e-14: where a and b are large, log r is a difference of numbers near 1000 (times
2.2e-16); where they are small, up to two digits cancel in the series.
"""

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from velotrace.model import log_slope
from velotrace.model.pathwise import (
    beta_log_slope,
    beta_slope,
    dirichlet_pullback,
    dirichlet_pullback_log,
)
from velotrace.model.special import digamma_increase, trigamma

CLOSE = 1e-12
SMALLEST = np.finfo(np.float64).tiny

shapes = st.floats(-3, 3).map(lambda exponent: 10.0**exponent)
wide_shapes = st.floats(-6, 6).map(lambda exponent: 10.0**exponent)
logits = st.floats(-700, 700)


def reference(x, y, a, b):
    """h from mpmath; the smaller of x and y is taken as given, the other one as 1 less it."""
    with mpmath.workdps(50):
        x, y, a, b = (mpmath.mpf(float(v)) for v in (x, y, a, b))
        x, y = (x, 1 - x) if x <= 0.5 else (1 - y, y)
        # where the larger one rounds to 1, its logarithm still comes from the smaller one
        log_x = mpmath.log(x) if x <= 0.5 else mpmath.log1p(-y)
        log_y = mpmath.log(y) if y <= 0.5 else mpmath.log1p(-x)
        if x * (a + b) <= a:
            slope = -mpmath.diff(lambda s: mpmath.betainc(s, b, 0, x, regularized=True), a)
        else:
            slope = mpmath.diff(lambda s: mpmath.betainc(b, s, 0, y, regularized=True), a)
        return float(slope * mpmath.beta(a, b) * mpmath.exp(-a * log_x - b * log_y))


def sides(logit):
    """x and 1 − x, each to full precision."""
    return scipy.special.expit(logit), scipy.special.expit(-logit)


def assert_equals_reference(points, rtol=CLOSE):
    points = np.array(points, dtype=float)
    expected = [reference(*point) for point in points]
    assert_allclose(beta_log_slope(*points.T), expected, rtol=rtol)


# ---- against mpmath -------------------------------------------------------------------------

SHAPES = [1e-3, 0.03, 0.24, 0.26, 1.0, 3.0, 19.9, 20.1, 150.0, 1e3]


def points_of_rank(a, b):
    """x, y at ranks from 1e-12 to 1 − 1e-12, each found in the tail where it keeps its digits."""
    for rank in (1e-12, 1e-4, 0.2):
        x, y = scipy.special.betaincinv(a, b, rank), scipy.special.betaincinv(b, a, rank)
        for left, right in ((x, 1.0 - x), (1.0 - y, y)):
            if left >= SMALLEST and right >= SMALLEST:
                yield left, right, a, b


@pytest.mark.parametrize("a", SHAPES)
def test_at_ranks_from_one_tail_to_the_other(a):
    assert_equals_reference([point for b in SHAPES for point in points_of_rank(a, b)])


@pytest.mark.parametrize("tail", [SMALLEST, 1e-300, 1e-100, 1e-12, 1e-4])
def test_at_the_ends(tail):
    """x or its complement down to the smallest normal number: F and ∂_a F themselves underflow."""
    ends = [(tail, 1.0 - tail), (1.0 - tail, tail)]
    assert_equals_reference(
        [(*end, a, b) for end in ends for a in SHAPES[::2] for b in SHAPES[::3]]
    )


def test_on_both_sides_of_every_switch():
    """x = 1/2; a = 20; x (a + b) = a + 3; b = 1/4; b = 4; each number of terms: a hair off."""
    points = []
    for hair in (-1e-9, 1e-9):
        points += [
            (0.5 + hair, 0.5 - hair, a, b) for a in (0.3, 8.0, 40.0) for b in (0.1, 2.0, 9.0)
        ]
        points += [(0.3, 0.7, 20.0 + hair, b) for b in (5.0, 40.0)]
        points += [(0.7, 0.3, a, 20.0 + hair) for a in (5.0, 40.0)]
        points += [(0.7, 0.3, a, 0.25 + hair) for a in (0.5, 5.0)]
        points += [(x, 1.0 - x, a, 4.0 + hair) for x in (0.02, 0.48) for a in (0.01, 1.0, 50.0)]
        points += [
            (x * (1.0 + hair), 1.0 - x * (1.0 + hair), a, b)
            for x in log_slope._SERVED
            for a, b in ((1e-3, 1e-3), (0.7, 2.1), (500.0, 0.02))
        ]
        for own, other in ((0.01, 50.0), (1.0, 200.0), (15.0, 900.0)):
            near = (own + 3.0) / (own + other) * (1.0 + hair)
            points += [(near, 1.0 - near, own, other), (1.0 - near, near, other, own)]
    assert_equals_reference(points)


@settings(max_examples=150, deadline=None)
@given(logit=st.floats(-30, 30), a=shapes, b=shapes)
def test_anywhere(logit, a, b):
    """Most of these lie far in a tail."""
    x, y = sides(logit)
    assert_equals_reference([(x, y, a, b)])


@pytest.mark.parametrize(
    ("a", "b"), [(1e-6, 1e-6), (1e-6, 1e4), (1e4, 1e-6), (1e5, 3.0), (2.0, 1e5)]
)
def test_beyond_the_range_promised(a, b):
    """Outside 1e-3 … 1e3 few digits are lost. For both large, see the recurrence in a."""
    middle = [(*sides(logit), a, b) for logit in (-20.0, -1.0, 1.0, 20.0)]
    assert_equals_reference([*points_of_rank(a, b), *middle])


# ---- identities -----------------------------------------------------------------------------


@given(logit=logits, a=wide_shapes)
def test_closed_form_for_b_1(logit, a):
    """F(x; a, 1) = x^a, so h = −log x / (a y)."""
    x, y = sides(logit)
    assume(y >= SMALLEST)
    log_x = np.log(x) if x <= 0.5 else np.log1p(-y)
    assert_allclose(beta_log_slope(x, y, a, 1.0), -log_x / (a * y), rtol=CLOSE)


@given(logit=logits, a=wide_shapes, b=wide_shapes)
def test_recurrence_in_a(logit, a, b):
    """a h(a, b) = (a + b) x h(a + 1, b) + ψ(a + 1) − ψ(a + b) − log x, from DLMF 8.17.20.

    Held where the right side is a sum of positive terms, and up to a = b = 1e6.
    """
    x, y = sides(logit)
    assume(x * (a + b) <= a)
    log_x = np.log(x) if x <= 0.5 else np.log1p(-y)
    increase = digamma_increase(np.array([a + 1.0]), np.array([b]))[0]
    first = 1.0 / (a + b) - increase - log_x
    expected = (first + (a + b) * x * beta_log_slope(x, y, a + 1.0, b)) / a
    assert_allclose(beta_log_slope(x, y, a, b), expected, rtol=1e-10)


@given(a=st.floats(8, 20), b=st.floats(0.3, 200), fraction=st.floats(1e-3, 1))
def test_series_and_integral_agree_where_both_hold(a, b, fraction):
    x = fraction * min(0.5, (a + 3.0) / (a + b))
    both = []
    for binomial, shape in ((4.0, 20.0), (0.0, 0.0)):  # the second leaves all to the integral
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(log_slope, "_BINOMIAL", binomial)
            patch.setattr(log_slope, "_SHAPE", shape)
            both.append([beta_log_slope(x, 1 - x, a, b), beta_log_slope(1 - x, x, b, a)])
    assert_allclose(*both, rtol=CLOSE)


@given(logit=logits, a=wide_shapes, b=wide_shapes)
def test_positive_and_finite_everywhere(logit, a, b):
    h = beta_log_slope(*sides(logit), a, b)
    assert np.isfinite(h)
    assert h > 0


@given(a=wide_shapes, b=wide_shapes)
def test_limits_at_0_and_1(a, b):
    """h → (ψ(a + 1) − ψ(a + b) − log x)/a and (ψ(a + b) − ψ(a))/b."""
    increase = digamma_increase(np.array([a + 1.0]), np.array([b]))[0]
    at_0 = (1.0 / (a + b) - increase - np.log(SMALLEST)) / a
    at_1 = (increase + b / (a * (a + b))) / b
    assert_allclose(beta_log_slope(SMALLEST, 1.0, a, b), at_0, rtol=CLOSE)
    assert_allclose(beta_log_slope(1.0, SMALLEST, a, b), at_1, rtol=CLOSE)
    # exact ends are read as the nearest numbers inside
    assert beta_log_slope(0.0, 1.0, a, b) == beta_log_slope(SMALLEST, 1.0, a, b)
    assert_allclose(beta_log_slope(1.0, 0.0, a, b), at_1, rtol=CLOSE)


# ---- against differences --------------------------------------------------------------------


@pytest.mark.parametrize("a", [0.4, 1.0, 6.0, 40.0])
@pytest.mark.parametrize("b", [0.7, 2.0, 30.0])
def test_against_differences_of_the_quantile(a, b):
    """dx/da at fixed rank is (1 − x) g.

    A central difference over ±3e-5 a errs by about 1e-9 (its truncation) plus 2.2e-16/3e-5.
    """
    rank = np.linspace(0.05, 0.95, 19)
    x = scipy.special.betaincinv(a, b, rank)
    step = 3e-5 * a
    later, earlier = (scipy.special.betaincinv(a + s, b, rank) for s in (step, -step))
    expected = (later - earlier) / (2 * step)
    assert_allclose((1 - x) * beta_slope(x, 1 - x, a, b), expected, rtol=1e-7)


def test_differences_of_the_distribution_function_would_not_do():
    """Why there are series here, and proof that the tolerance of this file can be missed."""

    def by_differences(x, a, b):
        step = 1e-6 * a
        later, earlier = (scipy.special.betainc(a + s, b, x) for s in (step, -step))
        return -(later - earlier) / (2 * step) / scipy.stats.beta.pdf(x, a, b) / (1 - x) / x

    middle, tail = (0.3, 0.7, 0.5, 2.0), (1 - 1e-9, 1e-9, 0.5, 2.0)
    error = [
        abs(by_differences(x, a, b) / reference(x, y, a, b) - 1) for x, y, a, b in (middle, tail)
    ]
    assert 1e-12 < error[0] < 1e-7
    assert error[1] > 0.1


# ---- the Dirichlet draw ---------------------------------------------------------------------


MIDDLE = np.random.default_rng(3).dirichlet([0.5, 1.0, 0.7, 1.5], size=4)
CORNER = np.array([1e-20, 1.0, 3e-25, 2e-22])


@pytest.mark.parametrize("pi", [*MIDDLE, CORNER])
@pytest.mark.parametrize("concentration", [[0.4, 1.1, 0.8, 2.0], [1e-10, 40.0, 1e-9, 2e-10]])
def test_pullback_is_the_jacobian_transposed(pi, concentration):
    """∂π_i/∂conc_i = (1 − π_i) g_i, ∂π_j/∂conc_i = −π_j g_i, written out with mpmath's h.

    At the corner, and for one large concentration, 1 − π_i and Σ conc − conc_i must come from the
    other components. The result may cancel, its terms do not: they set the scale.
    """
    upstream = np.array([0.3, -1.2, 0.7, 0.1])
    jacobian = np.empty((4, 4))
    for i in range(4):
        rest, rest_concentration = (np.delete(v, i).sum() for v in (pi, concentration))
        g = pi[i] * reference(pi[i], rest, concentration[i], rest_concentration)
        jacobian[:, i] = -pi * g
        jacobian[i, i] = rest * g
    scale = np.abs(upstream) @ np.abs(jacobian)
    result = dirichlet_pullback(pi, np.array(concentration), upstream)
    assert_allclose(result / scale, upstream @ jacobian / scale, atol=CLOSE)


def test_mean_of_the_derivative_is_the_derivative_of_the_mean():
    """E[log π_j] = ψ(conc_j) − ψ(Σ conc), whose derivatives are trigammas.

    The mean over 50,000 draws with a fixed seed must meet them within 5 standard errors, and the
    standard errors are below 3 %.
    """
    concentration = np.array([0.3, 0.8, 1.5, 2.0])
    draws = np.random.default_rng(11).dirichlet(concentration, size=50_000)
    draws = np.maximum(draws, SMALLEST)
    everywhere = np.broadcast_to(concentration, draws.shape)
    for i in range(4):
        upstream = np.broadcast_to(np.eye(4)[i], draws.shape)
        samples = dirichlet_pullback_log(draws, everywhere, upstream)
        expected = np.eye(4)[i] * trigamma(concentration[i]) - trigamma(concentration.sum())
        error = samples.std(axis=0) / np.sqrt(len(draws))
        assert np.all(np.abs(samples.mean(axis=0) - expected) < 5 * error)
        assert np.all(error < 0.03 * np.abs(expected))


def test_adjoint_near_overflow_where_a_component_underflows():
    """upstream = −r/π with π = 2.2e-308: the product is moderate and so is the result."""
    pi = np.array([SMALLEST, 0.7, 0.2, 0.1])
    concentration = np.array([0.05, 1.0, 0.3, 0.2])
    responsibility = np.array([0.9, 0.05, 0.03, 0.02])
    result = dirichlet_pullback(pi, concentration, -responsibility / pi)
    assert np.all(np.isfinite(result))
    others = 1.0 - np.eye(4)
    rows = zip(pi, pi @ others, concentration, concentration @ others, strict=True)
    h = np.array([reference(*row) for row in rows])
    # Σ_j π_j upstream_j is −Σ_j responsibility_j = −1
    assert_allclose(result, h * (pi - responsibility), rtol=1e-11)


def test_a_draw_at_the_very_edge_does_not_give_nan():
    """As a pinned draw may be: the component that is 0 does not move."""
    edge, concentration = np.array([0.0, 1.0, 0.0, 0.0]), np.array([0.05, 1.0, 0.3, 0.2])
    assert_allclose(dirichlet_pullback(edge, concentration, np.arange(4.0)), 0.0, atol=1e-15)


def test_concentrations_too_small_to_show_in_their_sum():
    """40 + 1e-20 is 40 in float64; what is left for the others must not become 0."""
    concentration = np.array([1e-20, 40.0, 1e-19, 2e-20])
    result = dirichlet_pullback(np.array([0.1, 0.7, 0.1, 0.1]), concentration, np.arange(4.0))
    assert np.all(np.isfinite(result))


# ---- shapes and errors ----------------------------------------------------------------------


def test_many_entries_at_once_equal_each_alone():
    """More entries than a chunk, of every regime, mixed: the same to the last bit."""
    numbers = np.random.default_rng(5)
    count = 20_000
    a, b = 10.0 ** numbers.uniform(-3, 3, (2, count))
    x, y = sides(numbers.uniform(-20, 20, count))
    h = beta_log_slope(x, y, a, b)
    few = numbers.choice(count, 500, replace=False)
    alone = [beta_log_slope(x[i], y[i], a[i], b[i]) for i in few]
    assert np.array_equal(h[few], alone)


def test_broadcasting_scalars_and_empty_arrays():
    assert beta_log_slope([[0.2], [0.3]], [[0.8], [0.7]], [1.0, 2.0, 3.0], 1.0).shape == (2, 3)
    assert isinstance(beta_log_slope(0.2, 0.8, 1, 1), np.float64)
    assert beta_log_slope(np.empty((0, 4)), 1.0, 1.0, 1.0).shape == (0, 4)
    assert dirichlet_pullback(*np.full((3, 2, 5, 4), 0.25)).shape == (2, 5, 4)


def test_arguments_are_left_alone():
    pi, concentration, upstream = np.full((3, 6, 4), 0.25)
    dirichlet_pullback(pi, concentration, upstream)
    for array in (pi, concentration, upstream):
        assert np.all(array == 0.25)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_concentrations_must_be_positive(bad):
    with pytest.raises(ValueError, match="a must be positive; the smallest given is"):
        beta_log_slope(0.5, 0.5, [1.0, bad], 1.0)
    with pytest.raises(ValueError, match="b must be positive"):
        beta_log_slope(0.5, 0.5, 1.0, bad)
    with pytest.raises(ValueError, match="must be positive"):
        dirichlet_pullback(np.full(2, 0.5), np.array([1.0, bad]), np.ones(2))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2,\), \(3,\), \(2,\)"):
        dirichlet_pullback(np.full(2, 0.5), np.ones(3), np.ones(2))
