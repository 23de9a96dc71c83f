"""What training does, as figures: parameters, losses, curves, states, latent space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray

from velotrace.learning.results import prior_samples
from velotrace.learning.training import Plan, State
from velotrace.model import kinetics
from velotrace.quantities import PARAMETERS, VOCABULARY
from velotrace.report import escape
from velotrace.report.figure_style import WIDTH
from velotrace.report.training_tables import BAND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GENES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours that the colour-blind can tell apart; line styles differ as well."""
LINES = ("-", "--", "-.", ":")
STATES = ("#0072b2", "#56b4e9", "#d55e00", "#e69f00")
HATCHES = ("", "///", "\\\\\\", "...")
STATE_NAMES = ("1 induction", "2 its steady state", "3 repression", "4 its steady state")


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Made

    mpl.rcParams["svg.hashsalt"] = "velotrace"
    figure = Made(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.ravel():
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _legend_below(figure: Figure, ax: Axes, title: str | None = None) -> None:
    """A panel's legend for the whole figure, where it covers nothing."""
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, title=title, loc="outside lower center", ncols=len(names),
                  frameon=False)  # fmt: skip


POINTS = 250
"""Of a curve over epochs: more cannot be told apart."""


def _thinned(history: xarray.Dataset) -> xarray.Dataset:
    """At most `POINTS` epochs, evenly chosen, the first and the last among them."""
    count = history.sizes["epoch"]
    chosen = np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(int))
    return history.isel(epoch=chosen)


def evolution(history: xarray.Dataset) -> Figure:
    """Each parameter over the epochs, gene by gene: the median seed and the band of nine in ten."""
    history = _thinned(history)
    figure, axes = _figure(2, 3, WIDTH, 4.8)
    epochs = np.concatenate([[0], history["epoch"].to_numpy() + 1])
    for ax, name in zip(axes.ravel(), PARAMETERS, strict=True):
        for g, gene in enumerate(history["gene"].to_numpy()):
            start = history[f"{name}_start"].sel(gene=gene).to_numpy()
            after = history[name].sel(gene=gene).to_numpy()
            values = np.concatenate([start[None], after])
            low, middle, high = np.nanquantile(values, [BAND[0], 0.5, BAND[1]], axis=1)
            colour = GENES[g % len(GENES)]
            ax.fill_between(epochs, low, high, color=colour, alpha=0.2, lw=0)
            ax.plot(epochs, middle, LINES[g % len(LINES)], color=colour, label=escape.figure(gene))
        ax.set_title(f"${VOCABULARY[name].symbol}$")
        ax.set_xlabel("epochs done")
        ax.set_ylabel(VOCABULARY[name].unit)
    _legend_below(figure, axes[0, 0], title="gene")
    return figure


def losses(history: xarray.Dataset) -> Figure:
    """The loss and its terms over the epochs: mean over batches, the median seed and the band."""
    history = _thinned(history)
    figure, axes = _figure(1, 2, WIDTH, 3.2)
    terms = ("loss", "reconstruction", "kl_z", "kl_pi", "switch_penalty")
    for ax, shown in ((axes[0, 0], terms[:2]), (axes[0, 1], terms[2:])):
        for place, term in enumerate(shown):
            values = history[term].mean("batch")
            low, middle, high = values.quantile([BAND[0], 0.5, BAND[1]], "seed", skipna=True)
            colour = GENES[place]
            ax.fill_between(history["epoch"], low, high, color=colour, alpha=0.2, lw=0)
            ax.plot(history["epoch"], middle, LINES[place], color=colour, label=term)
        ax.set_yscale("symlog", linthresh=1.0)
        ax.set_xlabel("epoch")
        ax.set_ylabel("nat")
        ax.legend(frameon=False)
    return figure


RECENT = 5
"""The share of a training, one in so many epochs, over which a velocity is averaged: one epoch has
one draw of z and π, whose velocity may have the other sign."""


