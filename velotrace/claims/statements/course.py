"""Claims of section 4 on rates, switch times and noise, over many seeds in every reading.

A run that stopped because a parameter left its domain has NaN from there on. NaN compares as
false, so such a run counts as one in which nothing that the document promises has happened.
"""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import (
    above,
    likely,
    noted,
    undecided,
    will,
)
from velotrace.claims.context import Context, each, once, trained
from velotrace.claims.ensembles import Ensemble
from velotrace.claims.looking import KINETICS, NOISE, median, scatter, values
from velotrace.claims.records import Check, Evidence, claim
from velotrace.counterfactuals import rerun
from velotrace.tape import Replace
from velotrace.walkthrough import Trace

STEADY = 0.05
"""Converged: moves by less than this share of itself over the last tenth of the epochs."""


NOISE_OF_CELLS = 2.0
"""Accurate: the root mean squared misfit is below so many times the scatter of like cells."""


def stacked(ensemble: Ensemble, names: tuple[str, ...]) -> np.ndarray:
    """Parameters over training, shape (parameter, seed, epoch, gene)."""
    return np.stack([ensemble.theta[name] for name in names])


def steady(ensemble: Ensemble, names: tuple[str, ...]) -> np.ndarray:
    """For each seed, whether all these have stopped moving by the end."""
    late = stacked(ensemble, names)[:, :, -max(2, ensemble.epochs // 10) :]
    moved = (late.max(axis=2) - late.min(axis=2)) / np.abs(late.mean(axis=2))
    return np.asarray((moved < STEADY).all(axis=(0, 2)))


def moved_by(ensemble: Ensemble, names: tuple[str, ...]) -> np.ndarray:
    """Change from start to end relative to the start, shape (parameter, seed, gene)."""
    course = stacked(ensemble, names)
    return np.abs(course[:, :, -1] / course[:, :, 0] - 1.0)


@claim("one-step-small", "4", 96, page="evolution.md", says="One iteration is a small step.")
def one_step_small(context: Context) -> Evidence:
    """Asks of every run whether its first epoch makes less than a tenth of all changes of θ."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        course = stacked(ensemble, (*KINETICS, *NOISE))
        moves = np.abs(np.diff(course, axis=2) / course[:, :, :1]).sum(axis=(0, 3))
        return (will("runs", "runs in which it is", moves[:, 0] < 0.1 * moves.sum(axis=1)),)

    return trained(context, look)


@claim(
    "hundreds-of-epochs",
    "4",
    96,
    page="evolution.md",
    says="Training takes hundreds to thousands of epochs.",
)
def hundreds_of_epochs(context: Context) -> Evidence:
    """Finds in every run the epoch by which all of θ have done nine tenths of their way."""
    low, high = context.document.epochs

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        course = stacked(ensemble, (*KINETICS, *NOISE))
        end, way = course[:, :, -1:], np.abs(course[:, :, :1] - course[:, :, -1:])
        arrived = np.argmax(np.abs(course - end) <= 0.1 * way, axis=2).max(axis=(0, 2))
        last = np.where(ensemble.stayed, arrived, np.nan)
        return (
            will("runs", "runs in which it does", (last >= low) & (last <= high)),
            noted("epochs", "epochs, median", median(last)),
        )

    return trained(context, look)


@claim("all-adapt", "4", 96, 99, page="evolution.md", says="All parameters will adapt.")
def all_adapt(context: Context) -> Evidence:
    """Asks of every run whether each parameter of each gene moves by more than 1 %."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        course = stacked(ensemble, (*KINETICS, *NOISE))
        moved = np.abs(course / course[:, :, :1] - 1.0).max(axis=2)
        return (will("runs", "runs in which all do", (moved > 0.01).all(axis=(0, 2))),)

    return trained(context, look)


@claim(
    "rates-converge",
    "4",
    97,
    page="evolution.md",
    says="Rates and switch times will converge.",
    right="The share of the runs in which they do is {runs}.",
)
def rates_converge(context: Context) -> Evidence:
    """Asks of every run whether each stays within 5 % over the last tenth of the epochs."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        return (will("runs", "runs in which all do", steady(ensemble, KINETICS)),)

    return trained(context, look)


@claim(
    "rates-by-gene",
    "4",
    97,
    page="evolution.md",
    says="Rates and switch times will end at values of each gene's own.",
    right="The share of the runs in which all do is {runs}.",
)
def rates_by_gene(context: Context) -> Evidence:
    """Asks of every run whether β, γ and the switch time, equal at first, differ between genes."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        ends = stacked(ensemble, KINETICS[1:])[:, :, -1]
        apart = (ends.max(axis=-1) - ends.min(axis=-1)) / np.abs(ends.mean(axis=-1))
        return (will("runs", "runs in which all do", (apart > STEADY).all(axis=0)),)

    return trained(context, look)


@claim(
    "rates-true",
    "4",
    97,
    page="evolution.md",
    says="Rates and switch times will accurately describe the true kinetics.",
    right="The true rates are not within a fifth of what training ends at.",
)
def rates_true(context: Context) -> Evidence:
    """Compares them with the true rates within a fifth, where these are known."""
    truth = context.truth
    if truth is None:
        return once(undecided("truth", "true rates of the document's data", "known rates"))

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        ends = stacked(ensemble, KINETICS)[:, :, -1]
        off = np.abs(ends / np.stack([truth[name] for name in KINETICS])[:, None] - 1.0)
        return (will("runs", "runs in which they do", (off < 0.2).all(axis=(0, 2))),)

    return trained(context, look)


@claim(
    "fits-data",
    "4",
    97,
    page="evolution.md",
    says="Rates and switch times will fit the observed data accurately.",
    right="The median misfit is {misfit}; like cells scatter by {scatter}.",
)
def fits_data(context: Context) -> Evidence:
    """Asks of every run whether it predicts the data to twice the scatter of like cells."""
    bound = NOISE_OF_CELLS * scatter(context)

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        misfit = ensemble.misfit
        return (
            will("runs", "runs in which they do", misfit < bound),
            noted("misfit", "root mean squared misfit, median", median(misfit)),
            noted("scatter", "scatter of like cells", bound / NOISE_OF_CELLS),
        )

    return trained(context, look)


@claim(
    "penalty-satisfied",
    "4",
    97,
    page="evolution.md",
    says="Rates and switch times will satisfy the switch penalty.",
    right="Repression starts {apart} away from the switch points, median over the runs.",
)
def penalty_satisfied(context: Context) -> Evidence:
    """Asks of every run whether u0 and s0 come within a tenth of u* and s* in every gene."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        apart = ensemble.off_switch_points
        return (
            will("runs", "runs in which they do", apart < 0.1),
            noted("apart", "largest distance, median", median(apart)),
        )

    return trained(context, look)


@claim(
    "alpha-falls",
    "4",
    98,
    page="evolution.md",
    says="α of gene A will likely fall from 0.85, as it was overpredicting.",
    right="It ends at {alpha}, median over the runs.",
)
def alpha_falls(context: Context) -> Evidence:
    """Asks of every run whether it ends below its start."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        course = ensemble.theta["alpha"][:, :, 0]
        return (
            likely("runs", "runs in which it does", course[:, -1] < course[:, 0]),
            noted("alpha", "α of gene A at the end, median", median(course[:, -1])),
        )

    return trained(context, look)


@claim("beta-gamma-adjust", "4", 99, page="evolution.md", says="β and γ of gene A will adjust.")
def beta_gamma_adjust(context: Context) -> Evidence:
    """Asks of every run whether both end more than a tenth from their start."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        moved = moved_by(ensemble, ("beta", "gamma"))[:, :, 0]
        return (will("runs", "runs in which both do", (moved > 0.1).all(axis=0)),)

    return trained(context, look)


@claim(
    "switch-time-matches",
    "4",
    100,
    page="switch.md",
    item=16,
    says="The switch time will shift until ū and s̄ of state 2 at it match u* and s*.",
    right="Steady states do not depend on the switch time: shifting it moves them by {u_bar}.",
)
def switch_time_matches(context: Context) -> Evidence:
    """Shifts the switch time by a fifth and looks whether ū and s̄ of state 2 change."""

    def look(trace: Trace) -> tuple[Check, ...]:
        shifted = rerun(trace, {"switch_time": Replace(0.8 * values(trace, "switch_time"))})
        return tuple(
            above(
                name,
                f"largest change of {name} in state 2",
                float(np.abs(values(shifted, name) - values(trace, name))[..., 1].max()),
                0.0,
            )
            for name in ("u_bar", "s_bar")
        )

    return each(context, look)


CLAIMS = (
    one_step_small,
    hundreds_of_epochs,
    all_adapt,
    rates_converge,
    rates_by_gene,
    rates_true,
    fits_data,
    penalty_satisfied,
    alpha_falls,
    beta_gamma_adjust,
    switch_time_matches,
)
