"""Say which components of a named value are meant, by the labels of its dimensions.

Three spellings lead to a `Selection`: coordinates (`select(trace, "u_bar", cell="Cell 1")`), an
index after a weight's name ("encoder_z.0.W[2,7]", as the long table writes it), and a place such as
"Cell 1/A/3", as the pins of a scenario are keyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from velotrace.data import closest
from velotrace.errors import InputError
from velotrace.quantities import VOCABULARY
from velotrace.walkthrough import Trace

Index = tuple[int, ...]

ANY = "*"
"""In a place: all labels of a dimension, as in '*/A'."""


@dataclass(frozen=True)
class Selection:
    """Some components of a named value.

    Attributes:
        name: of the value, as on the tape.
        dims: names of its dimensions; a weight has input and output, a hidden layer cell and unit.
        labels: of each dimension, in order.
        coords: what was chosen: the label of each dimension, None where all are meant.
        mask: True for the components meant, of the value's shape.
    """

    name: str
    dims: tuple[str, ...]
    labels: tuple[tuple[Any, ...], ...]
    coords: Mapping[str, Any]
    mask: np.ndarray

    @property
    def indices(self) -> list[Index]:
        """Where the mask is True, in order."""
        return [tuple(int(i) for i in at) for at in np.argwhere(self.mask)]

    def at(self, index: Index) -> dict[str, Any]:
        """The labels of one component."""
        return labelled(self.dims, self.labels, index)


def labelled(
    dims: tuple[str, ...], labels: tuple[tuple[Any, ...], ...], index: Index
) -> dict[str, Any]:
    """The labels of one component by dimension."""
    return {d: of[i] for d, of, i in zip(dims, labels, index, strict=True)}


def dims_of(trace: Trace, name: str) -> tuple[str, ...]:
    """Names of the dimensions of any named value.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> made = trace()
        >>> dims_of(made, "alpha"), dims_of(made, "encoder_z.0.W"), dims_of(made, "encoder_z.0.h")
        (('gene',), ('input', 'output'), ('cell', 'unit'))
    """
    if name in VOCABULARY:
        return VOCABULARY[name].dims
    kind = name.rpartition(".")[2]
    return {"W": ("input", "output"), "b": ("output",), "h": ("cell", "unit")}[kind]


def labels_of(trace: Trace, name: str) -> tuple[tuple[Any, ...], ...]:
    """Labels of each dimension of a named value; positions from 0 where it has no names."""
    shape = trace.tape[name].value.shape
    dims = dims_of(trace, name)
    return tuple(
        tuple(trace.coords.get(dim, range(size))) for dim, size in zip(dims, shape, strict=True)
    )


def select(trace: Trace, name: str, **coords: Any) -> Selection:
    """The components of a named value at some coordinates; all where none are given.

    Args:
        trace: of one iteration.
        name: of a parameter, a weight or any named value; a weight or hidden layer may carry an
            index, such as 'encoder_z.0.W[2,7]'.
        coords: cell, gene, state or latent, each a label or None.

    Returns:
        The selection.

    Raises:
        InputError: no such value, or no such component.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> chosen = select(trace(), "u_bar", cell="Cell 3", state=1)
        >>> chosen.indices, chosen.coords
        ([(1, 0, 0), (1, 1, 0), (1, 2, 0)], {'cell': 'Cell 3', 'gene': None, 'state': 1})
    """
    name, index = split_index(trace, name)
    dims, labels = dims_of(trace, name), labels_of(trace, name)
    given = {dim: label for dim, label in coords.items() if label is not None}
    for dim in given:
        if dim not in dims:
            has = f"its dimensions are {', '.join(dims)}" if dims else "it is one number"
            raise InputError(f"{name} has no {dim}; {has}")
    chosen: dict[str, Any] = {dim: given.get(dim) for dim in dims}
    if index is not None:
        chosen = dict(zip(dims, (of[i] for of, i in zip(labels, index, strict=True)), strict=True))
    picked = tuple(
        _position(trace, dim, of, chosen[dim]) for dim, of in zip(dims, labels, strict=True)
    )
    mask = np.zeros(trace.tape[name].value.shape, dtype=bool)
    mask[picked] = True
    return Selection(name, dims, labels, chosen, mask)


def split_index(trace: Trace, text: str) -> tuple[str, Index | None]:
    """A name and the index it may carry: 'encoder_z.0.W[2,7]' is ('encoder_z.0.W', (2, 7)).

    Raises:
        InputError: no such name in this trace, or no such component.
    """
    found = re.fullmatch(r"(.*?)\[([0-9]+(?:, ?[0-9]+)*)\]", text)
    name = found[1] if found else text
    if name not in trace.tape.names:
        raise InputError(_unknown(trace, name))
    if found is None:
        return name, None
    if name in VOCABULARY:
        raise InputError(f"{text!r}: choose components of {name} by cell, gene, state or latent")
    shape = trace.tape[name].value.shape
    index = tuple(int(part) for part in found[2].split(","))
    outside = any(i >= n for i, n in zip(index, shape, strict=False))
    if outside or len(index) != len(shape):
        right = ",".join(f"0…{n - 1}" for n in shape)
        raise InputError(f"{text!r}: no such component; it must be {name}[{right}]")
    return name, index


def _unknown(trace: Trace, name: str) -> str:
    if name in VOCABULARY:
        sampled = trace.resolved.iteration.reading.draws_state
        reason = "" if sampled else ": this reading draws no state, it sums over all four"
        return f"there is no {name!r} in this iteration{reason}"
    hint = closest(name, trace.tape.names)
    known = "" if hint else f"; there are {', '.join(trace.quantities)}, and the weights"
    return f"no value is named {name!r}{hint}{known}"


def _position(trace: Trace, dim: str, labels: tuple[Any, ...], label: Any) -> Any:
    if label is None:
        return slice(None)
    if label in labels:
        return labels.index(label)
    if dim == "cell" and label in trace.resolved.expression.cells:
        batch = ", ".join(map(str, labels))
        raise InputError(f"cell {label!r} is in the data but not in the mini-batch ({batch})")
    hint = closest(str(label), map(str, labels))
    raise InputError(f"no {dim} is named {label!r}{hint}; there are {shortened(labels)}")


def in_words(dim: str, label: Any) -> str:
    """A label with its dimension, unless it says it itself.

    Example:
        >>> in_words("gene", "A"), in_words("cell", "Cell 1")
        ('gene A', 'Cell 1')
    """
    return str(label) if str(label).lower().startswith(dim) else f"{dim} {label}"


def shortened(labels: tuple[Any, ...], most: int = 6) -> str:
    """Labels in a row, the later ones counted only.

    Example:
        >>> shortened(("A", "B", "C"), most=2)
        'A, B and 1 more'
    """
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(map(str, labels[:most])) + more


def place(trace: Trace, name: str, where: str) -> Selection:
    """The components at a place such as 'A', 'Cell 1/A' or '*/A/3'.

    The labels stand in the order of the value's dimensions; '*' means all, and so does what is
    left out at the end.

    Args:
        trace: of one iteration.
        name: of a named value.
        where: labels with '/' between.

    Returns:
        The selection.

    Raises:
        InputError: the place fits no component, or can be read in two ways.
    """
    chosen = select(trace, name)
    if not chosen.dims:
        raise InputError(f"{name} is one number; it has no component {where!r}")
    readings = list(_readings(where, chosen.labels))
    if len(readings) > 1:
        raise InputError(f"{where!r} can be read as {readings[0]} and as {readings[1]}")
    if not readings:
        shape = "/".join(chosen.dims)
        example = "/".join(str(of[0]) for of in chosen.labels)
        raise InputError(f"{name} has no component {where!r}; write {shape}, such as {example!r}")
    coords = dict(zip(chosen.dims, readings[0], strict=False))
    coords = {dim: None if label == ANY else label for dim, label in coords.items()}
    return select(trace, name, **coords)


def _readings(where: str, labels: tuple[tuple[Any, ...], ...]) -> Iterator[tuple[Any, ...]]:
    """All ways to read a place as labels of the first few dimensions; names may hold a '/'."""
    if not labels:
        return
    for label in (*labels[0], ANY):
        if where == str(label):
            yield (label,)
        elif where.startswith(f"{label}/"):
            for rest in _readings(where[len(str(label)) + 1 :], labels[1:]):
                yield (label, *rest)
