"""What a trained model is said to have found, and the files that say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import WALKTHROUGH, write_scenario

from velotrace.learning import runs
from velotrace.learning.ensemble import Settings
from velotrace.learning.results import posterior, prior_samples
from velotrace.learning.runs import Run
from velotrace.walkthrough import trace


@pytest.fixture(scope="module", params=["document", "joint", "scvi-tools"])
def run(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("results")
    path = write_scenario(folder, WALKTHROUGH, {"reading": {"preset": request.param}})
    made = runs.start(path, folder / "RUN", Settings(4, 2, 3))
    runs.train(made)
    return made


def found(run: Run, draws: int, **changes: Any) -> Any:
    state = replace(run.state(4), **changes)
    return posterior(run.plan, state, draws, run.resolved.expression.cells, run.resolved.genes)


def test_averages_over_draws_are_their_expectations(run: Run) -> None:
    """Where an expectation is known: E π = E conc/Σconc, given z; velocity and times by π alone.

    The mean over R draws lies within 5 standard errors, spread/√R, of it.
    """
    draws = 200
    made = found(run, draws)
    share = made["concentration"] / made["concentration"].sum("state")
    allowed = 5.0 * made["pi_sd"] / np.sqrt(draws) + 2.0 * made["concentration_sd"]
    assert (np.abs(made["pi"] - share) <= allowed).all()
    np.testing.assert_allclose(made["pi"].sum("state"), 1.0, rtol=1e-12)
    spread = np.exp(0.5 * made["log_var_z"])
    assert (np.abs(made["z"] - made["mu_z"]) <= 5.0 * spread / np.sqrt(draws)).all()
    t_s = run.history()["switch_time"].isel(epoch=-1)
    assert (made["time_induction"] <= t_s).all()
    assert (made["time_repression"] >= t_s).all()
    assert (made["latent_time"] <= run.plan.constants.t_max).all()


def test_fitted_values_are_weighed_by_the_states(run: Run) -> None:
    """With one draw the means are that draw: fitted ū is its state's, or Σ π ū."""
    made = found(run, 1)
    assert float(np.abs(made["velocity_sd"]).max()) == 0.0
    if not run.plan.reading.draws_state:
        np.testing.assert_allclose(
            made["fitted_u"], (made["pi"] * made["u_bar"]).sum("state"), rtol=1e-12
        )
    beta, gamma = (run.history()[name].isel(epoch=-1) for name in ("beta", "gamma"))
    again = beta * made["fitted_u"] - gamma * made["fitted_s"]
    np.testing.assert_allclose(
        made["velocity"], again.transpose("seed", "cell", "gene"), rtol=1e-9, atol=1e-12
    )


def test_made_up_cells_lie_on_the_curve(run: Run) -> None:
    """p(z) through the decoders: ū of state 1 is (3) at t1, for every run and sample."""
    made = prior_samples(run.plan, run.state(4), 30)
    history = run.history().isel(epoch=-1)
    alpha, beta = (history[name].to_numpy()[:, None] for name in ("alpha", "beta"))
    expected = alpha / beta * -np.expm1(-beta * made["time_induction"])
    np.testing.assert_allclose(made["u_bar"][..., 0], expected, rtol=1e-12)


def test_results_on_the_command_line(run: Run, tmp_path: Path, command: Callable[..., Any]) -> None:
    outcome = command("results", run.folder, "--draws", "5", "-o", tmp_path / "out")
    assert outcome.status == 0
    assert max(map(len, outcome.out.splitlines()[:-1])) <= 80  # the last names the folder
    files = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {"parameters", "losses", "cells", "velocity", "probabilities"}
    figures = {"evolution", "losses", "portraits", "states", "latent", "prior"}
    assert files == {f"{t}.csv" for t in tables} | {f"{f}.svg" for f in figures}
    rates = pd.read_csv(tmp_path / "out" / "parameters.csv")
    alpha = run.history()["alpha"].isel(epoch=-1).sel(gene="A").median().item()
    assert rates.query("parameter == 'alpha' and gene == 'A'")["after"].item() == alpha


def test_commands_take_an_iteration_of_a_run(run: Run, command: Callable[..., Any]) -> None:
    place = f"{run.folder}@2/1/{run.plan.seeds[1]}"
    outcome = command("trace", place)
    again = command("retrace", run.folder, "--epoch", "2", "--batch", "1",
                    "--seed", str(run.plan.seeds[1]))  # fmt: skip
    assert outcome.status == again.status == 0
    assert outcome.out == again.out
    assert command("check", place).status == 0
    assert command("explain", "z", place, "--format", "json").status == 0
    changed = command("trace", place, "--drop", "kl_pi")
    assert "kl_pi" in changed.out
    for wrong in ("9/0", "0/7", "0/0/999999"):
        outcome = command("trace", f"{run.folder}@{wrong}")
        assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert trace(place).loss == run.history()["loss"][2, 1, 1].item()
