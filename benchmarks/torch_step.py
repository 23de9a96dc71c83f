"""The same mathematics in eager PyTorch on the CPU, float64, to measure against.

Written as one would for training: tensors stay tensors, PyTorch differentiates. The Dirichlet draw
is given, as it is to velotrace, and its gradient is the one that PyTorch's own `rsample` uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from velotrace.model.records import Draws, Iteration, Parameters
from velotrace.tape import map_leaves

Tensor = Any


class GivenDraw(torch.autograd.Function):
    """A Dirichlet draw made beforehand, with PyTorch's pathwise gradient."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor, pi: Tensor) -> Tensor:
        """The draw itself."""
        ctx.save_for_backward(concentration, pi)
        return pi.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        """Upstream times PyTorch's derivative of the draw."""
        concentration, pi = ctx.saved_tensors
        total = concentration.sum(-1, True).expand_as(concentration)
        slope = torch._dirichlet_grad(pi, concentration, total)
        return slope * (upstream - (pi * upstream).sum(-1, True)), None


def torch_step(parameters: Parameters, iteration: Iteration) -> Callable[[], object]:
    """A function that runs forward and backward once.

    Args:
        parameters: θ and φ.
        iteration: data, draws, constants and reading (presets document, paper and joint).

    Returns:
        Call it to get the loss; gradients are left in the tensors.
    """
    held = map_leaves(lambda _, x: torch.tensor(np.asarray(x), requires_grad=True), parameters)
    tensors: list[Tensor] = []
    map_leaves(lambda _, x: tensors.append(x), held)
    fixed = _fixed(iteration)

    def step() -> object:
        for tensor in tensors:
            tensor.grad = None
        loss = _loss(held, fixed)
        loss.backward()
        return loss

    return step


def _fixed(iteration: Iteration) -> dict[str, Any]:
    constants, draws = iteration.constants, iteration.draws
    assert isinstance(draws, Draws)
    arrays = {
        "u": iteration.unspliced,
        "s": iteration.spliced,
        "epsilon": draws.epsilon_z,
        "pi": draws.pi,
        "scale": constants.state_scale,
        "u_star": constants.u_star,
        "s_star": constants.s_star,
    }
    fixed: dict[str, Any] = {name: torch.tensor(np.asarray(x)) for name, x in arrays.items()}
    fixed["state"] = None if draws.state is None else torch.tensor(draws.state)[..., None] - 1
    fixed |= {"t_max": constants.t_max, "prior": constants.pi_prior, "reading": iteration.reading}
    return fixed


def _network(layers: Any, x: Tensor) -> Tensor:
    for layer in layers[:-1]:
        x = torch.tanh(x @ layer["W"] + layer["b"])
    return x @ layers[-1]["W"] + layers[-1]["b"]


def _quotient(beta: Tensor, gamma: Tensor, time: Tensor) -> Tensor:
    return (torch.exp(-gamma * time) - torch.exp(-beta * time)) / (gamma - beta + 1e-6)


def _loss(p: Any, f: dict[str, Any]) -> Tensor:
    reading, u, s = f["reading"], f["u"], f["s"]
    encoded = _network(p["encoder_z"], torch.stack([u, s], -1).reshape(len(u), -1))
    mu, log_var = encoded.chunk(2, -1)
    z = mu + torch.exp(0.5 * log_var) * f["epsilon"]
    concentration = torch.nn.functional.softplus(_network(p["encoder_pi"], z))
    concentration = concentration.reshape(*u.shape, 4)

    alpha, beta, gamma, t_s = p["alpha"], p["beta"], p["gamma"], p["switch_time"]
    time = torch.sigmoid(_network(p["decoder_ind"], z)) * t_s
    since = (f["t_max"] - t_s) * torch.sigmoid(_network(p["decoder_rep"], z))

    def induction(t: Tensor) -> tuple[Tensor, Tensor]:
        u_bar = alpha / beta * -torch.expm1(-beta * t)
        s_bar = alpha / gamma * -torch.expm1(-gamma * t) + alpha * _quotient(beta, gamma, t)
        return u_bar, s_bar

    u_0, s_0 = alpha / beta, alpha / gamma
    if reading.repression_start == "switch-time":
        u_0, s_0 = induction(t_s)
    u_1, s_1 = induction(time)
    u_3 = u_0 * torch.exp(-beta * since)
    s_3 = s_0 * torch.exp(-gamma * since) - beta * u_0 * _quotient(beta, gamma, since)
    u_2, s_2 = (alpha / beta).expand_as(u_1), (alpha / gamma).expand_as(s_1)
    nothing = torch.zeros_like(u_1)
    u_bar = torch.stack([u_1, u_2, u_3, nothing], -1)
    s_bar = torch.stack([s_1, s_2, s_3, nothing], -1)
    log_u = _log_normal(u[..., None], u_bar, p["sigma_u"][:, None] * f["scale"])
    log_s = _log_normal(s[..., None], s_bar, p["sigma_s"][:, None] * f["scale"])
    log_likelihood = _likelihood(reading, log_u, log_s, concentration, f)

    kl_z = 0.5 * (log_var.exp() + mu**2 - log_var - 1.0).sum()
    penalty = ((u_0 - f["u_star"]) ** 2 + (s_0 - f["s_star"]) ** 2).sum()
    kl_pi = _kl_dirichlet(concentration, f["prior"]).sum()
    return -log_likelihood.sum() + kl_z + kl_pi + reading.switch_weight * penalty


def _log_normal(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    return -0.5 * ((x - mean) / deviation) ** 2 - deviation.log() - 0.5 * math.log(2 * math.pi)


def _likelihood(
    reading: Any, log_u: Tensor, log_s: Tensor, concentration: Tensor, f: dict[str, Any]
) -> Tensor:
    if reading.draws_state:
        return (log_u + log_s).gather(-1, f["state"])
    log_pi = GivenDraw.apply(concentration, f["pi"]).log()
    if reading.likelihood == "joint-mixture":
        return torch.logsumexp(log_pi + log_u + log_s, -1)
    return torch.logsumexp(log_pi + log_u, -1) + torch.logsumexp(log_pi + log_s, -1)


def _kl_dirichlet(concentration: Tensor, prior: float) -> Tensor:
    total = concentration.sum(-1)
    expected = torch.digamma(concentration) - torch.digamma(total)[..., None]
    gammas = (math.lgamma(prior) - torch.lgamma(concentration)).sum(-1)
    weighted = ((concentration - prior) * expected).sum(-1)
    return torch.lgamma(total) - math.lgamma(4.0 * prior) + gammas + weighted
