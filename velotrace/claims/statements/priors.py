"""Claims of section 5 on what a divergence is and on the prior of π."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import above, agrees, below, counted, same
from velotrace.claims.context import Context, each, once
from velotrace.claims.looking import values
from velotrace.claims.records import Check, Evidence, claim
from velotrace.counterfactuals import rerun
from velotrace.studies.divergences import integrated_kl
from velotrace.tape import Replace
from velotrace.walkthrough import Trace

CASES = np.array([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0], [0.7, 0.1, 0.1, 0.1]])
"""Posteriors that doc (2) is tried on."""


@claim(
    "divergence",
    "5",
    105,
    106,
    page="divergences.md",
    item=1,
    says="KL, as doc (1) and doc (2) give it, measures how far one distribution is from another.",
    right="doc (2) falls to {dirichlet} nat, and no divergence is negative.",
)
def divergence(context: Context) -> Evidence:
    """Evaluates both formulas away from the prior: neither may be negative."""
    document, prior = context.document, np.array(context.document.prior)
    mean, log_var = context.random("divergence").standard_normal((2, 100, document.latent))
    return once(
        above(
            "normal", "least of doc (1), nat", float(document.kl_normal(mean, log_var).min()), 0.0
        ),
        above(
            "dirichlet",
            "least of doc (2), nat",
            float(document.kl_dirichlet(CASES, prior).min()),
            0.0,
        ),
        same(
            "equal",
            "doc (2) of the prior from itself, nat",
            document.kl_dirichlet(prior, prior),
            0.0,
        ),
    )


@claim(
    "prior",
    "5.2",
    121,
    123,
    134,
    page="states.md",
    says="The prior of π is Dirichlet(0.25, 0.25, 0.25, 0.25), paper (14).",
)
def prior_of_pi(context: Context) -> Evidence:
    """Reads the prior's concentration off each reading."""

    def look(trace: Trace) -> tuple[Check, ...]:
        found = [trace.resolved.iteration.constants.pi_prior] * context.document.states
        return (agrees("prior", "concentrations", found, context.document.prior, 2),)

    return each(context, look)


@claim(
    "pi-from-z",
    "5.2",
    122,
    133,
    page="states.md",
    says="A part of the encoder takes z and produces the concentrations.",
)
def pi_from_z(context: Context) -> Evidence:
    """Moves z* and looks whether the concentrations move."""

    def look(trace: Trace) -> tuple[Check, ...]:
        moved = rerun(trace, {"z": Replace(values(trace, "z") + 0.1)})
        change = np.abs(values(moved, "concentration") - values(trace, "concentration"))
        return (counted("moved", "concentrations that move with z*", change.ravel() > 0.0),)

    return each(context, look)


@claim(
    "uniform-prior",
    "3a",
    64,
    127,
    page="states.md",
    item=4,
    says="The divergence of π penalises deviation from a uniform prior.",
    right="The prior prefers no state, but it is not uniform: uniform is Dirichlet(1, 1, 1, 1), "
    "and that costs {uniform} nat.",
)
def uniform_prior(context: Context) -> Evidence:
    """Integrates the divergence of the uniform distribution from the prior."""
    prior = np.array(context.document.prior)
    return once(
        agrees("mean", "expected probabilities", prior / prior.sum(), 1.0 / len(prior), 6),
        same(
            "uniform",
            "cost of the uniform distribution, nat",
            integrated_kl(np.ones(len(prior)), prior),
            0.0,
        ),
    )


@claim(
    "kl-pi-regularises",
    "5.2",
    128,
    page="divergences.md",
    item=1,
    says="The divergence of π regularises: it pushes q(π) towards the prior.",
    right="doc (2) as printed pushes the other way: its slope there is {printed}, that of the "
    "right formula {integral}.",
)
def kl_pi_regularises(context: Context) -> Evidence:
    """Takes the slope from (1, 1, 1, 1) away from the prior, by the integral and by doc (2)."""
    prior, ones, step = np.array(context.document.prior), np.ones(4), 1e-3
    up, down = ones + step, ones - step
    right = (integrated_kl(up, prior) - integrated_kl(down, prior)) / (2.0 * step)
    formula = context.document.kl_dirichlet
    printed = float(formula(up, prior) - formula(down, prior)) / (2.0 * step)
    return once(
        above("integral", "slope of the integral on the way out", right, 0.0),
        above("printed", "slope of doc (2) on the way out", printed, 0.0),
    )


@claim(
    "prior-decided",
    "5.2",
    129,
    page="states.md",
    says="Under the prior a gene is very likely to be predominantly in one state.",
)
def prior_decided(context: Context) -> Evidence:
    """Draws from the prior, and from the uniform distribution beside it."""
    numbers = context.random("prior")
    drawn = numbers.dirichlet(context.document.prior, 20000).max(axis=-1)
    uniform = numbers.dirichlet(np.ones(4), 20000).max(axis=-1)
    return once(
        above(
            "half", "draws in which one state has more than half", float(np.mean(drawn > 0.5)), 0.75
        ),
        above("mean", "largest component on average", float(drawn.mean()), float(uniform.mean())),
    )


@claim(
    "decisive",
    "5.2",
    129,
    page="states.md",
    says="The pull towards that prior encourages a decisive assignment of states.",
    right="It wants decided draws, but charges the encoder for saying which state: "
    "{assigned} nat for the example, 0 for no opinion.",
)
def decisive(context: Context) -> Evidence:
    """Compares an even q(π), a q(π) without opinion, and one that is for state 1."""
    prior = np.array(context.document.prior)
    even = integrated_kl(np.full(4, 10.0), prior)
    opinion = integrated_kl(np.array(context.document.pi), prior)
    return once(
        above("even", "cost of surely even probabilities, nat", even, 0.0),
        below("assigned", "cost of being for state 1, nat", opinion, 1e-6),
    )


CLAIMS = (
    divergence,
    prior_of_pi,
    pi_from_z,
    uniform_prior,
    kl_pi_regularises,
    prior_decided,
    decisive,
)
