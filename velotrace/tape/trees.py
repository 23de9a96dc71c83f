"""Nested dicts, lists and tuples of arrays, and the paths that name them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np


def map_leaves(function: Callable[[str, Any], Any], tree: Any, path: str = "") -> Any:
    """The same nesting with each array replaced by `function(path, array)`.

    Example:
        >>> map_leaves(lambda path, x: path, {"alpha": 1.0, "encoder": [{"W": 2.0, "b": 3.0}]})
        {'alpha': 'alpha', 'encoder': [{'W': 'encoder.0.W', 'b': 'encoder.0.b'}]}
    """
    if isinstance(tree, np.ndarray):
        return function(path or "parameter", tree)
    prefix = f"{path}." if path else ""
    if isinstance(tree, Mapping):
        return {key: map_leaves(function, x, f"{prefix}{key}") for key, x in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [map_leaves(function, x, f"{prefix}{i}") for i, x in enumerate(tree)]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return function(path or "parameter", tree)


def leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    """Each array of nested dicts, lists and tuples with its path, in order."""
    found: list[tuple[str, Any]] = []
    map_leaves(lambda path, x: found.append((path, x)), tree)
    return iter(found)
