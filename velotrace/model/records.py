"""The frozen records that the model works on.

Array shapes are written with the names of dimensions: cell, gene, state (always 4), latent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from velotrace.model.readings import Reading

Activation = Literal["tanh", "relu"]
Initialiser = Literal["glorot-uniform", "kaiming-uniform"]

Layer = dict[str, np.ndarray]  # {"W": (inputs, outputs), "b": (outputs,)}
Network = list[Layer]
Parameters = dict[str, Any]
"""θ and φ together: 'alpha' … 'sigma_s' of shape (gene,), and each network's layers by its name."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What no gradient changes.

    Attributes:
        t_max: end of the time axis.
        state_scale: c, scales the standard deviations by state, shape (state,).
        pi_prior: concentration of the symmetric Dirichlet prior (14).
        u_star: u* of the switch penalty, shape (gene,).
        s_star: s* of the switch penalty, shape (gene,).
    """

    t_max: float
    state_scale: np.ndarray
    pi_prior: float
    u_star: np.ndarray
    s_star: np.ndarray


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of one iteration, all made before its forward pass.

    Attributes:
        epsilon_z: standard normal, shape (cell, latent).
        pi: state probabilities, shape (cell, gene, state).
        state: k from 1 to 4, shape (cell, gene); None where no state is drawn.
    """

    epsilon_z: np.ndarray
    pi: np.ndarray
    state: np.ndarray | None

    def pi_given(self, concentration: Any) -> np.ndarray:
        """π; as it was made beforehand, it does not look at what it was drawn from."""
        return self.pi

    def state_given(self, pi: Any) -> np.ndarray | None:
        """k, likewise."""
        return self.state


class Drawing(Protocol):
    """Draws that are made when the forward pass comes to them, or were made before."""

    @property
    def epsilon_z(self) -> np.ndarray:
        """Standard normal, shape (cell, latent)."""

    def pi_given(self, concentration: Any) -> np.ndarray:
        """State probabilities, shape (cell, gene, state)."""

    def state_given(self, pi: Any) -> np.ndarray | None:
        """States k, shape (cell, gene); None where none is drawn."""


@dataclass(frozen=True, slots=True)
class Iteration:
    """All that one evaluation of the loss holds fixed; with the parameters it gives the loss.

    Attributes:
        unspliced: u of the mini-batch, shape (cell, gene).
        spliced: s of the mini-batch, shape (cell, gene).
        draws: the iteration's random numbers.
        constants: t_max, c, prior, u*, s*.
        reading: the choices.
        activation: between the layers of all networks.
        dropped: terms that are left out of the loss, to see what they are for.
    """

    unspliced: np.ndarray
    spliced: np.ndarray
    draws: Drawing
    constants: Constants
    reading: Reading
    activation: Activation
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes and start of the networks.

    Attributes:
        latent: dimensions of z.
        hidden: widths of the hidden layers of every network.
        activation: between layers.
        initialiser: rule for the first weights.
        seed: of the first weights.
    """

    latent: int
    hidden: tuple[int, ...]
    activation: Activation
    initialiser: Initialiser
    seed: int
