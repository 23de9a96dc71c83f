"""Claims of section 3a on the divergence of π, the switch penalty and the loss."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import above, agrees, below, counted, noted, same
from velotrace.claims.context import Context, each, once
from velotrace.claims.integrals import integrated
from velotrace.claims.looking import values
from velotrace.claims.records import Check, Evidence, claim
from velotrace.counterfactuals import rerun
from velotrace.model.distributions import softplus
from velotrace.model.networks import perceptron
from velotrace.tape import Replace
from velotrace.walkthrough import Trace


@claim(
    "kl-pi-one-draw",
    "3a",
    64,
    119,
    120,
    124,
    125,
    126,
    page="divergences.md",
    says="One draw z* stands for the average over z; summed over many steps such draws "
    "approximate it.",
    right="Their mean does; the sum of a hundred is {sum} times the average.",
)
def kl_pi_one_draw(context: Context) -> Evidence:
    """Draws z of Cell 1 many times, and compares single draws with the average over others."""
    trace = context.trace
    mean, log_var = values(trace, "mu_z")[0], values(trace, "log_var_z")[0]
    noise = context.random("kl-pi").standard_normal((2, context.draws, len(mean)))
    z = mean + np.exp(0.5 * log_var) * noise
    layers, activation = (
        trace.resolved.parameters["encoder_pi"],
        trace.resolved.iteration.activation,
    )
    raw = perceptron("encoder_pi", layers, z, activation)
    each_draw = _kl_pi(softplus(raw.reshape(*raw.shape[:-1], -1, 4)), context).sum(axis=-1)
    average = float(each_draw[1].mean())
    error = float(np.hypot(*(x.std() for x in each_draw)) / np.sqrt(context.draws))
    pooled = float(context.document.pooled(each_draw[0, :100]))
    return once(
        below(
            "mean",
            "mean of the draws, off by, in standard errors",
            abs(float(each_draw[0].mean()) - average) / error,
            4.0,
        ),
        below("sum", "a hundred draws pooled as stated, in averages", pooled / average, 2.0),
        noted("average", "average over z, nat", average),
        noted("spread", "standard deviation of one draw, nat", float(each_draw.std())),
    )


def _kl_pi(concentration: np.ndarray, context: Context) -> np.ndarray:
    from velotrace.model.distributions import kl_dirichlet_terms

    prior = context.trace.resolved.iteration.constants.pi_prior
    return np.asarray(sum(kl_dirichlet_terms(concentration, prior)))


@claim(
    "switch-depends",
    "3a",
    66,
    page="switch.md",
    says="The switch penalty depends on α, β, γ and the switch time.",
    item=3,
    right="With repression starting at α/β and α/γ the switch time is not in it.",
)
def switch_depends(context: Context) -> Evidence:
    """Raises each parameter by a tenth and looks whether the penalty of any gene changes."""

    def look(trace: Trace) -> tuple[Check, ...]:
        before, changes = values(trace, "switch_penalty"), []
        for name in context.document.parameters[:4]:
            raised = rerun(trace, {name: Replace(1.1 * values(trace, name))})
            changes.append(float(np.abs(values(raised, "switch_penalty") - before).max()))
        return (
            counted("depends", "parameters that change it", np.array(changes) > 0.0),
            noted("switch_time", "change with the switch time", changes[-1]),
        )

    return each(context, look)


@claim(
    "steady-at-switch",
    "3a",
    66,
    page="switch.md",
    item=2,
    says="At the switch time the gene is at its steady state.",
    right="The steady state is reached after endless time. At the switch u is {u} and s is {s}.",
)
def steady_at_switch(context: Context) -> Evidence:
    """Integrates the rate equations of gene A from nothing to the switch time."""
    document = context.document
    rates = (document.alpha[0], document.beta, document.gamma)
    u, s = integrated(*rates, document.switch_time)
    return once(
        agrees("u", "u at the switch", u, rates[0] / rates[1], 1),
        agrees("s", "s at the switch", s, rates[0] / rates[2], 1),
    )


@claim(
    "switch-points",
    "3a",
    65,
    66,
    67,
    page="initialisation.md",
    says="The switch points u* and s* come from the data; u* of gene A is 0.85.",
)
def switch_points(context: Context) -> Evidence:
    """Takes the medians of the highest cells and compares them with the constants in force."""
    data, document = context.data, context.document
    rows = [data.rows(document.highest[gene]) for gene in data.genes]
    medians = [
        [np.median(x[n, g]) for g, n in enumerate(rows)] for x in (data.unspliced, data.spliced)
    ]

    def look(trace: Trace) -> tuple[Check, ...]:
        constants = trace.resolved.iteration.constants
        return (
            same(
                "apart",
                "u*, s* and the medians, apart by",
                [constants.u_star, constants.s_star],
                medians,
            ),
            agrees("u_star", "u* of gene A", constants.u_star[0], document.u_star, 2),
        )

    return each(context, look)


@claim(
    "repression-start",
    "3a",
    67,
    page="switch.md",
    item=2,
    says="Repression of gene A starts from u = α/β = 8.5.",
    right="By the rate equations induction stands at {integrated} there; the other readings "
    "start repression where it stands.",
)
def repression_start(context: Context) -> Evidence:
    """Reads the start of repression off each reading, beside the integral up to the switch."""
    document = context.document
    rates = (document.alpha[0], document.beta, document.gamma)
    integrated_u = integrated(*rates, document.switch_time)[0]

    def look(trace: Trace) -> tuple[Check, ...]:
        start = float(values(trace, "u_switch")[0])
        return (
            agrees("start", "start of repression", start, context.document.u_start, 1),
            noted("integrated", "u at the switch by the integral", integrated_u),
        )

    return each(context, look)


@claim(
    "penalty-example",
    "3a",
    67,
    page="switch.md",
    item=2,
    says="The penalty of gene A is (8.5 − 0.85)², and that is large.",
    right="That is the part of u; s adds {s}, and the penalty is {both}.",
)
def penalty_example(context: Context) -> Evidence:
    """Compares the square with the recorded part of u and with the whole penalty of gene A."""
    square = (context.document.u_start - context.document.u_star) ** 2

    def look(trace: Trace) -> tuple[Check, ...]:
        u, s, both = (float(values(trace, f"switch_penalty{part}")[0]) for part in ("_u", "_s", ""))
        return (
            agrees("u", "part of u", u, square, 4),
            agrees("both", "whole penalty", both, square, 4),
            above("large", "and larger than the data's range squared", both, 1.0),
            noted("s", "part of s", s),
        )

    return each(context, look)


@claim(
    "loss-sum",
    "3a",
    68,
    page="loss.md",
    says="The loss is the negative ELBO plus the switch penalty, all summed unweighted.",
    right="The paper weighs the penalty by 0.2; scvi-tools also takes means over cells.",
)
def loss_sum(context: Context) -> Evidence:
    """Adds the recorded terms of all cells and genes with the document's weights."""
    weights = context.document.weights
    names = ("log_likelihood", "kl_z", "kl_pi", "switch_penalty")

    def look(trace: Trace) -> tuple[Check, ...]:
        log, *others = (float(values(trace, name).sum()) for name in names)
        total = float(np.dot(weights, [-log, *others]))
        return (same("apart", "the sum and the loss, apart by, nat", total, trace.loss),)

    return each(context, look)


@claim(
    "loss-large",
    "3a",
    68,
    page="loss.md",
    says="The loss is a large positive number, because of the poor first fit.",
)
def loss_large(context: Context) -> Evidence:
    """Compares it with the loss of perfect predictions, and looks how much the fit makes of it."""

    def look(trace: Trace) -> tuple[Check, ...]:
        perfect = {
            f"{which}_bar": Replace(np.repeat(values(trace, measured)[..., None], 4, axis=-1))
            for which, measured in (("u", "unspliced"), ("s", "spliced"))
        }
        fitted = rerun(trace, perfect).loss
        share = float(values(trace, "reconstruction")) / trace.loss
        return (
            above("loss", "loss, nat", trace.loss, 100.0),
            above(
                "fit",
                "with perfect predictions it would be lower by, nat",
                trace.loss - fitted,
                100.0,
            ),
            above("share", "share of the reconstruction", share, 0.5),
        )

    return each(context, look)


CLAIMS = (
    kl_pi_one_draw,
    switch_depends,
    steady_at_switch,
    switch_points,
    repression_start,
    penalty_example,
    loss_sum,
    loss_large,
)
