"""Optimisers against a second implementation, number by number, and the facts of model.md 4.5."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from helpers import EPS, WALKTHROUGH, write_scenario
from hypothesis import given
from hypothesis import strategies as st

from velotrace.learning.optimisers import adam_start, adam_step, clip, sgd_step
from velotrace.model.readings import PRESET_OPTIMISERS, Optimiser
from velotrace.quantities import PARAMETERS
from velotrace.tape import leaves
from velotrace.walkthrough import Trace
from velotrace.walkthrough import trace as run


class ScalarAdam:
    """Kingma and Ba (2015), algorithm 1; Loshchilov and Hutter (2019), algorithm 2; one number."""

    def __init__(self, settings: Optimiser):
        self.settings, self.t, self.m, self.v = settings, 0, 0.0, 0.0

    def step(self, x: float, g: float) -> float:
        s = self.settings
        if s.name == "adam":
            g = g + s.weight_decay * x
        self.t += 1
        self.m = s.betas[0] * self.m + (1 - s.betas[0]) * g
        self.v = s.betas[1] * self.v + (1 - s.betas[1]) * g * g
        m_hat = self.m / (1 - math.pow(s.betas[0], self.t))
        v_hat = self.v / (1 - math.pow(s.betas[1], self.t))
        new = x - s.learning_rate * m_hat / (math.sqrt(v_hat) + s.eps)
        if s.name == "adamw":
            new -= s.learning_rate * s.weight_decay * x
        return new


settings_ = st.builds(
    Optimiser,
    name=st.sampled_from(["adam", "adamw"]),
    learning_rate=st.floats(1e-4, 1.0),
    betas=st.tuples(st.floats(0.0, 0.99), st.floats(0.0, 0.9999)),
    eps=st.floats(1e-10, 0.1),
    weight_decay=st.floats(0.0, 0.5),
)
number = st.floats(-100.0, 100.0).map(lambda x: x if abs(x) > 1e-6 else 0.0)
pairs = st.lists(st.lists(number, min_size=3, max_size=3), min_size=1, max_size=5)


@given(settings_, st.lists(number, min_size=3, max_size=3), pairs)
def test_adam(settings: Optimiser, start: list[float], gradients: list[list[float]]) -> None:
    """Up to five steps on three numbers. Tolerance: some 20 operations a step on terms no larger
    than the parameter or η times the step's direction, which stays below 1/√(1 − β₂) + decay."""
    one_by_one = [ScalarAdam(settings) for _ in start]
    plain, array, state = list(start), np.array(start), adam_start(np.array(start))
    for count, gradient in enumerate(gradients, start=1):
        plain = [one.step(x, g) for one, x, g in zip(one_by_one, plain, gradient, strict=True)]
        before = array
        state, info = adam_step(array, np.array(gradient), state, settings)
        array = info["updated"]
        assert state.step == count
        largest = np.abs(before).max() + 1.0 / math.sqrt(1.0 - settings.betas[1]) + 1.0
        np.testing.assert_allclose(array, plain, rtol=0.0, atol=100 * count * EPS * largest)
        np.testing.assert_array_equal(before + info["change"], array)
        for name in ("first_moment", "second_moment"):
            np.testing.assert_array_equal(info[name], getattr(state, name))
            beta = settings.betas[name == "second_moment"]
            corrected = info[name] / (1.0 - beta**count)
            np.testing.assert_allclose(info[f"{name}_corrected"], corrected, rtol=4.0 * EPS)
        np.testing.assert_allclose(state.first_moment, [one.m for one in one_by_one], atol=1e-11)


@given(st.floats(1e-4, 1.0), number, number)
def test_sgd(rate: float, x: float, g: float) -> None:
    """Document 3c: new = old − learning rate × gradient, and nothing else."""
    settings = Optimiser("sgd", learning_rate=rate, weight_decay=0.3, clip_norm=1e-9)
    info = sgd_step(np.array(x), np.array(g), settings)
    assert info["updated"] == x - rate * g
    assert info["change"] == -rate * g


@given(st.lists(number, min_size=1, max_size=6), st.floats(1e-3, 1e3))
def test_clip(numbers: list[float], norm: float) -> None:
    """All parameters together: their joint length comes down to the norm, their direction stays."""
    length = math.sqrt(math.fsum(x * x for x in numbers))
    share = min(1.0, norm / length) if length else 1.0
    both = clip(np.array([numbers, [0.0] * len(numbers)]), norm)  # each row on its own
    np.testing.assert_allclose(both[0], np.array(numbers) * share, rtol=16.0 * EPS)
    np.testing.assert_array_equal(both[1], 0.0)
    gradient = np.array(numbers)
    assert clip(gradient, None) is gradient


def test_settings_of_the_readings() -> None:
    """Table of model.md section 2, row 'optimiser'."""
    assert PRESET_OPTIMISERS["document"] == Optimiser("adam", 0.01, (0.9, 0.999), 1e-8, 0.0, None)
    assert PRESET_OPTIMISERS["joint"] == PRESET_OPTIMISERS["document"]
    assert PRESET_OPTIMISERS["paper"].name == "adam"
    assert PRESET_OPTIMISERS["paper"].weight_decay > 0.0
    scvi = Optimiser("adamw", 0.01, eps=0.01, weight_decay=0.01, clip_norm=10.0)
    assert PRESET_OPTIMISERS["scvi-tools"] == scvi


# ---- the steps of an iteration --------------------------------------------------------------


