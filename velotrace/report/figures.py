"""The book's figures: curves from the model's own functions, everything else from the trace."""

from __future__ import annotations

from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from velotrace.attribution import Explanation
from velotrace.model import kinetics
from velotrace.model.distributions import log_normal, softplus
from velotrace.report import escape
from velotrace.report.symbols import TERM_WORDS, plain
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNSPLICED, SPLICED, CELL, PALE = "#0072b2", "#d55e00", "#222222", "#8a8a8a"
"""Colours that the colour-blind can tell apart; lines, marks or hatches differ as well."""


def use_svg() -> None:
    """Have a notebook draw figures as SVG, sharp at any size, the same text as the page."""
    import matplotlib as mpl

    import_module("matplotlib_inline.backend_inline").set_matplotlib_formats("svg")
    mpl.rcParams.update(
        {
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.hashsalt": "velotrace",
            "legend.frameon": False,
        }
    )


def _axes(columns: int, width: float, height: float) -> tuple[Figure, Any]:
    import matplotlib.pyplot as plt

    return plt.subplots(1, columns, figsize=(width, height), squeeze=False)


def course(trace: Trace, gene: str, points: int = 200) -> dict[str, tuple[np.ndarray, ...]]:
    """The predicted course of one gene: time, unspliced and spliced in induction and repression."""
    g = trace.coords["gene"].index(gene)
    names = ("alpha", "beta", "gamma", "switch_time", "u_switch", "s_switch")
    alpha, beta, gamma, t_s, u_0, s_0 = (trace.tape[name].value[g] for name in names)
    up = np.linspace(0.0, t_s, points)
    down = np.linspace(t_s, trace.resolved.iteration.constants.t_max, points)
    form = trace.resolved.iteration.reading.denominator
    rising = (
        kinetics.u_induction(alpha, beta, up),
        kinetics.s_induction(alpha, beta, gamma, up, form),
    )
    falling = (
        kinetics.u_repression(u_0, beta, down - t_s),
        kinetics.s_repression(u_0, s_0, beta, gamma, down - t_s, form),
    )
    return {"induction": (up, *rising), "repression": (down, *falling)}


