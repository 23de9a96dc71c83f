"""One iteration from start to end: forward, backward, update."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from velotrace.errors import ContradictionError, InputError
from velotrace.learning.layout import Layout
from velotrace.learning.optimisers import AdamState, Info, adam_start, adam_step, clip, sgd_step
from velotrace.model.holding import held_names, outside_domain
from velotrace.model.objective import loss
from velotrace.quantities import VOCABULARY
from velotrace.resources import data_path
from velotrace.scenario import Resolved, resolve
from velotrace.tape import Intervention, Tape, leaves, record

if TYPE_CHECKING:
    import xarray

Updates = Mapping[str, Mapping[str, Info]]


@dataclass(frozen=True)
class Before:
    """What the optimiser brought to an iteration of a training.

    Attributes:
        epoch: of the iteration.
        batch: its number in the epoch.
        gradient: of all parameters in a row, by hand, as it trained; shape (1, parameter). None
            in a counterfactual, which has its own.
        memory: Adam's moments before the step, same shape.
    """

    epoch: int
    batch: int
    gradient: np.ndarray | None
    memory: AdamState


@dataclass(frozen=True)
class Trace:
    """Everything that one iteration of a scenario computed.

    Attributes:
        resolved: the scenario and the records it stands for.
        tape: every operation, forward and backward.
        before: for an iteration of a training, what the optimiser brought to it.
    """

    resolved: Resolved
    tape: Tape
    before: Before | None = None

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the vocabulary that occur in this trace, in its order."""
        return tuple(name for name in VOCABULARY if name in self.tape.names)

    @property
    def loss(self) -> float:
        """The loss, nat."""
        return float(self.tape.value)

    @cached_property
    def coords(self) -> dict[str, list[Any]]:
        """Labels of the four dimensions: the batch's cells, genes, states 1–4, latent 1–d."""
        latent = self.resolved.architecture.latent
        return {
            "cell": list(self.resolved.cells),
            "gene": list(self.resolved.genes),
            "state": [1, 2, 3, 4],
            "latent": list(range(1, latent + 1)),
        }

    def value(self, name: str) -> xarray.DataArray:
        """A named value with its labels, equation and unit.

        Args:
            name: of the vocabulary, such as 'u_bar'.

        Returns:
            A labelled array.

        Raises:
            KeyError: no such value in this trace, with the names that are.
        """
        return self._labelled(name, self._entry(name).value)

    def adjoint(self, name: str) -> xarray.DataArray | None:
        """d loss / d value of a named value; None where there is no path to the loss.

        Raises:
            KeyError: no such value in this trace, with the names that are.
        """
        adjoint = self._entry(name).adjoint
        return None if adjoint is None else self._labelled(name, adjoint)

    def _entry(self, name: str) -> Any:
        if name not in VOCABULARY or name not in self.tape.names:
            raise KeyError(
                f"no value {name!r} in this trace; there are {', '.join(self.quantities)}"
            )
        return self.tape[name]

    def _labelled(self, name: str, array: np.ndarray) -> xarray.DataArray:
        import xarray  # heavy, and only here needed

        quantity = VOCABULARY[name]
        coords = {dim: self.coords[dim] for dim in quantity.dims}
        about = {"symbol": quantity.symbol, "unit": quantity.unit, "equation": quantity.equation}
        return xarray.DataArray(array.copy(), coords, quantity.dims, name=name, attrs=about)

    @cached_property
    def updates(self) -> Updates:
        """What one step does: by optimiser ('sgd', 'adam'), by parameter, what happened inside.

        'sgd' is the formula that the document prints, with nothing added to it; 'adam' is what
        it names (or AdamW), with the scenario's settings, its clipping and weight decay. In an
        iteration of a training, Adam remembers what it did then.
        """
        parameters, settings = self.resolved.parameters, self.resolved.optimiser
        layout, arrays = Layout.of(parameters), dict(leaves(parameters))
        rows = layout.pack(arrays, 1)
        memory = adam_start(rows) if self.before is None else self.before.memory
        gradient = None if self.before is None else self.before.gradient
        if gradient is None:
            gradient = layout.pack({name: self._gradient(name) for name in arrays}, 1)
        steps: dict[str, Info] = {"sgd": sgd_step(rows, gradient, settings)}
        _, steps["adam"] = adam_step(rows, clip(gradient, settings.clip_norm), memory, settings)
        return {
            optimiser: {
                name: {
                    part: row[0, place].reshape(arrays[name].shape) for part, row in info.items()
                }
                for name, place in layout.places.items()
            }
            for optimiser, info in steps.items()
        }

    def _gradient(self, name: str) -> np.ndarray:
        entry = self.tape[name]
        return np.zeros_like(entry.value) if entry.adjoint is None else entry.adjoint

    @property
    def held(self) -> tuple[str, ...]:
        """The names under which this reading holds θ; what the optimiser moves."""
        return held_names(self.resolved.reading)

    def left_domain(self, optimiser: str) -> dict[str, list[str]]:
        """The parameters that a step takes out of their domain, with the genes.

        Rates, standard deviations and variances must stay positive, switch times between 0 and
        t_max; a free value may be any number.

        Args:
            optimiser: 'sgd' or 'adam'.

        Returns:
            Genes by parameter; nothing for those that stay.
        """
        t_max = self.resolved.iteration.constants.t_max
        found = {}
        for name in self.held:
            outside = outside_domain(name, self.updates[optimiser][name]["updated"], t_max)
            genes = [g for g, out in zip(self.resolved.genes, outside, strict=True) if out]
            if genes:
                found[name] = genes
        return found


