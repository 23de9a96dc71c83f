"""The backward pass by hand: each named value's adjoint, from the adjoints after it.

It follows the document's section 3b, so it is the forward pass of `objective` read from bottom to
top: likelihood → predictions and noise → rates and times → decoders → z* → encoder. An adjoint is
∂L/∂value, written `adj[name]`; where a value is used twice, its uses add up.

Nothing here is recorded or differentiated: plain NumPy, closed forms, all cells and genes at once.
Axes are counted from the end, so runs of several seeds may stand in front as one more dimension.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import expit

from velotrace.model.distributions import (
    largest_state,
    over_states,
    responsibilities,
    softplus,
    state_places,
)
from velotrace.model.holding import NOISE, held_names, upper_limit
from velotrace.model.objective import encoder_input
from velotrace.model.pathwise import dirichlet_pullback_log
from velotrace.model.readings import Reading
from velotrace.model.records import Iteration, Parameters
from velotrace.model.slopes import Decay, induction_slopes, repression_slopes
from velotrace.model.special import sums_along, trigamma
from velotrace.quantities import PARAMETERS
from velotrace.tape import whole

Array = np.ndarray
Values = Mapping[str, Array]  # every named value of the forward pass
Adjoints = dict[str, Array]

_TERMS = ("reconstruction", "kl_z", "kl_pi", "switch_penalty")


def backward(parameters: Parameters, iteration: Iteration, values: Values) -> Adjoints:
    """∂L/∂value of every named value and every weight, in the order of document section 3b.

    Args:
        parameters: θ and φ.
        iteration: data, draws, constants and reading.
        values: the named values of the forward pass, as `tape.evaluate` collects them.

    Returns:
        The adjoints by name, weights as 'encoder_z.0.W'. A value without a path has none;
        what only a dropped term reads has 0.
    """
    adj: Adjoints = {}
    held, parameters = parameters, natural(parameters, values)
    _loss(adj, values, iteration)
    _likelihood(adj, values, parameters, iteration)
    _kinetics(adj, values, parameters, iteration)
    _latent_times(adj, values, parameters, iteration)
    _state_probabilities(adj, values, iteration)
    _networks_of_z(adj, values, parameters, iteration)
    _posterior_of_z(adj, values, iteration)
    _encoder(adj, values, parameters, iteration)
    _held_parameters(adj, values, held, iteration)
    return adj


def natural(parameters: Parameters, values: Values) -> Parameters:
    """θ by its natural names, wherever the forward pass has them from, beside what is held."""
    return parameters | {name: values[name] for name in PARAMETERS if name not in parameters}


# ---- from the loss to the likelihood --------------------------------------------------------


def _loss(adj: Adjoints, values: Values, iteration: Iteration) -> None:
    """L = rec + Σ_n (w KL_z + Σ_g KL_π) + λ Σ_g penalty; a mean instead of Σ_n gives each 1/N."""
    reading = iteration.reading
    kept = {name: float(name not in iteration.dropped) for name in _TERMS}
    cells = values["kl_pi"].shape[-2]
    share = 1.0 if reading.reduction == "sum" else 1.0 / cells
    adj["loss"] = adj["reconstruction"] = _filled("loss", values, 1.0)
    likely = -share * kept["reconstruction"]
    adj["log_likelihood"] = _filled("log_likelihood", values, likely)
    of_z = adj["kl_z"] = _filled("kl_z", values, share * reading.kl_weight)
    of_pi = adj["kl_pi"] = _filled("kl_pi", values, share)
    penalty = adj["switch_penalty"] = _filled("switch_penalty", values, reading.switch_weight)
    adj["switch_penalty_u"] = adj["switch_penalty_s"] = penalty * kept["switch_penalty"]
    half = 0.5 * kept["kl_z"]  # KL = ½ (tr + μᵀμ − log det − d)
    adj["kl_z_trace"] = adj["kl_z_mean"] = half * of_z
    adj["kl_z_log_det"] = -half * of_z
    of_terms = of_pi * kept["kl_pi"]
    adj["kl_pi_normaliser"] = adj["kl_pi_log_gamma"] = adj["kl_pi_digamma"] = of_terms


def _filled(name: str, values: Values, number: float) -> Array:
    """The same adjoint for every component of a value."""
    return _full(values[name].shape, number)


@whole
def _full(shape: tuple[int, ...], number: float) -> Array:
    adjoint = np.empty(shape)
    adjoint.fill(number)
    return adjoint


def _likelihood(
    adj: Adjoints, values: Values, parameters: Parameters, iteration: Iteration
) -> None:
    """log N = −½ r² − log d − …, r = (x − mean)/d, d = c_k σ: ∂mean = r/d, ∂d = (r² − 1)/d."""
    reading, scale = iteration.reading, iteration.constants.state_scale
    if reading.draws_state:
        places = state_places(values["u_bar"].shape, values["state"])
        adj["log_density_u"] = adj["log_density_s"] = _at_places(adj["log_likelihood"], places)
        scale = _taken(scale, values["state"] - 1)
    else:
        _densities(adj, values, reading)
    for kind, measured in (("u", values["unspliced"]), ("s", values["spliced"])):
        sigma, mean = parameters[f"sigma_{kind}"], values[f"{kind}_bar"]
        if f"log_density_{kind}" in iteration.dropped:
            adj[f"{kind}_bar"], adj[f"sigma_{kind}"] = np.zeros_like(mean), np.zeros_like(sigma)
        elif reading.draws_state:  # only the drawn state counts: a quarter of the work
            deviation, upstream = sigma * scale, adj["log_likelihood"]
            residual = (measured - _taken(mean, places)) / deviation
            adj[f"{kind}_bar"] = _at_places(upstream * residual / deviation, places)
            of_sigma = _over_cells(upstream * (residual**2 - 1.0), sigma)
            adj[f"sigma_{kind}"] = of_sigma / sigma  # c_k/d = 1/σ
        else:
            deviation, upstream = sigma[..., None] * scale, adj[f"log_density_{kind}"]
            residual = (measured[..., None] - mean) / deviation
            of_residual = upstream * residual
            adj[f"{kind}_bar"] = of_residual / deviation
            of_states = np.add.reduce(of_residual * residual - upstream, axis=-3)
            adj[f"sigma_{kind}"] = over_states(of_states).reshape(sigma.shape) / sigma


@whole
def _taken(values: Array, places: Array) -> Array:
    return values.take(places)


@whole
def _at_places(x: Array, places: Array) -> Array:
    """A value of cells and genes at the drawn state, and 0 at the other three."""
    four = np.zeros((*x.shape, 4))
    four.put(places, x)
    return four


def _densities(adj: Adjoints, values: Values, reading: Reading) -> None:
    """Each state's share of the likelihood in the mixtures, its responsibility.

    log Σ_k π_k N_k has the derivative r_k = π_k N_k / Σ_j π_j N_j to log N_k and to log π_k.
    """
    upstream = adj["log_likelihood"][..., None]
    log_u, log_s = values["log_density_u"], values["log_density_s"]
    log_pi = np.log(values["pi"])
    if reading.likelihood == "joint-mixture":
        shares = responsibilities(log_pi, log_u + log_s, values["log_likelihood"])
        adj["log_density_u"] = adj["log_density_s"] = of_log_pi = upstream * shares
    else:
        of_u, of_s = (_normalised(log_pi + log_n) for log_n in (log_u, log_s))
        adj["log_density_u"], adj["log_density_s"] = upstream * of_u, upstream * of_s
        of_log_pi = adj["log_density_u"] + adj["log_density_s"]
    adj["pi"] = of_log_pi / values["pi"]


def _normalised(logs: Array) -> Array:
    """exp(logs), scaled to sum to 1 over the last axis: the responsibilities of one mixture."""
    shares = np.exp(logs - largest_state(logs)[..., None])
    return shares / over_states(shares)[..., None]


# ---- through the kinetics -------------------------------------------------------------------


def _kinetics(adj: Adjoints, values: Values, parameters: Parameters, iteration: Iteration) -> None:
    """ū, s̄ of states 1 to 3 back to α, β, γ and the times; state 4 is 0 throughout.

    The decays of all phases are worked out at once. u0 and s0 may be (3) and (4) at t_s, which then
    is one more time of induction, beside the cells'.
    """
    t_s, time = parameters["switch_time"], values["time_induction"]
    times, cells = [values["time_repression"] - t_s, time], time.shape[-2]  # τ = t3 − t_s
    moving = iteration.reading.repression_start == "switch-time"
    if moving:
        times.append(_as_cell(t_s, time))
    together, form = np.concatenate(times, axis=-2), iteration.reading.denominator
    decay = Decay(parameters["beta"], parameters["gamma"], together, form)
    of_rates = _repression(adj, values, parameters, decay.cells(slice(cells)))
    _start_of_repression(adj, values, iteration)
    _induction(adj, parameters, decay.cells(slice(cells, None)), of_rates, moving)


def _repression(
    adj: Adjoints, values: Values, parameters: Parameters, decay: Decay
) -> tuple[Array, Array]:
    """State 3, (7) and (8), back to u0, s0, t3 and t_s. Returned: adjoints of β and γ by cell."""
    u_0, s_0 = values["u_switch"], values["s_switch"]
    _, beta, gamma = _rates(parameters)
    u_3, s_3 = (adj[bar][..., 2].copy() for bar in ("u_bar", "s_bar"))  # contiguous from here on
    d_u_0, d_s_0, d_beta, d_gamma, d_since = repression_slopes(
        u_0, s_0, beta, gamma, decay, u_3, s_3
    )
    of_u_0, of_s_0, of_since = _each_over_cells((d_u_0, d_s_0, d_since), beta)
    adj["u_switch"], adj["s_switch"] = of_u_0, of_s_0
    adj["time_repression"], adj["switch_time"] = d_since, -of_since
    return d_beta, d_gamma


def _start_of_repression(adj: Adjoints, values: Values, iteration: Iteration) -> None:
    """u0 and s0 take in the penalty's pull 2λ(u0 − u*)."""
    constants = iteration.constants
    for name, wanted in (("u", constants.u_star), ("s", constants.s_star)):
        if f"switch_penalty_{name}" not in iteration.dropped:
            pull = 2.0 * adj[f"switch_penalty_{name}"]
            start = f"{name}_switch"
            adj[start] = adj[start] + pull * (values[start] - wanted)


