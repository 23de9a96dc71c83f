"""What the book's pages share: pure functions from a trace to text."""

from __future__ import annotations

import numpy as np
import pytest

import velotrace
from velotrace.certificates import certify
from velotrace.quantities import VOCABULARY
from velotrace.report import book


@pytest.fixture(scope="module")
def trace(walkthrough: velotrace.Trace) -> velotrace.Trace:
    return walkthrough


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (4.680703806, 6, "4.6807"),
        (-885.9729, 6, "−885.973"),
        (0.0, 6, "0"),
        (-0.0, 6, "0"),
        (382009.0, 2, "380000"),
        (6.93564e10, 6, "6.93564\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10¹⁰"),
        (5e-324, 3, "4.94\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10⁻³²⁴"),
        (None, 6, "no path"),
        ("as it is", 6, "as it is"),
    ],
)
def test_a_number_is_typeset(value: object, digits: int, text: str) -> None:
    assert book.shown(value, digits) == text


def test_one_value_and_its_adjoint_by_labels(trace: velotrace.Trace) -> None:
    found = book.at(trace, "u_bar", "Cell 1", "A", 1)
    assert found == trace.value("u_bar").sel(cell="Cell 1", gene="A", state=1).item()
    adjoint = trace.adjoint("u_bar")
    assert adjoint is not None
    pulled = book.pull(trace, "u_bar", "Cell 1", "A", 1)
    assert pulled == adjoint.sel(cell="Cell 1", gene="A", state=1).item()
    assert book.pull(trace, "pi", "Cell 1", "A", 1) is None


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_a_value_table_has_symbols_units_and_the_labels_asked_for(trace: velotrace.Trace) -> None:
    head, rule, *body = rows(book.value_table(trace, "time_induction", cell="Cell 1"))
    assert head == ["cell", "gene", "$t^{(1)}$<br>time"]
    assert rule == ["---", "---", "--:"]
    assert [row[1] for row in body] == trace.coords["gene"]
    assert body[0] == ["Cell\N{NO-BREAK SPACE}1", "A", "8"]


def test_an_adjoint_table_says_no_path(trace: velotrace.Trace) -> None:
    head, _, *body = rows(book.adjoint_table(trace, "pi"))
    assert head[:3] == ["cell", "gene", r"$\partial L/\partial \pi^*$<br>$k=1$"]
    assert set(body[0][2:]) == {"no path"}


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_step_table_says_what_leaves_the_domain(trace: velotrace.Trace, optimiser: str) -> None:
    left = sum(len(genes) for genes in trace.left_domain(optimiser).values())
    body = rows(book.step_table(trace, optimiser))[2:]
    assert len(body) == 6 * len(trace.coords["gene"])
    assert sum(row[2] == "**outside**" for row in body) == left


def test_what_is_not_there_is_said(trace: velotrace.Trace) -> None:
    with pytest.raises(ValueError, match="nonsense is no value of the forward pass"):
        book.worked(trace, "nonsense")
    with pytest.raises(ValueError, match="no page 'nonsense'"):
        book.where("nonsense")


def test_every_table_has_as_many_cells_in_each_row(trace: velotrace.Trace) -> None:
    made = [*book.certificate_tables(certify(trace, most=1)), book.step_table(trace, "sgd")]
    made += [book.notation_table(), book.notation_table(("term",), short=True)]
    for text in made:
        assert len({len(row) for row in rows(text)}) == 1, text.splitlines()[0]


def test_notation_and_index_have_every_named_value(trace: velotrace.Trace) -> None:
    notation, index = book.notation_table(), book.index_of_values(trace)
    for name, quantity in VOCABULARY.items():
        assert f"`{name}`" in notation
        assert f"\n{name}\n" in index
        assert quantity.sentence in index


def test_the_other_reading_changes_what_was_asked_for_and_no_draw(trace: velotrace.Trace) -> None:
    """model.md 4.2: repression starting at the switch makes the penalty of u 20.4578."""
    other = velotrace.trace(reading={"repression_start": "switch-time"})
    assert book.at(trace, "switch_penalty_u", "A") == pytest.approx(58.5225, abs=5e-5)
    assert book.at(other, "u_switch", "A") == pytest.approx(5.3730, abs=5e-5)
    assert book.at(other, "switch_penalty_u", "A") == pytest.approx(20.4578, abs=5e-5)
    np.testing.assert_array_equal(other.tape["pi"].value, trace.tape["pi"].value)


def test_dirichlet_divergences_beside_the_documents() -> None:
    """model.md 4.1: the document's doc (2) is negative where no divergence is."""
    cases = {"ones": [1, 1, 1, 1], "pinned": [0.7, 0.1, 0.1, 0.1], "prior": [0.25] * 4}
    found = {label: (right, wrong) for label, right, wrong in book.dirichlet_rows(cases, 0.25)}
    assert found["ones"] == pytest.approx((1.4438, -12.4438), abs=5e-5)
    assert found["pinned"] == pytest.approx((2.2748, 6.0086), abs=5e-5)
    assert found["prior"] == (0.0, 0.0)
