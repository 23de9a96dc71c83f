"""Test vectors against the independent PyTorch program, number by number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import write_scenario

from velotrace.report.vectors import vectors, vectors_of
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
            "preset": one("document", "paper", "joint"),
            "likelihood": one("sampled-state", "separate-mixtures", "joint-mixture"),
            "repression_start": one("steady-state", "switch-time"),
            "reduction": one("sum", "mean"),
            "switch_weight": float(pick.uniform(0.0, 2.0)),
            "kl_weight": float(pick.uniform(0.0, 1.0)),
            "latent_variance": one("exp", "softplus"),
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
