"""Take one gradient apart, and check that the parts make the whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from velotrace.attribution.edges import Edge, EdgeRow, edges_between
from velotrace.attribution.graph import Route, descendants, routes
from velotrace.attribution.reasons import NoPath, why_no_path, why_path_is_zero
from velotrace.attribution.roundoff import bound
from velotrace.attribution.terms import Term, terms_of
from velotrace.errors import ContradictionError, InputError
from velotrace.selection import Selection, select
from velotrace.walkthrough import Trace

FORMULA_SLACK = 8.0
"""How many times its own round-off bound a formula may lie from the tape's local derivative.

The tape computes the same slope from more operations and in another form; each of them rounds as
those of the formula do, and there are fewer than eight times as many."""


@dataclass(frozen=True)
class Component:
    """One number whose gradient is explained.

    Attributes:
        at: its labels by dimension.
        value: the number itself.
        adjoint: ∂L/∂it.
    """

    at: Mapping[str, Any]
    value: float
    adjoint: float


@dataclass(frozen=True)
class Path:
    """One way through the named graph and what it adds to the gradient.

    Attributes:
        names: from the target to the loss.
        value: product of the local derivatives along it.
    """

    names: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class Explanation:
    """A gradient taken apart; of several components, the gradient of moving them all alike.

    Attributes:
        quantity: name of the value.
        coords: label of each of its dimensions; None where all are summed.
        components: each component with its own gradient; none without a path.
        total: the gradient, summed over the components; None without a path.
        terms: by loss term, cell and gene; they sum to the total.
        paths: by path of names, largest first; they sum to the total.
        edges: local derivatives with numbers, from the target to the loss.
        no_path: terms and paths that carry nothing, with the reason.
        reason: why there is no path at all; empty where there is one.
        bound: how far round-off may take the sums from the total.
    """

    quantity: str
    coords: Mapping[str, Any]
    components: tuple[Component, ...]
    total: float | None
    terms: tuple[Term, ...]
    paths: tuple[Path, ...]
    edges: tuple[Edge, ...]
    no_path: tuple[NoPath, ...]
    reason: str
    bound: float

    @property
    def by_first_step(self) -> dict[str, float]:
        """The paths' values, summed by the name that follows the target; largest path first."""
        sums: dict[str, list[float]] = {}
        for path in self.paths:
            sums.setdefault(path.names[1] if len(path.names) > 1 else "", []).append(path.value)
        return {name: math.fsum(values) for name, values in sums.items()}


def explain(
    trace: Trace,
    name: str,
    cell: str | None = None,
    gene: str | None = None,
    state: int | None = None,
    latent: int | None = None,
) -> Explanation:
    """Take the gradient of the loss with respect to one named value apart.

    Args:
        trace: of one iteration.
        name: of a parameter, a weight or any named value; weights and hidden layers may carry an
            index, such as 'encoder_z.0.W[2,7]'.
        cell: label of a cell; without it all cells are summed, and so on.
        gene: label of a gene.
        state: 1 to 4.
        latent: 1 to the number of latent dimensions.

    Returns:
        The explanation, checked: terms and paths sum to the tape's adjoint within round-off, and
        every formula gives the tape's local derivative.

    Raises:
        InputError: no such value or component, or the gradient overflows.
        ContradictionError: a check failed.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> alpha = explain(trace(), "alpha", gene="A")
        >>> steps = {name: round(value, 1) for name, value in alpha.by_first_step.items()}
        >>> print(round(alpha.total, 1), steps)
        6668.5 {'u_bar': 5059.7, 's_bar': 781.8, 's_switch': 674.0, 'u_switch': 153.0}
    """
    chosen = select(trace, name, cell=cell, gene=gene, state=state, latent=latent)
    entry = trace.tape[chosen.name]
    if entry.adjoint is None:
        reason = why_no_path(trace, chosen.name)
        return Explanation(chosen.name, chosen.coords, (), None, (), (), (), (), reason, 0.0)
    if not np.isfinite(entry.adjoint[chosen.mask]).all():
        raise InputError(f"the gradient of {name} overflows float64; there is nothing to explain")
    components = tuple(
        Component(chosen.at(at), float(entry.value[at]), float(entry.adjoint[at]))
        for at in chosen.indices
    )
    between = descendants(trace.tape, chosen.name)
    terms, without = terms_of(trace, chosen, between)
    paths, zero = _paths(trace, chosen, between)
    edges = edges_between(trace, chosen, _links(trace, paths))
    made = Explanation(
        chosen.name,
        chosen.coords,
        components,
        math.fsum(component.adjoint for component in components),
        tuple(terms),
        tuple(paths),
        edges,
        (*without, *zero),
        "",
        bound(trace.tape, chosen.name, chosen.mask),
    )
    check(made)
    return made


def _paths(
    trace: Trace, chosen: Selection, between: frozenset[str]
) -> tuple[list[Path], list[NoPath]]:
    """The paths that carry something, largest first; and those that do not, with the reason."""
    found: list[Path] = []
    zero: list[NoPath] = []
    for route in routes(trace.tape, chosen.name):
        value = _summed(route, chosen)
        reason = "" if value else why_path_is_zero(trace, chosen, route.names, between)
        if reason:
            zero.append(NoPath(None, None, None, route.names, reason))
        else:
            found.append(Path(route.names, value))
    return sorted(found, key=lambda path: -abs(path.value)), zero


def _summed(route: Route, chosen: Selection) -> float:
    return math.fsum(route.adjoint[chosen.mask])


def _links(trace: Trace, paths: list[Path]) -> list[tuple[str, str]]:
    """The edges of the paths, each once: earlier names first, and among those earlier goals."""
    order = {name: ordinal for ordinal, name in enumerate(trace.tape.names)}
    links = {link for path in paths for link in pairwise(path.names)}
    return sorted(links, key=lambda link: (order[link[0]], order[link[1]]))


# ---- checks ---------------------------------------------------------------------------------


def check(made: Explanation) -> None:
    """Check that terms and paths sum to the total and that the formulas give the tape's slopes.

    Raises:
        ContradictionError: one of them does not, beyond round-off.
    """
    assert made.total is not None
    first = [edge for edge in made.edges if edge.of == made.quantity]
    whole = (("loss terms", made.terms), ("paths", made.paths), ("edges", first or made.paths))
    for what, parts in whole:
        apart = abs(math.fsum(part.value for part in parts) - made.total)
        if not apart <= made.bound:
            raise ContradictionError(
                f"the {what} of {made.quantity} miss its gradient {made.total} by {apart}, "
                f"round-off allows {made.bound}"
            )
    for edge in made.edges:
        for row in edge.rows:
            if not agrees(row):
                raise ContradictionError(
                    f"the formula of {edge.to} by {edge.of} gives {row.computed}, the tape "
                    f"{row.local}, at {dict(row.to_at)}"
                )


def agrees(row: EdgeRow) -> bool:
    """Whether a row's formula gives the tape's local derivative, within round-off."""
    if row.computed is None:
        return True
    return abs(row.local - row.computed.value) <= FORMULA_SLACK * row.computed.error + _TINY


_TINY = 1e-290
"""Where exponentials underflow, products of them keep no relative accuracy."""
