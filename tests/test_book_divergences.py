"""The pages on both divergences: second routes that share nothing with the closed forms.

Tolerances: QUADPACK's integrals are asked for 1.5e-8 and reach about 1e-13 on these smooth (or
exactly weighted) integrands; 1e-11 leaves room. Draws are held to four and a half standard errors.
"""

from __future__ import annotations

from itertools import permutations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.special import betaln, digamma, gammaln, polygamma

import velotrace
from velotrace.claims import document
from velotrace.report import book, book_divergence_figures, book_divergences
from velotrace.studies import divergences as routes
from velotrace.studies.evidence import kl_pi_over_z

CLOSE = 1e-11
CASES = [
    np.ones(4),
    np.full(4, 2.0),
    np.array([0.7, 0.1, 0.1, 0.1]),
    np.array([0.02, 3.0, 0.4, 11.0]),
]


@pytest.fixture(scope="module")
def trace(walkthrough: velotrace.Trace) -> velotrace.Trace:
    return walkthrough


@pytest.fixture(scope="module")
def posterior(trace: velotrace.Trace) -> tuple[np.ndarray, np.ndarray]:
    return book_divergences.posterior_of_z(trace, "Cell 1")


def body(table: str) -> list[list[str]]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return lines[2:]


# ---- z --------------------------------------------------------------------------------------


def test_the_two_means_are_integrals(
    trace: velotrace.Trace, posterior: tuple[np.ndarray, np.ndarray]
) -> None:
    """Equations eq-kl-z-q and eq-kl-z-p."""
    log_q, log_p = routes.normal_by_integration(*posterior)
    found = book_divergences.expectations_of_z(trace, "Cell 1")
    assert found["q"][0] == pytest.approx(log_q.sum(), abs=CLOSE)
    assert found["p"][0] == pytest.approx(log_p.sum(), abs=CLOSE)
    assert found["kl"][0] == pytest.approx(book.at(trace, "kl_z", "Cell 1"), abs=1e-14)
    for closed, _, sample in found.values():
        assert sample.off(closed) < 4.5


def test_the_divergence_turned_round_is_the_integral() -> None:
    """KL(p ‖ q) by the trapezoidal rule over p = N(0, 1)."""
    mean, log_var = np.array([0.7]), np.array([-1.1])
    z = np.linspace(-14.0, 14.0, 4001)
    log_p = -0.5 * (z**2 + np.log(2.0 * np.pi))
    log_q = -0.5 * ((z - mean) ** 2 / np.exp(log_var) + log_var + np.log(2.0 * np.pi))
    integral = np.trapezoid(np.exp(log_p) * (log_p - log_q), z)
    found = book_divergences.kl_normal_turned(mean, log_var)
    assert found == pytest.approx(integral, abs=1e-12)
    assert abs(found - book_divergences.kl_normal(mean, log_var)) > 0.5


def test_slopes_of_z(trace: velotrace.Trace, posterior: tuple[np.ndarray, np.ndarray]) -> None:
    """Equation eq-kl-z-slopes: formula, tape, quotients of the integral.

    A quotient's step of 1e-3 turns an error of 1e-13 in the integral into 1e-10.
    """
    mean, log_var = posterior
    tape_mean, of_mean, tape_log_var, of_log_var = book_divergences.slopes_of_kl_z(trace, "Cell 1")
    np.testing.assert_allclose(tape_mean, mean, atol=1e-15)
    np.testing.assert_allclose(tape_log_var, 0.5 * np.expm1(log_var), atol=1e-15)
    np.testing.assert_allclose(of_mean, mean, atol=1e-9)
    np.testing.assert_allclose(of_log_var, tape_log_var, atol=1e-9)