def _induction(
    adj: Adjoints,
    parameters: Parameters,
    decay: Decay,
    of_rates: tuple[Array, Array],
    moving: bool,
) -> None:
    """States 1 and 2, (3), (4), (11), (12), back to α, β, γ and t1; then u0 and s0, (9), (10).

    Where u0 and s0 move with t_s, they are (3) and (4) at the last of the times.
    """
    alpha, beta, gamma = _rates(parameters)
    u_1, u_2, s_1, s_2 = (adj[bar][..., k] for bar in ("u_bar", "s_bar") for k in (0, 1))
    of_u_0, of_s_0 = adj["u_switch"], adj["s_switch"]
    cells = u_1.shape[-2]
    of_u, of_s = (
        np.concatenate([at_cells, _as_cell(at_switch, at_cells)], axis=-2)
        if moving
        else at_cells.copy()
        for at_cells, at_switch in ((u_1, of_u_0), (s_1, of_s_0))
    )
    slopes = induction_slopes(alpha, beta, gamma, decay, of_u, of_s)
    d_alpha, d_beta, d_gamma, adj["time_induction"] = (slope[..., :cells, :] for slope in slopes)
    by_cell = (d_alpha, d_beta + of_rates[0], d_gamma + of_rates[1], u_2, s_2)
    of_alpha, of_beta, of_gamma, u_2, s_2 = _each_over_cells(by_cell, alpha)
    adj["alpha"] = of_alpha + u_2 / beta + s_2 / gamma  # state 2: α/β and α/γ in all cells
    adj["beta"] = of_beta - u_2 * alpha / beta**2
    adj["gamma"] = of_gamma - s_2 * alpha / gamma**2
    if moving:
        for name, slope in zip(("alpha", "beta", "gamma", "switch_time"), slopes, strict=True):
            adj[name] = adj[name] + slope[..., cells:, :].reshape(alpha.shape)
    else:  # u0 = α/β, s0 = α/γ: nothing reaches t_s
        adj["alpha"] = adj["alpha"] + of_u_0 / beta + of_s_0 / gamma
        adj["beta"] = adj["beta"] - of_u_0 * alpha / beta**2
        adj["gamma"] = adj["gamma"] - of_s_0 * alpha / gamma**2


