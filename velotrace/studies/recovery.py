"""What training recovers of the truth that data were made from, and what data cannot fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from velotrace.learning.ensemble import Settings, Trained, train_in_memory
from velotrace.learning.history import theta_of
from velotrace.learning.results import posterior
from velotrace.model.objective import loss
from velotrace.model.records import Parameters
from velotrace.scenario import Resolved
from velotrace.scenario.resolve import work_out
from velotrace.scenario.schema import Scenario
from velotrace.simulation import Simulated
from velotrace.tape import evaluate

POSTERIOR_DRAWS = 25


def scenario_for(simulated: Simulated, preset: str, **sections: Any) -> Resolved:
    """A scenario of simulated data, in memory.

    Args:
        simulated: the data.
        preset: of the reading.
        sections: keys of further sections, such as `constants={"t_max": 40.0}`.

    Returns:
        The records to train.
    """
    keys = {
        "schema": "velotrace-scenario/1",
        "data": {"file": "simulated.csv"},
        "reading": {"preset": preset},
        **sections,
    }
    return work_out(Scenario.model_validate(keys), simulated.expression)


@dataclass(frozen=True)
class Recovery:
    """Truth beside fit.

    Attributes:
        genes: one row for each ratio of rates that the data fix and each gene: true, fitted, and
            the standard deviation over seeds.
        cells: one row for each seed: share of states found, rank correlation of times.
    """

    genes: pd.DataFrame
    cells: pd.DataFrame


def recover(
    simulated: Simulated,
    resolved: Resolved,
    settings: Settings,
    progress: Callable[[int], None] = lambda epoch: None,
) -> Recovery:
    """Train on simulated data and hold the result against what they were made from.

    Args:
        simulated: data and truth.
        resolved: a scenario of those data.
        settings: of the training.
        progress: called with the number of epochs done.

    Returns:
        The comparison.
    """
    trained = train_in_memory(resolved, settings, progress)
    return Recovery(_of_genes(simulated, trained), _of_cells(simulated, trained))


def _of_genes(simulated: Simulated, trained: Trained) -> pd.DataFrame:
    """u at steady state α/β, the ratio γ/β, and β t_s: none of them has a unit of time."""
    fitted, truth = theta_of(trained.plan, trained.state), simulated.parameters
    going = trained.state.going
    tables = [
        pd.DataFrame(
            {
                "ratio": name,
                "gene": simulated.expression.genes,
                "true": of(truth),
                "fitted": of(fitted)[going].mean(axis=0),
                "sd over seeds": of(fitted)[going].std(axis=0),
            }
        )
        for name, of in _SCALE_FREE.items()
    ]
    return pd.concat(tables, ignore_index=True)


_SCALE_FREE: dict[str, Callable[[Parameters], np.ndarray]] = {
    "α/β": lambda theta: np.asarray(theta["alpha"] / theta["beta"]),
    "γ/β": lambda theta: np.asarray(theta["gamma"] / theta["beta"]),
    "β·t_s": lambda theta: np.asarray(theta["beta"] * theta["switch_time"]),
}


def _of_cells(simulated: Simulated, trained: Trained) -> pd.DataFrame:
    expression, plan = simulated.expression, trained.plan
    found = posterior(plan, trained.state, POSTERIOR_DRAWS, expression.cells, expression.genes)
    state = 1 + found["pi"].to_numpy().argmax(axis=-1)
    rows = []
    for run, seed in enumerate(plan.seeds):
        if not trained.state.going[run]:
            continue
        share = float(np.mean(state[run] == simulated.state))
        row: dict[str, object] = {"seed": seed, "states found": share}
        for k, name in ((1, "time_induction"), (3, "time_repression")):
            times = found[name].to_numpy()[run]
            row[f"{name}, rank corr."] = _rank_correlation(simulated, times, k)
        rows.append(row)
    return pd.DataFrame(rows)


def _rank_correlation(simulated: Simulated, times: np.ndarray, k: int) -> float:
    """Spearman's, mean over genes, of the cells that truly are in state k."""
    found = []
    for gene in range(times.shape[1]):
        there = simulated.state[:, gene] == k
        if there.sum() > 2:
            found.append(spearmanr(simulated.time[there, gene], times[there, gene]).statistic)
    return float(np.mean(found)) if found else float("nan")


