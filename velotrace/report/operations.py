"""The primitive operations inside a step, read off the tape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from velotrace.report.steps import Step
from velotrace.walkthrough import Trace


@dataclass(frozen=True)
class Sent:
    """What an operation sends back to one of its inputs.

    Attributes:
        source: ordinal of the input.
        to: its label: a name, or '#' and the ordinal.
        contribution: upstream × local derivative, of the input's shape.
        towards: whether the input lies on the way to the step's value.
    """

    source: int
    to: str
    contribution: np.ndarray
    towards: bool


@dataclass(frozen=True)
class Operation:
    """One primitive operation inside a step.

    Attributes:
        ordinal: on the tape, in forward order.
        operation: the primitive's name.
        label: its name, or '#' and the ordinal.
        inputs: labels of its inputs; a constant shows its value.
        value: forward what came out, backward its adjoint; None where it has none.
        sent: backward, what flows on; empty forward.
        line: 'file:line' of the code that asked for it.
    """

    ordinal: int
    operation: str
    label: str
    inputs: tuple[str, ...]
    value: np.ndarray | None
    sent: tuple[Sent, ...]
    line: str


def operations(trace: Trace, step: Step) -> tuple[Operation, ...]:
    """The primitive operations inside one step.

    Args:
        trace: that the step is of.
        step: either kind.

    Returns:
        Forward: from the value's inputs to itself, in the order of computation. Backward: from
        the values that send it a gradient down to it, in the order of the backward pass; what
        they send to the value itself sums to its gradient.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> from velotrace.report.steps import steps
        >>> made = trace()
        >>> u_switch = next(step for step in steps(made) if step.name == "u_switch")
        >>> [(op.operation, op.inputs) for op in operations(made, u_switch)]
        [('divide', ('alpha', 'beta'))]
    """
    if step.phase == "forward":
        return tuple(_operation(trace, at) for at in _inside(trace, step.name))
    towards = _towards(trace, step.name)
    after = sorted(towards[1:], key=lambda at: trace.tape.entries[at].backward or 0)
    return tuple(_operation(trace, at, frozenset(towards)) for at in after)


def _inside(trace: Trace, name: str) -> list[int]:
    """Ordinals of the operations that a named value is made of, itself included."""
    entries, start = trace.tape.entries, trace.tape[name].forward
    found, waiting = {start}, [start]
    while waiting:
        for edge in entries[waiting.pop()].inputs:
            if edge.source is not None and entries[edge.source].name is None:
                if edge.source not in found:
                    waiting.append(edge.source)
                found.add(edge.source)
    return sorted(found)


def _towards(trace: Trace, name: str) -> list[int]:
    """Ordinals of a value and of all with a gradient between it and the named ones after it."""
    start = trace.tape[name].forward
    found = [start]
    for entry in trace.tape.entries[start + 1 :]:
        sources = {e.source for e in entry.inputs if e.contribution is not None}
        before = sources & set(found)
        if entry.adjoint is not None and any(
            at == start or trace.tape.entries[at].name is None for at in before if at is not None
        ):
            found.append(entry.forward)
    return found


def _operation(trace: Trace, at: int, towards: frozenset[int] | None = None) -> Operation:
    entry = trace.tape.entries[at]
    sent = () if towards is None else tuple(_sent(trace, at, towards))
    return Operation(
        at,
        entry.operation,
        _label(trace, at),
        tuple(_label(trace, e.source, e.value) for e in entry.inputs),
        entry.value if towards is None else entry.adjoint,
        sent,
        entry.line,
    )


def _sent(trace: Trace, at: int, towards: frozenset[int]) -> Iterator[Sent]:
    for edge in trace.tape.entries[at].inputs:
        if edge.source is not None and edge.contribution is not None:
            to = _label(trace, edge.source)
            yield Sent(edge.source, to, edge.contribution, edge.source in towards)


def _label(trace: Trace, source: int | None, constant: Any = None) -> str:
    if source is not None:
        return trace.tape.entries[source].name or f"#{source}"
    if isinstance(constant, np.ndarray) and constant.ndim:
        return f"array of {' × '.join(map(str, constant.shape))}"
    if isinstance(constant, (int, float, np.number)) and not isinstance(constant, bool):
        return f"{constant:g}"
    return str(constant)
