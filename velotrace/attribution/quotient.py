"""Q(β, γ, t) = (e^(−γt) − e^(−βt))/(γ − β), which (4) and (8) share, and its three slopes.

A second derivation, sharing no code with `model.kinetics` or `model.adjoint`: there the quotient
goes through exprel, here through its integral,

    Q = −t ∫₀¹ e^(−(β + θ(γ − β))t) dθ,

whose slopes in β and γ put (1 − θ)t and θt under the integral. It is evaluated by quadrature while
|γ − β|t ≤ 1, and in closed form beyond, where nothing cancels by more than a factor of four.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from velotrace.model.readings import Denominator

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_NODES, _WEIGHTS = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS
"""Gauss–Legendre on [0, 1]; ten nodes integrate e^x over a unit to round-off."""

EPS = 1e-6
"""scvi-tools' addition to γ − β (`model.md` section 1)."""


def moments(beta: float, gamma: float, time: float) -> tuple[float, float, float]:
    """∫ e^(−(β + θ(γ − β))t) dθ over [0, 1], and the same weighted by 1 − θ and by θ.

    Example:
        At β = γ they are e^(−βt) times 1, 1/2, 1/2:

        >>> [round(m, 12) for m in moments(0.5, 0.5, 0.0)]
        [1.0, 0.5, 0.5]
    """
    x = (gamma - beta) * time
    if abs(x) <= 1.0:
        integrand = _WEIGHTS * np.exp(-(beta * time + _NODES * x))
        return (
            math.fsum(integrand),
            math.fsum(integrand * (1.0 - _NODES)),
            math.fsum(integrand * _NODES),
        )
    slower, size = math.exp(-min(beta, gamma) * time), abs(x)
    whole = slower * -math.expm1(-size) / size
    of_faster = slower * (-math.expm1(-size) - size * math.exp(-size)) / size**2
    of_slower = whole - of_faster
    return (whole, of_slower, of_faster) if x > 0.0 else (whole, of_faster, of_slower)


Part = tuple[float, float]
"""A number, and the sum of the absolute values of what was added up to it."""

Slope = Callable[[float, float, float], Part]


def quotient(beta: float, gamma: float, time: float) -> Part:
    """Q itself."""
    return _one(-time * moments(beta, gamma, time)[0])


def quotient_by_beta(beta: float, gamma: float, time: float) -> Part:
    """∂Q/∂β = t² ∫ (1 − θ) e^(…) dθ."""
    return _one(time**2 * moments(beta, gamma, time)[1])


def quotient_by_gamma(beta: float, gamma: float, time: float) -> Part:
    """∂Q/∂γ = t² ∫ θ e^(…) dθ."""
    return _one(time**2 * moments(beta, gamma, time)[2])


def quotient_by_time(beta: float, gamma: float, time: float) -> Part:
    """∂Q/∂t = (β e^(−βt) − γ e^(−γt))/(γ − β) = βt ∫ e^(…) dθ − e^(−γt)."""
    return _sum(beta * time * moments(beta, gamma, time)[0], -math.exp(-gamma * time))


def quotients(denominator: Denominator) -> Mapping[str, Slope]:
    """Q and its slopes by the names that formulas use, for the reading's denominator.

    Args:
        denominator: 'exact', or 'eps' for γ − β + 1e-6.

    Returns:
        'Q', 'Q_beta', 'Q_gamma', 'Q_time': functions of β, γ, t.

    Example:
        >>> quotients("exact")["Q"](0.5, 0.5, 2.0)[0]  # −t e^(−βt)
        -0.7357588823428847
    """
    exact = {
        "Q": quotient,
        "Q_beta": quotient_by_beta,
        "Q_gamma": quotient_by_gamma,
        "Q_time": quotient_by_time,
    }
    if denominator == "exact":
        return MappingProxyType(exact)
    return MappingProxyType(
        {
            "Q": _scaled(quotient, 0.0),
            "Q_beta": _scaled(quotient_by_beta, -1.0),
            "Q_gamma": _scaled(quotient_by_gamma, 1.0),
            "Q_time": _scaled(quotient_by_time, 0.0),
        }
    )


def _scaled(slope: Slope, sign: float) -> Slope:
    """The same for Q (γ − β)/(γ − β + 1e-6); that share grows with γ by 1e-6/(γ − β + 1e-6)²."""

    def scaled(beta: float, gamma: float, time: float) -> Part:
        gap, wider = gamma - beta, gamma - beta + EPS
        value, size = slope(beta, gamma, time)
        q = quotient(beta, gamma, time)[0]
        of_share = sign * q * EPS / wider**2  # elsewhere a difference, 1/wider − gap/wider²
        parts = abs(sign * q) * (abs(wider) + abs(gap)) / wider**2
        return value * gap / wider + of_share, size * abs(gap / wider) + parts

    return scaled


def _one(value: float) -> Part:
    return value, abs(value)


def _sum(a: float, b: float) -> Part:
    return a + b, abs(a) + abs(b)
