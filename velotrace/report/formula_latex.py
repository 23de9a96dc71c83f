"""Show a formula's expression as LaTeX: in symbols, or with something else for each name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from velotrace.quantities import RATES, VOCABULARY
from velotrace.report.spelled import DOTS

OWN_SYMBOLS: Mapping[str, str] = {
    "tau": r"\tau",
    "c": "c_k",
    "t_max": r"t_{\max}",
    "u_star": "u^*",
    "s_star": "s^*",
    "prior": r"\alpha_p",
    "cells": "N",
    "kl_weight": "w",
    "switch_weight": r"\lambda",
    "conc_total": r"{\textstyle\sum}\mathrm{conc}",
    "pi_others": r"(1-\pi^*)",
    "mixed_u": r"\log p(u)",
    "mixed_s": r"\log p(s)",
    "g": "g",
    "a": "a",
    "log_two_pi": r"\log 2\pi",
    DOTS: r"\cdots",
    **{f"{name}_open": r"\mathrm{open}" for name in RATES},
}
_FUNCTIONS: Mapping[str, str] = {
    "digamma": r"\psi",
    "trigamma": r"\psi'",
    "Q": "Q",
    "Q_beta": r"Q_\beta",
    "Q_gamma": r"Q_\gamma",
    "Q_time": "Q_t",
    "at_most": r"\min",
    "log_gamma": r"\log\Gamma",
    "tanh": r"\tanh",
    "relu": r"\operatorname{relu}",
    "logistic": r"\operatorname{logistic}",
    "softplus": r"\operatorname{softplus}",
}
_INDICES: Mapping[str, str] = {"cell": "n", "gene": "g", "state": "k", "latent": "i"}

Shown = Callable[[str, bool], str]
"""LaTeX for a name; the flag says that a minus sign may stand there without parentheses."""

NO_GAP = r"\mathopen{}"
r"""Before \left, which would stand apart from the function whose argument it opens."""

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)


def symbol(name: str, bare: bool = True) -> str:
    r"""LaTeX of a name; a hidden layer is h.

    Example:
        >>> symbol("u_bar"), symbol("tau"), symbol("encoder_z.0.h")
        ('\\bar u', '\\tau', 'h')
    """
    if name in VOCABULARY:
        return VOCABULARY[name].symbol
    return OWN_SYMBOLS.get(name) or name.rpartition(".")[2]


def latex(node: ast.expr, shown: Shown = symbol, times: str = r"\,") -> str:
    r"""LaTeX of a syntax tree.

    Args:
        node: of an expression, as `spelled.in_logs` or `spelled.spelled_out` gives it.
        shown: what to write for a name.
        times: between two factors.

    Returns:
        LaTeX without dollar signs.

    Example:
        >>> from velotrace.attribution.expressions import parsed
        >>> print(latex(parsed("alpha/beta*rise(beta*time_induction)")))
        \frac{\alpha_{g1}}{\beta_g}\,\left(1-e^{-\beta_g\,t^{(1)}}\right)
    """
    return _shown(node, shown, times, True)[0]


def _shown(node: ast.expr, shown: Shown, times: str, bare: bool) -> tuple[str, int]:
    """LaTeX of a node, and how tightly it binds."""
    if isinstance(node, ast.Constant):
        return str(node.value), _ATOM
    if isinstance(node, ast.Name):
        return shown(node.id, bare), _ATOM
    if isinstance(node, ast.UnaryOp):
        return "-" + _bound(node.operand, _PRODUCT, shown, times, False), _SIGN
    if isinstance(node, ast.Call):
        return _call(node, shown, times)
    assert isinstance(node, ast.BinOp)
    return _operation(node, shown, times, bare)


def _bound(node: ast.expr, least: int, shown: Shown, times: str, bare: bool) -> str:
    """LaTeX of a node, in parentheses if it binds less tightly than asked for."""
    text, binding = _shown(node, shown, times, bare)
    return text if binding >= least else _parenthesised(node, shown, times)


def _parenthesised(node: ast.expr, shown: Shown, times: str) -> str:
    return rf"\left({_shown(node, shown, times, True)[0]}\right)"


def _operation(node: ast.BinOp, shown: Shown, times: str, bare: bool) -> tuple[str, int]:
    def side(of: ast.expr, least: int, bare: bool = False) -> str:
        return _bound(of, least, shown, times, bare)

    if isinstance(node.op, ast.Add):
        return f"{side(node.left, _SUM, bare)}+{side(node.right, _PRODUCT)}", _SUM
    if isinstance(node.op, ast.Sub):
        return f"{side(node.left, _SUM, bare)}-{side(node.right, _PRODUCT)}", _SUM
    if isinstance(node.op, ast.Mult):
        sum_comes_last = _calls(node.right, "total")  # as in w Σ x, which needs no parentheses
        right = side(node.right, _PRODUCT if sum_comes_last else _SIGN)
        left = side(node.left, _PRODUCT, bare)
        return f"{left}{times}{right}", _PRODUCT
    if isinstance(node.op, ast.Div):
        if isinstance(node.right, ast.Constant) and _has_fraction(node.left):
            return f"{_one_by(node.right)}{times}{side(node.left, _PRODUCT)}", _PRODUCT
        above, below = (side(part, _SUM, True) for part in (node.left, node.right))
        return rf"\frac{{{above}}}{{{below}}}", _ATOM
    base = side(node.left, _ATOM)
    if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Div):
        base = _parenthesised(node.left, shown, times)
    return f"{{{base}}}^{{{side(node.right, _SUM, True)}}}", _POWER


def _has_fraction(node: ast.expr) -> bool:
    """Whether a fraction would stand within the numerator, where it is hard to read."""
    return any(isinstance(part, ast.Div) for part in ast.walk(node))


def _one_by(below: ast.Constant) -> str:
    return r"\frac{1}{" + str(below.value) + "}"


def _calls(node: ast.expr, function: str) -> bool:
    called = isinstance(node, ast.Call) and node.func
    return isinstance(called, ast.Name) and called.id == function


def _exponent(node: ast.expr, shown: Shown, times: str) -> str:
    """LaTeX of a power: half of something as ½ something, since a fraction of it would be tiny."""
    halved = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and node
    if halved and isinstance(halved.right, ast.Constant):
        part = _bound(halved.left, _POWER, shown, times, False)
        return f"{_one_by(halved.right)}{times}{part}"
    return _shown(node, shown, times, True)[0]


def _call(node: ast.Call, shown: Shown, times: str) -> tuple[str, int]:
    assert isinstance(node.func, ast.Name)
    function, first = node.func.id, node.args[0]
    if function == "total":
        under = ",".join(_INDICES[d.id] for d in node.args[1:] if isinstance(d, ast.Name))
        return rf"\sum_{{{under}}}{_bound(first, _PRODUCT, shown, times, False)}", _PRODUCT
    if function == "exp":
        return f"e^{{{_exponent(first, shown, times)}}}", _ATOM
    inner = [_shown(argument, shown, times, True)[0] for argument in node.args]
    if function == "root":
        return rf"\sqrt{{{inner[0]}}}", _ATOM
    if function in ("rise", "decay"):
        power = f"e^{{-{_bound(first, _PRODUCT, shown, times, False)}}}"
        return (f"1-{power}", _SUM) if function == "rise" else (power, _ATOM)
    if function == "log":
        argument = _bound(first, _ATOM, shown, times, False)
        return rf"\log {argument}".replace(r"\log \left", rf"\log{NO_GAP}\left"), _PRODUCT
    return rf"{_FUNCTIONS[function]}{NO_GAP}\left({', '.join(inner)}\right)", _ATOM
