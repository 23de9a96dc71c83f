"""Expressions made ready to be shown: sums written out term by term, indices on their names.

`total(exp(log_var_z), latent)` over three dimensions becomes exp(log_var_z@latent=0) + … with
one term for each; of many only the first two and the last are kept, with dots between.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import product

from velotrace.attribution.expressions import parsed

DOTS = "…"
"""A name that stands for the terms left out."""

MOST_TERMS = 6
"""Sums with more terms than this are shortened."""


def in_logs(expression: str) -> ast.expr:
    """The syntax tree to be shown in symbols: log Σ e^x instead of the function that computes it.

    Example:
        >>> ast.unparse(in_logs("log_total_exp(log(pi), state)"))
        'log(total(exp(log(pi)), state))'
    """
    return _logs(parsed(expression))


def spelled_out(expression: str, sizes: Mapping[str, int]) -> ast.expr:
    """The syntax tree to be shown with numbers: every sum written out.

    Args:
        expression: in the language of `attribution.definitions`.
        sizes: of the dimensions.

    Returns:
        A tree whose names may carry indices (`address` reads them) or be `DOTS`.

    Example:
        >>> shown = spelled_out("total(kl_z, cell)", {"cell": 2})
        >>> [node.id for node in ast.walk(shown) if isinstance(node, ast.Name)]
        ['kl_z@cell=0', 'kl_z@cell=1']
    """
    return _spelled(_logs(parsed(expression)), sizes, {})


def address(name: str) -> tuple[str, dict[str, int]]:
    """A name and the indices it carries.

    Example:
        >>> address("kl_pi@cell=0,gene=2"), address("alpha")
        (('kl_pi', {'cell': 0, 'gene': 2}), ('alpha', {}))
    """
    plain, _, indices = name.partition("@")
    pairs = (pair.split("=") for pair in indices.split(",") if pair)
    return plain, {dim: int(index) for dim, index in pairs}


def _logs(node: ast.expr) -> ast.expr:
    """The same tree without `log_total_exp`."""
    if isinstance(node, ast.UnaryOp):
        return ast.UnaryOp(node.op, _logs(node.operand))
    if isinstance(node, ast.BinOp):
        return ast.BinOp(_logs(node.left), node.op, _logs(node.right))
    if not isinstance(node, ast.Call):
        return node
    arguments = [_logs(argument) for argument in node.args]
    if isinstance(node.func, ast.Name) and node.func.id == "log_total_exp":
        inner = _call("total", _call("exp", arguments[0]), *arguments[1:])
        return _call("log", inner)
    return ast.Call(node.func, arguments, [])


def _spelled(node: ast.expr, sizes: Mapping[str, int], at: Mapping[str, int]) -> ast.expr:
    if isinstance(node, ast.Name):
        indices = ",".join(f"{dim}={index}" for dim, index in at.items())
        return ast.Name(f"{node.id}@{indices}" if indices else node.id)
    if isinstance(node, ast.UnaryOp):
        return ast.UnaryOp(node.op, _spelled(node.operand, sizes, at))
    if isinstance(node, ast.BinOp):
        left, right = (_spelled(side, sizes, at) for side in (node.left, node.right))
        return ast.BinOp(left, node.op, right)
    if not isinstance(node, ast.Call):
        return node
    assert isinstance(node.func, ast.Name)
    if node.func.id == "total":
        return _terms(node.args[0], _dims(node.args[1:]), sizes, at)
    return ast.Call(node.func, [_spelled(argument, sizes, at) for argument in node.args], [])


def _terms(
    body: ast.expr, dims: Sequence[str], sizes: Mapping[str, int], at: Mapping[str, int]
) -> ast.expr:
    every = list(product(*(range(sizes[dim]) for dim in dims)))
    shortened = len(every) > MOST_TERMS
    terms = [
        _spelled(body, sizes, {**at, **dict(zip(dims, index, strict=True))})
        for index in (every[:2] + every[-1:] if shortened else every)
    ]
    if shortened:
        terms.insert(2, ast.Name(DOTS))
    whole = terms[0]
    for term in terms[1:]:
        whole = ast.BinOp(whole, ast.Add(), term)
    return whole


def _dims(nodes: Sequence[ast.expr]) -> list[str]:
    return [node.id for node in nodes if isinstance(node, ast.Name)]


def _call(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(function), list(arguments), [])
