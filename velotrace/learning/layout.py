"""All parameters as one row of numbers, and back; one row for each run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from velotrace.model.records import Parameters
from velotrace.tape import leaves, map_leaves


@dataclass(frozen=True)
class Layout:
    """Where each parameter of one run stands in the row.

    An optimiser's step is then a few operations on one array however many networks there are, and
    several seeds are several rows.

    Attributes:
        shapes: of each parameter by its path, such as 'alpha' or 'encoder_z.0.W', in order.
        template: parameters nested as they are to come back.
    """

    shapes: Mapping[str, tuple[int, ...]]
    template: Parameters

    @classmethod
    def of(cls, parameters: Parameters) -> Layout:
        """The layout of one run's parameters."""
        return cls({path: np.shape(x) for path, x in leaves(parameters)}, parameters)

    @cached_property
    def places(self) -> Mapping[str, slice]:
        """The columns of each parameter."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes.values()]).tolist()
        starts = [0, *ends[:-1]]
        return {p: slice(a, b) for p, a, b in zip(self.shapes, starts, ends, strict=True)}

    def pack(self, by_path: Mapping[str, np.ndarray], runs: int) -> np.ndarray:
        """One row for each run, shape (run, size), from arrays by path."""
        return np.concatenate([by_path[path].reshape(runs, -1) for path in self.shapes], axis=1)

    def unpack(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays by path as views of the rows: (run, 1, gene) for θ, (run, …) for weights.

        A vector gets a cell axis of length 1, so that it stands beside (run, cell, …).
        """
        return dict(leaves(self.nested(rows)))

    def nested(self, rows: np.ndarray) -> Parameters:
        """The same views, nested as the model reads them."""
        return {
            name: [
                {key: rows[:, place].reshape(shape) for key, (place, shape) in layer.items()}
                for layer in where
            ]
            if isinstance(where, list)
            else rows[:, where[0]].reshape(where[1])
            for name, where in self._tree.items()
        }

    @cached_property
    def _tree(self) -> dict[str, Any]:
        """Columns and shape of each array, nested as the parameters are."""

        def where(path: str, _: np.ndarray) -> Any:
            shape = self.shapes[path]
            return self.places[path], (-1, 1, *shape) if len(shape) == 1 else (-1, *shape)

        return dict(map_leaves(where, self.template))

    def one_run(self, row: np.ndarray) -> Parameters:
        """One run's parameters in their own shapes, as copies."""
        shapes, views = self.shapes, self.unpack(row[None])
        return dict(map_leaves(lambda p, _: views[p].reshape(shapes[p]).copy(), self.template))
