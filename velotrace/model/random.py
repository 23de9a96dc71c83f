"""Random numbers by key: any draw of any step can be made again alone."""

from __future__ import annotations

import hashlib

import numpy as np

SMALLEST = float(np.finfo(np.float64).tiny)
"""Floor of a state probability: the smallest normal float64, 2.2e-308."""


def generator(seed: int, purpose: str, step: int) -> np.random.Generator:
    """A counter-based generator for one purpose at one step.

    Args:
        seed: the scenario's or the run's.
        purpose: what for, such as 'epsilon_z'; two purposes never share numbers.
        step: which step of the optimiser, from 0.

    Returns:
        NumPy's Philox generator with a key made of all three.

    Example:
        >>> first, again = (generator(0, "epsilon_z", 3).random() for _ in range(2))
        >>> first == again
        True
    """
    text = f"velotrace/{seed}/{purpose}/{step}".encode()
    key = np.frombuffer(hashlib.sha256(text).digest()[:16], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def draw_epsilon(seed: int, step: int, cells: int, latent: int) -> np.ndarray:
    """Standard normal noise ε for every cell of the data, shape (cell, latent).

    Drawn for all cells, so that a cell's noise does not depend on which others share its batch.
    """
    return generator(seed, "epsilon_z", step).standard_normal((cells, latent))


def draw_pi(seed: int, step: int, concentration: np.ndarray) -> np.ndarray:
    """State probabilities π ~ Dirichlet(concentration), drawn in logs.

    Small concentrations underflow when drawn directly (2.4 % of the components are exactly 0 at
    0.05). A Gamma(a) variate is one of Gamma(a + 1) times U^(1/a); its log never underflows.

    Args:
        seed: of the noise.
        step: which step.
        concentration: shape (cell, gene, state), positive.

    Returns:
        Same shape, each component at least 2.2e-308; sums to 1 up to round-off.
    """
    numbers = generator(seed, "pi", step)
    uniform = 1.0 - numbers.random(concentration.shape)  # in (0, 1]
    log_gamma = (
        np.log(numbers.standard_gamma(concentration + 1.0)) + np.log(uniform) / concentration
    )
    gamma = np.exp(log_gamma - np.max(log_gamma, axis=-1, keepdims=True))
    return np.maximum(gamma / np.sum(gamma, axis=-1, keepdims=True), SMALLEST)


def draw_state(seed: int, step: int, pi: np.ndarray) -> np.ndarray:
    """States k ~ Categorical(π), from 1 to 4, equation (15), shape (cell, gene)."""
    uniform = generator(seed, "state", step).random(pi.shape[:-1])
    cumulative = np.cumsum(pi, axis=-1)
    below = uniform[..., None] * cumulative[..., -1:] >= cumulative[..., :-1]
    return 1 + np.sum(below, axis=-1)
