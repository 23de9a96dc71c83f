"""Both divergences as areas, the Dirichlet on its simplex, and what doc (2) makes of it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaln, expit, logit
from scipy.stats import beta as beta_distribution
from scipy.stats import dirichlet

from velotrace.model import random
from velotrace.model.distributions import log_normal
from velotrace.report import escape
from velotrace.report.figure_style import CELL, SPLICED, UNSPLICED, areas, panels
from velotrace.studies.divergences import kl_normal_by_dimension
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# ---- a divergence as an area ----------------------------------------------------------------


@dataclass(frozen=True)
class Densities:
    """Two densities along one axis, and how much each place adds to KL(q ‖ p).

    Attributes:
        at: places, evenly spaced.
        posterior: q there.
        prior: p there.
        integrand: q log(q/p) there.
    """

    at: np.ndarray
    posterior: np.ndarray
    prior: np.ndarray
    integrand: np.ndarray

    @property
    def area(self) -> float:
        """∫ q log(q/p), by the trapezoidal rule over the places that are drawn; nat."""
        return float(np.trapezoid(self.integrand, self.at))


def _densities(at: np.ndarray, log_q: np.ndarray, log_p: np.ndarray) -> Densities:
    return Densities(at, np.exp(log_q), np.exp(log_p), np.exp(log_q) * (log_q - log_p))


REACH = 8.0
"""Standard deviations around a mean over which a normal's integrand is drawn and added up: what
lies beyond is below 1e-13 of it."""


def latent_densities(trace: Trace, cell: str, latent: int, points: int = 301) -> Densities:
    """q(z | u, s) and p(z) along one latent dimension.

    Args:
        trace: of one iteration.
        cell: its label.
        latent: 1 to the number of latent dimensions.
        points: how many places.

    Returns:
        The densities; the area is that dimension's part of KL_z.
    """
    n = trace.coords["cell"].index(cell)
    mean, log_var = (trace.tape[name].value[n, latent - 1] for name in ("mu_z", "log_var_z"))
    deviation = np.exp(0.5 * log_var)
    x = np.linspace(mean - REACH * deviation, mean + REACH * deviation, points)
    return _densities(x, log_normal(x, mean, deviation), log_normal(x, 0.0, 1.0))


def latent_divergences(trace: Trace, cell: str) -> np.ndarray:
    """What each latent dimension adds to KL_z of a cell, shape (latent,); they sum to it."""
    n = trace.coords["cell"].index(cell)
    return kl_normal_by_dimension(*(trace.tape[name].value[n] for name in ("mu_z", "log_var_z")))


def divergence_of_z(trace: Trace, cell: str) -> Figure:
    """KL of q(z | u, s) as an area: the dearest and the cheapest dimension, and a bar for each.

    With a diagonal Σ_z the divergence is a sum over the latent dimensions, and each summand is the
    area between its own q log(q/p) and zero, what lies below counted as negative.
    """
    parts = latent_divergences(trace, cell)
    dearest, cheapest = int(parts.argmax()), int(parts.argmin())
    shown = {dearest: "the dearest", cheapest: "the cheapest"} if len(parts) > 1 else {0: "all"}
    figure, axes = panels(3, len(shown), 7.2, height_ratios=(1.0, 1.0, 0.9))
    for column, (dimension, which) in enumerate(shown.items()):
        made = latent_densities(trace, cell, dimension + 1)
        _pair(axes[:2, column], made, f"dimension {dimension + 1}, {which}")
        middle, reach = made.at[len(made.at) // 2], 0.5 * (made.at[-1] - made.at[0])
        ends = (min(-4.0, middle - 0.5 * reach), max(4.0, middle + 0.5 * reach))
        for panel in axes[:2, column]:
            panel.set_xlim(ends)
        axes[1, column].set_xlabel(f"$z_{{{dimension + 1}}}$")
    _same_scale(axes)
    whole = _across(figure, axes)
    _latent_bars(whole, parts, shown)
    figure.suptitle(escape.figure(cell))
    return figure


def _pair(column: Sequence[Axes], made: Densities, title: str) -> None:
    """Two densities, and below them the integrand with its area."""
    above, below = column
    above.plot(made.at, made.posterior, color=UNSPLICED, label="posterior q")
    above.plot(made.at, made.prior, "--", color=SPLICED, label="prior p")
    above.set_title(title, fontsize=11)
    areas(below, made.at, made.integrand)
    below.set_title(f"area {made.area:.3g} nat".replace("-", "−"), fontsize=11)


def _same_scale(axes: Any) -> None:
    """The columns on one scale, named once."""
    for row, name in zip(axes[:2], ("density", "q log(q/p)"), strict=True):
        lowest = min(panel.get_ylim()[0] for panel in row)
        highest = max(panel.get_ylim()[1] for panel in row)
        for panel in row:
            panel.set_ylim(lowest, highest)
        row[0].set_ylabel(name)
        row[0].legend(fontsize=9.5)


def _across(figure: Figure, axes: Any) -> Axes:
    """One panel in place of the last row."""
    grid = axes[2, 0].get_gridspec()
    for panel in axes[2]:
        panel.remove()
    return figure.add_subplot(grid[2, :])


_LABELLED = 12
"""Bars that have room for their numbers."""


def _latent_bars(panel: Axes, parts: np.ndarray, shown: Container[int]) -> None:
    places = np.arange(1, len(parts) + 1)
    colours = [UNSPLICED if place - 1 in shown else "white" for place in places]
    bars = panel.bar(places, parts, color=colours, edgecolor=UNSPLICED, alpha=0.8)
    if len(parts) <= _LABELLED:
        panel.bar_label(bars, fmt="%.2g", padding=2, fontsize=9.5)
        panel.set_xticks(places)
    panel.margins(y=0.18)
    panel.set(xlabel="latent dimension", ylabel="nat")
    whole = f"$\\mathrm{{KL}}_z$ = {parts.sum():.4g} nat"
    panel.set_title(f"every dimension's share of {whole}", fontsize=11)


# ---- π: stick by stick ----------------------------------------------------------------------

TAIL = 1e-9
"""Of the posterior, left out at either end of a stick: its integrand is not drawn there."""


def stick_densities(trace: Trace, cell: str, gene: str, points: int = 401) -> list[Densities]:
    """q(π | z) and its prior, one break of the stick after the other.

    A Dirichlet breaks a stick: v_1 = π_1 off the whole, v_2 = π_2/(1 − π_1) off the rest, v_3 off
    what is left then. The v are independent, v_i ~ Beta(a_i, a_(i+1) + … + a_4), and they say all
    that π says, so the divergences of the v sum to KL_π exactly. Each is laid out over logit v: a
    change of the axis leaves an area as it is, and the densities stay finite at both ends.

    Args:
        trace: of one iteration.
        cell: its label.
        gene: its label.
        points: how many places.

    Returns:
        The densities of logit v for each of the three breaks.
    """
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    posterior = trace.tape["concentration"].value[n, g]
    prior = np.full(len(posterior), trace.resolved.iteration.constants.pi_prior)
    return [
        _break(posterior[i], posterior[i + 1 :].sum(), prior[i], prior[i + 1 :].sum(), points)
        for i in range(len(posterior) - 1)
    ]


def _break(a: float, b: float, a_prior: float, b_prior: float, points: int) -> Densities:
    low = beta_distribution.ppf(TAIL, a, b)
    high = beta_distribution.ppf(TAIL, b, a)  # of 1 − v, which does not cancel near 1
    y = np.linspace(np.log(low) - np.log1p(-low), np.log1p(-high) - np.log(high), points)
    log_of = (np.log(expit(y)), np.log(expit(-y)))
    log_q, log_p = (
        one * log_of[0] + other * log_of[1] - betaln(one, other)
        for one, other in ((a, b), (a_prior, b_prior))
    )
    return _densities(y, log_q, log_p)


_MARKS = (1e-6, 1e-4, 1e-2)
"""Where the axis of a stick is marked, as far from 1 as well; the outermost in sight is named."""

_PARTS = ("\\pi_1", "\\pi_2/(1-\\pi_1)", "\\pi_3/(\\pi_3+\\pi_4)")


def divergence_of_pi(trace: Trace, cell: str, gene: str) -> Figure:
    """KL of q(π | z) as three areas that sum to it: the stick broken at state 1, 2 and 3.

    The marginals of π will not do: their divergences do not sum to that of π, and even one of them
    is only a lower bound. The first area here is the marginal of π_1; the others are conditional.
    """
    sticks = stick_densities(trace, cell, gene)
    figure, axes = panels(2, len(sticks), 5.0, sharex=True, sharey="row")
    for column, (made, part) in enumerate(zip(sticks, _PARTS, strict=True)):
        _pair(axes[:, column], made, f"${part}$")
    reach = max(map(_reach, sticks))
    for panel in axes.flat:
        _logit_axis(panel, reach)
    for row, name in zip(axes, ("density on this axis", "q log(q/p)"), strict=True):
        row[0].set_ylabel(name)
        low, high = row[0].get_ylim()
        row[0].set_ylim(low, high + 0.35 * (high - low))
        row[0].legend(fontsize=9, loc="upper left")
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    said = _sum_words([made.area for made in sticks], float(trace.tape["kl_pi"].value[n, g]))
    figure.suptitle(escape.figure(f"{cell}, gene {gene}: {said} nat"))
    return figure


def _reach(made: Densities) -> float:
    """How far from the middle anything can be seen of an integrand."""
    seen = np.abs(made.integrand) > 0.003 * np.abs(made.integrand).max()
    return float(np.abs(made.at[seen]).max())


def _sum_words(parts: Sequence[float], whole: float) -> str:
    """A sum in words, with as many digits as it takes for the rounded parts to add up."""
    for digits in range(3, 8):
        rounded = [round(part, digits) for part in parts]
        if round(sum(rounded) - round(whole, digits), digits) == 0.0:
            break
    return " + ".join(f"{part:.{digits}f}" for part in parts) + f" = {whole:.{digits}f}"


def _logit_axis(panel: Axes, reach: float) -> None:
    """Marks at _MARKS; words at the outermost two and the middle, which have room."""
    marks = [(float(logit(x)), f"$10^{{{round(np.log10(x))}}}$") for x in _MARKS]
    at, word = next(((y, word) for y, word in marks if -y < 0.9 * reach), marks[-1])
    panel.set_xticks([at, 0.0, -at], [word, "½", f"1−{word}"])
    panel.set_xticks([side * y for y, _ in marks for side in (-1.0, 1.0)], minor=True)
    panel.set_xlim(-reach, reach)


# ---- the simplex ----------------------------------------------------------------------------

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3.0) / 2.0]])
"""Where π_1, π_2 and π_3 are one."""

DRAWN = 200
"""Draws on each triangle."""


def simplex_draws(concentration: float) -> np.ndarray:
    """Draws from the symmetric Dirichlet of three components, as the model draws π; (draw, 3)."""
    wanted = np.full((1, DRAWN, 3), concentration)
    return random.draw_pis([0], 0, wanted, purpose="simplex ")[0]


def simplex(concentrations: Sequence[float] = (0.25, 1.0, 4.0)) -> Figure:
    """The symmetric Dirichlet on a triangle: log density as shading, draws as points.

    Three components, because three fit on a page; the model's π has four.

    Args:
        concentrations: one triangle for each.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    pale = ListedColormap(colormaps["Blues"](np.linspace(0.02, 0.72, 64)))
    figure, axes = panels(1, len(concentrations), 3.4)
    inside = _inside(40)
    scale = [dirichlet.logpdf(inside.T, np.full(3, c)) for c in concentrations]
    levels = np.arange(np.floor(np.quantile(scale, 0.05)), np.ceil(np.quantile(scale, 0.995)), 0.5)
    for panel, concentration, log in zip(axes[0], concentrations, scale, strict=True):
        x, y = (inside @ CORNERS).T
        shades = panel.tricontourf(x, y, log, levels=levels, cmap=pale, extend="both")
        drawn = simplex_draws(concentration) @ CORNERS
        panel.plot(*drawn.T, "o", color=CELL, ms=2.4, mew=0, clip_on=False)
        _triangle(panel)
        panel.set_title(f"concentration {concentration:g}", fontsize=11)
    figure.colorbar(shades, ax=axes, label="log density, nat", location="bottom", aspect=40,
                    shrink=0.6, ticks=levels[::2])  # fmt: skip
    return figure


