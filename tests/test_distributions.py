"""Densities, mixtures and divergences, against scipy.stats, mpmath and Monte Carlo.

Equations (13), (14), (20) to (24), doc (1), doc (2) put right (model.md section 4.1).
"""

from __future__ import annotations

import math
from typing import Any

import autograd
import mpmath
import numpy as np
import pytest
from helpers import EPS
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from velotrace.model import distributions

# ---- densities, (20), (21) ------------------------------------------------------------------


@given(st.floats(-100.0, 100.0), st.floats(-100.0, 100.0), st.floats(1e-3, 1e3))
def test_log_normal(x: float, mean: float, deviation: float) -> None:
    """Against scipy.stats; a handful of operations on terms of the sizes added up here."""
    found = distributions.log_normal(x, mean, deviation)
    size = 0.5 * ((x - mean) / deviation) ** 2 + abs(math.log(deviation)) + 1.0
    assert abs(found - stats.norm.logpdf(x, mean, deviation)) <= 8.0 * EPS * size


def test_log_normal_far_out() -> None:
    """Finite and right 1e6 standard deviations out, where the density is 0.0 in float64 (issue 2).

    The exponent is −½·1e12, the rest of the log is below 4: relative error of a few round-offs. A
    mean of 1e6 deviations is exact here, so the difference x − mean brings no error of its own.
    """
    assert stats.norm.pdf(1e6) == 0.0
    for deviation in (1e-3, 0.1, 1.0, 64.0):
        far = 1e6 * deviation
        found = distributions.log_normal(far, 0.0, deviation)
        with mpmath.workdps(40):
            exact = mpmath.log(mpmath.npdf(mpmath.mpf(far), 0, mpmath.mpf(deviation)))
        assert abs(found - exact) <= 4.0 * EPS * abs(exact)
        slope = autograd.grad(distributions.log_normal)(far, 0.0, deviation)
        assert slope == pytest.approx(-1e6 / deviation, rel=1e-15)


@given(st.lists(st.tuples(st.floats(-30.0, 5.0), st.floats(1e-6, 1.0)), min_size=4, max_size=4))
def test_mixture(pairs: list[tuple[float, float]]) -> None:
    """(23), (24): log Σ_k π_k N_k, where Σ is representable, against the plain sum."""
    log_densities, weights = (np.array(side) for side in zip(*pairs, strict=True))
    weights = weights / weights.sum()
    found = distributions.log_mixture(np.log(weights), log_densities)
    assert found == pytest.approx(np.log(np.sum(weights * np.exp(log_densities))), abs=1e-13)


def test_mixture_where_every_density_underflows() -> None:
    """(23): at −886, −2963, … every density is 0.0 in float64; mpmath sums them in full."""
    log_densities = np.array([[-886.0, -2963.1, -1342.5, -3196.3], [-1e12, -2e12, -1e12, -1e12]])
    weights = np.array([[0.7, 0.1, 0.1, 0.1], [0.25, 2.2e-308, 0.5, 0.25]])
    found = distributions.log_mixture(np.log(weights), log_densities)
    with mpmath.workdps(40):
        for n in range(2):
            terms = zip(weights[n], log_densities[n], strict=True)
            exact = mpmath.log(mpmath.fsum(mpmath.mpf(w) * mpmath.exp(d) for w, d in terms))
            assert abs(found[n] - exact) <= 4.0 * EPS * abs(exact)


def test_at_state_picks_k_from_1() -> None:
    """(15): k counts from 1; the gradient goes to the chosen state alone."""
    values = np.arange(24.0).reshape(2, 3, 4)
    state = np.array([[1, 2, 3], [4, 1, 4]])
    found = distributions.at_state(values, state)
    np.testing.assert_array_equal(found, [[0.0, 5.0, 10.0], [15.0, 16.0, 23.0]])
    slope = autograd.grad(lambda v: np.sum(distributions.at_state(v, state) * found))(values)
    np.testing.assert_array_equal(slope.sum(axis=-1), found)
    np.testing.assert_array_equal(np.argmax(slope[..., ::-1] != 0.0, axis=-1)[0], [0, 2, 1])


@given(st.floats(-700.0, 700.0))
def test_softplus_and_logistic(x: float) -> None:
    """log(1 + e^x) and 1/(1 + e^−x), without overflow; the first's slope is the second."""
    with mpmath.workdps(700), np.errstate(over="raise"):
        softplus = mpmath.log1p(mpmath.exp(mpmath.mpf(x)))
        logistic = 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        # e^−x is wrong by |x| EPS where x is large and negative, as the argument of exp is
        allowed = (4.0 + abs(x)) * EPS
        assert abs(distributions.softplus(x) - softplus) <= allowed * softplus
        assert abs(distributions.logistic(x) - logistic) <= allowed * logistic
        slope = autograd.grad(distributions.softplus)(x)
        assert abs(slope - logistic) <= 2.0 * allowed * logistic
        slope = autograd.grad(distributions.logistic)(x)
        assert abs(slope - logistic * (1 - logistic)) <= 2.0 * allowed * logistic


# ---- doc (1) --------------------------------------------------------------------------------


