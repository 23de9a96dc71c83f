r"""Formulas of the forward pass's first pages with numbers put in, where no named value has one.

What `book.worked` is for the values of a trace, this is for what goes into them: the data, the
medians of the highest cells, the range of first weights, one hidden unit and one output.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from velotrace.model.networks import initial_limit
from velotrace.model.objective import encoder_input
from velotrace.report.formula_breaks import aligned, broken
from velotrace.walkthrough import Trace

DIGITS = 4
"""Of a weight or a unit: a sum of many of them has to fit a page."""


def between_extremes(trace: Trace, cell: str, gene: str) -> str:
    r"""Min–max scaling of one gene's unspliced RNA, with the numbers of a cell.

    Args:
        trace: of any scenario; all its cells count.
        cell: its label.
        gene: its label.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> print(between_extremes(trace(), "Cell 1", "A"))
        $$
        \begin{aligned}
        \frac{u-\min u}{\max u-\min u} &= \frac{0.8-0.1}{0.9-0.1} \\[4pt]
         &= 0.875
        \end{aligned}
        $$
    """
    expression = trace.resolved.expression
    column = expression.unspliced[:, expression.genes.index(gene)]
    value = column[expression.cells.index(cell)]
    low, high = column.min(), column.max()
    numbers = rf"\frac{{{value:g}-{low:g}}}{{{high:g}-{low:g}}}"
    scaled = f"{(value - low) / (high - low):.6g}"
    return _sides(r"\frac{u-\min u}{\max u-\min u}", numbers, scaled)


def median_of_highest(trace: Trace, gene: str) -> str:
    """The first α of a gene, which is u*, as the median of its highest cells; and s* of the same.

    Args:
        trace: of a scenario that takes two highest cells.
        gene: its label.

    Raises:
        ValueError: the medians are not of two cells, for which the formula is written.
    """
    expression, highest = trace.resolved.expression, trace.resolved.highest
    if len(highest.rows) != 2:
        raise ValueError(f"written for two highest cells; there are {len(highest.rows)} here")
    g = expression.genes.index(gene)
    u, s = (x[highest.rows[:, g], g] for x in (expression.unspliced, expression.spliced))
    return aligned(
        rf"{symbol} &= \operatorname{{median}}({x[0]:g},\, {x[1]:g}) = {made:.6g}"
        for symbol, x, made in (
            (rf"\alpha_{{{gene}1}} = u^*_{{{gene}}}", u, highest.unspliced[g]),
            (rf"s^*_{{{gene}}}", s, highest.spliced[g]),
        )
    )


def range_of_first_weights(trace: Trace, layer: str) -> str:
    r"""The end of the range that a layer's first weights are drawn from.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> print(range_of_first_weights(trace(), "encoder_z.0"))
        $$
        \begin{aligned}
        \ell &= \sqrt{\frac{6}{6+16}} \\[4pt]
         &= 0.522233
        \end{aligned}
        $$
    """
    inputs, outputs = trace.tape[f"{layer}.W"].value.shape
    initialiser = trace.resolved.architecture.initialiser
    limit = initial_limit(initialiser, inputs, outputs)
    ends = f"{inputs}+{outputs}" if initialiser == "glorot-uniform" else inputs
    return _sides(r"\ell", rf"\sqrt{{\frac{{6}}{{{ends}}}}}", f"{limit:.6g}")


def hidden_unit(trace: Trace, cell: str, unit: int = 1) -> str:
    """One unit of the encoder's first hidden layer: its inputs, weights and bias in numbers.

    Args:
        trace: of an encoder with a hidden layer.
        cell: its label.
        unit: from 1.
    """
    n, tape, iteration = trace.coords["cell"].index(cell), trace.tape, trace.resolved.iteration
    u, s = (tape[name].value[n] for name in ("unspliced", "spliced"))
    inputs = encoder_input(u, s, iteration.reading)
    activation = {"tanh": r"\tanh", "relu": r"\operatorname{relu}"}[iteration.activation]
    weights = tape["encoder_z.0.W"].value[:, unit - 1]
    inside = _products(inputs, weights, tape["encoder_z.0.b"].value[unit - 1])
    made = tape["encoder_z.0.h"].value[n, unit - 1]
    symbols = rf"{activation}\Bigl(\textstyle\sum_i x_i\,W_{{i,{unit}}}+b_{{{unit}}}\Bigr)"
    numbers = rf"{activation}\left({inside}\right)"
    return _sides(f"h_{{{unit}}}", symbols, numbers, f"{made:.6g}")


def latent_output(trace: Trace, cell: str, latent: int = 1) -> str:
    """One mean of z as the encoder's last layer makes it of the hidden units.

    Args:
        trace: of an encoder with one hidden layer.
        cell: its label.
        latent: from 1.
    """
    n, place, tape = trace.coords["cell"].index(cell), latent - 1, trace.tape
    hidden = tape["encoder_z.0.h"].value[n]
    weights, bias = tape["encoder_z.1.W"].value[:, place], tape["encoder_z.1.b"].value[place]
    some = _products(hidden, weights, bias, most=3)
    made = tape["mu_z"].value[n, place]
    symbols = rf"\sum_j h_j\,W_{{j,{latent}}}+b_{{{latent}}}"
    return _sides(rf"\mu_{{z,{latent}}}", symbols, some, f"{made:.6g}")


def _products(
    factors: Sequence[float] | np.ndarray, weights: np.ndarray, bias: float, most: int = 8
) -> str:
    """Σ factor × weight + bias; of more than `most` addends the first ones and the last."""
    pairs = list(zip(factors, weights, strict=True))
    terms = [rf"{_bracketed(x)}\times {_bracketed(w)}" for x, w in pairs]
    if len(terms) > most:
        terms = [*terms[: most - 1], r"\cdots", terms[-1]]
    return "+".join([*terms, _bracketed(bias)])


def _bracketed(x: float) -> str:
    text = f"{x:.{DIGITS}g}"
    return text if x >= 0.0 else rf"\left({text}\right)"


def _sides(symbol: str, *sides: str) -> str:
    lines: list[str] = []
    for side in sides:
        first, *more = broken(side)
        lines += [
            f"{'' if lines else symbol} &= {first}",
            *(rf"&\quad {{}}{line}" for line in more),
        ]
    return aligned(lines)
