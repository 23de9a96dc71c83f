"""Why a gradient is not there, read off the tape, the reading and the drawn states."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from velotrace.attribution.formulas import BY_EDGE, formulas_of
from velotrace.attribution.graph import ancestors, held, output_name, pull_to
from velotrace.quantities import STATES, VOCABULARY
from velotrace.selection import Selection, dims_of, select, shortened
from velotrace.walkthrough import Trace


@dataclass(frozen=True)
class NoPath:
    """A term or a path of names along which nothing comes back, and why.

    Attributes:
        term: name of the loss term; None if a path is meant.
        cell: its cell; None for all, or where it has none.
        gene: its gene, likewise.
        path: names from the target to the loss; empty if a term is meant.
        reason: one clause.
    """

    term: str | None
    cell: str | None
    gene: str | None
    path: tuple[str, ...]
    reason: str


# ---- a whole value --------------------------------------------------------------------------


def why_no_path(trace: Trace, name: str) -> str:
    """Why a named value has no adjoint.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> why_no_path(trace(), "pi")
        'state is drawn from pi, and a hard draw has no derivative'
    """
    return "; ".join(_blocks(trace, name, None)) or f"the loss does not use {name}"


_CONSTANTS = {
    "data": "measured data are constants of the iteration",
    "draw": "drawn noise is a constant of the iteration",
}


def _blocks(trace: Trace, name: str, towards: str | None) -> list[str]:
    """Where the gradient stops between a value and a later one (the loss if None is given)."""
    tape = trace.tape
    before = ancestors(tape, towards or output_name(tape))
    if tape[name].operation == "constant":
        role = VOCABULARY[name].role if name in VOCABULARY else ""
        return [_CONSTANTS.get(role, f"{name} is a constant")]
    found: dict[str, None] = {}
    seen, waiting = {name}, [name]
    while waiting:
        at = waiting.pop(0)
        for after in tape.users[at]:
            if after not in before:
                continue
            if at in tape.pull(after, np.zeros(tape[after].value.shape)):
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)
            else:
                found[_block(trace, at, after)] = None
    return list(found)


def _block(trace: Trace, source: str, after: str) -> str:
    operation = trace.tape[after].operation
    if operation == "cut":
        return f"{after} is cut off here from what it was computed from"
    if operation == "replaced":
        return f"{after} is replaced by a given number here"
    if operation == "hard_draw":
        return f"{after} is drawn from {source}, and a hard draw has no derivative"
    if source == "state":
        return "a state is a whole number, and picking by it has no derivative"
    return f"{after} does not change with {source}"


# ---- one term -------------------------------------------------------------------------------


def why_no_term(trace: Trace, selection: Selection, member: str, between: frozenset[str]) -> str:
    """Why nothing of one loss term reaches a value, for all cells and genes at once.

    Args:
        trace: of one iteration.
        selection: the target.
        member: the named value that stands for the term.
        between: the target's descendants.

    Returns:
        The reason.
    """
    name, reading = selection.name, trace.resolved.iteration.reading
    if member in between:
        blocks = _blocks(trace, name, member) if member != name else []
        return "; ".join(blocks or _blocks(trace, member, None))
    steady = reading.repression_start == "steady-state"
    if steady and member.startswith("switch_penalty") and name == "switch_time":
        return "repression starts from the steady state, which does not depend on a time"
    return f"{member} does not depend on {name}"


def why_no_share(
    trace: Trace,
    selection: Selection,
    member: str,
    at: tuple[str | None, str | None],
    between: frozenset[str],
) -> str:
    """Why one loss term sends 0 from one cell and gene; empty if it is 0 by accident.

    Args:
        trace: of one iteration.
        selection: the target.
        member: the named value that stands for the term.
        at: cell and gene; None where the term has none.
        between: the target's descendants.

    Returns:
        The reason.
    """
    adjoint = trace.tape[member].adjoint
    if adjoint is not None and not adjoint.any():
        return f"{member} has weight 0 in the loss"
    for name in sorted(between & ancestors(trace.tape, member), key=list(trace.tape.graph).index):
        if name != selection.name and _all_held(trace, selection, name, at):
            return _block(trace, selection.name, name)
    kind = member.removeprefix("log_density_")
    if kind in ("u", "s") and trace.resolved.iteration.reading.draws_state:
        k = _drawn(trace, *at)
        if f"{kind}_bar" in between and not _enters_at(trace, f"{kind}_bar", k, between):
            return f"{_place(*at)} is in state {k}: {_not_in_state(k, selection.name)}"
    if _moves(trace, selection, member, at, between):
        return ""
    states = _underflowed(trace, selection, member, at, between)
    if states:
        which = " and ".join(f"of state {k}" for k in states)
        return f"the responsibility {which} at {_place(*at)} is 0 in float64"
    return f"nothing of {_place(*at)} changes with the components chosen"


def _all_held(
    trace: Trace, selection: Selection, name: str, at: tuple[str | None, str | None] = (None, None)
) -> bool:
    """Whether an intervention holds all components of a value that share the labels given."""
    if trace.tape[name].operation not in ("replaced", "cut"):
        return False
    wanted = {
        dim: selection.coords.get(dim) or label
        for dim, label in zip(("cell", "gene"), at, strict=True)
        if dim in dims_of(trace, name)
    }
    return bool(held(trace.tape, name)[select(trace, name, **wanted).mask].all())


def _moves(
    trace: Trace,
    selection: Selection,
    member: str,
    at: tuple[str | None, str | None],
    between: frozenset[str],
) -> bool:
    """Whether a term's cell and gene would send something if its adjoint were another one."""
    adjoint = np.asarray(trace.tape[member].adjoint)
    labels = dict(zip(("cell", "gene"), at, strict=True))
    index = tuple(
        slice(None) if labels.get(dim) is None else trace.coords[dim].index(labels[dim])
        for dim in dims_of(trace, member)
    )
    seed = np.zeros_like(adjoint)
    seed[index] = np.linspace(1.0, 2.0, seed[index].size).reshape(seed[index].shape)
    seed[(adjoint == 0.0) & (adjoint[index].any() > 0)] = 0.0
    arrived = pull_to(trace.tape, {member: seed}, selection.name, between)
    return arrived is not None and bool(arrived[selection.mask].any())


