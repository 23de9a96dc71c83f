"""Arrays for the page: exact and short, as base64 of float64, with the names of dimensions."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from velotrace.attribution.expressions import names_in
from velotrace.attribution.formulas import DRAWN, Formula
from velotrace.quantities import VOCABULARY
from velotrace.report.steps import Step
from velotrace.report.worked import number_at, preactivation
from velotrace.selection import dims_of
from velotrace.walkthrough import Trace

Labelled = tuple[tuple[str, ...], np.ndarray]
"""Names of the dimensions, and the array."""

LATER = "later_state"
"""The state of the later value, where an edge leads from every state to every state."""


def packed(array: np.ndarray) -> str:
    """An array as text, bit for bit; inf and nan too.

    Example:
        >>> packed(np.array([1.0]))
        'AAAAAAAA8D8='
    """
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f8").tobytes()).decode("ascii")


# ---- what formulas mention beside the vocabulary --------------------------------------------

_DIMS_OF_OTHERS: Mapping[str, tuple[str, ...]] = {
    "tau": ("cell", "gene"),
    "c": ("state",),
    "u_star": ("gene",),
    "s_star": ("gene",),
    "conc_total": ("cell", "gene"),
    "pi_others": ("cell", "gene", "state"),
    "mixed_u": ("cell", "gene"),
    "mixed_s": ("cell", "gene"),
    "g": ("cell", "gene", "state"),
}


def others(trace: Trace, steps: Sequence[Step]) -> dict[str, Labelled]:
    """Every number, by name, that the formulas of these steps mention and no step has.

    A layer's `a` is under 'a:' and the name of its value.
    """
    made: dict[str, Labelled] = {}
    for name in _mentioned(trace, steps):
        dims = _DIMS_OF_OTHERS.get(name, ("gene",) if name.endswith("_open") else ())
        shape = tuple(len(trace.coords[dim]) for dim in dims)
        array = np.empty(shape)
        for index in np.ndindex(shape):
            at = {dim: trace.coords[dim][i] for dim, i in zip(dims, index, strict=True)}
            array[index] = number_at(trace, "", name, at)
        made[name] = dims, array
    for step in steps:
        if any("a" in names_in(d.expression) for d in step.definitions):
            made[f"a:{step.name}"] = step.dims, preactivation(trace, step.name)
    return made


def _mentioned(trace: Trace, steps: Sequence[Step]) -> Iterator[str]:
    expressions = [d.expression for step in steps for d in step.definitions]
    expressions += [f.expression for step in steps for edge in step.edges for f in edge.formulas]
    names = dict.fromkeys(name for text in expressions for name in names_in(text))
    return (n for n in names if n not in VOCABULARY and n not in (*trace.coords, "a"))


# ---- local derivatives ----------------------------------------------------------------------


def locals_of(trace: Trace, steps: Sequence[Step]) -> dict[tuple[str, str, int], Labelled]:
    """Local derivatives of every edge outside the networks, at all cells and genes.

    Returns:
        By value, user and place among the edge's formulas: the derivatives from the tape. Where
        a formula holds in one state only, there is no dimension for it.
    """
    pull = _remembering(trace)
    made = {}
    for step in steps:
        for edge in step.edges:
            for place, formula in enumerate(edge.formulas):
                made[step.name, edge.user, place] = _local(trace, pull, formula)
    return made


Pull = Callable[[str, Mapping[str, int]], Mapping[str, np.ndarray]]


def _remembering(trace: Trace) -> Pull:
    """Pull 1 back from the components of a value at some indices; each but once."""
    known: dict[tuple[str, frozenset[tuple[str, int]]], dict[str, np.ndarray]] = {}

    def pull(name: str, at: Mapping[str, int]) -> Mapping[str, np.ndarray]:
        key = name, frozenset(at.items())
        if key not in known:
            seed = np.zeros(trace.tape[name].value.shape)
            seed[tuple(at.get(dim, slice(None)) for dim in dims_of(trace, name))] = 1.0
            known[key] = trace.tape.pull(name, seed)
        return known[key]

    return pull


def _local(trace: Trace, pull: Pull, formula: Formula) -> Labelled:
    """∂to/∂of. Along dimensions that both have nothing mixes, so all are pulled back at once."""
    to_dims, of_dims = dims_of(trace, formula.to), dims_of(trace, formula.of)
    mixing = {"state"} if formula.same_state is not None else set()
    lost = [dim for dim in to_dims if dim not in of_dims or dim in mixing]
    fixed = {}
    if formula.state not in (None, DRAWN) and "state" in lost:
        lost.remove("state")
        fixed = {"state": (formula.state or 1) - 1}
    sizes = [len(trace.coords[dim]) for dim in lost]
    array = np.empty((*sizes, *trace.tape[formula.of].value.shape))
    for index in product(*map(range, sizes)):
        at = {**fixed, **dict(zip(lost, index, strict=True))}
        array[index] = pull(formula.to, at)[formula.of]
    dims = (*(LATER if dim in of_dims else dim for dim in lost), *of_dims)
    if formula.state == DRAWN:
        drawn = trace.tape["state"].value[..., None] - 1
        return dims[:-1], np.take_along_axis(array, drawn, axis=-1)[..., 0]
    return dims, array
