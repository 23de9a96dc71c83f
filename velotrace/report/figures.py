"""The book's figures: curves from the model's own functions, everything else from the trace.

Those of one subject stand in a module of their own; pages find all of them here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from velotrace.model import kinetics
from velotrace.model.distributions import log_normal, softplus
from velotrace.report import escape
from velotrace.report.figure_style import (
    CELL,
    PALE,
    SPLICED,
    UNSPLICED,
    minus,
    panels,
    symbol,
    use_svg,
)
from velotrace.report.figures_divergence import (
    dirichlet_divergences,
    divergence_of_pi,
    divergence_of_z,
    simplex,
)
from velotrace.report.figures_gradient import adam_moments, gradient_bars, gradient_waterfall
from velotrace.report.figures_graph import named_graph
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "adam_moments",
    "course",
    "density_and_log",
    "dirichlet_divergences",
    "divergence_of_pi",
    "divergence_of_z",
    "free_values",
    "gradient_bars",
    "gradient_waterfall",
    "kinetic_curve",
    "named_graph",
    "phase_portraits",
    "simplex",
    "use_svg",
]


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
    figure, axes = panels(1, len(genes), 3.0)
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
    figure, axes = panels(1, 1, 3.9)
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
    """The normal density where a cell was measured: lost on a linear axis, in place on a log axis.

    The log axis is marked in powers of ten but holds logarithms, so that it goes on below the
    smallest float64, which the density itself cannot.
    """
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    k = int(trace.tape["state"].value[n, g]) - 1
    sigma = trace.tape["sigma_u"].value[g] * trace.resolved.iteration.constants.state_scale[k]
    apart = abs(trace.tape["unspliced"].value[n, g] - trace.tape["u_bar"].value[n, g, k]) / sigma
    away = np.linspace(0.0, 1.2 * apart, 400)
    log = log_normal(away * sigma, 0.0, sigma)
    here = trace.tape["log_density_u"].value[n, g, k]
    figure, axes = panels(1, 2, 3.5)
    linear, panel = axes[0]
    linear.plot(away, np.exp(log), color=UNSPLICED)
    linear.plot(apart, np.exp(here), "o", color=CELL, clip_on=False, zorder=3)
    title = escape.figure(f"{cell}, gene {gene}")
    linear.annotate(f"{title}\n{apart:.1f} sd away", (apart, np.exp(here)), (-4, 16), ha="right",
                    textcoords="offset points")  # fmt: skip
    linear.set(ylabel="density", title="linear axis")
    power = here / np.log(10.0)
    _log_axis(panel, away, log / np.log(10.0))
    panel.plot(apart, power, "o", color=CELL, zorder=3)
    panel.annotate(f"log density\n{minus(f'{here:.1f}')} nat", (apart, power), (-6, -52),
                   ha="right", textcoords="offset points")  # fmt: skip
    for one in axes[0]:
        one.axvline(apart, color=CELL, lw=1, ls=":")
        one.set_xlabel("distance from the prediction, sd")
    return figure


def _log_axis(panel: Axes, away: np.ndarray, powers: np.ndarray) -> None:
    """A density by its powers of ten, and from where on float64 has only 0 for it."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    smallest = np.log10(np.finfo(np.float64).smallest_subnormal)
    panel.plot(away, powers, color=SPLICED)
    lowest = min(1.05 * powers[-1], 1.1 * smallest)
    panel.axhspan(lowest, smallest, color=PALE, alpha=0.3, lw=0)
    panel.annotate("exactly 0 in float64", (away[0], smallest), (2, -8), va="top",
                   textcoords="offset points")  # fmt: skip
    panel.yaxis.set_major_locator(MultipleLocator(100.0))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"$10^{{{y:.0f}}}$"))
    panel.set(ylabel="density", title="log axis", ylim=(lowest, 20.0))


def free_values(trace: Trace, gene: str) -> Figure:
    """Softplus and its slope, with a gene's parameters where their free values stand."""
    g = trace.coords["gene"].index(gene)
    free = {name: float(trace.tape[name].value[g]) for name in trace.held}
    x = np.linspace(min(free.values()) - 2.0, max(free.values()) + 2.0, 400)
    figure, axes = panels(1, 2, 3.3)
    of_value, of_slope = axes[0]
    of_value.plot(x, softplus(x), color=UNSPLICED)
    of_value.plot(x, x, color=PALE, ls="--", lw=1)
    of_value.set(
        ylim=(-0.5, 1.2 * softplus(x[-1])), ylabel="softplus", title="what the model reads"
    )
    of_slope.plot(x, expit(x), color=SPLICED)
    of_slope.set(ylabel="slope", title="gradient handed on")
    for place, (value, names) in enumerate(sorted(_alike(free).items())):
        for panel, y in ((of_value, softplus(value)), (of_slope, expit(value))):
            panel.plot(value, y, "o", color=CELL, ms=4)
        of_value.annotate(
            ", ".join(map(symbol, names)),
            (value, softplus(value)),
            (0, 12 + 13 * (place % 2)),
            ha="center",
            textcoords="offset points",
        )
    for panel in axes[0]:
        panel.set_xlabel("free value")
    return figure


def _alike(values: Mapping[str, float]) -> dict[float, list[str]]:
    """The names of each value."""
    found: dict[float, list[str]] = {}
    for name, value in values.items():
        found.setdefault(value, []).append(name)
    return found
