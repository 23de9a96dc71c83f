"""What a trained model says, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import xarray

from velotrace.quantities import PARAMETERS

BAND = (0.05, 0.95)
"""Quantiles over seeds between which a band is drawn."""

SHOWN_EPOCHS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Of a long history; the last is shown as well."""


def parameters_table(history: xarray.Dataset) -> pd.DataFrame:
    """θ before and after training: median over seeds, and the band of nine in ten of them.

    Args:
        history: of a run.

    Returns:
        A row for each parameter and gene.
    """
    rows = []
    for name in PARAMETERS:
        for gene in history["gene"].to_numpy():
            last = history[name].isel(epoch=-1).sel(gene=gene).to_numpy()
            start = history[f"{name}_start"].sel(gene=gene).to_numpy()
            low, middle, high = np.nanquantile(last, [BAND[0], 0.5, BAND[1]])
            rows.append([name, gene, np.median(start), middle, low, high])
    columns = ["parameter", "gene", "before", "after", "5 %", "95 %"]
    return pd.DataFrame(rows, columns=columns)


def cells_table(results: xarray.Dataset) -> pd.DataFrame:
    """Each cell and gene: latent time, likeliest state, fitted abundances beside each other.

    Args:
        results: of `learning.results.posterior`.

    Returns:
        A row for each cell and gene: medians over seeds of the means over draws.
    """
    middle = results.median("seed")
    state = 1 + middle["pi"].to_numpy().argmax(axis=-1)
    rows = [
        {
            "cell": cell,
            "gene": gene,
            "latent time": at["latent_time"].item(),
            "time sd": at["latent_time_sd"].item(),
            "state": int(state[n, g]),
            "its π": at["pi"].to_numpy().max(),
            "ū": at["fitted_u"].item(),
            "s̄": at["fitted_s"].item(),
        }
        for n, g, cell, gene, at in _each(middle)
    ]
    return pd.DataFrame(rows)


def velocity_table(results: xarray.Dataset) -> pd.DataFrame:
    """Velocity βū − γs̄ of each cell and gene.

    Args:
        results: of `learning.results.posterior`.

    Returns:
        A row for each cell and gene: the median over seeds of its mean over draws; its spread over
        draws; its spread over seeds; and the share of seeds in which it is positive.
    """
    middle, mean = results.median("seed"), results["velocity"]
    rows = [
        {
            "cell": cell,
            "gene": gene,
            "velocity": at["velocity"].item(),
            "sd over draws": at["velocity_sd"].item(),
            "sd over seeds": mean.isel(cell=n, gene=g).std("seed").item(),
            "share > 0": (mean.isel(cell=n, gene=g) > 0.0).mean("seed").item(),
        }
        for n, g, cell, gene, at in _each(middle)
    ]
    return pd.DataFrame(rows)


def _each(middle: xarray.Dataset) -> Iterator[tuple[int, int, str, str, xarray.Dataset]]:
    for n, cell in enumerate(middle["cell"].to_numpy()):
        for g, gene in enumerate(middle["gene"].to_numpy()):
            yield n, g, str(cell), str(gene), middle.isel(cell=n, gene=g)


def probabilities_table(results: xarray.Dataset) -> pd.DataFrame:
    """Mean π of each cell and gene over draws; the median seed."""
    middle = results["pi"].median("seed")
    rows = [
        [cell, gene, *middle.isel(cell=n, gene=g).to_numpy()]
        for n, cell in enumerate(results["cell"].to_numpy())
        for g, gene in enumerate(results["gene"].to_numpy())
    ]
    return pd.DataFrame(rows, columns=["cell", "gene", "k=1", "k=2", "k=3", "k=4"])


def loss_table(history: xarray.Dataset) -> pd.DataFrame:
    """The loss and its terms at some epochs: mean over batches, median over seeds."""
    last = int(history["epoch"][-1])
    shown = [*(e for e in SHOWN_EPOCHS if e < last), last]
    terms = ("loss", "reconstruction", "kl_z", "kl_pi", "switch_penalty")
    rows = []
    for epoch in dict.fromkeys(shown):
        at = history.sel(epoch=epoch)
        rows.append([epoch, *(float(at[term].mean("batch").median("seed")) for term in terms)])
    return pd.DataFrame(rows, columns=["epoch", *terms])


def all_tables(history: xarray.Dataset, results: xarray.Dataset) -> Mapping[str, pd.DataFrame]:
    """Every table by its name."""
    return {
        "parameters": parameters_table(history),
        "losses": loss_table(history),
        "cells": cells_table(results),
        "velocity": velocity_table(results),
        "probabilities": probabilities_table(results),
    }
