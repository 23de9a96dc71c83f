"""`velotrace vectors --against`: another program's numbers compared with ours (design.md)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import WALKTHROUGH, write_scenario

from velotrace.quantities import VOCABULARY
from velotrace.report.vectors import TOLERANCE, compare_vectors, to_json, vectors, vectors_of
from velotrace.walkthrough import Trace

TERMS = [name for name, quantity in VOCABULARY.items() if quantity.role == "term"]


@pytest.fixture(scope="module")
def ours(walkthrough: Trace) -> dict[str, Any]:
    return vectors_of(walkthrough)


@pytest.fixture
def theirs(ours: dict[str, Any]) -> dict[str, Any]:
    """What another program would write that has everything right."""
    return json.loads(to_json(ours))


def test_identical_files_agree(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert compare_vectors(ours, theirs) is None


def test_terms_and_extras_may_be_kept_or_not(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for part in ("values", "adjoints"):
        for name in TERMS:
            del theirs[part][name]
        theirs[part]["hidden"] = {"dims": ["cell"], "data": [1.0, 2.0]}
    assert compare_vectors(ours, theirs) is None


def test_round_off_agrees_and_more_does_not(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Relative to the largest component: what is TOLERANCE of it passes, twice that does not."""
    data = theirs["values"]["u_bar"]["data"]
    largest = np.max(data)
    data[1][0][3] += 0.9 * TOLERANCE * largest
    assert compare_vectors(ours, theirs) is None
    data[1][0][3] += 1.1 * TOLERANCE * largest
    difference = compare_vectors(ours, theirs)
    assert difference is not None
    assert str(difference) == (
        f"values: u_bar at cell Cell 3, gene A, state 4 differs: 0.0 here, {data[1][0][3]} there"
    )
    assert compare_vectors(ours, theirs, 3.0 * TOLERANCE) is None


