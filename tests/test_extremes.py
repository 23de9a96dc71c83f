"""Reports of extreme numbers and long names: what differs, why nothing comes, 80 columns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import TOY, WALKTHROUGH, write_scenario
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from velotrace.attribution import explain
from velotrace.report.blocks import Table
from velotrace.report.differences import diff
from velotrace.report.fitting import WIDTH, short_names, shortened
from velotrace.report.render import text_table
from velotrace.walkthrough import Trace
from velotrace.walkthrough import trace as run

OVERFLOWING = {"initial": {"sigma_u": 1e-300}}
"""(20): at σ = 1e-300 the squared residual is no float64, and 0 × inf further on is nan."""

# ---- differences where numbers overflow -----------------------------------------------------


def test_both_overflow_alike(tmp_path: Path, command: Any) -> None:
    """inf is inf and nan is nan: an iteration does not differ from itself, or from its files."""
    path = write_scenario(tmp_path, WALKTHROUGH, OVERFLOWING)
    with np.errstate(all="ignore"):
        made = run(path)
    numbers = np.concatenate([np.ravel(entry.value) for entry in made.tape.names.values()])
    adjoints = [e.adjoint for e in made.tape.names.values() if e.adjoint is not None]
    assert np.isinf(numbers).any()
    assert np.isnan(np.concatenate([np.ravel(adjoint) for adjoint in adjoints])).any()
    with np.errstate(all="ignore"):
        assert diff(made, made).changes == ()
    folder = tmp_path / "out"
    assert command("trace", path, "-o", folder).status == 0
    compared = command("diff", path, folder, "--tolerance", "0")
    assert compared.status == 0, compared.out
    assert "One of the two has no loss" not in compared.out


@pytest.mark.parametrize("tolerance", [0.0, 1e-9])
def test_one_number_that_overflows_hides_no_other(
    tolerance: float, walkthrough: Trace, command: Any, tmp_path: Path
) -> None:
    """An array with inf in both is compared in its other numbers, relative to those."""
    folder = tmp_path / "out"
    assert command("trace", "-o", folder).status == 0
    file = folder / "trace.csv"
    plain = file.read_text(encoding="utf-8").split("\n")
    rows = [
        at for at, line in enumerate(plain) if line.startswith("forward,") and ",u_bar," in line
    ]

    def written(name: str, *changes: tuple[int, str]) -> Path:
        lines = list(plain)
        for at, value in changes:
            lines[rows[at]] = lines[rows[at]].rpartition(",")[0] + f",{value}"
        place = tmp_path / name
        place.mkdir()
        (place / "trace.csv").write_text("\n".join(lines), encoding="utf-8")
        return place

    one = written("one", (0, "inf"), (1, "nan"))
    two = written("two", (0, "inf"), (1, "nan"), (4, "5.0"))
    three = written("three", (0, "inf"), (1, "7.0"))
    assert diff(one, one, tolerance).changes == ()
    (change,) = diff(one, two, tolerance).changes
    assert (change.quantity, change.changed, change.after) == ("u_bar", 1, 5.0)
    assert 0.0 < change.relative < 1.0
    (change,) = diff(one, three, tolerance).changes
    assert (change.changed, change.after, change.relative) == (1, 7.0, math.inf)
    assert math.isnan(change.before or 0.0)


# ---- reasons --------------------------------------------------------------------------------


@pytest.mark.parametrize(("preset", "kinds"), [("joint", "us"), ("paper", "u")])
def test_an_underflowing_responsibility_is_the_reason(
    preset: str, kinds: str, tmp_path: Path
) -> None:
    """(23, 24): where a state's share of the likelihood is below 1e-324, nothing comes through it.

    The share is computed here in logs, from the recorded log densities and π; float64 ends at
    log 5e-324 = −744.4. The reason names exactly the states whose share lies below that.
    """
    trace = run(write_scenario(tmp_path, WALKTHROUGH, {"reading": {"preset": preset}}))
    log = np.log(trace.tape["pi"].value) + trace.tape["log_density_u"].value
    if preset == "joint":
        log = log + trace.tape["log_density_s"].value
    share = log - np.logaddexp.reduce(log, axis=-1, keepdims=True)
    smallest = math.log(5e-324)
    said = 0
    for n, cell in enumerate(trace.coords["cell"]):
        for g, gene in enumerate(trace.coords["gene"]):
            for k in (1, 2, 3):  # state 4 is 0 whatever anything is
                made = explain(trace, "u_bar", cell=cell, gene=gene, state=k)
                reason = f"the responsibility of state {k} at {cell}/{gene} is 0 in float64"
                found = [entry for entry in made.no_path if entry.reason == reason]
                assert bool(found) == (share[n, g, k - 1] < smallest), (cell, gene, k)
                assert not any("nothing of" in entry.reason for entry in made.no_path)
                said += len(found)
    assert said > 0


# ---- 80 columns -----------------------------------------------------------------------------

LONG = TOY.replace("Cell ", "plate-7_well-B12_AAACCTGAGAAACCAT-").replace(
    ",A,", ",ENSG00000141510.18,"
)
EXTREME = {
    "initial": {"alpha": 1.234567e-101, "beta": 7.654321e99, "gamma": 3.456789e-98},
    "constants": {"u_star": -1.234567e-100, "s_star": -9.876543e-101},
}


@pytest.mark.parametrize("numbers", [{}, EXTREME], ids=["ordinary", "extreme"])
@pytest.mark.parametrize("table", [TOY, LONG], ids=["short", "long"])
def test_reports_fit_80_columns(
    numbers: dict[str, Any], table: str, tmp_path: Path, command: Any
) -> None:
    path = write_scenario(tmp_path, numbers, csv=table)
    cell, gene = run(path).coords["cell"][0], run(path).coords["gene"][0]
    calls = [
        ["trace", path],
        ["trace", path, "--set", f"pi@{cell}/{gene}=1,0,0,0"],
        ["explain", "alpha", path, "--gene", gene],
        ["explain", "u_bar", path, "--cell", cell],
        ["check", path, "--most", "1"],
        ["step", path, "--plain", "--most", "1"],
    ]
    for call in calls:
        done = command(*call)
        assert done.err == "", done
        wide = [line for line in done.out.split("\n") if cell_len(line) > WIDTH]
        assert wide == [], call


def test_numbers_are_dealt_out_not_dropped() -> None:
    """A table that is too wide becomes several, with all labels and every number once."""
    heads = ["gene", *(f"n{at}" for at in range(7))]
    rows = [[f"gene {g}", *(f"{g}.{at}234567890123" for at in range(7))] for g in range(3)]
    parts = text_table(Table("", heads, rows)).split("\n\n")
    assert len(parts) > 1
    assert all(len(line) <= WIDTH for part in parts for line in part.split("\n"))
    numbers = [word for part in parts for line in part.split("\n")[2:] for word in line.split()[2:]]
    assert sorted(numbers) == sorted(number for row in rows for number in row[1:])
    assert [part.split()[0] for part in parts] == ["gene"] * len(parts)


def test_shortened() -> None:
    for width in range(1, 30):
        for length in range(40):
            text = shortened("x" * length, width)
            assert len(text) == min(length, width)
            assert ("…" in text) == (length > width)


@given(st.lists(st.text("ab1-", max_size=40), max_size=12), st.integers(10, 30))
def test_short_names_stay_apart(names: list[str], width: int) -> None:
    short = short_names(names, width)
    assert list(short) == list(dict.fromkeys(names))
    assert len(set(short.values())) == len(short)
    assert all(len(made) <= width for made in short.values())
    assert all(
        made == name for name, made in short.items() if len(name) <= width and "…" not in name
    )
