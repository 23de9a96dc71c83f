"""What goes into a recording and what comes out: copies, types, errors, runs within runs."""

from __future__ import annotations

import threading
from typing import Any

import autograd
import autograd.numpy as np
import numpy
import pytest

from velotrace.tape import evaluate, named, record


def test_arrays_are_copies() -> None:
    """What the caller or the function overwrites later does not change the tape."""
    x, weights = numpy.array([1.0, 2.0]), numpy.array([3.0, 4.0])

    def function(p: Any) -> Any:
        buffer = numpy.array([1.0, 1.0])
        held = named(buffer, "held")
        total = np.sum(p["x"] * weights * held)
        buffer[:] = 99.0
        return total

    tape = record(function, {"x": x})
    kept = {entry.forward: entry.value.copy() for entry in tape.entries}
    x[:] = 50.0
    weights[:] = 60.0
    numpy.testing.assert_array_equal(tape["held"].value, [1.0, 1.0])
    numpy.testing.assert_array_equal(tape["x"].value, [1.0, 2.0])
    numpy.testing.assert_array_equal(tape["x"].adjoint, [3.0, 4.0])
    for entry in tape.entries:
        numpy.testing.assert_array_equal(entry.value, kept[entry.forward])
        for edge in entry.inputs:
            assert edge.value is None or not numpy.any(numpy.asarray(edge.value) == 60.0)


@pytest.mark.parametrize("kind", [numpy.float32, numpy.float16, int, numpy.uint8])
def test_float64_is_forced(kind: Any) -> None:
    """Of parameters and of named constants; 1/3 in float32 would be off by 1e-8."""
    given = numpy.array([1, 2, 3], dtype=kind)

    def function(p: Any) -> Any:
        third = named(numpy.array([1.0, 2.0, 3.0], dtype=numpy.float32), "constant") / 3.0
        return np.sum(p / 3.0 * third)

    tape = record(function, given)
    expected = numpy.array([1.0, 2.0, 3.0]) / 9.0
    numpy.testing.assert_allclose(tape["parameter"].adjoint, expected, rtol=1e-15)
    for name in ("parameter", "constant"):
        assert tape[name].value.dtype == numpy.float64
    assert tape["parameter"].adjoint.dtype == numpy.float64
    assert evaluate(lambda p: numpy.sum(p / 3.0), given).value == 2.0


def test_float64_is_forced_on_constants_in_plain_runs() -> None:
    """A certificate subtracts plain runs from recorded ones: both must see the same numbers."""
    third = numpy.float32(1.0) / numpy.float32(3.0)
    plain = evaluate(lambda p: p * named(third, "constant"), 1.0)
    assert plain.values["constant"].dtype == numpy.float64


def test_what_cannot_be_recorded() -> None:
    with pytest.raises(TypeError, match=r"'a\.1' must be real"):
        record(lambda p: p["a"][0], {"a": (1.0, "text")})
    with pytest.raises(TypeError, match="'parameter' must be real"):
        record(np.real, numpy.array(1j))
    with pytest.raises(TypeError, match=r"one real number.*shape \(3,\)"):
        record(lambda p: p * 2.0, numpy.ones(3))
    with pytest.raises(TypeError, match="does not depend on its parameters"):
        record(lambda p: 3.0, 1.0)
    with pytest.raises(ValueError, match="two values are named 'a'"):
        record(lambda p: named(p, "a") + named(p * 2.0, "a"), 1.0)
    with pytest.raises(ValueError, match="two values are named 'a'"):
        evaluate(lambda p: named(p, "a") + named(p * 2.0, "a"), 1.0)
    with pytest.raises(ValueError, match="two values are named 'x'"):
        record(lambda p: named(p["x"] * 2.0, "x"), {"x": 1.0})


def test_named_outside_a_run_is_nothing() -> None:
    """Also after a run has failed, in another thread than the run's, and inside plain autograd."""
    x = numpy.ones(2)
    assert named(x, "x") is x
    with pytest.raises(ZeroDivisionError):
        record(lambda p: p / (1 // 0), 1.0)
    assert named(x, "x") is x
    assert autograd.grad(lambda v: named(named(v, "a") ** 2, "a"))(3.0) == 6.0
    found = []

    def function(p: Any) -> Any:
        other = threading.Thread(target=lambda: found.append(named(x, "elsewhere")))
        other.start()
        other.join()
        return named(p * 2.0, "here")

    tape = record(function, 1.0)
    assert found[0] is x
    assert set(tape.names) == {"parameter", "here"}


def test_runs_within_runs() -> None:
    """A recorded function may itself record, or differentiate."""

    def function(x: Any) -> Any:
        inner = record(lambda y: named(y**2, "a"), 3.0)
        slope = autograd.grad(lambda y: y**3)(x)
        return named(x * inner["a"].value + slope, "a")

    tape = record(function, 2.0)
    assert tape["a"].value == 2.0 * 9.0 + 12.0
    assert tape["parameter"].adjoint == 9.0 + 12.0
