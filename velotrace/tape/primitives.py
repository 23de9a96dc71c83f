"""Functions with a derivative of their own, at no cost where nothing is differentiated."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from autograd import extend
from autograd.core import VJPNode
from autograd.tracer import register_notrace, trace_stack

Function = Callable[..., Any]


def primitive(function: Function) -> Function:
    """Make a function one operation of the tape, as autograd's `primitive` does.

    Outside of any differentiation the function itself is called: looking for boxes among the
    arguments, as autograd does on every call, costs more than most of ours do on small arrays.

    Args:
        function: of arrays; or one of NumPy's ufuncs, which finds its derivative by itself
            wherever it is called.

    Returns:
        The operation, to be given its derivative by `defvjp`.

    Example:
        >>> @primitive
        ... def twice(x):
        ...     return 2.0 * x
        >>> defvjp(twice, lambda ans, x: lambda g: 2.0 * g)
        >>> import autograd
        >>> twice(3.0), float(autograd.grad(twice)(3.0))
        (6.0, 2.0)
    """
    traced: Function = extend.primitive(function)
    if isinstance(function, np.ufunc):
        return traced

    @wraps(function)
    def operation(*args: Any) -> Any:
        return function(*args) if trace_stack.top < 0 else traced(*args)

    operation.traced = traced  # type: ignore[attr-defined]
    return operation


def defvjp(operation: Function, *makers: Function, argnums: Any = None) -> None:
    """Say how an operation hands its adjoint back, as autograd's `defvjp` does.

    Args:
        operation: made by `primitive`.
        makers: one for each argument: of the result and the arguments, giving the function from the
            result's adjoint to the argument's.
        argnums: which arguments; the first ones in order if None.
    """
    traced = getattr(operation, "traced", operation)
    if argnums is None:
        extend.defvjp(traced, *makers)
    else:
        extend.defvjp(traced, *makers, argnums=argnums)


def no_gradient(function: Function) -> Function:
    """Make a primitive through which no gradient flows, such as a hard draw.

    autograd gives its result as a plain array; the tape records it with edges that carry nothing,
    so that tables and graphs can say *no path* with the reason.

    Args:
        function: any function of arrays.

    Returns:
        The primitive.
    """
    made = primitive(function)
    register_notrace(VJPNode, getattr(made, "traced", made))
    return made
