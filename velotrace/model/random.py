"""Random numbers by key: any draw of any step can be made again alone."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

SMALLEST = float(np.finfo(np.float64).tiny)
"""Floor of a state probability: the smallest normal float64, 2.2e-308."""

Numbers = Callable[[int, str, int], np.random.Generator]
"""A generator for (seed, purpose, step): `generator`, or a `Keyed` where many are wanted."""


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
    key = np.array(_key(seed, purpose, step), dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def _key(seed: int, purpose: str, step: int) -> tuple[int, ...]:
    text = f"velotrace/{seed}/{purpose}/{step}".encode()
    return _TWO_WORDS.unpack_from(hashlib.sha256(text).digest())


_TWO_WORDS = struct.Struct("=2Q")


class Keyed:
    """Generators by key, all of them one generator that is set to the key: six times as quick.

    The numbers are those of `generator`. What a call returns is good until the next call.

    Example:
        >>> Keyed()(0, "epsilon_z", 3).random() == generator(0, "epsilon_z", 3).random()
        True
    """

    def __init__(self) -> None:
        self._bits = np.random.Philox(key=0)
        self._numbers = np.random.Generator(self._bits)
        start: Any = self._bits.state
        # tuples of ints are read faster than the arrays that NumPy puts there
        counter, buffer = (tuple(map(int, x)) for x in (start["state"]["counter"], start["buffer"]))
        self._state: Any = start | {"state": {"counter": counter}, "buffer": buffer}

    def __call__(self, seed: int, purpose: str, step: int) -> np.random.Generator:
        """The generator, set to the key."""
        self._state["state"]["key"] = _key(seed, purpose, step)
        self._bits.state = self._state
        return self._numbers


def draw_epsilon(
    seed: int, step: int, cells: int, latent: int, numbers: Numbers = generator
) -> np.ndarray:
    """Standard normal noise ε for every cell of the data, shape (cell, latent).

    Drawn for all cells, so that a cell's noise does not depend on which others share its batch.
    """
    return draw_epsilons([seed], step, cells, latent, numbers)[0]


def draw_epsilons(
    seeds: Sequence[int], step: int, cells: int, latent: int, numbers: Numbers = generator
) -> np.ndarray:
    """The same for several runs: the first axis is the run, each with a seed of its own."""
    noise = np.empty((len(seeds), cells, latent))
    for run, seed in enumerate(seeds):
        numbers(seed, "epsilon_z", step).standard_normal(out=noise[run])
    return noise


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
    return draw_pis([seed], step, concentration[None])[0]


def draw_pis(
    seeds: Sequence[int],
    step: int,
    concentration: np.ndarray,
    numbers: Numbers = generator,
    purpose: str = "",
) -> np.ndarray:
    """The same for several runs: the first axis is the run, each with a seed of its own.

    A `purpose` in front of the key keeps draws that do not train apart from those that do.
    """
    uniform, variate = np.empty(concentration.shape), np.empty(concentration.shape)
    purpose, larger = f"{purpose}pi", concentration + 1.0
    for run, seed in enumerate(seeds):
        drawn = numbers(seed, purpose, step)
        drawn.random(out=uniform[run])
        drawn.standard_gamma(larger[run], out=variate[run])
    uniform = 1.0 - uniform  # in (0, 1]
    log_gamma = np.log(variate) + np.log(uniform) / concentration
    gamma = np.exp(log_gamma - np.maximum.reduce(log_gamma, axis=-1, keepdims=True))
    return np.maximum(gamma / np.add.reduce(gamma, axis=-1, keepdims=True), SMALLEST)


def draw_state(seed: int, step: int, pi: np.ndarray) -> np.ndarray:
    """States k ~ Categorical(π), from 1 to 4, equation (15), shape (cell, gene)."""
    return draw_states([seed], step, pi[None])[0]


def draw_states(
    seeds: Sequence[int],
    step: int,
    pi: np.ndarray,
    numbers: Numbers = generator,
    purpose: str = "",
) -> np.ndarray:
    """The same for several runs: the first axis is the run, each with a seed of its own."""
    uniform = np.empty(pi.shape[:-1])
    for run, seed in enumerate(seeds):
        numbers(seed, f"{purpose}state", step).random(out=uniform[run])
    cumulative = np.cumsum(pi, axis=-1)
    below = uniform[..., None] * cumulative[..., -1:] >= cumulative[..., :-1]
    return 1 + np.sum(below, axis=-1)
