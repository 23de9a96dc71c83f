"""A step with the numbers of one cell and gene put in: its formulas, and the edges into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from velotrace.attribution import Edge
from velotrace.attribution.definitions import Definition
from velotrace.attribution.edges import edges_between
from velotrace.attribution.surroundings import surroundings
from velotrace.report.blocks import number
from velotrace.report.formula_latex import latex
from velotrace.report.formula_text import in_symbols, shown, signed
from velotrace.report.spelled import DOTS, address, in_logs, spelled_out
from velotrace.report.steps import Step
from velotrace.selection import dims_of, labels_of, select
from velotrace.walkthrough import Trace


@dataclass(frozen=True)
class Worked:
    """One component of a step's value with the formula that gives it.

    Attributes:
        at: labels of the component by dimension.
        value: the component.
        formula: its formula in symbols, as plain text; empty for data, parameters and draws.
        numbers: the same with numbers put in.
        latex: the formula as LaTeX.
        latex_numbers: the same with numbers put in.
    """

    at: Mapping[str, Any]
    value: float
    formula: str = ""
    numbers: str = ""
    latex: str = ""
    latex_numbers: str = ""


def worked(trace: Trace, step: Step, cell: str, gene: str) -> tuple[Worked, ...]:
    """The components of a step's value at one cell and gene, with their formulas.

    Args:
        trace: that the step is of.
        step: either kind; a backward step has no formulas here, see `edges_at`.
        cell: to follow.
        gene: to follow.

    Returns:
        One entry for each component: one of a value with cell and gene, four of one with states
        as well, as many as latent dimensions or units of one that has those.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> from velotrace.report.steps import steps
        >>> made = trace()
        >>> u_bar = next(step for step in steps(made) if step.name == "u_bar")
        >>> first = worked(made, u_bar, "Cell 1", "A")[0]
        >>> print(first.formula, "=", first.numbers, "=", round(first.value, 4))
        α/β (1 − e^(−β t1)) = 0.85/0.1 × (1 − e^(−0.1 × 8)) = 4.6807
    """
    chosen = select(trace, step.name, **followed(step, cell, gene))
    made = []
    for index in chosen.indices:
        at = chosen.at(index)
        definition = _definition(step, at)
        value = step.value[index].item()
        texts = {} if definition is None else _texts(trace, definition, at)
        made.append(Worked(at, value, **texts))
    return tuple(made)


def followed(step: Step, cell: str, gene: str) -> dict[str, str]:
    """The coordinates of a step's value that a cell and gene to follow choose."""
    return {dim: label for dim, label in (("cell", cell), ("gene", gene)) if dim in step.dims}


def edges_at(trace: Trace, step: Step, cell: str, gene: str) -> tuple[Edge, ...]:
    """The edges of a backward step with numbers: upstream × local derivative, row by row.

    Args:
        trace: that the step is of.
        step: a backward step.
        cell: to follow.
        gene: to follow.

    Returns:
        One `attribution.Edge` for each of the step's, with the rows of this cell and gene; none
        for those along which nothing flows to it. Their values sum to the gradient there (summed
        over states, latent dimensions or units where the value has those).
    """
    chosen = select(trace, step.name, **followed(step, cell, gene))
    return edges_between(trace, chosen, [(step.name, edge.user) for edge in step.edges])


def _definition(step: Step, at: Mapping[str, Any]) -> Definition | None:
    fitting = (d for d in step.definitions if d.state in (None, at.get("state")))
    return next(fitting, None)


def _texts(trace: Trace, definition: Definition, at: Mapping[str, Any]) -> dict[str, str]:
    symbols = in_logs(definition.expression)
    sizes = {dim: len(labels) for dim, labels in trace.coords.items()}
    spelled = spelled_out(definition.expression, sizes)

    def text(name: str) -> str:
        return DOTS if name == DOTS else signed(number_at(trace, definition.name, name, at))

    def in_latex(name: str, bare: bool) -> str:
        if name == DOTS:
            return r"\cdots"
        value = number_at(trace, definition.name, name, at)
        digits, _, power = number(value).partition("e")
        text = rf"{digits}\cdot 10^{{{int(power)}}}" if power else digits
        return text if value >= 0.0 or (bare and not power) else rf"\left({text}\right)"

    return {
        "formula": in_symbols(symbols),
        "numbers": shown(spelled, text, " × "),
        "latex": latex(symbols),
        "latex_numbers": latex(spelled, in_latex, r"\times "),
    }


def number_at(trace: Trace, of: str, name: str, at: Mapping[str, Any]) -> float:
    """The number that a name in a definition stands for.

    Args:
        trace: of one iteration.
        of: the value that is defined.
        name: in the definition; it may carry indices, as `spelled_out` gives them.
        at: labels of the component that is computed; where it has no state and one was drawn,
            that state counts.

    Returns:
        The number.
    """
    name, indices = address(name)
    if name == "log_two_pi":
        return math.log(2.0 * math.pi)
    if name == "a":
        return float(preactivation(trace, of)[_index(trace, of, at)])
    labels = {**at, **{dim: trace.coords[dim][index] for dim, index in indices.items()}}
    if "state" not in labels and "state" in trace.tape.names and {"cell", "gene"} <= set(labels):
        drawn = trace.tape["state"].value[_index(trace, "state", labels)]
        labels["state"] = int(drawn)
    return surroundings(trace, [name], labels, labels)[name].value


def preactivation(trace: Trace, name: str) -> np.ndarray:
    """x @ W + b of the last layer before a named value, in the value's shape."""
    entries = trace.tape.entries
    entry = trace.tape[name]
    while entry.operation in _ELEMENTWISE:
        sources = [edge.source for edge in entry.inputs if edge.source is not None]
        if len(sources) != 1:  # the sum of x @ W and b
            break
        entry = entries[sources[0]]
    return entry.value


_ELEMENTWISE = ("tanh", "relu", "expit", "softplus", "log", "add")


def _index(trace: Trace, name: str, at: Mapping[str, Any]) -> tuple[int, ...]:
    dims, labels = dims_of(trace, name), labels_of(trace, name)
    return tuple(of.index(at[dim]) for dim, of in zip(dims, labels, strict=True))
