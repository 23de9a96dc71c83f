"""What differs between two iterations, number by number, in value and in adjoint.

Either may be a trace, test vectors, a scenario file, or a folder that `trace -o` has written: each
becomes a long table, and rows of the same quantity and labels are compared.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from velotrace.data import read_text
from velotrace.errors import InputError
from velotrace.quantities import VOCABULARY
from velotrace.report.escape import from_csv_cell
from velotrace.report.tables import LONG_COLUMNS, long_table
from velotrace.report.vectors import read_vectors
from velotrace.walkthrough import Trace
from velotrace.walkthrough import trace as run

Source = Trace | Mapping[str, Any] | str | Path

_MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
_LABELS = ("cell", "gene", "state", "latent")
_NAMES = ("cell", "gene")
_PARTS = {"forward": "value", "backward": "adjoint"}


@dataclass(frozen=True)
class Change:
    """One array that differs.

    Attributes:
        part: 'value' or 'adjoint'.
        quantity: its name; weights as 'encoder_z.0.W'.
        at: where it differs most: labels with '/' between, or an index; empty for a scalar.
        before: the number there; None without a path.
        after: the other one; None without a path.
        relative: their difference relative to the largest component of both arrays.
        changed: how many components differ.
        components: out of how many that both have.
    """

    part: str
    quantity: str
    at: str
    before: float | None
    after: float | None
    relative: float
    changed: int
    components: int


@dataclass(frozen=True)
class Differences:
    """All that differs between two iterations.

    Attributes:
        changes: one for each array that differs, in the order of computation, forward then
            backward.
        notes: what only one of the two has, a sentence each.
        loss: before and after; None where there is none.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    loss: tuple[float | None, float | None]

    @property
    def largest_first(self) -> tuple[Change, ...]:
        """The changes by their relative size."""
        return tuple(sorted(self.changes, key=lambda change: -change.relative))


def diff(before: Source, after: Source, tolerance: float = 0.0) -> Differences:
    """Compare two iterations in every value and adjoint that both have.

    Args:
        before: a trace, test vectors, or the path of a scenario (.toml), of test vectors (.json),
            or of a folder written by `velotrace trace -o`.
        after: likewise.
        tolerance: largest difference that does not count, relative to the larger of the two
            arrays' largest components.

    Returns:
        The differences.

    Raises:
        InputError: a path holds none of these.

    Example:
        >>> import velotrace
        >>> walkthrough = velotrace.trace()
        >>> found = diff(walkthrough, velotrace.counterfactual(walkthrough, cut=["rho_induction"]))
        >>> {change.part for change in found.changes}  # a cut leaves all values as they are
        {'adjoint'}
    """
    first, second = _table(before), _table(after)
    both = _merged(first, second)
    changes, notes = [], _label_notes(first, second)
    only: dict[str, list[str]] = {"before": [], "after": []}
    shared = _values_of(first) & _values_of(second)  # a missing adjoint of these means 'no path'
    for (phase, name), group in both.groupby(["phase", "name"], sort=False):
        sides = {side: bool(group[f"in_{side}"].any()) for side in ("before", "after")}
        if phase == "forward" and not all(sides.values()):
            only["before" if sides["before"] else "after"].append(str(name))
        elif phase == "forward" or name in shared:
            change = _change(_PARTS[str(phase)], str(name), group, sides, tolerance)
            changes += [change] if change else []
    notes += [f"Only in the one {side}: {', '.join(n)}." for side, n in only.items() if n]
    return Differences(tuple(changes), tuple(notes), (_loss(first), _loss(second)))


def _values_of(table: pd.DataFrame) -> set[str]:
    """Names whose values a table has."""
    return set(table.loc[table["phase"] == "forward", "name"])


def _loss(table: pd.DataFrame) -> float | None:
    rows = table[(table["phase"] == "forward") & (table["name"] == "loss")]
    return float(rows["value"].iloc[0]) if len(rows) else None


def _change(
    part: str, name: str, group: pd.DataFrame, sides: Mapping[str, bool], tolerance: float
) -> Change | None:
    """The difference of one array; None if there is none.

    Where both overflow alike, to inf or nan, nothing differs; where only one does, all does.
    """
    if not all(sides.values()):
        return _path_change(part, name, group, sides)
    shared = group[group["in_before"] & group["in_after"]]
    if not len(shared):
        return None
    a, b = shared["before"].to_numpy(float), shared["after"].to_numpy(float)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    both = np.abs([a, b])
    size = float(np.max(both, where=np.isfinite(both), initial=0.0))
    apart = np.full(a.shape, np.inf)
    np.abs(a - b, out=apart, where=np.isfinite(a) & np.isfinite(b))
    apart[same] = 0.0
    differs = apart > tolerance * size
    if not differs.any():
        return None
    most = int(np.argmax(apart))
    relative = float(apart[most] / size) if size else float("inf")
    where, count = shared["at"].iloc[most], int(differs.sum())
    return Change(part, name, where, float(a[most]), float(b[most]), relative, count, len(shared))


def _path_change(
    part: str, name: str, group: pd.DataFrame, sides: Mapping[str, bool]
) -> Change | None:
    """An adjoint that only one of the two has: a path appears or goes."""
    side = "before" if sides["before"] else "after"
    values = group[side].to_numpy(float)
    if name not in VOCABULARY and not values.any():
        return None  # test vectors write 0 for a weight without a path
    most = int(np.argmax(np.abs(values)))
    number = float(values[most])
    before, after = (number, None) if side == "before" else (None, number)
    at, count = group["at"].iloc[most], int(np.count_nonzero(values))
    return Change(part, name, at, before, after, 1.0, count, len(values))


