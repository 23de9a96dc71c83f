"""What the book's pages use: numbers for sentences, tables, links, notation.

Pages compute no number of the model; they name what they want of a trace and these functions lay it
out. What only a notebook has (IPython, MyST-NB) is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from velotrace.quantities import VOCABULARY
from velotrace.report.book_links import index_of_values, where, worked
from velotrace.report.book_tables import (
    adjoint_table,
    certificate_tables,
    markdown,
    of_blocks,
    shown,
    step_table,
    symbol,
    typeset,
    value_table,
    with_symbols,
)
from velotrace.report.notebook_text import displayed, in_download
from velotrace.studies.divergences import kl_dirichlet, printed_kl_dirichlet
from velotrace.walkthrough import Trace

__all__ = [
    "adjoint_table",
    "at",
    "certificate_tables",
    "dirichlet_rows",
    "glue",
    "index_of_values",
    "markdown",
    "notation_table",
    "of_blocks",
    "pull",
    "show",
    "shown",
    "step_table",
    "symbol",
    "typeset",
    "value_table",
    "where",
    "with_symbols",
    "worked",
]

DASH = "—"

# ---- for a page's sentences -----------------------------------------------------------------


def at(trace: Trace, name: str, *labels: Any) -> float:
    """One value of a trace by its labels, such as `at(trace, "u_bar", "Cell 1", "A", 1)`."""
    return float(trace.tape[name].value[_index(trace, name, labels)])


def pull(trace: Trace, name: str, *labels: Any) -> float | None:
    """The adjoint of one value by its labels; None without a path."""
    adjoint = trace.tape[name].adjoint
    return None if adjoint is None else float(adjoint[_index(trace, name, labels)])


def _index(trace: Trace, name: str, labels: Sequence[Any]) -> tuple[int, ...]:
    dims = VOCABULARY[name].dims
    return tuple(trace.coords[dim].index(label) for dim, label in zip(dims, labels, strict=True))


def glue(digits: int = 6, **numbers: Any) -> None:
    """Make numbers available to the page's sentences: {glue:text}`name`.

    In a downloaded notebook they are in the sentences already, and nothing is done.
    """
    if in_download():
        return
    notebook = import_module("myst_nb")
    for name, value in numbers.items():
        notebook.glue(name, shown(value, digits), display=False)


def show(*parts: str) -> None:
    """Display Markdown; MyST-NB makes it part of the page."""
    notebook = import_module("IPython.display")
    notebook.display(notebook.Markdown(displayed("\n\n".join(parts))))


# ---- vocabulary -----------------------------------------------------------------------------


def notation_table(
    roles: Iterable[str] = ("data", "held", "parameter", "draw", "value", "term"),
    short: bool = False,
) -> str:
    """Every named value: symbol, name, dimensions, unit, equation, section of the document.

    Args:
        roles: which values.
        short: leave out dimensions and section, for values with wide symbols.
    """
    headers = ["symbol", "name", "dimensions", "unit", "equation", "section"]
    wanted = set(roles)
    rows = [
        [f"${q.symbol}$", f"`{q.name}`", ", ".join(q.dims) or DASH, q.unit, q.equation, q.section]
        for q in VOCABULARY.values()
        if q.role in wanted
    ]
    if short:
        kept = (0, 1, 3, 4)
        headers, rows = [headers[i] for i in kept], [[row[i] for i in kept] for row in rows]
    return markdown(headers, rows, len(headers))


# ---- the Dirichlet divergence ----------------------------------------------------------------


def dirichlet_rows(cases: Mapping[str, Sequence[float]], prior: float) -> list[list[Any]]:
    """The divergence of some Dirichlets from the symmetric prior: right, and as doc (2) has it.

    With the Gamma ratios of doc (2) upside down, its first two terms are minus the right ones.
    """
    rows = []
    for label, concentration in cases.items():
        q = np.array(concentration)
        both = (kl_dirichlet(q, prior), printed_kl_dirichlet(q, prior))
        rows.append([label, *(round(float(x), 12) + 0.0 for x in both)])  # no round-off for a zero
    return rows