def _rates(parameters: Parameters) -> tuple[Array, Array, Array]:
    return parameters["alpha"], parameters["beta"], parameters["gamma"]


def _as_cell(of_gene: Array, like: Array) -> Array:
    """A value of genes in the shape of one more cell."""
    return of_gene.reshape(*like.shape[:-2], 1, like.shape[-1])


def _latent_times(
    adj: Adjoints, values: Values, parameters: Parameters, iteration: Iteration
) -> None:
    """t1 = ρ1 t_s and t3 = t_s + (t_max − t_s) ρ3, back to ρ and t_s."""
    t_s, t_max = parameters["switch_time"], iteration.constants.t_max
    of_1, of_3 = adj["time_induction"], adj["time_repression"]
    rho_1, rho_3 = values["rho_induction"], values["rho_repression"]
    adj["rho_induction"] = of_1 * t_s
    adj["rho_repression"] = of_3 * (t_max - t_s)
    adj["switch_time"] = adj["switch_time"] + _over_cells(of_1 * rho_1 + of_3 * (1.0 - rho_3), t_s)


# ---- state probabilities --------------------------------------------------------------------


def _state_probabilities(adj: Adjoints, values: Values, iteration: Iteration) -> None:
    """Concentrations: the Dirichlet KL's pull, and in the mixtures what π* hands back.

    ∂KL/∂α_i = (α_i − α_p) ψ′(α_i) − (Σα − 4α_p) ψ′(Σα): the digammas cancel.
    """
    concentration, prior = values["concentration"], iteration.constants.pi_prior
    total = over_states(concentration)
    curvatures = trigamma(np.concatenate([concentration.ravel(), total.ravel()]))
    of_each, of_total = curvatures[: concentration.size], curvatures[concentration.size :]
    common = (total - concentration.shape[-1] * prior) * of_total.reshape(total.shape)
    pull = (concentration - prior) * of_each.reshape(concentration.shape) - common[..., None]
    adj["concentration"] = adj["kl_pi_digamma"][..., None] * pull
    if not iteration.reading.draws_state:  # a hard k hands nothing back
        of_log_pi = adj["pi"] * values["pi"]
        through_pi = dirichlet_pullback_log(values["pi"], concentration, of_log_pi)
        adj["concentration"] = adj["concentration"] + through_pi


