"""Claims of sections 3a and 5.1 on the divergence of z, doc (1)."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import above, equal, noted, same
from velotrace.claims.context import Context, each, once
from velotrace.claims.looking import values
from velotrace.claims.records import Check, Evidence, claim
from velotrace.counterfactuals import rerun
from velotrace.studies.divergences import normal_by_integration
from velotrace.tape import Replace
from velotrace.walkthrough import Trace


@claim(
    "kl-z-formula",
    "5.1",
    107,
    108,
    109,
    112,
    113,
    page="divergences.md",
    says="doc (1) is the divergence of N(μ, Σ) from N(0, I).",
)
def kl_z_formula(context: Context) -> Evidence:
    """Integrates q (log q − log p) numerically for Cell 1's posterior in each reading."""

    def look(trace: Trace) -> tuple[Check, ...]:
        mean, log_var = values(trace, "mu_z")[0], values(trace, "log_var_z")[0]
        formula = context.document.kl_normal(mean, log_var)
        return (
            same(
                "apart",
                "doc (1) and the integral, apart by, nat",
                formula,
                float(np.subtract(*normal_by_integration(mean, log_var)).sum()),
                1e-7,
            ),
            noted("formula", "doc (1) for Cell 1, nat", formula),
        )

    return each(context, look)


@claim(
    "kl-z-direct",
    "3a",
    62,
    63,
    112,
    page="divergences.md",
    says="The divergence of z is calculated from μ and log Σ directly, without sampling.",
)
def kl_z_direct(context: Context) -> Evidence:
    """Computes it from the recorded μ and log Σ alone, and draws other noise."""

    def look(trace: Trace) -> tuple[Check, ...]:
        of_posterior = context.document.kl_normal(values(trace, "mu_z"), values(trace, "log_var_z"))
        other = rerun(trace, {"epsilon_z": Replace(-values(trace, "epsilon_z"))})
        change = float(np.abs(values(other, "kl_z") - values(trace, "kl_z")).max())
        return (
            same(
                "apart", "from μ and log Σ alone, off by, nat", of_posterior, values(trace, "kl_z")
            ),
            equal("change", "change with other noise, nat", change, 0.0),
        )

    return each(context, look)


@claim(
    "kl-z-penalises",
    "3a",
    63,
    111,
    115,
    page="divergences.md",
    says="The divergence of z penalises every deviation from the standard normal prior.",
)
def kl_z_penalises(context: Context) -> Evidence:
    """Evaluates doc (1) at the prior and on a thousand straight lines away from it."""
    document, numbers = context.document, context.random("kl-z")
    d = document.latent
    nothing = np.zeros(d)
    mean, log_var = numbers.standard_normal((2, 1000, d))
    along = np.array([document.kl_normal(t * mean, t * log_var) for t in (0.0, 0.5, 1.0, 1.5)])
    return once(
        same("prior", "at the prior, nat", document.kl_normal(nothing, nothing), 0.0),
        above(
            "least", "smallest rise on the way out, nat", float(np.diff(along, axis=0).min()), 0.0
        ),
    )


@claim(
    "kl-z-cheap",
    "5.1",
    114,
    page="divergences.md",
    says="The closed form makes the divergence of z very efficient to compute.",
)
def kl_z_cheap(context: Context) -> Evidence:
    """Counts the draws after which sampling would be sure of it to 1 %."""
    mean, log_var = values(context.trace, "mu_z")[0], values(context.trace, "log_var_z")[0]
    noise = context.random("kl-z-cheap").standard_normal((context.draws, len(mean)))
    z = mean + np.exp(0.5 * log_var) * noise
    ratio = 0.5 * np.sum(z**2 - noise**2 - log_var, axis=-1)  # log q − log p at each draw
    draws = float((ratio.std() / (0.01 * context.document.kl_normal(mean, log_var))) ** 2)
    return once(above("draws", "draws that sampling would need for 1 %", draws, 100.0))


CLAIMS = (
    kl_z_formula,
    kl_z_direct,
    kl_z_penalises,
    kl_z_cheap,
)
