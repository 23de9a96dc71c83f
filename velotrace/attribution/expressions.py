"""A formula as text that is also what is computed.

A local derivative is written once, as an expression such as '-alpha/beta**2'. The same text is
evaluated, is shown in symbols, and is shown with numbers put in (`report.formula_text`), so what a
reader sees is what was checked against the tape.

Evaluation carries a bound of its own round-off along: every operation adds half a unit in the last
place of its result to what its operands bring with them.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.special

from velotrace.attribution.quotient import Slope

ROUND_OFF = float(np.finfo(np.float64).eps) / 2.0
"""u: relative error of one operation in float64."""


SPACING = 5e-324
"""Between the smallest numbers, which underflow leaves with no relative accuracy."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A computed number and how far round-off may have moved it."""

    value: float
    error: float


Function = tuple[Callable[[float], float], Callable[[float], float], float, float]
"""A function, its derivative, and its own error in units of u: relative, and absolute."""


Slopes = Mapping[str, Slope]
"""Further functions by name, of exact arguments: Q and its slopes."""


def rise(x: float) -> float:
    """1 − e^(−x), without cancellation at small x."""
    return -math.expm1(-x)


def decay(x: float) -> float:
    """e^(−x), where the tape has it as 1 + expm1(−x), good to u and not to u e^(−x)."""
    return math.exp(-x)


def _digamma(x: float) -> float:
    return float(scipy.special.digamma(x))


def _trigamma(x: float) -> float:
    return float(scipy.special.polygamma(1, x))


FUNCTIONS: Mapping[str, Function] = {
    "exp": (math.exp, math.exp, 2.0, 0.0),
    "rise": (rise, decay, 2.0, 0.0),
    "decay": (decay, decay, 2.0, 2.0),
    "log": (math.log, lambda x: 1.0 / x, 2.0, 0.0),
    "digamma": (_digamma, _trigamma, 8.0, 8.0),
    "trigamma": (_trigamma, lambda x: 2.0 * _trigamma(x) * (1.0 + 1.0 / x), 16.0, 0.0),
}
"""By name: what an expression may call. The derivatives only carry errors, so bounds will do."""


@cache
def parsed(expression: str) -> ast.expr:
    """The syntax tree of an expression.

    Raises:
        SyntaxError: it is not one.
    """
    return ast.parse(expression, mode="eval").body


@cache
def names_in(expression: str) -> tuple[str, ...]:
    """The values that an expression uses, each once, in the order of its text.

    Example:
        >>> names_in("-alpha/beta**2 + exp(-beta)")
        ('alpha', 'beta')
    """
    nodes = [node for node in ast.walk(parsed(expression)) if isinstance(node, ast.Name)]
    called = {id(n.func) for n in ast.walk(parsed(expression)) if isinstance(n, ast.Call)}
    nodes = sorted((n for n in nodes if id(n) not in called), key=lambda n: n.col_offset)
    return tuple(dict.fromkeys(node.id for node in nodes))


def evaluate(
    expression: str,
    values: Mapping[str, Measured],
    slopes: Slopes | None = None,
) -> Measured:
    """Compute an expression, with a bound of its round-off.

    Args:
        expression: of numbers, names, + − * / **, and the functions of `FUNCTIONS`.
        values: by name, each with the round-off it brings with it.
        slopes: further functions, as `quotients` gives them; their arguments count as exact.

    Returns:
        The number and its bound.

    Example:
        >>> half = Measured(0.5, 0.0)
        >>> evaluate("-alpha/beta**2", {"alpha": half, "beta": half}).value
        -2.0
    """
    return _evaluate(parsed(expression), values, slopes or {})


def _evaluate(node: ast.expr, values: Mapping[str, Measured], slopes: Slopes) -> Measured:
    if isinstance(node, ast.Constant):
        return Measured(float(str(node.value)), 0.0)
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        inner = _evaluate(node.operand, values, slopes)
        return Measured(-inner.value, inner.error)
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        arguments = [_evaluate(argument, values, slopes) for argument in node.args]
        return _called(node.func.id, arguments, slopes)
    assert isinstance(node, ast.BinOp)
    left, right = (_evaluate(side, values, slopes) for side in (node.left, node.right))
    return _OPERATIONS[type(node.op)](left, right)


def _called(name: str, arguments: list[Measured], slopes: Slopes) -> Measured:
    plain = [argument.value for argument in arguments]
    if name in slopes:  # of given values, so without an error to carry
        value, size = slopes[name](*plain)
        return Measured(value, 32.0 * ROUND_OFF * size)
    function, derivative, relative, absolute = FUNCTIONS[name]
    (argument,) = arguments
    value = function(argument.value)
    carried = abs(derivative(argument.value)) * argument.error
    return Measured(value, carried + ROUND_OFF * (relative * abs(value) + absolute) + SPACING)


def _rounded(value: float, error: float) -> Measured:
    return Measured(value, error + ROUND_OFF * abs(value) + SPACING)


def _add(a: Measured, b: Measured) -> Measured:
    return _rounded(a.value + b.value, a.error + b.error)


def _subtract(a: Measured, b: Measured) -> Measured:
    return _rounded(a.value - b.value, a.error + b.error)


def _multiply(a: Measured, b: Measured) -> Measured:
    return _rounded(a.value * b.value, a.error * abs(b.value) + b.error * abs(a.value))


def _divide(a: Measured, b: Measured) -> Measured:
    value = a.value / b.value
    return _rounded(value, (a.error + abs(value) * b.error) / abs(b.value))


def _power(a: Measured, b: Measured) -> Measured:
    value = a.value**b.value
    slope = b.value * a.value ** (b.value - 1.0)
    return _rounded(value, abs(slope) * a.error + ROUND_OFF * abs(value))


_OPERATIONS: Mapping[type, Callable[[Measured, Measured], Measured]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.Pow: _power,
}
