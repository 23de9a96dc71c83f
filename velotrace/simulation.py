"""Made-up data from the model's own generative process, with the truth beside them.

From top to bottom of the model, (13) to (21): z of a cell, its times through two decoders, π and k
of each cell and gene, ū and s̄, and normal noise around them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from velotrace.data import Expression
from velotrace.errors import InputError
from velotrace.model import kinetics, networks
from velotrace.model.objective import latent_times, predict, start_of_repression
from velotrace.model.random import draw_pi, draw_state, generator
from velotrace.model.readings import JOINT
from velotrace.model.records import Architecture, Constants, Draws, Iteration, Parameters
from velotrace.quantities import PARAMETERS

STATE_SCALE = np.array([1.0, 1.0, 1.0, 0.1])
SPREAD = 2.0
"""Factor on the decoders' first weights, so that the times fill their range."""


@dataclass(frozen=True)
class Simulated:
    """A data set and what it was made from.

    Attributes:
        expression: what would have been measured.
        parameters: θ and the decoders.
        z: shape (cell, latent).
        pi: shape (cell, gene, state).
        state: k, shape (cell, gene).
        time: t of the state, shape (cell, gene); NaN in the steady states, which have none.
        u_bar: mean of u, shape (cell, gene).
        s_bar: mean of s, same shape.
        clipped: how many draws of the noise fell below 0 and were set to it.
    """

    expression: Expression
    parameters: Parameters
    z: np.ndarray
    pi: np.ndarray
    state: np.ndarray
    time: np.ndarray
    u_bar: np.ndarray
    s_bar: np.ndarray
    clipped: int

    def genes_table(self) -> pd.DataFrame:
        """θ of each gene."""
        theta = {name: self.parameters[name] for name in PARAMETERS}
        return pd.DataFrame({"gene": self.expression.genes, **theta})

    def cells_table(self) -> pd.DataFrame:
        """State, time, means and state probabilities of each cell and gene."""
        cells, genes = self.expression.cells, self.expression.genes
        columns = {
            "cell": np.repeat(cells, len(genes)),
            "gene": np.tile(genes, len(cells)),
            "state": self.state.ravel(),
            "time": self.time.ravel(),
            "u_bar": self.u_bar.ravel(),
            "s_bar": self.s_bar.ravel(),
        }
        shares = {f"pi_{k + 1}": self.pi[..., k].ravel() for k in range(4)}
        return pd.DataFrame({**columns, **shares})

    def data_table(self) -> pd.DataFrame:
        """The data as `velotrace trace` reads them."""
        cells, genes = self.expression.cells, self.expression.genes
        return pd.DataFrame(
            {
                "cell": np.repeat(cells, len(genes)),
                "gene": np.tile(genes, len(cells)),
                "unspliced": self.expression.unspliced.ravel(),
                "spliced": self.expression.spliced.ravel(),
            }
        )


def simulate(
    cells: int,
    genes: int,
    seed: int,
    noise: float = 0.05,
    pi_prior: float = 0.25,
    latent: int = 10,
    t_max: float = 20.0,
) -> Simulated:
    """Draw a data set from the generative process.

    Args:
        cells: how many.
        genes: how many.
        seed: of everything.
        noise: σ relative to the largest mean that a gene reaches.
        pi_prior: concentration of the Dirichlet of π (14).
        latent: dimensions of z.
        t_max: end of the time axis.

    Returns:
        The data and the truth. Draws below 0 are set to 0, as no abundance is negative.

    Raises:
        InputError: a number that makes no data set.

    Example:
        >>> made = simulate(cells=3, genes=2, seed=0)
        >>> made.expression.unspliced.shape, bool(made.state.min() >= 1)
        ((3, 2), True)
    """
    if min(cells, genes, latent) < 1 or seed < 0:
        raise InputError("cells and genes must be 1 or more, the seed 0 or more")
    if not (0.0 < noise < np.inf and 0.0 < pi_prior < np.inf and 0.0 < t_max < np.inf):
        raise InputError("noise, prior and t_max must be finite and above 0")
    theta = _rates(genes, seed, t_max, noise)
    parameters = theta | _decoders(genes, latent, seed)
    z = generator(seed, "simulated z", 0).standard_normal((cells, latent))
    pi = draw_pi(seed, 0, np.full((cells, genes, 4), pi_prior))
    state = draw_state(seed, 0, pi)
    zeros = np.zeros((cells, genes))
    constants = Constants(t_max, STATE_SCALE, pi_prior, zeros[0], zeros[0])
    iteration = Iteration(zeros, zeros, Draws(z, pi, state), constants, JOINT, "tanh")
    times = latent_times(parameters, z, iteration)
    predicted = predict(parameters, times, start_of_repression(parameters, JOINT), JOINT)
    first, third = times["time_induction"], times["time_repression"]
    every_time = np.stack([first, zeros * np.nan, third, zeros * np.nan], axis=-1)
    time, u_bar, s_bar = (
        np.take_along_axis(of, state[..., None] - 1, axis=-1)[..., 0]
        for of in (every_time, predicted["u_bar"], predicted["s_bar"])
    )
    numbers, scale = generator(seed, "simulated noise", 0), STATE_SCALE[state - 1]
    u = u_bar + scale * theta["sigma_u"] * numbers.standard_normal(u_bar.shape)
    s = s_bar + scale * theta["sigma_s"] * numbers.standard_normal(s_bar.shape)
    expression = Expression(
        tuple(f"Cell {n + 1}" for n in range(cells)),
        tuple(f"G{g + 1}" for g in range(genes)),
        np.maximum(u, 0.0),
        np.maximum(s, 0.0),
    )
    clipped = int(np.sum(u < 0.0) + np.sum(s < 0.0))
    return Simulated(expression, parameters, z, pi, state, time, u_bar, s_bar, clipped)


def _rates(genes: int, seed: int, t_max: float, noise: float) -> Parameters:
    """Rates for which a gene rises and falls within t_max, to a largest ū between 0.5 and 1."""
    numbers = generator(seed, "simulated rates", 0)
    beta = numbers.uniform(4.0, 12.0, genes) / t_max
    gamma = beta * numbers.uniform(0.4, 0.9, genes)
    switch_time = numbers.uniform(0.3, 0.7, genes) * t_max
    height = numbers.uniform(0.5, 1.0, genes)
    alpha = height / kinetics.u_induction(1.0, beta, switch_time)
    highest_s = kinetics.s_induction(alpha, beta, gamma, switch_time)
    return {
        "alpha": alpha,
        "beta": beta,
        "gamma": gamma,
        "switch_time": switch_time,
        "sigma_u": noise * height,
        "sigma_s": noise * highest_s,
    }


def _decoders(genes: int, latent: int, seed: int) -> Parameters:
    architecture = Architecture(latent, (16,), "tanh", "glorot-uniform", seed)
    drawn = networks.initialise(architecture, genes, "separate")
    return {
        name: [{"W": SPREAD * layer["W"], "b": layer["b"]} for layer in drawn[name]]
        for name in ("decoder_ind", "decoder_rep")
    }
