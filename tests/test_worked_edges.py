"""Local derivatives as display formulas: their numbers are those of the trace."""

from __future__ import annotations

import pytest

import velotrace
from velotrace.report.worked_edges import edge_row, in_numbers, worked_edge


def test_rows_sum_to_the_adjoint(walkthrough: velotrace.Trace) -> None:
    ways = (("time_induction", "u_bar"), ("time_induction", "s_bar"))
    sent = sum(edge_row(walkthrough, *way, "Cell 1", "A").product for way in ways)
    whole = walkthrough.adjoint("time_induction").sel(cell="Cell 1", gene="A").item()
    assert sent == pytest.approx(whole, rel=1e-12)


def test_labels_choose_the_component(walkthrough: velotrace.Trace) -> None:
    row = edge_row(walkthrough, "log_var_z", "z", "Cell 3", "A", latent=4)
    assert dict(row.of_at) == {"cell": "Cell 3", "latent": 4}
    upstream = walkthrough.adjoint("z").sel(cell="Cell 3", latent=4).item()
    assert row.upstream == upstream


def test_a_slope_of_one_is_written_once(walkthrough: velotrace.Trace) -> None:
    text = worked_edge(walkthrough, "mu_z", "z", latent=1)
    assert text.count("&= 1 ") == 1


@pytest.mark.parametrize(
    ("of", "to"), [("time_repression", "u_bar"), ("encoder_z.0.W", "encoder_z.0.h")]
)
def test_nothing_flows_or_it_is_a_network(of: str, to: str, walkthrough: velotrace.Trace) -> None:
    with pytest.raises(ValueError, match="nothing with a formula"):
        worked_edge(walkthrough, of, to)


def test_every_name_needs_a_number() -> None:
    with pytest.raises(KeyError):
        in_numbers("x &= <x>", y=1.0)


def test_a_minus_sign_stands_bare_after_an_equals_sign_only() -> None:
    assert "x &= -2 - \\left(-2\\right)" in in_numbers("x &= <x> - <x>", x=-2.0)
