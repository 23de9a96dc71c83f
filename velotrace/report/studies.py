"""The small experiments as text."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from velotrace.learning.ensemble import Settings
from velotrace.report.blocks import number
from velotrace.report.frames import frame_text
from velotrace.simulation import simulate
from velotrace.studies.estimators import Estimate, OneSample, one_sample_errors, state_gradients
from velotrace.studies.recovery import clock_table, recover, scale_table, scenario_for, shifted
from velotrace.walkthrough import Trace, trace

CELLS, GENES, SEED = 200, 4, 0
"""Of the simulated data."""

BATCH = 50
CLOCKS = (10.0, 20.0, 40.0)
HOLDINGS = ("natural", "softplus")


# ---- gradient estimators --------------------------------------------------------------------


def estimates_of(made: Trace, cell: int = 0, gene: int = 0, draws: int = 10_000) -> list[Estimate]:
    """Every estimator of the gradient to one cell and gene's concentrations."""
    log_u, log_s, concentration = (
        made.tape[name].value[cell, gene]
        for name in ("log_density_u", "log_density_s", "concentration")
    )
    return state_gradients(log_u, log_s, concentration, draws, made.resolved.scenario.noise.seed)


def estimates_table(estimates: list[Estimate]) -> pd.DataFrame:
    """Mean, standard error and noise of each estimator, by state, beside the exact gradient."""
    rows = []
    for one in estimates:
        for k in range(4):
            rows.append(
                {
                    "estimator": one.estimator,
                    "k": k + 1,
                    "mean": float(one.mean[k]),
                    "± error": float(one.error[k]),
                    "sd of a draw": float(one.deviation[k]),
                    "exact": "—" if one.target is None else number(float(one.target[k])),
                }
            )
    return pd.DataFrame(rows)


def one_sample_table(errors: list[OneSample]) -> pd.DataFrame:
    """How far one draw's loss lies from its expectation."""
    rows = [
        {
            "reading": one.reading,
            "term": one.term,
            "mean": one.mean,
            "± error": float(one.error),
            "sd of a draw": one.deviation,
        }
        for one in errors
    ]
    return pd.DataFrame(rows)


def estimators_text(made: Trace, draws: int) -> str:
    """Both tables of the study."""
    where = f"{made.coords['cell'][0]}, gene {made.coords['gene'][0]}"
    losses = one_sample_errors(made.resolved, min(draws, 1000))
    return (
        "Gradient of the data's part of the loss to the concentrations of\n"
        f"{where}: {draws} draws\n"
        f"\n{frame_text(estimates_table(estimates_of(made, draws=draws)))}\n\n"
        "The first four are of the loss with a hard k, whose exact gradient is known;\n"
        "the mixtures' loss is another. In all but the first two, π moves along its path.\n\n"
        f"The loss of one draw of z, π and k against its expectation: {min(draws, 1000)} draws\n\n"
        f"{frame_text(one_sample_table(losses))}\n"
    )


# ---- simulated data -------------------------------------------------------------------------


def trainings(name: str) -> int:
    """How many trainings a study makes, for the progress bar."""
    return {"recovery": len(HOLDINGS), "scale": len(CLOCKS)}.get(name, 0)


def recovery_text(seeds: int, epochs: int, advance: Callable[[int], None]) -> str:
    """Truth beside fit under `joint`, with both ways of holding θ."""
    data = simulate(CELLS, GENES, SEED)
    blocks = [
        f"{CELLS} cells, {GENES} genes simulated (seed {SEED}); reading joint, {epochs} epochs, "
        f"batches of {BATCH},\n{seeds} seeds. What has no unit of time can be compared.\n"
    ]
    for place, holding in enumerate(HOLDINGS):
        keys = {"preset": "joint", "parameterisation": holding}
        resolved = scenario_for(data, "joint", reading=keys)
        settings = Settings(epochs, BATCH, seeds, by_cell=False)
        found = recover(data, resolved, settings, shifted(advance, place * epochs))
        blocks.append(f"θ held as {holding} values\n\n{frame_text(found.genes)}\n")
        blocks.append(f"{frame_text(found.cells)}\n")
    return "\n".join(blocks)


def scale_text(seeds: int, epochs: int, advance: Callable[[int], None]) -> str:
    """The exact symmetry of the loss, and fits that differ in t_max alone."""
    data = simulate(CELLS, GENES, SEED)
    settings = Settings(epochs, BATCH, seeds, by_cell=False)
    exact = scale_table(trace().resolved, (0.5, 1.0, 2.0, 3.0, 10.0))
    clocks = clock_table(data, "joint", CLOCKS, settings, advance)
    return (
        "The walkthrough's loss with rates × c and switch times / c\n\n"
        f"{frame_text(exact)}\n\n"
        "With t_max / c the curves are the same on another clock, and so is the loss:\n"
        "data cannot tell. Only t_max, which is chosen, sets the unit of time.\n\n"
        f"Fits to {CELLS} simulated cells that differ in t_max alone: means over genes\n"
        "and seeds\n\n"
        f"{frame_text(clocks)}\n"
    )
