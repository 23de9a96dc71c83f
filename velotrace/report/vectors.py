"""Test vectors: every number of an iteration as JSON, and the comparison with another program's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import velotrace
from velotrace.data import read_text
from velotrace.errors import InputError
from velotrace.quantities import NETWORKS, VOCABULARY
from velotrace.scenario import resolved_dict
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
    _check_finite(values, "value")
    _check_finite(adjoints, "adjoint")
    return {
        "schema": SCHEMA,
        "velotrace": velotrace.__version__,
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
    return json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")) + "\n"


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


def _check_finite(arrays: dict[str, np.ndarray | None], what: str) -> None:
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
        InputError: it is not JSON of schema velotrace-vectors/1.
    """
    try:
        content = json.loads(read_text(path), parse_constant=_refuse_constant)
    except ValueError as problem:
        raise InputError(f"{path}: not strict JSON: {problem}") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        given = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise InputError(f"{path}: schema is {given!r}; it must be {SCHEMA!r}")
    for part in ("values", "adjoints"):
        if not isinstance(content.get(part), dict):
            raise InputError(f"{path}: {part!r} is missing; it must be a table of arrays by name")
    return content


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def compare_vectors(
    ours: dict[str, Any], theirs: dict[str, Any], tolerance: float = TOLERANCE
) -> Difference | None:
    """The first difference in the order of computation: forward, then backward.

    Args:
        ours: vectors made here.
        theirs: another program's; `networks` and `constants` may be left out.
        tolerance: relative to the largest component of each array.

    Returns:
        The first quantity and component that differ; None where all agree.
    """
    coords = ours["coords"]
    for dim, labels in coords.items():
        given = theirs.get("coords", {}).get(dim, labels)
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
        yield "constants", name, [], value, theirs.get("constants", ours["constants"]).get(name)
    yield from _layers("networks", ours, theirs)
    for name, mine in ours["values"].items():
        yield "values", name, mine["dims"], mine["data"], _data(theirs["values"].get(name, mine))
    for name, mine in reversed(ours["adjoints"].items()):
        other = theirs["adjoints"].get(name, mine)
        dims = mine["dims"] if mine else []
        yield "adjoints", name, dims, _data(mine), _data(other)
    yield from _layers("network_adjoints", ours, theirs)


def _layers(part: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Any:
    for network, layers in ours[part].items():
        given = theirs.get(part, ours[part]).get(network, [])
        for place, layer in enumerate(layers):
            other = given[place] if place < len(given) else {}
            for key in ("W", "b"):
                yield part, f"{network}.{place}.{key}", [], layer[key], other.get(key)


def _data(array: Any) -> Any:
    return array.get("data") if isinstance(array, dict) else array


def _first_difference(
    part: str, name: str, dims: list[str], mine: Any, other: Any, coords: Any, tolerance: float
) -> Difference | None:
    if mine is None or other is None:
        if mine is other:
            return None
        words = [("no path" if x is None else "a path") for x in (mine, other)]
        return Difference(part, name, "", *words)
    try:
        a, b = np.asarray(mine, dtype=np.float64), np.asarray(other, dtype=np.float64)
    except (TypeError, ValueError):
        return Difference(part, name, "", "an array of numbers", "something else")
    if a.shape != b.shape:
        return Difference(part, name, "", f"shape {a.shape}", f"shape {b.shape}")
    size = np.max(np.abs(a), initial=0.0)
    apart = ~(np.abs(a - b) <= tolerance * size)
    if not apart.any():
        return None
    at = tuple(int(i) for i in np.argwhere(apart)[0])
    labels = [f"{dim} {coords[dim][i]}" for dim, i in zip(dims, at, strict=False)]
    where = ", ".join(labels) if dims else (f"index {list(at)}" if at else "")
    return Difference(part, name, where, float(a[at]), float(b[at]))