@pytest.mark.parametrize("part", ["values", "adjoints"])
def test_any_one_value_is_found(part: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Each quantity's last component moved by a millionth of the largest: named, with labels."""
    for name, array in ours[part].items():
        if array is None:
            continue
        data = np.array(array["data"], dtype=float)
        place = tuple(size - 1 for size in data.shape)
        data[place] += 1e-6 * (np.max(np.abs(data)) + 1e-30)
        changed = theirs | {part: theirs[part] | {name: array | {"data": data.tolist()}}}
        difference = compare_vectors(ours, changed)
        assert difference is not None, name
        assert (difference.part, difference.name) == (part, name)
        labels = [f"{dim} {ours['coords'][dim][-1]}" for dim in array["dims"]]
        assert difference.where == ", ".join(labels)
        assert difference.theirs == data[place]


def test_weights_and_constants_are_compared(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for part in ("networks", "network_adjoints"):
        changed = copy.deepcopy(theirs)
        changed[part]["decoder_rep"][1]["W"][15][2] += 1.0
        difference = compare_vectors(ours, changed)
        assert difference is not None
        assert (difference.part, difference.name) == (part, "decoder_rep.1.W")
        assert difference.where == "index [15, 2]"
    theirs["constants"]["s_star"][1] = 0.3
    difference = compare_vectors(ours, theirs)
    assert difference is not None
    assert (difference.name, difference.where) == ("s_star", "index [1]")


def test_first_in_the_order_of_computation(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Several differ: a mistake in ū shows in all that follow; the first is named, cell by cell."""
    for name in ("loss", "log_likelihood", "u_bar"):
        theirs["values"][name]["data"] = (np.array(ours["values"][name]["data"]) + 1.0).tolist()
    theirs["adjoints"]["alpha"]["data"] = [0.0, 0.0, 0.0]
    difference = compare_vectors(ours, theirs)
    assert difference is not None
    assert (difference.part, difference.name) == ("values", "u_bar")
    assert difference.where == "cell Cell 1, gene A, state 1"
    theirs["values"] = ours["values"]
    theirs["adjoints"]["u_bar"]["data"] = (-np.array(ours["adjoints"]["u_bar"]["data"])).tolist()
    difference = compare_vectors(ours, theirs)
    assert difference is not None
    assert (difference.part, difference.name) == ("adjoints", "u_bar")  # backward: ū before α


DAMAGES = {
    "value missing": (lambda v: v["values"].pop("u_bar"), "u_bar", "missing"),
    "adjoint missing": (lambda v: v["adjoints"].pop("alpha"), "alpha", "missing"),
    "no path missing": (lambda v: v["adjoints"].pop("pi"), "pi", "missing"),
    "network missing": (lambda v: v["networks"].pop("encoder_pi"), "encoder_pi.0.W", "missing"),
    "layer missing": (lambda v: v["networks"]["encoder_z"].pop(), "encoder_z.1.W", "missing"),
    "layer too many": (
        lambda v: v["networks"]["encoder_z"].append({"W": [[1.0]], "b": [0.0]}),
        "encoder_z.2",
        "further",
    ),
    "bias missing": (lambda v: v["networks"]["encoder_z"][1].pop("b"), "encoder_z.1.b", "missing"),
    "constant missing": (lambda v: v["constants"].pop("t_max"), "t_max", "missing"),
    "null for an array": (lambda v: v["adjoints"].update(u_bar=None), "u_bar", "no path"),
    "array for null": (
        lambda v: v["adjoints"].update(pi=v["values"]["pi"]),
        "pi",
        "shape (2, 3, 4)",
    ),
    "null for a value": (lambda v: v["values"].update(z=None), "z", "no path"),
    "shape": (lambda v: v["values"]["alpha"]["data"].append(1.0), "alpha", "shape (4,)"),
    "ragged": (lambda v: v["values"]["pi"]["data"][0].pop(), "pi", "ragged"),
    "text": (lambda v: v["values"].update(loss="29213"), "loss", "29213"),
    "text inside": (lambda v: v["values"]["loss"].update(data="29213"), "loss", "numbers"),
    "null inside": (lambda v: v["values"]["alpha"]["data"].append(None), "alpha", "numbers"),
    "bools": (lambda v: v["values"]["alpha"].update(data=[True] * 3), "alpha", "numbers"),
    "dims": (lambda v: v["values"]["pi"].update(dims=["gene"]), "pi", "dims"),
    "other cells": (lambda v: v["coords"].update(cell=["x", "y"]), "cell", "x"),
    "no genes": (lambda v: v["coords"].pop("gene"), "gene", "missing"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_anything_else_that_differs(case: str, ours: Any, theirs: Any) -> None:
    damage, name, words = DAMAGES[case]
    damage(theirs)
    difference = compare_vectors(ours, theirs)
    assert difference is not None
    assert difference.name == name
    assert words in str(difference)


def test_command(command: Any, tmp_path: Path, theirs: dict[str, Any]) -> None:
    """0 where all agrees, 1 where something differs, and then its name on standard output."""
    path, new = write_scenario(tmp_path, WALKTHROUGH), tmp_path / "new.json"
    printed = command("vectors", path)
    assert (printed.status, printed.err) == (0, "")
    wrote = command("vectors", path, "-o", new)
    assert (wrote.status, wrote.out) == (0, f"Wrote {new}\n")
    assert new.read_text(encoding="utf-8") == printed.out == to_json(vectors(path))
    same = command("vectors", path, "--against", new)
    assert (same.status, same.out) == (0, f"{new} agrees in every number\n")
    new.write_text(json.dumps(theirs), encoding="utf-8")  # of another scenario: no pins here
    other = command("vectors", path, "--against", new)
    assert (other.status, other.err) == (1, "")
    assert other.out.startswith("networks: decoder_ind.1.b at index [0] differs: ")
    low = command("vectors", "--against", new, "--tolerance", "0")
    assert (low.status, low.out) == (0, f"{new} agrees in every number\n")
