"""Second routes to both divergences, integrals and draws, which share nothing with closed forms.

No Gamma function, digamma function or closed form of a divergence is used by the integrals here. A
Dirichlet falls apart into independent Betas (stick-breaking: v_1 = x_1, v_2 = x_2/(1 − x_1), …,
v_j ~ Beta(α_j, Σ_{i>j} α_i)), and what is wanted of a Beta is three integrals over [0, 1] of
v^(a−1) (1 − v)^(b−1) times 1, log v and log(1 − v). QUADPACK has rules for just these, exact at the
singular ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammainc

from velotrace.model import random
from velotrace.model.distributions import LOG_2_PI, kl_dirichlet_terms
from velotrace.model.special import trigamma

Array = np.ndarray


@dataclass(frozen=True)
class Sample:
    """What many draws say of an expectation.

    Attributes:
        mean: over the draws, nat.
        deviation: standard deviation of one draw.
        draws: how many.
        negative: share of the draws below zero.
    """

    mean: float
    deviation: float
    draws: int
    negative: float

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.deviation / math.sqrt(self.draws)

    def off(self, value: float) -> float:
        """How many standard errors the mean lies from a value."""
        return abs(self.mean - value) / self.error

    @classmethod
    def of(cls, drawn: Array) -> Sample:
        """The summary of some draws."""
        spread = float(drawn.std(ddof=1))
        return cls(float(drawn.mean()), spread, drawn.size, float(np.mean(drawn < 0.0)))


# ---- closed forms ---------------------------------------------------------------------------


def kl_normal_by_dimension(mean: Array, log_var: Array) -> Array:
    """doc (1) dimension by dimension: ½ (Σ + μ² − log Σ − 1), nat.

    Args:
        mean: μ, any shape.
        log_var: log Σ, same shape.

    Returns:
        Same shape; the sum over latent dimensions is KL(N(μ, Σ) ‖ N(0, I)).
    """
    return np.asarray(0.5 * (np.exp(log_var) + mean**2 - log_var - 1.0))


def kl_dirichlet(concentration: Array, prior: float) -> Array:
    """doc (2) with its ratios put right: KL of Dirichlets from the symmetric prior, nat.

    Args:
        concentration: shape (…, state), positive.
        prior: α_p.

    Returns:
        Shape (…,).
    """
    return np.asarray(sum(kl_dirichlet_terms(concentration, prior)))


def printed_kl_dirichlet(concentration: Array, prior: float) -> Array:
    """doc (2) as printed: with both ratios upside down its first two terms change sign.

    Arguments and result are those of `kl_dirichlet`.
    """
    normaliser, log_gamma, of_digamma = kl_dirichlet_terms(concentration, prior)
    return np.asarray(of_digamma - normaliser - log_gamma)


# ---- normal ---------------------------------------------------------------------------------


def normal_by_integration(mean: Array, log_var: Array) -> tuple[Array, Array]:
    """E_q log q and E_q log p of each dimension, q = N(μ, Σ) and p = N(0, 1), integrated.

    Args:
        mean: μ, shape (latent,).
        log_var: log Σ, same shape.

    Returns:
        Both, same shape, nat; their difference is the divergence.
    """
    from scipy.integrate import quad  # heavy, and only here needed

    def one(mu: float, sd: float) -> tuple[float, float]:
        def density(z: float) -> float:
            return math.exp(-0.5 * ((z - mu) / sd) ** 2) / (sd * math.sqrt(2.0 * math.pi))

        def of_q(z: float) -> float:
            height = density(z)
            return height * math.log(height)

        def of_p(z: float) -> float:
            return -0.5 * density(z) * (z * z + math.log(2.0 * math.pi))

        ends = (mu - 12.0 * sd, mu + 12.0 * sd)  # beyond, less than 1e-31 of the mass
        return quad(of_q, *ends)[0], quad(of_p, *ends)[0]

    pairs = zip(mean, np.exp(0.5 * log_var), strict=True)
    log_q, log_p = np.array([one(float(mu), float(sd)) for mu, sd in pairs]).T
    return log_q, log_p


def normal_turned(mean: Array, log_var: Array) -> tuple[Array, Array]:
    """Mean and log variance whose KL from N(0, 1) is KL(N(0, 1) ‖ N(μ, Σ)).

    z → (z − μ)/sd turns N(μ, Σ) into N(0, 1) and N(0, 1) into N(−μ/sd, 1/Σ), and a change of
    variables leaves a divergence as it is.
    """
    return -mean * np.exp(-0.5 * log_var), -log_var


def drawn_logs(mean: Array, log_var: Array, draws: int, seed: int) -> tuple[Array, Array]:
    """log q(z) and log p(z) at draws z ~ q = N(μ, Σ), p = N(0, I), each (draws, latent)."""
    noise = random.generator(seed, "kl_z", 0).standard_normal((draws, len(mean)))
    z = mean + np.exp(0.5 * log_var) * noise
    return -0.5 * (noise**2 + log_var + LOG_2_PI), -0.5 * (z**2 + LOG_2_PI)


# ---- Dirichlet ------------------------------------------------------------------------------


def beta_integrals(a: float, b: float) -> tuple[float, float, float]:
    """log B(a, b), E log v and E log(1 − v) of v ~ Beta(a, b), by integration alone.

    QUADPACK's weight takes the fractional part of each power, which makes the ends singular. What
    is left is a polynomial, here divided by its largest value: that is 1e-240 at (250, 750).

    Example:
        >>> print(*(round(x, 9) for x in beta_integrals(2.0, 1.0)))
        -0.693147181 -0.5 -1.5
    """
    from scipy.integrate import quad

    powers = [max(0.0, math.floor(x - 1.0)) for x in (a, b)]
    rest = (a - 1.0 - powers[0], b - 1.0 - powers[1])
    peak = powers[0] / max(1.0, sum(powers))
    largest = _log_power(peak, powers[0]) + _log_power(1.0 - peak, powers[1])

    def polynomial(v: float) -> float:
        return math.exp(_log_power(v, powers[0]) + _log_power(1.0 - v, powers[1]) - largest)

    whole, left, right = (
        quad(polynomial, 0.0, 1.0, weight=weight, wvar=rest, epsabs=1e-14, epsrel=1e-11)[0]
        for weight in ("alg", "alg-loga", "alg-logb")
    )
    return math.log(whole) + largest, left / whole, right / whole


def _log_power(x: float, power: float) -> float:
    """log x^power, where 0^0 is 1 and 0 to any other power has the log −∞."""
    if power == 0.0:
        return 0.0
    return power * math.log(x) if x > 0.0 else -math.inf


def sticks(concentration: Array) -> list[tuple[float, float]]:
    """The Betas into which a Dirichlet falls apart, (α_j, Σ_{i>j} α_i), one fewer than states."""
    rest = np.cumsum(concentration[::-1])[::-1]
    return [(float(a), float(b)) for a, b in zip(concentration[:-1], rest[1:], strict=True)]


def divergences_of_sticks(q: Array, p: Array) -> Array:
    """KL of each Beta of Dir(q) from that of Dir(p); their sum is KL(Dir(q) ‖ Dir(p)).

    Example:
        >>> print(divergences_of_sticks(np.ones(4), np.full(4, 0.25)).sum().round(4))
        1.4438
    """
    found = []
    for (a, b), (a_p, b_p) in zip(sticks(q), sticks(p), strict=True):
        log_b, left, right = beta_integrals(a, b)
        found.append(beta_integrals(a_p, b_p)[0] - log_b + (a - a_p) * left + (b - b_p) * right)
    return np.array(found)


def integrated_kl(q: Array, p: Array) -> float:
    """KL(Dir(q) ‖ Dir(p)) by integration: the sum over its Betas.

    Args:
        q: concentrations, shape (state,), positive.
        p: likewise.

    Returns:
        The divergence, nat.
    """
    return float(divergences_of_sticks(q, p).sum())


def mean_logs(q: Array) -> Array:
    """E log x_i under Dir(q) by integration over each x_i's own Beta, same shape."""
    return np.array([beta_integrals(a, float(np.sum(q)) - a)[1] for a in q])


