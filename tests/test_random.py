"""Draws by key, first weights, and pinned times: (13) to (15), design.md on randomness and pins.

Bounds on sample means are 5 standard errors, computed from the distribution and not from the
sample; a right generator exceeds one for one key in 1.7 million. The keys are fixed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import EPS, TOY, WALKTHROUGH, merged, write_scenario
from scipy import stats
from scipy.special import betainc, digamma, polygamma

from velotrace.model import random
from velotrace.model.networks import initial_limit, initialise
from velotrace.model.records import Architecture
from velotrace.scenario import resolve
from velotrace.tape import leaves
from velotrace.walkthrough import trace as run

TINY = 2.2250738585072014e-308
"""The smallest normal float64, the floor that model.md section 2 names."""

# ---- keys -----------------------------------------------------------------------------------


def test_any_draw_can_be_made_again_alone() -> None:
    """design.md: generators keyed by (seed, purpose, step); no draw disturbs another."""
    concentration = np.full((3, 2, 4), 0.7)
    together = []
    for step in range(4):
        pi = random.draw_pi(5, step, concentration)
        together.append((random.draw_epsilon(5, step, 3, 6), pi, random.draw_state(5, step, pi)))
    epsilon, pi, state = together[2]
    np.testing.assert_array_equal(random.draw_state(5, 2, pi), state)
    np.testing.assert_array_equal(random.draw_pi(5, 2, concentration), pi)
    np.testing.assert_array_equal(random.draw_epsilon(5, 2, 3, 6), epsilon)


def test_every_key_has_numbers_of_its_own() -> None:
    keys = [
        (0, "pi", 0),
        (0, "pi", 1),
        (1, "pi", 0),
        (0, "state", 0),
        (1, "1/pi", 0),
        (11, "pi", 0),
    ]
    first = [tuple(random.generator(*key).random(4)) for key in keys]
    assert len(set(first)) == len(keys)


def test_noise_of_a_cell_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    """`draw_epsilon` promises it: ε is drawn for all cells of the data."""
    everyone = resolve(write_scenario(tmp_path)).iteration.draws.epsilon_z
    for cells in (["Cell 3", "Cell 1"], ["Cell 4"]):
        batch = resolve(write_scenario(tmp_path, {"batch": {"cells": cells}}))
        rows = [int(cell[-1]) - 1 for cell in cells]
        np.testing.assert_array_equal(batch.iteration.draws.epsilon_z, everyone[rows])


# ---- distributions of the draws -------------------------------------------------------------


def assert_mean(sample: np.ndarray, mean: float, variance: float) -> None:
    assert abs(sample.mean() - mean) <= 5.0 * math.sqrt(variance / sample.size)


def assert_sums_to_one(pi: np.ndarray, smallest: float) -> None:
    """To round-off of the logs that are exponentiated, which reach −log(U)/α = 20/α at U = 2e-9."""
    np.testing.assert_allclose(pi.sum(axis=-1), 1.0, rtol=(8.0 + 20.0 / smallest) * EPS)


def test_epsilon_is_standard_normal() -> None:
    """(13): mean 0, variance 1 (var of ε² is 2), skew 0 (var of ε³ is 15), and its whole shape."""
    epsilon = random.draw_epsilon(0, 0, 4000, 25).ravel()
    assert_mean(epsilon, 0.0, 1.0)
    assert_mean(epsilon**2, 1.0, 2.0)
    assert_mean(epsilon**3, 0.0, 15.0)
    assert stats.kstest(epsilon, stats.norm.cdf).pvalue > 1e-6


@pytest.mark.parametrize("q", [(1.0,) * 4, (0.7, 0.1, 0.1, 0.1), (5.0, 0.3, 2.0, 1.0), (0.05,) * 4])
def test_pi_is_dirichlet(q: tuple[float, ...]) -> None:
    """(14): with A = Σα, E π_i π_j = α_i(α_j + δ_ij)/(A(A + 1)), E log π_i = ψ(α_i) − ψ(A)."""
    count, total = 20_000, sum(q)
    pi = random.draw_pi(1, 0, np.broadcast_to(q, (count, 1, 4)))[:, 0]
    assert_sums_to_one(pi, min(q))
    for i, a in enumerate(q):
        mean = a / total
        assert_mean(pi[:, i], mean, mean * (1.0 - mean) / (total + 1.0))
        assert_mean(np.log(pi[:, i]), digamma(a) - digamma(total), polygamma(1, a))
        for j, b in enumerate(q):
            product = a * (b + (i == j)) / (total * (total + 1.0))
            assert_mean(pi[:, i] * pi[:, j], product, product)  # 0 ≤ π_i π_j ≤ 1, so var ≤ mean
        marginal = stats.beta(a, total - a)
        assert stats.kstest(pi[:, i], marginal.cdf).pvalue > 1e-6


@pytest.mark.parametrize("a", [0.05, 1e-3, 1e-6])
def test_small_concentrations_never_give_0(a: float) -> None:
    """model.md section 2: drawn directly 2.4 % are exactly 0 at 0.05; the floor is 2.2e-308.

    The share at the floor is the Beta(a, 3a) distribution function there: 1e-16 at 0.05, a third
    at 1e-3, three quarters at 1e-6.
    """
    count = 20_000
    pi = random.draw_pi(2, 0, np.full((count, 1, 4), a))
    assert pi.min() >= TINY
    assert np.isfinite(np.log(pi)).all()
    assert_sums_to_one(pi, a)
    at_floor = (pi == TINY).mean(axis=(1, 2))  # of four components that are not independent
    share = betainc(a, 3.0 * a, TINY)
    assert abs(at_floor.mean() - share) <= 5.0 * math.sqrt(share * (1.0 - share) / count) + 1e-9
    mean_of_largest = pi.max(axis=-1)
    if a == 1e-6:
        assert_mean(pi[:, 0, 0], 0.25, 0.25 * 0.75)
        assert mean_of_largest.mean() > 0.9999


def test_concentrations_far_apart() -> None:
    """A component a million times smaller than its neighbour neither is 0 nor spoils the others."""
    pi = random.draw_pi(3, 0, np.broadcast_to([1e-3, 1e3, 1.0, 1e-3], (2000, 3, 4)))
    assert pi.min() >= TINY
    mean = 1e3 / 1001.002
    assert_mean(pi[..., 1], mean, mean * (1 - mean) / 1002.0)


def test_state_is_categorical() -> None:
    """(15): k from 1 to 4 with probability π_k; a component at the floor is never drawn."""
    count = 40_000
    for pi in ((0.7, 0.1, 0.15, 0.05), (0.0, 0.5, 0.5, 0.0), (0.0, 0.0, 0.0, 1.0)):
        given = np.maximum(pi, TINY)
        state = random.draw_state(4, 0, np.broadcast_to(given, (count, 1, 4)))
        assert state.shape == (count, 1)
        for k, share in enumerate(pi, start=1):
            frequency = (state == k).mean()
            assert abs(frequency - share) <= 5.0 * math.sqrt(share * (1.0 - share) / count)


# ---- first weights --------------------------------------------------------------------------


@pytest.mark.parametrize("initialiser", ["glorot-uniform", "kaiming-uniform"])
def test_first_weights_fill_their_limits(initialiser: Any) -> None:
    """Glorot: √(6/(in + out)); Kaiming: √(6/in). Uniform: var is limit²/3, of w² 4/45 limit⁴."""
    architecture = Architecture(30, (80, 50), "tanh", initialiser, 0)
    networks = initialise(architecture, 40, "separate")
    for name, layers in networks.items():
        for layer in layers:
            inputs, outputs = layer["W"].shape
            below = inputs + outputs if initialiser == "glorot-uniform" else inputs
            limit = math.sqrt(6.0 / below)
            weights = layer["W"].ravel() / limit
            assert initial_limit(initialiser, inputs, outputs) == limit, name
            assert np.abs(weights).max() <= 1.0
            assert np.abs(weights).max() >= 1.0 - 20.0 / weights.size  # but for one in e^20
            assert_mean(weights, 0.0, 1.0 / 3.0)
            assert_mean(weights**2, 1.0 / 3.0, 4.0 / 45.0)
            assert (layer["b"] == 0.0).all()
            assert layer["b"].shape == (outputs,)
    shapes = {name: [layer["W"].shape for layer in layers] for name, layers in networks.items()}
    assert shapes["encoder_z"] == [(80, 80), (80, 50), (50, 60)]
    assert shapes["encoder_pi"] == [(30, 80), (80, 50), (50, 160)]
    assert shapes["decoder_ind"] == shapes["decoder_rep"] == [(30, 80), (80, 50), (50, 40)]


def test_layers_have_numbers_of_their_own() -> None:
    """`initialise` promises it: no other size changes a layer, and no two layers are alike."""
    one = dict(
        leaves(initialise(Architecture(4, (5,), "tanh", "glorot-uniform", 0), 3, "separate"))
    )
    same = initialise(Architecture(4, (5, 6), "relu", "glorot-uniform", 0), 3, "shared-hidden")
    np.testing.assert_array_equal(same["encoder_z"][0]["W"], one["encoder_z.0.W"])
    np.testing.assert_array_equal(same["encoder_pi"][0]["W"], one["encoder_pi.0.W"])
    other = initialise(Architecture(4, (5,), "tanh", "glorot-uniform", 1), 3, "separate")
    first = [array.ravel()[0] for name, array in one.items() if name.endswith("W")]
    first += [layers[0]["W"].ravel()[0] for layers in other.values()]
    assert len(set(first)) == len(first)


def test_shared_hidden_layers_and_heads() -> None:
    """design.md: "the hidden layers are `decoder_shared` and the other two are heads"."""
    made = initialise(Architecture(4, (5, 6), "tanh", "glorot-uniform", 0), 3, "shared-hidden")
    assert [layer["W"].shape for layer in made["decoder_shared"]] == [(4, 5), (5, 6)]
    assert [layer["W"].shape for layer in made["decoder_ind"]] == [(6, 3)]
    bare = initialise(Architecture(4, (), "tanh", "glorot-uniform", 0), 3, "shared-hidden")
    assert bare["decoder_shared"] == []
    assert [layer["W"].shape for layer in bare["decoder_rep"]] == [(4, 3)]


# ---- pinned times ---------------------------------------------------------------------------

DECODERS = {
    "walkthrough": {},
    "shared": {"reading": {"decoders": "shared-hidden"}},
    "relu": {"networks": {"activation": "relu", "hidden": [7, 5]}},
    "linear": {"networks": {"hidden": []}},
    "linear shared": {"networks": {"hidden": []}, "reading": {"decoders": "shared-hidden"}},
}


@pytest.mark.parametrize("decoders", DECODERS)
def test_pinned_times_are_met(decoders: str, tmp_path: Path) -> None:
    """The network gives the pinned times to round-off, in the batch or outside it (design.md).

    Tolerance: the last layer's sum of products is redone for another batch, each with a round-off
    per term; its slope to t is t_s ρ(1 − ρ) ≤ t_s/4. A few round-offs of t itself come on top.
    """
    times = {"Cell 1/A": 8.0, "Cell 3/B": 1e-6, "Cell 4/C": 9.999999}
    pins = {"pins": {"time_induction": times}}
    keys = merged(WALKTHROUGH, pins, DECODERS[decoders])
    everyone = run(write_scenario(tmp_path, keys, {"batch": {"cells": _cells()}}))
    alone = run(write_scenario(tmp_path, keys, {"batch": {"cells": ["Cell 4", "Cell 1"]}}))
    last = everyone.resolved.parameters["decoder_ind"][-1]
    terms = np.abs(last["W"]).sum(axis=0) * 20.0 + np.abs(last["b"])  # inputs are below 20
    for pair, time in times.items():
        cell, gene = pair.split("/")
        rho = time / 10.0
        allowed = (len(last["W"]) + 4) * EPS * terms["ABC".index(gene)] * 10.0 * rho * (1 - rho)
        for trace in (everyone, alone):
            if cell in trace.resolved.cells:
                found = trace.value("time_induction").sel(cell=cell, gene=gene).item()
                assert abs(found - time) <= allowed + 4.0 * EPS * time
    assert np.abs(everyone.value("z")).max() < 20.0
    adjoint = everyone.tape[f"decoder_ind.{len(everyone.resolved.parameters['decoder_ind']) - 1}.b"]
    assert adjoint.adjoint is not None  # "gradients flow as ever"


def _cells() -> list[str]:
    return list(dict.fromkeys(line.split(",")[0] for line in TOY.splitlines()[1:]))


def test_pins_move_one_bias_each(tmp_path: Path) -> None:
    """design.md: "met by solving for decoder_ind's output bias of that gene", and nothing else."""
    plain = dict(leaves(resolve(write_scenario(tmp_path, WALKTHROUGH)).parameters))
    pins = {"pins": {"time_induction": {"Cell 2/B": 3.0}}}
    pinned = dict(leaves(resolve(write_scenario(tmp_path, WALKTHROUGH, pins)).parameters))
    moved = {name: np.flatnonzero(pinned[name] != plain[name]) for name in plain}
    moved = {name: places.tolist() for name, places in moved.items() if places.size}
    assert moved == {"decoder_ind.1.b": [1]}


def test_time_of_the_walkthrough(walkthrough: Any) -> None:
    """Document section 3a: "Assume z_1* leads to … (t_1)_1A = 8.0"."""
    found = walkthrough.value("time_induction").sel(cell="Cell 1", gene="A").item()
    assert abs(found - 8.0) <= 8.0 * EPS * 8.0
