"""Three routes to every gradient, and that the comparison can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from iterations import Case, cases, make_case

import velotrace
from velotrace.certificates import certify
from velotrace.certificates import certify as certify_function
from velotrace.certificates.differences import differentiate, noise_of
from velotrace.certificates.moving_draw import moving_draw
from velotrace.model.objective import loss
from velotrace.model.records import Draws
from velotrace.tape import evaluate, named
from velotrace.walkthrough import Trace


def as_trace(case: Case) -> Any:
    """What `certify` needs of a trace."""
    resolved = SimpleNamespace(parameters=case.parameters, iteration=case.iteration)
    return SimpleNamespace(resolved=resolved, tape=case.tape())


def breaches(report: Any) -> list[str]:
    return [certificate.name for certificate in report.certificates if not certificate.holds]


def test_walkthrough_holds(walkthrough: Trace) -> None:
    """Document section 3b: every named value and every weight, all components."""
    report = certify(walkthrough)
    assert not breaches(report)
    assert {c.name for c in report.certificates} | set(report.without_path) == set(
        walkthrough.tape.names
    )
    assert all(c.checked == c.components for c in report.certificates)
    # the bounds are no excuse: each is a small part of the array's largest component
    assert all(c.tape_differences.bound < 1e-5 * c.largest for c in report.certificates)


@pytest.mark.parametrize("preset", ["paper", "joint", "scvi-tools"])
def test_far_too_large_rates_hold(preset: str, scenario: Callable[..., Path]) -> None:
    """ū of 500 against deviations of 0.01: steps relative to ū jump from one state to another."""
    keys = {
        "reading": {"preset": preset},
        "initial": {"alpha": [50.0, 3.0, 49.9], "switch_time": [10.0, 19.99, 5.0]},
    }
    assert not breaches(certify(velotrace.trace(scenario(keys))))


@pytest.mark.parametrize(
    ("free", "checked"),
    [(49.0, 2), (50.0, 1), (50.0 + 1e-7, 1), (57.0, 2)],  # a corner, and 1e-7 from it
)
def test_a_clamp_is_a_corner(free: float, checked: int) -> None:
    """min(softplus(a), 50): slope 1 below, 0 above, and at 50 itself no derivative to check."""
    case = make_case(5, 2, 2, parameterisation="softplus", clamped={"alpha_free": free})
    report = certify(as_trace(case))
    assert not breaches(report)
    found = {certificate.name: certificate for certificate in report.certificates}["alpha_free"]
    assert (found.components, found.checked) == (2, checked)
    slope = case.tape()["alpha_free"].adjoint[-1]  # both exact routes let the gradient in at 50
    assert (slope == 0.0) == (free > 50.0)


@settings(max_examples=50, phases=(Phase.explicit, Phase.generate))
@given(cases())
def test_random_scenarios_hold(case: Case) -> None:
    """Every reading's likelihood, both repression starts, β = γ and β ≈ γ, drawn π on the way."""
    assert not breaches(certify(as_trace(case), most=40))