def log_normaliser(q: Array) -> float:
    """log B(q) of a Dirichlet by integration: the sum over its Betas."""
    return sum(beta_integrals(*pair)[0] for pair in sticks(q))


def drawn_log_probabilities(q: Array, draws: int, seed: int) -> Array:
    """log π at draws π ~ Dir(q), shape (draws, state)."""
    many = np.broadcast_to(q, (1, draws, len(q)))
    return np.log(random.draw_pis([seed], 0, many, purpose="kl_")[0])


def drawn_dirichlet_log_ratios(q: Array, p: Array, draws: int, seed: int) -> Array:
    """log q(π) − log p(π) at draws π ~ Dir(q), shape (draws,)."""
    constant = log_normaliser(p) - log_normaliser(q)
    return drawn_log_probabilities(q, draws, seed) @ (q - p) + constant


def slope_parts(q: Array, prior: float) -> tuple[Array, Array]:
    """The two parts of ∂KL/∂α_i: (α_i − α_p) ψ′(α_i), and −(Σα − 4α_p) ψ′(Σα) for every i."""
    total = np.sum(q, axis=-1, keepdims=True)
    return (q - prior) * trigamma(q), -(total - 4.0 * prior) * trigamma(total) + 0.0 * q


def expected_largest(concentration: float, states: int = 4) -> float:
    """E max_i π_i under the symmetric Dirichlet.

    π is Gamma variates over their sum, and independent of the sum: E max π = E max G / E Σ G, with
    E max G = ∫ 1 − F(x)^states dx.

    Example:
        >>> print(round(expected_largest(1.0), 6), round((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, 6))
        0.520833 0.520833
    """
    from scipy.integrate import quad

    def above(x: float) -> float:
        return 1.0 - float(gammainc(concentration, x)) ** states

    whole = quad(above, 0.0, 1.0)[0] + quad(above, 1.0, np.inf)[0]
    return float(whole) / (states * concentration)


def quotients(function: Callable[[Array], float], x: Array, step: float = 1e-3) -> Array:
    """Difference quotients of a function by each component, with an error of order step⁴."""
    found = []
    for shift in step * np.eye(len(x)):
        near, far = (function(x + k * shift) - function(x - k * shift) for k in (1.0, 2.0))
        found.append((8.0 * near - far) / (12.0 * step))
    return np.array(found)


# ---- down the slope -------------------------------------------------------------------------


def descent(q: Array, prior: float, rate: float, steps: int, upside_down: bool = False) -> Array:
    """Plain gradient descent of the divergence alone on the concentrations, shape (steps + 1, 4).

    Args:
        q: where it starts.
        prior: α_p.
        rate: step per unit of gradient.
        steps: how many.
        upside_down: follow doc (2) as printed, whose gradient has 2 (ψ(α_i) − ψ(Σα)) more.
    """
    path = [np.array(q, dtype=np.float64)]
    for _ in range(steps):
        now = path[-1]
        slope = sum(slope_parts(now, prior))
        if upside_down:
            slope = slope + 2.0 * (digamma(now) - digamma(now.sum()))
        path.append(now - rate * slope)
    return np.array(path)
