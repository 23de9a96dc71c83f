"""Figures of the pages on both divergences."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from velotrace.report.book_divergences import DRAWS, SEED, posterior_of_pi, posterior_of_z
from velotrace.report.figure_style import CELL, PALE, SPLICED, UNSPLICED, panels
from velotrace.report.training_figures import LINES, STATES
from velotrace.studies import divergences as routes
from velotrace.studies.evidence import kl_pi_over_z
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 60


def log_ratios(trace: Trace, cell: str) -> Figure:
    """log q(z) − log p(z) at draws of one cell's z: what the divergence is the mean of."""
    log_q, log_p = routes.drawn_logs(*posterior_of_z(trace, cell), DRAWS, SEED)
    ratios = np.sum(log_q - log_p, axis=-1)
    n = trace.coords["cell"].index(cell)
    figure, ((panel,),) = panels(1, 1, 3.4)
    step = (ratios.max() - ratios.min()) / BINS
    edges = step * np.arange(np.floor(ratios.min() / step), np.ceil(ratios.max() / step) + 1)
    for chosen, colour, hatch, label in (
        (ratios >= 0.0, UNSPLICED, "", "the posterior's density is the higher"),
        (ratios < 0.0, "white", "////", "the prior's is"),
    ):
        panel.hist(ratios[chosen], edges, color=colour, edgecolor=UNSPLICED, hatch=hatch, lw=0.6,
                   label=label)  # fmt: skip
    mean = trace.tape["kl_z"].value[n]
    panel.axvline(mean, color=SPLICED, lw=2, label="their mean, the divergence")
    panel.set(xlabel=r"$\log q(z) - \log p(z)$ at a draw, nat", ylabel="draws")
    panel.legend()
    return figure


def pulls_on_z(trace: Trace, cell: str) -> Figure:
    """One dimension's divergence against μ and against log Σ, with the cell's own on the curves."""
    mean, log_var = posterior_of_z(trace, cell)
    figure, ((left, right),) = panels(1, 2, 3.6)
    reach = max(1.6, 1.15 * float(np.abs([mean, log_var]).max()))
    x = np.linspace(-reach, reach, 200)
    left.plot(x, 0.5 * x**2, color=PALE)
    left.plot(mean, 0.5 * mean**2, "o", color=UNSPLICED, label="the cell's dimensions")
    left.set(xlabel=r"$\mu$", ylabel="nat, of the mean alone")

    of_variance = partial(routes.kl_normal_by_dimension, np.zeros(()))
    right.plot(x, of_variance(x), color=PALE)
    right.plot(log_var, of_variance(log_var), "o", color=UNSPLICED)
    right.plot(1.0, of_variance(np.array(1.0)), "s", color=SPLICED, ms=8,
               label=r"were $\log\Sigma$ the identity")  # fmt: skip
    right.set(xlabel=r"$\log\Sigma$", ylabel="nat, of the variance alone")
    top = 1.35 * max(line.get_ydata().max() for panel in (left, right) for line in panel.lines[:2])
    for panel in (left, right):
        panel.axvline(0.0, ymax=0.8, color=CELL, lw=1, ls=":")
        panel.legend(loc="upper center")
        panel.set_ylim(-0.03 * top, top)
    return figure


def tangent(trace: Trace, cell: str, gene: str) -> Figure:
    """KL_π as the gap between the log normaliser at the prior and its tangent at the posterior."""
    q, p = posterior_of_pi(trace, cell, gene)
    low, high = (min(far, 0.9 * room) for far, room in zip((0.5, 0.12), _room(q, p), strict=True))
    t = np.linspace(-low, 1.0 + high, 120)
    curve = [routes.log_normaliser(q + at * (p - q)) for at in t]
    start, slope = routes.log_normaliser(q), float((p - q) @ routes.mean_logs(q))
    there = routes.log_normaliser(p)
    figure, ((panel,),) = panels(1, 1, 3.8)
    panel.plot(t, curve, color=UNSPLICED, label=r"$\log B$ on the way")
    panel.plot(t, start + slope * t, "--", color=CELL, label="its tangent at the posterior")
    panel.plot([1.0, 1.0], [start + slope, there], color=SPLICED, lw=4, solid_capstyle="butt",
               label=r"the gap, $\mathrm{KL}_\pi$")  # fmt: skip
    panel.plot([0.0], [start], "o", color=CELL, ms=7)
    panel.plot([1.0], [there], "o", color=UNSPLICED, ms=7)
    panel.set(xticks=[0.0, 1.0], xticklabels=["posterior", "prior"], ylabel=r"$\log B(\alpha)$")
    panel.legend(loc="upper left")
    return figure


def _room(q: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """How far the line from q to p goes on at either end until a concentration is 0."""
    before = q[p > q] / (p - q)[p > q]
    beyond = p[q > p] / (q - p)[q > p]
    return before.min(initial=np.inf), beyond.min(initial=np.inf)


def descents(trace: Trace, cell: str, gene: str, rate: float = 0.05, steps: int = 100) -> Figure:
    """Where each formula alone takes the concentrations by gradient descent.

    Args:
        trace: where it starts.
        cell: whose concentrations.
        gene: likewise.
        rate: concentration per unit of gradient, which is in nat per concentration.
        steps: how many.
    """
    q, p = posterior_of_pi(trace, cell, gene)
    figure, (axes,) = panels(1, 2, 3.6)
    for panel, upside_down, title in (
        (axes[0], False, "the divergence"),
        (axes[1], True, "doc (2) as printed"),
    ):
        path = routes.descent(q, p[0], rate, steps, upside_down)
        for k, (colour, line) in enumerate(zip(STATES, LINES, strict=True)):
            panel.plot(path[:, k], line, color=colour, lw=2, label=f"state {k + 1}")
        panel.axhline(p[0], color=CELL, lw=1, ls=":", label="the prior's")
        panel.set(title=title, xlabel="step", ylim=(0.0, None))
    axes[0].set_ylabel("concentration")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def over_z(trace: Trace, cell: str, gene: str, draws: int) -> Figure:
    """KL_π of one cell and gene at many draws of z, at the iteration's own, and their mean.

    Args:
        trace: of the iteration.
        cell: whose divergence.
        gene: likewise.
        draws: of z.
    """
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    found, _ = kl_pi_over_z(trace.resolved, draws, SEED)
    here, own = found[:, n, g], trace.tape["kl_pi"].value[n, g]
    figure, ((panel,),) = panels(1, 1, 3.4)
    panel.hist(here, BINS, color=UNSPLICED, label="other draws of $z$")
    panel.axvline(here.mean(), color=CELL, lw=2, label="their mean")
    panel.axvline(own, color=SPLICED, lw=2, ls="--", label="this iteration's draw")
    panel.set(xlabel=r"$\mathrm{KL}_\pi$, nat", ylabel="draws", xlim=(0.0, None))
    panel.legend()
    return figure
