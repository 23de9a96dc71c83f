"""Programs: the NumPy calls that a function made once, made again in the same memory.

Calling upon small arrays takes longer than their numbers do. A *program* is what one run of a
function came to: each call, its operands, the array that took the result. Repeating it leaves out
the rest: the functions in between, finding memory, views (which are still there, of memory that is
filled anew), what is the same in every run, and what was worked out before. The bits are those of
the function itself, since the calls are.

A function can be a program if its calls depend on shapes alone. A part whose calls depend on
numbers is made `whole`: a program then calls that part, and not what it consists of. What else
would repeat numbers instead of calls raises `UnrepeatableError`, as far as can be told: where NumPy
copies without asking, as `np.array` does, the copy looks like a constant. So a program is to be
compared with its function on other numbers before it is relied upon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

from velotrace.tape.calls import Call, in_little_memory, quickest
from velotrace.tape.trees import map_leaves
from velotrace.tape.watching import Watched, Writer, running_writer


@dataclass(frozen=True, slots=True)
class Program:
    """What one run of a function of arrays came to.

    Attributes:
        inputs: memory for its arguments, by name.
        calls: in order.
        result: what it returns, in memory that every run fills; no run has as yet.
    """

    inputs: Mapping[str, np.ndarray]
    calls: tuple[Call, ...]
    result: Any

    def repeat(self, arguments: Mapping[str, Any]) -> Any:
        """Run it with other numbers.

        Args:
            arguments: by name, of the shapes that the program was made with.

        Returns:
            What the function would return; good until the next run.
        """
        for name, memory in self.inputs.items():
            memory[...] = arguments[name]
        for call, operands in self.calls:
            call(*operands)
        return self.result


def program_of(function: Callable[[dict[str, Any]], Any], arguments: Mapping[str, Any]) -> Program:
    """Run a function and write down which calls it makes.

    Args:
        function: of arrays by name, in one dict. It returns an array, or dicts, lists and tuples of
            arrays, nested at will.
        arguments: to begin with.

    Returns:
        The program.

    Raises:
        UnrepeatableError: the function asks which numbers an array holds, or does what cannot be
            told from a constant.

    Example:
        >>> double = program_of(lambda x: x["a"] + x["a"], {"a": np.array([1.0, 2.0])})
        >>> double.repeat({"a": np.array([3.0, 4.0])})
        array([6., 8.])
    """
    writer = Writer()
    inputs = {name: np.array(x) for name, x in arguments.items()}
    token = running_writer.set(writer)
    try:
        returned = function({name: writer.watch(x) for name, x in inputs.items()})
    finally:
        running_writer.reset(token)
    result = map_leaves(lambda _, x: x.plain if isinstance(x, Watched) else x, returned)
    planned, result = in_little_memory(inputs, writer.planned, result)
    return Program(inputs, tuple(map(quickest, planned)), result)


def whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let programs call a function, rather than the calls that it made when they were written.

    Args:
        function: of arrays, alone or in lists and tuples, and of whatever stays the same; it
            returns an array and changes none.

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
