"""Make names and tables fit a terminal of 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from rich.cells import cell_len

from velotrace.report.blocks import Table

WIDTH = 80
"""Columns of a terminal."""

NAMES = ("cell", "gene", "where most")
"""Headers of columns that hold names from people's files."""

LIMITS = (30, 24, 18, 14, 10)
"""Lengths that names are shortened to, the longest that fits; none is made shorter."""


def shortened(text: str, width: int) -> str:
    """Text of at most some width, its middle left out where it is longer.

    Example:
        >>> shortened("AAACCTGAGAAACCAT-1", 9)
        'AAAC…AT-1'
    """
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def short_names(names: Sequence[str], width: int) -> dict[str, str]:
    """Names of at most some width; those that would look alike are numbered.

    Example:
        >>> short_names(["sample one, cell 1", "sample two, cell 1", "B"], 12)
        {'sample one, cell 1': 'samp…l 1 (1)', 'sample two, cell 1': 'samp…l 1 (2)', 'B': 'B'}
    """
    distinct = list(dict.fromkeys(names))
    alike = Counter(shortened(name, width) for name in distinct)
    seen: Counter[str] = Counter()
    made = {}
    for name in distinct:
        short = shortened(name, width)
        if alike[short] > 1:
            seen[short] += 1
            number = f" ({seen[short]})"
            short = shortened(name, width - len(number)) + number
        made[name] = short
    return made


def fitted(table: Table, drawn: Callable[[Table], str]) -> str:
    """A table as text of at most 80 columns, where that can be.

    Names are shortened as far as needed; if that is not enough, the columns of numbers are dealt
    out to several tables one below the other, each with the labels.

    Args:
        table: of text.
        drawn: how to draw it.

    Returns:
        The text; wider where labels and one column of numbers do not fit.
    """
    text = drawn(table)
    if _fits(text):
        return text
    for limit in LIMITS:
        shorter = _with_short_names(table, limit)
        text = drawn(shorter)
        if _fits(text):
            return text
    numbers = len(table.headers) - table.labels
    if numbers < 2:
        return text
    half = table.labels + (numbers + 1) // 2
    return "\n\n".join(fitted(part, drawn) for part in _split(table, half))


def _fits(text: str) -> bool:
    return max(map(cell_len, text.split("\n"))) <= WIDTH


def _with_short_names(table: Table, limit: int) -> Table:
    columns = [list(column) for column in zip(*table.rows, strict=True)]
    for at, header in enumerate(table.headers[: table.labels]):
        if header in NAMES and columns:
            short = short_names(columns[at], limit)
            columns[at] = [short[name] for name in columns[at]]
    return replace(table, rows=[list(row) for row in zip(*columns, strict=True)])


def _split(table: Table, at: int) -> Iterator[Table]:
    """Two tables with the same labels, the numbers before and after a column."""
    for kept in (slice(table.labels, at), slice(at, None)):
        headers = table.headers[: table.labels] + table.headers[kept]
        rows = [row[: table.labels] + row[kept] for row in table.rows]
        yield replace(table, headers=headers, rows=rows)
