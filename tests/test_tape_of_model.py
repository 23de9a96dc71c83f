"""The tape of the walkthrough and of the other readings: three routes to every gradient."""

from __future__ import annotations

from typing import Any

import autograd
import numpy as np
import pytest
from helpers import EPS, READINGS, loss_of

from velotrace.model.holding import LARGEST_RATE
from velotrace.tape import Shift, Tape, evaluate, leaves
from velotrace.walkthrough import Trace


@pytest.mark.parametrize("name", [*READINGS, "walkthrough"])
def test_gradient_of_every_parameter_is_autograds(
    name: str, traces: dict[str, Trace], walkthrough: Trace
) -> None:
    """design.md: the tape's gradient against `autograd.grad` "to the last bits".

    Both run the same operations. Only the order of sums differs: autograd counts every look into
    the dictionary of parameters as an operation of its own, adds up what comes back through each,
    and then those. So n contributions may part by n EPS of the sum of their sizes, and 4 EPS are
    left for sums further down. What has no path, autograd reports as 0.
    """
    trace = walkthrough if name == "walkthrough" else traces[name]
    gradient = autograd.grad(loss_of(trace))(trace.resolved.parameters)
    parts = contributions(trace.tape)
    compared = 0
    for path, expected in leaves(gradient):
        entry = trace.tape[path]
        if entry.adjoint is None:
            assert (expected == 0.0).all()
            continue
        along = parts[entry.forward]
        allowed = (len(along) + 4.0) * EPS * np.max(np.abs(along).sum(axis=0))
        assert np.max(np.abs(entry.adjoint - expected)) <= allowed, path
        compared += np.any(expected != 0.0)
    assert compared >= 6 + 2 * 2  # θ, and weights of both encoders at the least


def contributions(tape: Tape) -> dict[int, np.ndarray]:
    """What flows back along the edges that leave each entry, by its forward ordinal."""
    parts: dict[int, list[np.ndarray]] = {}
    for entry in tape.entries:
        for edge in entry.inputs:
            if edge.contribution is not None and edge.source is not None:
                parts.setdefault(edge.source, []).append(edge.contribution)
    return {source: np.array(along) for source, along in parts.items()}


@pytest.mark.parametrize("name", [*READINGS, "walkthrough"])
def test_plain_run_gives_the_same_numbers(
    name: str, traces: dict[str, Trace], walkthrough: Trace
) -> None:
    """`evaluate`, on which finite differences rest, gives every named value bit for bit."""
    trace = walkthrough if name == "walkthrough" else traces[name]
    plain = evaluate(loss_of(trace), trace.resolved.parameters)
    assert plain.value == trace.loss
    assert set(plain.values) == set(trace.tape.names)
    for path, value in plain.values.items():
        np.testing.assert_array_equal(value, trace.tape[path].value)


@pytest.mark.parametrize("name", READINGS)
def test_contributions_add_up_to_adjoints(name: str, traces: dict[str, Trace]) -> None:
    """Of every entry: upstream × local along all edges that use it, summed, is its adjoint.

    Tolerance: a sum of n parts in any order is within n EPS of the sum of their sizes.
    """
    tape = traces[name].tape
    parts = contributions(tape)
    for entry in tape.entries:
        if entry.adjoint is None:
            assert entry.forward not in parts
        elif entry.forward != tape.output:
            along = parts[entry.forward]
            allowed = len(along) * EPS * np.abs(along).sum(axis=0)
            assert (np.abs(along.sum(axis=0) - entry.adjoint) <= allowed).all(), entry.name


# ---- finite differences ---------------------------------------------------------------------

STEP = 1e-4
"""h of the central differences; the smallest scale on which the loss bends is γ = 0.05."""


def central_differences(trace: Trace, name: str, index: tuple[int, ...]) -> tuple[float, float]:
    """d loss / d one component by shifting it, and a bound on the error.

    D(h) = (L(h) − L(−h))/2h is off by h²/6 L‴. D(2h) is off by four times that, so (4 D(h) −
    D(2h))/3 is free of it, and what it changes, |D(h) − D(2h)|/3, bounds what is left many times
    over (the next term is smaller by (h/0.05)² = 4e-6). A loss of some hundred operations carries
    relative round-off of 64 EPS at the most (sums of one sign), which 1/2h magnifies; the four
    losses enter with weights 4/3 and 1/6 twice each, 3 in sum.
    """
    one = np.zeros(trace.tape[name].value.shape)

    def loss_at(shift: float) -> float:
        one[index] = shift
        run = evaluate(loss_of(trace), trace.resolved.parameters, {name: Shift(one)})
        return float(run.value)

    near, far = (
        (loss_at(factor * STEP) - loss_at(-factor * STEP)) / (2.0 * factor * STEP)
        for factor in (1.0, 2.0)
    )
    truncation = abs(near - far) / 3.0
    round_off = 3.0 * 64.0 * EPS * abs(trace.loss) / (2.0 * STEP)
    return (4.0 * near - far) / 3.0, truncation + round_off


