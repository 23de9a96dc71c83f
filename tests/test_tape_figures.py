"""Tables and pictures of a small tape: every number on them is the tape's."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import matplotlib as mpl
import pytest

from velotrace.report import tape_figures
from velotrace.tape import Tape, named, no_gradient, record

mpl.use("Agg")


def example(p: Any) -> Any:
    product = named(p["x"] * p["y"], "product")
    return named(product + named(np.sin(p["x"]), "sine"), "f")


@no_gradient
def draw(weight: Any) -> Any:
    return np.floor(weight)


def branches(p: Any) -> Any:
    state = named(draw(p["x"]), "state")
    named(p["x"] ** 2, "unused")
    return named(np.where(state > 1.0, p["x"] * 4.0, p["y"] * state), "result")


@pytest.fixture
def tape() -> Tape:
    return record(example, {"x": 2.0, "y": 3.0})


def rows(table: str) -> list[list[str]]:
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return [[cell.strip("`") for cell in line] for line in lines[2:]]


def test_every_entry_has_a_row(tape: Tape) -> None:
    found = rows(tape_figures.entries_table(tape))
    assert [row[0] for row in found] == ["0", "1", "2", "3", "4"]
    assert [row[1] for row in found] == ["4", "3", "2", "1", "0"]
    assert [row[2] for row in found] == ["x", "y", "product", "sine", "f"]
    assert found[2][3:] == ["multiply", "x`, `y", "6", "1"]
    assert found[0][-1] == f"{3.0 + np.cos(2.0):.6g}"


def test_upstream_times_local_is_the_contribution(tape: Tape) -> None:
    """Equation eq-tape-contribution, edge by edge."""
    found = rows(tape_figures.edges_table(tape))
    assert [row[:2] for row in found] == [
        ["f", "product"],
        ["f", "sine"],
        ["sine", "x"],
        ["product", "x"],
        ["product", "y"],
    ]
    numbers = [[float(cell.replace("−", "-")) for cell in row[2:]] for row in found]
    for upstream, local, contribution in numbers:
        assert upstream * local == pytest.approx(contribution, rel=1e-5)
    locals_ = [local for _, local, _ in numbers]
    assert locals_ == pytest.approx([1.0, 1.0, np.cos(2.0), 3.0, 2.0], rel=1e-5)


def test_two_edges_from_one_input_are_told_apart() -> None:
    tape = record(lambda p: named(p["x"] * p["x"] * 2.0, "y"), {"x": 3.0})
    product = tape.entries[1]
    assert [tape_figures.local_derivative(tape, product, edge) for edge in product.inputs] == [3, 3]
    (constant,) = [edge for edge in tape["y"].inputs if edge.source is None]
    with pytest.raises(ValueError, match="no single local derivative"):
        tape_figures.local_derivative(tape, tape["y"], constant)


def test_an_array_has_no_single_local_derivative() -> None:
    tape = record(lambda p: np.sum(named(p["x"] * 2.0, "y")), {"x": np.ones(2)})
    with pytest.raises(ValueError, match="no single local derivative"):
        tape_figures.local_derivative(tape, tape["y"], tape["y"].inputs[0])
    assert "(2, 2)" in tape_figures.entries_table(tape)


def test_no_path_is_no_zero() -> None:
    found = {
        r[2]: r[-1]
        for r in rows(tape_figures.entries_table(record(branches, {"x": 2.5, "y": 1.0})))
    }
    assert found["state"] == found["unused"] == "no path"
    assert (found["x"], found["y"]) == ("4", "0")


def test_numbers_kept_counts_every_array() -> None:
    tape = record(lambda p: np.sum(p["x"] * p["a"]), {"x": np.ones((2, 3)), "a": np.ones(3)})
    # values: x 6, a 3, product 6, sum 1; contributions: to x 6, to a 3 (summed), to the product 6
    assert tape_figures.numbers_kept(tape) == {"values": 16, "adjoints": 16, "contributions": 15}


def test_the_layout_puts_each_entry_below_its_inputs(tape: Tape) -> None:
    places = tape_figures.layout(tape)
    for entry in tape.entries:
        for edge in entry.inputs:
            if edge.source is not None:
                assert places[edge.source][1] < places[entry.forward][1]
    assert len(set(places.values())) == len(tape.entries)


@pytest.mark.parametrize("function", [example, branches])
def test_the_picture_shows_values_adjoints_and_contributions(function: Any) -> None:
    tape = record(function, {"x": 2.5, "y": 1.0})
    texts = [text.get_text() for text in tape_figures.graph(tape).axes[0].texts]
    carrying = [e for entry in tape.entries for e in entry.inputs if e.contribution is not None]
    assert sum(text.startswith("↑ ") for text in texts) == len(carrying)
    assert sum(text.startswith("value ") for text in texts) == len(tape.entries)
    without = sum(entry.adjoint is None for entry in tape.entries)
    assert texts.count("no path") == without == (0 if function is example else 2)
    assert len(tape.entries) - without == sum(text.startswith("adjoint ") for text in texts)


def test_a_name_is_text_in_the_picture_and_no_formula() -> None:
    tape = record(lambda p: named(p["x"] * 2.0, "$\\frac$"), {"x": 1.0})
    tape_figures.graph(tape).canvas.draw()