def trace(
    scenario: str | Path | None = None,
    interventions: Mapping[str, Intervention] | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Trace:
    """Run one iteration of a scenario and keep every number.

    Args:
        scenario: a scenario file, or an iteration of a training as RUN@EPOCH/BATCH/SEED, of which
            batch and seed may be left out; the document's walkthrough where none is given.
        interventions: by name of a value, what to change in this run.
        reading: keys of [reading] to use instead of the file's. A preset stands for itself, with
            its own optimiser; single choices alone are laid over the file's.

    Returns:
        The trace.

    Raises:
        InputError: the scenario or its data cannot be used.

    Example:
        >>> import velotrace
        >>> walkthrough = velotrace.trace()
        >>> print(walkthrough.value("u_bar").sel(cell="Cell 1", gene="A", state=1).round(4).item())
        4.6807
    """
    found = None if scenario is None else _LOCATOR.fullmatch(str(scenario))
    if found and not Path(str(scenario)).exists():
        if reading is not None:
            raise InputError(f"{scenario} was trained in its own reading; give a scenario file")
        seed = None if found["seed"] is None else int(found["seed"])
        return retrace(Path(found["run"]), int(found["epoch"]), int(found["batch"] or 0), seed)
    path = data_path("walkthrough.toml") if scenario is None else Path(scenario)
    resolved = resolve(path, reading)
    function = partial(loss, iteration=resolved.iteration)
    return Trace(resolved, record(function, resolved.parameters, interventions))


_LOCATOR = re.compile(
    r"(?P<run>.+)@(?P<epoch>[0-9]{1,9})(/(?P<batch>[0-9]{1,9})(/(?P<seed>[0-9]+))?)?"
)
"""An iteration of a training in one word, as commands take it in a scenario's place."""


def retrace(run: Path, epoch: int, batch: int = 0, seed: int | None = None) -> Trace:
    """The full record of one iteration of a training, bit for bit the one that trained.

    Args:
        run: folder of the training.
        epoch: from 0.
        batch: number of the mini-batch in its epoch, from 0.
        seed: noise seed, where several trained at once; None for the first.

    Returns:
        The trace; its updates go on from the moments that Adam had then.

    Raises:
        InputError: no such run or iteration.
        ContradictionError: a number differs from the one that trained.
    """
    from velotrace.learning.replay import replay
    from velotrace.learning.runs import open_run

    opened = open_run(run)
    made = replay(opened, epoch, batch, seed)
    before = Before(epoch, batch, made.gradient, made.memory)
    function = partial(loss, iteration=made.resolved.iteration)
    again = Trace(made.resolved, record(function, made.resolved.parameters), before)
    for name, value in made.values.items():
        if not np.array_equal(again.tape[name].value.ravel(), value.ravel()):
            raise ContradictionError(f"{name} of epoch {epoch}, batch {batch} is not what trained")
    return again