def _underflowed(
    trace: Trace,
    selection: Selection,
    member: str,
    at: tuple[str | None, str | None],
    between: frozenset[str],
) -> list[int]:
    """In a mixture, the states that the target acts in here, if it counts none of them.

    A state's share of the likelihood (minus the adjoint of its log density) underflows where
    another state explains the cell and gene better by a factor that float64 cannot hold.
    """
    adjoint = np.asarray(trace.tape[member].adjoint)
    if trace.resolved.iteration.reading.draws_state or dims_of(trace, member)[-1:] != ("state",):
        return []
    n, g = (trace.coords[dim].index(of) for dim, of in zip(("cell", "gene"), at, strict=True))
    found = []
    for k in range(1, len(STATES) + 1):
        seed = np.zeros_like(adjoint)
        seed[n, g, k - 1] = 1.0
        arrived = pull_to(trace.tape, {member: seed}, selection.name, between)
        if arrived is not None and arrived[selection.mask].any():
            found.append(k)
    return [] if any(adjoint[n, g, k - 1] for k in found) else found


def is_local(trace: Trace, between: frozenset[str], member: str) -> bool:
    """Whether every edge between a target and a term works cell by cell and gene by gene."""
    graph = trace.tape.graph
    inside = between & ancestors(trace.tape, member)
    edges = [(after, of) for after in inside for of in graph[after] if of in between]
    return all(edge in BY_EDGE for edge in edges)


def _drawn(trace: Trace, cell: str | None, gene: str | None) -> int:
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    return int(trace.tape["state"].value[n, g])


def _enters_at(trace: Trace, predicted: str, k: int, between: frozenset[str]) -> bool:
    """Whether the prediction in state k is made from anything that the target moves."""
    reading = trace.resolved.iteration.reading
    sources = trace.tape.graph[predicted]
    return any(
        formula.state == k
        for of in sources
        if of in between
        for formula in formulas_of(predicted, of, reading)
    )


def _not_in_state(k: int, name: str) -> str:
    if k == 4:
        return f"u_bar and s_bar are 0 there, whatever {name} is"
    if k == 2:
        return f"a steady state does not depend on {name}"
    return f"{STATES[k - 1]} does not depend on {name}"


def _place(cell: str | None, gene: str | None) -> str:
    return "/".join(label for label in (cell, gene) if label is not None)


# ---- one path -------------------------------------------------------------------------------


def why_path_is_zero(
    trace: Trace, selection: Selection, names: tuple[str, ...], between: frozenset[str]
) -> str:
    """Why a path of names carries 0; empty if it does so by accident.

    Args:
        trace: of one iteration.
        selection: the target.
        names: from the target to the loss.
        between: the target's descendants.

    Returns:
        The reason.
    """
    reading = trace.resolved.iteration.reading
    for member, weight in (("kl_z", "kl_weight"), ("switch_penalty", "switch_weight")):
        if member in names and getattr(reading, weight) == 0.0:
            return f"{member} has weight 0 in the loss"
    for name in names[1:]:
        if _all_held(trace, selection, name):
            return _block(trace, selection.name, name)
    for source, after in pairwise(names) if reading.draws_state else ():
        if after not in ("u_bar", "s_bar"):
            continue
        states = sorted({f.state for f in formulas_of(after, source, reading) if f.state})
        drawn = _states_of(trace, selection, is_local(trace, between, after))
        if states and not set(states) & set(drawn.values()):
            only = " and ".join(map(str, states))
            where = shortened(tuple(f"{at} is in {k}" for at, k in drawn.items()))
            return f"{source} enters {after} in state {only} only; {where}"
    return ""


def _states_of(trace: Trace, selection: Selection, local: bool) -> dict[str, int]:
    """The drawn state of each cell and gene that the target's components can act on."""
    drawn = {}
    for n, cell in enumerate(trace.coords["cell"]):
        for g, gene in enumerate(trace.coords["gene"]):
            if selection.coords.get("cell") not in (None, cell):
                continue
            if local and selection.coords.get("gene") not in (None, gene):
                continue
            drawn[_place(cell, gene)] = int(trace.tape["state"].value[n, g])
    return drawn
