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
        x = -np.abs(gap) * time
        ratio, slope = exprel(x), exprel_slope(x)
        decayed = time * np.maximum(self.fast, self.slow)  # t e^(−mt)
        self.q = -decayed * ratio
        longer = time * decayed
        larger, smaller = longer * slope, longer * (ratio - slope)
        beta_smaller = gap >= 0.0
        self.q_beta = np.where(beta_smaller, smaller, larger)
        self.q_gamma = np.where(beta_smaller, larger, smaller)
        self.rise = -beta * self.q
        if form == "eps":  # scvi-tools: the exact quotient times gap / (gap + 1e-6)
            widened = gap + SCVI_EPS
            share, rest = gap / widened, SCVI_EPS / widened
            of_share = self.q * (rest / widened)
            self.q_beta = self.q_beta * share - of_share
            self.q_gamma = self.q_gamma * share + of_share
            self.rise = self.slow * rest + self.rise * share
            self.q = self.q * share

    def cells(self, which: slice) -> Decay:
        """Some of the times, which are counted along the axis of cells."""
        part = object.__new__(Decay)
        for name in self.__slots__:
            setattr(part, name, getattr(self, name)[..., which, :])
        return part


def induction_slopes(
    alpha: Array, beta: Array, gamma: Array, decay: Decay, of_u: Array, of_s: Array
) -> tuple[Array, Array, Array, Array]:
    """Adjoints of α, β, γ and t from those of (3) and (4).

    With U = (1 − e^(−βt))/β, S = (1 − e^(−γt))/γ, Q = (e^(−γt) − e^(−βt))/(γ − β):
    u = αU and s = α(S + Q), so ∂u/∂t = αe^(−βt), ∂s/∂t = α(e^(−γt) + ∂Q/∂t) = −αβQ.

    Returns:
        Shape (cell, gene) each, not yet summed over cells.
    """
    time = decay.time
    grown_u, grown_s = np.expm1(-beta * time) / -beta, np.expm1(-gamma * time) / -gamma
    d_alpha = of_u * grown_u + of_s * (grown_s + decay.q)
    d_beta = alpha * (of_u * (time * decay.fast - grown_u) / beta + of_s * decay.q_beta)
    d_gamma = alpha * of_s * ((time * decay.slow - grown_s) / gamma + decay.q_gamma)
    d_time = alpha * (of_u * decay.fast + of_s * decay.rise)
    return d_alpha, d_beta, d_gamma, d_time


def repression_slopes(
    u_0: Array, s_0: Array, beta: Array, gamma: Array, decay: Decay, of_u: Array, of_s: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Adjoints of u0, s0, β, γ and τ from those of (7) and (8).

    u = u0 e^(−βτ) and s = s0 e^(−γτ) − βu0 Q.

    Returns:
        Shape (cell, gene) each, not yet summed over cells.
    """
    since, through_u, d_s_0 = decay.time, of_u * decay.fast, of_s * decay.slow
    lost_u, through_s = beta * u_0, s_0 * d_s_0
    d_u_0 = through_u - beta * (of_s * decay.q)
    d_beta = -u_0 * (since * through_u + of_s * (decay.q + beta * decay.q_beta))
    d_gamma = -since * through_s - lost_u * (of_s * decay.q_gamma)
    d_since = -lost_u * (through_u + of_s * (decay.rise - decay.slow)) - gamma * through_s
    return d_u_0, d_s_0, d_beta, d_gamma, d_since
