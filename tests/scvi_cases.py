"""velotrace and scvi-tools on one iteration: the same numbers in, both results out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import scvi_module
import torch
from iterations import make_case

from velotrace.model import adjoint, distributions
from velotrace.model.objective import infer, loss
from velotrace.model.readings import SCVI_TOOLS, in_force
from velotrace.model.records import Draws, Iteration, Parameters
from velotrace.tape import Tape, map_leaves, record

EPS = {precision: float(torch.finfo(precision).eps) for precision in (torch.float32, torch.float64)}

Array = np.ndarray


@dataclass(frozen=True)
class Case:
    """Numbers that float32 holds exactly, so that both programs start from the same ones.

    Attributes:
        parameters: θ and φ as held.
        iteration: as velotrace runs it, without the module's draws.
        module: of scvi-tools, with these parameters, in one precision.
        made: what the module made, z and π drawn by itself.
        precision: torch's.
    """

    parameters: Parameters
    iteration: Iteration
    module: Any
    made: scvi_module.Made
    precision: Any

    @property
    def eps(self) -> float:
        """Distance from 1 to the next number of this precision; torch's bound for π."""
        return EPS[self.precision]

    @property
    def pi(self) -> Array:
        """π as the module drew it."""
        return self.made.values["pi"]

    @property
    def held_back(self) -> Array:
        """Which components of π are outside the bounds of torch's Categorical."""
        return (self.pi < self.eps) | (self.pi > 1.0 - self.eps)

    def tape(self, pi: Array) -> Tape:
        """Velotrace's iteration with the module's z and with this π."""
        return record(partial(loss, iteration=self.given(pi)), self.parameters)

    def given(self, pi: Array) -> Iteration:
        """What velotrace holds fixed: the module's z and this π."""
        return with_draws(self.iteration, self.parameters, self.made.values["z"], pi)


def case(
    seed: int,
    precision: Any,
    wanted: Callable[[Case], bool],
    epoch: int = 100,
    shift: float = 0.0,
    **sizes: Any,
) -> Case:
    """A random case whose draws are as wanted; the module draws until they are.

    Args:
        seed: of all numbers and of the module's draws.
        precision: torch's.
        wanted: whether the draws will do.
        epoch: whose weights of KL_z and of the switch penalty are in force.
        shift: of what softplus turns into concentrations; negative makes them small.
        sizes: of `iterations.make_case`.
    """
    reading = in_force(SCVI_TOOLS, epoch)
    made = make_case(seed, activation="relu", **(sizes | asdict(reading)))
    made.parameters["encoder_pi"][-1]["b"] += shift
    parameters = map_leaves(lambda _, array: in_float32(array), made.parameters)
    u, s = in_float32(made.iteration.unspliced), in_float32(made.iteration.spliced)
    hidden = tuple(len(layer["b"]) for layer in parameters["encoder_z"][:-1])
    latent = made.iteration.draws.epsilon_z.shape[-1]
    module = scvi_module.velovi(u, s, hidden, latent).module.to(precision)
    scvi_module.load(module, parameters)
    iteration = with_constants(replace(made.iteration, unspliced=u, spliced=s), module)
    for attempt in range(1000):
        torch.manual_seed(1000 * seed + attempt)
        theirs = scvi_module.run(module, u, s, reading.kl_weight)
        found = Case(parameters, iteration, module, theirs, precision)
        if wanted(found):
            return found
    raise AssertionError("no draw of the module was as wanted")


def with_constants(iteration: Iteration, module: Any) -> Iteration:
    """The same with the module's prior, u* and s*."""
    u, s = (x.numpy().astype(np.float64) for x in (module.switch_unspliced, module.switch_spliced))
    prior = module.dirichlet_concentration
    constants = replace(iteration.constants, pi_prior=prior, u_star=u, s_star=s)
    return replace(iteration, constants=constants)


def with_draws(iteration: Iteration, parameters: Parameters, z: Array, pi: Array) -> Iteration:
    """The same with these draws; ε is such that z comes out to the last digit."""
    blank = replace(iteration, draws=Draws(np.zeros_like(z), pi, None))
    posterior = infer(parameters, blank, iteration.unspliced, iteration.spliced)
    epsilon = (z - posterior["mu_z"]) / np.exp(0.5 * posterior["log_var_z"])
    return replace(iteration, draws=Draws(epsilon, pi, None))


def in_float32(array: Array) -> Array:
    """The nearest numbers that float32 has."""
    return np.asarray(array, dtype=np.float32).astype(np.float64)


def probabilities_used(pi: Array, eps: float) -> Array:
    """What torch's mixtures read in the place of π: normalised, clamped, normalised again."""
    clamped = np.clip(pi / pi.sum(axis=-1, keepdims=True), eps, 1.0 - eps)
    return clamped / clamped.sum(axis=-1, keepdims=True)


def adjoint_of_drawn(pi: Array, of_used: Array, eps: float) -> Array:
    """Adjoint of π as drawn from that of `probabilities_used`: none passes a clamp."""
    used = probabilities_used(pi, eps)
    of_log = used * of_used - used * (used * of_used).sum(axis=-1, keepdims=True)
    of_normalised = np.where((pi < eps) | (pi > 1.0 - eps), 0.0, of_log / np.maximum(pi, eps))
    return of_normalised - (pi * of_normalised).sum(axis=-1, keepdims=True)


def torch_derivative(patch: Any, pi: Array, precision: Any, eps: float | None = None) -> None:
    """Put torch's own derivative of a Dirichlet draw in the place of velotrace's, both ways.

    Args:
        patch: pytest's monkeypatch.
        pi: the draw.
        precision: in which torch differentiates.
        eps: of the clamp, where velotrace is given `probabilities_used` instead of π.
    """

    def pullback(used: Array, concentration: Array, upstream: Array) -> Array:
        if eps is not None:
            upstream = adjoint_of_drawn(pi, upstream, eps)
        x, c = (torch.tensor(array, dtype=precision) for array in (pi, concentration))
        slope = torch._dirichlet_grad(x, c, c.sum(-1, True).expand_as(c).contiguous())
        return slope.numpy() * (upstream - (pi * upstream).sum(axis=-1, keepdims=True))

    def pullback_log(used: Array, concentration: Array, upstream: Array) -> Array:
        return pullback(used, concentration, upstream / used)

    patch.setattr(distributions, "dirichlet_pullback", pullback)
    patch.setattr(adjoint, "dirichlet_pullback_log", pullback_log)
