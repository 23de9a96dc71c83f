"""What the document states: its numbers, and its formulas as plain functions.

Everything here is the document's, right or wrong. The claims compare it with what is computed
elsewhere; put another number or formula in its place and the verdicts change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln

Array = Any


# ---- its formulas ---------------------------------------------------------------------------


def kl_normal(mean: Array, log_var: Array) -> Array:
    """doc (1): KL(N(μ, Σ) ‖ N(0, I)) = ½ (tr Σ + μᵀμ − log det Σ − d), Σ diagonal."""
    return 0.5 * np.sum(np.exp(log_var) + mean**2 - log_var - 1.0, axis=-1)


def kl_dirichlet(q: Array, p: Array) -> Array:
    """doc (2) as printed: log Γ(Σp)/Γ(Σq) + Σ [log Γ(q)/Γ(p) + (q − p)(ψ(q) − ψ(Σq))]."""
    return normaliser_term(q, p) + log_gamma_term(q, p) + digamma_term(q, p)


def normaliser_term(q: Array, p: Array) -> Array:
    """The first term of doc (2): log Γ(Σp)/Γ(Σq)."""
    return gammaln(np.sum(p, axis=-1)) - gammaln(np.sum(q, axis=-1))


def log_gamma_term(q: Array, p: Array) -> Array:
    """Its second: Σ log Γ(q)/Γ(p)."""
    return np.sum(gammaln(q) - gammaln(p), axis=-1)


def digamma_term(q: Array, p: Array) -> Array:
    """Its third: Σ (q − p)(ψ(q) − ψ(Σq))."""
    return np.sum((q - p) * expected_log(q), axis=-1)


def expected_log(q: Array) -> Array:
    """ψ(q_i) − ψ(Σq), said to be the expected log x_i under Dir(q)."""
    return digamma(q) - digamma(np.sum(q, axis=-1, keepdims=True))


def reparameterised(mean: Array, log_var: Array, noise: Array) -> Array:
    """z* = μ + exp(0.5 log Σ) ⊙ ε."""
    return mean + np.exp(0.5 * log_var) * noise


def time_induction(share: Array, switch_time: Array) -> Array:
    """t_1 = ρ1 × t_s."""
    return share * switch_time


def time_repression(share: Array, switch_time: Array, t_max: float) -> Array:
    """t_3 = t_s + (t_max − t_s) ρ3."""
    return switch_time + (t_max - switch_time) * share


def gradient_of_mean(gradient_of_z: Array) -> Array:
    """∂L/∂μ = ∂L/∂z* × 1."""
    return gradient_of_z * 1.0


def gradient_of_log_var(gradient_of_z: Array, log_var: Array, noise: Array) -> Array:
    """∂L/∂log Σ = ∂L/∂z* × 0.5 × exp(0.5 log Σ) × ε."""
    return gradient_of_z * 0.5 * np.exp(0.5 * log_var) * noise


def updated(parameter: Array, gradient: Array, learning_rate: float) -> Array:
    """new = old − learning rate × ∂L/∂parameter, printed as Adam's."""
    return parameter - learning_rate * gradient


# ---- its numbers ----------------------------------------------------------------------------

_UNSPLICED = ((0.8, 0.1, 0.5), (0.9, 0.2, 0.6), (0.2, 0.7, 0.1), (0.1, 0.8, 0.2))
_SPLICED = ((0.2, 0.9, 0.5), (0.1, 0.8, 0.4), (0.7, 0.3, 0.9), (0.8, 0.2, 0.8))


