"""What tests look at: values of an iteration, how the loss pulls on them, where they come from."""

from __future__ import annotations

import numpy as np

from velotrace.claims.context import Context
from velotrace.counterfactuals import counterfactual
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

PAIRS = ((0, 1), (2, 3))
"""Cells that the document's table has alike: 1 and 2, 3 and 4."""


def values(trace: Trace, name: str) -> np.ndarray:
    """A named value of an iteration."""
    return np.asarray(trace.tape[name].value)


def ancestors(trace: Trace, name: str) -> set[str]:
    """Every named value that a value was computed from, nearest or farther."""
    graph, found, waiting = trace.tape.graph, set[str](), [name]
    while waiting:
        new = set(graph[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


RATES = ("alpha", "beta", "gamma")

KINETICS = (*RATES, "switch_time")


def adjoint(trace: Trace, name: str) -> np.ndarray | None:
    """How the loss pulls on a named value; None without a path."""
    found = trace.tape[name].adjoint
    return None if found is None else np.asarray(found)


def pull(trace: Trace, name: str) -> np.ndarray:
    """The same where no path is a pull of 0."""
    found = adjoint(trace, name)
    return np.zeros_like(values(trace, name)) if found is None else found


def weights_of(trace: Trace, network: str) -> list[np.ndarray | None]:
    """The gradients of all weights of the networks so named."""
    names = [name for name, _ in leaves(trace.resolved.parameters) if name.startswith(network)]
    return [adjoint(trace, name) for name in names]


def penalty_alone(trace: Trace) -> Trace:
    """The iteration with the switch penalty as its only loss."""
    return counterfactual(trace, drop=["reconstruction", "kl_z", "kl_pi"])


NOISE = ("sigma_u", "sigma_s")


def scatter(context: Context) -> float:
    """Root mean squared deviation of like cells from their mean, both kinds of RNA."""
    pairs = [
        x[list(pair)].std(axis=0, ddof=1)
        for pair in PAIRS
        for x in (context.data.unspliced, context.data.spliced)
    ]
    return float(np.sqrt(np.mean(np.square(pairs))))


def median(numbers: np.ndarray) -> float:
    """Of those that are numbers; NaN where none is."""
    finite = numbers[np.isfinite(numbers)]
    return float(np.median(finite)) if len(finite) else float("nan")
