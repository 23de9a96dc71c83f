"""What the chapter on scvi-tools computes: latent time without the end, tables of settings."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import xarray

from velotrace.learning.ensemble import Settings, train_in_memory
from velotrace.learning.results import posterior, time_without_the_end
from velotrace.model.holding import natural_values
from velotrace.report import scvi_figures, scvi_settings
from velotrace.simulation import simulate
from velotrace.studies.recovery import scenario_for
from velotrace.walkthrough import trace

mpl.use("Agg")


@pytest.fixture(scope="module")
def results() -> xarray.Dataset:
    """One draw, so that a mean over draws is the draw."""
    data = simulate(cells=6, genes=2, seed=0)
    made = train_in_memory(scenario_for(data, "scvi-tools"), Settings(epochs=2))
    found = posterior(made.plan, made.state, 1, data.expression.cells, data.expression.genes)
    theta = natural_values(made.plan.layout.nested(made.state.rows), made.plan.reading, 20.0)
    return found.isel(seed=0).assign_attrs(switch_time=theta["switch_time"].ravel())


def test_time_without_the_end(results: xarray.Dataset) -> None:
    """Equation eq-scvi-time, π₁t₁ + π₂t_s + π₃t₃, from its parts."""
    pi, t_s = results["pi"].to_numpy(), results.attrs["switch_time"]
    first, third = (results[f"time_{name}"].to_numpy() for name in ("induction", "repression"))
    wanted = pi[..., 0] * first + pi[..., 1] * t_s + pi[..., 2] * third
    found = time_without_the_end(results, 20.0).to_numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_every_cell_is_in_the_picture_once(results: xarray.Dataset) -> None:
    gene = str(results["gene"].values[0])
    ax = scvi_figures.latent_times(results, 20.0, gene).axes[0]
    marks = [line for line in ax.lines if line.get_marker() not in ("None", "", None)]
    assert sum(len(line.get_xdata()) for line in marks) == results.sizes["cell"]
    assert len(marks) == 4


def test_a_gene_more() -> None:
    """Equation eq-scvi-weights: 8H + 6 weights with each gene."""
    few, more = (scvi_settings.network_weights(genes, 7, 5) for genes in (3, 4))
    assert more - few == 8 * 7 + 6
    arrays = trace(reading={"preset": "scvi-tools"}).tape.names.values()
    weights = [e.value.size for e in arrays if e.operation == "parameter" and "." in (e.name or "")]
    assert sum(weights) == scvi_settings.network_weights(3, 16, 10)


def test_tables_hold_every_setting() -> None:
    rows = 0
    for group in ("sizes", "data", "start", "model", "training", "results"):
        lines = scvi_settings.table(group).splitlines()[2:]
        assert len(lines) == sum(one.group == group for one in scvi_settings.SETTINGS.values())
        rows += len(lines)
    assert rows == len(scvi_settings.SETTINGS)
    assert "| stop when nothing improves |" in scvi_settings.table("training")


def test_stretch() -> None:
    """Equation eq-scvi-minmax: afterwards every gene goes from 0 to 1."""
    u = np.random.default_rng(0).uniform(0.1, 3.0, (9, 4))
    scaled = scvi_settings.stretch(u) * (u - u.min(axis=0))
    np.testing.assert_allclose([scaled.min(axis=0), scaled.max(axis=0)], [[0.0] * 4, [1.0] * 4])


def test_steps() -> None:
    """Equation eq-scvi-steps; 0.9 · 284.4 = 256 is the last that is one batch."""
    assert [scvi_settings.steps_an_epoch(n) for n in (1, 284, 285, 570)] == [1, 1, 2, 3]
