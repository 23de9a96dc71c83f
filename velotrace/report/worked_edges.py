"""Formulas with numbers put in: steps of the way back, and any formula of a page."""

from __future__ import annotations

import re
from typing import Any

from velotrace.attribution import EdgeRow
from velotrace.attribution.edges import edges_between
from velotrace.attribution.expressions import parsed
from velotrace.quantities import VOCABULARY
from velotrace.report.blocks import number
from velotrace.report.formula_breaks import aligned
from velotrace.report.formula_latex import latex
from velotrace.report.spelled import in_logs
from velotrace.selection import dims_of, select
from velotrace.walkthrough import Trace


def worked_edge(
    trace: Trace, of: str, to: str, cell: str = "Cell 1", gene: str = "A", **at: Any
) -> str:
    r"""One step of the chain rule with its numbers put in, as a display formula.

    Args:
        trace: that the numbers are of.
        of: name of the earlier value.
        to: name of the later one, computed from it outside a network.
        cell: to follow.
        gene: to follow.
        at: further labels, such as latent=1; without them the pair of components that carries
            most.

    Returns:
        Markdown: ∂to/∂of = formula = formula in numbers = value, and then what it sends back,
        upstream adjoint times that.

    Raises:
        ValueError: nothing flows along such an edge here, or it lies inside a network.

    Example:
        >>> import velotrace
        >>> print(worked_edge(velotrace.trace(), "rho_induction", "time_induction"))
        $$
        \begin{aligned}
        \frac{\partial t^{(1)}}{\partial \rho^{(1)}} &= t^s_g \\[4pt]
        &= 10 \\[4pt]
        \frac{\partial L}{\partial t^{(1)}}\cdot\frac{\partial t^{(1)}}{\partial \rho^{(1)}} &= 210.118\times 10 \\[4pt]
        &= 2101.18
        \end{aligned}
        $$
    """  # noqa: E501
    row = edge_row(trace, of, to, cell, gene, **at)
    assert row.formula is not None
    symbols = latex(in_logs(row.formula.expression))
    numbers = row_in_numbers(row)
    slope, up = fraction(to, of), fraction("loss", to)
    local, upstream = in_latex(row.local), in_latex(row.upstream)
    chain = dict.fromkeys((symbols, numbers, local))
    first, *rest = (f"&= {text}" for text in chain)
    product = f"{upstream}\\times {in_latex(row.local, bare=False)}"
    sent = [rf"{up}\cdot{slope} &= {product}", f"&= {in_latex(row.product)}"]
    lines = [f"{slope} {first}", *rest, *sent]
    return aligned(lines)


def edge_row(trace: Trace, of: str, to: str, cell: str, gene: str, **at: Any) -> EdgeRow:
    """One pair of components of an edge, with local derivative, upstream adjoint and product.

    Args:
        trace: of one iteration.
        of: name of the earlier value.
        to: name of the later one.
        cell: to follow.
        gene: to follow.
        at: further labels of either component.

    Raises:
        ValueError: nothing flows along such an edge here, or it lies inside a network.
    """
    wanted = {"cell": cell, "gene": gene, **at}
    chosen = {dim: label for dim, label in wanted.items() if dim in dims_of(trace, of)}
    edges = edges_between(trace, select(trace, of, **chosen), [(of, to)])
    rows = [row for edge in edges for row in edge.rows if row.formula and _fits(row, wanted)]
    if not rows:
        raise ValueError(f"nothing with a formula flows from {to} to {of} at {wanted}")
    return rows[0]


def row_in_numbers(row: EdgeRow) -> str:
    """The local derivative of a pair of components with its numbers put in, as LaTeX."""
    assert row.formula is not None
    return latex(
        parsed(row.formula.expression),
        lambda name, bare: in_latex(row.numbers[name].value, bare),
        r"\times ",
    )


def _fits(row: EdgeRow, wanted: dict[str, Any]) -> bool:
    labels = {**row.of_at, **row.to_at}
    return all(labels[dim] == label for dim, label in wanted.items() if dim in labels)


def fraction(above: str, below: str) -> str:
    r"""The symbol of a derivative.

    Example:
        >>> print(fraction("loss", "u_bar"))
        \frac{\partial L}{\partial \bar u}
    """
    top, bottom = ("L" if n == "loss" else VOCABULARY[n].symbol for n in (above, below))
    return rf"\frac{{\partial {top}}}{{\partial {bottom}}}"


def in_latex(value: float, bare: bool = True) -> str:
    r"""A number as LaTeX; with a minus sign or a power of ten in parentheses unless it is bare.

    Example:
        >>> in_latex(-0.5), in_latex(-0.5, bare=False), in_latex(2.5e-7), in_latex(1e-8)
        ('-0.5', '\\left(-0.5\\right)', '2.5\\cdot 10^{-7}', '10^{-8}')
    """
    digits, _, power = number(value).partition("e")
    text = rf"{digits}\cdot 10^{{{int(power)}}}".removeprefix(r"1\cdot ") if power else digits
    return text if bare or (value >= 0.0 and not power) else rf"\left({text}\right)"


def in_numbers(*lines: str, **numbers: float) -> str:
    r"""Lines of LaTeX as one display formula, each <name> in them replaced by its number.

    Args:
        lines: with & where they are aligned.
        numbers: by name.

    Returns:
        Markdown.

    Raises:
        KeyError: a name has no number.

    Example:
        >>> print(in_numbers(r"x &\leftarrow <x> - <eta>\times <g>", x=0.85, eta=0.01, g=-2.0))
        $$
        \begin{aligned}
        x &\leftarrow 0.85 - 0.01\times \left(-2\right)
        \end{aligned}
        $$
    """

    def number_of(found: re.Match[str]) -> str:
        before, name, power = found.groups(default="")
        value = float(numbers[name])
        bare = bool(before) or (value >= 0.0 and not power)
        return before + in_latex(value, bare) + power

    place = r"(= *|\\leftarrow *|\^\{)?<(\w+)>(\^)?"
    return aligned(re.sub(place, number_of, line) for line in lines)
