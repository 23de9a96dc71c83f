"""One difference quotient at steps of one's choice, with all it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from velotrace.certificates.differences import (
    STENCIL,
    noise_of,
    quotient_of,
    round_off_of,
    shifted_runs,
)
from velotrace.model.objective import loss
from velotrace.walkthrough import Trace

WIDE = 2.0 ** -np.arange(4.0, 40.0)
"""Steps relative to the component, from far too wide to far too narrow."""


@dataclass(frozen=True)
class Sweep:
    """Difference quotients of the loss by one component, at several steps.

    Attributes:
        value: the component.
        slope: the tape's adjoint.
        noise: δ, how far round-off may move the loss.
        steps: h.
        losses: at x − 2h, x − h, x + h and x + 2h, shape (place, step).
        plain: [L(x+h) − L(x−h)] / 2h.
        quotient: D(h), of all four.
        bound: on the error of D(h): |D(4h) − D(h)| + 18 δ / 12 h.
    """

    value: float
    slope: float
    noise: float
    steps: np.ndarray
    losses: np.ndarray
    plain: np.ndarray
    quotient: np.ndarray
    bound: np.ndarray


def sweep(trace: Trace, name: str, gene: str, relative: np.ndarray = WIDE) -> Sweep:
    """The certificates' difference quotient of one parameter, at steps of one's choice.

    Args:
        trace: of one iteration; no unit or clamp may switch within the steps.
        name: of a parameter of genes.
        gene: its label.
        relative: steps as shares of the component.

    Returns:
        The quotients and what they are made of.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> made = sweep(trace(), "beta", "A")
        >>> bool(np.all(np.abs(made.quotient - made.slope) <= made.bound))
        True
    """
    entry, g = trace.tape[name], trace.coords["gene"].index(gene)
    value, noise = float(entry.value[g]), noise_of(trace.tape)
    steps = relative * abs(value)
    losses = _losses(trace, name, g, steps)
    quotient = quotient_of(losses, steps)
    truncation = np.abs(quotient_of(_losses(trace, name, g, 4.0 * steps), 4.0 * steps) - quotient)
    plain = (losses[2] - losses[1]) / (2.0 * steps)
    bound = truncation + round_off_of(noise, steps)
    slope = np.nan if entry.adjoint is None else float(entry.adjoint[g])
    return Sweep(value, slope, noise, steps, losses, plain, quotient, bound)


def _losses(trace: Trace, name: str, g: int, steps: np.ndarray) -> np.ndarray:
    """The loss at the four places around each step, shape (place, step)."""
    shifts = STENCIL[:, None, None] * steps[:, None]  # (place, step, component)
    function = partial(loss, iteration=trace.resolved.iteration)
    value, component = trace.tape[name].value, np.array([g])
    run = shifted_runs(function, trace.resolved.parameters, name, value, component, shifts)
    return np.asarray(run.value).reshape(shifts.shape[:2])
