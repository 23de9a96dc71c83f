"""The page on certificates: one difference quotient in numbers, its error against the step."""

from __future__ import annotations

import numpy as np
import pytest

import velotrace
from velotrace.certificates import certify
from velotrace.report import certificate_figures as page


@pytest.fixture(scope="module")
def made(walkthrough: velotrace.Trace) -> page.Sweep:
    return page.sweep(walkthrough, "beta", "A")


def test_no_step_breaks_the_bound(made: page.Sweep) -> None:
    assert np.all(np.abs(made.quotient - made.slope) <= made.bound)


def test_error_falls_with_the_order_of_the_formula_and_then_rises_again(made: page.Sweep) -> None:
    four, two = (np.abs(found - made.slope) for found in (made.quotient, made.plain))
    assert np.allclose(np.log2(two[:4] / two[1:5]), 2.0, atol=0.1)  # O(h²)
    assert np.allclose(np.log2(four[:4] / four[1:5]), 4.0, atol=0.2)  # O(h⁴)
    assert four[-5:].min() > 1e3 * four.min()  # round-off


def test_quotient_is_that_of_the_certificates(walkthrough: velotrace.Trace) -> None:
    report = certify(walkthrough)
    assert report.noise == page.sweep(walkthrough, "sigma_u", "A").noise
    made = page.sweep(walkthrough, "sigma_u", "A", page.STEPS[1:])
    best = np.argmin(made.bound)
    certificate = next(one for one in report.certificates if one.name == "sigma_u")
    assert abs(made.quotient[best] - made.slope) <= certificate.tape_differences.absolute


def test_formula_has_the_losses_and_both_slopes(walkthrough: velotrace.Trace) -> None:
    text = page.difference_in_numbers(walkthrough, "beta", "A")
    slope = walkthrough.adjoint("beta").sel(gene="A").item()
    assert text.count(f"{slope:.6f}") == 2
    assert r"\le" in text
    assert "nan" not in text


def test_figure_shows_two_quotients_and_their_bound(walkthrough: velotrace.Trace) -> None:
    (panel,) = page.difference_errors(walkthrough, "beta", "A").axes
    assert [line.get_label() for line in panel.lines] == [
        "two points",
        "four points, D(h)",
        "bound on D(h)",
    ]
    assert panel.get_xscale() == panel.get_yscale() == "log"
