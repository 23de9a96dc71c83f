"""The pictures on the pages of errors show what those pages say."""

from __future__ import annotations

import numpy as np
import pytest

import velotrace
from velotrace.report import error_figures as pages
from velotrace.studies.divergences import integrated_kl

PRIOR = 0.25


def test_only_the_printed_divergence_falls_below_zero() -> None:
    (panel,) = pages.dirichlet_ray(PRIOR).axes
    right, printed = (line.get_ydata() for line in panel.lines[:2])
    assert right.min() >= 0.0
    assert printed.min() < 0.0
    at = panel.lines[0].get_xdata()
    nearest = np.argmin(np.abs(at - PRIOR))
    assert np.argmin(right) == nearest
    assert right[20] == pytest.approx(integrated_kl(np.full(4, at[20]), np.full(4, PRIOR)))


def test_settling_takes_longer_than_the_switch(walkthrough: velotrace.Trace) -> None:
    beta = walkthrough.value("beta").sel(gene="A").item()
    shares = pages.share_of_steady_state(walkthrough, "A", np.array([0.0, 10.0, 1e4]))
    assert np.allclose(shares["u"], [0.0, -np.expm1(-beta * 10.0), 1.0])
    assert shares["s"][1] < shares["u"][1] < 0.7


def test_prior_decides_and_the_uniform_does_not() -> None:
    prior, flat = pages.largest_drawn(PRIOR), pages.largest_drawn(1.0)
    assert prior.mean() > 0.7
    assert flat.mean() == pytest.approx(25.0 / 48.0, abs=0.005)  # of four uniform shares


def test_printed_steps_follow_the_gradient_and_adam_does_not(walkthrough: velotrace.Trace) -> None:
    made = pages.first_steps(walkthrough)
    rate = walkthrough.resolved.optimiser.learning_rate
    assert np.allclose(made["sgd"], rate * made["gradient"])
    assert np.allclose(made["adam"], rate)


@pytest.mark.parametrize("name", ["towards_steady_state", "steps_by_gradient"])
def test_figures_of_the_walkthrough_name_what_they_draw(
    name: str, walkthrough: velotrace.Trace
) -> None:
    more = ("A",) if name == "towards_steady_state" else ()
    (panel,) = getattr(pages, name)(walkthrough, *more).axes
    assert len(panel.get_legend().get_texts()) == 3


def test_figures_of_the_prior_name_what_they_draw() -> None:
    for draw, names in ((pages.dirichlet_ray, 3), (pages.largest_probability, 2)):
        (panel,) = draw(PRIOR).axes
        assert len(panel.get_legend().get_texts()) == names
