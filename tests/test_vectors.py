"""Test vectors: format, round trip, and the comparison with another program's (design.md)."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from helpers import READINGS, TOY, write_scenario

import velotrace
from velotrace.model.readings import DOCUMENT
from velotrace.quantities import VOCABULARY
from velotrace.report.vectors import (
    compare_vectors,
    read_vectors,
    to_json,
    vectors,
    vectors_of,
)
from velotrace.resources import data_path
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

SCHEMA = json.loads(data_path("vectors.schema.json").read_text(encoding="utf-8"))


def validate(content: Any) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(content)


@pytest.fixture(scope="module")
def ours(walkthrough: Trace) -> dict[str, Any]:
    return vectors_of(walkthrough)


@pytest.fixture
def theirs(ours: dict[str, Any]) -> dict[str, Any]:
    """What another program would write that has everything right."""
    return json.loads(to_json(ours))


# ---- format ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READINGS)
def test_format(name: str, traces: dict[str, Trace]) -> None:
    """The JSON schema of `data/`, strict JSON, and every key of design.md's list and no other."""
    trace = traces[name]
    content = vectors_of(trace)
    validate(content)
    text = to_json(content)
    assert json.loads(text, parse_constant=pytest.fail) == content
    assert list(content) == [
        *("schema", "velotrace", "scenario", "coords", "constants"),
        *("networks", "values", "adjoints", "network_adjoints"),
    ]
    assert content["velotrace"] == velotrace.__version__
    assert list(content["values"]) == list(content["adjoints"]) == list(trace.quantities)
    for values in (content["values"], content["adjoints"]):
        for quantity, array in values.items():
            if array is not None:
                shape = [len(content["coords"][dim]) for dim in array["dims"]]
                assert list(np.shape(array["data"])) == shape, quantity


@pytest.mark.parametrize("name", READINGS)
def test_numbers_read_back_bit_for_bit(name: str, traces: dict[str, Trace]) -> None:
    trace = traces[name]
    read = json.loads(to_json(vectors_of(trace)))
    for quantity in trace.quantities:
        entry = trace.tape[quantity]
        for array, written in (
            (entry.value, read["values"][quantity]),
            (entry.adjoint, read["adjoints"][quantity]),
        ):
            if array is None:
                assert written is None
            else:
                back = np.array(written["data"], dtype=array.dtype)
                np.testing.assert_array_equal(back, array)
                np.testing.assert_array_equal(np.signbit(back), np.signbit(array))
    for path, value in leaves(trace.resolved.parameters):
        if "." in path:
            network, place, part = path.split(".")
            written = read["networks"][network][int(place)][part]
            np.testing.assert_array_equal(np.array(written), value)
            adjoint = trace.tape[path].adjoint
            written = read["network_adjoints"][network][int(place)][part]
            np.testing.assert_array_equal(np.array(written), 0.0 if adjoint is None else adjoint)


def test_scenario_is_spelled_out(ours: dict[str, Any]) -> None:
    """design.md: "all keys resolved, reading choices spelled out"; constants as in force."""
    scenario = ours["scenario"]
    assert scenario["reading"] == {"preset": "document"} | asdict(DOCUMENT)
    assert scenario["batch"]["cells"] == ours["coords"]["cell"]
    assert scenario["initial"]["alpha"] == ours["values"]["alpha"]["data"]
    assert scenario["constants"]["u_star"] == ours["constants"]["u_star"]
    assert scenario["optimiser"]["betas"] == [0.9, 0.999]
    assert ours["constants"]["switch_weight"] == ours["constants"]["kl_weight"] == 1.0
    assert ours["coords"]["state"] == [1, 2, 3, 4]


def test_no_path_is_null_for_a_whole_array_and_0_inside(ours: dict[str, Any]) -> None:
    """model.md 4.11: under a hard k only the chosen branch gets a gradient; π, k, velocity none."""
    null = {name for name, array in ours["adjoints"].items() if array is None}
    constants = {"unspliced", "spliced", "epsilon_z", "kl_z_dimension"}
    assert null == constants | {"pi", "state", "velocity"}
    u_bar = np.array(ours["adjoints"]["u_bar"]["data"])
    chosen = np.array(ours["values"]["state"]["data"])[..., None] == [1, 2, 3, 4]
    assert (u_bar[~chosen] == 0.0).all()
    assert (u_bar[chosen] != 0.0).all()


def test_schema_refuses_what_it_should(theirs: dict[str, Any]) -> None:
    """The schema is a test only if it can fail."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for damage in (
        lambda v: v.pop("coords"),
        lambda v: v.update(more=1),
        lambda v: v["values"].pop("u_bar"),
        lambda v: v["values"].update(u_bar=None),
        lambda v: v["values"].update(w_bar=v["values"]["u_bar"]),
        lambda v: v["values"]["u_bar"].update(dims=["gene", "cell", "state"]),
        lambda v: v["values"]["u_bar"]["data"][0][0].append(0.0),
        lambda v: v["values"]["alpha"].update(data=[["0.85"]]),
        lambda v: v["values"]["state"]["data"][0].__setitem__(0, 5),
        lambda v: v["adjoints"].pop("pi"),
        lambda v: v["networks"].pop("encoder_z"),
        lambda v: v["networks"]["encoder_z"][0].pop("b"),
        lambda v: v["coords"].update(state=[0, 1, 2, 3]),
        lambda v: v.update(schema="velotrace-vectors/2"),
    ):
        damaged = copy.deepcopy(theirs)
        damage(damaged)
        with pytest.raises(jsonschema.ValidationError):
            validate(damaged)
    declared = set(SCHEMA["properties"]["values"]["properties"])
    assert declared == set(SCHEMA["properties"]["adjoints"]["properties"]) == set(VOCABULARY)


def test_names_survive(tmp_path: Path) -> None:
    """JSON in UTF-8, whatever cells and genes are called."""
    table = TOY.replace("Cell 1", '"Zelle ""1"", α/β"').replace(",A,", ",基因\U0001f9ec,")
    path = write_scenario(tmp_path, csv=table)
    (tmp_path / "v.json").write_text(to_json(vectors(path)), encoding="utf-8")
    read = read_vectors(tmp_path / "v.json")
    assert read["coords"]["cell"][0] == 'Zelle "1", α/β'
    assert read["coords"]["gene"][0] == "基因\U0001f9ec"
    validate(read)


# ---- the golden file ------------------------------------------------------------------------


def test_walkthrough_is_as_it_was(ours: dict[str, Any]) -> None:
    """`data/golden/walkthrough.json`, recomputed.

    Tolerance 1e-9 of each array's largest component: other builds of BLAS and of libm round
    differently, some 1e-13 after these few hundred operations; draws and names must not change at
    all. Written by `velotrace vectors -o data/golden/walkthrough.json` (`make golden`).
    """
    golden = read_vectors(data_path("golden/walkthrough.json"))
    validate(golden)
    assert compare_vectors(ours, golden) is None
    assert compare_vectors(golden, ours) is None
    assert golden["scenario"] == ours["scenario"]
    for name in ("epsilon_z", "state", "unspliced", "spliced"):
        assert golden["values"][name] == ours["values"][name]
