"""Densities, divergences and mixtures: (13) to (15), (20) to (24), doc (1) and doc (2)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import digamma, expit, gammaln

from velotrace.model.pathwise import dirichlet_pullback
from velotrace.model.special import trigamma
from velotrace.tape import defvjp, no_gradient, primitive, whole

Array = Any

LOG_2_PI = math.log(2.0 * math.pi)

# A ufunc meets autograd by itself, with the derivative that is registered for it.
defvjp(primitive(digamma), lambda ans, x: lambda g: g * trigamma(x))
defvjp(primitive(gammaln), lambda ans, x: lambda g: g * digamma(x))
defvjp(primitive(expit), lambda ans, x: lambda g: g * ans * (1.0 - ans))

logistic = expit


@primitive
def softplus(x: Array) -> Array:
    """log(1 + e^x), which maps the real line to the positive numbers without overflow."""
    return np.logaddexp(x, 0.0)


defvjp(softplus, lambda ans, x: lambda g: g * -np.expm1(-ans))  # logistic(x) = 1 − e^(−softplus)


@primitive
def per_state(x: Array) -> Array:
    """A value of cells and genes with a last axis of length 1, to stand beside the four states."""
    return (x if isinstance(x, np.ndarray) else np.asarray(x))[..., None]


defvjp(per_state, lambda ans, x: lambda g: g[..., 0])


@primitive
def over_states(x: Array) -> Array:
    """Sum over the last axis, four long; NumPy's own sum is slow along so short an axis."""
    return x[..., 0] + x[..., 1] + x[..., 2] + x[..., 3]


defvjp(over_states, lambda ans, x: lambda g: np.broadcast_to(g[..., None], x.shape))


# ---- densities ------------------------------------------------------------------------------


def log_normal(x: Array, mean: Array, deviation: Array) -> Array:
    """Log density of N(mean, deviation²), equations (20), (21).

    log N(x) = −½ ((x − mean)/deviation)² − log deviation − ½ log 2π. Finite however far x lies:
    the density itself is 0.0 in float64 from 39 standard deviations on.

    Args:
        x: where, any shape that broadcasts.
        mean: of the same unit as x.
        deviation: standard deviation, positive.

    Returns:
        The log density, nat.

    Example:
        >>> round(float(log_normal(0.8, 4.6807, 0.1)), 1)
        -751.6
    """
    return -0.5 * ((x - mean) / deviation) ** 2 - (np.log(deviation) + 0.5 * LOG_2_PI)


def state_places(shape: tuple[int, ...], state: Array) -> Array:
    """Where, in a flat array that has this shape, the value at each state k stands."""
    first = np.arange(-1, math.prod(shape) - 1, shape[-1]).reshape(shape[:-1])  # k counts from 1
    return first + state


@primitive
@whole
def at_state(values: Array, state: Array) -> Array:
    """Pick each cell and gene's value at its state k, which counts from 1, off the last axis."""
    return values.take(state_places(values.shape, state))


def _at_state_vjp(ans: Array, values: Array, state: Array) -> Any:
    chosen = state[..., None] == np.arange(1, values.shape[-1] + 1)
    return lambda g: np.where(chosen, g[..., None], 0.0)


defvjp(at_state, _at_state_vjp, argnums=[0])


def largest_state(x: Array) -> Array:
    """The largest of the four states, last axis; NumPy's own maximum is as slow as its sum."""
    return np.maximum(np.maximum(x[..., 0], x[..., 1]), np.maximum(x[..., 2], x[..., 3]))


@primitive
def log_sum_exp(x: Array) -> Array:
    """log Σ_k e^(x_k) over the four states of the last axis, without overflow."""
    largest = largest_state(x)
    return np.log(over_states(np.exp(x - largest[..., None]))) + largest


defvjp(log_sum_exp, lambda ans, x: lambda g: g[..., None] * np.exp(x - ans[..., None]))


def log_mixture(log_weights: Array, log_densities: Array) -> Array:
    """log Σ_k π_k N_k over the last axis, equations (23), (24), without leaving logs."""
    return log_sum_exp(log_weights + log_densities)


def responsibilities(log_weights: Array, log_densities: Array, log_mixed: Array) -> Array:
    """How far each state answers for what was measured: π_k N_k / Σ_j π_j N_j, last axis state.

    Args:
        log_weights: log π, shape (…, state).
        log_densities: log N, same shape.
        log_mixed: their `log_mixture`, shape (…).

    Returns:
        Numbers from 0 to 1 that sum to 1 over the last axis.
    """
    return np.exp(log_weights + log_densities - log_mixed[..., None])


# ---- divergences ----------------------------------------------------------------------------


def kl_standard_normal_terms(mean: Array, log_var: Array) -> tuple[Array, Array, Array, int]:
    """The four terms of doc (1): tr Σ, μᵀμ, log det Σ and d, each summed over the last axis.

    Args:
        mean: μ, shape (…, latent).
        log_var: logarithm of the diagonal of Σ, same shape.

    Returns:
        The terms; KL = ½ (trace + mean − log det − dimension).
    """
    trace = np.exp(log_var).sum(axis=-1)
    return trace, (mean**2).sum(axis=-1), log_var.sum(axis=-1), mean.shape[-1]


def kl_dirichlet_terms(concentration: Array, prior: float) -> tuple[Array, Array, Array]:
    """The three terms of the divergence of Dir(α_q) from the symmetric Dir(α_p, …, α_p).

    doc (2) with its Gamma ratios put right (they are upside down in the document):
    logΓ(Σα_q) − logΓ(Σα_p);  Σ_i [logΓ(α_p) − logΓ(α_q,i)];
    Σ_i (α_q,i − α_p)(ψ(α_q,i) − ψ(Σα_q)).

    Args:
        concentration: α_q, shape (…, state), positive.
        prior: α_p.

    Returns:
        Normaliser, log-Gamma and digamma term, each summed over the last axis; KL is their sum.

    Example:
        >>> print(round(float(sum(kl_dirichlet_terms(np.ones(4), 0.25))), 4))
        1.4438
    """
    total = over_states(concentration)
    normaliser = gammaln(total) - gammaln(4.0 * prior)
    log_gamma = 4.0 * gammaln(prior) - over_states(gammaln(concentration))
    expected_log = digamma(concentration) - per_state(digamma(total))
    return normaliser, log_gamma, over_states((concentration - prior) * expected_log)


# ---- draws, as operations of the forward pass -----------------------------------------------


@primitive
def pathwise_draw(concentration: Array, pi: Array) -> Array:
    """A Dirichlet draw `pi` whose gradient reaches the concentrations, by implicit derivative."""
    return pi


defvjp(
    pathwise_draw,
    lambda ans, concentration, pi: lambda g: dirichlet_pullback(pi, concentration, g),
    argnums=[0],
)


@no_gradient
def hard_draw(source: Array, drawn: Array) -> Array:
    """A draw whose result does not move with what it was drawn from."""
    return drawn
