"""What a training leaves behind: every number of interest of every epoch, as one data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from velotrace.errors import InputError
from velotrace.learning.training import Plan, State, Step
from velotrace.model.holding import held_names, natural_values
from velotrace.model.readings import in_force
from velotrace.quantities import PARAMETERS, VOCABULARY

if TYPE_CHECKING:
    import xarray

LOSS_TERMS = ("loss", "reconstruction", "kl_z", "kl_pi", "switch_penalty")
"""Of each mini-batch; the divergences and the penalty summed over it, before their weights."""

MOST_BYTES = 2_000_000_000
"""Of a history; above, the values of cells must be left out."""

BY_CELL = ("concentration", "pi", "time_induction", "time_repression", "velocity")
"""Kept for each cell and gene as its mini-batch of the epoch computed them."""

DRAWN = "drawn_state"
"""The name of k in a history, where `state` labels a dimension."""


@dataclass(frozen=True)
class Field:
    """One array of the history.

    Attributes:
        dims: after the epoch.
        about: one sentence.
        unit: of measure.
    """

    dims: tuple[str, ...]
    about: str
    unit: str


def fields(plan: Plan, by_cell: bool = True) -> dict[str, Field]:
    """What is kept of every epoch.

    Args:
        plan: of the training.
        by_cell: whether the values of cells are among it.

    Returns:
        Fields by name.
    """
    found = {
        name: Field(("batch", "seed"), VOCABULARY[name].sentence, VOCABULARY[name].unit)
        for name in LOSS_TERMS
    }
    norm = "Norm of the gradient of a mini-batch, before clipping"
    found["gradient_norm"] = Field(("batch", "seed"), f"{norm}.", "1")
    found["gradient_norm_of"] = Field(
        ("batch", "seed", "parameter"), f"{norm}: of one parameter's or network's part.", "1"
    )
    found["kl_weight"] = Field((), "Weight of KL_z in this epoch.", "1")
    found["switch_weight"] = Field((), "Weight of the switch penalty in this epoch.", "1")
    for name in PARAMETERS:
        about = f"{VOCABULARY[name].sentence[:-1]}, after the epoch."
        found[name] = Field(("seed", "gene"), about, VOCABULARY[name].unit)
    if by_cell:
        for name in BY_CELL:
            found[name] = _of_cells(name, VOCABULARY[name].sentence)
        if plan.reading.draws_state:
            found[DRAWN] = _of_cells("state", VOCABULARY["state"].sentence)
        for name in _responsibilities(plan):
            about = "Share of the likelihood that each state answers for."
            found[name] = Field(("seed", "cell", "gene", "state"), about, "1")
    return found


def _of_cells(name: str, about: str) -> Field:
    return Field(("seed", *VOCABULARY[name].dims), about, VOCABULARY[name].unit)


def _responsibilities(plan: Plan) -> dict[str, str]:
    """Names of the responsibilities, with the log density whose adjoint holds them."""
    if plan.reading.draws_state:
        return {}
    if plan.reading.likelihood == "joint-mixture":
        return {"responsibility": "log_density_u"}
    return {"responsibility_u": "log_density_u", "responsibility_s": "log_density_s"}


@dataclass(frozen=True)
class History:
    """Arrays with room for every epoch, filled one step at a time.

    Attributes:
        plan: of the training.
        coords: labels of seed, cell, gene, state, parameter and batch.
        fields: what is kept.
        arrays: by name, the epoch first; NaN where nothing has been put yet. Cells stand in the
            order in which the epoch came to them.
        order: that order, shape (epoch, run, cell); of no epoch where values of cells are not kept.
        held: θ as it was held after each epoch, shape (epoch, run, parameter); its natural values
            are worked out when they are asked for, of all epochs at once. NaN likewise.
    """

    plan: Plan
    coords: dict[str, list[Any]]
    fields: dict[str, Field]
    arrays: dict[str, np.ndarray]
    order: np.ndarray
    held: np.ndarray

    @classmethod
    def empty(
        cls, plan: Plan, cells: tuple[str, ...], genes: tuple[str, ...], epochs: int, by_cell: bool
    ) -> History:
        """A history with room for a number of epochs.

        Raises:
            InputError: it would not fit into 2 GB.
        """
        coords: dict[str, list[Any]] = {
            "batch": list(range(plan.batches)),
            "seed": list(plan.seeds),
            "parameter": list(plan.groups),
            "cell": list(cells),
            "gene": list(genes),
            "state": [1, 2, 3, 4],
        }
        kept = fields(plan, by_cell)
        shapes = {
            name: (epochs, *(len(coords[dim]) for dim in field.dims))
            for name, field in kept.items()
        }
        in_order = (epochs if by_cell else 0, len(plan.seeds), len(cells))
        size = 8 * sum(int(np.prod(shape)) for shape in (*shapes.values(), in_order))
        if size > MOST_BYTES:
            least = "" if not by_cell else "; leave out the values of cells: --history theta"
            raise InputError(
                f"the history of {epochs} epochs would take {size / 1e9:.1f} GB, more than "
                f"{MOST_BYTES / 1e9:.0f} GB{least}"
            )
        arrays = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
        order = np.empty(in_order, dtype=np.intp)
        order[:] = np.arange(len(cells))
        held = np.full((epochs, len(plan.seeds), len(plan.domain[0])), np.nan)
        return cls(plan, coords, kept, arrays, order, held)

    def put_step(self, epoch: int, batch: int, state: State, step: Step) -> None:
        """Keep what a step computed; runs that have stopped leave NaN.

        Args:
            epoch: from 0.
            batch: its number in the epoch.
            state: before the step.
            step: what it computed.
        """
        arrays, runs = self.arrays, len(step.cells)
        going = state.going if state.left else slice(None)
        for name in LOSS_TERMS:
            value = step.values[name]
            if value.ndim > 1:
                value = np.add.reduce(value.reshape(runs, -1), axis=1)
            arrays[name][epoch, batch, going] = value[going]
        squares = np.add.reduceat(step.gradient**2, self.plan.group_starts, axis=1)[going]
        arrays["gradient_norm_of"][epoch, batch, going] = np.sqrt(squares)
        arrays["gradient_norm"][epoch, batch, going] = np.sqrt(np.add.reduce(squares, axis=1))
        if "pi" in arrays:
            self._put_cells(epoch, batch, step, going)

    def _put_cells(self, epoch: int, batch: int, step: Step, going: np.ndarray | slice) -> None:
        start = batch * self.plan.batch_size
        place = slice(start, start + step.cells.shape[1])
        # also of runs that have stopped, so that every row stays an order of all cells
        self.order[epoch, :, place] = step.cells
        where = (epoch, going, place)
        for name in BY_CELL:
            self.arrays[name][where] = step.values[name][going]
        if DRAWN in self.arrays:
            self.arrays[DRAWN][where] = step.values["state"][going]
        if "reconstruction" in self.plan.dropped:
            return  # nobody answers for a likelihood that does not count
        whole = step.adjoints["log_likelihood"][going, ..., None]
        for name, source in _responsibilities(self.plan).items():
            self.arrays[name][where] = step.adjoints[source][going] / whole

    def put_epoch(self, epoch: int, state: State) -> None:
        """Keep θ as it stands after an epoch, and the weights that were in force."""
        now = in_force(self.plan.reading, epoch)
        self.arrays["kl_weight"][epoch] = now.kl_weight
        self.arrays["switch_weight"][epoch] = now.switch_weight
        self.held[epoch] = state.rows[:, : self.held.shape[-1]]
        if state.left:
            self.held[epoch, ~state.going] = np.nan

    def dataset(self, state: State) -> xarray.Dataset:
        """The epochs that are done, with labels, units and sentences.

        Beside the fields: θ before the first epoch (`alpha_start` …), and `left_step`, the step in
        which a run left its domain, −1 for those that did not.
        """
        import xarray

        epochs, plan = state.epoch, self.plan
        variables: dict[str, Any] = {}
        for name, value in _natural(plan, self.held[:epochs]).items():
            known = ~np.isnan(value)  # the epochs of a history that was loaded are there already
            np.copyto(self.arrays[name][:epochs], value, where=known)
        for name, field in self.fields.items():
            about = {"long_name": field.about, "units": field.unit}
            variables[name] = (("epoch", *field.dims), self._as_in_data(name, epochs), about)
        start = theta_of(plan, State(0, plan.start, state.memory))
        for name in PARAMETERS:
            about = {"long_name": f"{VOCABULARY[name].sentence[:-1]}, before the first epoch."}
            variables[f"{name}_start"] = (("seed", "gene"), start[name], about)
        left_step = np.full(len(plan.seeds), -1, dtype=np.int32)
        for left in state.left:
            left_step[left.run] = left.step
        about = {"long_name": "Step in which a run left its domain and stopped; -1 for none."}
        variables["left_step"] = (("seed",), left_step, about)
        used = {dim for dims, *_ in variables.values() for dim in dims}
        coords = {dim: labels for dim, labels in self.coords.items() if dim in used}
        return xarray.Dataset(variables, {"epoch": np.arange(epochs), **coords})

    def _as_in_data(self, name: str, epochs: int) -> np.ndarray:
        """The first epochs of an array, its cells in the order of the data."""
        array = self.arrays[name][:epochs]
        if "cell" not in self.fields[name].dims:
            return array
        in_data, order = np.full_like(array, np.nan), self.order[:epochs]
        order = order.reshape(*order.shape, *(1 for _ in array.shape[3:]))
        np.put_along_axis(in_data, order, array, axis=2)
        return in_data

    def load(self, dataset: xarray.Dataset, epochs: int) -> None:
        """Take over the first epochs of an earlier history."""
        for name, array in self.arrays.items():
            array[:epochs] = dataset[name].to_numpy()[:epochs]


def theta_of(plan: Plan, state: State) -> dict[str, np.ndarray]:
    """θ in natural values, shape (run, gene) each."""
    return _natural(plan, state.rows)


def _natural(plan: Plan, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The same from the start of any rows, parameters on the last axis."""
    held = {name: rows[..., plan.layout.places[name]] for name in held_names(plan.reading)}
    natural = natural_values(held, plan.reading, plan.constants.t_max)
    return {name: natural[name] for name in PARAMETERS}
