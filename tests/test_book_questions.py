"""What the page of users' questions computes, each by a second route."""

from __future__ import annotations

import numpy as np
import pytest

import velotrace
from velotrace.learning.ensemble import member
from velotrace.model import kinetics
from velotrace.report import book_question_figures as draw
from velotrace.report.book_why import autoencoder, weights
from velotrace.studies import questions as ask
from velotrace.studies.recovery import scaled
from velotrace.studies.steady_state import steady_state
from velotrace.studies.toy import INDUCED


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


def cells_of(fit: ask.Fit, name: str, gene: int) -> list[list[float]]:
    """A result's numbers as plain lists: of each seed, of each cell."""
    return fit.results[name].isel(gene=gene).transpose("seed", "cell").to_numpy().tolist()


def test_u_and_s_are_divided_where_their_likeliest_states_differ(fit: ask.Fit) -> None:
    """The scvi-tools reading has separate mixtures; counted one by one."""
    history = fit.trained.history
    for seed, share in enumerate(ask.divided(fit)):
        of_u, of_s = (
            history[f"responsibility_{kind}"].isel(seed=seed).to_numpy()[-50:].reshape(-1, 4)
            for kind in "us"
        )
        apart = [max(range(4), key=u.__getitem__) != max(range(4), key=s.__getitem__)
                 for u, s in zip(of_u.tolist(), of_s.tolist(), strict=True)]  # fmt: skip
        assert len(apart) == 50 * 4 * 3
        assert share == pytest.approx(sum(apart) / len(apart))
    assert 0.0 < ask.divided(fit).max() < 1.0


def test_a_dimension_is_used_where_its_divergence_says_so(fit: ask.Fit) -> None:
    """Each dimension's KL by the trapezoidal rule."""
    grid = np.linspace(-12.0, 12.0, 20_001)
    counts = ask.used_dimensions(fit)
    for seed in range(3):
        means, logs = (
            fit.results[name].isel(seed=seed).transpose("cell", ...).to_numpy()
            for name in ("mu_z", "log_var_z")
        )
        used = 0
        for d in range(means.shape[1]):
            total = 0.0
            for mean, log_var in zip(means[:, d], logs[:, d], strict=True):
                log_q = -0.5 * ((grid - mean) ** 2 / np.exp(log_var) + log_var)
                total += np.trapezoid(
                    np.exp(log_q) / np.sqrt(2 * np.pi) * (log_q + 0.5 * grid**2), grid
                )
            used += total / len(means) > ask.USED
        assert counts[seed] == used
    assert counts.max() > 0


def test_a_signal_is_right_where_velocity_has_the_sign_of_the_data(fit: ask.Fit) -> None:
    right, wrong = [], []
    velocity, spread = cells_of(fit, "velocity", 0), cells_of(fit, "velocity_sd", 0)
    for of_seed, deviations in zip(velocity, spread, strict=True):
        for v, sd, up in zip(of_seed, deviations, INDUCED["A"], strict=True):
            (right if (v > 0.0) == up else wrong).append(abs(v) / sd)
    sound, unsound = ask.signals(fit, "A")
    assert sorted(sound) == pytest.approx(sorted(right))
    assert sorted(unsound) == pytest.approx(sorted(wrong))
    assert right
    assert wrong


def test_misfit_and_last_loss(fit: ask.Fit) -> None:
    misfit = ask.misfits(fit)
    found, plan = fit.results.isel(seed=1, gene=2), fit.trained.plan
    square = (found["fitted_u"].to_numpy() - plan.unspliced[:, 2]) ** 2
    square = square + (found["fitted_s"].to_numpy() - plan.spliced[:, 2]) ** 2
    assert misfit[1, 2] == pytest.approx(np.sqrt(square.sum() / 8))
    losses = fit.trained.history["loss"].isel(seed=2).to_numpy().ravel().tolist()
    assert len(losses) == 60
    assert fit.last_loss[2] == pytest.approx(sum(losses[10:]) / 50)


def test_spread_over_some_seeds_and_over_draws(fit: ask.Fit) -> None:
    """Two of three seeds, so that some and all are told apart."""
    chosen = np.array([True, False, True])
    table = ask.spreads(fit, "B", chosen)
    velocity, draws = (np.array(cells_of(fit, name, 1)) for name in ("velocity", "velocity_sd"))
    for n in range(4):
        first, _, third = velocity[:, n]
        assert table["velocity"][n] == pytest.approx((first + third) / 2)
        assert table["over draws"][n] == pytest.approx((draws[0, n] + draws[2, n]) / 2)
        assert table["over these seeds"][n] == pytest.approx(abs(first - third) / 2)
        assert table["over all seeds"][n] == pytest.approx(np.std(velocity[:, n]))
    assert list(table["cell"]) == ["Cell 1", "Cell 2", "Cell 3", "Cell 4"]


def test_order_agreement_is_the_correlation_of_ranks(fit: ask.Fit) -> None:
    def ranks(times: list[float]) -> list[float]:
        return [sum(other < t for other in times) for t in times]

    one, other = (cells_of(fit, "latent_time", gene) for gene in (0, 1))
    pairs = [(ranks(a), ranks(b)) for a, b in zip(one, other, strict=True)]
    wanted = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
    assert ask.order_agreement(fit, np.ones(3, dtype=bool), "A", "B") == pytest.approx(
        sum(wanted) / 3
    )
    first = np.array([True, False, False])
    assert ask.order_agreement(fit, first, "A", "B") == pytest.approx(wanted[0])


def test_outcomes_have_a_row_for_each_training(fit: ask.Fit) -> None:
    table = ask.outcomes_table({"one": fit, "two": fit}, "B")
    verdicts = ask.verdicts(fit, "B").tolist()
    for _, row in table.iterrows():
        assert [row[kind] for kind in (ask.RIGHT, ask.SWAPPED, ask.NEITHER)] == [
            verdicts.count(kind) for kind in (ask.RIGHT, ask.SWAPPED, ask.NEITHER)
        ]
        assert row["misfit"] == sorted(ask.misfits(fit)[:, 1])[1]
        assert row["loss"] == sorted(fit.last_loss)[1]


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