# ---- networks and z -------------------------------------------------------------------------


def _networks_of_z(
    adj: Adjoints, values: Values, parameters: Parameters, iteration: Iteration
) -> None:
    """Decoders and the encoder's second half: all that reads z* adds up in its adjoint."""
    activation, z = iteration.activation, values["z"]
    softplus_slope = -np.expm1(-values["concentration"])  # 1 − e^(−softplus(a)) = logistic(a)
    of_pi = adj["concentration"] * softplus_slope
    of_pi = of_pi.reshape(*of_pi.shape[:-2], -1)
    of_z = _perceptron(adj, values, parameters, "encoder_pi", z, of_pi, activation)

    shared = parameters.get("decoder_shared", [])
    hidden = values[f"decoder_shared.{len(shared) - 1}.h"] if shared else z
    of_hidden: Array = np.zeros(())
    for decoder, rho in (("decoder_ind", "rho_induction"), ("decoder_rep", "rho_repression")):
        of_output = adj[rho] * values[rho] * (1.0 - values[rho])  # the logistic's slope
        of_hidden = of_hidden + _perceptron(
            adj, values, parameters, decoder, hidden, of_output, activation
        )
    if shared:
        of_hidden = _hidden(
            adj, values, parameters, "decoder_shared", len(shared), z, of_hidden, activation
        )
    adj["z"] = of_z + of_hidden


