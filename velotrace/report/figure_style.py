"""What all figures of the book share: colours, width, how a notebook draws them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from velotrace.quantities import VOCABULARY
from velotrace.report import escape
from velotrace.report.symbols import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNSPLICED, SPLICED, CELL, PALE = "#0072b2", "#d55e00", "#222222", "#767676"
"""Colours that the colour-blind can tell apart; lines, marks or hatches differ as well."""

WIDTH = 7.2
"""Of `panels`, in inches: that of a page's text, so that letters are as large in both."""


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


def panels(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, Any]:
    """A figure as wide as a page's text, in panels; axes always of shape (row, column)."""
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False, **options)


def areas(panel: Axes, x: Any, y: Any) -> None:
    """Shade what lies between a curve and zero: plain where it counts up, hatched where down."""
    up, down = [value >= 0.0 for value in y], [value <= 0.0 for value in y]
    panel.fill_between(x, y, where=up, color=UNSPLICED, alpha=0.45, lw=0, interpolate=True,
                       label="counts up")  # fmt: skip
    panel.fill_between(x, y, where=down, facecolor="white", edgecolor=SPLICED, hatch="////", lw=0,
                       interpolate=True, label="counts down")  # fmt: skip
    panel.plot(x, y, color=CELL, lw=1)
    panel.axhline(0.0, color=CELL, lw=0.8)


def minus(text: str) -> str:
    """A number's text with the sign for minus, not a hyphen."""
    return text.replace("-", "−")


def symbol(name: str) -> str:
    r"""The plain symbol of a named value, its index set lower; a weight keeps its name.

    Example:
        >>> symbol("switch_time"), symbol("encoder_z.0.W")
        ('t$_{\\mathrm{s}}$', 'encoder_z.0.W')
    """
    if name not in VOCABULARY:
        return escape.figure(name)
    return re.sub(r"_(\w+)", r"$_{\\mathrm{\1}}$", plain(name))


def path_words(names: Iterable[str]) -> str:
    """Symbols with arrows between."""
    return " → ".join(map(symbol, names))