@pytest.mark.parametrize("name", ["alpha", "sigma_s", "z", "concentration", "decoder_rep.0.W"])
@pytest.mark.parametrize("route", ["hand", "tape"])
def test_planted_error_is_a_breach(name: str, route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One component off by a thousandth of the largest: the row says so, whichever route errs."""
    case = make_case(3, likelihood="joint-mixture", repression_start="switch-time")
    trace = as_trace(case)
    if route == "tape":
        adjoint = trace.tape[name].adjoint
        adjoint.flat[0] += 1e-3 * np.max(np.abs(adjoint))
    else:
        honest = certify_function.__globals__["backward"]

        def wrong(*arguments: Any) -> Any:
            found = honest(*arguments)
            found[name] = found[name].copy()
            found[name].flat[0] += 1e-3 * np.max(np.abs(found[name]))
            return found

        monkeypatch.setitem(certify_function.__globals__, "backward", wrong)
    assert name in breaches(certify(trace))


def test_error_in_the_forward_pass_hidden_from_a_name() -> None:
    """A value that is named and also used unnamed under-counts: finite differences see it."""

    def function(p: Any) -> Any:
        hidden = p["x"] ** 2
        return named(hidden, "y") * 3.0 + hidden

    x = np.array(1.5)
    found = differentiate(function, {"x": x}, "y", x**2, 1e-15, np.array([0]))
    assert found.quotient[0] == pytest.approx(3.0, abs=found.bound[0] + 1e-12)  # not 4


def test_differences_of_a_known_function() -> None:
    """The bound covers the true error, and is not more than a hundred-thousandth of the slope."""
    value = np.array([0.3, -1.2, 4.0])
    found = differentiate(
        lambda p: np.sum(np.exp(named(p["x"], "y")), axis=-1).squeeze(),
        {"x": value}, "y", value, 2e-14, np.arange(3),
    )  # fmt: skip
    error = np.abs(found.quotient - np.exp(value))
    assert (error <= found.bound).all()
    assert (found.bound < 1e-5 * np.exp(value)).all()


def test_noise_covers_what_rounding_does() -> None:
    """δ against the loss in another order of summation and of evaluation: ten shuffled batches."""
    case = make_case(8, 6, 3)
    values = []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(6)
        iteration = case.iteration
        drawn = iteration.draws
        assert drawn.state is not None
        draws = Draws(drawn.epsilon_z[order], drawn.pi[order], drawn.state[order])
        u, s = iteration.unspliced[order], iteration.spliced[order]
        shuffled = replace(iteration, unspliced=u, spliced=s, draws=draws)
        values.append(float(loss(case.parameters, shuffled)))
    noise = noise_of(case.tape())
    assert max(values) - min(values) <= noise
    assert noise < 1e-9 * max(values)


@pytest.mark.parametrize("x", [0.02, 0.4, 0.97, 1e-30])
@pytest.mark.parametrize(("a", "b"), [(0.3, 2.0), (1.7, 1.1), (6.0, 0.4)])
def test_moving_draw_against_mpmath(x: float, a: float, b: float) -> None:
    """model.md section 2: −∂_a F / (pdf x), within the bound that is claimed for it."""
    rest = 1.0 - x
    pi = np.array([[[x, rest * 0.5, rest * 0.3, rest * 0.2]]])
    concentration = np.array([[[a, b * 0.5, b * 0.3, b * 0.2]]])
    moved = moving_draw(pi, concentration)
    with mpmath.workdps(60):
        exact_x = mpmath.mpf(float(x))

        def beta_distribution(at: Any) -> Any:
            return mpmath.betainc(at, mpmath.mpf(float(b)), 0, exact_x, regularized=True)

        slope = mpmath.diff(beta_distribution, mpmath.mpf(float(a)))
        log_density = (mpmath.mpf(a) * mpmath.log(exact_x)) + (mpmath.mpf(b) - 1) * mpmath.log(
            1 - exact_x
        )
        expected = float(-slope / mpmath.exp(log_density) * mpmath.beta(a, b))
    # b is summed from three rounded parts: allow their round-off on top of the claimed error
    allowed = moved.error[0, 0, 0, 0] + 1e-13 * abs(expected)
    assert abs(moved.slope[0, 0, 0, 0] - expected) <= allowed
    assert moved.error[0, 0, 0, 0] < 1e-7 * abs(expected)


def test_draw_is_moved_and_not_drawn_anew() -> None:
    """A shifted concentration moves π along its own path, to first order by its slope."""
    case = make_case(4, 1, 1, likelihood="joint-mixture")
    values = evaluate(case.function, case.parameters).values
    draw = moving_draw(values["pi"], values["concentration"])
    step = np.zeros(4)
    step[0] = 1e-6
    shifted = {"concentration": values["concentration"] + step}
    moved = draw.follow(shifted)["pi"].value
    change = np.log(moved / values["pi"])[0, 0]
    np.testing.assert_allclose(change, draw.slope[0, 0, :, 0] * 1e-6, rtol=1e-4)
    assert abs(np.sum(moved) - 1.0) < 1e-11  # still probabilities


def test_command_prints_and_exits(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`velotrace check`: 0 and a table; 1 on a breach; the same figures as JSON."""
    shown = command("check")
    assert shown.status == 0
    assert "agree by three routes" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    report = json.loads(command("check", "--format", "json", "--most", "5").out)
    assert report["holds"]
    assert {"alpha", "loss", "encoder_z.0.W"} <= {row["name"] for row in report["certificates"]}
    honest = certify_function.__globals__["backward"]
    monkeypatch.setitem(
        certify_function.__globals__,
        "backward",
        lambda *arguments: honest(*arguments) | {"alpha": -honest(*arguments)["alpha"]},
    )
    shown = command("check")
    assert shown.status == 1
    assert "BREACH" in shown.out
