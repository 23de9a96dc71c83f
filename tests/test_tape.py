"""The tape on functions that have nothing to do with RNA (design.md, "The tape")."""

from __future__ import annotations

import inspect
from typing import Any

import autograd
import autograd.numpy as np
import numpy
import pytest
from autograd.scipy.special import logsumexp
from autograd.tracer import isbox
from helpers import ulps
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from velotrace.tape import Cut, Replace, Shift, evaluate, leaves, named, no_gradient, record


def swing(p: dict[str, Any]) -> Any:
    """A function with matrices, indexing, branches that meet again, and values used many times."""
    x = named(np.tanh(p["layers"][0] @ p["start"] + p["layers"][1][0]), "x")
    y = named(x[1:] * x[:-1] + np.sum(x) / 3.0, "y")
    z = named(np.concatenate([y, np.sin(y), x]) ** 2, "z")
    picked = named(z[np.array([0, 0, 2, 5])], "picked")  # one component twice
    tensor = named(np.einsum("i,j->ij", picked, x), "tensor")
    spread = named(np.maximum(tensor, 0.1) - np.where(tensor > 0.2, tensor, -tensor), "spread")
    return named(logsumexp(spread) + np.mean(z) * p["scale"] + np.dot(x, x), "result")


def point(seed: int = 0) -> dict[str, Any]:
    numbers = numpy.random.default_rng(seed)
    layers = [numbers.normal(size=(3, 4)), (numbers.normal(size=3),)]
    return {"layers": layers, "start": numbers.normal(size=4), "scale": numpy.array(0.7)}


PATHS = ["layers.0", "layers.1.0", "start", "scale"]

# ---- values and adjoints --------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_gradients_are_autograds(seed: int) -> None:
    """The same operations in the same order up to sums of what comes back to a parameter: equal but
    for 4 units of the last place of the largest component."""
    parameters = point(seed)
    tape = record(swing, parameters)
    assert tape.value == swing(parameters)
    gradient = autograd.grad(swing)(parameters)
    assert [name for name, _ in leaves(gradient)] == PATHS
    for name, expected in leaves(gradient):
        adjoint = tape[name].adjoint
        assert adjoint is not None
        assert adjoint.shape == expected.shape
        assert ulps(adjoint, expected) <= 4.0, name


@given(arrays(float, 3, elements=st.floats(-1.0, 1.0)), st.floats(-1.0, 1.0))
def test_adjoint_is_complete_after_all_uses(x: numpy.ndarray, y: float) -> None:
    """f = Σ x²·y + x·y has ∂f/∂x = 2xy + y, ∂f/∂y = Σ x² + x: a value used thrice, one twice."""

    def function(p: Any) -> Any:
        a, b = named(1.0 * p[0], "a"), named(1.0 * p[1], "b")
        return np.sum(a * a * b) + np.sum(a * b)

    tape = record(function, (x, y))
    numpy.testing.assert_allclose(tape["a"].adjoint, 2.0 * x * y + y, atol=1e-15)
    numpy.testing.assert_allclose(tape["b"].adjoint, numpy.sum(x**2 + x), atol=1e-14)


def test_contributions_add_up() -> None:
    """The contributions along all edges that leave an entry are its adjoint, the output's apart."""
    tape = record(swing, point())
    totals = {}
    for entry in tape.entries:
        for edge in entry.inputs:
            if edge.contribution is not None:
                assert entry.adjoint is not None
                assert edge.source is not None
                totals[edge.source] = totals.get(edge.source, 0.0) + edge.contribution
    for entry in tape.entries:
        if entry.forward == tape.output:
            numpy.testing.assert_array_equal(entry.adjoint, 1.0)
        elif entry.adjoint is None:
            assert entry.forward not in totals
        else:
            assert totals[entry.forward].shape == entry.value.shape
            numpy.testing.assert_allclose(totals[entry.forward], entry.adjoint, rtol=1e-14)


def test_orders() -> None:
    """Forward ordinals count the entries; going backward a value comes after all that use it."""
    tape = record(swing, point())
    assert [entry.forward for entry in tape.entries] == list(range(len(tape.entries)))
    order = [entry.forward for entry in tape.backward_order]
    assert [entry.backward for entry in tape.backward_order] == list(range(len(order)))
    assert order[0] == tape.output
    for entry in tape.entries:
        for edge in entry.inputs:
            if edge.source is not None:
                assert edge.source < entry.forward
                if edge.contribution is not None:
                    assert order.index(entry.forward) < order.index(edge.source)
    assert order != sorted(order, reverse=True)  # "forward and backward order differ"


