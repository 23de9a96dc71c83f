"""Claims of section 3a on predictions and likelihood."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import above, agrees, below, counted, same
from velotrace.claims.context import Context, each, once
from velotrace.claims.integrals import integrated
from velotrace.claims.looking import ancestors, values
from velotrace.claims.records import Check, Evidence, claim
from velotrace.walkthrough import Trace


@claim(
    "predictions-use",
    "3a",
    51,
    52,
    page="kinetics.md",
    says="ū and s̄ are calculated from the latent times and α, β, γ and the switch time.",
)
def predictions_use(context: Context) -> Evidence:
    """Walks back from both predictions through the recorded computation."""

    def look(trace: Trace) -> tuple[Check, ...]:
        sources = ancestors(trace, "u_bar") | ancestors(trace, "s_bar")
        named = (*context.document.parameters[:4], "time_induction", "time_repression")
        return (counted("used", "of the values named, used", [name in sources for name in named]),)

    return each(context, look)


def _prediction(context: Context, name: str, said: float) -> Evidence:
    document = context.document
    ends = integrated(document.alpha[0], document.beta, document.gamma, document.time)

    def look(trace: Trace) -> tuple[Check, ...]:
        predicted = float(values(trace, name)[0, 0, 0])
        return (
            agrees("predicted", "predicted", predicted, said, 2),
            agrees(
                "integrated",
                "by integrating the rate equations",
                ends[0 if name == "u_bar" else 1],
                said,
                2,
            ),
        )

    return each(context, look)


@claim(
    "example-u",
    "3a",
    53,
    54,
    page="kinetics.md",
    says="With the first rates, ū of Cell 1 and gene A is 4.68 at time 8 in state 1.",
)
def example_u(context: Context) -> Evidence:
    """Reads it off each reading, and integrates the rate equations from nothing to time 8."""
    return _prediction(context, "u_bar", context.document.u_bar)


@claim(
    "example-s",
    "3a",
    53,
    55,
    page="kinetics.md",
    says="With the first rates, s̄ of Cell 1 and gene A is 1.85 at time 8 in state 1.",
)
def example_s(context: Context) -> Evidence:
    """Reads it off each reading, and integrates the rate equations from nothing to time 8."""
    return _prediction(context, "s_bar", context.document.s_bar)


@claim(
    "example-mismatch",
    "3a",
    56,
    page="kinetics.md",
    says="Observed are 0.8 and 0.2; the mismatch is large.",
)
def example_mismatch(context: Context) -> Evidence:
    """Measures how far both lie from the prediction, in standard deviations."""

    def look(trace: Trace) -> tuple[Check, ...]:
        seen = [float(values(trace, name)[0, 0]) for name in ("unspliced", "spliced")]
        predicted = [values(trace, name)[0, 0, 0] for name in ("u_bar", "s_bar")]
        sigma = [values(trace, name)[0] for name in ("sigma_u", "sigma_s")]
        away = np.abs(np.subtract(predicted, seen)) / sigma
        return (
            agrees("observed", "observed", seen, context.document.observed, 1),
            above("u", "u away, in standard deviations", float(away[0]), 3.0),
            above("s", "s away, in standard deviations", float(away[1]), 3.0),
        )

    return each(context, look)


@claim(
    "normal-densities",
    "3a",
    57,
    58,
    page="likelihood.md",
    says="u and s are compared with ū and s̄ by normal densities of deviation c σ.",
)
def normal_densities(context: Context) -> Evidence:
    """Computes every log density with SciPy's normal distribution."""
    from scipy.stats import norm

    def look(trace: Trace) -> tuple[Check, ...]:
        scale = np.array(context.document.state_scale)
        found = []
        for which, measured in (("u", "unspliced"), ("s", "spliced")):
            deviation = values(trace, f"sigma_{which}")[..., None] * scale
            log = norm.logpdf(
                values(trace, measured)[..., None], values(trace, f"{which}_bar"), deviation
            )
            found.append(
                same(
                    which,
                    f"log densities of {which}, off by",
                    log,
                    values(trace, f"log_density_{which}"),
                )
            )
        return tuple(found)

    return each(context, look)


@claim(
    "likelihood-product",
    "3a",
    59,
    page="likelihood.md",
    says="The likelihood of Cell 1 and gene A is N(u) × N(s) at the one state k = 1.",
    right="With k summed out, all four states have a share in it.",
)
def likelihood_product(context: Context) -> Evidence:
    """Adds both log densities of state 1 and compares the sum with the log likelihood."""

    def look(trace: Trace) -> tuple[Check, ...]:
        both = sum(values(trace, f"log_density_{which}")[0, 0, 0] for which in "us")
        return (same("apart", "off by, nat", both, values(trace, "log_likelihood")[0, 0]),)

    return each(context, look)


@claim(
    "likelihood-tiny",
    "3a",
    60,
    page="likelihood.md",
    says="The product of the two densities is an extremely tiny number, its log a very large "
    "negative one.",
)
def likelihood_tiny(context: Context) -> Evidence:
    """Adds the log densities of the document's rounded numbers; the product itself underflows."""
    from scipy.stats import norm

    document = context.document
    predicted = (document.u_bar, document.s_bar)
    log = float(np.sum(norm.logpdf(document.observed, predicted, document.sigma)))
    return once(
        below("power", "the product is 10 to the power", log / np.log(10.0), -100.0),
        below("log", "its natural logarithm", log, -100.0),
    )


@claim(
    "reconstruction-sum",
    "3a",
    61,
    page="likelihood.md",
    says="The reconstruction term is the sum of the log likelihoods over genes and cells.",
    right="scvi-tools takes the mean over cells. In the loss it stands with a minus sign.",
)
def reconstruction_sum(context: Context) -> Evidence:
    """Adds all log likelihoods of the mini-batch."""

    def look(trace: Trace) -> tuple[Check, ...]:
        total = values(trace, "log_likelihood").sum()
        return (same("apart", "off by, nat", -total, values(trace, "reconstruction")),)

    return each(context, look)


CLAIMS = (
    predictions_use,
    example_u,
    example_s,
    example_mismatch,
    normal_densities,
    likelihood_product,
    likelihood_tiny,
    reconstruction_sum,
)
