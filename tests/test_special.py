"""The special functions against mpmath and against identities they must satisfy.

Tolerances: each value is a sum of a few dozen rounded terms, nearly all of one sign, so a handful
of units in the last place (2.2e-16) is what can be asked: 2e-15, and 2e-14 for the difference of
two digammas, each of which may be 60 times as large as their difference is.
"""

import mpmath
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from velotrace.model.special import digamma_increase, exprel_slope, in_chunks, trigamma

CLOSE = 2e-15


def high_precision(function, *arrays):
    """Evaluate an mpmath function entry by entry with 50 digits, and round to float64."""
    with mpmath.workdps(50):
        rows = zip(*(array.tolist() for array in arrays), strict=True)
        return np.array([float(function(*map(mpmath.mpf, row))) for row in rows])


def exprel_slope_closed(x):
    return ((x - 1) * mpmath.exp(x) + 1) / x**2


# ---- exprel_slope ---------------------------------------------------------------------------


def test_exprel_slope_against_mpmath():
    """On both sides of 0, of the switch at |x| = 1, and down to −10⁴."""
    sizes = np.geomspace(1e-9, 1e4, 150)
    x = np.concatenate([-sizes, sizes[sizes <= 50], 1 + np.linspace(-1e-3, 1e-3, 11)])
    x = np.concatenate([x, -x[-11:], [50.0, -1e4]])
    assert_allclose(exprel_slope(x), high_precision(exprel_slope_closed, x), rtol=CLOSE)


def test_exprel_slope_written_directly_cancels():
    """The reason for the series, and proof that the tolerance above can be missed."""
    x = np.array([-1e-7])
    direct = ((x - 1) * np.exp(x) + 1) / x**2
    assert abs(direct / high_precision(exprel_slope_closed, x) - 1) > 1e-4


@given(st.floats(-1e4, 50))
def test_exprel_slope_solves_its_differential_equation(x):
    """x f' + f = e^x for f = exprel, whose own value SciPy gives."""
    left = x * exprel_slope(x) + scipy.special.exprel(x)
    assert left == pytest.approx(np.exp(x), rel=1e-14, abs=1e-15 * scipy.special.exprel(x))


def test_exprel_slope_at_its_ends():
    assert exprel_slope(0.0) == 0.5
    assert exprel_slope(-1e300) == 0.0
    assert exprel_slope(-1e150) == pytest.approx(1e-300, rel=CLOSE)


# ---- trigamma -------------------------------------------------------------------------------


def test_trigamma_against_mpmath():
    x = np.concatenate([np.geomspace(1e-6, 1e8, 300), np.linspace(0.01, 30, 300)])
    assert_allclose(trigamma(x), high_precision(lambda v: mpmath.psi(1, v), x), rtol=CLOSE)


@given(st.floats(1e-3, 1e3))
def test_trigamma_recurrence(x):
    """ψ'(x) = ψ'(x + 1) + 1/x² (DLMF 5.15.5)."""
    assert trigamma(x) == pytest.approx(trigamma(x + 1.0) + 1.0 / x**2, rel=3 * CLOSE)


@given(st.floats(1e-3, 0.999))
def test_trigamma_reflection(x):
    """ψ'(x) + ψ'(1 − x) = π²/sin²(πx) (DLMF 5.15.6)."""
    expected = np.pi**2 / np.sin(np.pi * min(x, 1.0 - x)) ** 2
    assert trigamma(x) + trigamma(1.0 - x) == pytest.approx(expected, rel=1e-12)


# ---- digamma_increase -----------------------------------------------------------------------


def test_digamma_increase_against_mpmath():
    """Steps from far smaller to far larger than x, and on both sides of the switch at x/4."""
    x, ratio = np.meshgrid(
        1.0 + np.geomspace(1e-3, 1e6, 19), [1e-18, 1e-9, 1e-3, 0.1, 0.2499, 0.2501, 1.0, 1e3, 1e6]
    )
    x, step = x.ravel(), (x * ratio).ravel()
    expected = high_precision(lambda v, d: mpmath.digamma(v + d) - mpmath.digamma(v), x, step)
    assert_allclose(digamma_increase(x, step), expected, rtol=2e-14)


# ---- shapes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [exprel_slope, trigamma])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 1, 2), (2, 20_000)])
def test_shape_is_kept_and_argument_untouched(function, shape):
    x = np.random.default_rng(0).uniform(0.1, 3.0, shape)
    copy = x.copy()
    result = function(x)
    assert np.shape(result) == shape
    few = slice(None, None, max(1, x.size // 50))  # of every chunk, and each alone
    alone = [function(value) for value in np.ravel(x)[few]]
    assert_allclose(np.ravel(result)[few], alone, rtol=CLOSE)
    assert np.array_equal(x, copy)


def test_scalars_and_integers_give_float64():
    for function in (exprel_slope, trigamma):
        assert isinstance(function(2), np.float64)
        assert function([1, 2]).dtype == np.float64


@pytest.mark.parametrize("size", [1, 5, 6, 7])
def test_in_chunks_keeps_order_and_shape(size):
    x = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(in_chunks(np.subtract, size, x, 2 * x), -x)
