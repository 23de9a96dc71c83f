"""Mutants: a module's source with one error planted, to see whether a test would notice it."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from typing import Any

_FORMULAS = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_OPPOSITE = {ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.Lt: ast.GtE, ast.GtE: ast.Lt}


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Every arithmetic operation of a module with a sign flipped, a term or factor dropped or
    doubled; every power changed; every minus sign taken away; every inequality turned round."""
    tree = ast.parse(source)
    for node in list(ast.walk(tree)):
        for kind in ("flip", "drop left", "drop right", "double"):
            mutated = _mutate(node, kind)
            if mutated is not None:
                description = f"line {node.lineno}: {kind} in {ast.unparse(node)}"  # type: ignore[attr-defined]
                _replace(tree, node, mutated)
                yield description, ast.fix_missing_locations(tree)
                _replace(tree, mutated, node)


def run(tree: ast.Module) -> types.ModuleType:
    """A mutant as a module."""
    module = types.ModuleType("mutant")
    exec(compile(tree, "mutant", "exec"), module.__dict__)
    return module


def _mutate(node: Any, kind: str) -> ast.expr | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and kind == "flip":
        return None if isinstance(node.operand, ast.Constant) else node.operand
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPPOSITE and kind == "flip":
        return ast.Compare(node.left, [_OPPOSITE[type(node.ops[0])]()], node.comparators)
    if not isinstance(node, ast.BinOp):
        return None
    if isinstance(node.op, ast.Pow) and kind == "drop right":
        return node.left
    if not isinstance(node.op, _FORMULAS):
        return None
    if kind == "double":
        return ast.BinOp(ast.Constant(2.0), ast.Mult(), node)
    if kind == "drop left":
        return node.right if not isinstance(node.op, ast.Div) else None
    if kind == "drop right":
        return node.left
    if isinstance(node.op, (ast.Add, ast.Sub)):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        return ast.BinOp(node.left, other, node.right)
    return None


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list) and any(item is old for item in value):
                setattr(parent, field, [new if item is old else item for item in value])