def test_the_printed_cell_draws_what_the_table_has(
    posterior: tuple[np.ndarray, np.ndarray],
) -> None:
    """The page's first cell makes the draws itself, under the same key."""
    from scipy.stats import norm

    from velotrace.model.random import generator

    mu, log_var = posterior
    sd = np.exp(0.5 * log_var)
    z = mu + sd * generator(0, "kl_z", 0).standard_normal((20_000, len(mu)))
    ratio = (norm.logpdf(z, mu, sd) - norm.logpdf(z)).sum(axis=1)
    log_q, log_p = routes.drawn_logs(mu, log_var, book_divergences.DRAWS, book_divergences.SEED)
    np.testing.assert_allclose(ratio, (log_q - log_p).sum(axis=1), atol=1e-12)


# ---- Dirichlet ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"), [(1.0, 1.0), (0.25, 0.75), (0.01, 5.0), (90.0, 0.02), (250.0, 750.0)]
)
def test_a_beta_by_integration(a: float, b: float) -> None:
    found = routes.beta_integrals(a, b)
    exact = (betaln(a, b), digamma(a) - digamma(a + b), digamma(b) - digamma(a + b))
    np.testing.assert_allclose(found, exact, rtol=1e-10, atol=CLOSE)


@pytest.mark.parametrize("q", CASES, ids=str)
def test_the_log_normaliser_and_its_slope(q: np.ndarray) -> None:
    """Equations eq-dirichlet-density and eq-dirichlet-mean-log."""
    exact = gammaln(q).sum() - gammaln(q.sum())
    assert routes.log_normaliser(q) == pytest.approx(exact, abs=CLOSE)
    np.testing.assert_allclose(routes.mean_logs(q), digamma(q) - digamma(q.sum()), rtol=1e-10)
    slope = routes.quotients(routes.log_normaliser, q, 1e-4)
    np.testing.assert_allclose(slope, routes.mean_logs(q), rtol=1e-5)


def test_the_second_slope_is_a_covariance() -> None:
    """Equation eq-dirichlet-covariance, against the covariance of draws."""
    q, draws = np.array([1.2, 0.7, 1.4, 0.9]), 20_000
    logs = routes.drawn_log_probabilities(q, draws, 1)
    exact = np.diag(polygamma(1, q)) - polygamma(1, q.sum())
    centred = logs - logs.mean(axis=0)
    products = centred[:, :, None] * centred[:, None, :]
    error = products.std(axis=0) / np.sqrt(draws)
    assert np.all(np.abs(products.mean(axis=0) - exact) < 4.5 * error)


@pytest.mark.parametrize("q", CASES, ids=str)
def test_three_betas_sum_to_the_divergence_in_any_order(q: np.ndarray) -> None:
    """Equation eq-kl-pi-sticks."""
    p = np.full(4, 0.25)
    closed = routes.kl_dirichlet(q, 0.25)
    for order in permutations(range(4)):
        parts = routes.divergences_of_sticks(q[list(order)], p)
        assert parts.sum() == pytest.approx(closed, abs=1e-10)
        assert np.all(parts >= -CLOSE)


@pytest.mark.parametrize("prior", [0.00025, 0.25, 250.0])
def test_one_count_more(prior: float) -> None:
    """The answer to the second question: log 4 + ψ(α_p + 1) − ψ(4α_p + 1), never negative."""
    p = np.full(4, prior)
    found = routes.divergences_of_sticks(p + np.eye(4)[0], p).sum()
    exact = np.log(4.0) + digamma(prior + 1.0) - digamma(4.0 * prior + 1.0)
    assert found == pytest.approx(exact, abs=1e-9)
    assert found > 0.0


@pytest.mark.parametrize("q", CASES[:3], ids=str)
def test_draws_agree(q: np.ndarray) -> None:
    drawn = routes.drawn_dirichlet_log_ratios(q, np.full(4, 0.25), 20_000, 2)
    assert routes.Sample.of(drawn).off(routes.kl_dirichlet(q, 0.25)) < 4.5


