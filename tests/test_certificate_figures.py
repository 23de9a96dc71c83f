"""The page on certificates: one difference quotient in numbers, its error against the step."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import velotrace
from velotrace.certificates import certify
from velotrace.certificates.differences import STEPS, differentiate, round_off_of
from velotrace.certificates.sweep import Sweep, sweep
from velotrace.model.objective import loss
from velotrace.report import certificate_figures as page


@pytest.fixture(scope="module")
def made(walkthrough: velotrace.Trace) -> Sweep:
    return sweep(walkthrough, "beta", "A")


def test_no_step_breaks_the_bound(made: Sweep) -> None:
    assert np.all(np.abs(made.quotient - made.slope) <= made.bound)


def test_error_falls_with_the_order_of_the_formula_and_then_rises_again(made: Sweep) -> None:
    four, two = (np.abs(found - made.slope) for found in (made.quotient, made.plain))
    assert np.allclose(np.log2(two[:4] / two[1:5]), 2.0, atol=0.1)  # O(h²)
    assert np.allclose(np.log2(four[:4] / four[1:5]), 4.0, atol=0.2)  # O(h⁴)
    assert four[-5:].min() > 1e3 * four.min()  # round-off


@pytest.mark.parametrize("name", ["alpha", "sigma_u"])
def test_quotient_is_that_of_the_certificates(walkthrough: velotrace.Trace, name: str) -> None:
    """The same runs stacked otherwise: round-off r may differ, 2 r in D(h), 2 r/4 in D(4h)."""
    made = sweep(walkthrough, name, "B", STEPS[1:])
    assert made.noise == certify(walkthrough).noise
    resolved, place = walkthrough.resolved, np.array([1])
    function = partial(loss, iteration=resolved.iteration)
    value = walkthrough.tape[name].value
    best = differentiate(function, resolved.parameters, name, value, made.noise, place)
    at = np.argmin(made.bound)
    assert made.steps[at] == best.step[0]
    assert made.quotient[at] == pytest.approx(best.quotient[0], rel=1e-9)
    apart = 2.5 * round_off_of(made.noise, made.steps[at])
    assert made.bound[at] == pytest.approx(best.bound[0], abs=apart)
    assert made.quotient[at] != made.slope


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
