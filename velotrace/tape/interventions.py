"""What can be changed about a named value in one run: shift it, set it, cut its gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Shift:
    """Add `by` (a number, or an array of the value's shape) to a named value."""

    by: Any


@dataclass(frozen=True)
class Replace:
    """Put `value` (broadcast to its shape) in the place of a named value; nothing flows past.

    `where` (a mask of the value's shape) restricts it to some components; None means all.
    """

    value: Any
    where: Any = None


@dataclass(frozen=True)
class Cut:
    """Keep a named value but let no gradient flow past it to what it was computed from.

    `where` as for `Replace`.
    """

    where: Any = None


Intervention = Shift | Replace | Cut


def intervened(x: np.ndarray, change: Intervention | None) -> np.ndarray:
    """A plain value under an intervention; a cut leaves it as it is."""
    if isinstance(change, Shift):
        return x + change.by
    if isinstance(change, Replace):
        value = broadcast(change.value, x)
        return value if change.where is None else np.where(change.where, value, x)
    return x


def broadcast(value: Any, like: np.ndarray) -> np.ndarray:
    """`value` in the shape and type of another array; more dimensions may stand in front.

    Raises:
        ValueError: the shapes do not fit.
    """
    given = np.asarray(value)
    try:
        shape = np.broadcast_shapes(given.shape, like.shape)
    except ValueError:
        shape = ()
    if shape[len(shape) - like.ndim :] != like.shape:
        shapes = f"of shape {given.shape} cannot replace one of shape {like.shape}"
        raise ValueError(f"a value {shapes}")
    return np.broadcast_to(given, shape).astype(like.dtype)
