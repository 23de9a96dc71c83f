"""The node class: autograd's own, which also remembers how it came about."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any

import autograd
import autograd.numpy
import numpy as np
from autograd.core import VJPNode, primitive_vjps
from autograd.tracer import notrace_primitives, register_notrace

from velotrace.tape.interventions import Intervention


class Session:
    """What `named` needs to know while a function runs: where to note, and what to change."""

    def __init__(self, interventions: Mapping[str, Intervention] | None, trace: int | None):
        self.interventions = dict(interventions or {})
        self.trace = trace
        self.nodes: list[RecordingNode] = []
        self.values: dict[str, Any] = {}  # name -> node while recording, else -> value

    def check_all_met(self) -> None:
        """Raise KeyError where an intervention names a value that did not occur."""
        missing = [name for name in self.interventions if name not in self.values]
        if missing:
            known = ", ".join(self.values)
            raise KeyError(f"no value named {missing[0]!r} to intervene on; named are: {known}")


# The one piece of context: which run `named` speaks to. It is set and reset by `record` and
# `evaluate` around the call, is local to thread and task, and holds nothing between runs.
running_session: ContextVar[Session | None] = ContextVar("velotrace_tape_session", default=None)


class RecordingNode(VJPNode):
    """autograd's node, which also remembers how it came about.

    `parents` are only the inputs that gradients flow to, as autograd's order wants; `inputs` are
    all recorded ones.
    """

    __slots__ = (
        "argnums",
        "args",
        "forward",
        "has_path",
        "inputs",
        "line",
        "name",
        "operation",
        "session",
        "value",
    )

    def __init__(
        self,
        value: Any,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        parent_argnums: tuple[int, ...],
        parents: tuple[RecordingNode, ...],
    ):
        session = parents[0].session
        self._enter(session, value, fun.__name__)
        self.inputs, self.args, self.argnums = parents, args, parent_argnums
        flowing = [(n, p) for n, p in zip(parent_argnums, parents, strict=True) if p.has_path]
        self.has_path: bool = bool(flowing) and fun not in notrace_primitives[VJPNode]
        # `parents` and `vjp` have their slots in VJPNode, which has no types
        self.parents = tuple(p for _, p in flowing) if self.has_path else ()  # type: ignore[misc]
        if not self.has_path:
            return
        try:
            make_vjp = primitive_vjps[fun]
        except KeyError:
            raise NotImplementedError(f"autograd has no derivative for {fun.__name__}") from None
        argnums = tuple(n for n, _ in flowing)
        self.vjp = make_vjp(argnums, value, args, kwargs)  # type: ignore[misc]

    @classmethod
    def source(cls, session: Session, value: Any, operation: str) -> RecordingNode:
        """A node without inputs: a parameter, a constant, or a value cut from its past."""
        node = cls.__new__(cls)
        node._enter(session, value, operation)
        node.inputs = node.args = node.argnums = ()
        node.parents = ()  # type: ignore[misc]
        node.has_path = operation != "constant" and node.value.dtype.kind == "f"
        node.vjp = lambda g: ()
        return node

    def _enter(self, session: Session, value: Any, operation: str) -> None:
        self.session, self.operation, self.name = session, operation, None
        self.value = np.array(value)  # a copy: the caller may overwrite its array later
        self.line = _line_of_caller(sys._getframe(2))
        self.forward = len(session.nodes)
        session.nodes.append(self)


for _function in tuple(notrace_primitives[VJPNode]):
    register_notrace(RecordingNode, _function)


_OWN_FILES = tuple(str(Path(file).parent) + os.sep for file in (autograd.__file__, __file__))


def _line_of_caller(frame: FrameType | None) -> tuple[Any, int]:
    """The innermost frame outside autograd and this module, as (code, line)."""
    while frame is not None and frame.f_code.co_filename.startswith(_OWN_FILES):
        frame = frame.f_back
    return (frame.f_code, frame.f_lineno) if frame is not None else (None, 0)
