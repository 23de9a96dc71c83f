"""The forward pass: from expression to the loss, in the order of the document's section 3a.

Every choice on which the readings differ is made where it arises, by name; there is one forward
pass. Whatever the vocabulary names is named here, so the same lines compute, record and explain.

Axes are counted from the end. Several runs (seeds, or shifted copies) may so be stacked in front as
one more dimension; what belongs to genes alone then has a cell axis of length 1: (run, 1, gene).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from velotrace.model import distributions, kinetics
from velotrace.model.distributions import (
    at_state,
    hard_draw,
    log_mixture,
    log_normal,
    over_states,
    per_state,
    softplus,
)
from velotrace.model.holding import natural_values
from velotrace.model.networks import hidden_stack, perceptron
from velotrace.model.readings import Reading
from velotrace.model.records import Drawing, Iteration, Parameters
from velotrace.tape import named, no_gradient, whole

Array = Any
States = dict[str, Array]  # values by name, as the steps below hand them on


def loss(parameters: Parameters, iteration: Iteration) -> Array:
    """The loss of one mini-batch, equation (27): −ELBO + λ Σ_g switch penalty.

    Args:
        parameters: θ and φ, as the reading holds them.
        iteration: data, draws, constants and reading, all held fixed.

    Returns:
        One number, nat.
    """
    reading, constants = iteration.reading, iteration.constants
    u = named(iteration.unspliced, "unspliced")
    s = named(iteration.spliced, "spliced")
    parameters = natural_values(parameters, reading, constants.t_max)

    posterior = infer(parameters, iteration, u, s)
    drawn = draw_states(posterior["concentration"], iteration.draws, reading)
    times = latent_times(parameters, posterior["z"], iteration)
    start = start_of_repression(parameters, reading)
    predicted = predict(parameters, times, start, reading)
    log_likelihood = compare_with_data(parameters, u, s, predicted, drawn, iteration)
    velocity(parameters, predicted, drawn, reading)

    reconstruction = over_cells(-log_likelihood.sum(axis=-1), reading)
    reconstruction = term(reconstruction, "reconstruction", iteration)
    kl_z = divergence_of_z(posterior["mu_z"], posterior["log_var_z"], iteration)
    kl_pi = divergence_of_pi(posterior["concentration"], iteration)
    switch = switch_penalty(start, iteration)

    divergence = over_cells(reading.kl_weight * kl_z + kl_pi.sum(axis=-1), reading)
    penalty = reading.switch_weight * over_genes(switch)
    return named(reconstruction + divergence + penalty, "loss")


def term(x: Array, name: str, iteration: Iteration) -> Array:
    """A named term of the loss, or 0 in its place where the iteration leaves it out."""
    return named(np.zeros(x.shape) if name in iteration.dropped else x, name)


def infer(parameters: Parameters, iteration: Iteration, u: Array, s: Array) -> States:
    """The encoder and the draw of z: q(z | u, s), z*, and the concentrations of q(π | z*), (22).

    z* = μ + exp(½ log Σ) ⊙ ε, the reparameterisation.

    Returns:
        mu_z, log_var_z and z of shape (cell, latent), concentration (cell, gene, state).
    """
    activation, reading = iteration.activation, iteration.reading
    seen = encoder_input(u, s, reading)
    encoded = perceptron("encoder_z", parameters["encoder_z"], seen, activation)
    latent = encoded.shape[-1] // 2
    mu_z = named(encoded[..., :latent], "mu_z")
    log_var_z = named(log_variance(encoded[..., latent:], reading), "log_var_z")
    epsilon = named(iteration.draws.epsilon_z, "epsilon_z")
    z = named(mu_z + np.exp(0.5 * log_var_z) * epsilon, "z")
    raw = perceptron("encoder_pi", parameters["encoder_pi"], z, activation)
    by_gene = raw.reshape(*raw.shape[:-1], -1, 4)
    concentration = named(softplus(by_gene), "concentration")
    return {"mu_z": mu_z, "log_var_z": log_var_z, "z": z, "concentration": concentration}


def encoder_input(u: Array, s: Array, reading: Reading) -> Array:
    """What the encoder sees of a cell: u_A, s_A, u_B, s_B, … or all s, then all u."""
    return side_by_side(s, u) if reading.encoder_input == "spliced-first" else interleaved(u, s)


@no_gradient
@whole
def interleaved(u: Array, s: Array) -> Array:
    """u_A, s_A, u_B, s_B, … of each cell; data, through which no gradient flows."""
    pairs = np.empty((*u.shape[:-1], 2 * u.shape[-1]))
    pairs[..., 0::2], pairs[..., 1::2] = u, s
    return pairs


@no_gradient
def side_by_side(s: Array, u: Array) -> Array:
    """All s of each cell, then all its u; data likewise."""
    return np.concatenate([s, u], axis=-1)


def log_variance(a: Array, reading: Reading) -> Array:
    """log Σ from the encoder's second half a: a itself, or log(softplus(a) + 1e-4)."""
    if reading.latent_variance == "softplus":
        return np.log(softplus(a) + 1e-4)
    return a


