"""Second routes: the rate equations and both divergences, integrated numerically."""

from __future__ import annotations

import math

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


def integrated_kl_normal(mean: np.ndarray, log_var: np.ndarray) -> float:
    """KL(N(μ, Σ) ‖ N(0, I)) as an integral of q (log q − log p), dimension by dimension.

    By the trapezoidal rule, which for a function that fades so quickly is as good as exact.
    """
    from scipy.stats import norm  # heavy, and only here needed

    deviation = np.exp(0.5 * log_var)
    x = mean + deviation * np.linspace(-12.0, 12.0, 2001)[:, None]
    log_q, log_p = norm.logpdf(x, mean, deviation), norm.logpdf(x)
    return float(np.trapezoid(np.exp(log_q) * (log_q - log_p), x, axis=0).sum())


def mean_log(q: np.ndarray) -> np.ndarray:
    """E[log x_i] under Dir(q), by integrating over the distribution of each x_i, a Beta.

    With x = e^y the density of log x is x^a (1 − x)^(b − 1) / B(a, b): no special function of the
    closed form is used but the Beta's normaliser.
    """
    from scipy.integrate import quad  # heavy, and only here needed

    def one(a: float, b: float) -> float:
        def density(y: float) -> float:
            return math.exp(a * y) * (-math.expm1(y)) ** (b - 1.0) if y < 0.0 else 0.0

        cut = -60.0 / min(a, 1.0)
        points = [(cut, -30.0), (-30.0, -1.0), (-1.0, -1e-15)]
        weight = sum(quad(density, *p, limit=200)[0] for p in points)
        total = sum(quad(lambda y: y * density(y), *p, limit=200)[0] for p in points)
        return float(total / weight)

    return np.array([one(a, float(np.sum(q) - a)) for a in q])


def integrated_kl(q: np.ndarray, p: np.ndarray) -> float:
    """KL(Dir(q) ‖ Dir(p)): E[log q(x) − log p(x)], the densities as SciPy normalises them.

    log q(x) − log p(x) is linear in log x, so its mean is its value where every log x is at its
    mean.
    """
    from scipy.stats import dirichlet

    middle = np.full(len(q), 1.0 / len(q))
    at_middle = float(dirichlet.logpdf(middle, q) - dirichlet.logpdf(middle, p))
    return at_middle + float(np.sum((q - p) * (mean_log(q) - np.log(middle))))
