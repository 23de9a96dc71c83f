"""Tables of a trace: one long tidy table of every number, and one table per quantity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from velotrace.quantities import VOCABULARY
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

LONG_COLUMNS = (
    "phase",
    "step",
    "quantity",
    "cell",
    "gene",
    "state",
    "latent",
    "unit",
    "value",
)

NO_PATH = "no path"
"""What a table says where a value cannot move the loss; never blank, never 0."""


def long_table(trace: Trace) -> pd.DataFrame:
    """Every number of a trace, one row each.

    Args:
        trace: of one iteration.

    Returns:
        Columns phase (forward, backward, update), step (the ordinal within the phase), quantity,
        cell, gene, state, latent, unit, value. Weights are quantities such as
        'encoder_z.0.W[2,7]'; what a step of an optimiser did inside is 'alpha.adam.first_moment'.
        A value without a path has no number in the backward phase and so no row there.
    """
    rows = [*_forward_rows(trace), *_backward_rows(trace), *_update_rows(trace)]
    table = pd.DataFrame(rows, columns=list(LONG_COLUMNS))
    for column in ("state", "latent"):
        table[column] = table[column].astype("Int64")
    return table


def _forward_rows(trace: Trace) -> Iterator[tuple[Any, ...]]:
    for name, entry in trace.tape.names.items():
        yield from _rows(trace, "forward", entry.forward, name, entry.value)


def _backward_rows(trace: Trace) -> Iterator[tuple[Any, ...]]:
    for entry in trace.tape.backward_order:
        if entry.name is not None and entry.adjoint is not None:
            yield from _rows(trace, "backward", entry.backward, entry.name, entry.adjoint)


def _update_rows(trace: Trace) -> Iterator[tuple[Any, ...]]:
    for step, (name, _) in enumerate(leaves(trace.resolved.parameters)):
        for optimiser, updates in trace.updates.items():
            for what, array in updates[name].items():
                yield from _rows(trace, "update", step, name, array, f".{optimiser}.{what}")


def _rows(
    trace: Trace, phase: str, step: int | None, name: str, array: np.ndarray, suffix: str = ""
) -> Iterator[tuple[Any, ...]]:
    quantity = VOCABULARY.get(name)
    dims = quantity.dims if quantity else ()
    unit = unit_of(name, phase, suffix)
    for index in np.ndindex(array.shape):
        at = {dim: trace.coords[dim][i] for dim, i in zip(dims, index, strict=False)}
        labels = (at.get("cell"), at.get("gene"), at.get("state"), at.get("latent"))
        place = "" if quantity else "[" + ",".join(map(str, index)) + "]"
        yield phase, step, f"{name}{place}{suffix}", *labels, unit, float(array[index])


def unit_of(name: str, phase: str, suffix: str = "") -> str:
    """Unit of a number: an adjoint is nat per the value's unit, Adam's v its square."""
    unit = VOCABULARY[name].unit if name in VOCABULARY else "1"
    if phase == "forward" or suffix.endswith((".change", ".updated")):
        return unit
    slope = "nat" if unit == "1" else "1" if unit == "nat" else f"nat/({unit})"
    return f"({slope})²" if "second_moment" in suffix and slope != "1" else slope


def quantity_table(trace: Trace, name: str) -> pd.DataFrame:
    """One named value with its adjoint, one row per component.

    Args:
        trace: of one iteration.
        name: of the vocabulary, or a weight such as 'encoder_z.0.W'.

    Returns:
        The value's dimensions, then unit, value and adjoint; the adjoint is 'no path' where there
        is none.
    """
    entry = trace.tape[name]
    quantity = VOCABULARY.get(name)
    dims = list(quantity.dims) if quantity else ["input", "output"][-entry.value.ndim :]
    labels: Mapping[str, list[Any]] = trace.coords
    rows = []
    for index in np.ndindex(entry.value.shape):
        at = [labels[d][i] if d in labels else i for d, i in zip(dims, index, strict=True)]
        adjoint = NO_PATH if entry.adjoint is None else float(entry.adjoint[index])
        rows.append((*at, unit_of(name, "forward"), entry.value[index].item(), adjoint))
    return pd.DataFrame(rows, columns=[*dims, "unit", "value", "adjoint"])


def operations_table(trace: Trace) -> pd.DataFrame:
    """Every primitive operation of the tape, in forward order.

    Returns:
        forward and backward ordinal, operation, name, inputs (forward ordinals), shape, line.
    """
    rows = []
    for entry in trace.tape.entries:
        inputs = " ".join(str(e.source) for e in entry.inputs if e.source is not None)
        shape = "×".join(map(str, entry.value.shape)) or "scalar"
        backward = NO_PATH if entry.backward is None else entry.backward
        name = entry.name or ""
        rows.append((entry.forward, backward, entry.operation, name, inputs, shape, entry.line))
    columns = ["forward", "backward", "operation", "name", "inputs", "shape", "line"]
    return pd.DataFrame(rows, columns=columns)