@dataclass(frozen=True)
class Document:
    """The document's numbers and formulas, in its order.

    Attributes:
        cells: how many.
        genes: how many.
        unspliced: its table, shape (cell, gene).
        spliced: likewise.
        parameters: what is said to make up θ.
        highest: the cells whose median is taken, by gene.
        percentile: above which these cells are said to lie.
        alpha: first transcription rates.
        beta: first splicing rate.
        gamma: first degradation rate.
        switch_time: first switch time.
        t_max: end of time.
        sigma: first standard deviation.
        state_scale: c.
        latent: dimensions of z.
        states: kinetic states.
        first_inputs: what the encoder is shown of Cell 1, in order.
        pi: state probabilities of the example.
        likely_state: the state said to be likely under them.
        time: of the example.
        u_bar: predicted in the example.
        s_bar: likewise.
        observed: u and s of the example.
        prior: concentrations of the prior.
        u_start: where repression of gene A is said to start.
        u_star: where the data say it does.
        weights: of reconstruction, KL_z, KL_π and penalty in the loss.
        log_var_target: diagonal of what log Σ is said to be pulled towards, the identity.
        epochs: said to be needed, from and to.
        pooled: how single draws are said to approximate an average.
        factorial_shift: Γ(n) is the factorial of n minus this.
        libraries: said to have log Γ and ψ, with their names for them.
        log_gamma: SciPy's log Γ, as recommended.
        digamma: SciPy's ψ, as recommended.
        kl_normal: doc (1).
        kl_dirichlet: doc (2).
        normaliser_term: first part of doc (2).
        log_gamma_term: second part.
        digamma_term: third part.
        expected_log: the bracket in the third part.
        reparameterised: the draw of z.
        time_induction: latent time in state 1.
        time_repression: latent time in state 3.
        gradient_of_mean: as printed.
        gradient_of_log_var: as printed.
        updated: the update, as printed.
    """

    cells: int = 4
    genes: int = 3
    unspliced: tuple[tuple[float, ...], ...] = _UNSPLICED
    spliced: tuple[tuple[float, ...], ...] = _SPLICED
    parameters: tuple[str, ...] = ("alpha", "beta", "gamma", "switch_time", "sigma_u", "sigma_s")
    highest: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "A": ("Cell 1", "Cell 2"),
            "B": ("Cell 3", "Cell 4"),
            "C": ("Cell 1", "Cell 2"),
        }
    )
    percentile: float = 99.0
    alpha: tuple[float, ...] = (0.85, 0.75, 0.55)
    beta: float = 0.1
    gamma: float = 0.05
    switch_time: float = 10.0
    t_max: float = 20.0
    sigma: float = 0.1
    state_scale: tuple[float, ...] = (1.0, 1.0, 1.0, 0.1)
    latent: int = 10
    states: int = 4
    first_inputs: tuple[float, ...] = (0.8, 0.2, 0.1, 0.9, 0.5, 0.5)
    pi: tuple[float, ...] = (0.7, 0.1, 0.1, 0.1)
    likely_state: int = 1
    time: float = 8.0
    u_bar: float = 4.68
    s_bar: float = 1.85
    observed: tuple[float, float] = (0.8, 0.2)
    prior: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    u_start: float = 8.5
    u_star: float = 0.85
    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    log_var_target: float = 1.0
    epochs: tuple[int, int] = (100, 9999)
    pooled: Callable[..., Array] = np.sum
    kl_normal: Callable[..., Array] = kl_normal
    kl_dirichlet: Callable[..., Array] = kl_dirichlet
    factorial_shift: int = 1
    libraries: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "numpy": ("lgamma", "digamma"),
            "scipy.special": ("gammaln", "digamma"),
        }
    )
    log_gamma: Callable[..., Array] = gammaln
    digamma: Callable[..., Array] = digamma
    normaliser_term: Callable[..., Array] = normaliser_term
    log_gamma_term: Callable[..., Array] = log_gamma_term
    digamma_term: Callable[..., Array] = digamma_term
    expected_log: Callable[..., Array] = expected_log
    reparameterised: Callable[..., Array] = reparameterised
    time_induction: Callable[..., Array] = time_induction
    time_repression: Callable[..., Array] = time_repression
    gradient_of_mean: Callable[..., Array] = gradient_of_mean
    gradient_of_log_var: Callable[..., Array] = gradient_of_log_var
    updated: Callable[..., Array] = updated


DOCUMENT = Document()
