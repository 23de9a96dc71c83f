"""Kinetics, equations (3) to (12), against two routes that share no formula with the package.

* the ODE u̇ = α − βu, ṡ = βu − γs (α = 0 in repression), integrated by `scipy.integrate.solve_ivp`;
* the same linear ODE's matrix exponential in 50 digits by mpmath, with no singularity at β = γ.
"""

from __future__ import annotations

from typing import Any

import autograd
import mpmath
import numpy as np
import pytest
from helpers import EPS
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from velotrace.model import kinetics
from velotrace.walkthrough import Trace

T_MAX = 20.0


def integrate(
    start: tuple[float, float], alpha: float, beta: float, gamma: float, time: float
) -> np.ndarray:
    """(u, s) after `time`, by Runge-Kutta of order 8, explicit but cheap enough at β = 50."""

    def slope(_: float, y: np.ndarray) -> list[float]:
        return [alpha - beta * y[0], beta * y[0] - gamma * y[1]]

    tolerance = 1e-13 * (alpha + sum(start)) + 1e-30
    done = solve_ivp(slope, (0.0, time), start, "DOP853", rtol=1e-11, atol=tolerance)
    assert done.success
    return np.asarray(done.y[:, -1])


def exponential(start: Any, alpha: Any, beta: Any, gamma: Any, time: Any) -> tuple[Any, Any]:
    """(u, s) after `time` in 50 digits: exp(A t) (u, s, 1) with A the matrix of the ODE."""
    with mpmath.workdps(max(50, mpmath.mp.dps)):  # mpmath.diff asks for more
        matrix = mpmath.matrix([[-beta, 0, alpha], [beta, -gamma, 0], [0, 0, 0]])
        end = mpmath.expm(matrix * time) * mpmath.matrix([*start, 1])
        return end[0], end[1]


def induction(alpha: float, beta: float, gamma: float, time: float) -> tuple[Any, Any]:
    u = kinetics.u_induction(alpha, beta, time)
    return u, kinetics.s_induction(alpha, beta, gamma, time)


def repression(
    start: tuple[float, float], beta: float, gamma: float, since: float
) -> tuple[Any, Any]:
    u_0, s_0 = start
    u = kinetics.u_repression(u_0, beta, since)
    return u, kinetics.s_repression(u_0, s_0, beta, gamma, since)


def logarithmic(low: float, high: float) -> Any:
    return st.floats(np.log(low), np.log(high)).map(lambda x: float(np.exp(x)))


rates = logarithmic(0.01, 5.0)
times = st.integers(0, 20_000_000).map(lambda n: n / 1e6) | st.sampled_from([10.0, T_MAX])
starts = st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 10.0))
near = st.builds(
    lambda power, sign: sign * 10.0**power, st.floats(-16, -1), st.sampled_from([-1, 1])
)


@given(logarithmic(0.1, 10.0), rates, rates, times, starts)
@example(0.85, 0.1, 0.05, 8.0, (8.5, 17.0))  # the document's gene A
@example(1.0, 0.1, 0.1, T_MAX, (10.0, 5.0))  # β = γ
@example(1.0, 0.1, 0.1 + 1e-9, T_MAX, (10.0, 5.0))  # β ≈ γ
@example(1.0, 50.0, 0.05, T_MAX, (10.0, 5.0))  # β ≫ γ
@example(1.0, 0.05, 50.0, T_MAX, (10.0, 5.0))
def test_ode(
    alpha: float, beta: float, gamma: float, time: float, start: tuple[float, float]
) -> None:
    """States 1 and 3, equations (3), (4), (7), (8).

    Tolerance: the solver keeps each step's error below 1e-11 of the values; its some 500 steps of a
    problem whose errors decay add up to less than 1e-8 of the largest value on the way.
    """
    size = alpha * min(time, 1.0 / beta + 1.0 / gamma)
    np.testing.assert_allclose(
        induction(alpha, beta, gamma, time),
        integrate((0.0, 0.0), alpha, beta, gamma, time),
        rtol=1e-8,
        atol=1e-8 * size + 1e-12,
    )
    np.testing.assert_allclose(
        repression(start, beta, gamma, time),
        integrate(start, 0.0, beta, gamma, time),
        rtol=1e-8,
        atol=1e-8 * sum(start) + 1e-12,
    )


