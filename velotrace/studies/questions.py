"""What the page of users' questions looks at: small trainings of the toy, and what they say.

Every function takes a training or an iteration apart; the model's own functions compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import spearmanr

from velotrace.learning.ensemble import Settings, Trained, train_in_memory
from velotrace.learning.history import theta_of
from velotrace.learning.results import posterior
from velotrace.model import kinetics
from velotrace.model.objective import loss
from velotrace.model.records import Parameters
from velotrace.scenario import Resolved
from velotrace.scenario.resolve import work_out
from velotrace.studies.divergences import kl_normal_by_dimension
from velotrace.studies.toy import INDUCED
from velotrace.tape import named_values
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    import xarray

EPOCHS = 500
"""As many as scvi-tools trains for unless told otherwise."""
DRAWS = 50
USED = 0.1
"""Nat of KL_z from which on a latent dimension counts as used."""
RIGHT, SWAPPED, NEITHER = "as the data", "swapped", "neither"


@dataclass(frozen=True)
class Fit:
    """A training of several seeds and what it says of the cells.

    Attributes:
        trained: the training.
        results: of `learning.results.posterior`.
    """

    trained: Trained
    results: xarray.Dataset

    @property
    def theta(self) -> dict[str, np.ndarray]:
        """Natural parameters at the end, shape (seed, gene) each."""
        return theta_of(self.trained.plan, self.trained.state)

    @property
    def last_loss(self) -> np.ndarray:
        """Mean of the last fifty epochs, nat; by seed."""
        return self.trained.history["loss"][-50:].mean(("epoch", "batch")).to_numpy()


def fit(resolved: Resolved, seeds: int, epochs: int = EPOCHS) -> Fit:
    """Train on all cells at once and ask the posterior.

    Args:
        resolved: the scenario.
        seeds: how many runs.
        epochs: passes through the data, each of one step.

    Returns:
        The fit.
    """
    trained = train_in_memory(resolved, Settings(epochs, seeds=seeds))
    names = resolved.expression.cells, resolved.genes
    return Fit(trained, posterior(trained.plan, trained.state, DRAWS, *names))


def changed(resolved: Resolved, section: str, **keys: Any) -> Resolved:
    """The same scenario with other keys in one of its sections, such as 'initial'."""
    scenario = resolved.scenario
    update = {section: getattr(scenario, section).model_copy(update=keys)}
    return work_out(scenario.model_copy(update=update), resolved.expression)


# ---- states, and how well they are fitted ----------------------------------------------------


def verdicts(made: Fit, gene: str) -> np.ndarray:
    """Whether each seed has a gene's cells go up and down as the data do; A and B only."""
    up = made.results["pi"].sel(gene=gene, state=[1, 2]).sum("state").to_numpy() > 0.5
    truth = np.array(INDUCED[gene])
    right, wrong = (up == truth).all(axis=-1), (up != truth).all(axis=-1)
    return np.where(right, RIGHT, np.where(wrong, SWAPPED, NEITHER))


def misfits(made: Fit) -> np.ndarray:
    """Root mean squared distance of fitted from measured abundances, shape (seed, gene)."""
    plan, found = made.trained.plan, made.results
    u, s = found["fitted_u"].to_numpy(), found["fitted_s"].to_numpy()
    off = 0.5 * ((u - plan.unspliced) ** 2 + (s - plan.spliced) ** 2)
    return np.asarray(np.sqrt(off.mean(axis=1)))


def divided(made: Fit) -> np.ndarray:
    """Share of cells and genes where u and s lean on different states, by seed.

    Of separate mixtures: the state that answers for most of u against that for most of s, in the
    last fifty epochs.
    """
    last = made.trained.history.isel(epoch=slice(-50, None))
    of_u, of_s = (last[f"responsibility_{kind}"].to_numpy().argmax(axis=-1) for kind in "us")
    return np.asarray((of_u != of_s).mean(axis=(0, 2, 3)))


def used_dimensions(made: Fit) -> np.ndarray:
    """How many latent dimensions hold more than `USED` nat of KL_z on average, by seed."""
    mean, log_var = (made.results[name].to_numpy() for name in ("mu_z", "log_var_z"))
    each = kl_normal_by_dimension(mean, log_var)
    return np.asarray((each.mean(axis=1) > USED).sum(axis=-1))


def outcomes_table(fits: dict[str, Fit], gene: str) -> pd.DataFrame:
    """A row for each training: what the seeds make of a gene, and how well they fit it."""
    rows = []
    for name, made in fits.items():
        found = verdicts(made, gene)
        place = list(made.results["gene"].to_numpy()).index(gene)
        row: dict[str, object] = {"training": name, "seeds": len(found)}
        row |= {kind: int(np.sum(found == kind)) for kind in (RIGHT, SWAPPED, NEITHER)}
        row["loss"] = float(np.median(made.last_loss))
        row["misfit"] = float(np.median(misfits(made)[:, place]))
        row["used dimensions"] = float(np.median(used_dimensions(made)))
        rows.append(row)
    return pd.DataFrame(rows)


# ---- velocity --------------------------------------------------------------------------------


def state_velocities(trace: Trace, cell: str, gene: str) -> np.ndarray:
    """βū − γs̄ of one cell and gene in each of the four states."""
    g = trace.coords["gene"].index(gene)
    n = trace.coords["cell"].index(cell)
    beta, gamma = (trace.tape[name].value[g] for name in ("beta", "gamma"))
    u, s = (trace.tape[name].value[n, g] for name in ("u_bar", "s_bar"))
    return np.asarray(kinetics.velocity(beta, gamma, u, s))


