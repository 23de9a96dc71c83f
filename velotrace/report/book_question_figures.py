"""Figures of the page of users' questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from velotrace.quantities import PARAMETERS
from velotrace.report import escape
from velotrace.report.figure_style import CELL, PALE, panels
from velotrace.report.training_figures import STATES, curve
from velotrace.studies.questions import Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def penalty_course(made: Fit) -> Figure:
    """The weight of the switch penalty over the epochs, and the penalty itself."""
    from matplotlib.ticker import LogLocator, NullLocator  # an extra, and only here needed

    history = made.trained.history
    penalty = history["switch_penalty"].mean("batch")
    low, middle, high = penalty.quantile([0.05, 0.5, 0.95], "seed").to_numpy()
    figure, ((left, right),) = panels(1, 2, 3.2)
    left.plot(history["epoch"], history["switch_weight"], color=STATES[0])
    left.set(xlabel="epoch", ylabel="weight λ", ylim=(0.0, None))
    right.fill_between(history["epoch"], low, high, color=STATES[2], alpha=0.25, lw=0)
    right.plot(history["epoch"], middle, color=STATES[2])
    right.set(xlabel="epoch", ylabel="penalty before its weight", yscale="log")
    right.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    right.yaxis.set_minor_locator(NullLocator())
    right.yaxis.set_major_formatter("{x:g}")
    return figure


def directions(made: Fit, gene: str, seeds: dict[str, int]) -> Figure:
    """The fitted course of one gene in some seeds, with each cell's arrow.

    Args:
        made: the fit.
        gene: which.
        seeds: places among the seeds, by the title of the panel.
    """
    figure, axes = panels(1, len(seeds), 3.9)
    for panel, (title, seed) in zip(axes[0], seeds.items(), strict=True):
        _portrait(panel, made, gene, seed)
        panel.set_title(escape.figure(title))
    axes[0][0].set_ylabel("unspliced")
    handles = axes[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3)
    return figure


def _portrait(panel: Axes, made: Fit, gene: str, seed: int) -> None:
    plan, found = made.trained.plan, made.results.isel(seed=seed).sel(gene=gene)
    g = list(made.results["gene"].to_numpy()).index(gene)
    theta = {name: float(made.theta[name][seed, g]) for name in PARAMETERS}
    up_u, up_s, down_u, down_s = curve(theta, plan)
    panel.plot(up_s, up_u, "-", color=STATES[0], label="induction")
    panel.plot(down_s, down_u, "--", color=STATES[2], label="repression")
    u, s = plan.unspliced[:, g], plan.spliced[:, g]
    right = 1.1 * max(down_s.max(), s.max())
    top = 1.1 * max(up_u.max(), u.max())
    slope = theta["gamma"] / theta["beta"]
    panel.plot([0.0, right], [0.0, slope * right], ":", color=PALE, label="velocity 0")
    panel.plot(s, u, "o", color=CELL, ms=5, label="measured")
    fitted = found["fitted_s"].to_numpy(), found["fitted_u"].to_numpy()
    panel.plot(*fitted, "o", color=CELL, mfc="white", ms=5, label="fitted")
    for x, y, rising in zip(*fitted, found["velocity"].to_numpy() > 0.0, strict=True):
        way = 0.12 * right if rising else -0.12 * right
        panel.annotate("", (x + way, y), (x, y), arrowprops={"arrowstyle": "->"}, zorder=1)
    panel.set(xlabel="spliced", xlim=(-0.05 * right, right), ylim=(0.0, top))
