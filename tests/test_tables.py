"""The long table of every number, and the tables of single quantities (design.md)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from velotrace.quantities import VOCABULARY
from velotrace.report.tables import long_table, quantity_table
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

COLUMNS = ["phase", "step", "quantity", "cell", "gene", "state", "latent", "unit", "value"]
"""design.md: "long tables are pandas data frames with one row per number"."""


@pytest.fixture(scope="module")
def table(walkthrough: Trace) -> pd.DataFrame:
    return long_table(walkthrough)


def values(table: pd.DataFrame, phase: str, quantity: str) -> np.ndarray:
    rows = table[(table["phase"] == phase) & (table["quantity"] == quantity)]
    return rows["value"].to_numpy()


def test_columns(table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    assert set(table["phase"]) == {"forward", "backward", "update"}
    assert table["value"].notna().all()
    keys = [column for column in COLUMNS if column != "value"]
    assert not table.duplicated(keys).any()


def test_every_number_forward_and_backward(walkthrough: Trace, table: pd.DataFrame) -> None:
    """Of the vocabulary: all components in order, labelled; without a path, no row backward."""
    for name in walkthrough.quantities:
        entry = walkthrough.tape[name]
        np.testing.assert_array_equal(values(table, "forward", name), entry.value.ravel())
        adjoint = [] if entry.adjoint is None else entry.adjoint.ravel()
        np.testing.assert_array_equal(values(table, "backward", name), adjoint)
        rows = table[(table["phase"] == "forward") & (table["quantity"] == name)]
        dims = VOCABULARY[name].dims
        for dim in ("cell", "gene", "state", "latent"):
            if dim in dims:
                assert rows[dim].unique().tolist() == walkthrough.coords[dim]
            else:
                assert rows[dim].isna().all()
    one = table.query("quantity == 'u_bar' and phase == 'forward' and cell == 'Cell 3'")
    one = one[(one["gene"] == "B") & (one["state"] == 3)]
    assert one["value"].item() == walkthrough.value("u_bar").sel(cell="Cell 3", gene="B", state=3)
    assert one["unit"].item() == "abundance"


def test_every_weight_and_every_update(walkthrough: Trace, table: pd.DataFrame) -> None:
    """issue 2.6: "with m, v, their corrected forms and the change of every parameter recorded"."""
    held = {phase: dict(zip(*rows, strict=True)) for phase, rows in _by_phase(table).items()}
    for name, value in leaves(walkthrough.resolved.parameters):
        places = [f"[{','.join(map(str, at))}]" for at in np.ndindex(value.shape)]
        if "." in name:
            forward = [held["forward"][name + place] for place in places]
            np.testing.assert_array_equal(forward, value.ravel())
            for which, parts in walkthrough.updates.items():
                for part, array in parts[name].items():
                    found = [held["update"][f"{name}{place}.{which}.{part}"] for place in places]
                    np.testing.assert_array_equal(found, array.ravel())
        else:
            np.testing.assert_array_equal(values(table, "forward", name), value)
            for which, parts in walkthrough.updates.items():
                for part, array in parts[name].items():
                    found = values(table, "update", f"{name}.{which}.{part}")
                    np.testing.assert_array_equal(found, array)
    update = table[table["phase"] == "update"]
    assert {q.split(".", 1)[1] for q in update["quantity"] if q.startswith("alpha.")} == {
        *("sgd.change", "sgd.updated", "adam.change", "adam.updated"),
        *("adam.first_moment", "adam.first_moment_corrected"),
        *("adam.second_moment", "adam.second_moment_corrected"),
    }


def _by_phase(table: pd.DataFrame) -> dict[str, list[list]]:
    return {
        phase: [rows["quantity"].tolist(), rows["value"].tolist()]
        for phase, rows in table.groupby("phase")
    }


def test_steps_are_ordinals(walkthrough: Trace, table: pd.DataFrame) -> None:
    """Within a phase the rows stand in the order of computation."""
    for phase in ("forward", "backward", "update"):
        assert table[table["phase"] == phase]["step"].is_monotonic_increasing
    first = table[table["phase"] == "backward"].iloc[0]
    assert (first["quantity"], first["step"], first["value"]) == ("loss", 0, 1.0)


def test_units(walkthrough: Trace, table: pd.DataFrame) -> None:
    """An adjoint is nat per the value's unit; v is its square; a change has the value's own."""
    units = table.drop_duplicates(["phase", "quantity"]).set_index(["phase", "quantity"])["unit"]
    assert units["forward", "beta"] == "1/time"
    assert units["backward", "beta"] == "nat/(1/time)"
    assert units["backward", "loss"] == "1"
    assert units["update", "beta.adam.change"] == units["update", "beta.sgd.updated"] == "1/time"
    assert units["update", "beta.adam.first_moment"] == "nat/(1/time)"
    assert units["update", "beta.adam.second_moment_corrected"] == "(nat/(1/time))²"
    assert units["backward", "encoder_z.0.W[0,0]"] == "nat"


def test_quantity_tables(walkthrough: Trace) -> None:
    """One row per component, its dimensions first; states are whole numbers."""
    state = quantity_table(walkthrough, "state")
    assert list(state.columns) == ["cell", "gene", "unit", "value", "adjoint"]
    assert state["value"].tolist() == [1, 3, 1, 1, 2, 4]
    assert state["value"].dtype.kind == "i"
    assert state["adjoint"].tolist() == ["no path"] * 6
    weights = quantity_table(walkthrough, "decoder_ind.1.W")
    assert list(weights.columns) == ["input", "output", "unit", "value", "adjoint"]
    assert len(weights) == 16 * 3
    bias = quantity_table(walkthrough, "decoder_ind.1.b")
    assert list(bias.columns) == ["output", "unit", "value", "adjoint"]
    loss = quantity_table(walkthrough, "loss")
    assert loss["value"].item() == walkthrough.loss
    assert loss["adjoint"].item() == 1.0
