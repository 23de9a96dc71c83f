"""Figures of the chapter on scvi-tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from velotrace.learning.results import time_without_the_end
from velotrace.report import escape
from velotrace.report.figure_style import PALE
from velotrace.report.training_figures import STATE_NAMES, STATES

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

MARKS = ("o", "s", "^", "X")


def latent_times(results: xarray.Dataset, t_max: float, gene: str) -> Figure:
    """Both latent times of one gene's cells against each other, marked by the likeliest state.

    Args:
        results: of one seed.
        t_max: end of time.
        gene: which.
    """
    import matplotlib.pyplot as plt

    at = results.sel(gene=gene)
    ours, theirs = at["latent_time"].to_numpy(), time_without_the_end(at, t_max).to_numpy()
    likeliest = at["pi"].to_numpy().argmax(axis=-1)
    figure, ax = plt.subplots(figsize=(5.6, 4.4))
    ax.plot([0.0, t_max], [0.0, t_max], color=PALE, ls="--", lw=1)
    for k, (name, colour, mark) in enumerate(zip(STATE_NAMES, STATES, MARKS, strict=True)):
        of = likeliest == k
        ax.plot(ours[of], theirs[of], mark, color=colour, ms=5, alpha=0.8, label=name)
    top = 1.05 * float(np.max([ours, theirs]))
    ax.set(xlim=(0.0, top), ylim=(0.0, top), title=f"gene {escape.figure(gene)}")
    ax.set(xlabel="time, state 4 at the end", ylabel="time, state 4 at 0")
    ax.legend(loc="upper left", title="likeliest state", fontsize=9)
    return figure
