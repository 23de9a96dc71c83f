"""veloVI once more, in PyTorch: a second opinion on every number of a test-vector file.

This program shares no code with the package: it was written from the equations alone (paper's
numbers in parentheses; "doc (1)", "doc (2)" are the document's own two). From the inputs of a file
of schema ``velotrace-vectors/1`` it recomputes every named value and, by torch's autograd, the
total adjoint d loss / d value of each. Everything is float64.

    python tests/torch_reference.py FILE.json

lists the differences between a file and this program; the exit code is 1 if there are any.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch_special import Digamma, ImplicitDirichletDraw, softplus

SMALLEST_NORMAL = 2.0**-1022  # the floor of a draw: log(pi) stays finite
DENOMINATOR_EPS = 1e-6  # what denominator = "eps" adds in every (4) and (8)
VARIANCE_FLOOR = 1e-4  # what latent_variance = "softplus" adds
ROUND_OFF = 1e-14  # absolute: a KL is a difference of terms of order 1 to 10, and may itself be 0
LARGEST_RATE = 50.0  # of alpha, beta and gamma where they are held as free values

RATES = ("alpha", "beta", "gamma", "switch_time")
RATES_AND_NOISE = (*RATES, "sigma_u", "sigma_s")
VARIANCES = {"sigma_u": "variance_u", "sigma_s": "variance_s"}

# In the order of computation, which is the order in which `compare` reports.
DIMENSIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("unspliced", "spliced"), ("cell", "gene")),
    **{f"{key}_free": ("gene",) for key in (*RATES_AND_NOISE, *VARIANCES.values())},
    **dict.fromkeys((*VARIANCES.values(), *RATES_AND_NOISE), ("gene",)),
    **dict.fromkeys(("epsilon_z", "mu_z", "log_var_z", "z"), ("cell", "latent")),
    **dict.fromkeys(("concentration", "pi"), ("cell", "gene", "state")),
    "state": ("cell", "gene"),
    **dict.fromkeys(("rho_induction", "rho_repression"), ("cell", "gene")),
    **dict.fromkeys(("time_induction", "time_repression"), ("cell", "gene")),
    **dict.fromkeys(("u_switch", "s_switch"), ("gene",)),
    **dict.fromkeys(("u_bar", "s_bar"), ("cell", "gene", "state")),
    **dict.fromkeys(("log_density_u", "log_density_s"), ("cell", "gene", "state")),
    "log_likelihood": ("cell", "gene"),
    "kl_z": ("cell",),
    "kl_pi": ("cell", "gene"),
    "switch_penalty": ("gene",),
    **dict.fromkeys(("reconstruction", "loss"), ()),
    "velocity": ("cell", "gene"),
}


# Kinetics, (3) to (12) ---------------------------------------------------------------------------


def exponential_difference(beta, gamma, t, denominator):
    """(e^(-gamma t) - e^(-beta t)) / (gamma - beta), also where beta = gamma.

    With y = (gamma - beta) t / 2 it is -t e^(-(beta + gamma) t / 2) sinh(y) / y. Below |y| = 1 the
    power series of sinh(y) / y serves for the value and, through autograd, for the derivative;
    above, nothing cancels in the plain quotient. Each branch of the `where` sees only arguments at
    which it is finite, else its gradient would be NaN.
    """
    beta, gamma, t = torch.broadcast_tensors(beta, gamma, t)
    difference = gamma - beta
    half = difference * t / 2
    close = half.abs() < 1
    squared = torch.where(close, half, 0.0) ** 2
    series = sum(squared**n / float(math.factorial(2 * n + 1)) for n in range(12, -1, -1))
    near = -t * torch.exp(-torch.where(close, beta + gamma, 0.0) * t / 2) * series
    safe_difference = torch.where(close, 1.0, difference)
    far = (torch.exp(-gamma * t) - torch.exp(-beta * t)) / safe_difference
    exact = torch.where(close, near, far)
    if denominator == "eps":
        return exact * difference / (difference + DENOMINATOR_EPS)
    return exact


def induction(alpha, beta, gamma, t, denominator):
    """(3) and (4)."""
    u = alpha / beta * -torch.expm1(-beta * t)
    s = alpha / gamma * -torch.expm1(-gamma * t) + alpha * exponential_difference(
        beta, gamma, t, denominator
    )
    return u, s


def repression(u_start, s_start, beta, gamma, tau, denominator):
    """(7) and (8), tau the time since the switch."""
    u = u_start * torch.exp(-beta * tau)
    s = s_start * torch.exp(-gamma * tau) - beta * u_start * exponential_difference(
        beta, gamma, tau, denominator
    )
    return u, s


# Distributions -----------------------------------------------------------------------------------


def log_normal(x, mean, deviation):
    """The logarithm of the densities in (20) and (21)."""
    return -(((x - mean) / deviation) ** 2) / 2 - torch.log(deviation) - math.log(2 * math.pi) / 2


def kl_normal(mean, log_variance):
    """doc (1): KL of N(mean, diag(e^log_variance)) from N(0, I), over the last axis."""
    return (torch.exp(log_variance) + mean**2 - log_variance - 1).sum(-1) / 2


def kl_dirichlet(concentration, prior):
    """doc (2) with its Gamma ratios the right way up (model.md 4.1), over the last axis."""
    prior = torch.as_tensor(prior, dtype=torch.float64).expand(concentration.shape)
    total = concentration.sum(-1, keepdim=True)
    expected_log_pi = Digamma.apply(concentration) - Digamma.apply(total)
    normaliser = torch.lgamma(total.squeeze(-1)) - torch.lgamma(prior.sum(-1))
    log_gammas = (torch.lgamma(prior) - torch.lgamma(concentration)).sum(-1)
    return normaliser + log_gammas + ((concentration - prior) * expected_log_pi).sum(-1)


# One iteration -----------------------------------------------------------------------------------


def held_as(key, reading):
    """The name under which a parameter of theta is held: alpha_free, variance_u, sigma_s_free."""
    if reading["noise_parameter"] == "variance":
        key = VARIANCES.get(key, key)
    return f"{key}_free" if reading["parameterisation"] == "softplus" else key


def _hold(name, v, given, reading, t_max):
    """theta from what is held: softplus of free values, clamped; sigma, the root of a variance."""
    upper = {**dict.fromkeys(RATES, LARGEST_RATE), "switch_time": t_max}
    for key in RATES_AND_NOISE:
        held = held_as(key, reading)
        name(held, _leaf(given[held]))
        if held.endswith("_free"):
            positive = softplus(v[held])
            held = held.removesuffix("_free")
            # torch.clamp hands the gradient on up to the bound, the bound itself included
            name(held, positive.clamp(max=upper[key]) if key in upper else positive)
        if held != key:
            name(key, torch.sqrt(v[held]))


def _network(layers, x, activation, hidden_only=False):
    """x @ W + b, the activation between layers; after the last one too if all are hidden."""
    for index, layer in enumerate(layers):
        x = x @ layer["W"] + layer["b"]
        if hidden_only or index + 1 < len(layers):
            x = activation(x)
    return x


def _encode(name, v, networks, reading, activation, given_pi, draw):
    """(22): q(z | u, s) and q(pi | z), with the draws from both."""
    if reading["encoder_input"] == "interleaved":
        x = torch.stack([v["unspliced"], v["spliced"]], -1).flatten(1)
    else:
        x = torch.cat([v["spliced"], v["unspliced"]], -1)
    mean, raw_variance = _network(networks["encoder_z"], x, activation).chunk(2, -1)
    if reading["latent_variance"] == "softplus":
        raw_variance = torch.log(softplus(raw_variance) + VARIANCE_FLOOR)
    name("mu_z", mean)
    name("log_var_z", raw_variance)
    name("z", v["mu_z"] + torch.exp(v["log_var_z"] / 2) * v["epsilon_z"])
    raw = _network(networks["encoder_pi"], v["z"], activation)
    name("concentration", softplus(raw).reshape(*v["unspliced"].shape, 4))
    # With a sampled state pi is spent once k is drawn: no gradient, hence a constant.
    sampled = reading["likelihood"] == "sampled-state"
    name("pi", given_pi if sampled else draw(v["concentration"], given_pi))


def _decode(name, v, networks, reading, activation, t_max):
    """(16) to (19): the two times, both counted from 0."""
    x = v["z"]
    if reading["decoders"] == "shared-hidden":
        x = _network(networks["decoder_shared"], x, activation, hidden_only=True)
    name("rho_induction", torch.sigmoid(_network(networks["decoder_ind"], x, activation)))
    name("rho_repression", torch.sigmoid(_network(networks["decoder_rep"], x, activation)))
    t_s = v["switch_time"]
    name("time_induction", v["rho_induction"] * t_s)
    name("time_repression", t_s + (t_max - t_s) * v["rho_repression"])


def _predict(name, v, reading):
    """(3) to (12): the means of all four states."""
    alpha, beta, gamma, t_s = (v[key] for key in ("alpha", "beta", "gamma", "switch_time"))
    denominator = reading["denominator"]
    if reading["repression_start"] == "steady-state":
        start = alpha / beta, alpha / gamma
    else:  # (9), (10)
        start = induction(alpha, beta, gamma, t_s, denominator)
    name("u_switch", start[0])
    name("s_switch", start[1])
    u_1, s_1 = induction(alpha, beta, gamma, v["time_induction"], denominator)
    tau = v["time_repression"] - t_s
    u_3, s_3 = repression(v["u_switch"], v["s_switch"], beta, gamma, tau, denominator)
    none = torch.zeros_like(u_1)  # (11), (12)
    name("u_bar", torch.stack([u_1, (alpha / beta).expand_as(u_1), u_3, none], -1))  # (5)
    name("s_bar", torch.stack([s_1, (alpha / gamma).expand_as(s_1), s_3, none], -1))  # (6)


def _likelihood(name, v, reading, state_scale):
    """(20), (21) at the k drawn; k summed out for u and s apart (23, 24) or jointly (15)."""
    for kind, observed in (("u", "unspliced"), ("s", "spliced")):
        deviation = v[f"sigma_{kind}"][:, None] * state_scale
        density = log_normal(v[observed][..., None], v[f"{kind}_bar"], deviation)
        name(f"log_density_{kind}", density)
    log_u, log_s = v["log_density_u"], v["log_density_s"]
    flow = v["beta"][:, None] * v["u_bar"] - v["gamma"][:, None] * v["s_bar"]
    if reading["likelihood"] == "sampled-state":
        chosen = v["state"][..., None] - 1
        name("log_likelihood", (log_u + log_s).gather(-1, chosen).squeeze(-1))
        name("velocity", flow.gather(-1, chosen).squeeze(-1))
        return
    pi = v["pi"]
    # The floor keeps the gradient: d log_likelihood / d pi_k is finite at pi_k = 0 as well.
    log_pi = torch.log(pi + (SMALLEST_NORMAL - pi).clamp(min=0).detach())
    if reading["likelihood"] == "joint-mixture":
        log_likelihood = torch.logsumexp(log_pi + log_u + log_s, -1)
    else:
        log_likelihood = torch.logsumexp(log_pi + log_u, -1) + torch.logsumexp(log_pi + log_s, -1)
    name("log_likelihood", log_likelihood)
    name("velocity", (pi * flow).sum(-1))


def _objective(name, v, reading, constants):
    """(25) to (27), with the weights in force at this step."""
    u_star, s_star = _constant(constants["u_star"]), _constant(constants["s_star"])
    name("kl_z", kl_normal(v["mu_z"], v["log_var_z"]))
    name("kl_pi", kl_dirichlet(v["concentration"], constants["pi_prior"]))
    name("switch_penalty", (v["u_switch"] - u_star) ** 2 + (v["s_switch"] - s_star) ** 2)
    over_cells = {"sum": torch.sum, "mean": torch.mean}[reading["reduction"]]
    name("reconstruction", -over_cells(v["log_likelihood"].sum(-1)))
    divergence = over_cells(constants["kl_weight"] * v["kl_z"] + v["kl_pi"].sum(-1))
    penalty = constants["switch_weight"] * v["switch_penalty"].sum()
    name("loss", v["reconstruction"] + divergence + penalty)


def _constant(data):
    return torch.tensor(data, dtype=torch.float64)


def _leaf(data):
    return torch.tensor(data, dtype=torch.float64, requires_grad=True)


def forward(vectors: dict, shifts: dict | None = None, draw=ImplicitDirichletDraw.apply):
    """All named values as tensors that retain their gradient, and the networks' weights.

    ``shifts`` adds an array to a named value where it is made, so that everything after it sees
    the sum, and ``draw`` makes pi from the concentrations and the pi that was drawn: both are
    there for finite differences.
    """
    reading, constants = vectors["scenario"]["reading"], vectors["constants"]
    activations = {"tanh": torch.tanh, "relu": torch.relu}
    activation = activations[vectors["scenario"]["networks"]["activation"]]
    given = {key: value["data"] for key, value in vectors["values"].items()}
    v: dict[str, torch.Tensor] = {}

    def name(key, tensor):
        if shifts and key in shifts:
            tensor = tensor + torch.as_tensor(shifts[key])
        if tensor.requires_grad:
            tensor.retain_grad()
        v[key] = tensor

    for key in ("unspliced", "spliced", "epsilon_z"):
        name(key, _constant(given[key]))
    _hold(name, v, given, reading, constants["t_max"])
    if "state" in given:
        name("state", torch.tensor(given["state"], dtype=torch.int64))
    networks = {
        key: [{p: _leaf(array) for p, array in layer.items()} for layer in layers]
        for key, layers in vectors["networks"].items()
    }
    _encode(name, v, networks, reading, activation, _constant(given["pi"]), draw)
    _decode(name, v, networks, reading, activation, constants["t_max"])
    _predict(name, v, reading)
    _likelihood(name, v, reading, _constant(constants["state_scale"]))
    _objective(name, v, reading, constants)
    return v, networks


def recompute(vectors: dict):
    """The named values, their adjoints (None: no path to the loss), and those of the networks."""

    def adjoint_of(tensor):
        return None if tensor.grad is None else tensor.grad.numpy()

    v, networks = forward(vectors)
    v["loss"].backward()
    names = [key for key in DIMENSIONS if key in v]
    values = {key: v[key].detach().numpy() for key in names}
    adjoints = {key: adjoint_of(v[key]) if v[key].requires_grad else None for key in names}
    network_adjoints = {
        key: [{p: adjoint_of(tensor) for p, tensor in layer.items()} for layer in layers]
        for key, layers in networks.items()
    }
    return values, adjoints, network_adjoints


# Comparing ---------------------------------------------------------------------------------------


def _difference(label, theirs, ours, axes, rtol):
    """None, or one sentence on the component that differs most; axes are (name, labels) pairs."""
    sides = ["null" if side is None else "an array" for side in (theirs, ours)]
    if "null" in sides:
        what = f"{label}: {sides[0]} in the file, {sides[1]} in the reference"
        return None if theirs is ours else what
    theirs, ours = np.asarray(theirs, float), np.asarray(ours, float)
    if theirs.shape != ours.shape:
        return f"{label}: shape {theirs.shape} in the file, {ours.shape} in the reference"
    largest = np.max(np.abs(ours))
    apart = np.nan_to_num(np.abs(theirs - ours), nan=np.inf)
    if np.max(apart) <= rtol * largest + ROUND_OFF:
        return None
    index = np.unravel_index(np.argmax(apart), apart.shape)
    pairs = zip(axes, index, strict=True)
    where = ", ".join(f"{axis}={labels[i]}" for (axis, labels), i in pairs)
    return (
        f"{label}[{where}]: {theirs[index]!s} in the file, {ours[index]!s} in the reference, "
        f"apart by {apart[index]:.3g} where the largest component is {largest:.3g}"
    )


def compare(vectors: dict, rtol: float = 1e-9) -> list[str]:
    """What differs, in the order of computation: values, adjoints, the networks' adjoints.

    A difference counts if it exceeds ``rtol`` times the largest component of its array (plus
    ROUND_OFF). Names that the reference does not know, as the single terms of the two KLs, are
    passed over.
    """
    values, adjoints, network_adjoints = recompute(vectors)
    found = []
    for part, ours in (("values", values), ("adjoints", adjoints)):
        for key, array in ours.items():
            label, dims = f"{part}.{key}", DIMENSIONS[key]
            if key not in vectors[part]:
                found.append(f"{label}: missing from the file")
                continue
            theirs = vectors[part][key]
            if theirs is not None and tuple(theirs["dims"]) != dims:
                found.append(f"{label}: dims {theirs['dims']}, expected {list(dims)}")
                continue
            data = None if theirs is None else theirs["data"]
            axes = [(axis, vectors["coords"][axis]) for axis in dims]
            found.append(_difference(label, data, array, axes, rtol))
    for key, layers in network_adjoints.items():
        for number, layer in enumerate(layers):
            for p, array in layer.items():
                theirs = vectors["network_adjoints"][key][number][p]
                axes = [("input", range(10**9)), ("output", range(10**9))][-np.ndim(array) :]
                found.append(
                    _difference(f"network_adjoints.{key}[{number}].{p}", theirs, array, axes, rtol)
                )
    return [sentence for sentence in found if sentence]


if __name__ == "__main__":
    differences = compare(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    print("\n".join(differences) or "no differences")
    sys.exit(bool(differences))
