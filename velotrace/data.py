"""Read expression tables: unspliced and spliced RNA per cell and gene."""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from velotrace.errors import InputError

COLUMNS = ("cell", "gene", "unspliced", "spliced")

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""How a table writes a number; Python's float() would also read '1_0', 'inf' and other scripts."""


@dataclass(frozen=True)
class Expression:
    """Measured expression of all cells and genes.

    Attributes:
        cells: names, in order of first appearance.
        genes: names, in order of first appearance.
        unspliced: u, shape (cell, gene), abundance.
        spliced: s, shape (cell, gene), abundance.
    """

    cells: tuple[str, ...]
    genes: tuple[str, ...]
    unspliced: np.ndarray
    spliced: np.ndarray

    def rows(self, cells: Sequence[str]) -> list[int]:
        """Where these cells stand in the arrays."""
        place = {cell: row for row, cell in enumerate(self.cells)}
        return [place[cell] for cell in cells]

    def take(self, cells: Sequence[str]) -> Expression:
        """The same for some cells, in the order given."""
        rows = self.rows(cells)
        return Expression(tuple(cells), self.genes, self.unspliced[rows], self.spliced[rows])


@dataclass(frozen=True)
class HighestCells:
    """What the cells highest in unspliced RNA say about each gene.

    Attributes:
        unspliced: u*, their median unspliced, shape (gene,); also the start value of alpha.
        spliced: s*, the same cells' median spliced, shape (gene,).
        rows: which cells these are, the highest first, shape (how many, gene).
    """

    unspliced: np.ndarray
    spliced: np.ndarray
    rows: np.ndarray


def highest_cells(expression: Expression, count: int) -> HighestCells:
    """Median unspliced and spliced of the `count` cells highest in unspliced RNA, gene by gene.

    Document section 2a. Of cells with equal values the earlier one in the file counts as higher.

    Args:
        expression: all cells of the data.
        count: how many cells, from 1 to their number.

    Returns:
        The medians, and the cells.

    Example:
        >>> from velotrace.resources import data_path
        >>> upper = highest_cells(read_expression(data_path("toy.csv")), 2)
        >>> upper.unspliced.round(6).tolist(), upper.spliced.round(6).tolist()
        ([0.85, 0.75, 0.55], [0.15, 0.25, 0.45])
    """
    order = np.argsort(-expression.unspliced, axis=0, kind="stable")[:count]
    return HighestCells(
        np.median(np.take_along_axis(expression.unspliced, order, axis=0), axis=0),
        np.median(np.take_along_axis(expression.spliced, order, axis=0), axis=0),
        order,
    )


def read_expression(path: Path) -> Expression:
    """Read a CSV file with the columns cell, gene, unspliced, spliced; every pair once.

    Args:
        path: the file, UTF-8.

    Returns:
        The expression.

    Raises:
        InputError: the file cannot be read or holds something else, with the line at fault.
    """
    text = io.StringIO(read_text(path), newline="")
    rows = csv.reader(text, skipinitialspace=True, strict=True)
    pairs: dict[tuple[str, str], tuple[float, float]] = {}
    try:
        header = [name.strip() for name in next(rows, [])]
        _check_header(path, header)
        for row in rows:
            if any(field.strip() for field in row):
                _add_row(path, rows.line_num, header, row, pairs)
    except csv.Error as problem:
        raise InputError(f"{path}, line {rows.line_num}: not CSV: {problem}") from None
    if not pairs:
        raise InputError(f"{path}: no rows below the header; give one row for each cell and gene")
    return _assemble(path, pairs)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        InputError: it is missing, a directory, empty, or not UTF-8 text.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, not a file") from None
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    except ValueError as problem:  # a NUL in the name
        raise InputError(f"{str(path)!r}: cannot be read: {problem}") from None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: is UTF-16 text; save it as UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        found = f"byte 0x{raw[problem.start]:02x} in line {line}"
        raise InputError(f"{path}: {found} is not UTF-8 text; save it as UTF-8") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    if "\0" in text:
        raise InputError(f"{path}: holds NUL bytes, so it is binary or UTF-16; save it as UTF-8")
    return text


def closest(word: str, words: Iterable[str]) -> str:
    """A hint ' (did you mean …?)' where a known word is close, else nothing."""
    found = difflib.get_close_matches(word, list(words), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _check_header(path: Path, header: list[str]) -> None:
    right = "the header must be " + ",".join(COLUMNS)
    extra = [name for name in header if name not in COLUMNS]
    missing = [name for name in COLUMNS if name not in header]
    if extra:
        hint = closest(extra[0], missing)
        raise InputError(f"{path}, line 1: unknown column {extra[0]!r}{hint}; {right}")
    for name in header:
        if header.count(name) > 1:
            raise InputError(f"{path}, line 1: column {name!r} appears twice; {right}")
    if missing:
        given = ",".join(header)
        raise InputError(f"{path}, line 1: column {missing[0]!r} is missing in {given!r}; {right}")


def _add_row(
    path: Path,
    line: int,
    header: list[str],
    row: list[str],
    pairs: dict[tuple[str, str], tuple[float, float]],
) -> None:
    def fail(problem: str) -> NoReturn:
        raise InputError(f"{path}, line {line}: {problem}")

    if len(row) != len(header):
        fail(f"{len(row)} fields given, {len(header)} wanted ({','.join(header)})")
    fields = {name: value.strip() for name, value in zip(header, row, strict=True)}
    for name in ("cell", "gene"):
        if not fields[name]:
            fail(f"the {name} is empty; give its name")
    pair = (fields["cell"], fields["gene"])
    if pair in pairs:
        fail(f"cell {pair[0]!r}, gene {pair[1]!r} was given before; every pair must occur once")
    numbers = []
    for name in ("unspliced", "spliced"):
        number = float(fields[name]) if _NUMBER.fullmatch(fields[name]) else math.nan
        if not (math.isfinite(number) and number >= 0.0):
            fail(f"{name} is {fields[name]!r}; it must be a finite number, 0 or more")
        numbers.append(number + 0.0)  # -0 becomes 0
    pairs[pair] = (numbers[0], numbers[1])


def _assemble(path: Path, pairs: dict[tuple[str, str], tuple[float, float]]) -> Expression:
    cells = tuple(dict.fromkeys(cell for cell, _ in pairs))
    genes = tuple(dict.fromkeys(gene for _, gene in pairs))
    missing = [(c, g) for c in cells for g in genes if (c, g) not in pairs]
    if missing:
        cell, gene = missing[0]
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"{path}: no row for cell {cell!r}, gene {gene!r}{more}; every pair must occur once"
        )
    table = np.array([[pairs[cell, gene] for gene in genes] for cell in cells])
    return Expression(cells, genes, table[..., 0].copy(), table[..., 1].copy())