@pytest.mark.parametrize("q", CASES, ids=str)
def test_the_printed_formula_is_the_documents(q: np.ndarray) -> None:
    """Equation eq-kl-pi-printed: doc (2) is the divergence less twice the step of log B."""
    p = np.full(4, 0.25)
    printed = routes.printed_kl_dirichlet(q, 0.25)
    assert printed == pytest.approx(document.kl_dirichlet(q, p), abs=1e-11)
    step = routes.log_normaliser(p) - routes.log_normaliser(q)
    assert printed == pytest.approx(routes.kl_dirichlet(q, 0.25) - 2.0 * step, abs=1e-10)


def test_the_grid_has_its_only_zero_at_the_prior() -> None:
    q, right, wrong = book_divergences.grid(0.25)
    lowest = np.sort(right)
    assert lowest[0] == pytest.approx(0.0, abs=1e-14)
    assert lowest[1] > 1e-3
    np.testing.assert_allclose(q[right.argmin()], 0.25)
    assert wrong.min() < -100.0


@pytest.mark.parametrize("q", CASES, ids=str)
def test_slope_of_pi(q: np.ndarray) -> None:
    """Equation eq-kl-pi-slope, against quotients of the three integrals; step relative to α."""
    p = np.full(4, 0.25)
    step = 1e-2 * q.min()
    quotient = routes.quotients(lambda x: float(routes.divergences_of_sticks(x, p).sum()), q, step)
    np.testing.assert_allclose(sum(routes.slope_parts(q, 0.25)), quotient, rtol=1e-5, atol=1e-6)


def test_slope_is_what_the_tape_records(trace: velotrace.Trace) -> None:
    q, p = book_divergences.posterior_of_pi(trace, "Cell 1", "A")
    adjoint = trace.adjoint("concentration")
    assert adjoint is not None
    recorded = adjoint.sel(cell="Cell 1", gene="A").values
    np.testing.assert_allclose(sum(routes.slope_parts(q, p[0])), recorded, atol=1e-14)


def test_one_at_the_prior_is_pushed_off_by_the_others() -> None:
    own, common = routes.slope_parts(np.array([0.25, 1.0, 1.0, 1.0]), 0.25)
    assert own[0] == 0.0
    assert common[0] < 0.0


def test_where_each_formula_leads() -> None:
    start = np.array([1.2, 0.7, 1.4, 0.9])
    np.testing.assert_allclose(routes.descent(start, 0.25, 0.05, 200)[-1], 0.25, atol=1e-6)
    away = routes.descent(start, 0.25, 0.05, 200, upside_down=True)
    assert np.all(np.diff(away, axis=0) > 0.0)
    assert away[-1].min() > 10.0


def test_slope_of_the_printed_formula() -> None:
    """The descent's slope of doc (2), against quotients of doc (2) itself."""
    q, p = np.array([1.2, 0.7, 1.4, 0.9]), np.full(4, 0.25)
    quotient = routes.quotients(lambda x: float(document.kl_dirichlet(x, p)), q)
    step = routes.descent(q, 0.25, 1.0, 1, upside_down=True)
    np.testing.assert_allclose(step[0] - step[1], quotient, rtol=1e-8)


@pytest.mark.parametrize("concentration", [0.25, 1.0, 4.0])
def test_expected_largest_is_the_mean_of_draws(concentration: float) -> None:
    logs = routes.drawn_log_probabilities(np.full(4, concentration), 20_000, 3)
    sample = routes.Sample.of(np.exp(logs).max(axis=-1))
    assert sample.off(routes.expected_largest(concentration)) < 4.5


# ---- evidence -------------------------------------------------------------------------------


def test_evidence_is_bound_plus_gap(trace: velotrace.Trace) -> None:
    """Equation eq-evidence, each part by itself; the expected log likelihood also by draws."""
    found = book_divergences.evidence(trace, "Cell 1", "A")
    assert found.elbo + found.gap == pytest.approx(found.log_evidence, abs=1e-9)
    assert found.sampled < found.elbo < found.log_evidence
    q, _ = book_divergences.posterior_of_pi(trace, "Cell 1", "A")
    log_n = sum(trace.tape[f"log_density_{x}"].value[0, 0] for x in "us")
    drawn = routes.drawn_log_probabilities(q, 20_000, 4) + log_n
    mixed = np.logaddexp.reduce(drawn, axis=-1)
    assert routes.Sample.of(mixed).off(found.expected) < 4.5


