"""The book's links between equation, function and row of the trace, and formulas in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from velotrace.quantities import VOCABULARY, Quantity
from velotrace.report.atlas import Place, of_page, of_value
from velotrace.report.book_tables import markdown, shown
from velotrace.report.formula_breaks import WIDEST, aligned, broken, visible
from velotrace.report.steps import steps
from velotrace.report.worked import Worked
from velotrace.report.worked import worked as components
from velotrace.walkthrough import Trace

WIDE = 20
"""Visible characters from which on a symbol stands on a line of its own."""


def worked(trace: Trace, *names: str, cell: str = "Cell 1", gene: str = "A", **at: Any) -> str:
    r"""Named values as display formulas: symbol = formula = the same with numbers = value.

    Args:
        trace: that the numbers are of.
        names: of forward values that have a formula.
        cell: to follow.
        gene: to follow.
        at: further labels, such as state=1 or latent=1; without them the first component.

    Returns:
        Markdown, one formula for each name.

    Raises:
        ValueError: a name is none of the forward pass or has no formula, or no component has the
            labels.

    Example:
        >>> import velotrace
        >>> print(worked(velotrace.trace(), "time_induction"))
        $$
        \begin{aligned}
        t^{(1)} &= \rho^{(1)}\,t^s_g \\[4pt]
        &= 0.8\times 10 \\[4pt]
        &= 8
        \end{aligned}
        $$
    """
    made = {step.name: step for step in steps(trace) if step.phase == "forward"}
    parts = []
    for name in names:
        if name not in made:
            raise ValueError(f"{name} is no value of the forward pass")
        fitting = [one for one in components(trace, made[name], cell, gene) if _fits(one, at)]
        if not fitting or not fitting[0].latex:
            raise ValueError(f"{name} has no formula at {at or (cell, gene)}")
        parts.append(_sides(VOCABULARY[name], fitting[0]))
    return "\n\n".join(parts)


def _fits(one: Worked, at: dict[str, Any]) -> bool:
    return all(one.at[dim] == label for dim, label in at.items() if dim in one.at)


def _sides(quantity: Quantity, one: Worked) -> str:
    value = shown(one.value)
    if "×" in value:  # a power of ten, as a formula has it
        digits, _, power = f"{one.value:.6g}".partition("e")
        value = rf"{digits}\cdot 10^{{{int(power)}}}"
    symbol, value = quantity.symbol, value.replace("−", "-")
    alone = visible(symbol) > WIDE
    room = WIDEST - (0 if alone else visible(symbol))
    lines = [f"&{symbol}"] if alone else []
    for n, side in enumerate((one.latex, one.latex_numbers, value)):
        first, *more = broken(side, room)
        lines.append(f"{'' if alone or n else symbol} &= {first}".strip())
        lines.extend(rf"&\quad {{}}{line}" for line in more)
    return aligned(lines)


def where(page: str) -> str:
    """A page's equations, each with the functions that compute it and its rows of the trace.

    Args:
        page: its name without the ending, such as 'kinetics'.

    Returns:
        A Markdown table whose links lead to all three; each of them leads back here.

    Raises:
        ValueError: the page has no labelled equation.
    """
    if not of_page(page):
        raise ValueError(f"no page {page!r} has labelled equations")
    rows = [
        [
            f"{{eq}}`{place.label}`",
            place.what,
            _lines(_told_apart(place.functions)),
            ", ".join(map(row, place.values)),
        ]
        for place in of_page(page)
    ]
    return markdown(["equation", "gives", "computed by", "rows of the trace"], rows, 4)


def row(name: str) -> str:
    """A link to a named value in the index of named values."""
    return f"{{term}}`{name}`"


def function(name: str, words: int = 1) -> str:
    """A link to a function of the programming interface, by its name below `velotrace`.

    Args:
        name: such as 'model.kinetics.velocity'.
        words: how many of its last words are shown.

    Example:
        >>> function("model.kinetics.velocity", words=2)
        '{py:func}`kinetics.velocity <velotrace.model.kinetics.velocity>`'
    """
    return f"{{py:func}}`{'.'.join(name.split('.')[-words:])} <velotrace.{name}>`"


def _told_apart(names: Sequence[str]) -> list[str]:
    """Links to functions; those of one name with their modules, which tell them apart."""
    short = [name.rpartition(".")[2] for name in names]
    return [
        function(name) if short.count(own) == 1 else function(name, words=2)
        for name, own in zip(names, short, strict=True)
    ]


def _lines(pieces: Iterable[str]) -> str:
    return "<br>".join(pieces)


def index_of_values(trace: Trace, cell: str = "Cell 1", gene: str = "A") -> str:
    """Every named value as a MyST glossary: what it is, its numbers, and where it is from.

    Args:
        trace: that the numbers are of.
        cell: whose numbers are shown.
        gene: likewise.

    Returns:
        Markdown; the anchor of an entry is the value's name.
    """
    entries = (
        f"{q.name}\n  {_entry(trace, q, cell, gene)}"
        for q in VOCABULARY.values()
        if q.name in trace.tape.names or q.role == "held"
    )
    return "````{glossary}\n" + "\n\n".join(entries) + "\n````"


def _entry(trace: Trace, quantity: Quantity, cell: str, gene: str) -> str:
    dims = " × ".join(quantity.dims) or "one number"
    unit = "" if quantity.unit == "1" else f", {quantity.unit}"
    lines = [f"${quantity.symbol}$ ({dims}{unit}). {quantity.sentence}"]
    if quantity.name in trace.tape.names:
        lines.append(_numbers(trace, quantity, cell, gene))
        lines.extend(_neighbours(trace, quantity.name))
    lines.append(_places(quantity, of_value(quantity.name)))
    return "\n\n  ".join(lines)


def _numbers(trace: Trace, quantity: Quantity, cell: str, gene: str) -> str:
    at: dict[str, Any] = {"cell": cell, "gene": gene, "state": 1, "latent": 1}
    labels = {dim: at[dim] for dim in quantity.dims}
    value, adjoint = trace.value(quantity.name), trace.adjoint(quantity.name)
    here = ", ".join(str(to) if dim == "cell" else f"{dim} {to}" for dim, to in labels.items())
    found = shown(value.sel(labels).item())
    pulled = "no path" if adjoint is None else shown(adjoint.sel(labels).item())
    return f"{f'{here}: ' if here else ''}value {found}, adjoint {pulled}."


def _neighbours(trace: Trace, name: str) -> list[str]:
    known = [n for n in trace.tape.graph[name] if n in VOCABULARY]
    used = [n for n in trace.tape.users[name] if n in VOCABULARY]
    texts = (("Made from", known), ("Used by", used))
    return [f"{word} {', '.join(map(row, found))}." for word, found in texts if found]


def _places(quantity: Quantity, places: Sequence[Place]) -> str:
    equations = ", ".join(f"{{eq}}`{place.label}`" for place in places)
    pages = ", ".join(dict.fromkeys(f"{{doc}}`/{place.page}`" for place in places))
    theirs = "" if quantity.equation == "—" else f" (elsewhere {quantity.equation})"
    computing = [f for place in places if quantity.name in place.values for f in place.functions]
    computed = ", ".join(map(function, dict.fromkeys(computing)))
    what = "its adjoint and step" if quantity.role == "parameter" else "it"
    by = f" What computes {what}: {computed}." if computed else ""
    return f"In {equations}{theirs}; pages: {pages}.{by}"
