"""Random iterations: the model's records drawn by hypothesis, without files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from hypothesis import strategies as st

from velotrace.counterfactuals import TERMS
from velotrace.model import networks, objective, random
from velotrace.model.holding import held_values
from velotrace.model.readings import Reading
from velotrace.model.records import Architecture, Constants, Draws, Iteration, Parameters
from velotrace.quantities import RATES
from velotrace.tape import Tape, evaluate, record


@dataclass(frozen=True)
class Case:
    """Parameters, what is held fixed, and the function of the first."""

    parameters: Parameters
    iteration: Iteration

    @property
    def function(self) -> Any:
        return partial(objective.loss, iteration=self.iteration)

    def tape(self) -> Tape:
        return record(self.function, self.parameters)

    def values(self) -> Any:
        return evaluate(self.function, self.parameters).values


def make_case(
    seed: int,
    cells: int = 2,
    genes: int = 3,
    latent: int = 3,
    hidden: tuple[int, ...] = (4,),
    activation: Any = "tanh",
    gap: Any = None,
    noise: float = 1.0,
    clamped: Mapping[str, float] = MappingProxyType({}),
    dropped: Iterable[str] = (),
    **choices: Any,
) -> Case:
    """An iteration with every number drawn from `seed`.

    Args:
        seed: of all numbers.
        cells: in the batch.
        genes: of the data.
        latent: dimensions of z.
        hidden: widths of hidden layers.
        activation: of the networks.
        gap: γ − β relative to β, one for each gene or for all; None draws γ freely.
        noise: factor on σ.
        clamped: free values of the last gene, such as one that the clamp holds back; they count
            only where θ is held so.
        dropped: terms left out of the loss.
        choices: of the reading.
    """
    numbers = np.random.default_rng(seed)
    reading = Reading(**choices)
    beta = numbers.uniform(0.1, 1.0, genes)
    gamma = numbers.uniform(0.1, 1.0, genes) if gap is None else beta * (1.0 + np.asarray(gap))
    theta = {
        "alpha": numbers.uniform(0.2, 2.0, genes),
        "beta": beta,
        "gamma": gamma,
        "switch_time": numbers.uniform(2.0, 18.0, genes),
        "sigma_u": noise * numbers.uniform(0.1, 0.8, genes),
        "sigma_s": noise * numbers.uniform(0.1, 0.8, genes),
    }
    architecture = Architecture(latent, hidden, activation, "glorot-uniform", seed)
    phi = networks.initialise(architecture, genes, reading.decoders)
    for layers in phi.values():  # biases away from 0, so that no relu sits at its corner
        for layer in layers:
            layer["b"] = numbers.uniform(-0.3, 0.3, layer["b"].shape)
    held = held_values(theta, reading)
    for name, free in clamped.items():
        if name in held:
            held[name][-1] = free
    parameters = held | phi
    constants = Constants(
        20.0,
        np.array([1.0, 1.0, 1.0, 0.1]),
        float(numbers.uniform(0.1, 1.5)),
        numbers.uniform(0.0, 1.0, genes),
        numbers.uniform(0.0, 1.0, genes),
    )
    u, s = numbers.uniform(0.0, 1.0, (2, cells, genes))
    draws = Draws(numbers.standard_normal((cells, latent)), np.zeros((cells, genes, 4)), None)
    iteration = Iteration(u, s, draws, constants, reading, activation)
    concentration = objective.infer(parameters, iteration, u, s)["concentration"]
    pi = random.draw_pi(seed, 0, concentration)
    state = numbers.integers(1, 5, (cells, genes)) if reading.draws_state else None
    draws = Draws(draws.epsilon_z, pi, state)
    left_out = frozenset(dropped)
    return Case(parameters, Iteration(u, s, draws, constants, reading, activation, left_out))


READINGS = st.fixed_dictionaries(
    {
        "likelihood": st.sampled_from(["sampled-state", "separate-mixtures", "joint-mixture"]),
        "repression_start": st.sampled_from(["steady-state", "switch-time"]),
        "switch_weight": st.floats(0.0, 2.0),
        "kl_weight": st.floats(0.0, 1.0),
        "reduction": st.sampled_from(["sum", "mean"]),
        "latent_variance": st.sampled_from(["exp", "softplus"]),
        "encoder_input": st.sampled_from(["interleaved", "spliced-first"]),
        "decoders": st.sampled_from(["separate", "shared-hidden"]),
        "denominator": st.sampled_from(["exact", "exact", "eps"]),
        "parameterisation": st.sampled_from(["natural", "softplus"]),
        "noise_parameter": st.sampled_from(["standard-deviation", "variance"]),
    }
)
FREE = st.sampled_from([50.0, 50.01, 57.0, 20.0, 20.3, 0.0, -3.0])
CLAMPED = st.dictionaries(st.sampled_from([f"{name}_free" for name in RATES]), FREE, max_size=2)
"""Free values at, just above and far above the clamps (50 for rates, t_max = 20), and below."""
DENSITIES = {"log_density_u", "log_density_s"}
DROPPED = st.lists(st.sampled_from(TERMS), max_size=3).filter(
    lambda names: not set(names) >= DENSITIES
)
"""Terms left out. Without both densities a drawn state's reconstruction is a mere constant."""
GAPS = st.sampled_from([None, 0.0, 1e-15, 1e-12, 1e-8, -1e-8, 1e-4, 0.5])


@st.composite
def cases(draw: Any) -> Case:
    """1–6 genes, 1–6 cells, every reading, β = γ, β ≈ γ, clamps and dropped terms among them."""
    return make_case(
        draw(st.integers(0, 2**31)),
        draw(st.integers(1, 6)),
        draw(st.integers(1, 6)),
        draw(st.integers(1, 4)),
        tuple(draw(st.lists(st.integers(1, 5), max_size=2))),
        draw(st.sampled_from(["tanh", "relu"])),
        draw(GAPS),
        clamped=draw(CLAMPED),
        dropped=draw(DROPPED),
        **draw(READINGS),
    )
