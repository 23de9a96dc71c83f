"""What the page of users' questions computes, each by a second route."""

from __future__ import annotations

import numpy as np
import pytest

import velotrace
from velotrace.claims.ensembles import INDUCED
from velotrace.learning.ensemble import member
from velotrace.model import kinetics
from velotrace.report import book_question_figures as draw
from velotrace.report import book_questions as ask
from velotrace.report.book_why import autoencoder, steady_state, weights
from velotrace.studies.recovery import scaled


@pytest.fixture(scope="module")
def fit() -> ask.Fit:
    resolved = velotrace.trace(reading={"preset": "scvi-tools"}).resolved
    return ask.fit(resolved, seeds=3, epochs=60)


def test_a_verdict_is_that_of_the_state_probabilities(fit: ask.Fit) -> None:
    for gene, truth in INDUCED.items():
        for seed, verdict in enumerate(ask.verdicts(fit, gene)):
            pi = fit.results["pi"].isel(seed=seed).sel(gene=gene)
            hits = [float(pi.isel(cell=n)[:2].sum()) > 0.5 for n in range(4)]
            same = sum(hit == up for hit, up in zip(hits, truth, strict=True))
            assert verdict == {4: ask.RIGHT, 0: ask.SWAPPED}.get(same, ask.NEITHER)


def test_velocity_has_the_sign_of_the_side_of_the_line(fit: ask.Fit) -> None:
    """eq-line of the book, for the mean of the mixture too: it is linear in ū and s̄."""
    for seed in range(3):
        table = ask.sides(fit, seed)
        assert ((table["fitted"] > table["γ/β"]) == (table["velocity"] > 0.0)).all()
    theta = fit.theta
    at = fit.results
    combined = (
        theta["beta"][:, None] * at["fitted_u"].to_numpy()
        - theta["gamma"][:, None] * at["fitted_s"].to_numpy()
    )
    np.testing.assert_allclose(at["velocity"].to_numpy(), combined, rtol=1e-10, atol=1e-12)


def test_steady_states_stand_still(walkthrough: velotrace.Trace) -> None:
    first, second, _, fourth = ask.state_velocities(walkthrough, "Cell 1", "A")
    assert (round(second, 12), fourth) == (0.0, 0.0)
    assert first == pytest.approx(float(walkthrough.value("velocity").sel(cell="Cell 1", gene="A")))


def test_the_velocity_turns_where_its_closed_form_is_zero() -> None:
    """(7) and (8): v is positive before the turn, zero there, negative after it."""
    alpha, beta, gamma, t_s = 0.85, 0.1, 0.05, 10.0
    turn = ask.turning_time(alpha, beta, gamma, t_s)
    u_0 = alpha / beta * -np.expm1(-beta * t_s)
    s_0 = kinetics.s_induction(alpha, beta, gamma, t_s)
    u = u_0 * np.exp(-beta * turn)
    s = s_0 * np.exp(-gamma * turn) + beta * u_0 / (beta - gamma) * (
        np.exp(-gamma * turn) - np.exp(-beta * turn)
    )
    assert beta * u == pytest.approx(gamma * s, rel=1e-9)
    assert turn > 0.0


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_faster_clock_makes_faster_velocities(
    walkthrough: velotrace.Trace, factor: float
) -> None:
    """eq-clock of the book."""
    resolved = walkthrough.resolved
    t_max, theta = resolved.iteration.constants.t_max, resolved.parameters
    fast = ask.velocity_with(resolved, scaled(theta, factor), t_max / factor)
    np.testing.assert_allclose(fast, factor * ask.velocity_with(resolved, theta, t_max), rtol=1e-9)
    louder = {**theta, "alpha": factor * theta["alpha"]}
    loud = ask.velocity_with(resolved, louder, t_max)
    np.testing.assert_allclose(loud, factor * walkthrough.tape["velocity"].value, rtol=1e-12)


