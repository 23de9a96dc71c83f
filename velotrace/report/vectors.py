"""Test vectors: every number of an iteration as JSON, and the comparison with another program's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from velotrace.data import read_text
from velotrace.errors import InputError
from velotrace.quantities import NETWORKS, VOCABULARY
from velotrace.report import escape
from velotrace.scenario import resolved_dict
from velotrace.tape import leaves
from velotrace.version import __version__
from velotrace.walkthrough import Trace, trace

SCHEMA = "velotrace-vectors/1"

TOLERANCE = 1e-9
"""Largest difference allowed, relative to the largest component of the array.

Two programs in float64 differ by round-off, some 1e-13 of the largest component after a few
hundred operations; a mistake shows in the first digits. 1e-9 lies far from both."""


def vectors(scenario: str | Path | None = None) -> dict[str, Any]:
    """All numbers of one iteration, in the format velotrace-vectors/1.

    Args:
        scenario: a scenario file; the walkthrough where none is given.

    Returns:
        A dictionary of plain lists and numbers, ready for JSON.

    Raises:
        InputError: the scenario or its data cannot be used, or a number overflows.
    """
    return vectors_of(trace(scenario))


def vectors_of(made: Trace) -> dict[str, Any]:
    """The test vectors of a trace."""
    values = {name: made.tape[name].value for name in made.quantities}
    adjoints = {name: made.tape[name].adjoint for name in made.quantities}
    weights = [name for name, _ in leaves(made.resolved.parameters) if "." in name]
    _check_finite(values, "value")
    _check_finite(adjoints | {name: made.tape[name].adjoint for name in weights}, "adjoint")
    return {
        "schema": SCHEMA,
        "velotrace": __version__,
        "scenario": resolved_dict(made.resolved.scenario),
        "coords": made.coords,
        "constants": _constants(made),
        "networks": _networks(made, lambda entry: entry.value),
        "values": {name: _array(name, value) for name, value in values.items()},
        "adjoints": {name: _array(name, adjoint) for name, adjoint in adjoints.items()},
        "network_adjoints": _networks(made, _gradient),
    }


def to_json(content: dict[str, Any]) -> str:
    """Strict JSON without NaN; every number reads back bit for bit."""
    return escape.json(content, separators=(",", ":")) + "\n"


def _array(name: str, array: np.ndarray | None) -> dict[str, Any] | None:
    if array is None:
        return None
    return {"dims": list(VOCABULARY[name].dims), "data": array.tolist()}


def _constants(made: Trace) -> dict[str, Any]:
    constants, reading = made.resolved.iteration.constants, made.resolved.iteration.reading
    return {
        "t_max": constants.t_max,
        "state_scale": constants.state_scale.tolist(),
        "pi_prior": constants.pi_prior,
        "u_star": constants.u_star.tolist(),
        "s_star": constants.s_star.tolist(),
        "switch_weight": reading.switch_weight,
        "kl_weight": reading.kl_weight,
    }


def _networks(made: Trace, pick: Any) -> dict[str, list[dict[str, Any]]]:
    parameters, tape = made.resolved.parameters, made.tape
    return {
        network: [
            {part: pick(tape[f"{network}.{place}.{part}"]).tolist() for part in ("W", "b")}
            for place, _ in enumerate(parameters[network])
        ]
        for network in NETWORKS
        if network in parameters
    }


def _gradient(entry: Any) -> np.ndarray:
    return np.zeros_like(entry.value) if entry.adjoint is None else entry.adjoint


def _check_finite(arrays: Mapping[str, np.ndarray | None], what: str) -> None:
    for name, array in arrays.items():
        if array is not None and not np.isfinite(array).all():
            raise InputError(
                f"the {what} of {name!r} overflows float64 in this scenario, so it has no test "
                "vectors; choose parameters nearer to the data"
            )


# ---- comparison -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """Where two sets of test vectors first part.

    Attributes:
        part: 'coords', 'constants', 'networks', 'values', 'adjoints' or 'network_adjoints'.
        name: of the quantity.
        where: labels of the component, such as 'cell Cell 1, gene A, state 3'; may be empty.
        ours: the number here.
        theirs: the number there.
    """

    part: str
    name: str
    where: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        return f"{self.part}: {self.name}{place} differs: {self.ours} here, {self.theirs} there"


def read_vectors(path: Path) -> dict[str, Any]:
    """Read another program's file.

    Raises:
        InputError: it is not strict JSON of schema velotrace-vectors/1.
    """
    text = read_text(path)
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{path}: not strict JSON: {problem}") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        given = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise InputError(f"{path}: schema is {given!r}; it must be {SCHEMA!r}")
    for part in ("coords", "constants", "networks", "values", "adjoints", "network_adjoints"):
        if not isinstance(content.get(part), dict):
            given = "missing" if part not in content else type(content[part]).__name__
            raise InputError(f"{path}: key {part!r} is {given}; it must be an object")
    return content


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


_MISSING = "missing"


def compare_vectors(
    ours: dict[str, Any], theirs: dict[str, Any], tolerance: float = TOLERANCE
) -> Difference | None:
    """The first difference in the order of computation: forward, then backward.

    Whatever is here must be there, but for the single terms of other quantities (the vocabulary's
    role 'term'), which a program need not keep. What is there alone is not looked at.

    Args:
        ours: vectors made here.
        theirs: another program's.
        tolerance: relative to the largest component of each array.

    Returns:
        The first quantity and component that differ; None where all agree.
    """
    coords = ours["coords"]
    for dim, labels in coords.items():
        given = theirs.get("coords", {}).get(dim, _MISSING)
        if given != labels:
            return Difference("coords", dim, "", labels, given)
    for part, name, dims, mine, other in _pairs(ours, theirs):
        difference = _first_difference(part, name, dims, mine, other, coords, tolerance)
        if difference is not None:
            return difference
    return None


def _pairs(ours: dict[str, Any], theirs: dict[str, Any]) -> Any:
    """(part, name, dims, ours, theirs) in the order of computation."""
    for name, value in ours["constants"].items():
        yield "constants", name, [], value, theirs.get("constants", {}).get(name, _MISSING)
    yield from _layers("networks", ours, theirs)
    for part, names in (("values", list(ours["values"])), ("adjoints", [*ours["adjoints"]][::-1])):
        for name in names:
            other = theirs.get(part, {}).get(name, _MISSING)
            if other == _MISSING and VOCABULARY[name].role == "term":
                continue
            yield part, name, VOCABULARY[name].dims, ours[part][name], other
    yield from _layers("network_adjoints", ours, theirs)


def _layers(part: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Any:
    for network, layers in ours[part].items():
        given = theirs.get(part, {}).get(network)
        given = given if isinstance(given, list) else []
        for place, layer in enumerate(layers):
            other = given[place] if place < len(given) else None
            other = other if isinstance(other, dict) else {}
            for key in ("W", "b"):
                yield part, f"{network}.{place}.{key}", (), layer[key], other.get(key, _MISSING)
        if len(given) > len(layers):
            yield part, f"{network}.{len(layers)}", (), _MISSING, "a further layer"


def _first_difference(
    part: str, name: str, dims: Any, mine: Any, other: Any, coords: Any, tolerance: float
) -> Difference | None:
    if mine is None and other is None:
        return None
    a, b = _numbers(mine, dims), _numbers(other, dims)
    if isinstance(a, str) or isinstance(b, str) or a.shape != b.shape:
        words = [x if isinstance(x, str) else f"numbers of shape {x.shape}" for x in (a, b)]
        return Difference(part, name, "", *words)
    size = np.max(np.abs(a), initial=0.0)
    apart = ~(np.abs(a - b) <= tolerance * size)
    if not apart.any():
        return None
    at = tuple(int(i) for i in np.argwhere(apart)[0])
    labels = [f"{dim} {coords[dim][i]}" for dim, i in zip(dims, at, strict=False)]
    where = ", ".join(labels) if dims else (f"index {list(at)}" if at else "")
    return Difference(part, name, where, float(a[at]), float(b[at]))


def _numbers(given: Any, dims: Any) -> np.ndarray | str:
    """An array of float64, or what is given in its place, in words."""
    if given is None:
        return "no path"
    if isinstance(given, str):
        return given
    if isinstance(given, dict):
        if given.get("dims") != list(dims):
            return f"dims {given.get('dims')}"
        given = given.get("data")
    try:
        array = np.asarray(given)
    except ValueError:
        return "a ragged list"
    return array.astype(np.float64) if array.dtype.kind in "fiu" else "something else than numbers"
