"""Name values, run a function under autograd, and walk the graph backwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import Any

import numpy as np
from autograd.core import add_outgrads, sparse_object_types, vspace
from autograd.tracer import isbox, new_box, trace_stack
from autograd.util import toposort

from velotrace.tape.entries import Edge, Entry, Pullback, Tape
from velotrace.tape.interventions import Cut, Intervention, Shift, broadcast, intervened
from velotrace.tape.node import RecordingNode, Session, running_session
from velotrace.tape.primitives import defvjp, primitive
from velotrace.tape.trees import map_leaves

_FLOAT64 = np.dtype(np.float64)
Array = Any  # inside a recording an array is an autograd box; outside, a NumPy array


def named(x: Array, name: str) -> Array:
    """Give a value its name; the identity.

    Everything downstream must use what this returns: under an intervention it is another value.
    Outside `record` and `evaluate` it returns `x` itself at no cost.

    Args:
        x: a value of the running computation, or a constant.
        name: its name, once per run.

    Returns:
        The value, or what an intervention puts in its place.

    Raises:
        ValueError: two values of one run are given the same name.
    """
    session = running_session.get()
    if session is None:
        return x
    values = session.values
    if name in values:
        raise ValueError(f"two values are named {name!r}; a name can be given once per run")
    if session.trace is None:
        if not isinstance(x, np.ndarray) or x.dtype is not _FLOAT64:
            x = _widened(x)
        if name in session.interventions:
            x = intervened(x, session.interventions[name])
        values[name] = x
        return x
    change = session.interventions.get(name)
    if not isbox(x):
        x = _constant(session, x)
    if not isinstance(x._node, RecordingNode):
        raise TypeError(f"{name!r} is named inside another derivative; name it outside of it")
    if change is not None:
        x = _recorded_intervention(session, x, change)
    if x._node.name is not None:
        x = _same(x)  # a second name for one value needs an entry of its own
    x._node.name = name
    values[name] = x._node
    return x


def _widened(x: Any) -> np.ndarray:
    """An array; a shorter or longer float as float64."""
    x = x if isinstance(x, np.ndarray) else np.asarray(x)  # a program's array stays one
    return x.astype(np.float64) if x.dtype.char in "efg" else x


def _constant(session: Session, x: Any) -> Array:
    x = np.asarray(x)
    if x.dtype.kind == "f":
        x = x.astype(np.float64)
    node = RecordingNode.source(session, x, "constant")
    return new_box(node.value, session.trace, node)


def _recorded_intervention(session: Session, x: Array, change: Intervention) -> Array:
    if isinstance(change, Shift):
        return x + change.by
    value = x._value if isinstance(change, Cut) else broadcast(change.value, np.asarray(x._value))
    if change.where is not None:
        where = broadcast(change.where, np.asarray(x._value)).astype(bool)
        return cut(x, where) if isinstance(change, Cut) else replaced(x, value, where)
    node = RecordingNode.source(session, value, "cut" if isinstance(change, Cut) else "replaced")
    node.inputs = (x._node,)  # the graph still shows where it came from; no gradient follows
    node.has_path = x._node.has_path  # what had no derivative before has none now
    return new_box(node.value, session.trace, node)


@primitive
def _same(x: Array) -> Array:
    return x


defvjp(_same, lambda ans, x: lambda g: g)


@primitive
def replaced(x: Array, value: np.ndarray, where: np.ndarray) -> Array:
    """Some components of a named value replaced; the others keep their past."""
    return np.where(where, value, x)


@primitive
def cut(x: Array, where: np.ndarray) -> Array:
    """A named value, some components of which are cut from their past."""
    return x


defvjp(replaced, lambda ans, x, value, where: lambda g: np.where(where, 0.0, g), argnums=[0])
defvjp(cut, lambda ans, x, where: lambda g: np.where(where, 0.0, g), argnums=[0])


def record(
    function: Callable[[Any], Any],
    parameters: Any,
    interventions: Mapping[str, Intervention] | None = None,
) -> Tape:
    """Run a function forward and backward once and keep everything.

    Args:
        function: takes `parameters`, returns one real number. Any function that autograd can
            differentiate.
        parameters: an array, or dicts, lists and tuples of arrays, nested at will. Each array
            becomes an entry named by its path, such as 'alpha' or 'encoder.0.W'.
        interventions: by name, what to change in this run.

    Returns:
        The tape.

    Raises:
        TypeError: a parameter is not real, or the result is not one real number.
        KeyError: an intervention names a value that does not occur.
    """
    with trace_stack.new_trace() as trace:
        session = Session(interventions, trace)
        token = running_session.set(session)
        try:
            boxed = map_leaves(partial(_parameter, session), parameters)
            result = function(boxed)
        finally:
            running_session.reset(token)
    session.check_all_met()
    if not isbox(result) or not isinstance(result._node, RecordingNode):
        raise TypeError("the function's result does not depend on its parameters")
    value = result._node.value
    if value.shape != () or value.dtype.kind != "f":
        given = f"{value.dtype} of shape {value.shape}"
        raise TypeError(f"the function must return one real number, not {given}")
    return _run_backward(session, result._node)


def _parameter(session: Session, name: str, x: Any) -> Array:
    value = np.asarray(x)
    if value.dtype.kind not in "fiu":
        raise TypeError(f"parameter {name!r} must be real numbers, not {value.dtype}")
    node = RecordingNode.source(session, value.astype(np.float64), "parameter")
    box = new_box(node.value, session.trace, node)
    change = session.interventions.get(name)
    if change is not None:
        box = _recorded_intervention(session, box, change)
    box._node.name = name
    session.values[name] = box._node
    return box


def _run_backward(session: Session, end: RecordingNode) -> Tape:
    """autograd's `backward_pass`, keeping what it throws away."""
    gathered: dict[Any, Any] = {end: (np.ones(()), False)}
    adjoints: dict[int, np.ndarray] = {}
    contributions: dict[int, list[np.ndarray]] = {}
    ordinals: dict[int, int] = {}
    reached = toposort(end) if end.has_path else ()
    for ordinal, node in enumerate(reached):
        adjoint = gathered.pop(node)[0]
        adjoints[node.forward] = np.array(adjoint, dtype=np.float64)
        ordinals[node.forward] = ordinal
        along = contributions[node.forward] = []
        for parent, part in zip(node.parents, node.vjp(adjoint), strict=True):
            gathered[parent] = add_outgrads(gathered.get(parent), part)
            along.append(_dense(part, parent.value))
    entries = tuple(_entry(node, adjoints, contributions, ordinals) for node in session.nodes)
    pullbacks = tuple(_pullback(node) if node.parents else None for node in session.nodes)
    return Tape(entries, end.forward, pullbacks)


