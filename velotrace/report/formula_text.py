"""Show a formula's expression: in symbols, or with numbers put in."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping

from velotrace.attribution.expressions import parsed
from velotrace.quantities import RATES
from velotrace.report.blocks import number
from velotrace.report.symbols import PLAIN

_OWN_SYMBOLS: Mapping[str, str] = {
    "tau": "τ",
    "c": "c_k",
    "t_max": "t_max",
    "u_star": "u*",
    "s_star": "s*",
    "prior": "α_p",
    "cells": "N",
    "kl_weight": "w",
    "switch_weight": "λ",
    "conc_total": "Σconc",
    "pi_others": "(1 − π*)",
    "mixed_u": "log p(u)",
    "mixed_s": "log p(s)",
    "g": "g",
    "a": "a",
    "log_two_pi": "log 2π",
    **{f"{name}_open": "open" for name in RATES},
}
_FUNCTIONS: Mapping[str, str] = {
    "digamma": "ψ",
    "trigamma": "ψ′",
    "Q": "Q",
    "Q_beta": "Q_β",
    "Q_gamma": "Q_γ",
    "Q_time": "Q_t",
    "at_most": "min",
    "root": "√",
    "log_gamma": "logΓ",
    "tanh": "tanh",
    "relu": "relu",
    "logistic": "logistic",
    "softplus": "softplus",
}

LEGEND: Mapping[str, str] = {
    "Q": "Q(β, γ, t) = (e^(−γ t) − e^(−β t))/(γ − β), and −t e^(−β t) at β = γ; "
    "Q_β, Q_γ, Q_t are its derivatives",
    "tau": "τ = t3 − t_s, time since the start of repression",
    "c": "c_k scales the standard deviation in state k",
    "conc_total": "Σconc is the sum of the four concentrations",
    "prior": "α_p is the concentration of the Dirichlet prior",
    "mixed_u": "log p(u) = log Σ_k π*_k N_k(u)",
    "mixed_s": "log p(s) = log Σ_k π*_k N_k(s)",
    "g": "g = −∂_a F(π*; a, b)/(pdf (1 − π*)), F the Beta distribution function, a the "
    "concentration and b the sum of the others",
    **{f"{name}_open": "open is 1 up to the clamp, 0 beyond it" for name in RATES},
    "cells": "N is the number of cells",
    "switch_weight": "λ is the weight of the switch penalty",
    "kl_weight": "w is the weight of KL_z",
    "u_star": "u* is the highest cells' median of u",
    "s_star": "s* is the same cells' median of s",
    "a": "a = x W + b, what the layer's weights make of its input x",
}
"""What those symbols mean that the vocabulary does not have."""

EPS_LEGEND = (
    "Q(β, γ, t) = (e^(−γ t) − e^(−β t))/(γ − β + 10⁻⁶), 0 at β = γ; "
    "Q_β, Q_γ, Q_t are its derivatives"
)
"""Of Q where the reading adds scvi-tools' 1e-6."""

Named = Callable[[str], str]

_SCIENTIFIC = re.compile("[0-9]e[+-][0-9]")

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)


def in_symbols(expression: str | ast.expr) -> str:
    """An expression, or its syntax tree, in symbols.

    Example:
        >>> in_symbols("-alpha/beta**2"), in_symbols("rise(beta*time_induction)/beta")
        ('−α/β²', '(1 − e^(−β t1))/β')
    """
    return shown(parsed(expression) if isinstance(expression, str) else expression, _symbol)


def with_numbers(expression: str, numbers: Mapping[str, float]) -> str:
    """An expression with numbers for its names.

    Example:
        >>> with_numbers("rise(beta*time_induction)/beta", {"beta": 0.1, "time_induction": 8.0})
        '(1 − e^(−0.1 × 8))/0.1'
    """
    return _shown(parsed(expression), lambda name: signed(numbers[name]), " × ")[0]


def shown(node: ast.expr, named: Named, times: str = " ") -> str:
    """Text of a syntax tree, each name as `named` has it; `times` stands between two factors."""
    return _shown(node, named, times)[0]


def signed(value: float) -> str:
    """A number with a proper minus sign."""
    return number(value).replace("-", "−")


def _symbol(name: str) -> str:
    return _OWN_SYMBOLS.get(name) or PLAIN[name]


def _shown(node: ast.expr, named: Named, times: str) -> tuple[str, int]:
    """Text of a node, and how tightly it binds."""
    if isinstance(node, ast.Constant):
        return str(node.value), _ATOM
    if isinstance(node, ast.Name):
        text = named(node.id)
        return text, _SIGN if text.startswith("−") or _SCIENTIFIC.search(text) else _ATOM
    if isinstance(node, ast.UnaryOp):
        return "−" + _bound(node.operand, _POWER, named, times), _SIGN
    if isinstance(node, ast.Call):
        return _call(node, named, times)
    assert isinstance(node, ast.BinOp)
    return _operation(node, named, times)


def _bound(node: ast.expr, least: int, named: Named, times: str) -> str:
    """Text of a node, in parentheses if it binds less tightly than asked for."""
    text, binding = _shown(node, named, times)
    return text if binding >= least else f"({text})"


def _operation(node: ast.BinOp, named: Named, times: str) -> tuple[str, int]:
    def side(of: ast.expr, least: int) -> str:
        return _bound(of, least, named, times)

    if isinstance(node.op, ast.Add):
        return f"{side(node.left, _SUM)} + {_positive(side(node.right, _PRODUCT))}", _SUM
    if isinstance(node.op, ast.Sub):
        return f"{side(node.left, _SUM)} − {_positive(side(node.right, _PRODUCT))}", _SUM
    if isinstance(node.op, ast.Mult):
        right = _positive(side(node.right, _PRODUCT))
        return f"{side(node.left, _PRODUCT)}{times}{right}", _PRODUCT
    if isinstance(node.op, ast.Div):
        return f"{side(node.left, _PRODUCT)}/{side(node.right, _POWER)}", _PRODUCT
    return f"{side(node.left, _ATOM)}²", _POWER


def _positive(text: str) -> str:
    return f"({text})" if text.startswith("−") else text


def _call(node: ast.Call, named: Named, times: str) -> tuple[str, int]:
    assert isinstance(node.func, ast.Name)
    if node.func.id == "total":
        dims = ", ".join(dim.id for dim in node.args[1:] if isinstance(dim, ast.Name))
        return f"Σ over {dims} of {_bound(node.args[0], _PRODUCT, named, times)}", _SIGN
    inner = [_shown(argument, named, times)[0] for argument in node.args]
    if node.func.id == "exp":
        return f"e^({inner[0]})", _ATOM
    if node.func.id in ("rise", "decay"):
        power = f"e^(−{_positive(_bound(node.args[0], _PRODUCT, named, times))})"
        return f"(1 − {power})" if node.func.id == "rise" else power, _ATOM
    if node.func.id == "log":
        return f"log {_bound(node.args[0], _ATOM, named, times)}", _ATOM
    return f"{_FUNCTIONS[node.func.id]}({', '.join(inner)})", _ATOM
