"""Simulated data and the small experiments: against closed forms, and the symmetry they show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import betainc

from velotrace.data import read_expression
from velotrace.learning.ensemble import Settings
from velotrace.model import kinetics
from velotrace.report.studies import estimates_of
from velotrace.simulation import simulate
from velotrace.studies import estimators
from velotrace.studies.estimators import exact_gradient, one_sample_errors, state_gradients
from velotrace.studies.recovery import clock_table, recover, scale_table, scenario_for
from velotrace.walkthrough import Trace

# ---- gradient estimators --------------------------------------------------------------------


def test_exact_gradient_is_that_of_the_expectation() -> None:
    """Σ_k −log N_k conc_k/Σconc, differentiated by central differences."""
    log_density, concentration = np.array([-3.0, -1.0, -7.0, -2.0]), np.array([0.7, 0.1, 2.0, 0.4])

    def expected(c: np.ndarray) -> float:
        return float(-(log_density @ c) / c.sum())

    step = 1e-5 * np.eye(4)
    slopes = [(expected(concentration + h) - expected(concentration - h)) / 2e-5 for h in step]
    np.testing.assert_allclose(exact_gradient(log_density, concentration), slopes, rtol=1e-8)


def test_estimators_of_the_hard_state_are_unbiased_but_for_none() -> None:
    """Within 5 standard errors of the exact gradient; "none" is off by all of it."""
    log_u, log_s = np.array([-3.0, -1.0, -7.0, -2.0]), np.array([-1.0, -4.0, -2.0, -0.5])
    concentration = np.array([0.7, 0.5, 2.0, 0.4])
    found = {one.estimator: one for one in state_gradients(log_u, log_s, concentration, 40_000, 1)}
    for name in (estimators.SCORE_OF_PI, estimators.SCORE_OF_STATE, estimators.WITH_BASELINE):
        one = found[name]
        assert one.target is not None
        assert (np.abs(one.mean - one.target) <= 5.0 * one.error).all(), name
        assert (one.error < 0.1 * np.max(np.abs(one.target))).all(), name
    none = found[estimators.NONE]
    np.testing.assert_array_equal(none.mean, 0.0)
    # summing k out is no estimator of the hard state's gradient: −E log Σ π N, by quadrature-free
    # finite differences over the same uniforms, is another function
    assert found[estimators.JOINT].target is None


def test_mixture_gradients_are_those_of_the_mixtures(walkthrough: Trace) -> None:
    """Two states only: −E log(π₁N₁ + π₂N₂) over Beta(a, b), by Gauss–Legendre and differences.

    The other two concentrations are so small, and their densities so low, that they do not count.
    """
    log_density = np.array([-2.0, -1.0, -80.0, -80.0])
    concentration = np.array([0.8, 1.3, 1e-3, 1e-3])
    nodes, weights = np.polynomial.legendre.leggauss(400)
    x = 0.5 * (nodes + 1.0)

    def loss_of(a: float, b: float) -> float:
        """By parts: ∫ f dF = f(1) − ∫ f′ F, F the Beta distribution function."""
        slope = (np.exp(-2.0) - np.exp(-1.0)) / (x * np.exp(-2.0) + (1.0 - x) * np.exp(-1.0))
        return -(-2.0 - 0.5 * float(weights @ (slope * betainc(a, b, x))))

    a, b, h = 0.8, 1.3, 1e-4
    expected = (
        (loss_of(a + h, b) - loss_of(a - h, b)) / (2 * h),
        (loss_of(a, b + h) - loss_of(a, b - h)) / (2 * h),
    )
    found = state_gradients(log_density, np.zeros(4), concentration, 60_000, 3)
    joint = next(one for one in found if one.estimator == estimators.JOINT)
    # concentrations of 1e-3 take 1e-3 of the whole: that much may be missing
    allowed = 5.0 * joint.error[:2] + 2e-3
    assert (np.abs(joint.mean[:2] - expected) <= allowed).all()
    assert estimates_of(walkthrough, draws=100)[0].draws == 100


def test_one_sample_error_shrinks_with_the_draws(walkthrough: Trace) -> None:
    few = one_sample_errors(walkthrough.resolved, 20, ("joint",))
    assert [one.term for one in few] == ["loss", "reconstruction", "kl_z", "kl_pi"]
    by_term = {one.term: one for one in few}
    assert by_term["loss"].deviation > 0.0
    assert by_term["loss"].error == pytest.approx(by_term["loss"].deviation / np.sqrt(20))
    closed = float(np.sum(walkthrough.tape["kl_z"].value))
    assert by_term["kl_z"].mean == pytest.approx(closed, rel=1e-12)  # no draw enters it


# ---- simulated data -------------------------------------------------------------------------


def test_simulated_data_follow_the_equations() -> None:
    made = simulate(400, 3, 5, noise=0.1)
    theta, state, time = made.parameters, made.state, made.time
    for g in range(3):
        alpha, beta, t_s = (theta[name][g] for name in ("alpha", "beta", "switch_time"))
        first, third = state[:, g] == 1, state[:, g] == 3
        rising = alpha / beta * (1.0 - np.exp(-beta * time[first, g]))
        np.testing.assert_allclose(made.u_bar[first, g], rising, rtol=1e-12)
        top = kinetics.u_induction(alpha, beta, t_s)
        falling = top * np.exp(-beta * (time[third, g] - t_s))
        np.testing.assert_allclose(made.u_bar[third, g], falling, rtol=1e-12)
        assert (time[first, g] <= t_s).all()
        assert (time[third, g] >= t_s).all()
        assert np.isnan(time[(state[:, g] == 2) | (state[:, g] == 4), g]).all()
        np.testing.assert_allclose(made.u_bar[state[:, g] == 2, g], alpha / beta, rtol=1e-12)
        assert (made.u_bar[state[:, g] == 4, g] == 0.0).all()
        # the noise is as wide as it says, where it is never clipped
        high = state[:, g] == 2
        spread = np.std(made.expression.unspliced[high, g] - made.u_bar[high, g])
        assert spread == pytest.approx(theta["sigma_u"][g], rel=5.0 / np.sqrt(2.0 * high.sum()))
    assert (made.expression.unspliced >= 0.0).all()
    shares = np.bincount(state.ravel(), minlength=5)[1:] / state.size
    # π is drawn for each cell and gene, so each k has probability ¼
    assert (np.abs(shares - 0.25) <= 5.0 * np.sqrt(0.25 * 0.75 / state.size)).all()


def test_simulate_on_the_command_line(tmp_path: Path, command: Callable[..., Any]) -> None:
    out = tmp_path / "made.csv"
    outcome = command("simulate", "--cells", "7", "--genes", "2", "--seed", "3", "-o", out)
    assert outcome.status == 0
    read, made = read_expression(out), simulate(7, 2, 3)
    np.testing.assert_array_equal(read.unspliced, made.expression.unspliced)
    np.testing.assert_array_equal(read.spliced, made.expression.spliced)
    truth = pd.read_csv(tmp_path / "made.truth-genes.csv")
    np.testing.assert_array_equal(truth["alpha"], made.parameters["alpha"])
    cells = pd.read_csv(tmp_path / "made.truth-cells.csv")
    np.testing.assert_array_equal(cells["state"], made.state.ravel())
    for wrong in (["--noise", "0"], ["--noise", "nan"], ["-o", tmp_path / "none" / "x.csv"]):
        outcome = command("simulate", "-o", out, *wrong)
        assert (outcome.status, outcome.err.count("\n")) == (2, 1)


# ---- recovery and scale ---------------------------------------------------------------------


def test_the_clock_cannot_be_told_from_data(walkthrough: Trace) -> None:
    """rates × c, times / c, t_max / c: the same loss to the last bits; with t_max held, another."""
    table = scale_table(walkthrough.resolved, (0.5, 1.0, 3.0))
    np.testing.assert_allclose(table["loss, t_max/c"], walkthrough.loss, rtol=1e-13)
    assert abs(table["difference held"][0]) > 1.0
    assert table["difference held"][1] == 0.0


def test_recovery_holds_truth_beside_fit() -> None:
    data = simulate(30, 2, 0)
    found = recover(data, scenario_for(data, "joint"), Settings(3, 10, 2, by_cell=False))
    assert list(found.genes["ratio"].unique()) == ["α/β", "γ/β", "β·t_s"]
    true = found.genes.query("ratio == 'α/β'")["true"]
    np.testing.assert_allclose(true, data.parameters["alpha"] / data.parameters["beta"])
    assert found.cells["states found"].between(0.0, 1.0).all()
    clocks = clock_table(data, "joint", (10.0, 20.0), Settings(2, 10, 1, by_cell=False))
    # after two epochs the fit has hardly left its start, which is the same curve on both clocks
    np.testing.assert_allclose(clocks["β·t_max"][0], clocks["β·t_max"][1], rtol=0.2)


def test_studies_fit_a_terminal(command: Callable[..., Any]) -> None:
    for call in (["estimators", "--draws", "50"], ["scale", "--seeds", "1", "--epochs", "1"]):
        outcome = command("study", *call)
        assert outcome.status == 0
        assert max(map(len, outcome.out.splitlines())) <= 80