# ---- the scale that data cannot fix ---------------------------------------------------------


def scaled(parameters: Parameters, factor: float) -> Parameters:
    """The same curves on another clock: rates × c, switch times / c; all else as it is."""
    return parameters | {
        "alpha": parameters["alpha"] * factor,
        "beta": parameters["beta"] * factor,
        "gamma": parameters["gamma"] * factor,
        "switch_time": parameters["switch_time"] / factor,
    }


def scale_table(resolved: Resolved, factors: tuple[float, ...]) -> pd.DataFrame:
    """The loss when the clock runs c times as fast, with t_max following and with t_max held.

    Args:
        resolved: an iteration whose θ is held in natural values.
        factors: c.

    Returns:
        A row for each c: the loss and its difference from c = 1, both ways.
    """
    iteration, parameters = resolved.iteration, resolved.parameters
    constants = iteration.constants

    def loss_at(factor: float, t_max: float) -> float:
        now = replace(iteration, constants=replace(constants, t_max=t_max))
        return float(evaluate(partial(loss, iteration=now), scaled(parameters, factor)).value)

    whole = loss_at(1.0, constants.t_max)
    rows = []
    for factor in factors:
        follows = loss_at(factor, constants.t_max / factor)
        held = loss_at(factor, constants.t_max)
        rows.append(
            {
                "c": factor,
                "loss, t_max/c": follows,
                "difference": follows - whole,
                "loss, t_max held": held,
                "difference held": held - whole,
            }
        )
    return pd.DataFrame(rows)


def clock_table(
    simulated: Simulated,
    preset: str,
    t_maxes: tuple[float, ...],
    settings: Settings,
    progress: Callable[[int], None] = lambda epoch: None,
    **sections: Any,
) -> pd.DataFrame:
    """Fits that differ in t_max alone: the rates follow it, what has no unit of time does not.

    Each training starts from the same curves, on a clock of its own.

    Args:
        simulated: the data.
        preset: of the reading.
        t_maxes: ends of the time axis.
        settings: of each training.
        progress: called with the number of epochs done, over all trainings.
        sections: further keys of the scenario.

    Returns:
        A row for each t_max: means over genes and seeds of β, β·t_max, α/β, γ/β, and the last loss.
    """
    rows = []
    for place, t_max in enumerate(t_maxes):
        done = place * settings.epochs
        clock = 20.0 / t_max
        initial: dict[str, object] = {
            "beta": 0.1 * clock, "gamma": 0.05 * clock, "switch_time": 10.0 / clock,
        }  # fmt: skip
        keys: dict[str, Any] = {**sections, "constants": {"t_max": t_max}, "initial": initial}
        resolved = scenario_for(simulated, preset, **keys)
        trained = train_in_memory(resolved, settings, shifted(progress, done))
        theta, going = theta_of(trained.plan, trained.state), trained.state.going
        beta = theta["beta"][going]
        rows.append(
            {
                "t_max": t_max,
                "β": beta.mean(),
                "β·t_max": (beta * t_max).mean(),
                "α/β": (theta["alpha"][going] / beta).mean(),
                "γ/β": (theta["gamma"][going] / beta).mean(),
                "last loss": float(trained.history["loss"][-1].mean()),
            }
        )
    return pd.DataFrame(rows)


def shifted(progress: Callable[[int], None], done: int) -> Callable[[int], None]:
    """Progress of one of several trainings, after the epochs of those before it."""
    return lambda epoch: progress(done + epoch)