def _inside(steps: int) -> np.ndarray:
    """Points of a triangular grid that keeps off the edges, shape (point, 3)."""
    pairs = [(i, j) for i, j in product(range(steps), repeat=2) if i + j < steps]
    first, second = (np.array(pairs, dtype=np.float64).T + 1.0 / 3.0) / steps
    return np.stack([first, second, 1.0 - first - second], axis=1)


def _triangle(panel: Axes) -> None:
    panel.plot(*np.vstack([CORNERS, CORNERS[:1]]).T, color=CELL, lw=1)
    offsets = ((-4, -14), (4, -14), (0, 5))
    for number, (corner, offset) in enumerate(zip(CORNERS, offsets, strict=True)):
        panel.annotate(f"$\\pi_{number + 1}$", corner, offset, ha="center",
                       textcoords="offset points")  # fmt: skip
    panel.set(aspect="equal", xlim=(-0.08, 1.08), ylim=(-0.14, 1.0))
    panel.axis("off")


# ---- doc (2) --------------------------------------------------------------------------------


def dirichlet_divergences(trace: Trace) -> Figure:
    """KL of π per cell and gene: as it is, and as the document's formula would have it."""
    terms = ("kl_pi_normaliser", "kl_pi_log_gamma", "kl_pi_digamma")
    normaliser, log_gamma, digamma = (trace.tape[name].value.ravel() for name in terms)
    right = trace.tape["kl_pi"].value.ravel()
    cells, genes = (map(escape.figure, trace.coords[dim]) for dim in ("cell", "gene"))
    labels = [f"{cell}\n{gene}" for cell, gene in product(cells, genes)]
    place = np.arange(len(labels))
    figure, axes = panels(1, 1, 3.6)
    panel = axes[0][0]
    panel.bar(place - 0.2, right, 0.4, color=UNSPLICED, label="right formula")
    panel.bar(place + 0.2, digamma - normaliser - log_gamma, 0.4, color="white", edgecolor=SPLICED,
              hatch="///", label="document's formula")  # fmt: skip
    panel.axhline(0.0, color=CELL, lw=1)
    panel.set(xticks=place, xticklabels=labels, ylabel="nat")
    panel.legend(loc="lower right")
    return figure
