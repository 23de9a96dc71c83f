"""What a recording consists of: edges, entries, and the tape that holds them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Edge:
    """One input of an operation.

    Attributes:
        argument: position among the operation's arguments.
        source: forward ordinal of the entry it comes from; None for an unnamed constant.
        value: the constant itself where there is no source, else None.
        contribution: upstream adjoint × local derivative that flows back along this edge, of the
            source's shape; None where no gradient flows.
    """

    argument: int
    source: int | None
    value: Any
    contribution: np.ndarray | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation of a recorded function.

    Attributes:
        forward: position in the order of computation, from 0.
        backward: position in the backward pass, from 0; None without a path.
        operation: the primitive's name; 'parameter', 'constant' and 'cut' are sources.
        name: the name given by `named`, or a parameter's own; None for the many in between.
        inputs: one edge for each argument.
        value: what came out.
        adjoint: d result / d value after all uses; None without a path.
        line: 'file:line' of the code that asked for the operation.
    """

    forward: int
    backward: int | None
    operation: str
    name: str | None
    inputs: tuple[Edge, ...]
    value: np.ndarray
    adjoint: np.ndarray | None
    line: str


Pullback = Callable[[np.ndarray], tuple[tuple[int, np.ndarray], ...]]
"""From an entry's adjoint to (source, contribution) for each edge that carries a gradient."""


@dataclass(frozen=True)
class Tape:
    """A function, run once forward and once backward, with everything kept.

    Attributes:
        entries: every operation in forward order.
        output: forward ordinal of the result.
        pullbacks: for each entry, the function from its adjoint to the contributions along its
            edges that carry gradients; None for entries without any.
    """

    entries: tuple[Entry, ...]
    output: int
    pullbacks: tuple[Pullback | None, ...] = field(repr=False, compare=False)

    @property
    def value(self) -> np.ndarray:
        """What the function returned."""
        return self.entries[self.output].value

    @cached_property
    def names(self) -> Mapping[str, Entry]:
        """The named entries in order of computation."""
        return MappingProxyType({e.name: e for e in self.entries if e.name is not None})

    def __getitem__(self, name: str) -> Entry:
        """The entry called `name`."""
        return self.names[name]

    @property
    def backward_order(self) -> tuple[Entry, ...]:
        """The entries with a path, in the order in which the backward pass reached them."""
        reached = [entry for entry in self.entries if entry.backward is not None]
        return tuple(sorted(reached, key=lambda entry: entry.backward or 0))

    @cached_property
    def graph(self) -> dict[str, tuple[str, ...]]:
        """For each named value, the named values that it was computed from.

        Walks back through the unnamed operations in between, so the picture of a model is
        derived from what ran and never drawn by hand.
        """
        nearest: list[tuple[str, ...]] = []  # per entry: the names it shows to those after it
        graph: dict[str, tuple[str, ...]] = {}
        for entry in self.entries:
            sources = [edge.source for edge in entry.inputs if edge.source is not None]
            found = dict.fromkeys(name for source in sources for name in nearest[source])
            if entry.name is None:
                nearest.append(tuple(found))
            else:
                graph[entry.name] = tuple(found)
                nearest.append((entry.name,))
        return graph

    @cached_property
    def users(self) -> dict[str, tuple[str, ...]]:
        """For each named value, the named values computed from it: `graph` turned around."""
        after: dict[str, list[str]] = {name: [] for name in self.graph}
        for name, sources in self.graph.items():
            for source in sources:
                after[source].append(name)
        return {name: tuple(names) for name, names in after.items()}

    def pull(self, name: str, adjoint: np.ndarray) -> dict[str, np.ndarray]:
        """Carry an adjoint of one named value back to the named values it was computed from.

        One edge of the named graph: upstream × local derivative, through the unnamed operations
        in between and no further. A gradient is taken apart by repeating it.

        Args:
            name: where to start.
            adjoint: any array of that value's shape; not necessarily its total adjoint.

        Returns:
            The contribution to each named value just before; those without a path are left out.

        Example:
            >>> import autograd.numpy as np
            >>> from velotrace.tape import named, record
            >>> def area(p):
            ...     return named(named(p["a"] * 2.0, "b") * named(p["a"] + 1.0, "c"), "area")
            >>> parts = record(area, {"a": np.array(3.0)}).pull("area", np.array(1.0))
            >>> {name: float(part) for name, part in parts.items()}  # ∂/∂b = c, ∂/∂c = b
            {'b': 4.0, 'c': 6.0}
        """
        start = self.names[name].forward
        gathered = {start: np.asarray(adjoint, dtype=np.float64)}
        waiting = [-start]  # latest first: by then all uses of an entry have added up
        found: dict[str, np.ndarray] = {}
        while waiting:
            at = -heapq.heappop(waiting)
            arrived, entry, pullback = gathered.pop(at), self.entries[at], self.pullbacks[at]
            if entry.name is not None and at != start:
                found[entry.name] = arrived
            elif pullback is not None:
                for source, part in pullback(arrived):
                    if source in gathered:
                        gathered[source] = gathered[source] + part
                    else:
                        gathered[source] = part
                        heapq.heappush(waiting, -source)
        return dict(sorted(found.items(), key=lambda item: self.names[item[0]].forward))
