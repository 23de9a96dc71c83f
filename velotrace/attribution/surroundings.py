"""The numbers that a formula's names stand for at one pair of components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from scipy.special import logsumexp

from velotrace.attribution.expressions import ROUND_OFF, Measured
from velotrace.model.distributions import softplus
from velotrace.model.holding import upper_limit
from velotrace.model.pathwise import beta_slope
from velotrace.quantities import RATES, VOCABULARY
from velotrace.selection import dims_of
from velotrace.walkthrough import Trace

At = Mapping[str, Any]  # labels by dimension


def surroundings(trace: Trace, names: Iterable[str], of_at: At, to_at: At) -> dict[str, Measured]:
    """What each name means between two components of an edge.

    Args:
        trace: of one iteration.
        names: of the vocabulary, or of those that `formulas` adds to it.
        of_at: labels of the component differentiated by; only `g` is meant there.
        to_at: labels of the component differentiated; where it lacks a dimension of the other,
            that one's label counts.

    Returns:
        One number by name. A recorded value is exact; what is worked out here has its round-off.
    """
    at = {**of_at, **to_at}
    return {name: _measured(trace, name, of_at if name == "g" else at) for name in names}


def _measured(trace: Trace, name: str, at: At) -> Measured:
    if name in VOCABULARY:
        return Measured(_value(trace, name, at), 0.0)
    value = float(_OTHERS[name](trace, at))
    return Measured(value, _ROUNDINGS.get(name, 0) * ROUND_OFF * abs(value))


_ROUNDINGS: Mapping[str, int] = {
    "tau": 1,
    "conc_total": 3,
    "pi_others": 3,
    "mixed_u": 8,
    "mixed_s": 8,
    "g": 256,
}
"""Relative round-off of what is worked out here, in units of u; `g` is good to some 3e-14."""


def _value(trace: Trace, name: str, at: At) -> float:
    return float(_array(trace, name, at, dims_of(trace, name)))


def _array(trace: Trace, name: str, at: At, dims: Iterable[str]) -> np.ndarray:
    """A value at some labels; dimensions that are not named stay."""
    index = tuple(
        trace.coords[dim].index(at[dim]) if dim in dims else slice(None)
        for dim in dims_of(trace, name)
    )
    return trace.tape[name].value[index]


def _four(trace: Trace, name: str, at: At) -> np.ndarray:
    return _array(trace, name, at, ("cell", "gene"))


def _tau(trace: Trace, at: At) -> float:
    return _value(trace, "time_repression", at) - _value(trace, "switch_time", at)


def _mixed(trace: Trace, at: At, kind: str) -> float:
    log_pi = np.log(_four(trace, "pi", at))
    return float(logsumexp(log_pi + _four(trace, f"log_density_{kind}", at)))


def _implicit_slope(trace: Trace, at: At) -> float:
    concentration, pi = _four(trace, "concentration", at), _four(trace, "pi", at)
    i, others = at["state"] - 1, np.arange(4) != at["state"] - 1
    rest = np.sum(pi[others]), np.sum(concentration[others])
    return float(beta_slope(pi[i], rest[0], concentration[i], rest[1]))


def _constant(name: str) -> Callable[[Trace, At], float]:
    return lambda trace, at: getattr(trace.resolved.iteration.constants, name)


def _per_gene(name: str) -> Callable[[Trace, At], float]:
    return lambda trace, at: getattr(trace.resolved.iteration.constants, name)[
        trace.coords["gene"].index(at["gene"])
    ]


def _weight(name: str) -> Callable[[Trace, At], float]:
    return lambda trace, at: getattr(trace.resolved.iteration.reading, name)


def _open(name: str) -> Callable[[Trace, At], float]:
    def is_open(trace: Trace, at: At) -> float:
        limit = upper_limit(name, trace.resolved.iteration.constants.t_max)
        free = np.float64(_value(trace, f"{name}_free", at))
        return float(limit is None or softplus(free) <= limit)

    return is_open


_OTHERS: Mapping[str, Callable[[Trace, At], float]] = {
    "tau": _tau,
    "c": lambda trace, at: trace.resolved.iteration.constants.state_scale[at["state"] - 1],
    "t_max": _constant("t_max"),
    "prior": _constant("pi_prior"),
    "u_star": _per_gene("u_star"),
    "s_star": _per_gene("s_star"),
    "cells": lambda trace, at: len(trace.coords["cell"]),
    "kl_weight": _weight("kl_weight"),
    "switch_weight": _weight("switch_weight"),
    "conc_total": lambda trace, at: np.sum(_four(trace, "concentration", at)),
    "pi_others": lambda trace, at: np.sum(np.delete(_four(trace, "pi", at), at["state"] - 1)),
    "mixed_u": lambda trace, at: _mixed(trace, at, "u"),
    "mixed_s": lambda trace, at: _mixed(trace, at, "s"),
    "g": _implicit_slope,
    **{f"{name}_open": _open(name) for name in RATES},
}