def phase_portraits(
    plan: Plan,
    history: xarray.Dataset,
    genes: Sequence[str],
    epochs: tuple[int, ...],
    seed: int = 0,
) -> Figure:
    """Data, fitted curve and each cell's velocity at several epochs, one row a gene.

    A velocity is the mean over the latest epochs, see `RECENT`.

    Args:
        plan: of the training.
        history: with the values of cells.
        genes: names.
        epochs: which, counted from 0, each one that the history has.
        seed: place of the run among the seeds.
    """
    figure, axes = _figure(len(genes), len(epochs), 1.8 * len(epochs), 1.9 * len(genes))
    for column, epoch in enumerate(epochs):
        at = history.sel(epoch=epoch).isel(seed=seed)
        lately = history.sel(epoch=slice(epoch - epoch // RECENT, epoch)).isel(seed=seed)
        at = at.assign(velocity=lately["velocity"].mean("epoch"))
        for row, gene in enumerate(genes):
            ax = axes[row, column]
            _portrait(ax, at.sel(gene=gene), plan, row)
            if row == 0:
                ax.set_title("after 1 epoch" if epoch == 0 else f"after {epoch + 1} epochs")
            ax.set_xlabel("spliced" if row == len(genes) - 1 else "")
            ax.set_ylabel(escape.figure(f"{gene}: unspliced") if column == 0 else "")
    _legend_below(figure, axes[0, 0])
    return figure


def _portrait(ax: Axes, at: xarray.Dataset, plan: Plan, gene: int) -> None:
    theta = {name: float(at[name]) for name in PARAMETERS}
    up_u, up_s, down_u, down_s = curve(theta, plan)
    ax.plot(up_s, up_u, "-", color=STATES[0], label="induction")
    ax.plot(down_s, down_u, "--", color=STATES[2], label="repression")
    u, s = plan.unspliced[:, gene], plan.spliced[:, gene]
    ax.plot(s, u, "o", color="black", ms=4, label="cells, with their velocity")
    reach = max(float(s.max()), float(u.max()), 1e-12)
    ds = np.asarray(at["velocity"], dtype=np.float64)
    beta, alpha = theta["beta"], theta["alpha"]
    du = np.where(ds >= 0.0, alpha - beta * u, -beta * u)  # of the branch that this velocity is on
    length = np.hypot(ds, du).max() or 1.0
    ax.quiver(s, u, ds, du, angles="xy", scale_units="xy", scale=length / (0.35 * reach),
              width=0.008, color="black", alpha=0.6)  # fmt: skip
    ax.set_xlim(0.0, 1.6 * reach)
    ax.set_ylim(0.0, 1.6 * reach)


def curve(theta: dict[str, float], plan: Plan, points: int = 100) -> tuple[np.ndarray, ...]:
    """ū and s̄ along induction, then along repression, of one gene."""
    reading, t_max = plan.reading, plan.constants.t_max
    alpha, beta, gamma, t_s = (theta[n] for n in ("alpha", "beta", "gamma", "switch_time"))
    up = np.linspace(0.0, t_s, points)
    form = reading.denominator
    rising = (
        kinetics.u_induction(alpha, beta, up),
        kinetics.s_induction(alpha, beta, gamma, up, form),
    )
    u_0, s_0 = rising[0][-1], rising[1][-1]
    if reading.repression_start == "steady-state":
        u_0, s_0 = alpha / beta, alpha / gamma
    since = np.linspace(0.0, t_max - t_s, points)
    falling = (
        kinetics.u_repression(u_0, beta, since),
        kinetics.s_repression(u_0, s_0, beta, gamma, since, form),
    )
    return (*rising, *falling)


def probabilities(results: dict[str, xarray.Dataset]) -> Figure:
    """Mean π of each cell and gene over draws and seeds, stacked; several runs side by side."""
    first = next(iter(results.values()))
    genes, cells = first["gene"].to_numpy(), first["cell"].to_numpy()
    width = max(2.5, 0.5 + 0.35 * len(cells))
    figure, axes = _figure(len(genes), len(results), width * len(results) + 2.2, 1.8 * len(genes))
    for column, (title, made) in enumerate(results.items()):
        pi = made["pi"].mean("seed")  # medians would not sum to one
        for row, gene in enumerate(genes):
            ax, bottom = axes[row, column], np.zeros(len(cells))
            for k in range(4):
                height = pi.sel(gene=gene).isel(state=k).to_numpy()
                ax.bar(range(len(cells)), height, bottom=bottom, color=STATES[k],
                       hatch=HATCHES[k], edgecolor="white", label=STATE_NAMES[k])  # fmt: skip
                bottom = bottom + height
            ax.set_ylabel(escape.figure(f"{gene}: π") if column == 0 else "")
            labels = [escape.figure(cell) for cell in cells] if len(cells) <= 8 else []
            labels = labels if row == len(genes) - 1 else []
            ax.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
            ax.set_ylim(0.0, 1.0)
            if row == 0:
                ax.set_title(title)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, title="state", loc="outside right upper", frameon=False)
    return figure


def latent_space(results: xarray.Dataset, seed: int = 0) -> Figure:
    """Cells by the two principal directions of μ_z, with the spread of q(z) along them."""
    figure, axes = _figure(1, 1, 5.0, 4.2)
    ax = axes[0, 0]
    mean = results["mu_z"].isel(seed=seed).to_numpy()
    variance = np.exp(results["log_var_z"].isel(seed=seed).to_numpy())
    _, _, directions = np.linalg.svd(mean - mean.mean(axis=0), full_matrices=False)
    two = directions[: min(2, len(directions))]
    two = np.vstack([two, np.zeros((2 - len(two), mean.shape[1]))])
    at, spread = mean @ two.T, np.sqrt(variance @ (two.T**2))
    ax.errorbar(at[:, 0], at[:, 1], xerr=spread[:, 0], yerr=spread[:, 1], fmt="o",
                color=GENES[0], ecolor="#8a8a8a", elinewidth=0.8)  # fmt: skip
    if len(mean) <= 12:
        for label, where in zip(results["cell"].to_numpy(), at, strict=True):
            ax.annotate(escape.figure(label), where, textcoords="offset points", xytext=(6, 6))
    ax.set_xlabel("first principal direction of μ_z")
    ax.set_ylabel("second")
    return figure


def prior_cells(
    plan: Plan, state: State, genes: Sequence[str], samples: int = 200, seed: int = 0
) -> Figure:
    """Cells that the model makes up: z from the prior through the decoders, beside the data."""
    made = prior_samples(plan, state, samples)
    figure, axes = _figure(1, len(genes), WIDTH / 3.0 * len(genes), 2.9)
    for g, gene in enumerate(genes):
        ax = axes[0, g]
        for k, mark in ((0, "."), (2, "x")):
            ax.plot(made["s_bar"][seed, :, g, k], made["u_bar"][seed, :, g, k], mark,
                    color=STATES[k], ms=4, label=STATE_NAMES[k])  # fmt: skip
        ax.plot(plan.spliced[:, g], plan.unspliced[:, g], "o", color="black", ms=4,
                label="data")  # fmt: skip
        ax.set_title(escape.figure(gene))
        ax.set_xlabel("spliced")
        ax.set_ylabel("unspliced" if g == 0 else "")
        ax.set_xlim(left=0.0)
        ax.set_ylim(bottom=0.0)
    _legend_below(figure, axes[0, 0])
    return figure
