"""Claims of sections 3b and 3c on gradients of z and the encoder, and on the update."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from velotrace.claims.checks import above, agrees, counted, equal, flows, noted, same
from velotrace.claims.context import Context, each, once
from velotrace.claims.looking import adjoint, pull, values, weights_of
from velotrace.claims.records import Check, Evidence, claim
from velotrace.counterfactuals import counterfactual, rerun
from velotrace.model.holding import held_name
from velotrace.quantities import PARAMETERS
from velotrace.tape import Cut
from velotrace.walkthrough import Trace


@claim(
    "pull-on-z",
    "3b",
    84,
    85,
    page="reparameterisation.md",
    says="z* gets its gradient from the decoders and from the divergence of π.",
    right="With k summed out a third part comes through π* itself.",
)
def pull_on_z(context: Context) -> Evidence:
    """Takes both parts apart by cuts and compares their sum with the whole."""

    def look(trace: Trace) -> tuple[Check, ...]:
        whole = pull(trace, "z")
        decoders = whole - pull(
            rerun(trace, {"rho_induction": Cut(), "rho_repression": Cut()}), "z"
        )
        divergence = whole - pull(counterfactual(trace, drop=["kl_pi"]), "z")
        return (
            above("decoders", "largest part of the decoders", float(np.abs(decoders).max()), 0.0),
            above("kl_pi", "largest part of KL_π", float(np.abs(divergence).max()), 0.0),
            same("missing", "both together, off by", decoders + divergence, whole),
        )

    return each(context, look)


@claim(
    "reparameterisation-vital",
    "3b",
    86,
    87,
    page="reparameterisation.md",
    says="Only the reparameterisation lets gradients of z* reach μ and log Σ.",
)
def reparameterisation_vital(context: Context) -> Evidence:
    """Cuts z* off from what it was made of, as a plain draw would, with KL_z left out."""

    def look(trace: Trace) -> tuple[Check, ...]:
        alone = counterfactual(trace, drop=["kl_z"])
        cut = counterfactual(trace, cut=["z"], drop=["kl_z"])
        return (
            counted("mu_z", "with it, gradients of μ", pull(alone, "mu_z").ravel() != 0.0),
            counted(
                "log_var_z", "with it, gradients of log Σ", pull(alone, "log_var_z").ravel() != 0.0
            ),
            equal(
                "without",
                "without it, gradients of either",
                int(np.count_nonzero([pull(cut, n) for n in ("mu_z", "log_var_z")])),
                0,
            ),
        )

    return each(context, look)


def _printed(trace: Trace, name: str, printed: np.ndarray) -> tuple[Check, ...]:
    """A printed gradient against the part that comes by way of z*, and against the whole."""
    path = pull(counterfactual(trace, drop=["kl_z"]), name)
    whole = pull(trace, name)
    return (
        same("path", "printed and the part through z*, apart by", printed, path),
        same("whole", "printed and the whole, apart by", printed, whole),
    )


@claim(
    "gradient-of-mean",
    "3b",
    88,
    page="reparameterisation.md",
    says="∂L/∂μ = ∂L/∂z* × 1.",
    right="That is the part through z*; the loss also holds KL_z, which adds μ. They differ by "
    "up to {whole}.",
)
def gradient_of_mean(context: Context) -> Evidence:
    """Compares the printed product with the part through z* and with the whole gradient."""

    def look(trace: Trace) -> tuple[Check, ...]:
        return _printed(trace, "mu_z", context.document.gradient_of_mean(pull(trace, "z")))

    return each(context, look)


@claim(
    "gradient-of-log-variance",
    "3b",
    89,
    page="reparameterisation.md",
    says="∂L/∂log Σ = ∂L/∂z* × 0.5 × exp(0.5 log Σ) × ε.",
    right="That is the part through z*; KL_z adds ½(Σ − 1). They differ by up to {whole}.",
)
def gradient_of_log_variance(context: Context) -> Evidence:
    """Compares the printed product with the part through z* and with the whole gradient."""

    def look(trace: Trace) -> tuple[Check, ...]:
        printed = context.document.gradient_of_log_var(
            pull(trace, "z"), values(trace, "log_var_z"), values(trace, "epsilon_z")
        )
        return _printed(trace, "log_var_z", printed)

    return each(context, look)


def _rest(slope: object, low: float, high: float) -> float:
    return float(brentq(slope, low, high, xtol=1e-12))


def _slope(context: Context, at: np.ndarray, part: int) -> float:
    """Difference quotient of doc (1) in one dimension: of the mean (0) or log variance (1)."""
    step = np.zeros(2)
    step[part] = 1e-5
    up, down = at + step, at - step
    quotient = context.document.kl_normal(up[:1], up[1:]) - context.document.kl_normal(
        down[:1], down[1:]
    )
    return float(quotient / 2e-5)


@claim("kl-z-pulls-mean", "3b", 90, page="divergences.md", says="KL_z pulls μ towards 0.")
def kl_z_pulls_mean(context: Context) -> Evidence:
    """Finds where doc (1) pulls on one component of μ no more."""
    rest = _rest(lambda m: _slope(context, np.array([m, 0.3]), 0), -2.0, 3.0)
    return once(agrees("rest", "μ at rest", rest, 0.0, 6))


@claim(
    "kl-z-pulls-log-variance",
    "3b",
    90,
    page="divergences.md",
    item=16,
    says="KL_z pulls log Σ towards the identity, so each variance's logarithm towards 1.",
    right="It is Σ that is pulled towards the identity; its logarithm comes to rest at {rest}.",
)
def kl_z_pulls_log_variance(context: Context) -> Evidence:
    """Finds where doc (1) pulls on one component of log Σ no more."""
    rest = round(_rest(lambda v: _slope(context, np.array([0.3, v]), 1), -2.0, 3.0), 6) + 0.0
    return once(agrees("rest", "log Σ at rest", rest, context.document.log_var_target, 1))


@claim(
    "pull-on-encoder",
    "3b",
    91,
    92,
    page="backward.md",
    says="Gradients of μ, log Σ and the concentrations reach the encoder's weights.",
)
def pull_on_encoder(context: Context) -> Evidence:
    """Asks of every array of the encoder's weights whether one arrived."""

    def look(trace: Trace) -> tuple[Check, ...]:
        return tuple(
            counted(
                name,
                f"arrays of {name}",
                [x is not None and np.any(x) for x in weights_of(trace, name)],
            )
            for name in ("encoder_z", "encoder_pi")
        )

    return each(context, look)


