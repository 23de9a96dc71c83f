"""RNA velocity as it was first estimated, before there was a model of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from velotrace.data import Expression


@dataclass(frozen=True)
class SteadyState:
    """The steady-state estimate: one line for each gene, and how far each cell lies above it.

    Attributes:
        slope: γ of each gene, with β = 1 for all genes, shape (gene,).
        velocity: u − γ s, shape (cell, gene).
    """

    slope: np.ndarray
    velocity: np.ndarray


def steady_state(expression: Expression) -> SteadyState:
    """RNA velocity as it was first estimated: u − γ s with the line u = γ s laid through the cells.

    By least squares through the origin, over all cells. velocyto takes the extreme cells alone,
    which are those it supposes to be in a steady state; four cells are too few for that.

    Args:
        expression: measured.

    Returns:
        Slopes and velocities.

    Example:
        >>> import velotrace
        >>> made = steady_state(velotrace.trace().resolved.expression)
        >>> (made.velocity[:, 0] > 0).tolist()
        [True, True, False, False]
    """
    u, s = expression.unspliced, expression.spliced
    slope = (u * s).sum(axis=0) / (s * s).sum(axis=0)
    return SteadyState(slope, u - slope * s)
