"""Scenarios: what each key stands for when it is given, and when it is not (design.md)."""

from __future__ import annotations

import json
import re
import tomllib
import typing
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from helpers import READINGS, TOY, WALKTHROUGH, toml, write_scenario

import velotrace
from velotrace.data import read_expression
from velotrace.model.readings import (
    DOCUMENT,
    PRESET_OPTIMISERS,
    PRESETS,
    Optimiser,
    Reading,
    in_force,
)
from velotrace.report.starter import starter_scenario
from velotrace.resources import data_path
from velotrace.scenario import resolve
from velotrace.scenario.schema import ReadingKeys, Scenario

HEADER = "cell,gene,unspliced,spliced\n"


def test_defaults_are_those_of_the_walkthrough(tmp_path: Path) -> None:
    """design.md: "every other value shown is the default unless its comment says otherwise"."""
    shown = tomllib.loads(data_path("walkthrough.toml").read_text(encoding="utf-8"))
    default = Scenario.model_validate({"schema": shown["schema"], "data": {"file": "toy.csv"}})
    dumped = default.model_dump(by_alias=True)
    for section in ("initial", "constants", "networks"):
        given = {name: dumped[section][name] for name in shown[section]}
        assert given == shown[section], section
    assert dumped["reading"]["preset"] == shown["reading"]["preset"]
    resolved = resolve(write_scenario(tmp_path))
    step = asdict(resolved.optimiser)
    assert {name: step[name] for name in shown["optimiser"]} == shown["optimiser"]
    assert resolved.iteration.reading == DOCUMENT
    assert set(shown) == {
        *("schema", "title", "data", "batch", "reading", "initial"),
        *("constants", "networks", "noise", "pins", "optimiser"),
    }


def test_only_schema_and_file_are_required(tmp_path: Path) -> None:
    resolved = resolve(write_scenario(tmp_path))
    assert resolved.cells == ("Cell 1", "Cell 2", "Cell 3", "Cell 4")
    assert resolved.scenario.data.upper_cells == 1  # model.md 4.6: 1 % of four cells is one cell
    np.testing.assert_array_equal(resolved.parameters["alpha"], [0.9, 0.8, 0.6])
    np.testing.assert_array_equal(resolved.iteration.constants.s_star, [0.1, 0.2, 0.4])
    assert not resolved.scenario.pins.pi


@pytest.mark.parametrize(("cells", "upper"), [(1, 1), (99, 1), (100, 1), (101, 2), (300, 3)])
def test_upper_cells_default_to_one_percent_rounded_up(
    tmp_path: Path, cells: int, upper: int
) -> None:
    """design.md: "default ceil of 1 % of the cells"; 0.01 · 300 in floats is 3.0000000000000004."""
    table = HEADER + "".join(f"c{n},A,{n},{2 * n}\n" for n in range(cells))
    resolved = resolve(write_scenario(tmp_path, csv=table))
    assert resolved.scenario.data.upper_cells == upper
    top = np.arange(cells)[-upper:]
    assert resolved.iteration.constants.u_star == np.median(top)
    assert resolved.iteration.constants.s_star == np.median(2 * top)


def test_upper_cells_of_all_cells_not_of_the_batch(tmp_path: Path) -> None:
    """design.md: "alpha, u* and s* come from all cells"; ties go to the earlier cell."""
    keys = {"batch": {"cells": ["Cell 4"]}, "data": {"upper_cells": 3}}
    resolved = resolve(write_scenario(tmp_path, keys))
    np.testing.assert_array_equal(resolved.parameters["alpha"], [0.8, 0.7, 0.5])
    np.testing.assert_array_equal(resolved.iteration.constants.s_star, [0.2, 0.3, 0.5])
    tied = HEADER + "a,A,1,5\nb,A,1,7\nc,A,1,9\n"
    resolved = resolve(write_scenario(tmp_path, {"data": {"upper_cells": 2}}, csv=tied))
    assert resolved.iteration.constants.s_star == 6.0


