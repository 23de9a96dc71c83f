"""θ held as free values or variances: values, slopes, clamps, and that errors in them are seen."""

from __future__ import annotations

import inspect
from typing import Any

import mpmath
import numpy as np
from helpers import EPS
from hypothesis import given
from hypothesis import strategies as st
from mutants import mutants, run

from velotrace.model import holding
from velotrace.model.holding import LARGEST_RATE, NOISE, held_name, held_names
from velotrace.model.readings import PRESETS, Reading
from velotrace.quantities import PARAMETERS, RATES
from velotrace.tape import record

T_MAX = 20.0
WAYS = [
    Reading(parameterisation=parameterisation, noise_parameter=noise_parameter)
    for parameterisation in ("natural", "softplus")
    for noise_parameter in ("standard-deviation", "variance")
]
FREE = np.array([-30.0, -4.6, -1.0, 0.0, 0.3, 7.0, 19.99, 20.5, 49.99, 50.0, 57.0])
"""Free values below, at and above both clamps; scvi-tools starts at 0.5, −1 and log σ²."""


def exact(name: str, free: float, reading: Reading) -> tuple[float, float]:
    """Value and slope of a parameter by its free value, in 40 digits; model.md section 2."""
    limit = T_MAX if name == "switch_time" else LARGEST_RATE if name in RATES else mpmath.inf
    root = reading.noise_parameter == "variance" and name in NOISE

    def value(x: Any) -> Any:
        softplus = mpmath.log(1 + mpmath.exp(x))
        return mpmath.sqrt(softplus) if root else softplus

    with mpmath.workdps(40):
        x = mpmath.mpf(free)
        if value(x) - mpmath.mpf(10) ** -20 > limit:  # softplus(50) is 50 in float64, and inside
            return float(limit), 0.0
        return float(value(x)), float(mpmath.diff(value, x))


def lawful(name: str, value: float, reading: Reading) -> bool:
    """Document section 2: what θ may be. Of free values only those that are no numbers are lost."""
    if reading.parameterisation == "softplus" or not np.isfinite(value):
        return bool(np.isfinite(value))
    if name == "switch_time":
        return 0.0 < value < T_MAX
    return value >= 0.0 if name == "alpha" else value > 0.0


def differs(module: Any) -> str:
    """The first thing in which `holding`, or a mutant of it, is not what it should be."""
    checks = (_round_trip, _values_and_slopes, _domain)
    return next((what for check in checks if (what := check(module))), "")


def _round_trip(module: Any) -> str:
    """Held and read again, θ is what it was."""
    natural = {name: np.array([1e-4, 0.05, 0.974, 7.0, 19.0]) for name in PARAMETERS}
    for reading in WAYS:
        held = module.held_values(natural, reading)
        back = module.natural_values(held, reading, T_MAX)
        for name in PARAMETERS:
            free = np.abs(held[module.held_name(name, reading)])
            # the slope of softplus is at most its value: a rounded free value moves it by ε|free|
            if not (np.abs(back[name] / natural[name] - 1.0) <= 4.0 * EPS * (1.0 + free)).all():
                return f"round trip of {name}"
    return ""


def _values_and_slopes(module: Any) -> str:
    for reading in (reading for reading in WAYS if reading.parameterisation == "softplus"):
        free = {module.held_name(name, reading): FREE for name in PARAMETERS}
        for name in PARAMETERS:

            def picked(p: Any, name: str = name, reading: Reading = reading) -> Any:
                return 3.0 * np.sum(module.natural_values(p, reading, T_MAX)[name])

            tape, held = record(picked, free), module.held_name(name, reading)
            got = np.stack([tape[name].value, tape[held].adjoint / 3.0], axis=1)
            expected = [exact(name, float(x), reading) for x in FREE]
            if not np.allclose(got, expected, rtol=1e-14, atol=0.0):
                return f"{name}: {got}, not {expected}"
    return ""


def _domain(module: Any) -> str:
    at = np.array([-np.inf, -3.0, -0.0, 0.0, 1e-9, 19.9, 20.0, 21.0, np.inf, np.nan])
    for reading in WAYS:
        for name in PARAMETERS:
            outside = module.outside_domain(module.held_name(name, reading), at, T_MAX).tolist()
            if outside != [not lawful(name, float(x), reading) for x in at]:
                return f"domain of {name}"
    return ""


def test_values_and_slopes() -> None:
    """model.md section 2, "parameters held as" and "noise parameter", against 40 digits."""
    assert differs(holding) == ""


def test_planted_errors_are_caught() -> None:
    """A flipped sign, a dropped term or factor, a factor of 2, a comparison turned round."""
    planted, survivors = 0, []
    for description, tree in mutants(inspect.getsource(holding)):
        planted += 1
        try:
            with np.errstate(all="ignore"):
                found = differs(run(tree))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            continue
        if not found:
            survivors.append(description)
    assert planted >= 10
    assert not survivors, "\n".join(survivors)


def test_presets_hold_what_the_table_says() -> None:
    for preset in ("document", "paper", "joint"):
        assert held_names(PRESETS[preset]) == PARAMETERS
    assert held_names(PRESETS["scvi-tools"]) == (
        *(f"{name}_free" for name in RATES),
        *("variance_u_free", "variance_s_free"),
    )


@given(st.sampled_from(PARAMETERS), st.floats(), st.sampled_from(WAYS))
def test_domains(name: str, value: float, reading: Reading) -> None:
    outside = holding.outside_domain(held_name(name, reading), np.array([value]), T_MAX)
    assert outside.tolist() == [not lawful(name, value, reading)]