def test_lines_of_code() -> None:
    """Each entry says which line asked for it."""
    tape = record(swing, point())
    source, first = inspect.getsourcelines(swing)
    for name in ("x", "y", "picked", "spread"):
        text = next(n for n, line in enumerate(source) if f'"{name}")' in line)
        assert tape[name].line == f"test_tape.py:{first + text}"


# ---- no path --------------------------------------------------------------------------------


def test_dead_branches_and_constants_have_no_path() -> None:
    """design.md: "tables say so, never blank or 0"; autograd would say 0 of an unused parameter."""

    def function(p: Any) -> Any:
        named(np.exp(p["x"]), "dead")
        named(numpy.array([1.0, 2.0]), "constant")
        two = named(2.0, "two")
        named(np.floor(p["x"] * two), "stepped")
        still = named(p["x"] * 0.0, "zero")  # a path whose derivative is 0 is a path
        return np.sum(p["x"] * two + still)

    tape = record(function, {"x": numpy.ones(3), "unused": 5.0})
    for name in ("dead", "constant", "two", "stepped", "unused"):
        assert tape[name].adjoint is None, name
        assert tape[name].backward is None
        for edge in tape[name].inputs:
            assert edge.contribution is None
    numpy.testing.assert_array_equal(tape["zero"].adjoint, [1.0, 1.0, 1.0])
    numpy.testing.assert_array_equal(tape["x"].adjoint, [2.0, 2.0, 2.0])


def test_hard_draws_stop_gradients() -> None:
    """`no_gradient`: nothing flows, and the graph still shows what it was drawn from."""

    @no_gradient
    def drawn(source: Any, given: Any) -> Any:
        return given

    def function(p: Any) -> Any:
        k = named(drawn(p["x"], numpy.array([1, 0, 1])), "k")
        return np.sum(p["x"] * k)

    tape = record(function, {"x": numpy.array([2.0, 3.0, 4.0])})
    assert tape["k"].adjoint is None
    assert tape.graph["k"] == ("x",)
    numpy.testing.assert_array_equal(tape["x"].adjoint, [1.0, 0.0, 1.0])
    assert tape["k"].value.dtype.kind == "i"
    gradient = autograd.grad(lambda p: np.sum(p["x"] * drawn(p["x"], numpy.array([1, 0, 1]))))
    numpy.testing.assert_array_equal(gradient({"x": numpy.ones(3)})["x"], [1.0, 0.0, 1.0])


def test_functions_without_derivative() -> None:
    """Allowed off the path, as constants are; on it, an error that names the function."""
    strange = autograd.extend.primitive(numpy.sort)
    tape = record(lambda p: np.sum(p) + np.sum(strange(named(numpy.ones(2), "c"))), numpy.ones(2))
    assert tape.value == 4.0
    with pytest.raises(NotImplementedError, match="sort"):
        record(lambda p: np.sum(strange(p)), numpy.ones(2))


# ---- the graph ------------------------------------------------------------------------------


def test_graph_is_derived() -> None:
    """Names reach through unnamed operations, and stop at the next name."""
    assert record(swing, point()).graph == {
        "layers.0": (),
        "layers.1.0": (),
        "start": (),
        "scale": (),
        "x": ("layers.0", "start", "layers.1.0"),
        "y": ("x",),
        "z": ("y", "x"),
        "picked": ("z",),
        "tensor": ("picked", "x"),
        "spread": ("tensor",),
        "result": ("spread", "z", "scale", "x"),
    }


def test_second_name_of_a_value() -> None:
    """It has an entry of its own, computed from the first; the adjoint of each is complete."""

    def function(x: Any) -> Any:
        a = named(x * 2.0, "a")
        b = named(a, "b")
        return a * b

    tape = record(function, 3.0)
    assert tape.graph == {"parameter": (), "a": ("parameter",), "b": ("a",)}
    assert (tape["a"].adjoint, tape["b"].adjoint) == (12.0, 6.0)


def test_no_boxes_leak() -> None:
    tape = record(swing, point(), {"y": Shift(0.5), "z": Replace(0.3), "picked": Cut()})
    for entry in tape.entries:
        plain = [entry.value, entry.adjoint]
        for edge in entry.inputs:
            plain += [edge.value, edge.contribution]
        assert not any(map(isbox, plain))
        assert type(entry.value) is numpy.ndarray
    run = evaluate(swing, point(), {"y": Shift(0.5)})
    assert not isbox(run.value)
    assert not any(map(isbox, run.values.values()))
