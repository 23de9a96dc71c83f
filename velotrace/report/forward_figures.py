"""Figures of the forward pass: where a cell may lie, its times, the switch, the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from velotrace.comparison import loss_terms
from velotrace.report import escape
from velotrace.report.figure_style import CELL, PALE, SPLICED, UNSPLICED, minus, panels
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# ---- the encoder ----------------------------------------------------------------------------


def posterior_and_prior(trace: Trace, cells: Sequence[str]) -> Figure:
    """q(z | u, s) of some cells, dimension by dimension, on the prior's band.

    A bar is the mean with one standard deviation to either side, a cross the draw z*.

    Args:
        trace: of one iteration.
        cells: one panel for each.
    """
    figure, axes = panels(len(cells), 1, 0.9 + 2.1 * len(cells), sharex=True, sharey=True)
    for panel, cell in zip(axes[:, 0], cells, strict=True):
        n = trace.coords["cell"].index(cell)
        mean, log_var, z = (trace.tape[name].value[n] for name in ("mu_z", "log_var_z", "z"))
        places = np.arange(1, len(mean) + 1)
        panel.axhspan(-1.0, 1.0, color=PALE, alpha=0.18, lw=0, label="prior, mean ± sd")
        panel.axhline(0.0, color=PALE, lw=1)
        panel.errorbar(places, mean, np.exp(0.5 * log_var), fmt="o", color=UNSPLICED, ms=5,
                       capsize=4, label="posterior, mean ± sd")  # fmt: skip
        panel.plot(places, z, "x", color=SPLICED, ms=8, mew=2, label="draw $z^*$")
        panel.set(title=escape.figure(cell), ylabel="$z$", xticks=places)
    axes[-1, 0].set_xlabel("latent dimension")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=9.5)
    return figure


# ---- times ----------------------------------------------------------------------------------


def times_on_their_axis(trace: Trace) -> Figure:
    """Both latent times of every cell and gene between 0 and t_max, with the switch.

    Filled is the time that the drawn state uses; where state 2 or 4 was drawn, neither is. Without
    drawn states all are open.
    """
    tape, genes, cells = trace.tape, trace.coords["gene"], trace.coords["cell"]
    end = trace.resolved.iteration.constants.t_max
    figure, axes = panels(1, 1, 1.3 + 0.36 * len(genes) * len(cells))
    panel = axes[0][0]
    rows = [(g, n) for g in range(len(genes)) for n in range(len(cells))]
    for row, (g, n) in enumerate(rows):
        switch = tape["switch_time"].value[g]
        panel.plot([0.0, switch], [row, row], color=UNSPLICED, lw=1.2)
        panel.plot([switch, end], [row, row], "--", color=SPLICED, lw=1.2)
        panel.plot([switch, switch], [row - 0.28, row + 0.28], color=CELL, lw=1.5)
        drawn = int(tape["state"].value[n, g]) if "state" in tape.names else 0
        _both_times(panel, row, (tape["time_induction"].value[n, g],
                                 tape["time_repression"].value[n, g]), drawn)  # fmt: skip
    words = [f"gene {genes[g]}, {cells[n]}" for g, n in rows]
    panel.set(yticks=range(len(rows)), yticklabels=map(escape.figure, words), xlabel="time",
              xlim=(0.0, end), ylim=(len(rows) - 0.4, -0.6))  # fmt: skip
    _legend_of_times(figure)
    return figure


def _both_times(panel: Axes, row: int, times: tuple[float, float], drawn: int) -> None:
    for time, state, mark, colour in (
        (times[0], 1, "o", UNSPLICED), (times[1], 3, "s", SPLICED),
    ):  # fmt: skip
        face = colour if state == drawn else "white"
        panel.plot(time, row, mark, color=colour, mfc=face, ms=8, zorder=3)
    if drawn in (2, 4):
        panel.annotate(f"state {drawn}: neither", (1.0, row), (6, -4), fontsize=9.5,
                       xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip


def _legend_of_times(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    looks = (
        ("if in induction", UNSPLICED, "o", "white", "-"),
        ("if in repression", SPLICED, "s", "white", "--"),
        ("used", CELL, "o", CELL, ""),
        ("switch", CELL, "|", CELL, ""),
    )
    marks = [
        Line2D([], [], color=colour, marker=mark, mfc=face, ls=line, lw=1.2, ms=8, label=label)
        for label, colour, mark, face, line in looks
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), fontsize=9.5)


# ---- the switch -----------------------------------------------------------------------------

_STARTS = ((SPLICED, "s", "--"), (UNSPLICED, "o", "-"))


def switch_places(starts: dict[str, Trace]) -> Figure:
    """Where repression starts and where the highest cells are, spliced across, unspliced up.

    Args:
        starts: at most two readings of the same data, with a word for each; a line joins each
            start with u*, s*, and its squared length is the penalty.
    """
    first = next(iter(starts.values()))
    genes, fixed = first.coords["gene"], first.resolved.iteration.constants
    figure, axes = panels(1, len(genes), 3.3, sharex=True, sharey=True)
    for g, (panel, gene) in enumerate(zip(axes[0], genes, strict=True)):
        star = (fixed.s_star[g], fixed.u_star[g])
        for (word, made), (colour, mark, line) in zip(starts.items(), _STARTS, strict=False):
            start = (made.tape["s_switch"].value[g], made.tape["u_switch"].value[g])
            panel.plot(*zip(star, start, strict=True), line, color=colour, lw=1.2)
            panel.plot(*start, mark, color=colour, ms=8, label=word)
            penalty = made.tape["switch_penalty"].value[g]
            panel.annotate(f"{penalty:.4g}", start, (0, 9), ha="center",
                           textcoords="offset points", fontsize=9.5)  # fmt: skip
        panel.plot(*star, "*", color=CELL, ms=12, label="$s^*, u^*$", zorder=3)
        panel.set(title=escape.figure(f"gene {gene}"), xlabel="spliced RNA")
        panel.margins(0.16)
    axes[0][0].set_ylabel("unspliced RNA")
    handles = axes[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=9.5)
    return figure


# ---- the loss -------------------------------------------------------------------------------

_TERMS = {
    "reconstruction": "reconstruction",
    "switch_penalty": "switch penalty",
    "kl_pi": "$\\mathrm{KL}_\\pi$",
    "kl_z": "$\\mathrm{KL}_z$",
}


def loss_bars(trace: Trace) -> Figure:
    """The terms of the loss as bars on one axis, and reconstruction by cell and gene."""
    terms = loss_terms(trace)
    cells, genes = trace.coords["cell"], trace.coords["gene"]
    log = trace.tape["log_likelihood"].value
    pairs = [(n, g) for n in range(len(cells)) for g in range(len(genes))]
    figure, axes = panels(2, 1, 2.4 + 0.32 * len(pairs), sharex=True,
                          height_ratios=(len(_TERMS), len(pairs)))  # fmt: skip
    _bars(axes[0, 0], list(_TERMS.values()), [terms[name] for name in _TERMS])
    axes[0, 0].set_title("terms of the loss", fontsize=11)
    words = [escape.figure(f"{cells[n]}, gene {genes[g]}") for n, g in pairs]
    _bars(axes[1, 0], words, [-float(log[n, g]) for n, g in pairs])
    axes[1, 0].set_title("reconstruction, taken apart", fontsize=11)
    axes[1, 0].set_xlabel("nat")
    return figure


def _bars(panel: Axes, words: Sequence[str], values: Sequence[float]) -> None:
    places = np.arange(len(words))
    bars = panel.barh(places, values, color=UNSPLICED, height=0.62)
    labels = [minus(f"{value:.3g}" if abs(value) < 100.0 else f"{value:.0f}") for value in values]
    panel.bar_label(bars, labels, padding=4, fontsize=9.5)
    panel.axvline(0.0, color=CELL, lw=1)
    panel.set(yticks=places, yticklabels=words)
    panel.invert_yaxis()
    panel.margins(x=0.12)
