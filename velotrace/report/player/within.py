"""Which dimension each axis of an unnamed operation's result is."""

from __future__ import annotations

from collections.abc import Mapping

from velotrace.selection import dims_of
from velotrace.tape import Tape
from velotrace.tape.entries import Entry
from velotrace.walkthrough import Trace

Dims = tuple[str, ...]

ONE = "one"
"""An axis of length 1 that only lines an array up with others."""


def dims_inside(trace: Trace) -> Mapping[int, Dims]:
    """The dimensions of every entry of a trace's tape, by ordinal.

    Named values know theirs. Between them axes are counted from the end, so an operation that
    keeps the number of axes lines its inputs up from the right, one that has fewer has dropped
    the last ones, and one that has more has added the states.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> made = trace()
        >>> inside = dims_inside(made)
        >>> inside[made.tape["log_likelihood"].forward - 1]
        ('cell', 'gene')
    """
    found: dict[int, Dims] = {}
    for entry in trace.tape.entries:
        found[entry.forward] = (
            dims_of(trace, entry.name)
            if entry.name is not None
            else _dims(trace.tape, entry, found)
        )
    return found


def _dims(tape: Tape, entry: Entry, known: Mapping[int, Dims]) -> Dims:
    inputs = [edge.source for edge in entry.inputs if edge.source is not None]
    axes, most = entry.value.ndim, max((len(known[at]) for at in inputs), default=0)
    if entry.operation == "matmul":
        return ("cell", "unit")
    if axes < most:
        return known[max(inputs, key=lambda at: len(known[at]))][:axes]
    if axes > most:
        last = "state" if entry.value.shape[-1] == 4 else ONE
        before = known[inputs[0]] if inputs else ()
        return (*before, last) if entry.operation != "reshape" else ("cell", "gene", "state")
    lined_up = [_axis(tape, entry, known, axis - axes, inputs) for axis in range(axes)]
    return tuple(lined_up)


def _axis(tape: Tape, entry: Entry, known: Mapping[int, Dims], axis: int, inputs: list[int]) -> str:
    """Which dimension an axis is, counted from the end: that of an input as long there."""
    long = entry.value.shape[axis]
    for at in inputs:
        shape = tape.entries[at].value.shape
        if len(shape) >= -axis and shape[axis] == long:
            return known[at][axis]
    return "state" if long == 4 else "unit"
