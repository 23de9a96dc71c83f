"""One finite difference looked at closely: its numbers, and its error against the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from velotrace.certificates.differences import STEPS
from velotrace.certificates.sweep import sweep
from velotrace.report.figure_style import CELL, SPLICED, UNSPLICED, panels, symbol
from velotrace.report.formula_breaks import aligned
from velotrace.report.worked_edges import fraction, in_latex
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def difference_in_numbers(trace: Trace, name: str, gene: str) -> str:
    """The quotient of one parameter as a display formula, at the best step of the certificates.

    Args:
        trace: of one iteration.
        name: of a parameter of genes.
        gene: its label.

    Returns:
        Markdown: D(h) with the four losses, its value, the tape's, and how far off it may be.
    """
    made = sweep(trace, name, gene, STEPS[1:])
    best = int(np.argmin(made.bound))
    far_down, down, up, far_up = (in_latex_long(one) for one in made.losses[:, best])
    step, quotient = float(made.steps[best]), float(made.quotient[best])
    lines = [
        rf"h &= {in_latex(step)}",
        rf"D(h) &= \frac{{8\,\left[{up}-{down}\right]}}{{12\,h}}",
        rf"&\quad -\frac{{\left[{far_up}-{far_down}\right]}}{{12\,h}}",
        f"&= {in_latex_long(quotient)}",
        rf"{fraction('loss', name)} &= {in_latex_long(made.slope)}",
        rf"\left|D(h)-{fraction('loss', name)}\right| &= {short(abs(quotient - made.slope))}"
        rf"\ \le\ {short(float(made.bound[best]))}",
    ]
    return aligned(lines)


def in_latex_long(value: float) -> str:
    """A number with as many digits as the difference needs.

    Example:
        >>> in_latex_long(12.3456789012), in_latex_long(2.0)
        ('12.345678901', '2')
    """
    return f"{value:.9f}".rstrip("0").rstrip(".")


def short(value: float) -> str:
    r"""Two digits and a power of ten.

    Example:
        >>> short(0.00031), short(2.0)
        ('3.1\\cdot 10^{-4}', '2')
    """
    digits, _, power = f"{value:.1e}".partition("e")
    return rf"{digits}\cdot 10^{{{int(power)}}}" if int(power) else f"{float(digits):g}"


def difference_errors(trace: Trace, name: str, gene: str) -> Figure:
    """How far a difference quotient is off against its step, and the bound on it.

    Args:
        trace: of one iteration.
        name: of a parameter of genes.
        gene: its label.
    """
    made = sweep(trace, name, gene)
    smallest = np.finfo(np.float64).tiny
    figure, ((panel,),) = panels(1, 1, 4.0)
    for quotient, style, colour, label in (
        (made.plain, "x--", SPLICED, "two points"),
        (made.quotient, "o-", UNSPLICED, "four points, D(h)"),
    ):
        error = np.maximum(np.abs(quotient - made.slope), smallest)
        panel.loglog(made.steps, error, style, color=colour, lw=1, ms=4.5, label=label)
    panel.loglog(made.steps, made.bound, ":", color=CELL, lw=1.8, label="bound on D(h)")
    panel.set(xlabel=f"step h, in units of {symbol(name)}", ylabel="error, nat per unit")
    tried = made.value * STEPS[1:]
    panel.axvspan(tried.min(), tried.max(), color=CELL, alpha=0.08, lw=0, label="steps tried")
    panel.legend(loc="lower left")
    return figure
