"""Scenarios in which float64 gives out: one clear line, or a warning, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import TOY, Outcome, write_scenario

from velotrace.learning.optimisers import clip


def scaled(factor: float) -> str:
    """The toy table with every number times a factor."""
    header, *rows = TOY.splitlines()
    lines = [header]
    for row in rows:
        cell, gene, u, s = row.split(",")
        lines.append(f"{cell},{gene},{float(u) * factor!r},{float(s) * factor!r}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("call", ["vectors", "trace", "check"])
@pytest.mark.parametrize("preset", ["document", "joint", "paper"])
def test_concentrations_that_underflow(
    tmp_path: Path, command: Callable[..., Outcome], call: str, preset: str
) -> None:
    """softplus is 0 below −745, and no Dirichlet has the concentration 0 (22)."""
    keys = {"reading": {"preset": preset}, "networks": {"activation": "relu"}}
    scenario = write_scenario(tmp_path, keys, csv=scaled(1e6))
    outcome = command(call, scenario)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert "concentration of cell" in outcome.err


def test_trace_says_that_the_loss_overflows(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    """(20): at σ = 1e-300 the squared residual is no float64."""
    scenario = write_scenario(tmp_path, {"initial": {"sigma_u": 1e-300}})
    outcome = command("trace", scenario)
    assert outcome.status == 0
    assert "float64 overflows" in outcome.out.splitlines()[3]
    for call in ("check", "vectors"):
        refused = command(call, scenario)
        assert (refused.status, refused.err.count("\n")) == (2, 1)
        assert "overflows" in refused.err


def test_a_prior_beyond_the_gamma_function(tmp_path: Path, command: Callable[..., Outcome]) -> None:
    """doc (2): log Γ(1e306) is above float64."""
    scenario = write_scenario(tmp_path, {"constants": {"pi_prior": 1e306}})
    outcome = command("vectors", scenario)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)


def test_clipping_gradients_whose_squares_overflow() -> None:
    """The joint norm of 3e200 and 4e200 is 5e200, though neither square is a float64."""
    clipped = clip(np.array([3e200, -4e200]), 1.0)
    np.testing.assert_allclose(clipped, [0.6, -0.8], rtol=1e-15)


def test_diff_fails_where_a_number_is_missing(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    """A quantity that only one of two files has is a difference."""
    import json

    path, less = tmp_path / "all.json", tmp_path / "less.json"
    command("vectors", "-o", path)
    content = json.loads(path.read_text())
    del content["values"]["loss"]
    less.write_text(json.dumps(content))
    assert command("diff", path, path).status == 0
    assert command("diff", path, less).status == 1
