"""Gradients as figures: by loss term, by path, and what Adam makes of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from velotrace.attribution import Explanation
from velotrace.errors import InputError
from velotrace.report import escape
from velotrace.report.figure_style import (
    CELL,
    PALE,
    SPLICED,
    UNSPLICED,
    minus,
    panels,
    path_words,
    symbol,
)
from velotrace.report.symbols import TERM_WORDS
from velotrace.studies.adam import adam_history
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _term_words(made: Explanation) -> list[str]:
    places = [" ".join(filter(None, (term.cell, term.gene))) for term in made.terms]
    return [
        escape.figure(f"{TERM_WORDS.get(t.term, t.term)}, {p}")
        for t, p in zip(made.terms, places, strict=True)
    ]


def _gradient_words(made: Explanation) -> str:
    places = (f"{dim} {label}" for dim, label in made.coords.items() if label is not None)
    of = ", ".join(label.removeprefix("cell ") for label in places)
    return f"∂L/∂{symbol(made.quantity)}" + (escape.figure(f" of {of}") if of else "")


def gradient_bars(made: Explanation) -> Figure:
    """One gradient by loss term: how far each term pulls, and which way.

    Raises:
        InputError: there is no path to the loss, and so no gradient.
    """
    _total(made)
    words = _term_words(made)
    figure, axes = panels(1, 1, 0.42 * len(words) + 1.0)
    panel = axes[0][0]
    bars = panel.barh(words, [term.value for term in made.terms], color=UNSPLICED)
    panel.bar_label(bars, fmt=lambda value: minus(f"{value:.1f}"), padding=3)
    panel.margins(x=0.14)
    panel.axvline(0.0, color=CELL, lw=1)
    panel.invert_yaxis()
    panel.set(xlabel=f"share of {_gradient_words(made)}")
    return figure


def _total(made: Explanation) -> float:
    """The gradient itself, where there is one."""
    if made.total is None:
        raise InputError(f"{made.quantity} has no gradient to draw: {made.reason}")
    return made.total


# ---- waterfall ------------------------------------------------------------------------------

MOST_BARS = 9
"""Of a waterfall; what is smaller than these is one bar."""

_LAST = ("log_likelihood", "reconstruction", "switch_penalty", "loss")
"""What every path goes through in the end, and a label need not say."""


By = Literal["paths", "terms"]


def waterfall_parts(made: Explanation, by: By = "paths") -> list[tuple[str, float]]:
    """What a gradient is made of, as words and values that sum to it.

    Args:
        made: the gradient, taken apart.
        by: 'paths' or 'terms'.

    Returns:
        Largest first for paths, in the order of the loss for terms; the smallest in one.

    Raises:
        ValueError: `by` is neither.
    """
    if by not in get_args(By):
        raise ValueError(f"a gradient is taken apart by paths or by terms, not by {by!r}")
    if by == "terms":
        parts = list(zip(_term_words(made), (term.value for term in made.terms), strict=True))
    else:
        parts = [(_path_words(path.names), path.value) for path in made.paths]
    return gathered(parts)


def gathered(parts: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The largest parts in their order, and the others in one."""
    if len(parts) <= MOST_BARS + 1:
        return parts
    largest = sorted(range(len(parts)), key=lambda at: -abs(parts[at][1]))[:MOST_BARS]
    others = [value for at, (_, value) in enumerate(parts) if at not in largest]
    return [*(parts[at] for at in sorted(largest)), (f"{len(others)} others", math.fsum(others))]


def _path_words(names: tuple[str, ...]) -> str:
    inner = [name for name in names[1:] if name not in _LAST and not name.endswith(".h")]
    return path_words(inner or names[-1:])


