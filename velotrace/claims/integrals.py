"""A second route to (3) and (4): the rate equations, integrated numerically."""

from __future__ import annotations

import numpy as np


def integrated(alpha: float, beta: float, gamma: float, time: float) -> tuple[float, float]:
    """u and s at a time of induction, from the rate equations u̇ = α − βu, ṡ = βu − γs.

    A route that shares nothing with the closed forms (3) and (4).
    """
    from scipy.integrate import solve_ivp  # heavy, and only here needed

    def rates(_: float, state: np.ndarray) -> list[float]:
        return [alpha - beta * state[0], beta * state[0] - gamma * state[1]]

    end = solve_ivp(rates, (0.0, time), [0.0, 0.0], rtol=1e-10, atol=1e-12).y[:, -1]
    return float(end[0]), float(end[1])