def test_all_four_states_of_a_trace(traces: dict[str, Trace]) -> None:
    """(3) to (12) as the forward pass puts them together, u_bar and s_bar of every reading.

    States 2 and 4 are where the ODE ends: after 40 half-decays e^-40 = 4e-18 is left. Two of the
    readings start repression from the switch time, (9), (10): there induction runs on to t_s. The
    reading 'joint' is given scvi-tools' 1e-6 in the denominator, so it is left out here.
    """
    for name in ("document", "paper", "no hidden layer", "odd"):
        trace = traces[name]
        value = {key: entry.value for key, entry in trace.tape.names.items()}
        steady = trace.resolved.iteration.reading.repression_start == "steady-state"
        for n, g in np.ndindex(value["velocity"].shape):
            theta = [value[key][g] for key in ("alpha", "beta", "gamma")]
            t_s = value["switch_time"][g]
            for_ever = 40.0 / min(theta[1:])
            up = integrate((0.0, 0.0), *theta, value["time_induction"][n, g])
            top = integrate((0.0, 0.0), *theta, for_ever)
            start = top if steady else integrate((0.0, 0.0), *theta, t_s)
            down = integrate(start, 0.0, *theta[1:], value["time_repression"][n, g] - t_s)
            bottom = integrate(start, 0.0, *theta[1:], for_ever)
            expected = np.array([up, top, down, bottom])
            found = np.array([value["u_bar"][n, g], value["s_bar"][n, g]]).T
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * top.sum())
            assert (found[3] == 0.0).all()


def assert_exact(found: Any, exact: Any, size: float, exponent: float) -> None:
    """Within round-off: a dozen operations, and exp(−x), whose relative error is x times that of x.

    Args:
        found: from the package.
        exact: in 50 digits.
        size: of the largest term of the sum that makes it.
        exponent: the largest x.
    """
    allowed = (12.0 + 2.0 * exponent) * EPS * size
    assert abs(mpmath.mpf(float(found)) - exact) <= allowed + 1e-300


def assert_both_exact(
    alpha: float, beta: float, gamma: float, time: float, start: tuple[float, float]
) -> None:
    slow = min(beta, gamma) * time  # (3) and (4) go by expm1, which has no such loss, but for this
    u, s = induction(alpha, beta, gamma, time)
    exact_u, exact_s = exponential((0, 0), alpha, beta, gamma, time)
    assert_exact(u, exact_u, float(exact_u), 0.0)
    # (4) is a difference of two terms of at most α min(t, 1/γ) each
    assert_exact(s, exact_s, alpha * min(time, 1.0 / gamma), slow)
    u, s = repression(start, beta, gamma, time)
    exact_u, exact_s = exponential(start, 0, beta, gamma, time)
    assert_exact(u, exact_u, float(exact_u), beta * time)
    assert_exact(s, exact_s, float(exact_s), max(gamma * time, slow))


@given(logarithmic(0.1, 10.0), rates, near, times, starts)
def test_equal_and_nearly_equal_rates(
    alpha: float, beta: float, apart: float, time: float, start: tuple[float, float]
) -> None:
    """model.md section 1: exact at β = γ; near it (e^(−γt) − e^(−βt))/(γ − β) loses all digits."""
    assert_both_exact(alpha, beta, beta * (1.0 + apart), time, start)
    assert_both_exact(alpha, beta, beta, time, start)


@pytest.mark.parametrize("beta", [1e-9, 0.05, 0.974, 50.0])
@pytest.mark.parametrize("gamma", [1e-9, 0.05, 0.974, 50.0])
@pytest.mark.parametrize("time", [1e-6, 7.0, T_MAX])
def test_extremes_of_the_clamps(beta: float, gamma: float, time: float) -> None:
    """model.md section 1: no overflow anywhere in the clamps, as at β = 50, γ = 0.05, τ = 20."""
    with np.errstate(all="raise", under="ignore"):
        assert_both_exact(50.0, beta, gamma, time, (1000.0, 1000.0))


def test_limits_are_exact() -> None:
    """t = 0 gives 0; τ = 0, that is t = t_s, gives (u0, s0), (9), (10): to the last bit."""
    for beta, gamma in ((0.1, 0.05), (0.3, 0.3), (50.0, 0.05)):
        assert induction(0.85, beta, gamma, 0.0) == (0.0, 0.0)
        assert repression((8.1, 17.3), beta, gamma, 0.0) == (8.1, 17.3)


