"""How θ is held: as natural values, or as free values that a softplus maps to lawful ones.

A rate cannot be negative, but a step of gradient descent may make it so. A free value can be any
real number: α = min(softplus(α_free), 50). scvi-tools holds its parameters so, and the noise as a
variance. The rest of the model reads natural values only, by the names of `quantities.PARAMETERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from velotrace.model.distributions import softplus
from velotrace.model.readings import NoiseParameter, Parameterisation, Reading
from velotrace.model.records import Parameters
from velotrace.quantities import PARAMETERS
from velotrace.tape import defvjp, named, primitive

Array = Any

LARGEST_RATE = 50.0
"""Where α, β and γ are clamped when they are held as free values; t_s is at t_max."""

NOISE = {"sigma_u": "variance_u", "sigma_s": "variance_s"}
"""What a standard deviation is the root of, where the reading speaks of variances."""


def held_name(name: str, reading: Reading) -> str:
    """The name under which a parameter is held and trained.

    Example:
        >>> held_name("alpha", Reading()), held_name("alpha", Reading(parameterisation="softplus"))
        ('alpha', 'alpha_free')
        >>> held_name("sigma_u", Reading(noise_parameter="variance"))
        'variance_u'
    """
    if reading.noise_parameter == "variance":
        name = NOISE.get(name, name)
    return f"{name}_free" if reading.parameterisation == "softplus" else name


def held_names(reading: Reading) -> tuple[str, ...]:
    """θ as it is held, in the order of `quantities.PARAMETERS`."""
    return _held_names(reading.parameterisation, reading.noise_parameter)


@lru_cache(
    maxsize=4
)  # of these two alone: in a program a reading's weights are arrays, not hashable
def _held_names(parameterisation: Parameterisation, noise: NoiseParameter) -> tuple[str, ...]:
    reading = Reading(parameterisation=parameterisation, noise_parameter=noise)
    return tuple(held_name(name, reading) for name in PARAMETERS)


@primitive
def at_most(x: Array, limit: float) -> Array:
    """min(x, limit); the slope is 1 up to the limit, the limit itself included, and 0 above."""
    return np.minimum(x, limit)


defvjp(at_most, lambda ans, x, limit: lambda g: g * (x <= limit), argnums=[0])


def natural_values(parameters: Parameters, reading: Reading, t_max: float) -> Parameters:
    """θ as the model reads it, beside everything that is held.

    α = min(softplus(α_free), 50), likewise β and γ; t_s = min(softplus(t_s,free), t_max);
    σ = softplus(σ_free), or σ = √v with v = softplus(v_free).

    Args:
        parameters: θ and φ as held.
        reading: says how.
        t_max: end of the time axis.

    Returns:
        The same, and 'alpha' … 'sigma_s'; nothing is added where θ is held as it is.
    """
    values = dict(parameters)
    free, variance = reading.parameterisation == "softplus", reading.noise_parameter == "variance"
    for name, held in zip(PARAMETERS, held_names(reading), strict=True):
        if held == name:
            continue
        value = parameters[held]
        if free:
            value = softplus(value)
            if name not in NOISE:
                value = at_most(value, upper_limit(name, t_max))
        if variance and name in NOISE:
            if free:
                value = named(value, NOISE[name])
            value = np.sqrt(value)
        values[name] = named(value, name)
    return values


def upper_limit(name: str, t_max: float) -> float | None:
    """Where a free parameter is clamped; None for the noise, which is not."""
    if name in NOISE:
        return None
    return t_max if name == "switch_time" else LARGEST_RATE


def held_values(natural: Mapping[str, np.ndarray], reading: Reading) -> Parameters:
    """The values to hold so that θ is as given: softplus undone, a variance from its root.

    Args:
        natural: 'alpha' … 'sigma_s'.
        reading: says how they are held.

    Returns:
        By the names of `held_names`.

    Example:
        >>> natural = dict.fromkeys(PARAMETERS, np.array([0.5]))
        >>> free = held_values(natural, Reading(parameterisation="softplus"))
        >>> print(softplus(free["beta_free"]).round(12))
        [0.5]
    """
    held = {}
    for name in PARAMETERS:
        value = natural[name]
        if reading.noise_parameter == "variance" and name in NOISE:
            value = value**2
        if reading.parameterisation == "softplus":
            value = value + np.log(-np.expm1(-value))  # log(e^y − 1) without overflow
        held[held_name(name, reading)] = value
    return held


def domain(name: str, t_max: float) -> tuple[float, float]:
    """The open interval in which θ, as held under this name, must lie.

    Args:
        name: of `held_names`.
        t_max: end of the time axis.

    Returns:
        Its ends. A rate, standard deviation or variance must be positive (α may be 0), a switch
        time lie between 0 and t_max; a free value may be any number.
    """
    if name.endswith("_free"):
        return -np.inf, np.inf
    lowest = float(np.nextafter(0.0, -1.0)) if name == "alpha" else 0.0
    return lowest, t_max if name == "switch_time" else np.inf


def outside_domain(name: str, values: np.ndarray, t_max: float) -> np.ndarray:
    """Which values of θ, as held under this name, the model cannot use.

    Example:
        >>> outside_domain("beta", np.array([0.1, 0.0, -1.0]), 20.0).tolist()
        [False, True, True]
    """
    lowest, highest = domain(name, t_max)
    return ~((values > lowest) & (values < highest))
