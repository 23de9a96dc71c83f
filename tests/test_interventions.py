"""Interventions on named values: shift, replace, cut (design.md, "The tape")."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy
import pytest

from velotrace.tape import Cut, Replace, Shift, evaluate, named, record


def cone(p: dict[str, Any]) -> Any:
    """Volume r²·π·h/3 of a cone that is as high as its base is wide (h = 2r), by way of both."""
    base = named(np.pi * p["radius"] ** 2, "base")
    height = named(2.0 * p["radius"], "height")
    return named(base * height / 3.0, "volume")


R = 1.5
BASE, HEIGHT = numpy.pi * R**2, 2.0 * R


def both(interventions: Any) -> tuple[Any, Any]:
    """The same run recorded and evaluated; they must agree in every named value."""
    tape = record(cone, {"radius": R}, interventions)
    plain = evaluate(cone, {"radius": R}, interventions)
    assert plain.value == tape.value
    assert set(plain.values) == set(tape.names)
    for name, value in plain.values.items():
        numpy.testing.assert_array_equal(value, tape[name].value)
    return tape, plain


def test_shift() -> None:
    """Everything downstream sees the shifted value; gradients flow on as before."""
    tape, _ = both({"base": Shift(0.5)})
    assert tape["base"].value == BASE + 0.5
    assert tape.value == pytest.approx((BASE + 0.5) * HEIGHT / 3.0, rel=1e-15)
    expected = 2.0 * numpy.pi * R * HEIGHT / 3.0 + 2.0 * (BASE + 0.5) / 3.0
    assert tape["radius"].adjoint == pytest.approx(expected, rel=1e-15)


def test_replace() -> None:
    """The value is set, and nothing flows past it: what it came from has the other paths only."""
    tape, _ = both({"base": Replace(7.0)})
    assert tape["base"].value == 7.0
    assert tape.value == pytest.approx(7.0 * HEIGHT / 3.0, rel=1e-15)
    assert tape["base"].adjoint == pytest.approx(HEIGHT / 3.0, rel=1e-15)
    assert tape["radius"].adjoint == pytest.approx(2.0 * 7.0 / 3.0, rel=1e-15)
    assert tape.graph["base"] == ("radius",)  # still where it would have come from


def test_cut() -> None:
    """The value stays, and nothing flows past it."""
    tape, _ = both({"base": Cut()})
    assert tape.value == pytest.approx(BASE * HEIGHT / 3.0, rel=1e-15)
    assert tape["base"].adjoint == pytest.approx(HEIGHT / 3.0, rel=1e-15)
    assert tape["radius"].adjoint == pytest.approx(2.0 * BASE / 3.0, rel=1e-15)
    every = record(cone, {"radius": R}, {"base": Cut(), "height": Cut()})
    assert every["radius"].adjoint is None
    assert every["height"].adjoint is not None


def test_several_at_once_and_on_parameters() -> None:
    tape, _ = both({"radius": Shift(0.5), "height": Replace(1.0)})
    assert tape["radius"].value == R + 0.5
    assert tape.value == pytest.approx(numpy.pi * (R + 0.5) ** 2 / 3.0, rel=1e-15)
    assert tape["radius"].adjoint == pytest.approx(2.0 * numpy.pi * (R + 0.5) / 3.0, rel=1e-15)
    tape, _ = both({"radius": Replace(1.0)})
    assert tape.value == pytest.approx(2.0 * numpy.pi / 3.0, rel=1e-15)


def test_on_constants_and_on_the_result() -> None:
    def function(x: Any) -> Any:
        weights = named(numpy.array([1.0, 2.0]), "weights")
        return named(np.sum(x * weights), "result")

    shifted = {"weights": Shift(numpy.array([0.0, 1.0]))}
    tape = record(function, numpy.ones(2), shifted)
    assert tape.value == evaluate(function, numpy.ones(2), shifted).value == 4.0
    numpy.testing.assert_array_equal(tape["parameter"].adjoint, [1.0, 3.0])
    replaced = record(function, numpy.ones(2), {"weights": Replace([5.0, 6.0])})
    assert replaced.value == 11.0
    assert replaced["weights"].adjoint is None  # a constant has no path, whatever its value
    assert record(function, numpy.ones(2), {"result": Shift(1.0)}).value == 4.0


def test_broadcast_and_shape() -> None:
    def function(x: Any) -> Any:
        return np.sum(named(x * 2.0, "y"))

    x = numpy.ones((2, 3))
    assert record(function, x, {"y": Replace(4.0)}).value == 24.0
    one = numpy.zeros((2, 3))
    one[1, 2] = 0.25
    assert record(function, x, {"y": Shift(one)}).value == 12.25
    assert evaluate(function, x, {"y": Shift(one)}).value == 12.25
    for run in (record, evaluate):
        with pytest.raises(ValueError, match=r"\(4,\).*\(2, 3\)"):
            run(function, x, {"y": Replace(numpy.ones(4))})


def test_unknown_name() -> None:
    for run in (record, evaluate):
        with pytest.raises(KeyError, match="'bass' to intervene on; named are: radius, base"):
            run(cone, {"radius": R}, {"bass": Cut()})


def test_a_counterfactual_leaves_the_function_as_it_was() -> None:
    before = record(cone, {"radius": R})
    record(cone, {"radius": R}, {"base": Replace(0.0)})
    after = record(cone, {"radius": R})
    assert before.value == after.value
    assert before["radius"].adjoint == after["radius"].adjoint
