"""The kinetics' slopes, closed forms: how equations (3), (4), (7) and (8) move with what they use.

The backward pass by hand multiplies them by the adjoints that arrive; `kinetics` has the equations.
"""

from __future__ import annotations

import numpy as np

from velotrace.model.kinetics import SCVI_EPS, exprel
from velotrace.model.readings import Denominator
from velotrace.model.special import exprel_slope

Array = np.ndarray


class Decay:
    """e^(−βt), e^(−γt), Q = (e^(−γt) − e^(−βt))/(γ − β), and Q's slopes in β, γ and t.

    With m = min(β, γ), x = −|γ − β|t and E = exprel: Q = −t e^(−mt) E(x). The larger rate has the
    slope t² e^(−mt) E′(x), the smaller one t² e^(−mt) (E(x) − E′(x)); both are ½ t² e^(−βt) at
    β = γ. The slope in t is −e^(−γt) − βQ; `rise` is its sum with e^(−γt), where that cancels.

    Attributes:
        time: t.
        fast: e^(−βt).
        slow: e^(−γt).
        q: Q.
        q_beta: ∂Q/∂β.
        q_gamma: ∂Q/∂γ.
        rise: e^(−γt) + ∂Q/∂t.
    """

    __slots__ = ("fast", "q", "q_beta", "q_gamma", "rise", "slow", "time")

    def __init__(self, beta: Array, gamma: Array, time: Array, form: Denominator):
        self.time = time
        self.fast, self.slow = np.exp(-beta * time), np.exp(-gamma * time)
        gap = gamma - beta
        decayed = time * np.exp(-np.minimum(beta, gamma) * time)  # t e^(−mt)
        x = -np.abs(gap) * time
        ratio, slope = exprel(x), exprel_slope(x)
        self.q = -decayed * ratio
        longer = time * decayed
        larger, smaller = longer * slope, longer * (ratio - slope)
        beta_smaller = (gap >= 0.0).astype(np.float64)
        gamma_smaller = 1.0 - beta_smaller
        self.q_beta = beta_smaller * smaller + gamma_smaller * larger
        self.q_gamma = beta_smaller * larger + gamma_smaller * smaller
        self.rise = -beta * self.q
        if form == "eps":  # scvi-tools: the exact quotient times gap / (gap + 1e-6)
            share, rest = gap / (gap + SCVI_EPS), SCVI_EPS / (gap + SCVI_EPS)
            of_share = self.q * rest / (gap + SCVI_EPS)
            self.q_beta = self.q_beta * share - of_share
            self.q_gamma = self.q_gamma * share + of_share
            self.rise = self.slow * rest + self.rise * share
            self.q = self.q * share

    def part(self, index: int) -> Decay:
        """One of several times that were stacked in front."""
        part = object.__new__(Decay)
        for name in self.__slots__:
            setattr(part, name, getattr(self, name)[index])
        return part


def induction_slopes(
    alpha: Array, beta: Array, gamma: Array, decay: Decay, of_u: Array, of_s: Array
) -> tuple[Array, Array, Array, Array]:
    """Adjoints of α, β, γ and t from those of (3) and (4).

    With A = 1 − e^(−βt), C = 1 − e^(−γt), Q = (e^(−γt) − e^(−βt))/(γ − β):
    u = αA/β and s = α(C/γ + Q), so ∂u/∂t = αe^(−βt), ∂s/∂t = α(e^(−γt) + ∂Q/∂t) = −αβQ.

    Returns:
        Shape (cell, gene) each, not yet summed over cells.
    """
    time, fast, slow = decay.time, decay.fast, decay.slow
    grown_u, grown_s = -np.expm1(-beta * time) / beta, -np.expm1(-gamma * time) / gamma
    d_alpha = of_u * grown_u + of_s * (grown_s + decay.q)
    d_beta = alpha * (of_u * (time * fast - grown_u) / beta + of_s * decay.q_beta)
    d_gamma = alpha * of_s * ((time * slow - grown_s) / gamma + decay.q_gamma)
    d_time = alpha * (of_u * fast + of_s * decay.rise)
    return d_alpha, d_beta, d_gamma, d_time


def repression_slopes(
    u_0: Array, s_0: Array, beta: Array, gamma: Array, decay: Decay, of_u: Array, of_s: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Adjoints of u0, s0, β, γ and τ from those of (7) and (8).

    u = u0 e^(−βτ) and s = s0 e^(−γτ) − βu0 Q.

    Returns:
        Shape (cell, gene) each, not yet summed over cells.
    """
    since, fast, slow = decay.time, decay.fast, decay.slow
    d_u_0 = of_u * fast - of_s * beta * decay.q
    d_s_0 = of_s * slow
    d_beta = -u_0 * (of_u * since * fast + of_s * (decay.q + beta * decay.q_beta))
    d_gamma = -of_s * (s_0 * since * slow + beta * u_0 * decay.q_gamma)
    of_q_time = of_s * (decay.rise - slow)
    d_since = -beta * u_0 * (of_u * fast + of_q_time) - gamma * s_0 * of_s * slow
    return d_u_0, d_s_0, d_beta, d_gamma, d_since