# ---- over z ---------------------------------------------------------------------------------


def test_the_iterations_own_draw_is_among_them(trace: velotrace.Trace) -> None:
    found, middle = kl_pi_over_z(trace.resolved, 2000, 0)
    assert found.shape == (2000, 2, 3)
    assert middle.shape == (2, 3)
    own = trace.tape["kl_pi"].value
    assert np.all((found.min(axis=0) < own) & (own < found.max(axis=0)))
    assert np.all(found >= 0.0)


# ---- tables and figures ---------------------------------------------------------------------


def test_tables_show_what_was_computed(trace: velotrace.Trace) -> None:
    whole = book.shown(book.at(trace, "kl_pi", "Cell 1", "A"), 8)
    assert body(book_divergences.sticks_table(trace, "Cell 1", "A"))[-1][-1] == whole
    q, _ = book_divergences.posterior_of_pi(trace, "Cell 1", "A")
    rows = body(book_divergences.dirichlet_routes({"own": q, "prior": np.full(4, 0.25)}, 0.25))
    assert rows[0][:3] == ["own", whole, whole]
    assert rows[1][1:] == ["0", "0", "0", "0"]
    terms = body(book_divergences.terms_table(trace, "Cell 1", "A"))[-1]
    assert terms[2] == book.shown(book.at(trace, "kl_pi_log_gamma", "Cell 1", "A"))
    assert terms[5] == book.shown(book.at(trace, "kl_pi_digamma", "Cell 1", "A"))
    for row in body(book_divergences.slope_table(trace, "Cell 1", "A")):
        assert row[4] == row[5] == row[6]
    for row in body(book_divergences.slopes_table(trace, "Cell 1")):
        assert row[1] == row[2] == row[3]
        assert row[4] == row[5] == row[6]
    for row in body(book_divergences.mean_logs_table(trace, "Cell 1", "A")):
        assert row[2] == row[3]
    for row in body(book_divergences.dimensions_table(trace, "Cell 1")):
        assert row[3] == row[4]
    ways = body(book_divergences.both_ways(trace, "Cell 1", (1.0, 0.1)))
    assert ways[0][1] == book.shown(book.at(trace, "kl_z", "Cell 1"))
    found = book_divergences.evidence(trace, "Cell 1", "A")
    assert body(book_divergences.evidence_table(found))[-1][1] == book.shown(found.log_evidence, 8)
    expected = book_divergences.expectations_of_z(trace, "Cell 1")
    for row in body(book_divergences.expectations_table(expected)):
        assert row[1] == row[2]


@pytest.mark.parametrize(
    ("mean", "deviation", "text"),
    [(-15.9, 2.2, "−15.900 ± 0.022"), (1234.5, 1500.0, "1234 ± 15")],
)
def test_a_mean_has_as_many_places_as_its_error(mean: float, deviation: float, text: str) -> None:
    found = book_divergences.plus_minus(routes.Sample(mean, deviation, 10_000, 0.0))
    assert found == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_figures_are_drawn(trace: velotrace.Trace) -> None:
    made: list[Figure] = [
        book_divergence_figures.log_ratios(trace, "Cell 1"),
        book_divergence_figures.pulls_on_z(trace, "Cell 1"),
        book_divergence_figures.tangent(trace, "Cell 1", "A"),
        book_divergence_figures.descents(trace, "Cell 1", "A", steps=5),
        book_divergence_figures.over_z(trace, "Cell 1", "A", 50),
    ]
    gap = made[2].axes[0].lines[2].get_ydata()
    whole = book.at(trace, "kl_pi", "Cell 1", "A")
    assert float(np.diff(np.asarray(gap))[0]) == pytest.approx(whole, abs=1e-10)
    for figure in made:
        plt.close(figure)
