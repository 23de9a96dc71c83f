"""The edges of the named graph between a target and the loss, component by component.

An edge runs from a value (`of`) to one computed from it (`to`). Each of its rows belongs to a pair
of components: the local derivative ∂to/∂of, the upstream adjoint ∂L/∂to, and their product, which
is what flows back. Outside the networks every local derivative has a formula of its own
(`formulas`), which is evaluated beside the tape's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from velotrace.attribution.expressions import Measured, evaluate, names_in
from velotrace.attribution.formulas import BY_EDGE, Formula, formula_between, formulas_of
from velotrace.attribution.graph import held
from velotrace.attribution.quotient import quotients
from velotrace.attribution.surroundings import surroundings
from velotrace.selection import Index, Selection, dims_of, labelled, labels_of
from velotrace.walkthrough import Trace

MOST_PLACES = 24
"""Components of the later value that are worked out, the largest adjoints first."""

MOST_NETWORK_ROWS = 12
"""An edge inside a network with more pairs of components than this is summed up as a whole."""

MOST_PROBES = 512
"""Up to this size of the later value, what a single weight moves is asked of the tape."""


@dataclass(frozen=True)
class EdgeRow:
    """One local derivative with what arrives and what is sent on.

    Attributes:
        of_at: labels of the component that is differentiated by.
        to_at: labels of the component that is differentiated.
        local: ∂to/∂of from the tape.
        upstream: ∂L/∂to.
        product: local × upstream.
        formula: of the local derivative; None inside a network.
        numbers: what the formula's names stand for here.
        computed: the formula's value with its bound; None inside a network.
    """

    of_at: Mapping[str, Any]
    to_at: Mapping[str, Any]
    local: float
    upstream: float
    product: float
    formula: Formula | None = None
    numbers: Mapping[str, Measured] = field(default_factory=dict)
    computed: Measured | None = None


@dataclass(frozen=True)
class Edge:
    """One edge of the named graph, for the components that the target reaches.

    Attributes:
        of: the earlier name.
        to: the later name.
        value: all that flows back along it to these components.
        rows: the pairs of components that carry something, largest first.
        left_out: how many pairs with an upstream adjoint were not worked out.
        network: whether it lies inside a network.
    """

    of: str
    to: str
    value: float
    rows: tuple[EdgeRow, ...]
    left_out: int
    network: bool


def edges_between(
    trace: Trace, selection: Selection, links: list[tuple[str, str]]
) -> tuple[Edge, ...]:
    """Edges with numbers, from the target towards the loss.

    Args:
        trace: of one iteration.
        selection: the target.
        links: pairs (of, to) of names, those nearer to the target first.

    Returns:
        One edge each; those along which nothing flows are left out.
    """
    reached: dict[str, np.ndarray] = {selection.name: selection.mask}
    made = []
    for of, to in links:
        moved = _moved(trace, of, to, reached[of])
        edge = _edge(trace, of, to, reached[of], moved)
        if edge.rows or edge.value:
            made.append(edge)
        reached[to] = reached[to] | moved if to in reached else moved
    return tuple(made)


def is_network(of: str, to: str) -> bool:
    """Whether an edge lies inside a network, where the local derivative is a matrix of weights."""
    return (to, of) not in BY_EDGE


def _moved(trace: Trace, of: str, to: str, mask: np.ndarray) -> np.ndarray:
    """The components of `to` that move with some component of `of` in the mask."""
    return _moved_if_free(trace, of, to, mask) & ~held(trace.tape, to)


def _moved_if_free(trace: Trace, of: str, to: str, mask: np.ndarray) -> np.ndarray:
    shape = trace.tape[to].value.shape
    if is_network(of, to) and int(mask.sum()) == 1 and math.prod(shape) <= MOST_PROBES:
        return _moved_by_one(trace, of, to, mask)
    of_dims, to_dims = dims_of(trace, of), dims_of(trace, to)
    shared = [dim for dim in _shared(of, to, of_dims) if dim in to_dims]
    lost = tuple(i for i, dim in enumerate(of_dims) if dim not in shared)
    kept = mask.any(axis=lost)
    spread = [size if dim in shared else 1 for dim, size in zip(to_dims, shape, strict=True)]
    moved = np.broadcast_to(kept.reshape(spread), shape).copy()
    states = {f.state for f in formulas_of(to, of, trace.resolved.iteration.reading)}
    if "state" in to_dims and None not in states and not is_network(of, to):
        moved &= np.isin(np.arange(1, 5), [state for state in states if state])
    return moved


def _moved_by_one(trace: Trace, of: str, to: str, mask: np.ndarray) -> np.ndarray:
    """The same inside a network, where which weight goes where is asked of the tape."""
    moved = np.zeros(trace.tape[to].value.shape, dtype=bool)
    for at in np.ndindex(moved.shape):
        one = np.zeros(moved.shape)
        one[at] = 1.0
        moved[at] = bool(trace.tape.pull(to, one)[of][mask].any())
    return moved


def _shared(of: str, to: str, dims: Iterable[str]) -> list[str]:
    """The dimensions, out of some, along which an edge does not mix."""
    if is_network(of, to):
        mixing = {"gene", "state", "latent", "unit", "input", "output"}
    else:
        mixing = {"state"} if (to, of) == ("pi", "concentration") else set()
    return [dim for dim in dims if dim not in mixing]


def _edge(trace: Trace, of: str, to: str, mask: np.ndarray, moved: np.ndarray) -> Edge:
    tape = trace.tape
    adjoint = np.asarray(tape[to].adjoint)
    arriving = np.where(moved, adjoint, 0.0)
    value = float(np.sum(tape.pull(to, arriving)[of][mask]))
    places = sorted(map(_index, np.argwhere(arriving)), key=lambda at: -abs(adjoint[at]))
    network = is_network(of, to)
    if network and len(places) * int(mask.sum()) > MOST_NETWORK_ROWS:
        return Edge(of, to, value, (), len(places), network)
    rows = [
        row
        for at in places[:MOST_PLACES]
        for row in _rows(trace, of, to, at, mask)
        if row.local or row.formula is not None
    ]
    rows.sort(key=lambda row: -abs(row.product))
    return Edge(of, to, value, tuple(rows), len(places[MOST_PLACES:]), network)


def _index(at: np.ndarray) -> Index:
    return tuple(int(i) for i in at)


def _rows(trace: Trace, of: str, to: str, at: Index, mask: np.ndarray) -> Iterator[EdgeRow]:
    """The derivatives of one component of `to` by the components of `of` in the mask."""
    tape = trace.tape
    one = np.zeros(tape[to].value.shape)
    one[at] = 1.0
    local = tape.pull(to, one)[of]
    upstream = float(np.asarray(tape[to].adjoint)[at])
    to_at = labelled(dims_of(trace, to), labels_of(trace, to), at)
    place = dict(zip(dims_of(trace, to), at, strict=True))
    shared, of_dims = _shared(of, to, place), dims_of(trace, of)
    touching = np.zeros_like(mask)
    touching[tuple(place[dim] if dim in shared else slice(None) for dim in of_dims)] = True
    for of_index in map(_index, np.argwhere(mask & touching)):
        of_at = labelled(of_dims, labels_of(trace, of), of_index)
        slope = float(local[of_index])
        row = EdgeRow(of_at, to_at, slope, upstream, slope * upstream)
        yield row if is_network(of, to) else _with_formula(trace, of, to, row)


def _with_formula(trace: Trace, of: str, to: str, row: EdgeRow) -> EdgeRow:
    formula = formula_of_pair(trace, of, to, row.of_at, row.to_at)
    if formula is None:
        return row
    numbers = surroundings(trace, names_in(formula.expression), row.of_at, row.to_at)
    slopes = quotients(trace.resolved.iteration.reading.denominator)
    computed = evaluate(formula.expression, numbers, slopes)
    return EdgeRow(
        row.of_at, row.to_at, row.local, row.upstream, row.product, formula, numbers, computed
    )


def formula_of_pair(
    trace: Trace, of: str, to: str, of_at: Mapping[str, Any], to_at: Mapping[str, Any]
) -> Formula | None:
    """The formula between two components; None where they do not touch."""
    mixing = {"state"} if (to, of) == ("pi", "concentration") else set()
    for dim in set(of_at) & set(to_at) - mixing:
        if of_at[dim] != to_at[dim]:
            return None
    reading, at = trace.resolved.iteration.reading, {**of_at, **to_at}
    drawn = None
    if "state" in trace.tape.names and {"cell", "gene"} <= set(at):
        n, g = trace.coords["cell"].index(at["cell"]), trace.coords["gene"].index(at["gene"])
        drawn = int(trace.tape["state"].value[n, g])
    return formula_between(to, of, reading, at.get("state"), of_at.get("state"), drawn)