def _pullback(node: RecordingNode) -> Pullback:
    def pullback(adjoint: np.ndarray) -> tuple[tuple[int, np.ndarray], ...]:
        parts = zip(node.parents, node.vjp(adjoint), strict=True)
        return tuple((parent.forward, _dense(part, parent.value)) for parent, part in parts)

    return pullback


def _dense(part: Any, like: np.ndarray) -> np.ndarray:
    if type(part) in sparse_object_types:  # what indexing sends back
        return np.asarray(part.mut_add(vspace(like).zeros()))
    return np.array(part, dtype=np.float64)


def _entry(
    node: RecordingNode,
    adjoints: dict[int, np.ndarray],
    contributions: dict[int, list[np.ndarray]],
    ordinals: dict[int, int],
) -> Entry:
    along = iter(contributions.get(node.forward, ()))
    flowing = {id(parent) for parent in node.parents}
    reached = node.forward in adjoints
    recorded = dict(zip(node.argnums, node.inputs, strict=False))
    edges = []
    if node.argnums:
        for position, argument in enumerate(node.args):
            source = recorded.get(position)
            if source is None:
                edges.append(Edge(position, None, _copied(argument), None))
            else:
                part = next(along) if reached and id(source) in flowing else None
                edges.append(Edge(position, source.forward, None, part))
    else:
        edges = [Edge(0, source.forward, None, None) for source in node.inputs]
    return Entry(
        node.forward,
        ordinals.get(node.forward),
        node.operation,
        node.name,
        tuple(edges),
        node.value,
        adjoints.get(node.forward),
        _where(*node.line),
    )


@lru_cache(maxsize=4096)
def _where(code: CodeType | None, line: int) -> str:
    return f"{Path(code.co_filename).name}:{line}" if code is not None else ""


def _copied(x: Any) -> Any:
    return np.array(x) if isinstance(x, np.ndarray) else x


@dataclass(frozen=True)
class Evaluation:
    """What one plain run gave: the result and every named value, without derivatives."""

    value: Any
    values: Mapping[str, np.ndarray]


def evaluate(
    function: Callable[[Any], Any],
    parameters: Any,
    interventions: Mapping[str, Intervention] | None = None,
) -> Evaluation:
    """Run a function in plain NumPy, collecting its named values.

    This is what finite differences of any named value are made of: the same function, one named
    value shifted.

    Args:
        function: as for `record`, but it may return anything.
        parameters: as for `record`.
        interventions: by name, what to change in this run.

    Returns:
        The result and the named values.

    Raises:
        KeyError: an intervention names a value that does not occur.

    Example:
        >>> evaluate(lambda p: named(p["x"] + 1.0, "y") * 2.0, {"x": 1.0}, {"y": Shift(1)}).value
        np.float64(6.0)
    """
    session = Session(interventions, None)
    token = running_session.set(session)
    try:
        plain = map_leaves(partial(_plain_parameter, session), parameters)
        value = function(plain)
    finally:
        running_session.reset(token)
    session.check_all_met()
    return Evaluation(value, MappingProxyType(session.values))


def named_values(
    function: Callable[..., Any], *arguments: Any
) -> tuple[Any, Mapping[str, np.ndarray]]:
    """Run a function in plain NumPy and hand back its result and what it names on the way.

    The quickest run there is, for a backward pass by hand; `evaluate` can also intervene, and
    counts the parameters among the named values.

    Args:
        function: of any arguments.
        arguments: handed on as they are.

    Returns:
        The result, and the named values in order of computation.

    Example:
        >>> named_values(lambda x: named(x + 1.0, "y") * 2.0, 1.0)
        (np.float64(4.0), {'y': array(2.)})
    """
    session = Session(None, None)
    token = running_session.set(session)
    try:
        result = function(*arguments)
    finally:
        running_session.reset(token)
    return result, session.values


def _plain_parameter(session: Session, name: str, x: Any) -> np.ndarray:
    value = np.asarray(x, dtype=np.float64)
    change = session.interventions.get(name)
    if change is not None:
        value = intervened(value, change)
    session.values[name] = value
    return value