def velocity_with(resolved: Resolved, parameters: Parameters, t_max: float) -> np.ndarray:
    """Velocity of the same iteration under other parameters and another end of time."""
    constants = replace(resolved.iteration.constants, t_max=t_max)
    now = replace(resolved.iteration, constants=constants)
    return np.asarray(named_values(loss, parameters, now)[1]["velocity"])


def turning_time(alpha: float, beta: float, gamma: float, switch_time: float) -> float:
    """Time after the switch at which the velocity changes its sign.

    At the switch it is still positive: s has not caught up with u. It falls to 0 where
    ū/s̄ = γ/β, and stays below.

    Args:
        alpha: α, abundance per time.
        beta: β, per time.
        gamma: γ, per time.
        switch_time: t_s.

    Returns:
        τ, in the unit of t_s.
    """
    u_0 = float(kinetics.u_induction(alpha, beta, switch_time))
    s_0 = float(kinetics.s_induction(alpha, beta, gamma, switch_time))

    def velocity(tau: float) -> float:
        u = kinetics.u_repression(u_0, beta, tau)
        s = kinetics.s_repression(u_0, s_0, beta, gamma, tau)
        return float(kinetics.velocity(beta, gamma, u, s))

    end = 1.0 / beta
    while velocity(end) > 0.0:
        end *= 2.0
    return float(brentq(velocity, 0.0, end))


def sides(made: Fit, seed: int) -> pd.DataFrame:
    """On which side of its gene's line u = (γ/β) s each cell lies: as measured, and as fitted.

    Args:
        made: the fit.
        seed: place of the run among the seeds.

    Returns:
        A row for each cell and gene: γ/β, u/s both ways, and the velocity, whose sign is that of
        the fitted ū/s̄ − γ/β.
    """
    plan, found = made.trained.plan, made.results.isel(seed=seed)
    slope = made.theta["gamma"][seed] / made.theta["beta"][seed]
    rows = []
    for n, cell in enumerate(found["cell"].to_numpy()):
        for g, gene in enumerate(found["gene"].to_numpy()):
            at = found.isel(cell=n, gene=g)
            rows.append(
                {
                    "cell": str(cell),
                    "gene": str(gene),
                    "γ/β": float(slope[g]),
                    "measured": float(plan.unspliced[n, g] / plan.spliced[n, g]),
                    "fitted": float(at["fitted_u"] / at["fitted_s"]),
                    "velocity": float(at["velocity"]),
                }
            )
    return pd.DataFrame(rows)


def spreads(made: Fit, gene: str, chosen: np.ndarray) -> pd.DataFrame:
    """Velocity of a gene's cells: its spread over draws of one seed, and over seeds.

    Args:
        made: the fit.
        gene: whose.
        chosen: which seeds count.

    Returns:
        A row for each cell: mean over the chosen seeds; the median over them of the spread over
        draws; spread over the chosen seeds, and over all.
    """
    at = made.results.sel(gene=gene)
    some = at.isel(seed=np.flatnonzero(chosen))
    return pd.DataFrame(
        {
            "cell": at["cell"].to_numpy(),
            "velocity": some["velocity"].mean("seed").to_numpy(),
            "over draws": some["velocity_sd"].median("seed").to_numpy(),
            "over these seeds": some["velocity"].std("seed").to_numpy(),
            "over all seeds": at["velocity"].std("seed").to_numpy(),
        }
    )


def signals(made: Fit, gene: str) -> tuple[np.ndarray, np.ndarray]:
    """Velocity over its spread over draws: where its sign is right, and where it is wrong.

    Args:
        made: the fit.
        gene: A or B, whose cells' directions the data show.

    Returns:
        |velocity| / spread of all cells and seeds with the right sign, and of the others.
    """
    at = made.results.sel(gene=gene)
    velocity, spread = at["velocity"].to_numpy(), at["velocity_sd"].to_numpy()
    right = (velocity > 0.0) == np.array(INDUCED[gene])
    ratio = np.abs(velocity) / spread
    return ratio[right], ratio[~right]


def order_agreement(made: Fit, chosen: np.ndarray, one: str, other: str) -> float:
    """Rank correlation of two genes' latent times over the cells; the mean of the chosen seeds.

    Args:
        made: the fit.
        chosen: which seeds count, shape (seed,).
        one: a gene.
        other: another.

    Returns:
        From −1 to 1.
    """
    times = made.results["latent_time"].isel(seed=np.flatnonzero(chosen))
    pairs = zip(times.sel(gene=one).to_numpy(), times.sel(gene=other).to_numpy(), strict=True)
    return float(np.mean([spearmanr(a, b).statistic for a, b in pairs]))


# ---- runs -------------------------------------------------------------------------------------


def repeated(resolved: Resolved, seeds: int, epochs: int) -> tuple[int, int]:
    """How many parameters differ in any bit when a training is run twice; and how many there are.

    Args:
        resolved: the scenario.
        seeds: how many runs.
        epochs: of each training.
    """
    settings = Settings(epochs, seeds=seeds, by_cell=False)
    one, two = (train_in_memory(resolved, settings).state.rows for _ in range(2))
    return int(np.sum(one.view(np.uint64) != two.view(np.uint64))), one.size


def penalty_table(made: Fit, epochs: Sequence[int]) -> list[list[Any]]:
    """λ, the penalty before its weight, and what the loss sees of it; the median seed."""
    history = made.trained.history
    penalty = history["switch_penalty"].mean("batch").median("seed").to_numpy()
    weight = history["switch_weight"].to_numpy()
    return [[str(at), weight[at], penalty[at], weight[at] * penalty[at]] for at in epochs]