@pytest.mark.parametrize("time", [0.0, 8.0, T_MAX])
@pytest.mark.parametrize("apart", [0.0, 1e-15, -1e-12, 1e-7, -1e-3])
def test_gradients_at_equal_rates(time: float, apart: float) -> None:
    """∂/∂α, β, γ, t of (4) and ∂/∂u0, s0, β, γ, τ of (8), against mpmath's differentiation.

    model.md section 1: the derivative of exprel written directly is wrong by 8e-4 at x = 1e-7. At
    β = γ the package's min and |·| have kinks that cancel. Tolerance: `exprel_slope` is right to
    4e-15 = 18 EPS, and some twenty operations follow on terms whose sizes are listed.
    """
    alpha, beta, gamma = 0.85, 0.1, 0.1 * (1.0 + apart)
    of_4 = (time, alpha * time**2, alpha * (time / gamma + time**2), alpha)
    for which, size in enumerate(of_4):
        point = (alpha, beta, gamma, time)
        slope = autograd.grad(kinetics.s_induction, which)(*point)
        exact = _slope(lambda *p: exponential((0, 0), *p)[1], which, point)
        assert abs(slope - exact) <= 40.0 * EPS * size + 1e-100, which
    u_0, s_0 = 8.5, 17.0
    of_both = u_0 * (time + beta * time**2)
    of_8 = (beta * time, 1.0, of_both, s_0 * time + of_both, beta * (s_0 + u_0 * (1 + beta * time)))
    for which, size in enumerate(of_8):
        start = (u_0, s_0, beta, gamma, time)
        slope = autograd.grad(kinetics.s_repression, which)(*start)
        exact = _slope(lambda u, s, b, c, t: exponential((u, s), 0, b, c, t)[1], which, start)
        assert abs(slope - exact) <= 40.0 * EPS * size + 1e-100, which


def _slope(function: Any, which: int, point: tuple[float, ...]) -> float:
    def of_one(x: Any) -> Any:
        return function(*point[:which], x, *point[which + 1 :])

    with mpmath.workdps(50):
        return float(mpmath.diff(of_one, point[which]))


@given(rates, rates, st.floats(0.01, T_MAX))
@example(0.1, 0.1, 8.0)
def test_scvi_tools_denominator(beta: float, gamma: float, time: float) -> None:
    """model.md section 1: 'eps' adds 1e-6 to γ − β, so that at β = γ the quotient is 0.

    Tolerance: the difference of two exponentials, each at most 1 and wrong by its exponent times
    the round-off, over the denominator.
    """
    quotient = kinetics.exponential_difference(beta, gamma, time, "eps")
    with mpmath.workdps(50):
        b, c, t = mpmath.mpf(beta), mpmath.mpf(gamma), mpmath.mpf(time)
        below = c - b + mpmath.mpf(10) ** -6
        exact = (mpmath.exp(-c * t) - mpmath.exp(-b * t)) / below
    exact_below = abs(float(below))
    exponents = time * (beta * np.exp(-beta * time) + gamma * np.exp(-gamma * time))
    allowed = EPS * (2.0 + exponents) / exact_below + abs(float(exact)) * 4.0 * EPS * (
        1.0 + (beta + gamma) / exact_below
    )
    assert abs(float(quotient) - float(exact)) <= allowed


@given(st.floats(0.1, 10.0), rates, rates, st.floats(0.0, T_MAX), starts)
def test_velocity_is_the_rate_of_change(
    alpha: float, beta: float, gamma: float, time: float, start: tuple[float, float]
) -> None:
    """RNA velocity βū − γs̄ is ds̄/dt in states 1 and 3, model.md section 1; 0 in states 2 and 4.

    Tolerance: 1e-13 of βū + γs̄, whose difference it is, and of the terms of ds̄/dt, whose sum it is.
    """
    u, s = induction(alpha, beta, gamma, time)
    u_3, s_3 = repression(start, beta, gamma, time)
    u_bar = np.array([u, alpha / beta, u_3, 0.0])
    s_bar = np.array([s, alpha / gamma, s_3, 0.0])
    found = kinetics.velocity(np.array(beta), np.array(gamma), u_bar, s_bar)
    slope_1 = autograd.grad(kinetics.s_induction, 3)(alpha, beta, gamma, time)
    slope_3 = autograd.grad(kinetics.s_repression, 4)(*start, beta, gamma, time)
    size = beta * u_bar + gamma * s_bar
    size += np.array([2.0 * alpha, 0.0, (beta + gamma) * sum(start), 0.0])
    assert (np.abs(found - [slope_1, 0.0, slope_3, 0.0]) <= 1e-13 * size).all()
