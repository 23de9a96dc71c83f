"""Writing a program: arrays that tell what is done with them, and who writes it down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import numpy as np

from velotrace.tape.calls import Planned, address_of, arrays_of, owner_of
from velotrace.tape.trees import map_leaves

_EXACT = frozenset(
    {np.add, np.subtract, np.multiply, np.divide, np.negative, np.absolute, np.square, np.sqrt}
    | {np.maximum, np.minimum, np.equal, np.greater, np.greater_equal, np.less, np.less_equal}
)
"""Real numbers are rounded as IEEE 754 says, whichever loop NumPy chooses by how they lie."""

_FILLED = frozenset({np.zeros_like, np.ones_like, np.full_like})
"""What gives a new array to be changed, even if one like it was given before."""

_UNSAID = {"dtype": None, "keepdims": False, "where": True}
"""What a method such as `x.sum()` tells a ufunc of which nothing was said."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class UnrepeatableError(TypeError):
    """A function does what a program cannot do again with other numbers."""


class Watched(np.ndarray):
    """An array of a function that is becoming a program: what is done with it is written down."""

    @property
    def plain(self) -> np.ndarray:
        """The same memory, unwatched."""
        return self.view(np.ndarray)

    def __array_finalize__(self, source: Any) -> None:
        """Let views pass; refuse copies that no call made, such as `x[[0, 2]]`."""
        if isinstance(source, Watched) and owner_of(self) is not owner_of(source):
            raise UnrepeatableError("part of an array was copied: take a view, or make it whole")

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any
    ) -> Watched:
        """Write down a ufunc's call, or that of its method."""
        return _writer().ufunc(ufunc, method, inputs, settings)

    def __array_function__(
        self, function: Any, types: Any, args: Iterable[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Write down any other call."""
        return _writer().function(function, tuple(args), kwargs)

    def __getattribute__(self, name: str) -> Any:
        """Refuse what tells numbers, or changes them, without a call that could be written down."""
        if name in _UNTOLD:
            raise UnrepeatableError(f"{name} of an array cannot be repeated: make it whole")
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse another shape, real part or whatever is set so."""
        raise UnrepeatableError(f"{name} of an array is set: make it whole")

    def __getitem__(self, where: Any) -> Any:
        """A view, even of one number, which would otherwise be taken out of its array."""
        part = super().__getitem__(where)
        if isinstance(part, np.ndarray):
            return part
        return super().__getitem__((*(where if isinstance(where, tuple) else (where,)), ...))

    def __setitem__(self, where: Any, numbers: Any) -> None:
        """Write down that a part of the array takes other numbers."""
        where = where if isinstance(where, tuple) else (where,)
        part = self.plain[where]
        if not isinstance(part, np.ndarray):
            part = self.plain[(*where, ...)]
        if owner_of(part) is not owner_of(self):
            raise UnrepeatableError("what is changed is no view of an array: make it whole")
        _writer().change(part, numbers)

    def copy(self, order: Any = "C") -> Watched:
        """A copy, row after row."""
        if order != "C":
            raise UnrepeatableError("a program copies row after row only")
        return _writer().copy(self, self.shape)

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise UnrepeatableError("what follows depends on an array's numbers: make it whole")

    __bool__ = __float__ = __int__ = __index__ = _refuse
    __format__ = __reduce__ = __reduce_ex__ = _refuse


_UNTOLD = (
    {"argmax", "argmin", "argpartition", "argsort", "nonzero", "searchsorted"}
    | {"ctypes", "data", "dot", "dump", "dumps", "flat", "imag", "item", "real", "trace"}
    | {"tobytes", "tofile", "tolist"}
    | {"byteswap", "fill", "partition", "put", "resize", "setfield", "sort"}
)
"""Attributes of an array by which numbers leave it or enter it unseen."""


# The one piece of context, as in `node`: set and reset around the run that becomes a program.
running_writer: ContextVar[Writer | None] = ContextVar("velotrace_tape_writer", default=None)


def _writer() -> Writer:
    writer = running_writer.get()
    if writer is None:
        raise UnrepeatableError("an array of a program is used after the run that wrote it")
    return writer


class Writer:
    """Writes down calls, each once.

    Attributes:
        planned: the calls so far.
    """

    def __init__(self) -> None:
        self.planned: list[Planned] = []
        self._watched: dict[int, np.ndarray] = {}  # owners of watched memory by their ids
        self._kept: list[Any] = []  # so that their ids stay theirs
        self._done: dict[Any, tuple[set[int], Watched]] = {}  # results, and owners they rest on
        self._shared: set[int] = set()  # owners of results that were wanted twice

    def watch(self, array: np.ndarray) -> Watched:
        """The same array, watched."""
        owner = owner_of(array)
        self._watched[id(owner)] = owner
        return array.view(Watched)

    def ufunc(
        self, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Watched:
        """Call a ufunc or a method of it."""
        if ufunc.nout != 1 or method == "at":
            raise UnrepeatableError(f"{ufunc.__name__} is called for other than one new array")
        (into,) = kwargs.pop("out", None) or (None,)
        kwargs = {name: x for name, x in kwargs.items() if _UNSAID.get(name, ...) is not x}
        if arrays_of(kwargs):
            raise UnrepeatableError(f"{ufunc.__name__} is told places by an array: use np.where")
        call = ufunc if method == "__call__" else getattr(ufunc, method)
        operands = self._operands(inputs)
        if into is not None:
            self._check_may_change(into)
            self._plan_ufunc(call, operands, into.plain, kwargs)
            self._forget(into)
            return into
        key = (call, self._identity(operands), self._identity(kwargs))
        if key in self._done:
            return self._again(key)
        return self._keep(key, operands, self._plan_ufunc(call, operands, None, kwargs))

    def function(self, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call one of NumPy's functions; a view that it gives is there in every run."""
        if function in (np.ndim, np.shape, np.size):
            return function(*_plain(args), **kwargs)
        if function is np.empty_like:
            return self.watch(np.empty_like(*_plain(args), **_plain(kwargs)))
        return self.call(function, args, kwargs, views=True)

    def call(
        self, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], views: bool = False
    ) -> Any:
        """Call any function of which every run is to have the result, unless that may be a view."""
        given = arrays_of((args, kwargs))
        watched = [x for x in given if isinstance(x, Watched)]
        if not watched:
            return function(*args, **kwargs)
        args, kwargs = map_leaves(self._constant_array, (args, dict(kwargs)))
        key = (function, self._identity(args), self._identity(kwargs))
        if key in self._done and function not in _FILLED:
            return self._again(key)
        result = self._called(function, args, kwargs)
        if not isinstance(result, (np.ndarray, np.generic)):
            raise UnrepeatableError(f"{function.__name__} returns no array")
        result = np.asarray(result)
        if views and any(owner_of(result) is owner_of(x) for x in watched):
            return self._view(function, result, len(watched))
        result = np.array(result)  # memory of its own: a whole part may give back what it was given
        joins = function is np.concatenate and kwargs.keys() <= {"axis"} and len(args) == 1
        if joins and all(isinstance(part, np.ndarray) for part in args[0]):
            self._plan_parts(result, args[0], kwargs.get("axis", 0))
        else:
            self._plan(function, args, result, kwargs)
        return self._keep(key, given, result)

    def change(self, part: np.ndarray, numbers: Any) -> None:
        """Put other numbers into an array, or into a part of it."""
        self._check_may_change(part.view(Watched))
        source = numbers if isinstance(numbers, Watched) else self._constant(numbers)
        part[...] = _plain(source)
        self._plan(np.copyto, (source,), part)
        self._forget(part)

    def copy(self, x: Watched, shape: tuple[int, ...]) -> Watched:
        """A copy in this shape, its numbers row after row."""
        key = (np.copyto, self._identity(x), shape)
        if key in self._done:
            return self._again(key)
        copy, source = np.empty(shape, x.dtype), np.broadcast_to(x.plain, shape)
        np.copyto(copy, source)
        self._plan(np.copyto, (source,), copy)
        return self._keep(key, [x], copy)

    def _view(self, function: Any, result: np.ndarray, watched: int) -> Watched:
        if watched > 1 or function is np.trim_zeros:
            raise UnrepeatableError(f"{function.__name__} views what depends on numbers")
        return result.view(Watched)

    # ---- how a call is planned --------------------------------------------------------------

    def _plan_ufunc(
        self, call: Any, operands: tuple[Any, ...], into: np.ndarray | None, kwargs: dict[str, Any]
    ) -> np.ndarray:
        """Call it now, and plan it in a form of its operands that is quick."""
        result = np.asarray(call(*_plain(operands), out=into, **kwargs))
        if call in _EXACT and not kwargs and result.flags.c_contiguous:
            # rows take a third of the time
            rows = tuple(
                self._row(x, result.shape) if getattr(x, "ndim", 0) else x for x in operands
            )
            self._plan(call, rows, result.reshape(-1))
        elif call is np.matmul and not kwargs and _as_dot(_plain(operands), result):
            self._plan(np.dot, tuple(x[0] for x in operands), result[0])
        else:
            self._plan(call, operands, result, kwargs)
        return result

    def _row(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The numbers of an array of this shape in a row: where they lie, if evenly, or copied."""
        if x.shape == shape:
            row = _plain(x).reshape(-1)
            if owner_of(row) is owner_of(x):
                return row
        if not isinstance(x, Watched):
            return np.broadcast_to(x, shape).reshape(-1)
        return self.copy(x, shape).plain.reshape(-1)

    def _plan_parts(self, into: np.ndarray, parts: Iterable[Any], axis: int | None) -> None:
        """Copy one array after the other, which takes less time than `np.concatenate`."""
        if axis is None:
            axis, parts = 0, [part.reshape(-1) for part in parts]
        into, start = np.moveaxis(into, axis, 0), 0
        for part in parts:
            source = np.moveaxis(_plain(part), axis, 0)
            self._plan(np.copyto, (source,), into[start : start + len(source)])
            start += len(source)

    def _plan(
        self, call: Any, args: tuple[Any, ...], into: np.ndarray, kwargs: Any = _NOTHING
    ) -> None:
        self.planned.append(Planned(call, _plain(args), into, _plain(kwargs)))

    # ---- what stays the same, what was done before, what changes ----------------------------

    def _operands(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Constants as arrays, which are quicker: beside float64, where a number is as good."""
        arrays = [x for x in inputs if isinstance(x, (np.ndarray, np.generic))]
        if all(x.dtype == np.float64 for x in arrays):
            return tuple(x if isinstance(x, Watched) else self._constant(x) for x in inputs)
        return tuple(self._constant_array("", x) for x in inputs)

    def _constant_array(self, _: str, x: Any) -> Any:
        return self._constant(x) if type(x) is np.ndarray else x

    def _constant(self, x: Any) -> np.ndarray:
        """A copy of what stays as it is; refuse what is watched memory in disguise."""
        if id(owner_of(np.asarray(x))) in self._watched:
            raise UnrepeatableError("np.asarray hides an array from its program: leave it out")
        return np.array(x)

    def _called(self, function: Any, args: Any, kwargs: Any) -> Any:
        """What a function returns; refuse one that changes its arguments."""
        plain = _plain((args, kwargs))
        before = [x.tobytes() for x in arrays_of(plain)]
        result = function(*plain[0], **plain[1])
        if [x.tobytes() for x in arrays_of(plain)] != before:
            raise UnrepeatableError(f"{function.__name__} changes an array")
        return result

    def _keep(self, key: Any, operands: Iterable[Any], result: np.ndarray) -> Watched:
        watched = self.watch(result)
        owners = {id(owner_of(x)) for x in (*arrays_of(operands), result)}
        self._done[key] = owners, watched
        return watched

    def _again(self, key: Any) -> Watched:
        """A result that is there already."""
        watched = self._done[key][1]
        self._shared.add(id(owner_of(watched)))
        return watched

    def _check_may_change(self, x: Any) -> None:
        if not isinstance(x, Watched) or id(owner_of(x)) not in self._watched:
            raise UnrepeatableError("an array from outside of the program is changed")
        if id(owner_of(x)) in self._shared:
            raise UnrepeatableError("an array is changed that stands for two: make it whole")

    def _forget(self, changed: np.ndarray) -> None:
        """What rests on an array that changes is to be worked out anew when it is wanted again."""
        owner = id(owner_of(changed))
        self._done = {key: kept for key, kept in self._done.items() if owner not in kept[0]}

    def _identity(self, x: Any) -> Any:
        """What tells operands apart: where each is and how it lies; of a constant, what it is."""
        if isinstance(x, Mapping):
            return tuple((name, self._identity(part)) for name, part in sorted(x.items()))
        if isinstance(x, (list, tuple)):
            return tuple(map(self._identity, x))
        if isinstance(x, Watched):
            return address_of(x), x.shape, x.strides, x.dtype.str
        if isinstance(x, np.ndarray):
            return x.tobytes(), x.shape, x.strides, x.dtype.str
        if isinstance(x, (int, float, str)):
            return type(x).__name__, repr(x)
        self._kept.append(x)
        return id(x)


def _as_dot(operands: tuple[np.ndarray, ...], product: np.ndarray) -> bool:
    """Whether `np.dot` does the same, sooner: for one pair, if all three lie as BLAS reads them."""
    if any(x.ndim != 3 or len(x) != 1 for x in (*operands, product)):
        return False
    a, b = (x[0] for x in operands)
    as_read = (x.flags.c_contiguous or x.T.flags.c_contiguous for x in (a, b, product[0]))
    return all(as_read) and np.array_equal(np.dot(a, b), product[0])


def _plain(tree: Any) -> Any:
    return map_leaves(lambda _, x: x.plain if isinstance(x, Watched) else x, tree)