def _posterior_of_z(adj: Adjoints, values: Values, iteration: Iteration) -> None:
    """z* = μ + e^(½ logΣ) ε: the path through z*, plus the KL's own pull towards μ = 0, logΣ = 0.

    ∂z/∂μ = 1, ∂z/∂logΣ = ½ e^(½ logΣ) ε;  ∂KL/∂μ = μ, ∂KL/∂logΣ = ½ (e^logΣ − 1).
    """
    mu, log_var = values["mu_z"], values["log_var_z"]
    of_trace, of_mean = (adj[f"kl_z_{term}"][..., None] for term in ("trace", "mean"))
    deviation = np.exp(0.5 * log_var)
    adj["mu_z"] = adj["z"] + of_mean * (2.0 * mu)
    through_z = adj["z"] * 0.5 * deviation * values["epsilon_z"]
    adj["log_var_z"] = through_z + of_trace * np.expm1(log_var)


def _encoder(adj: Adjoints, values: Values, parameters: Parameters, iteration: Iteration) -> None:
    """μ and logΣ back to the encoder's weights; what it sees is data, and there the pass ends."""
    reading = iteration.reading
    of_log_var = adj["log_var_z"]
    if reading.latent_variance == "softplus":  # logΣ = log v, v = softplus(a) + 1e-4
        variance = np.exp(values["log_var_z"])
        of_log_var = of_log_var * -np.expm1(1e-4 - variance) / variance
    of_output = np.concatenate([adj["mu_z"], of_log_var], axis=-1)
    seen = encoder_input(values["unspliced"], values["spliced"], reading)
    _perceptron(adj, values, parameters, "encoder_z", seen, of_output, iteration.activation)


def _perceptron(
    adj: Adjoints,
    values: Values,
    parameters: Parameters,
    network: str,
    inputs_to: Array,
    of_output: Array,
    activation: str,
) -> Array:
    """Adjoint of a network's input from that of its output; the weights' on the way."""
    last = len(parameters[network]) - 1
    before = values[f"{network}.{last - 1}.h"] if last else inputs_to
    of_input = _linear(adj, parameters, network, last, before, of_output)
    return _hidden(adj, values, parameters, network, last, inputs_to, of_input, activation)


def _hidden(
    adj: Adjoints,
    values: Values,
    parameters: Parameters,
    network: str,
    count: int,
    inputs_to: Array,
    of_hidden: Array,
    activation: str,
) -> Array:
    """The same through the first `count` layers, each h = activation(x @ W + b)."""
    for place in reversed(range(count)):
        h = values[f"{network}.{place}.h"]
        adj[f"{network}.{place}.h"] = of_hidden
        slope = 1.0 - h**2 if activation == "tanh" else h > 0.0
        before = values[f"{network}.{place - 1}.h"] if place else inputs_to
        of_hidden = _linear(adj, parameters, network, place, before, of_hidden * slope)
    return of_hidden


def _linear(
    adj: Adjoints, parameters: Parameters, network: str, place: int, x: Array, of_y: Array
) -> Array:
    """y = x @ W + b: ∂W = xᵀ @ ∂y, ∂b = Σ_cells ∂y, ∂x = ∂y @ Wᵀ."""
    layer = parameters[network][place]
    adj[f"{network}.{place}.W"] = x.mT @ of_y
    adj[f"{network}.{place}.b"] = _over_cells(of_y, layer["b"])
    of_x: Array = of_y @ layer["W"].mT
    return of_x


def _over_cells(x: Array, like: Array) -> Array:
    """Sum over cells, in the shape of the parameter it belongs to."""
    return np.add.reduce(x, axis=-2).reshape(like.shape)


def _each_over_cells(several: tuple[Array, ...], like: Array) -> list[Array]:
    """The same of several of one shape."""
    return [sums.reshape(like.shape) for sums in sums_along(-2, several)]


# ---- what θ is held as ----------------------------------------------------------------------


def _held_parameters(adj: Adjoints, values: Values, held: Parameters, iteration: Iteration) -> None:
    """σ = √v hands back ½/σ; x = min(softplus(a), limit) hands back logistic(a) up to its limit."""
    reading, t_max = iteration.reading, iteration.constants.t_max
    for name, held_name in zip(PARAMETERS, held_names(reading), strict=True):
        of_held = adj[name]
        if reading.noise_parameter == "variance" and name in NOISE:
            of_held = adj[NOISE[name]] = of_held * 0.5 / values[name]
        if reading.parameterisation == "softplus":
            free, limit = held[held_name], upper_limit(name, t_max)
            slope = expit(free) if limit is None else expit(free) * (softplus(free) <= limit)
            adj[held_name] = of_held * slope