@claim(
    "data-teach-states",
    "3b",
    92,
    129,
    page="nopath.md",
    item=9,
    says="The gradients teach the encoder state probabilities that fit the data.",
    right="With a drawn state the likelihood sends the concentrations nothing ({data}): only "
    "their prior speaks to them.",
)
def data_teach_states(context: Context) -> Evidence:
    """Leaves all but the likelihood out of the loss, and asks for the concentrations' gradient."""

    def look(trace: Trace) -> tuple[Check, ...]:
        alone = counterfactual(trace, drop=["kl_z", "kl_pi", "switch_penalty"])
        return (flows("data", "gradients of the concentrations", adjoint(alone, "concentration")),)

    return each(context, look)


@claim(
    "gradients-summed",
    "3c",
    93,
    94,
    page="loss.md",
    says="The gradients of the mini-batch's cells are summed.",
    right="scvi-tools takes their mean.",
)
def gradients_summed(context: Context) -> Evidence:
    """Reads off the weight with which each cell's log likelihood and KL_π enter the loss."""

    def look(trace: Trace) -> tuple[Check, ...]:
        return (
            same(
                "likelihood",
                "weights of the likelihoods, from −1 by",
                pull(trace, "log_likelihood"),
                -1.0,
            ),
            same("kl_pi", "weights of KL_π, from 1 by", pull(trace, "kl_pi"), 1.0),
        )

    return each(context, look)


@claim(
    "update-is-adam",
    "3c",
    94,
    page="update.md",
    item=5,
    says="Adam updates by old − learning rate × gradient.",
    right="That is plain gradient descent: it takes α of gene A to {printed}, Adam to {adam}.",
)
def update_is_adam(context: Context) -> Evidence:
    """Makes the printed step and the step of the reading's optimiser, and compares them."""

    def look(trace: Trace) -> tuple[Check, ...]:
        rate, reading = trace.resolved.optimiser.learning_rate, trace.resolved.iteration.reading
        printed, taken = {}, {}
        for name in (held_name(name, reading) for name in PARAMETERS):
            new = context.document.updated(values(trace, name), pull(trace, name), rate)
            printed[name], taken[name] = new, trace.updates["adam"][name]["updated"]
        alpha = held_name("alpha", reading)
        return (
            same("apart", "new θ by both, apart by", list(printed.values()), list(taken.values())),
            noted("printed", f"{alpha} of gene A as printed", printed[alpha][0]),
            noted("adam", f"{alpha} of gene A by the optimiser", taken[alpha][0]),
        )

    return each(context, look)


CLAIMS = (
    pull_on_z,
    reparameterisation_vital,
    gradient_of_mean,
    gradient_of_log_variance,
    kl_z_pulls_mean,
    kl_z_pulls_log_variance,
    pull_on_encoder,
    data_teach_states,
    gradients_summed,
    update_is_adam,
)
