"""What the sections of an iteration are made of: small tables of text, and how numbers look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from velotrace.quantities import VOCABULARY
from velotrace.report.tables import NO_PATH
from velotrace.walkthrough import Trace


@dataclass(frozen=True)
class Table:
    """A small table of text.

    Attributes:
        title: what it shows.
        headers: of its columns.
        rows: cells, as text.
        labels: how many leading columns are labels rather than numbers.
    """

    title: str
    headers: list[str]
    rows: list[list[str]]
    labels: int = 1


@dataclass(frozen=True)
class Section:
    """One section of the iteration.

    Attributes:
        key: short name, such as 'kinetics'.
        title: heading, with the document's section.
        phase: forward, backward or update.
        sentence: what happens here.
        tables: its tables.
        notes: findings in one sentence each, made of computed numbers.
    """

    key: str
    title: str
    phase: str
    sentence: str
    tables: list[Table]
    notes: list[str] = field(default_factory=list)


def number(value: float) -> str:
    """A number with six significant digits, as all tables show it.

    Example:
        >>> number(4.680703806), number(751.6092001), number(0.0)
        ('4.6807', '751.609', '0')
    """
    return f"{float(value) + 0.0:.6g}".replace("e+0", "e+").replace("e-0", "e-")


def power_of_ten(log: float) -> str:
    """A number given by its natural log, as a power of ten; it need not fit into a float.

    Example:
        >>> power_of_ten(-885.973)
        '10^-384.8'
    """
    return f"10^{log / np.log(10.0):.1f}"


# ---- tables of named values -----------------------------------------------------------------

Pick = Callable[[str], np.ndarray | None]


def values_table(trace: Trace, names: Sequence[str], title: str = "") -> Table:
    """Named values of equal dimensions side by side; a last dimension 'state' becomes columns."""
    return _table(trace, names, lambda name: trace.tape[name].value, title)


def adjoints_table(trace: Trace, names: Sequence[str], title: str = "") -> Table:
    """The same for their adjoints; 'no path' where there is none."""
    return _table(trace, names, lambda name: trace.tape[name].adjoint, title)


def _table(trace: Trace, names: Sequence[str], pick: Pick, title: str) -> Table:
    present = [name for name in names if name in trace.tape.names]
    dims = VOCABULARY[present[0]].dims
    if dims and dims[-1] == "state":
        return _state_table(trace, present, pick, title)
    shape = tuple(len(trace.coords[dim]) for dim in dims)
    arrays = [pick(name) for name in present]
    rows = []
    for index in np.ndindex(shape):
        at = [str(trace.coords[d][i]) for d, i in zip(dims, index, strict=True)]
        rows.append(at + [NO_PATH if a is None else _shown(a[index]) for a in arrays])
    return Table(title, [*dims, *present], rows, len(dims))


def _state_table(trace: Trace, names: Sequence[str], pick: Pick, title: str) -> Table:
    rows = []
    for name in names:
        array = pick(name)
        for n, cell in enumerate(trace.coords["cell"]):
            for g, gene in enumerate(trace.coords["gene"]):
                four = [NO_PATH] * 4 if array is None else [_shown(x) for x in array[n, g]]
                rows.append([name, str(cell), str(gene), *four])
    return Table(title, ["quantity", "cell", "gene", "k=1", "k=2", "k=3", "k=4"], rows, 3)


def _shown(value: Any) -> str:
    return str(int(value)) if np.issubdtype(np.asarray(value).dtype, np.integer) else number(value)