def kl_normal(mean: Any, log_var: Any) -> Any:
    trace, squares, log_det, dimension = distributions.kl_standard_normal_terms(mean, log_var)
    return 0.5 * (trace + squares - log_det - dimension)


@pytest.mark.parametrize(("mean", "log_var"), [(0.0, 0.0), (1.5, 0.3), (-2.0, -3.0), (0.1, 2.0)])
def test_kl_z_is_the_integral(mean: float, log_var: float) -> None:
    """doc (1) in one dimension against ∫ q log(q/p) by mpmath's quadrature, 30 digits."""
    with mpmath.workdps(30):
        deviation = mpmath.exp(mpmath.mpf(log_var) / 2)

        def integrand(x: Any) -> Any:
            ratio = (x**2 - ((x - mean) / deviation) ** 2) / 2 - mpmath.log(deviation)
            return mpmath.npdf(x, mean, deviation) * ratio

        ends = [mean + n * deviation for n in (-14, -7, 0, 7, 14)]
        exact = float(mpmath.quad(integrand, ends))
    found = kl_normal(np.array([mean]), np.array([log_var]))
    assert found == pytest.approx(exact, abs=1e-14)


def test_kl_z_is_the_sample_mean_of_the_log_ratio() -> None:
    """doc (1) in ten dimensions (13) against Monte Carlo with scipy.stats.

    The mean of 100,000 log ratios lies within 5 of its own standard errors of the divergence but
    for one seed in 1.7 million.
    """
    numbers = np.random.default_rng(1)
    mean, log_var = numbers.normal(size=10), numbers.normal(size=10)
    deviation = np.exp(0.5 * log_var)
    draws = stats.norm.rvs(mean, deviation, size=(100_000, 10), random_state=2)
    ratios = stats.norm.logpdf(draws, mean, deviation) - stats.norm.logpdf(draws)
    assert_within_standard_errors(kl_normal(mean, log_var), ratios.sum(axis=-1))


def assert_within_standard_errors(exact: float, sample: np.ndarray) -> None:
    error = sample.std(ddof=1) / math.sqrt(len(sample))
    assert abs(sample.mean() - exact) <= 5.0 * error
    assert error <= 0.02 * abs(exact)  # else the bound above would say nothing


@given(st.lists(st.tuples(st.floats(-5.0, 5.0), st.floats(-5.0, 5.0)), min_size=1, max_size=12))
@example([(0.0, 0.0)])
def test_kl_z_is_not_negative(pairs: list[tuple[float, float]]) -> None:
    """No divergence is; round-off of the four terms apart."""
    mean, log_var = (np.array(side) for side in zip(*pairs, strict=True))
    size = sum(np.abs(term) for term in distributions.kl_standard_normal_terms(mean, log_var))
    assert kl_normal(mean, log_var) >= -8.0 * EPS * size


# ---- doc (2), put right ---------------------------------------------------------------------


def kl_dirichlet(concentration: Any, prior: float = 0.25) -> Any:
    return sum(distributions.kl_dirichlet_terms(concentration, prior))


def exact_kl_dirichlet(concentration: Any, prior: float) -> Any:
    """The textbook formula in mpmath, with both concentrations written out as vectors."""
    q = [mpmath.mpf(float(a)) for a in concentration]
    p = [mpmath.mpf(prior)] * len(q)
    kl = mpmath.loggamma(mpmath.fsum(q)) - mpmath.loggamma(mpmath.fsum(p))
    for a, b in zip(q, p, strict=True):
        kl += mpmath.loggamma(b) - mpmath.loggamma(a)
        kl += (a - b) * (mpmath.digamma(a) - mpmath.digamma(mpmath.fsum(q)))
    return kl


FIGURES = {  # model.md section 4.1: right, and as the document has it
    (1.0, 1.0, 1.0, 1.0): (1.4438, -12.4438),
    (2.0, 2.0, 2.0, 2.0): (2.5273, -24.8273),
    (0.7, 0.1, 0.1, 0.1): (2.2748, 6.0086),
    (0.25, 0.25, 0.25, 0.25): (0.0, 0.0),
}


@pytest.mark.parametrize("q", FIGURES)
def test_figures_of_model_md(q: tuple[float, ...]) -> None:
    """Section 4.1: the right figures, and doc (2)'s, whose Gamma ratios are upside down."""
    right, as_printed = FIGURES[q]
    normaliser, log_gamma, digamma = distributions.kl_dirichlet_terms(np.array(q), 0.25)
    assert normaliser + log_gamma + digamma == pytest.approx(right, abs=5e-5)
    assert -normaliser - log_gamma + digamma == pytest.approx(as_printed, abs=5e-5)


def integral(a: Any, b: Any, factor: Any = lambda x: 1) -> Any:
    """∫ x^(a−1) (1 − x)^(b−1) factor(x) over 0 to 1 by quadrature.

    x = 1/(1 + e^−y) takes the singular ends to infinity, where the integrand falls like e^−a|y|.
    """

    def integrand(y: Any) -> Any:
        x = 1 / (1 + mpmath.exp(-y))
        return x**a * (1 / (1 + mpmath.exp(y))) ** b * factor(x)

    reach = 36 / min(a, b, 1)
    return mpmath.quad(integrand, mpmath.linspace(-reach, reach, 9))


