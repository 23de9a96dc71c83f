"""Figures of what there is before the first step: the measurements, and the first values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from velotrace.model.networks import initial_limit
from velotrace.report import escape
from velotrace.report.figure_style import CELL, PALE, SPLICED, UNSPLICED, panels
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def measured_portraits(trace: Trace) -> Figure:
    """Unspliced against spliced RNA of every gene as measured: all cells, no model.

    Cells of the mini-batch are filled, the others open.
    """
    expression, batch = trace.resolved.expression, trace.coords["cell"]
    genes = expression.genes
    highest = 1.12 * max(expression.unspliced.max(), expression.spliced.max())
    figure, axes = panels(1, len(genes), 3.1, sharex=True, sharey=True)
    for g, (panel, gene) in enumerate(zip(axes[0], genes, strict=True)):
        panel.plot([0.0, highest], [0.0, highest], ":", color=PALE, lw=1)
        for n, cell in enumerate(expression.cells):
            place = (expression.spliced[n, g], expression.unspliced[n, g])
            face = CELL if cell in batch else "white"
            panel.plot(*place, "o", color=CELL, mfc=face, ms=6, zorder=3)
            panel.annotate(escape.figure(_short(cell)), place, (6, 4), textcoords="offset points")
        panel.set(title=escape.figure(f"gene {gene}"), xlabel="spliced RNA", aspect="equal",
                  xlim=(0.0, highest), ylim=(0.0, highest))  # fmt: skip
    axes[0][0].set_ylabel("unspliced RNA")
    return figure


def _short(cell: str) -> str:
    """A cell's name without the word, where it is one."""
    return cell.removeprefix("Cell ")


def highest_cells_figure(trace: Trace) -> Figure:
    """Unspliced and spliced RNA of all cells, gene by gene, and the medians u* and s*.

    The cells that give the medians, those highest in unspliced RNA, are filled.
    """
    expression = trace.resolved.expression
    highest = trace.resolved.highest.rows
    constants = trace.resolved.iteration.constants
    figure, axes = panels(1, 2, 3.1, sharey=True)
    for panel, name, medians, colour in (
        (axes[0][0], "unspliced", constants.u_star, UNSPLICED),
        (axes[0][1], "spliced", constants.s_star, SPLICED),
    ):
        values = getattr(expression, name)
        for g in range(len(expression.genes)):
            for n, value in enumerate(values[:, g]):
                face = colour if n in highest[:, g] else "white"
                panel.plot(g, value, "o", color=colour, mfc=face, ms=7, zorder=3)
                panel.annotate(escape.figure(_short(expression.cells[n])), (g, value), (8, -4),
                               textcoords="offset points", fontsize=9.5)  # fmt: skip
            panel.plot([g - 0.3, g + 0.3], [medians[g]] * 2, color=CELL, lw=2)
        star = "$u^*$" if name == "unspliced" else "$s^*$"
        names = [escape.figure(f"gene {gene}") for gene in expression.genes]
        panel.set_xticks(range(len(names)), names)
        panel.set(title=f"{name} RNA, lines: {star}", xlim=(-0.5, len(names) - 0.3))
    axes[0][0].set_ylabel("abundance")
    return figure


def first_weights(trace: Trace) -> Figure:
    """Every first weight as a tick on a line for its layer, between the ends of its rule."""
    architecture = trace.resolved.architecture
    layers = [
        (name, value) for name, value in leaves(trace.resolved.parameters) if name.endswith(".W")
    ]
    figure, axes = panels(1, 1, 0.7 + 0.36 * len(layers))
    panel = axes[0][0]
    for row, (_, weights) in enumerate(layers):
        _one_layer(panel, row, weights, initial_limit(architecture.initialiser, *weights.shape))
    names = [escape.figure(f"{name}, {' × '.join(map(str, w.shape))}") for name, w in layers]
    panel.axvline(0.0, color=PALE, lw=0.8, zorder=0)
    panel.set(yticks=range(len(layers)), yticklabels=names, xlabel="first weight")
    panel.invert_yaxis()
    panel.legend(loc="upper center", bbox_to_anchor=(0.4, 1.16), ncols=2, fontsize=9.5)
    return figure


def _one_layer(panel: Axes, row: int, weights: np.ndarray, limit: float) -> None:
    drawn = weights.ravel()
    panel.plot(drawn, np.full(drawn.size, row), "|", color=UNSPLICED, ms=11, mew=0.6,
               label=None if row else "a weight")  # fmt: skip
    panel.plot([-limit, limit], [row, row], "d", color=SPLICED, ms=6, zorder=3,
               label=None if row else "ends of the rule")  # fmt: skip