def draw_states(concentration: Array, draws: Drawing, reading: Reading) -> States:
    """State probabilities π* (14), and where the reading draws one, the state k (15).

    The draws were made beforehand, or in training are made now; here they enter the record. In the
    mixtures π* carries the implicit derivative to the concentrations; with a hard k nothing does.

    Returns:
        pi of shape (cell, gene, state) and, in 'sampled-state', state of shape (cell, gene).
    """
    if reading.draws_state:
        pi = named(hard_draw(concentration, draws.pi_given(concentration)), "pi")
        return {"pi": pi, "state": named(hard_draw(pi, draws.state_given(pi)), "state")}
    pi = distributions.pathwise_draw(concentration, draws.pi_given(concentration))
    return {"pi": named(pi, "pi")}


def latent_times(parameters: Parameters, z: Array, iteration: Iteration) -> States:
    """The decoders' times, (16) to (19): t1 = ρ1 t_s and t3 = t_s + (t_max − t_s) ρ3.

    Returns:
        time_induction and time_repression, shape (cell, gene), both counted from 0.
    """
    activation, t_max = iteration.activation, iteration.constants.t_max
    t_s = parameters["switch_time"]
    hidden = hidden_stack("decoder_shared", parameters.get("decoder_shared", []), z, activation)
    rho_1 = perceptron("decoder_ind", parameters["decoder_ind"], hidden, activation)
    rho_1 = named(distributions.logistic(rho_1), "rho_induction")
    time_1 = named(rho_1 * t_s, "time_induction")
    rho_3 = perceptron("decoder_rep", parameters["decoder_rep"], hidden, activation)
    rho_3 = named(distributions.logistic(rho_3), "rho_repression")
    time_3 = named(t_s + (t_max - t_s) * rho_3, "time_repression")
    return {"time_induction": time_1, "time_repression": time_3}


def start_of_repression(parameters: Parameters, reading: Reading) -> States:
    """u0 and s0, (9) and (10): the steady state α/β, α/γ, or where (3), (4) stand at t_s.

    Returns:
        u_switch and s_switch, shape (gene,).
    """
    alpha, beta, gamma = (parameters[name] for name in ("alpha", "beta", "gamma"))
    if reading.repression_start == "steady-state":
        u_0, s_0 = alpha / beta, alpha / gamma
    else:
        t_s = parameters["switch_time"]
        u_0 = kinetics.u_induction(alpha, beta, t_s)
        s_0 = kinetics.s_induction(alpha, beta, gamma, t_s, reading.denominator)
    return {"u_switch": named(u_0, "u_switch"), "s_switch": named(s_0, "s_switch")}


def predict(parameters: Parameters, times: States, start: States, reading: Reading) -> States:
    """Predicted abundances in all four states, (3) to (8), (11), (12).

    Returns:
        u_bar and s_bar, shape (cell, gene, state).
    """
    alpha, beta, gamma = (parameters[name] for name in ("alpha", "beta", "gamma"))
    time, form = times["time_induction"], reading.denominator
    since = times["time_repression"] - parameters["switch_time"]
    u_0, s_0 = start["u_switch"], start["s_switch"]
    u_bar = kinetics.by_state(
        kinetics.u_induction(alpha, beta, time),
        alpha / beta,
        kinetics.u_repression(u_0, beta, since),
        0.0,
    )
    s_bar = kinetics.by_state(
        kinetics.s_induction(alpha, beta, gamma, time, form),
        alpha / gamma,
        kinetics.s_repression(u_0, s_0, beta, gamma, since, form),
        0.0,
    )
    return {"u_bar": named(u_bar, "u_bar"), "s_bar": named(s_bar, "s_bar")}


