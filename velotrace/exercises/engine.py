"""The engine as the exercises use it: gradients of small functions, z, times, a whole iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from velotrace.model import objective
from velotrace.model.readings import DOCUMENT, Reduction
from velotrace.model.records import Constants, Draws, Iteration
from velotrace.tape import Cut, Tape, evaluate, record
from velotrace.walkthrough import Trace, trace


def recorded(function: Callable[..., Any], cut: Sequence[str] = (), **values: Any) -> Tape:
    """A function of named numbers or arrays under the tape, forward and backward."""
    parameters = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    return record(lambda given: function(**given), parameters, {name: Cut() for name in cut})


def slopes(function: Callable[..., Any], cut: Sequence[str] = (), **values: Any) -> dict[str, Any]:
    """The derivative of a function by each of its arguments; None without a path.

    Args:
        function: of keyword arguments, to one number; written with the engine's operations.
        cut: named values past which no gradient flows.
        **values: where.

    Example:
        >>> found = slopes(lambda x, y: x**2, x=3.0, y=1.0)
        >>> print(found["x"], found["y"])
        6.0 None
    """
    tape = recorded(function, cut, **values)
    adjoints = {name: tape[name].adjoint for name in values}
    return {name: None if found is None else found[()] for name, found in adjoints.items()}


def iteration(epsilon: Iterable[float] = (0.0,), t_max: float = 20.0) -> Iteration:
    """One cell with one gene, for the parts of the forward pass that need an iteration."""
    nothing = np.zeros((1, 1))
    constants = Constants(t_max, np.array([1.0, 1.0, 1.0, 0.1]), 0.25, np.zeros(1), np.zeros(1))
    draws = Draws(np.array([list(epsilon)]), np.full((1, 1, 4), 0.25), None)
    return Iteration(nothing, nothing, draws, constants, DOCUMENT, "tanh")


def drawn_z(mu: np.ndarray, log_var: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """z* by the engine's own encoder: one linear layer whose bias is (μ, log Σ)."""
    latent = len(mu)
    constant = {"W": np.zeros((2, 2 * latent)), "b": np.array([*mu, *log_var])}
    parameters = {
        "encoder_z": [constant],
        "encoder_pi": [{"W": np.zeros((latent, 4)), "b": np.zeros(4)}],
    }
    once = iteration(eps)
    return objective.infer(parameters, once, once.unspliced, once.spliced)["z"][0]


def latent_times(output: float, switch_time: float, t_max: float) -> tuple[float, float]:
    """t(1) and t(3), where both decoders put out the same number before the logistic."""
    layer = [{"W": np.zeros((1, 1)), "b": np.array([output])}]
    parameters = {
        "switch_time": np.array([switch_time]), "decoder_ind": layer, "decoder_rep": layer,
    }  # fmt: skip
    times = objective.latent_times(parameters, np.zeros((1, 1)), iteration(t_max=t_max))
    return float(times["time_induction"][0, 0]), float(times["time_repression"][0, 0])


@lru_cache(maxsize=1)
def walkthrough() -> Trace:
    """The document's iteration."""
    return trace()


def terms_of_the_loss(
    sigma: float, switch_weight: float, reduction: Reduction = "sum"
) -> dict[str, np.ndarray]:
    """The named values of the document's iteration with another σ, λ and reduction."""
    resolved = walkthrough().resolved
    reading = replace(resolved.iteration.reading, reduction=reduction, switch_weight=switch_weight)
    changed = replace(resolved.iteration, reading=reading)
    genes = len(resolved.genes)
    noise = {"sigma_u": np.full(genes, sigma), "sigma_s": np.full(genes, sigma)}
    run = evaluate(partial(objective.loss, iteration=changed), resolved.parameters | noise)
    return dict(run.values)
