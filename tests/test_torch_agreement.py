"""Test vectors against the independent PyTorch program, number by number."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import write_scenario

from velotrace.model.objective import loss
from velotrace.model.readings import Reading
from velotrace.report.vectors import vectors, vectors_of
from velotrace.resources import data_path
from velotrace.scenario import resolve
from velotrace.tape import record
from velotrace.walkthrough import Trace

pytest.importorskip("torch", reason="the comparison with PyTorch needs torch (extra 'bench')")

import torch_reference

RELATIVE = 1e-9
"""Of the largest component: two float64 programs of some 200 operations agree to about 1e-13, less
where γ − β nearly vanishes; a mistake shows in the first digits."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def random_scenario(folder: Path, seed: int) -> Path:
    """Other data, sizes, activations, readings and pins than any file of the repository."""
    pick = np.random.default_rng(seed)

    def one(*choices: Any) -> Any:
        return choices[pick.integers(len(choices))]

    cells, genes = (int(n) for n in pick.integers(1, 7, 2))
    rows = [f"c{n},g/{g},{pick.random():.3f},{pick.random():.3f}"
            for n in range(cells) for g in range(genes)]  # fmt: skip
    beta = pick.uniform(0.05, 1.0, genes)
    gamma = beta * (1.0 + pick.choice([0.0, 1e-12, 1e-8, 1e-5, 0.7], genes))
    keys = {
        "reading": {
            "preset": one("document", "paper", "joint", "scvi-tools"),
            "likelihood": one("sampled-state", "separate-mixtures", "joint-mixture"),
            "repression_start": one("steady-state", "switch-time"),
            "reduction": one("sum", "mean"),
            "switch_weight": float(pick.uniform(0.0, 2.0)),
            "kl_weight": float(pick.uniform(0.0, 1.0)),
            "latent_variance": one("exp", "softplus"),
            "parameterisation": one("natural", "softplus"),
            "noise_parameter": one("standard-deviation", "variance"),
            "encoder_input": one("interleaved", "spliced-first"),
            "decoders": one("separate", "shared-hidden"),
            "denominator": one("exact", "exact", "eps"),
        },
        "initial": {
            "beta": beta.tolist(),
            "gamma": gamma.tolist(),
            "sigma_u": pick.uniform(0.05, 0.6, genes).tolist(),
            "sigma_s": pick.uniform(0.05, 0.6, genes).tolist(),
            "switch_time": pick.uniform(2.0, 18.0, genes).tolist(),
        },
        "constants": {"pi_prior": float(pick.uniform(0.1, 2.0))},
        "networks": {
            "latent": int(pick.integers(1, 6)),
            "hidden": [int(n) for n in pick.integers(1, 9, pick.integers(0, 4))],
            "activation": one("tanh", "relu"),
            "initialiser": one("glorot-uniform", "kaiming-uniform"),
            "seed": seed,
        },
        "noise": {"seed": seed},
        "pins": {"time_induction": {"c0/g/0": 1.5}, "pi": {"c0/g/0": [0.2, 0.3, 0.5, 0.0]}},
    }
    table = "cell,gene,unspliced,spliced\n" + "\n".join(rows) + "\n"
    return write_scenario(folder, keys, csv=table)


PRESETS = ("document", "paper", "joint", "scvi-tools")
CHOICES: dict[str, tuple[Any, ...]] = {
    "likelihood": ("sampled-state", "separate-mixtures", "joint-mixture"),
    "repression_start": ("steady-state", "switch-time"),
    "switch_weight": (0.0, 0.7),
    "kl_weight": (0.0, 0.3),
    "reduction": ("sum", "mean"),
    "latent_variance": ("exp", "softplus"),
    "parameterisation": ("natural", "softplus"),
    "noise_parameter": ("standard-deviation", "variance"),
    "encoder_input": ("interleaved", "spliced-first"),
    "decoders": ("separate", "shared-hidden"),
    "denominator": ("exact", "eps"),
    "kl_warmup": (0, 7),
    "switch_fades": (False, True),
}
SINGLE = [(key, value) for key, values in CHOICES.items() for value in values]


def walkthrough_under(folder: Path, reading: dict[str, Any]) -> dict[str, Any]:
    """`data/walkthrough.toml`, pins and all, under another reading."""
    keys = tomllib.loads(data_path("walkthrough.toml").read_text(encoding="utf-8"))
    return vectors(write_scenario(folder, keys, {"reading": reading}))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_walkthrough_under_every_preset(tmp_path: Path, preset: str) -> None:
    """The readings of model.md 2: values, adjoints, the weights' gradients."""
    content = walkthrough_under(tmp_path, {"preset": preset})
    assert torch_reference.compare(content, RELATIVE) == []


@pytest.mark.parametrize("preset", ["document", "scvi-tools"])
@pytest.mark.parametrize(("key", "value"), SINGLE)
def test_every_choice_alone(tmp_path: Path, preset: str, key: str, value: Any) -> None:
    """Each choice set alone, from the two presets that differ in all of them."""
    content = walkthrough_under(tmp_path, {"preset": preset, key: value})
    assert content["scenario"]["reading"][key] == value
    assert torch_reference.compare(content, RELATIVE) == []


def test_choices_are_all_there() -> None:
    """A choice that is added to the readings must be tried above."""
    assert set(CHOICES) == {field.name for field in fields(Reading)}


def test_weights_in_force(tmp_path: Path) -> None:
    """model.md 2: scvi-tools begins with no KL of z and the full switch penalty, 0.2."""
    content = walkthrough_under(tmp_path, {"preset": "scvi-tools"})
    weights = [content["constants"][key] for key in ("kl_weight", "switch_weight")]
    assert weights == [0.0, 0.2]


@pytest.mark.parametrize("seed", range(5))
def test_free_values_beyond_the_clamps(tmp_path: Path, seed: int) -> None:
    """A scenario cannot start there, training can get there."""
    start = resolve(write_scenario(tmp_path, {"reading": {"preset": "scvi-tools"}}))
    numbers = np.random.default_rng(seed)
    moved = dict(start.parameters)
    for key, limit in (("alpha", 50.0), ("beta", 50.0), ("gamma", 50.0), ("switch_time", 20.0)):
        near = limit + numbers.choice([-30.0, -1.0, 0.0, 1e-9, 15.0], 3)
        moved[f"{key}_free"] = numbers.permutation([near[0], near[1], moved[f"{key}_free"][2]])
    made = Trace(
        replace(start, parameters=moved), record(partial(loss, iteration=start.iteration), moved)
    )
    assert torch_reference.compare(vectors_of(made), RELATIVE) == []


@pytest.mark.parametrize("seed", range(50))
def test_random_scenarios(tmp_path: Path, seed: int) -> None:
    """Every value, every adjoint, every weight's gradient; no code is shared."""
    theirs = torch_reference.compare(vectors(random_scenario(tmp_path, seed)), RELATIVE)
    assert theirs == []


def test_readings(traces: dict[str, Trace]) -> None:
    """The presets and the odd mixtures of the other tests."""
    for name, trace in traces.items():
        assert torch_reference.compare(vectors_of(trace), RELATIVE) == [], name


def test_a_wrong_number_is_found(walkthrough: Trace) -> None:
    """The comparison itself: one adjoint off by a millionth of its size."""
    content = vectors_of(walkthrough)
    assert torch_reference.compare(content, RELATIVE) == []
    content["adjoints"]["gamma"]["data"][0] *= 1.0 + 1e-6
    (found,) = torch_reference.compare(content, RELATIVE)
    assert "gamma" in found