def _label_notes(first: pd.DataFrame, second: pd.DataFrame) -> list[str]:
    """Cells, genes and latent dimensions that only one of the two has."""
    notes = []
    for dim in _LABELS:
        labels = [list(dict.fromkeys(t[dim].dropna().astype(str))) for t in (first, second)]
        for side, mine, other in (("before", *labels), ("after", *labels[::-1])):
            alone = [label for label in mine if label not in other]
            if alone:
                notes.append(f"Only in the one {side}: {dim} {', '.join(alone)}.")
    return notes


# ---- long tables ----------------------------------------------------------------------------


def _merged(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Both tables side by side, in the order of the first, then what only the second has."""
    keys = ["phase", "name", "at"]
    both = first[[*keys, "value"]].merge(
        second[[*keys, "value"]],
        on=keys,
        how="outer",
        suffixes=("_before", "_after"),
        sort=False,
        indicator=True,
    )
    both = both.rename(columns={"value_before": "before", "value_after": "after"})
    both["in_before"] = both["_merge"] != "right_only"
    both["in_after"] = both["_merge"] != "left_only"
    order: dict[tuple[str, str], int] = {}
    for table in (first, second):
        for key in zip(table["phase"], table["name"], strict=True):
            order.setdefault(key, len(order))
    forward = both["phase"].map({"forward": 0, "backward": 1})
    both["rank"] = [order[key] for key in zip(both["phase"], both["name"], strict=True)]
    return both.assign(forward=forward).sort_values(["forward", "rank"], kind="stable")


def _table(source: Source) -> pd.DataFrame:
    """The long table of a source, with 'name' (without an index) and 'at' (labels or index)."""
    found = _read(Path(source)) if isinstance(source, (str, Path)) else source
    if isinstance(found, Trace):
        table = long_table(found)
    else:
        table = found if isinstance(found, pd.DataFrame) else _of_vectors(found)
    table = table[table["phase"].isin(_PARTS)].reset_index(drop=True)
    table = table.assign(**{d: table[d].astype("Int64") for d in ("state", "latent")})
    names = table["quantity"].astype(str).str.partition("[")
    index = names[1] + names[2]
    labels = table[list(_LABELS)].astype(object).to_numpy()
    places = ["/".join(str(label) for label in row if not pd.isna(label)) for row in labels]
    return table.assign(name=names[0], at=np.where(index != "", index, places))


def _read(path: Path) -> Any:
    """What a path holds: a trace, test vectors, or a long table."""
    if path.is_dir():
        return _read_folder(path)
    if path.suffix == ".json":
        return read_vectors(path)
    return run(path)


def _read_folder(path: Path) -> pd.DataFrame:
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        "csv": _read_csv,
        "json": _read_json,
        "parquet": pd.read_parquet,
    }
    for suffix, read in readers.items():
        file = path / f"trace.{suffix}"
        if file.exists():
            try:
                table = read(file)[list(LONG_COLUMNS)]
                return table.assign(
                    value=[float(x) for x in table["value"]],
                    **{d: pd.to_numeric(table[d]).astype("Int64") for d in ("state", "latent")},
                )
            except (*_MALFORMED, csv.Error, RecursionError, ImportError) as problem:
                raise InputError(f"{file}: not a table of velotrace trace -o: {problem}") from None
    raise InputError(f"{path}: holds no trace.csv, .json or .parquet; write it with trace -o")


def _read_csv(file: Path) -> pd.DataFrame:
    """By Python's own float(), so that numbers read back bit for bit; an empty field is missing."""
    rows = csv.reader(io.StringIO(read_text(file)))
    header = next(rows)
    table = pd.DataFrame([[field or None for field in row] for row in rows], columns=header)
    names = {column: table[column].map(from_csv_cell, na_action="ignore") for column in _NAMES}
    return table.assign(**names)


def _read_json(file: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads(read_text(file)))


def _of_vectors(vectors: Mapping[str, Any]) -> pd.DataFrame:
    try:
        return pd.DataFrame(list(_rows(vectors)), columns=list(LONG_COLUMNS))
    except _MALFORMED as problem:
        raise InputError(f"test vectors of another shape than the schema's: {problem!r}") from None


def _rows(vectors: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a long table from test vectors, in the order of computation."""
    values, adjoints = vectors["values"], dict(reversed(vectors["adjoints"].items()))
    yield from _weight_rows("forward", vectors.get("networks", {}))
    yield from _value_rows("forward", values, vectors)
    yield from _value_rows("backward", adjoints, vectors)
    yield from _weight_rows("backward", vectors.get("network_adjoints", {}))


def _weight_rows(phase: str, networks: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for network, layers in networks.items():
        for place, layer in enumerate(layers):
            for key, data in layer.items():
                array = np.asarray(data, dtype=np.float64)
                for index in np.ndindex(array.shape):
                    name = f"{network}.{place}.{key}[{','.join(map(str, index))}]"
                    yield phase, 0, name, None, None, None, None, "", float(array[index])


def _value_rows(
    phase: str, arrays: Mapping[str, Any], vectors: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    for name, given in arrays.items():
        if given is None:  # no path
            continue
        array = np.asarray(given["data"], dtype=np.float64)
        coords = [vectors["coords"][dim] for dim in given["dims"]]
        for index in np.ndindex(array.shape):
            labels = [of[i] for of, i in zip(coords, index, strict=True)]
            at = dict(zip(given["dims"], labels, strict=True))
            yield phase, 0, name, *map(at.get, _LABELS), "", float(array[index])
