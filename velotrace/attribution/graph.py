"""Walks over the named graph: who comes after a value, and adjoints carried back to it."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from velotrace.tape import Tape


def descendants(tape: Tape, name: str) -> frozenset[str]:
    """All named values that were computed from one, directly or not, and the value itself."""
    return _closure(tape.users, name)


def ancestors(tape: Tape, name: str) -> frozenset[str]:
    """All named values that one was computed from, directly or not, and the value itself."""
    return _closure(tape.graph, name)


def _closure(neighbours: Mapping[str, tuple[str, ...]], name: str) -> frozenset[str]:
    found, waiting = {name}, [name]
    while waiting:
        for other in neighbours[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return frozenset(found)


def held(tape: Tape, name: str) -> np.ndarray:
    """The components of a value that an intervention has replaced, or cut from their past."""
    entry = tape[name]
    if entry.operation not in ("replaced", "cut"):
        return np.zeros(entry.value.shape, dtype=bool)
    masks = [edge.value for edge in entry.inputs if edge.source is None]
    return np.broadcast_to(masks[-1] if masks else True, entry.value.shape).astype(bool)


def output_name(tape: Tape) -> str:
    """Name of what the recorded function returned."""
    name = tape.entries[tape.output].name
    if name is None:
        raise ValueError("the recorded function's result has no name")
    return name


def pull_to(
    tape: Tape, seeds: Mapping[str, np.ndarray], name: str, between: frozenset[str]
) -> np.ndarray | None:
    """Carry adjoints of some named values back to an earlier one, over all paths between.

    Args:
        tape: the recording.
        seeds: adjoint by name; none of them may lie on a path to another.
        name: where to.
        between: its `descendants`.

    Returns:
        What arrives, of the value's shape; None where no path leads there.
    """
    gathered = {start: np.asarray(adjoint) for start, adjoint in seeds.items()}
    waiting = [-tape[start].forward for start in gathered]
    heapq.heapify(waiting)
    at_ordinal = {entry.forward: known for known, entry in tape.names.items()}
    while waiting:
        at = at_ordinal[-heapq.heappop(waiting)]
        if at == name:
            return gathered[at]
        for source, part in tape.pull(at, gathered.pop(at)).items():
            if source not in between:
                continue
            if source in gathered:
                gathered[source] = gathered[source] + part
            else:
                gathered[source] = part
                heapq.heappush(waiting, -tape[source].forward)
    return None


@dataclass(frozen=True)
class Route:
    """One path through the named graph, with what it carries.

    Attributes:
        names: from the target to the loss.
        adjoint: what arrives at the target along it, of the target's shape.
    """

    names: tuple[str, ...]
    adjoint: np.ndarray


def routes(tape: Tape, name: str) -> list[Route]:
    """Every path of names from a value to the loss that carries gradient.

    The loss's adjoint 1 is pulled back step by step; paths that end alike share those steps, so
    the work is one pull for each node of the tree of paths.

    Args:
        tape: the recording.
        name: of the target.

    Returns:
        The paths in the order of the graph; those that happen to carry 0 are among them.
    """
    between = descendants(tape, name)
    found: list[Route] = []

    def walk(at: str, adjoint: np.ndarray, after: tuple[str, ...]) -> None:
        names = (at, *after)
        if at == name:
            found.append(Route(names, adjoint))
            return
        for source, part in tape.pull(at, adjoint).items():
            if source in between:
                walk(source, part, names)

    end = output_name(tape)
    if end in between:
        walk(end, np.ones(()), ())
    return found
