"""One finite difference looked at closely: its numbers, and its error against the step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from velotrace.certificates.differences import STEPS, noise_of, stacked_shape
from velotrace.model.objective import loss
from velotrace.report.figure_style import CELL, SPLICED, UNSPLICED, panels, symbol
from velotrace.report.formula_breaks import aligned
from velotrace.report.worked_edges import fraction, in_latex
from velotrace.tape import Shift, evaluate
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 2.0 ** -np.arange(4.0, 40.0)
"""Steps relative to the component, from far too wide to far too narrow."""


@dataclass(frozen=True)
class Sweep:
    """Difference quotients of the loss by one component, at several steps.

    Attributes:
        value: the component.
        slope: the tape's adjoint.
        noise: δ, how far round-off may move the loss.
        steps: h.
        losses: at x − 2h, x − h, x + h and x + 2h, shape (place, step).
        plain: [L(x+h) − L(x−h)] / 2h.
        quotient: D(h), of all four.
        bound: on the error of D(h): |D(4h) − D(h)| + 18 δ / 12 h.
    """

    value: float
    slope: float
    noise: float
    steps: np.ndarray
    losses: np.ndarray
    plain: np.ndarray
    quotient: np.ndarray
    bound: np.ndarray


def sweep(trace: Trace, name: str, gene: str, relative: np.ndarray = WIDE) -> Sweep:
    """The certificates' difference quotient of one parameter, at steps of one's choice.

    Args:
        trace: of one iteration.
        name: of a parameter of genes.
        gene: its label.
        relative: steps as shares of the component.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> made = sweep(trace(), "beta", "A")
        >>> bool(np.all(np.abs(made.quotient - made.slope) <= made.bound))
        True
    """
    entry, g = trace.tape[name], trace.coords["gene"].index(gene)
    value, noise = float(entry.value[g]), noise_of(trace.tape)
    steps = relative * abs(value)
    losses = _losses(trace, name, g, np.array([-2.0, -1.0, 1.0, 2.0])[:, None] * steps)
    wide = _losses(trace, name, g, np.array([-8.0, -4.0, 4.0, 8.0])[:, None] * steps)
    quotient = _quotient(losses, steps)
    truncation = np.abs(_quotient(wide, 4.0 * steps) - quotient)
    plain = (losses[2] - losses[1]) / (2.0 * steps)
    bound = truncation + 1.5 * noise / steps
    slope = np.nan if entry.adjoint is None else float(entry.adjoint[g])
    return Sweep(value, slope, noise, steps, losses, plain, quotient, bound)


def _losses(trace: Trace, name: str, g: int, shifts: np.ndarray) -> np.ndarray:
    """The loss with one component shifted, for each shift."""
    size = trace.tape[name].value.size
    by = np.zeros((shifts.size, size))
    by[:, g] = shifts.ravel()
    change = {name: Shift(by.reshape(-1, *stacked_shape(name, (size,))))}
    function = partial(loss, iteration=trace.resolved.iteration)
    run = evaluate(function, trace.resolved.parameters, change)
    return np.asarray(run.value).reshape(shifts.shape)


def _quotient(losses: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """D(h) = (8 [L(x+h) − L(x−h)] − [L(x+2h) − L(x−2h)]) / 12h."""
    far_down, down, up, far_up = losses
    return np.asarray((8.0 * (up - down) - (far_up - far_down)) / (12.0 * steps))


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
    """A number with as many digits as the difference needs."""
    return f"{value:.9f}".rstrip("0")


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
