"""The calls of a program: as planned, in little memory, and in their quickest form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from velotrace.tape.trees import leaves, map_leaves

Call = tuple[Callable[..., Any], tuple[Any, ...]]  # what to call, with which operands

_NO_THIRD = frozenset({np.maximum, np.minimum})
"""Ufuncs to which memory for the result is given by keyword only, which takes longer."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One call of a program.

    Attributes:
        call: a ufunc, a method of one, or any function that returns an array.
        args: arrays and constants, nested in lists and tuples at will.
        into: the array that takes the result.
        kwargs: likewise by name.
    """

    call: Callable[..., Any]
    args: tuple[Any, ...]
    into: np.ndarray
    kwargs: Mapping[str, Any]

    @property
    def operands(self) -> list[np.ndarray]:
        """The arrays that it reads."""
        return arrays_of((self.args, self.kwargs))


def quickest(planned: Planned) -> Call:
    """The form in which a call takes the least time."""
    call, args, into, kwargs = planned.call, planned.args, planned.into, planned.kwargs
    if call is np.copyto:
        return into.__setitem__, (..., *args)  # takes half as long as np.copyto
    if call is np.dot or (isinstance(call, np.ufunc) and not kwargs and call not in _NO_THIRD):
        return call, (*args, into)
    if call == np.add.reduce and kwargs.keys() == {"axis"}:
        return call, (*args, kwargs["axis"], None, into)
    if isinstance(getattr(call, "__self__", call), np.ufunc):  # such as np.maximum, np.add.reduce
        return partial(call, **kwargs, out=into), args
    return _put, (into, call, args, kwargs)


def _put(into: np.ndarray, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
    result = function(*args, **kwargs)
    if result.shape != into.shape or result.dtype != into.dtype:
        was, now = (f"{x.dtype} of shape {x.shape}" for x in (into, result))
        raise ValueError(f"{function.__name__} gives {now}; when the program was written, {was}")
    into[...] = result


def in_little_memory(
    inputs: Mapping[str, np.ndarray], planned: Sequence[Planned], result: Any
) -> tuple[list[Planned], Any]:
    """Put results where others were that nothing reads any more, so that memory is near at hand.

    Args:
        inputs: memory that stays where it is.
        planned: all calls, in order.
        result: arrays that must outlive them, nested at will.

    Returns:
        The same calls and result, of other memory.
    """
    last: dict[int, int] = {}  # when memory is used for the last time
    for when, one in enumerate(planned):
        last |= {id(owner_of(x)): when for x in (*one.operands, one.into)}
    last |= {id(owner_of(x)): len(planned) for x in arrays_of(result)}

    free: dict[int, list[np.ndarray]] = defaultdict(list)  # by its size
    place: dict[int, np.ndarray] = {}
    kept = {id(x) for x in inputs.values()}
    for when, one in enumerate(planned):
        owner = owner_of(one.into)
        if id(owner) not in place and id(owner) not in kept:
            blocks = free[owner.nbytes]
            place[id(owner)] = blocks.pop() if blocks else np.empty(owner.nbytes, np.uint8)
        for used in {id(owner_of(x)) for x in (*one.operands, one.into)}:
            if used in place and last[used] == when:
                free[place[used].nbytes].append(place[used])

    def moved(_: str, x: Any) -> Any:
        if not isinstance(x, np.ndarray) or id(owner_of(x)) not in place:
            return x
        offset = address_of(x) - address_of(owner_of(x))
        return np.ndarray(x.shape, x.dtype, place[id(owner_of(x))], offset, x.strides)

    calls = [
        replace(
            one,
            args=map_leaves(moved, one.args),
            into=moved("", one.into),
            kwargs=map_leaves(moved, one.kwargs),
        )
        for one in planned
    ]
    return calls, map_leaves(moved, result)


def arrays_of(tree: Any) -> list[np.ndarray]:
    """Those nested in dicts, lists and tuples."""
    return [x for _, x in leaves(tree) if isinstance(x, np.ndarray)]


def owner_of(x: np.ndarray) -> np.ndarray:
    """The array whose memory this one looks at."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x


def address_of(x: np.ndarray) -> int:
    """Where its first number is."""
    address: int = x.__array_interface__["data"][0]
    return address