def test_every_named_adjoint_is_a_difference_quotient(walkthrough: Trace) -> None:
    """Every component of every named value with a path, document reading, through an intervention.

    The certificate is worth something only where the bound is small: it must stay below 1e-4 of the
    array's largest adjoint, else the array counts as not certified and the test fails.
    """
    without = set()
    for name in walkthrough.quantities:
        adjoint = walkthrough.tape[name].adjoint
        if adjoint is None:
            without.add(name)
            continue
        largest = np.max(np.abs(adjoint))
        for index in np.ndindex(adjoint.shape):
            quotient, allowed = central_differences(walkthrough, name, index)
            assert abs(quotient - adjoint[index]) <= allowed, (name, index)
            assert allowed <= 1e-4 * largest, (name, index, allowed)
    # model.md 4.9: the data gradient does not reach π or k; the loss does not use the velocity
    constants = {"unspliced", "spliced", "epsilon_z", "kl_z_dimension"}
    assert without == constants | {"pi", "state", "velocity"}


@pytest.mark.parametrize("name", READINGS)
def test_weights_are_difference_quotients(name: str, traces: dict[str, Trace]) -> None:
    """Every reading: each array of weights along a random direction of its own.

    π is held as drawn, while in the mixtures the tape lets it follow the concentrations; there the
    weights before z and those of `encoder_pi` are left to the reference in PyTorch.
    """
    trace = traces[name]
    fixed_pi = trace.resolved.iteration.reading.draws_state
    numbers = np.random.default_rng(0)
    for path, value in leaves(trace.resolved.parameters):
        if not fixed_pi and path.startswith("encoder"):
            continue
        direction = numbers.normal(size=value.shape)
        if path.endswith("_free"):  # a clamp is a corner, where a quotient of differences has none
            direction[trace.tape[path.removesuffix("_free")].value >= LARGEST_RATE] = 0.0
        scale = 0.05 if value.ndim < 2 and "." not in path else 1.0
        quotient, allowed = _along(trace, path, direction, 1e-4 * scale)
        adjoint = trace.tape[path].adjoint
        slope = 0.0 if adjoint is None else float(np.sum(adjoint * direction))
        assert abs(quotient - slope) <= allowed, path


def _along(trace: Trace, name: str, direction: Any, step: float) -> tuple[float, float]:
    def loss_at(factor: float) -> float:
        shift = {name: Shift(factor * step * direction)}
        return float(evaluate(loss_of(trace), trace.resolved.parameters, shift).value)

    near, far = ((loss_at(n) - loss_at(-n)) / (2.0 * n * step) for n in (1.0, 2.0))
    round_off = 3.0 * 64.0 * EPS * abs(trace.loss) / (2.0 * step)
    return (4.0 * near - far) / 3.0, abs(near - far) / 3.0 + round_off


def test_graph_of_the_model(walkthrough: Trace) -> None:
    """The named graph follows the document's order; spot checks against its equations.

    state 2 recomputes α/β (design.md), so ū comes from α and β directly as well; the penalty (26)
    from the start of repression alone; with a steady-state start t_s enters by the times only.
    """
    graph = walkthrough.tape.graph
    assert set(graph["z"]) == {"mu_z", "log_var_z", "epsilon_z"}
    assert set(graph["time_induction"]) == {"rho_induction", "switch_time"}
    assert set(graph["u_switch"]) == {"alpha", "beta"}
    assert set(graph["s_switch"]) == {"alpha", "gamma"}
    assert set(graph["u_bar"]) == {
        *("alpha", "beta", "time_induction", "time_repression", "switch_time", "u_switch"),
    }
    assert set(graph["s_bar"]) == set(graph["u_bar"]) | {"gamma", "s_switch"}
    assert set(graph["log_likelihood"]) == {"log_density_u", "log_density_s", "state"}
    assert graph["state"] == ("pi",)
    assert graph["pi"] == ("concentration",)
    assert set(graph["switch_penalty_s"]) == {"s_switch"}
    assert set(graph["loss"]) == {"reconstruction", "kl_z", "kl_pi", "switch_penalty"}


def test_switch_time_of_the_document_is_free(walkthrough: Trace) -> None:
    """model.md 4.3: with α/β the switch penalty's gradient to t_s is exactly 0."""
    graph = walkthrough.tape.graph
    assert "switch_time" not in graph["u_switch"]
    assert "switch_time" not in graph["s_switch"]
