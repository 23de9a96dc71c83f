"""Programs: the NumPy calls that a function made once, made again in the same memory.

Calling upon small arrays takes longer than their numbers do. A *program* is what one run of a
function came to: each call, its operands, the array that took the result. Repeating it leaves out
the rest: the functions in between, finding memory, views (which are still there, of memory that is
filled anew), what is the same in every run, and what was worked out before. The bits are those of
the function itself, since the calls are.

A function can be a program if its calls depend on shapes alone. A part whose calls depend on
numbers is made `whole`: a program then calls that part, and not what it consists of. What else
would repeat numbers instead of calls raises `UnrepeatableError` where it can be told. Not all can:
what leaves an array through `np.array`, `np.float64` or a text comes back as a constant. So a
program is to be compared with its function on other numbers, all of them, before it is relied upon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

from velotrace.tape.calls import Call, in_little_memory, quickest
from velotrace.tape.trees import leaves, map_leaves
from velotrace.tape.watching import UnrepeatableError, Watched, Writer, running_writer


@dataclass(frozen=True, slots=True)
class Program:
    """What one run of a function of arrays came to.

    Attributes:
        inputs: memory for its arguments, by name.
        calls: in order.
        result: what it returned; every run fills anew what depends on an argument.
    """

    inputs: Mapping[str, np.ndarray]
    calls: tuple[Call, ...]
    result: Any

    def repeat(self, arguments: Mapping[str, Any]) -> Any:
        """Run it with other numbers.

        Args:
            arguments: by name, numbers or arrays of the shapes, types and layouts that the program
                was written with; not what an earlier run has returned.

        Returns:
            What the function would return; good until the next run, and not to be changed. One run
            at a time: threads would fill the same memory.

        Raises:
            ValueError: an argument has another shape or type, or what a whole part gives has.
        """
        for name, memory in self.inputs.items():
            given = arguments[name]
            if not isinstance(given, (int, float)) and (
                given.shape != memory.shape or given.dtype != memory.dtype
            ):
                wanted, got = (f"{x.dtype} of shape {x.shape}" for x in (memory, given))
                raise ValueError(f"{name} must be {wanted}, not {got}")
            memory[...] = given
        for call, operands in self.calls:
            call(*operands)
        return self.result


def program_of(function: Callable[[dict[str, Any]], Any], arguments: Mapping[str, Any]) -> Program:
    """Run a function and write down which calls it makes.

    Args:
        function: of arrays by name, in one dict. It returns an array, or dicts, lists and tuples of
            arrays, nested at will.
        arguments: numbers or arrays, to begin with.

    Returns:
        The program, which has run once.

    Raises:
        UnrepeatableError: the function asks which numbers an array holds, or the program does not
            give what the function has returned.

    Example:
        >>> double = program_of(lambda x: x["a"] + x["a"], {"a": np.array([1.0, 2.0])})
        >>> double.repeat({"a": np.array([3.0, 4.0])})
        array([6., 8.])
    """
    writer = Writer()
    inputs = {
        name: np.array(x, dtype=None if isinstance(x, np.ndarray) else np.float64)
        for name, x in arguments.items()
    }
    begin = {name: x.copy() for name, x in inputs.items()}
    token = running_writer.set(writer)
    try:
        returned = function({name: writer.watch(x) for name, x in inputs.items()})
    finally:
        running_writer.reset(token)
    first = map_leaves(_result, returned)
    planned, result = in_little_memory(inputs, writer.planned, first)
    program = Program(inputs, tuple(map(quickest, planned)), result)
    if not same_bits(program.repeat(begin), first):
        raise UnrepeatableError("the program does not give what the function has returned")
    return program


def _result(path: str, x: Any) -> np.ndarray:
    if isinstance(x, Watched):
        return x.plain
    if isinstance(x, (np.ndarray, np.generic, float, int)):
        return np.array(x)
    raise UnrepeatableError(f"the function returns {type(x).__name__}, no array ({path})")


def same_bits(one: Any, other: Any) -> bool:
    """Whether arrays, nested alike, have the same shapes, types and bits; NaN is NaN.

    Example:
        >>> same_bits([np.array(0.0)], [np.array(-0.0)])
        False
    """
    here, there = dict(leaves(one)), dict(leaves(other))
    return here.keys() == there.keys() and all(_same_bits(x, there[k]) for k, x in here.items())


def _same_bits(x: Any, y: Any) -> bool:
    x, y = np.asarray(x), np.asarray(y)
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    known = x == x  # not NaN
    return np.array_equal(known, y == y) and x[known].tobytes() == y[known].tobytes()


def whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let programs call a function, rather than the calls that it made when they were written.

    Args:
        function: of arrays, alone or in lists and tuples, and of whatever stays the same. It
            returns an array, of a shape and type that do not depend on numbers, changes none, and
            gives the same for the same.

    Returns:
        The function.

    Example:
        >>> @whole
        ... def sum_of_positive(x):
        ...     return x[x > 0.0].sum(keepdims=True)
        >>> program = program_of(lambda x: sum_of_positive(x["a"]), {"a": np.array([1.0, -2.0])})
        >>> program.repeat({"a": np.array([3.0, 4.0])})
        array([7.])
    """

    @wraps(function)
    def one_call(*args: Any, **kwargs: Any) -> Any:
        writer = running_writer.get()
        return function(*args, **kwargs) if writer is None else writer.call(function, args, kwargs)

    return one_call
