"""How far two sums of the same gradient may lie apart by rounding alone.

The backward pass is a chain of linear maps. Whichever way its pieces are grouped (all at once, term
by term, path by path), each elementary product along a chain of operations is rounded at most n
times, so each result is within n u M of the exact one, to first order in u = 1.1e-16, where

    M = Σ over all chains |product of the local derivatives along it|

and two groupings are within 2 n u M of each other. M is computed by a backward pass in which every
operation sends back absolute values, |J|ᵀ m in the place of Jᵀ g: cancellation between chains is
what makes it larger than the gradient itself. The local derivatives are the same numbers in every
grouping, so their own errors do not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from velotrace.attribution.expressions import ROUND_OFF
from velotrace.tape import Entry, Tape
from velotrace.tape.entries import Pullback

_PER_OPERATION = 6
"""Roundings of one operation: at most five factors in any of autograd's rules, and one addition."""

# fmt: off
DIAGONAL = frozenset({
    "add", "subtract", "multiply", "divide", "negative", "power", "exp", "expm1", "log", "tanh",
    "relu", "expit", "exprel", "absolute", "minimum", "gammaln", "psi", "softplus", "sqrt",
    "at_most", "_same",
})
"""Operations that work component by component, but for broadcasting."""

ONE_SIGN = frozenset({
    "sum", "mean", "reshape", "concatenate_args", "__getitem__", "at_state", "by_state",
    "per_state", "over_states", "log_sum_exp", "replaced", "cut",
})
"""Operations whose derivatives are all 0 or positive, so that absolute values need no care.

Those that are in neither set are asked for every component by itself."""
# fmt: on


def bound(tape: Tape, name: str, mask: np.ndarray) -> float:
    """Largest difference that rounding can make between two groupings of a gradient's pieces.

    Args:
        tape: the recording.
        name: of the value whose gradient it is.
        mask: the components that are summed.

    Returns:
        2 n u M.
    """
    size, count = magnitude(tape, name)
    return float(2.0 * count * ROUND_OFF * np.sum(size[mask]))


def magnitude(tape: Tape, name: str) -> tuple[np.ndarray, int]:
    """M of each component of a named value, and n, the roundings along the longest chain.

    Example:
        In (a − a) b the two chains to a cancel, but not their sizes:

        >>> import autograd.numpy as np
        >>> from velotrace.tape import named, record
        >>> def f(p):
        ...     return (p["a"] - p["a"]) * p["b"]
        >>> tape = record(f, {"a": np.array(2.0), "b": np.array(3.0)})
        >>> float(tape["a"].adjoint), float(magnitude(tape, "a")[0])
        (0.0, 6.0)
    """
    target = tape[name].forward
    reached = _moved_by(tape, target)
    sizes = {tape.output: np.ones(())}
    counts = {tape.output: 0}
    for entry in reversed(tape.entries[target + 1 :]):
        pullback = tape.pullbacks[entry.forward]
        if entry.forward not in sizes or pullback is None:
            continue
        size = sizes.pop(entry.forward)
        for source, part, terms in _absolute(tape, entry, pullback, size, reached):
            sizes[source] = sizes[source] + part if source in sizes else part
            roundings = counts[entry.forward] + _PER_OPERATION + terms
            counts[source] = max(counts.get(source, 0), roundings)
    shape = tape[name].value.shape
    return sizes.get(target, np.zeros(shape)), counts.get(target, 0)


def _moved_by(tape: Tape, target: int) -> frozenset[int]:
    """The entries computed from one, itself included."""
    moved = {target}
    for entry in tape.entries[target + 1 :]:
        if any(edge.source in moved for edge in entry.inputs):
            moved.add(entry.forward)
    return frozenset(moved)


def _absolute(
    tape: Tape, entry: Entry, pullback: Pullback, size: np.ndarray, reached: frozenset[int]
) -> list[tuple[int, np.ndarray, int]]:
    """(source, |J|ᵀ m, terms of its longest sum) for each edge of an entry towards the target."""
    found = []
    flowing = [edge for edge in entry.inputs if edge.contribution is not None]
    for place, edge in enumerate(flowing):
        source = edge.source
        if source is None or source not in reached:
            continue
        shape = tape.entries[source].value.shape
        axes = _summed_axes(entry.operation, edge.argument, shape, size.shape)
        part = np.zeros(shape)
        for piece in _pieces(size, axes):  # one at a time: they are many where arrays are large
            part += np.abs(pullback(piece)[place][1])
        terms = math.prod(size.shape[axis] for axis in axes)
        if entry.operation in ONE_SIGN:
            terms = max(1, size.size // max(part.size, 1))
        found.append((source, part, terms))
    return found


def _summed_axes(
    operation: str, argument: int, shape: tuple[int, ...], to: tuple[int, ...]
) -> tuple[int, ...]:
    """The axes over which an operation's way back to one argument sums, signs mixed."""
    if operation in ONE_SIGN:
        return ()
    if operation in DIAGONAL:
        return _broadcast_axes(shape, to)
    if operation == "matmul" and len(to) == 2:
        return (1,) if argument == 0 else (0,)
    if operation == "pathwise_draw":  # each state's draw moves with all four concentrations
        return (len(to) - 1,)
    return tuple(range(len(to)))


def _pieces(size: np.ndarray, axes: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Split a seed along some axes, so that no two components of a piece meet on the way back."""
    for at in product(*(range(size.shape[axis]) for axis in axes)):
        index = [slice(None)] * size.ndim
        for axis, position in zip(axes, at, strict=True):
            index[axis] = slice(position, position + 1)
        if np.any(size[tuple(index)]):
            piece = np.zeros_like(size)
            piece[tuple(index)] = size[tuple(index)]
            yield piece


def _broadcast_axes(shape: tuple[int, ...], to: tuple[int, ...]) -> tuple[int, ...]:
    """The axes along which an array of one shape is repeated to fill another."""
    padded = (1,) * (len(to) - len(shape)) + shape
    return tuple(i for i, (a, b) in enumerate(zip(padded, to, strict=True)) if a != b)