def compare_with_data(
    parameters: Parameters,
    u: Array,
    s: Array,
    predicted: States,
    drawn: States,
    iteration: Iteration,
) -> Array:
    """Log likelihood of each cell and gene, (20), (21) and by the reading's rule (15), (23), (24).

    Returns:
        log_likelihood, shape (cell, gene), nat.
    """
    scale, reading = iteration.constants.state_scale, iteration.reading
    sd_u, sd_s = (per_state(parameters[name]) * scale for name in ("sigma_u", "sigma_s"))
    log_u = log_normal(per_state(u), predicted["u_bar"], sd_u)
    log_s = log_normal(per_state(s), predicted["s_bar"], sd_s)
    log_u, log_s = term(log_u, "log_density_u", iteration), term(log_s, "log_density_s", iteration)
    if reading.draws_state:
        state = drawn["state"]
        return named(at_state(log_u, state) + at_state(log_s, state), "log_likelihood")
    log_pi = np.log(drawn["pi"])
    if reading.likelihood == "joint-mixture":
        return named(log_mixture(log_pi, log_u + log_s), "log_likelihood")
    both = log_mixture(log_pi, log_u) + log_mixture(log_pi, log_s)
    return named(both, "log_likelihood")


def velocity(parameters: Parameters, predicted: States, drawn: States, reading: Reading) -> Array:
    """RNA velocity βū − γs̄ at the drawn state, or its mean under π*. The loss does not use it.

    Returns:
        velocity, shape (cell, gene), abundance per time.
    """
    u_bar, s_bar = predicted["u_bar"], predicted["s_bar"]
    if reading.draws_state:
        u_bar, s_bar = at_state(u_bar, drawn["state"]), at_state(s_bar, drawn["state"])
    else:
        u_bar, s_bar = over_states(drawn["pi"] * u_bar), over_states(drawn["pi"] * s_bar)
    moving = kinetics.velocity(parameters["beta"], parameters["gamma"], u_bar, s_bar)
    return named(moving, "velocity")


def divergence_of_z(mu_z: Array, log_var_z: Array, iteration: Iteration) -> Array:
    """KL(q(z | u, s) ‖ N(0, I)) of each cell, doc (1), in closed form; shape (cell,)."""
    trace, mean, log_det, dimension = distributions.kl_standard_normal_terms(mu_z, log_var_z)
    trace, mean = named(trace, "kl_z_trace"), named(mean, "kl_z_mean")
    log_det = named(log_det, "kl_z_log_det")
    dimension = named(np.array(float(dimension)), "kl_z_dimension")
    return term(0.5 * (trace + mean - log_det - dimension), "kl_z", iteration)


def divergence_of_pi(concentration: Array, iteration: Iteration) -> Array:
    """KL(q(π | z*) ‖ Dirichlet prior) of each cell and gene, doc (2) corrected; (cell, gene)."""
    terms = distributions.kl_dirichlet_terms(concentration, iteration.constants.pi_prior)
    normaliser = named(terms[0], "kl_pi_normaliser")
    log_gamma = named(terms[1], "kl_pi_log_gamma")
    digamma = named(terms[2], "kl_pi_digamma")
    return term(normaliser + log_gamma + digamma, "kl_pi", iteration)


def switch_penalty(start: States, iteration: Iteration) -> Array:
    """(u0 − u*)² + (s0 − s*)² of each gene, (26); shape (gene,)."""
    u_star, s_star = iteration.constants.u_star, iteration.constants.s_star
    of_u = term((start["u_switch"] - u_star) ** 2, "switch_penalty_u", iteration)
    of_s = term((start["s_switch"] - s_star) ** 2, "switch_penalty_s", iteration)
    return term(of_u + of_s, "switch_penalty", iteration)


def over_cells(x: Array, reading: Reading) -> Array:
    """Sum or mean of a value of shape (cell,)."""
    total = x.sum(axis=-1)
    return total if reading.reduction == "sum" else total / x.shape[-1]


def over_genes(x: Array) -> Array:
    """Sum a value of shape (gene,); in stacked runs it is (run, 1, gene) and gives (run,)."""
    return x.sum(axis=-1 if x.ndim == 1 else (-2, -1))