def test_cell_1_gene_a_alone(tmp_path: Path) -> None:
    """model.md 4.5: ∂/∂α = 2495 of the likelihood alone, and the printed step takes α to −24.1."""
    keys = {
        "reading": {"switch_weight": 0.0},
        "initial": {"alpha": 0.85},
        "pins": {"time_induction": {"Cell 1/A": 8.0}, "state": {"Cell 1/A": 1}},
    }
    table = "cell,gene,unspliced,spliced\nCell 1,A,0.8,0.2\n"
    trace = run(write_scenario(tmp_path, keys, csv=table))
    assert trace.adjoint("alpha").item() == pytest.approx(2495.0, abs=0.5)
    assert trace.updates["sgd"]["alpha"]["updated"].item() == pytest.approx(-24.1, abs=0.005)
    ups = {"beta": 40.0, "gamma": 8.1, "sigma_u": 150.5, "sigma_s": 27.0}  # "tens to hundreds"
    for name, up in ups.items():
        assert trace.updates["sgd"][name]["change"].item() == pytest.approx(up, abs=0.05)
    assert trace.left_domain("sgd") == {"alpha": ["A"]}
    assert trace.left_domain("adam") == {}


def test_first_step_of_adam(walkthrough: Trace) -> None:
    """model.md 4.5: about 0.01 whatever the gradient's size, as it is η |g|/(|g| + eps)."""
    for name in PARAMETERS:
        change = walkthrough.updates["adam"][name]["change"]
        gradient = walkthrough.tape[name].adjoint
        assert gradient is not None
        np.testing.assert_allclose(change, -0.01 * np.sign(gradient), rtol=1e-8 / 10.0)
        assert np.abs(gradient).max() > 10.0


def test_every_parameter_has_its_steps(walkthrough: Trace) -> None:
    """issue 2.6: SGD exactly as printed, one step of Adam, for θ and every weight and bias."""
    for name, value in leaves(walkthrough.resolved.parameters):
        gradient = walkthrough.tape[name].adjoint
        assert gradient is not None
        sgd, adam = (walkthrough.updates[which][name] for which in ("sgd", "adam"))
        np.testing.assert_array_equal(sgd["updated"], value - 0.01 * gradient)
        one_by_one = [ScalarAdam(Optimiser()) for _ in range(value.size)]
        flat = zip(one_by_one, value.ravel(), gradient.ravel(), strict=True)
        new = np.array([one.step(x, g) for one, x, g in flat]).reshape(value.shape)
        np.testing.assert_allclose(adam["updated"], new, rtol=0.0, atol=4.0 * EPS * 10.0)
        np.testing.assert_allclose(adam["first_moment"], 0.1 * gradient, rtol=4.0 * EPS)
        np.testing.assert_allclose(adam["second_moment"], 1e-3 * gradient**2, rtol=1e-13)
    assert set(walkthrough.updates["sgd"]) == {
        name for name, _ in leaves(walkthrough.resolved.parameters)
    }


def test_settings_of_the_scenario_are_used(tmp_path: Path) -> None:
    """Rate, betas, eps, decay and clipping of `[optimiser]`; clipping by the norm of everything."""
    step = {"name": "adamw", "learning_rate": 0.5, "betas": [0.5, 0.25], "eps": 2.0}
    more = {"weight_decay": 0.125, "clip_norm": 3.0}
    trace = run(write_scenario(tmp_path, WALKTHROUGH, {"optimiser": step | more}))
    settings = Optimiser("adamw", 0.5, (0.5, 0.25), 2.0, 0.125)
    total = math.sqrt(sum(float(np.sum(e.adjoint**2)) for e in _parameters(trace)))
    for name in PARAMETERS:
        gradient = trace.tape[name].adjoint
        assert gradient is not None
        value = trace.tape[name].value
        new = [
            ScalarAdam(settings).step(x, g * 3.0 / total)
            for x, g in zip(value, gradient, strict=True)
        ]
        np.testing.assert_allclose(trace.updates["adam"][name]["updated"], new, rtol=1e-13)
        sgd = trace.updates["sgd"][name]["updated"]
        np.testing.assert_array_equal(sgd, value - 0.5 * gradient)


def _parameters(trace: Trace) -> list:
    entries = [trace.tape[name] for name, _ in leaves(trace.resolved.parameters)]
    return [entry for entry in entries if entry.adjoint is not None]


def test_leaving_the_domain_either_way(tmp_path: Path) -> None:
    """issue 2.6 and model.md 4.14: rates and σ must stay positive, t_s between 0 and t_max."""
    table = "cell,gene,unspliced,spliced\n" + "x,low,4,9\nx,high,0.1,0.1\ny,low,4,9\ny,high,0,0\n"
    keys = {
        "initial": {"switch_time": [19.9, 0.001], "alpha": [0.5, 0.0], "sigma_u": 5.0},
        "reading": {"repression_start": "switch-time"},
        "optimiser": {"learning_rate": 10.0},
    }
    trace = run(write_scenario(tmp_path, keys, csv=table))
    for which in ("sgd", "adam"):
        left = trace.left_domain(which)
        for name in PARAMETERS:
            updated = trace.updates[which][name]["updated"]
            top = 20.0 if name == "switch_time" else math.inf
            genes = ["low", "high"]
            outside = [g for g, x in zip(genes, updated, strict=True) if not 0.0 < x < top]
            assert left.get(name, []) == outside, (which, name)
        assert "alpha" in left
    changes = trace.updates["adam"]["switch_time"]["change"]
    assert np.abs(changes).max() == pytest.approx(10.0)
    assert "switch_time" in trace.left_domain("adam")