def phase_portraits(trace: Trace) -> Figure:
    """Unspliced against spliced RNA of every gene: the predicted course and all measured cells."""
    genes, expression = trace.coords["gene"], trace.resolved.expression
    figure, axes = _axes(len(genes), 8.6, 3.4)
    for g, (panel, gene) in enumerate(zip(axes[0], genes, strict=True)):
        for (phase, (_, u, s)), line in zip(course(trace, gene).items(), ("-", "--"), strict=True):
            panel.plot(s, u, line, color=UNSPLICED, label=phase)
        panel.plot(expression.spliced[:, g], expression.unspliced[:, g], "o", color=CELL, ms=4,
                   label="cells")  # fmt: skip
        title = escape.figure(f"gene {gene}")
        panel.set(title=title, xlabel="spliced RNA", xlim=(-0.7, None), ylim=(-0.3, None))
    axes[0][0].set_ylabel("unspliced RNA")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def kinetic_curve(trace: Trace, cell: str, gene: str) -> Figure:
    """One gene over time with one cell in induction on it: predicted, and as measured."""
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    time = trace.tape["time_induction"].value[n, g]
    figure, axes = _axes(1, 7.4, 3.9)
    panel = axes[0][0]
    for at, (name, colour, mark) in enumerate(
        (("unspliced", UNSPLICED, "o"), ("spliced", SPLICED, "s")), start=1
    ):
        for phase, columns in course(trace, gene).items():
            line = "-" if name == "unspliced" else "--"
            label = name if phase == "induction" else None
            panel.plot(columns[0], columns[at], line, color=colour, label=label)
        predicted = trace.tape[("u_bar", "s_bar")[at - 1]].value[n, g, 0]
        measured = trace.tape[name].value[n, g]
        panel.plot(time, predicted, mark, color=colour, ms=8, label=f"{name}, predicted")
        panel.plot(time, measured, mark, color=colour, ms=8, mfc="white", label=f"{name}, measured")
        panel.plot([time, time], [measured, predicted], ":", color=colour, lw=1)
    panel.axvline(trace.tape["switch_time"].value[g], color=PALE, lw=1)
    panel.annotate("switch", (trace.tape["switch_time"].value[g], 0.03), (4, 0),
                   xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    title = escape.figure(f"{cell}, gene {gene}")
    panel.set(xlabel="time", ylabel="abundance", title=title)
    panel.legend(fontsize=9.5, loc="upper left")
    return figure


def density_and_log(trace: Trace, cell: str, gene: str) -> Figure:
    """The normal density and its logarithm, out to where the density is no longer a float64."""
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    k = int(trace.tape["state"].value[n, g]) - 1
    sigma = trace.tape["sigma_u"].value[g] * trace.resolved.iteration.constants.state_scale[k]
    apart = abs(trace.tape["unspliced"].value[n, g] - trace.tape["u_bar"].value[n, g, k]) / sigma
    away = np.linspace(0.0, 1.2 * apart, 400)
    log = log_normal(away * sigma, 0.0, sigma)
    here = trace.tape["log_density_u"].value[n, g, k]
    figure, axes = _axes(2, 8.6, 3.6)
    plain_density, panel = axes[0]
    density = np.exp(log)
    plain_density.plot(away[density > 0.0], density[density > 0.0], color=UNSPLICED)
    plain_density.axvspan(away[density == 0.0][0], away[-1], color=PALE, alpha=0.35, lw=0)
    plain_density.annotate(
        "exactly 0\nin float64",
        (away[-1], 0.5),
        (-2, 0),
        ha="right",
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
    )
    plain_density.set(yscale="log", ylabel="density (log axis)", title="the density stops")
    panel.plot(away, log, color=SPLICED)
    panel.plot(apart, here, "o", color=CELL)
    title = escape.figure(f"{cell}, gene {gene}")
    panel.annotate(title, (apart, here), (-8, -4), ha="right", textcoords="offset points")
    panel.set(ylabel="log density, nat", title="its logarithm goes on")
    for one in axes[0]:
        one.axvline(apart, color=CELL, lw=1, ls=":")
        one.set_xlabel("distance from the prediction, sd")
    return figure


def dirichlet_divergences(trace: Trace) -> Figure:
    """KL of π per cell and gene: as it is, and as the document's formula would have it."""
    terms = ("kl_pi_normaliser", "kl_pi_log_gamma", "kl_pi_digamma")
    normaliser, log_gamma, digamma = (trace.tape[name].value.ravel() for name in terms)
    right = trace.tape["kl_pi"].value.ravel()
    cells, genes = (map(escape.figure, trace.coords[dim]) for dim in ("cell", "gene"))
    labels = [f"{cell}\n{gene}" for cell, gene in product(cells, genes)]
    place = np.arange(len(labels))
    figure, axes = _axes(1, 7.4, 3.6)
    panel = axes[0][0]
    panel.bar(place - 0.2, right, 0.4, color=UNSPLICED, label="right formula")
    panel.bar(place + 0.2, digamma - normaliser - log_gamma, 0.4, color="white", edgecolor=SPLICED,
              hatch="///", label="document's formula")  # fmt: skip
    panel.axhline(0.0, color=CELL, lw=1)
    panel.set(xticks=place, xticklabels=labels, ylabel="nat")
    panel.legend(loc="lower right")
    return figure


def gradient_bars(made: Explanation) -> Figure:
    """One gradient by loss term: how far each term pulls, and which way."""
    places = [" ".join(filter(None, (term.cell, term.gene))) for term in made.terms]
    words = [
        escape.figure(f"{TERM_WORDS.get(t.term, t.term)}, {p}")
        for t, p in zip(made.terms, places, strict=True)
    ]
    figure, axes = _axes(1, 7.4, 0.42 * len(words) + 1.0)
    panel = axes[0][0]
    bars = panel.barh(words, [term.value for term in made.terms], color=UNSPLICED)
    panel.bar_label(bars, fmt="%.1f", padding=3)
    panel.margins(x=0.14)
    panel.axvline(0.0, color=CELL, lw=1)
    panel.invert_yaxis()
    panel.set(xlabel=f"share of ∂L/∂{plain(made.quantity)}")
    return figure


def free_values(trace: Trace, gene: str) -> Figure:
    """Softplus and its slope, with a gene's parameters where their free values stand."""
    g = trace.coords["gene"].index(gene)
    free = {name: float(trace.tape[name].value[g]) for name in trace.held}
    x = np.linspace(min(free.values()) - 2.0, max(free.values()) + 2.0, 400)
    figure, axes = _axes(2, 8.6, 3.6)
    of_value, of_slope = axes[0]
    of_value.plot(x, softplus(x), color=UNSPLICED)
    of_value.plot(x, x, color=PALE, ls="--", lw=1)
    of_value.set(
        ylim=(-0.5, 1.2 * softplus(x[-1])), ylabel="softplus", title="what the model reads"
    )
    of_slope.plot(x, expit(x), color=SPLICED)
    of_slope.set(ylabel="slope", title="share of the gradient handed on")
    for place, (name, value) in enumerate(sorted(free.items(), key=lambda item: item[1])):
        for panel, y in ((of_value, softplus(value)), (of_slope, expit(value))):
            panel.plot(value, y, "o", color=CELL, ms=4)
        of_value.annotate(
            plain(name),
            (value, softplus(value)),
            (0, 12 + 13 * (place % 2)),
            ha="center",
            textcoords="offset points",
        )
    for panel in axes[0]:
        panel.set_xlabel("free value")
    return figure