def test_keys_are_used(tmp_path: Path) -> None:
    keys = {
        "batch": {"cells": ["Cell 3", "Cell 1"]},
        "initial": {"alpha": 2, "gamma": [0.1, 0.2, 0.3], "switch_time": 4.0},
        "constants": {"t_max": 5.0, "u_star": [1, 2, 3], "s_star": 0.0, "pi_prior": 1.0},
        "networks": {"latent": 3, "hidden": [4, 5], "activation": "relu"},
        "optimiser": {"name": "adamw", "betas": [0.5, 0.75], "clip_norm": 2.0},
    }
    resolved = resolve(write_scenario(tmp_path, keys))
    theta, iteration = resolved.parameters, resolved.iteration
    np.testing.assert_array_equal(theta["alpha"], [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(theta["gamma"], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(theta["switch_time"], [4.0] * 3)
    assert (iteration.constants.t_max, iteration.constants.pi_prior) == (5.0, 1.0)
    np.testing.assert_array_equal(iteration.constants.u_star, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(iteration.constants.s_star, [0.0] * 3)
    np.testing.assert_array_equal(iteration.unspliced, [[0.2, 0.7, 0.1], [0.8, 0.1, 0.5]])
    np.testing.assert_array_equal(iteration.spliced, [[0.7, 0.3, 0.9], [0.2, 0.9, 0.5]])
    assert iteration.activation == "relu"
    shapes = [layer["W"].shape for layer in theta["encoder_z"]]
    assert shapes == [(6, 4), (4, 5), (5, 6)]
    assert (resolved.optimiser.name, resolved.optimiser.betas) == ("adamw", (0.5, 0.75))
    assert resolved.optimiser.clip_norm == 2.0


CHOICES = {
    "likelihood": "joint-mixture",
    "repression_start": "switch-time",
    "switch_weight": 0.06,
    "kl_weight": 0.7,
    "reduction": "mean",
    "latent_variance": "softplus",
    "parameterisation": "softplus",
    "noise_parameter": "variance",
    "encoder_input": "spliced-first",
    "decoders": "shared-hidden",
    "denominator": "eps",
    "kl_warmup": 100,
    "switch_fades": True,
}


@pytest.mark.parametrize("choice", CHOICES)
def test_each_choice_overrides_its_preset_alone(choice: str, tmp_path: Path) -> None:
    """design.md, `[reading]`, and the table of model.md section 2."""
    plain = asdict(resolve(write_scenario(tmp_path)).reading)
    assert set(CHOICES) == set(plain)
    keys = {"reading": {choice: CHOICES[choice]}}
    reading = asdict(resolve(write_scenario(tmp_path, keys)).reading)
    assert reading == plain | {choice: CHOICES[choice]}
    assert plain[choice] != CHOICES[choice]


def test_presets_are_those_of_the_table(tmp_path: Path) -> None:
    """The table of model.md section 2."""
    rows = {
        "document": Reading("sampled-state", "steady-state", 1.0, 1.0, "sum", "exp"),
        "paper": Reading("separate-mixtures", "switch-time", 0.2, 1.0, "sum", "exp"),
        "joint": Reading("joint-mixture", "switch-time", 0.2, 1.0, "sum", "exp"),
        "scvi-tools": Reading(
            *("separate-mixtures", "switch-time", 0.2, 1.0, "mean", "softplus", "softplus"),
            *("variance", "spliced-first", "shared-hidden", "eps", 400, True),
        ),
    }
    steps = {
        "document": Optimiser("adam", 0.01),
        "paper": Optimiser("adam", 0.01, weight_decay=0.01),
        "joint": Optimiser("adam", 0.01),
        "scvi-tools": Optimiser("adamw", 0.01, eps=0.01, weight_decay=0.01, clip_norm=10.0),
    }
    for preset, reading in rows.items():
        resolved = resolve(write_scenario(tmp_path, {"reading": {"preset": preset}}))
        assert resolved.reading == reading
        assert resolved.optimiser == PRESET_OPTIMISERS[preset] == steps[preset]


def test_first_iteration_is_that_of_epoch_0(tmp_path: Path) -> None:
    """scvi-tools' warm-up starts at 0: KL_z counts nothing, the switch penalty in full."""
    resolved = resolve(write_scenario(tmp_path, {"reading": {"preset": "scvi-tools"}}))
    now = resolved.iteration.reading
    assert (now.kl_weight, now.switch_weight) == (0.0, 0.2)
    assert (now.kl_warmup, now.switch_fades) == (0, False)


@pytest.mark.parametrize(
    ("given", "warmup", "fades", "first"),
    [
        ({}, 400, True, (0.0, 0.2)),
        ({"kl_weight": 0.5}, 0, True, (0.5, 0.1)),
        ({"switch_weight": 0.3}, 400, False, (0.0, 0.3)),
        ({"kl_weight": 0.5, "kl_warmup": 10}, 10, True, (0.0, 0.2)),
        ({"switch_weight": 0.3, "switch_fades": True}, 400, True, (0.0, 0.3)),
        ({"kl_warmup": 0}, 0, True, (1.0, 0.0)),
        ({"kl_weight": 2.0}, 0, True, (2.0, 0.0)),  # never below 0
    ],
)
def test_a_weight_that_is_given_holds_from_the_start(
    given: dict[str, object], warmup: int, fades: bool, first: tuple[float, float], tmp_path: Path
) -> None:
    """model.md section 2, last row: λ = 0.2 (1 − kl_weight); given alone, no schedule."""
    keys = {"reading": {"preset": "scvi-tools", **given}}
    resolved = resolve(write_scenario(tmp_path, keys))
    assert (resolved.reading.kl_warmup, resolved.reading.switch_fades) == (warmup, fades)
    now = resolved.iteration.reading
    assert (now.kl_weight, now.switch_weight) == first


def test_weights_over_the_epochs() -> None:
    """model.md section 2: "epoch/400, up to 1 (so the switch penalty fades to 0)"."""
    for epoch, weight in ((0, 0.0), (1, 1 / 400), (100, 0.25), (400, 1.0), (401, 1.0), (9999, 1.0)):
        now = in_force(PRESETS["scvi-tools"], epoch)
        assert now.kl_weight == weight
        assert now.switch_weight == 0.2 * (1.0 - weight)
    for preset in ("document", "paper", "joint"):
        for epoch in (0, 1, 400):
            assert in_force(PRESETS[preset], epoch) == PRESETS[preset]


@pytest.mark.parametrize("name", READINGS)
def test_resolved_scenario_means_the_same(name: str, tmp_path: Path) -> None:
    """The scenario in test vectors has every key spelled out; as a file it gives all numbers again.

    A None stands for 'no clipping', which TOML writes by leaving the key out.
    """
    pins = {"time_induction": {"Cell 1/A": 8.0}, "pi": {"Cell 1/B": [0.0, 0.5, 0.5, 0.0]}}
    path = write_scenario(tmp_path / "given", WALKTHROUGH, READINGS[name], {"pins": pins})
    first = velotrace.vectors(path)
    missing = _missing_keys(Scenario.model_validate(first["scenario"]))
    assert missing <= {"optimiser.clip_norm"}
    (tmp_path / "toy.csv").write_text(TOY)
    (tmp_path / "resolved.toml").write_text(toml(first["scenario"]))
    again = velotrace.vectors(tmp_path / "resolved.toml")
    assert json.dumps(first) == json.dumps(again)


def _missing_keys(scenario: Scenario) -> set[str]:
    dumped = scenario.model_dump(by_alias=True)
    tables = {key: value for key, value in dumped.items() if isinstance(value, dict)}
    return {f"{t}.{k}" for t, table in tables.items() for k, v in table.items() if v is None}


def test_starter_names_every_choice() -> None:
    """What `velotrace init` writes about [reading]: each key, each of its words, all lawful."""
    text = starter_scenario("toy.csv", read_expression(data_path("toy.csv")))
    section = text.split("[reading]\n")[1].split("[initial]")[0]
    keys = tomllib.loads(re.sub(r"(?m)^# (?=\w+ = )", "", section))
    assert set(keys) == set(ReadingKeys.model_fields)
    ReadingKeys.model_validate(keys)
    for name, field in ReadingKeys.model_fields.items():
        for options in (field.annotation, *typing.get_args(field.annotation)):
            if typing.get_origin(options) is typing.Literal:
                line = next(row for row in section.splitlines() if f"{name} = " in row)
                assert " | ".join(typing.get_args(options)) in line


def test_pins_of_draws_stand_as_given(tmp_path: Path) -> None:
    """design.md, `[pins]`: "draws that are given instead of drawn"; the others are as without."""
    given = {"pi": {"Cell 3/B": [0.25, 0.75, 0.0, 0.0]}, "state": {"Cell 3/C": 4, "Cell 1/A": 2}}
    plain = resolve(write_scenario(tmp_path, WALKTHROUGH)).iteration.draws
    pinned = resolve(write_scenario(tmp_path, WALKTHROUGH, {"pins": given})).iteration.draws
    np.testing.assert_allclose(pinned.pi[1, 1], [0.25, 0.75, 0.0, 0.0], rtol=0.0, atol=1e-300)
    assert (pinned.pi > 0.0).all()
    elsewhere = np.ones((2, 3), dtype=bool)
    elsewhere[1, 1] = False
    np.testing.assert_array_equal(pinned.pi[elsewhere], plain.pi[elsewhere])
    assert pinned.state is not None
    assert plain.state is not None
    assert pinned.state[1, 2] == 4
    assert pinned.state[0, 0] == 2
    free = [(0, 1), (0, 2), (1, 0)]  # not (1, 1): its π has changed
    assert [pinned.state[at] for at in free] == [plain.state[at] for at in free]
    np.testing.assert_array_equal(pinned.epsilon_z, plain.epsilon_z)


def test_table_as_people_write_it(tmp_path: Path) -> None:
    """Any order of columns and rows, blanks, quotes, CRLF and a byte order mark."""
    text = '﻿gene, spliced,cell,unspliced\r\n"B, 2",1e0,ü, .5\r\n\r\nA,+2.,ü,-0\r\n'
    (tmp_path / "own.csv").write_text(text, encoding="utf-8", newline="")
    expression = read_expression(tmp_path / "own.csv")
    assert expression.cells == ("ü",)
    assert expression.genes == ("B, 2", "A")
    np.testing.assert_array_equal(expression.unspliced, [[0.5, 0.0]])
    np.testing.assert_array_equal(expression.spliced, [[1.0, 2.0]])
    assert not np.signbit(expression.unspliced).any()


def test_data_are_looked_for_beside_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_scenario(tmp_path / "there", {"data": {"file": "../data.csv"}})
    (tmp_path / "data.csv").write_text(HEADER + "x,y,1,2\n")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert resolve(Path("..") / "there" / path.name).genes == ("y",)
