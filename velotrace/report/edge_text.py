"""The edges of an explanation as text: local derivative, numbers put in, upstream, product."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from velotrace.attribution import Edge, EdgeRow, Explanation
from velotrace.attribution.expressions import names_in
from velotrace.attribution.formulas import Formula
from velotrace.quantities import STATES, VOCABULARY
from velotrace.report import escape
from velotrace.report.formula_text import EPS_LEGEND, LEGEND, in_symbols, signed, with_numbers
from velotrace.report.symbols import plain
from velotrace.walkthrough import Trace

WIDTH = 80
MOST_LINES = 8
"""Lines of one edge that are printed; JSON has more."""


def edge_blocks(trace: Trace, made: Explanation) -> list[str]:
    """Blocks of text from the target to the loss; edges of one line each stand together."""
    blocks: list[str] = []
    for edge in made.edges:
        block = edge_block(trace, edge, made.quantity)
        if blocks and "\n" not in block and blocks[-1].startswith(_SHORT):
            blocks[-1] += "\n" + block
        else:
            blocks.append(block if "\n" in block else _SHORT + block)
    return [block.removeprefix(_SHORT) for block in blocks]


_SHORT = "\0"  # marks a block of single lines while blocks are put together


def edge_block(trace: Trace, edge: Edge, target: str) -> str:
    """One edge: where it leads, its formulas, and a line for each pair of components.

    Args:
        trace: that it is of.
        edge: with numbers.
        target: the value whose gradient is taken apart; what leaves it is summed up.

    Returns:
        Lines of at most 80 columns.
    """
    heading = f"{edge.of} → {edge.to}"
    lines = [_indented(jacobian(trace, edge.of, edge.to))] if edge.network else []
    for formula, groups in _by_formula(edge.rows):
        if formula is not None and names_in(formula.expression):
            lines.append(_indented(_statement(trace, edge, formula)))
        lines += [_line(rows) for rows in groups[:MOST_LINES]]
        rest = [row for rows in groups[MOST_LINES:] for row in rows]
        if rest:
            more = signed(math.fsum(row.product for row in rest))
            lines.append(_indented(f"and {len(rest)} more, summing to {more}"))
    if edge.left_out and not edge.network:
        lines.append(_indented(f"and {edge.left_out} more places with smaller upstream adjoints"))
    if edge.of == target and (len(edge.rows) != 1 or edge.left_out):
        lines.append(_indented(f"together {signed(edge.value)}"))
    if len(lines) == 1 and len(heading) + len(lines[0].strip()) + 2 <= WIDTH:
        return f"{heading}: {lines[0].strip()}"
    return "\n".join([heading, *lines])


def _indented(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="      ")


def _statement(trace: Trace, edge: Edge, formula: Formula) -> str:
    """'∂ū/∂α = (1 − e^(−β t1))/β in state 1; equation 3'."""
    state = f" in state {formula.state}" if formula.state else ""
    other = ", same state" if formula.same_state else ", other states"
    state += "" if formula.same_state is None else other
    number = _equation(trace, edge, formula)
    slope = f"∂{as_one(plain(edge.to))}/∂{as_one(plain(edge.of))}"
    return f"{slope} = {in_symbols(formula.expression)}{state}{number and f'; {number}'}"


def _equation(trace: Trace, edge: Edge, formula: Formula) -> str:
    """The equation of the value differentiated, where several are given the one that holds here."""
    equation = VOCABULARY[edge.to].equation
    by_state = equation.split(", ")
    if formula.state and len(by_state) == len(STATES):
        equation = by_state[formula.state - 1]
    elif edge.to == "log_likelihood":
        separate = trace.resolved.iteration.reading.likelihood == "separate-mixtures"
        equation = ", ".join(by_state[1:] if separate else by_state[:1])
    if equation == "—" or equation.startswith("doc"):
        return equation.strip("—")
    return f"equation{'s' if ',' in equation else ''} {equation}"


def as_one(symbol: str) -> str:
    """A symbol that reads as one in ∂…/∂…."""
    return f"[{symbol}]" if " " in symbol else symbol


def _by_formula(rows: Sequence[EdgeRow]) -> list[tuple[Formula | None, list[list[EdgeRow]]]]:
    """Rows by formula, and in each those together that read alike but for their labels."""
    formulas: dict[str, tuple[Formula | None, dict[Any, list[EdgeRow]]]] = {}
    for row in rows:
        _, groups = formulas.setdefault(_expression(row), (row.formula, {}))
        groups.setdefault((_numbers(row), row.local, row.upstream), []).append(row)
    return [(formula, list(groups.values())) for formula, groups in formulas.values()]


def _expression(row: EdgeRow) -> str:
    return "" if row.formula is None else row.formula.expression


def _numbers(row: EdgeRow) -> str:
    if row.formula is None:
        return ""
    given = {name: measured.value for name, measured in row.numbers.items()}
    return with_numbers(row.formula.expression, given)


def _line(rows: list[EdgeRow]) -> str:
    """'Cell 1/A/1: (1 − e^(−0.1 × 8))/0.1 = 5.50671; × 388.07 = 2136.99'."""
    row = rows[0]
    places = [escape.terminal(place) for place in map(_place, rows) if place]
    where = ", ".join(places[:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "")
    chain = " = ".join(dict.fromkeys(text for text in (_numbers(row), signed(row.local)) if text))
    slope = f"{where}: {chain};" if where else f"{chain};"
    sent = f"× {_upstream(row.upstream)} = {signed(row.product)}{', each' if rows[1:] else ''}"
    if len(slope) + len(sent) + 3 <= WIDTH:
        return f"  {slope} {sent}"
    return _indented(slope) + f"\n      {sent}"


def _upstream(value: float) -> str:
    text = signed(value)
    return f"({text})" if text.startswith("−") else text


def _place(row: EdgeRow) -> str:
    """Labels of the component that the edge leads to, or of where it starts if that has more."""
    to_at, of_at = dict(row.to_at), dict(row.of_at)
    if {"input", "output", "unit"} & set(of_at):
        return "/".join(str(label) for label in to_at.values())
    at = to_at if set(of_at) <= set(to_at) else {**of_at, **to_at}
    place = "/".join(str(label) for label in at.values())
    if "state" in to_at and "state" in of_at and to_at["state"] != of_at["state"]:
        return f"{place} by {of_at['state']}"
    return place


# ---- networks -------------------------------------------------------------------------------

_SLOPES: Mapping[str, tuple[str, str]] = {
    "tanh": ("tanh", "(1 − y_j²)"),
    "relu": ("relu", "(1 if y_j > 0, else 0)"),
    "logistic": ("logistic", "y_j (1 − y_j)"),
    "softplus": ("softplus", "(1 − e^(−y_j))"),
    "linear": ("", ""),
    "variance": ("v = softplus(·) + 10⁻⁴, y = log v, of", "(1 − e^(10⁻⁴ − v_j))/v_j"),
}


def _activation(trace: Trace, name: str) -> str:
    """What a network does after its last product with a matrix to give a named value."""
    if name in ("rho_induction", "rho_repression"):
        return "logistic"
    if name == "concentration":
        return "softplus"
    if name == "log_var_z" and trace.resolved.iteration.reading.latent_variance == "softplus":
        return "variance"
    if name in ("mu_z", "log_var_z"):
        return "linear"
    return trace.resolved.iteration.activation


def jacobian(trace: Trace, of: str, to: str) -> str:
    """Which Jacobian an edge inside a network is, in words and a formula."""
    sources = trace.tape.graph[to]
    weights = next((name for name in sources if name.endswith(".W")), "W")
    function, slope = _SLOPES[_activation(trace, to)]
    whole = f"{function}(x @ W + b)" if function else "x @ W + b"
    kind = of.rpartition(".")[2]
    local = {"W": ("∂y_j/∂W_ij", "x_i"), "b": ("∂y_j/∂b_j", "")}.get(kind, ("∂y_j/∂x_i", "W_ij"))
    product = " ".join(part for part in (local[1], slope) if part) or "1"
    shape = " × ".join(str(trace.tape[name].value.size) for name in (of, to))
    role = {"W": "W", "b": "b"}.get(kind, f"x, W = {weights}")
    return f"y = {whole} with {of} as {role}: {local[0]} = {product}; Jacobian {shape}"


# ---- legend ---------------------------------------------------------------------------------


def legend(trace: Trace, made: Explanation) -> str:
    """What the symbols mean that the printed formulas use beside the vocabulary's."""
    return legend_of(
        trace, {row.formula.expression for e in made.edges for row in e.rows if row.formula}
    )


def legend_of(trace: Trace, expressions: Iterable[str]) -> str:
    """The same for some expressions."""
    expressions = set(expressions)
    used = {name for expression in expressions for name in names_in(expression)}
    if any("Q" in expression for expression in expressions):
        used.add("Q")
    known = dict(LEGEND)
    if trace.resolved.iteration.reading.denominator == "eps":
        known["Q"] = EPS_LEGEND
    listed = dict.fromkeys(text for name, text in known.items() if name in used)
    return f"Here {'; '.join(listed)}." if listed else ""