def gradient_waterfall(made: Explanation, by: By = "paths") -> Figure:
    """One gradient as a waterfall: each path's share starts where the one before it ended.

    Args:
        made: of `velotrace.attribution.explain`.
        by: 'paths', or 'terms' for the terms of the loss.

    Raises:
        InputError: there is no path to the loss, and so no gradient.
    """
    total = _total(made)
    parts = waterfall_parts(made, by)
    values = np.array([value for _, value in parts])
    ends = np.cumsum(values)
    rows = len(parts) + 1
    figure, axes = panels(1, 1, 0.42 * rows + 1.0)
    panel = axes[0][0]
    place = np.arange(rows)
    lefts, widths = np.append(ends - values, 0.0), np.append(values, total)
    for at, (left, width) in enumerate(zip(lefts, widths, strict=True)):
        _floating(panel, at, left, width, whole=at == rows - 1)
    for at, end in enumerate(ends):
        panel.plot([end, end], [at - 0.32, at + 1.32], color=PALE, lw=0.8)
    panel.axvline(0.0, color=CELL, lw=1)
    panel.set(yticks=place, yticklabels=[*(word for word, _ in parts), "sum"])
    panel.set(xlabel=f"{_gradient_words(made)}, added up from the top")
    edges = [0.0, *ends]
    span = max(edges) - min(edges) or 1.0
    panel.set_xlim(min(edges) - 0.02 * span, max(edges) + 0.16 * span)
    panel.locator_params(axis="x", nbins=6)
    panel.invert_yaxis()
    return figure


def _floating(panel: Axes, at: int, left: float, width: float, whole: bool) -> None:
    """One bar; what pulls down is hatched, the sum is dark."""
    style: dict[str, Any] = {"color": CELL if whole else UNSPLICED}
    if width < 0.0 and not whole:
        style = {"facecolor": "white", "edgecolor": SPLICED, "hatch": "////"}
    panel.barh(at, width, 0.64, left=left, **style)
    sign = "" if whole else "+" if width >= 0.0 else ""
    panel.annotate(minus(f"{sign}{width:.5g}"), (max(left, left + width), at), (4, 0), va="center",
                   textcoords="offset points", fontsize=10)  # fmt: skip


# ---- Adam -----------------------------------------------------------------------------------


def adam_moments(trace: Trace, name: str, gene: str, steps: int = 50) -> Figure:
    """Adam's two moments over the first steps, corrected and not, and the step they make.

    Args:
        trace: whose scenario is trained.
        name: of a parameter, as the reading holds it.
        gene: its label.
        steps: how many.

    Raises:
        InputError: no such parameter or gene, or the optimiser keeps no moments.
    """
    made = adam_history(trace, name, gene, steps)
    at = np.arange(1, len(made["change"]) + 1)
    figure, axes = panels(3, 1, 7.4, sharex=True)
    first, second, change = axes[:, 0]
    first.plot(at, made["gradient"], "o", color=PALE, ms=3.5, label="gradient g")
    first.plot(at, made["first_moment"], "--", color=SPLICED, label="m, as kept")
    first.plot(at, made["first_moment_corrected"], color=UNSPLICED, label="m̂, corrected")
    first.axhline(0.0, color=CELL, lw=0.8)
    first.set_title("first moment: a running mean of the gradient", fontsize=11)
    second.plot(at, np.abs(made["gradient"]), "o", color=PALE, ms=3.5, label="|g|")
    second.plot(at, np.sqrt(made["second_moment"]), "--", color=SPLICED, label="√v, as kept")
    second.plot(at, np.sqrt(made["second_moment_corrected"]), color=UNSPLICED,
                label="√v̂, corrected")  # fmt: skip
    second.set_ylim(bottom=0.0)
    second.set_title("root of the second moment: a running size of the gradient", fontsize=11)
    optimiser = trace.resolved.optimiser
    rate, decays = optimiser.learning_rate, optimiser.name == "adamw" and optimiser.weight_decay
    change.plot(at, made["change"], color=CELL, marker=".", lw=1)
    for bound in (-rate, rate):
        change.axhline(bound, color=PALE, ls=":")
    change.annotate("learning rate", (at[-1], rate), (0, -4), ha="right", va="top",
                    textcoords="offset points", fontsize=9.5)  # fmt: skip
    change.set(ylim=(-1.35 * rate, 1.35 * rate), xlabel="step")
    decay = ", and weight decay" if decays else ""
    change.set_title(f"the step: −η m̂/√v̂{decay}", fontsize=11)
    for panel in (first, second):
        panel.set_ylabel(f"∂L/∂{symbol(name)}")
        panel.legend(fontsize=9.5)
    change.set_ylabel(f"change of {symbol(name)}")
    figure.suptitle(f"{symbol(name)} of gene {escape.figure(gene)}")
    return figure
