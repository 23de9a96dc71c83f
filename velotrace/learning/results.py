"""What a trained model says of the cells: times, states, fitted abundances, velocity.

All of it is an average over draws from the posterior: z from q(z | u, s), π from q(π | z), and the
state where the reading draws one. How far the draws differ is part of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from velotrace.learning.training import FreshDraws, Plan, State
from velotrace.model import random
from velotrace.model.holding import natural_values
from velotrace.model.objective import latent_times, loss, predict, start_of_repression
from velotrace.model.records import Draws, Iteration
from velotrace.quantities import VOCABULARY
from velotrace.tape import named_values

if TYPE_CHECKING:
    import xarray

_AVERAGED = ("time_induction", "time_repression", "pi", "u_bar", "s_bar", "velocity", "z")
"""Named values whose mean and standard deviation over draws are given."""


def posterior(
    plan: Plan, state: State, draws: int, cells: Sequence[str], genes: Sequence[str]
) -> xarray.Dataset:
    """Averages over draws from the posterior of every cell, for each run.

    Args:
        plan: of the training.
        state: at which epoch.
        draws: how many.
        cells: names of all cells.
        genes: names of the genes.

    Returns:
        For each value of `_AVERAGED` its mean and, as NAME_sd, its standard deviation over draws;
        `mu_z`, `log_var_z`; `concentration` (its mean); `latent_time`: the expected time
        π₁t₁ + π₂t_s + π₃t₃ + π₄t_max, in which a cell in a steady state stands at the end of its
        branch; `speed`, `fitted_u` and `fitted_s` as the reading weighs the states.
    """
    import xarray

    parameters = plan.layout.nested(state.rows)
    everyone = np.broadcast_to(np.arange(plan.cells), (len(plan.seeds), plan.cells))
    nothing = Draws(np.zeros(0), np.zeros(0), None)
    u, s = plan.unspliced[everyone], plan.spliced[everyone]
    iteration = Iteration(u, s, nothing, plan.constants, plan.reading, plan.activation)
    numbers = random.Keyed()
    sums: dict[str, np.ndarray] = {}
    squares: dict[str, np.ndarray] = {}
    theta = natural_values(parameters, plan.reading, plan.constants.t_max)
    for number in range(draws):
        made = replace(iteration, draws=_draws(plan, number, numbers))
        _, named = named_values(loss, parameters, made)
        values = dict(named)
        values |= derived(values, theta, plan)
        for name in (*_AVERAGED, *_DERIVED, "concentration"):
            sums[name] = sums.get(name, np.zeros(())) + values[name]
            squares[name] = squares.get(name, np.zeros(())) + values[name] ** 2
    variables: dict[str, Any] = {}
    for name, total in sums.items():
        dims = ("seed", *(_DERIVED.get(name) or VOCABULARY[name].dims))
        mean = total / draws
        variables[name] = (dims, mean)
        spread = np.sqrt(np.maximum(squares[name] / draws - mean**2, 0.0))
        variables[f"{name}_sd"] = (dims, spread)
    for name in ("mu_z", "log_var_z"):
        variables[name] = (("seed", *VOCABULARY[name].dims), values[name])
    coords = {
        "seed": list(plan.seeds),
        "cell": list(cells),
        "gene": list(genes),
        "state": [1, 2, 3, 4],
        "latent": list(range(1, plan.latent + 1)),
    }
    return xarray.Dataset(variables, coords, {"epoch": state.epoch, "draws": draws})


_DERIVED: Mapping[str, tuple[str, ...]] = {
    "latent_time": ("cell", "gene"),
    "fitted_u": ("cell", "gene"),
    "fitted_s": ("cell", "gene"),
}
"""What is worked out from the named values of a draw, with its dimensions."""


def derived(
    values: Mapping[str, np.ndarray], theta: Mapping[str, np.ndarray], plan: Plan
) -> dict[str, np.ndarray]:
    """Latent time and fitted abundances of one draw.

    With a hard k they are those of state k; in the mixtures their mean under π*.
    """
    if plan.reading.draws_state:
        weights = (values["state"][..., None] == np.arange(1, 5)).astype(np.float64)
    else:
        weights = values["pi"]
    first, third = values["time_induction"], values["time_repression"]
    switch = np.broadcast_to(theta["switch_time"], first.shape)
    last = np.full_like(first, plan.constants.t_max)
    times = np.stack([first, switch, third, last], axis=-1)
    return {
        "latent_time": np.sum(weights * times, axis=-1),
        "fitted_u": np.sum(weights * values["u_bar"], axis=-1),
        "fitted_s": np.sum(weights * values["s_bar"], axis=-1),
    }


def _draws(plan: Plan, number: int, numbers: random.Numbers) -> FreshDraws:
    """One draw from the posterior of every cell and run, apart from those that trained."""
    purpose, shape = "posterior ", (plan.cells, plan.latent)
    epsilon = [numbers(s, f"{purpose}epsilon_z", number).standard_normal(shape) for s in plan.seeds]
    return FreshDraws(np.array(epsilon), plan.seeds, number, numbers, purpose)


def prior_samples(plan: Plan, state: State, samples: int) -> dict[str, np.ndarray]:
    """z from the prior N(0, I) through the decoders: which cells the model would make up.

    Args:
        plan: of the training.
        state: at which epoch.
        samples: how many z, the same for every run.

    Returns:
        `z` of shape (sample, latent); `time_induction`, `time_repression` of shape
        (run, sample, gene); `u_bar`, `s_bar` of shape (run, sample, gene, state).
    """
    parameters = plan.layout.nested(state.rows)
    theta = natural_values(parameters, plan.reading, plan.constants.t_max)
    z = random.generator(plan.seeds[0], "prior z", 0).standard_normal((samples, plan.latent))
    nothing = Draws(z, np.zeros(0), None)
    unseen = np.zeros((1, samples, plan.unspliced.shape[1]))
    iteration = Iteration(unseen, unseen, nothing, plan.constants, plan.reading, plan.activation)
    every = np.broadcast_to(z, (len(plan.seeds), *z.shape))
    times = latent_times(theta, every, iteration)
    predicted = predict(theta, times, start_of_repression(theta, plan.reading), plan.reading)
    return {"z": z, **times, **predicted}


def time_without_the_end(results: xarray.Dataset, t_max: float) -> xarray.DataArray:
    """Latent time as `VELOVI.get_latent_time` has it: state 4 adds nothing instead of t_max.

    Args:
        results: of `posterior`, for a reading that sums k out.
        t_max: end of time.

    Returns:
        π₁t₁ + π₂t_s + π₃t₃, averaged over the same draws.
    """
    return results["latent_time"] - t_max * results["pi"].sel(state=4)
