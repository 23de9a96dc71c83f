"""Optimisers as pure steps: (state, gradient) -> (state, what happened inside).

The document prints plain gradient descent and calls it Adam; both are here. Each works on one
array at a time, so that a parameter's whole step can be read in one line of a table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from velotrace.model.readings import Optimiser
from velotrace.tape import whole


@dataclass(frozen=True, slots=True)
class AdamState:
    """What Adam remembers of one array.

    Attributes:
        step: steps done.
        first_moment: m, running mean of the gradient.
        second_moment: v, running mean of the squared gradient.
    """

    step: int
    first_moment: np.ndarray
    second_moment: np.ndarray


def adam_start(parameter: np.ndarray) -> AdamState:
    """Adam's memory before its first step: all zero."""
    return AdamState(0, np.zeros_like(parameter), np.zeros_like(parameter))


_SAFE = (1e-140, 1e140)
"""Between these a norm is what its squares say, none of which that matters under- or overflowed."""

Info = dict[str, np.ndarray]  # what happened inside a step, by name


def sgd_step(parameter: np.ndarray, gradient: np.ndarray, settings: Optimiser) -> Info:
    """One step of the formula that the document prints: new = old − η ∂L/∂parameter.

    Args:
        parameter: any shape.
        gradient: same shape.
        settings: learning rate.

    Returns:
        `change` and `updated`.

    Example:
        >>> sgd_step(np.array(0.85), np.array(2495.0), Optimiser())["updated"].round(6)
        np.float64(-24.1)
    """
    change = -settings.learning_rate * gradient
    return {"change": change, "updated": parameter + change}


def adam_step(
    parameter: np.ndarray, gradient: np.ndarray, state: AdamState, settings: Optimiser
) -> tuple[AdamState, Info]:
    """One step of Adam (Kingma and Ba 2015) or of AdamW.

    m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ),
    change = −η m̂/(√v̂ + eps). Weight decay: 'adam' adds wd·parameter to g, 'adamw' adds
    −η·wd·parameter to the change.

    Args:
        parameter: any shape.
        gradient: same shape.
        state: what Adam remembers.
        settings: of the step.

    Returns:
        The new memory, and `first_moment`, `second_moment`, `first_moment_corrected`,
        `second_moment_corrected`, `change` and `updated`.

    Example:
        >>> start = np.array(0.85)
        >>> _, info = adam_step(start, np.array(2495.0), adam_start(start), Optimiser())
        >>> print(round(float(info["change"]), 9))
        -0.01
    """
    beta_1, beta_2 = settings.betas
    step = state.step + 1
    decay = settings.weight_decay * parameter if settings.weight_decay else None
    if decay is not None and settings.name == "adam":
        gradient = gradient + decay
    first = beta_1 * state.first_moment + (1.0 - beta_1) * gradient
    second = beta_2 * state.second_moment + (1.0 - beta_2) * gradient**2
    first_corrected = first / bias_correction(beta_1, step)
    second_corrected = second / bias_correction(beta_2, step)
    direction = first_corrected / (np.sqrt(second_corrected) + settings.eps)
    if decay is not None and settings.name == "adamw":
        direction = direction + decay
    change = -settings.learning_rate * direction
    info = {
        "first_moment": first,
        "second_moment": second,
        "first_moment_corrected": first_corrected,
        "second_moment_corrected": second_corrected,
        "change": change,
        "updated": parameter + change,
    }
    return AdamState(step, first, second), info


@whole
def bias_correction(beta: float, step: int) -> np.ndarray:
    """1 − βᵗ, what a moment that began at 0 is short of after t steps."""
    return np.array(1.0 - beta ** int(step))


@whole
def clip(gradient: np.ndarray, norm: float | None) -> np.ndarray:
    """Scale a gradient so that its norm is at most `norm`.

    Args:
        gradient: all parameters in a row, shape (…, number of parameters); each row on its own.
        norm: the bound; None leaves it as it is.

    Returns:
        The gradient, times norm / (its norm) where that is below 1.

    Example:
        >>> clip(np.array([[3.0, 4.0], [0.3, 0.4]]), 1.0)
        array([[0.6, 0.8],
               [0.3, 0.4]])
    """
    if norm is None:
        return gradient
    largest = gradient_norm(gradient)[..., None]
    too_large = largest > norm
    if not too_large.any():
        return gradient
    return np.where(too_large, gradient * (norm / np.maximum(largest, norm)), gradient)


def gradient_norm(gradient: np.ndarray) -> np.ndarray:
    """√Σ g² over the last axis, without overflow."""
    with np.errstate(over="ignore"):
        norm = np.sqrt(np.add.reduce(gradient * gradient, axis=-1))
    if ((norm > _SAFE[0]) & (norm < _SAFE[1])).all():
        return norm
    largest = np.maximum.reduce(np.abs(gradient), axis=-1, keepdims=True, initial=0.0)
    scale = largest + (largest == 0.0)
    return np.asarray(np.sqrt(np.add.reduce((gradient / scale) ** 2, axis=-1)) * scale[..., 0])


def take_step(
    parameters: np.ndarray, gradient: np.ndarray, memory: AdamState, settings: Optimiser
) -> tuple[AdamState, Info]:
    """One step of the optimiser that the settings name, after clipping.

    Args:
        parameters: all in a row, shape (…, number of parameters).
        gradient: same shape.
        memory: of Adam; plain gradient descent only counts its steps.
        settings: of the step.

    Returns:
        The new memory and what happened inside: `sgd_step`'s or `adam_step`'s.
    """
    gradient = clip(gradient, settings.clip_norm)
    if settings.name != "sgd":
        return adam_step(parameters, gradient, memory, settings)
    return replace(memory, step=memory.step + 1), sgd_step(parameters, gradient, settings)