@pytest.mark.parametrize(
    ("q", "prior"), [((1.3, 0.6, 2.0, 0.9), 0.25), ((3.0, 2.0, 0.5, 1.0), 1.0)]
)
def test_kl_pi_is_made_of_integrals(q: tuple[float, ...], prior: float) -> None:
    """KL = log B(p)/B(q) + Σ_i (q_i − p) E log π_i, with B and E by mpmath's quadrature.

    B of four concentrations is a product of three of two, and π_i is Beta(q_i, Σq − q_i); no Γ and
    no ψ anywhere. The quadrature is good for 1e-12.
    """

    def log_b(c: tuple[float, ...]) -> Any:
        rests = (sum(c[1:]), sum(c[2:]), c[3])
        return sum(mpmath.log(integral(a, b)) for a, b in zip(c, rests, strict=False))

    with mpmath.workdps(20):
        exact = log_b((prior,) * 4) - log_b(q)
        for a in q:
            b = sum(q) - a
            exact += (a - prior) * integral(a, b, mpmath.log) / integral(a, b)
    assert kl_dirichlet(np.array(q), prior) == pytest.approx(float(exact), abs=1e-12)


@pytest.mark.parametrize("q", [(1.0, 1.0, 1.0, 1.0), (2.0, 0.7, 3.0, 0.9), (0.7, 0.4, 0.5, 0.3)])
def test_kl_pi_is_the_sample_mean_of_the_log_ratio(q: tuple[float, ...]) -> None:
    """Monte Carlo with scipy.stats, as for z; draws on the rim are pushed off it by 1e-300."""
    draws = stats.dirichlet.rvs(q, size=20_000, random_state=3)
    draws = np.maximum(draws, 1e-300)
    sample = np.array([stats.dirichlet.logpdf(x, q) for x in draws[:2000]])
    sample -= [stats.dirichlet.logpdf(x, [0.25] * 4) for x in draws[:2000]]
    spread = np.log(draws) @ (np.array(q) - 0.25)  # all that varies in the log ratio
    constant = np.mean(sample - spread[:2000])
    np.testing.assert_allclose(sample - spread[:2000], constant, atol=1e-9)
    assert_within_standard_errors(kl_dirichlet(np.array(q)), spread + constant)


concentrations = st.lists(st.floats(-6.0, 4.0), min_size=4, max_size=4).map(
    lambda powers: 10.0 ** np.array(powers)
)


@given(concentrations, st.sampled_from([0.25, 1.0, 3.0]))
@example(np.full(4, 1e-6), 0.25)
@example(np.array([1e-6, 1e4, 1e-6, 1.0]), 0.25)
@example(np.full(4, 0.25), 0.25)
def test_kl_pi_down_to_tiny_concentrations(q: np.ndarray, prior: float) -> None:
    """From 1e-6 (issue 2) to 1e4, in 40 digits; and never negative.

    The three terms cancel: the error is a few round-offs of what they are made of.
    """
    total = q.sum()
    size = abs(math.lgamma(total)) + sum(abs(math.lgamma(a)) + abs(math.lgamma(prior)) for a in q)
    with mpmath.workdps(40):
        exact = exact_kl_dirichlet(q, prior)
        size += sum(abs(a - prior) * abs(mpmath.digamma(a)) for a in q)
        size += sum(abs(a - prior) * abs(mpmath.digamma(total)) for a in q)
        assert abs(kl_dirichlet(q, prior) - exact) <= 8.0 * EPS * (size + 1)
    assert kl_dirichlet(q, prior) >= -8.0 * EPS * (size + 1)


@pytest.mark.parametrize("a", [1e-6, 1e-3, 0.1, 0.25, 1.0, 30.0])
def test_slope_of_kl_pi(a: float) -> None:
    """∂KL/∂α_i = Σ_j (α_j − α_p,j)(ψ'(α_i) δ_ij − ψ'(Σα)), against mpmath's differentiation.

    Relative 1e-12 of the largest part, ψ'(α_i)(α_i − α_p), which is 2.5e11 at 1e-6.
    """
    q = np.array([a, 0.3, 0.2, 1.1])
    slope = autograd.grad(kl_dirichlet)(q)
    with mpmath.workdps(60):
        for i in range(4):

            def of_one(x: Any, i: int = i) -> Any:
                moved = [*q[:i], x, *q[i + 1 :]]
                p = mpmath.mpf(0.25)
                kl = mpmath.loggamma(mpmath.fsum(moved))
                psi = mpmath.digamma(mpmath.fsum(moved))
                for b in moved:
                    kl += (b - p) * (mpmath.digamma(b) - psi) - mpmath.loggamma(b)
                return kl

            exact = mpmath.diff(of_one, mpmath.mpf(float(q[i])), h=mpmath.mpf(10) ** -20)
            size = mpmath.psi(1, float(q[i])) * abs(q[i] - 0.25) + mpmath.psi(1, float(q.sum()))
            assert abs(slope[i] - exact) <= 1e-12 * size