def test_trainings_repeat_to_the_bit_and_seeds_differ(fit: ask.Fit) -> None:
    resolved = velotrace.trace(reading={"preset": "joint"}).resolved
    differ, values = ask.repeated(resolved, 2, 3)
    assert differ == 0
    assert values > 1000
    one, two = (ask.fit(member(resolved, run), 1, 3).trained.state.rows for run in (0, 1))
    assert (one != two).any()


def test_the_penalty_fades_with_its_weight(fit: ask.Fit) -> None:
    """λ = 0.2 (1 − epoch/400) in scvi-tools."""
    table = ask.penalty_table(fit, (0, 20, 59))
    assert [row[1] for row in table] == pytest.approx([0.2 * (1 - e / 400) for e in (0, 20, 59)])
    for _, weight, penalty, product in table:
        assert product == weight * penalty


def test_shares_and_counts_are_within_bounds(fit: ask.Fit) -> None:
    assert ((ask.divided(fit) >= 0.0) & (ask.divided(fit) <= 1.0)).all()
    assert (ask.used_dimensions(fit) <= 10).all()
    sound, unsound = ask.signals(fit, "A")
    assert len(sound) + len(unsound) == 3 * 4
    misfit = ask.misfits(fit)
    found, plan = fit.results.isel(seed=1, gene=2), fit.trained.plan
    square = (found["fitted_u"].to_numpy() - plan.unspliced[:, 2]) ** 2
    square = square + (found["fitted_s"].to_numpy() - plan.spliced[:, 2]) ** 2
    assert misfit[1, 2] == pytest.approx(np.sqrt(square.sum() / 8))


def test_tables_have_a_row_for_each(fit: ask.Fit) -> None:
    table = ask.outcomes_table({"one": fit, "two": fit}, "A")
    assert (table[[ask.RIGHT, ask.SWAPPED, ask.NEITHER]].sum(axis=1) == 3).all()
    everybody = np.ones(3, dtype=bool)
    spread = ask.spreads(fit, "A", everybody)
    assert (spread["over these seeds"] == spread["over all seeds"]).all()
    assert -1.0 <= ask.order_agreement(fit, everybody, "A", "B") <= 1.0
    assert ask.order_agreement(fit, everybody, "A", "A") == pytest.approx(1.0)


def test_other_keys_change_only_their_section(walkthrough: velotrace.Trace) -> None:
    other = ask.changed(walkthrough.resolved, "networks", latent=2)
    assert other.architecture.latent == 2
    assert other.scenario.initial == walkthrough.resolved.scenario.initial


def test_figures_are_drawn(fit: ask.Fit, walkthrough: velotrace.Trace) -> None:
    import matplotlib.pyplot as plt

    left, right = draw.penalty_course(fit).axes
    assert [np.size(panel.lines[0].get_ydata()) for panel in (left, right)] == [60, 60]
    portraits = draw.directions(fit, "A", {"first": 0, "second": 1}).axes
    assert [panel.get_title() for panel in portraits] == ["first", "second"]
    texts = [text.get_text() for text in autoencoder(walkthrough).axes[0].texts]
    assert any("6 numbers" in text for text in texts)
    assert any("10 dimensions" in text for text in texts)
    plt.close("all")


def test_the_oldest_method_lays_the_best_line(walkthrough: velotrace.Trace) -> None:
    expression = walkthrough.resolved.expression
    made = steady_state(expression)
    for g in range(3):
        u, s = expression.unspliced[:, g], expression.spliced[:, g]
        best, *_ = np.linalg.lstsq(s[:, None], u, rcond=None)
        assert made.slope[g] == pytest.approx(best[0])
        np.testing.assert_allclose(made.velocity[:, g], u - best[0] * s)


def test_weights_are_those_of_the_networks(walkthrough: velotrace.Trace) -> None:
    """6 → 16 → 20, 10 → 16 → 12, and twice 10 → 16 → 3, with biases."""
    sizes = [(6, 16, 20), (10, 16, 12), (10, 16, 3), (10, 16, 3)]
    assert weights(walkthrough) == sum((a + 1) * b + (b + 1) * c for a, b, c in sizes)
