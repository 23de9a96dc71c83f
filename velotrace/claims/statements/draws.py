"""Claims of section 3a on the encoder, the draws and the latent times."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import above, agrees, below, equal, likely, same
from velotrace.claims.context import Context, each, once
from velotrace.claims.looking import ancestors, values
from velotrace.claims.records import Check, Evidence, claim
from velotrace.model.networks import perceptron
from velotrace.model.objective import encoder_input
from velotrace.model.random import draw_state
from velotrace.walkthrough import Trace


@claim(
    "input-order",
    "3a",
    41,
    page="encoder.md",
    says="The encoder reads u_A, s_A, u_B, s_B, u_C, s_C of Cell 1, in this order.",
    right="scvi-tools gives it all s, then all u; any order will do, kept to.",
)
def input_order(context: Context) -> Evidence:
    """Builds each reading's input of Cell 1 and compares it with the six numbers named."""

    def look(trace: Trace) -> tuple[Check, ...]:
        u, s = values(trace, "unspliced"), values(trace, "spliced")
        seen = encoder_input(u, s, trace.resolved.iteration.reading)[0]
        return (same("apart", "the inputs, off by", seen, context.document.first_inputs),)

    return each(context, look)


@claim(
    "latent-dimension",
    "3a",
    42,
    page="encoder.md",
    says="μ and log Σ of z have ten dimensions each.",
)
def latent_dimension(context: Context) -> Evidence:
    """Counts the components of both for one cell."""

    def look(trace: Trace) -> tuple[Check, ...]:
        sizes = (values(trace, name).shape[-1] for name in ("mu_z", "log_var_z"))
        names = ("mean", "log_variance")
        return tuple(
            equal(name, f"dimensions of the {name.replace('_', ' ')}", n, context.document.latent)
            for name, n in zip(names, sizes, strict=True)
        )

    return each(context, look)


@claim(
    "log-variance",
    "3a",
    42,
    110,
    page="encoder.md",
    says="The second half of what the encoder puts out is the logarithm of the variance.",
    right="scvi-tools takes a softplus of it as the variance.",
)
def log_variance(context: Context) -> Evidence:
    """Runs the encoder's layers once more and compares its outputs with the log variance."""

    def look(trace: Trace) -> tuple[Check, ...]:
        iteration = trace.resolved.iteration
        seen = encoder_input(iteration.unspliced, iteration.spliced, iteration.reading)
        layers = trace.resolved.parameters["encoder_z"]
        out = perceptron("encoder_z", layers, seen, iteration.activation)
        log_var = values(trace, "log_var_z")
        return (same("apart", "outputs and log Σ, apart by", out[:, log_var.shape[1] :], log_var),)

    return each(context, look)


@claim(
    "four-concentrations",
    "3a",
    43,
    138,
    page="states.md",
    says="For every gene there are four positive concentrations, one a state.",
)
def four_concentrations(context: Context) -> Evidence:
    """Counts them and looks for the smallest."""

    def look(trace: Trace) -> tuple[Check, ...]:
        concentration = values(trace, "concentration")
        return (
            equal(
                "states",
                "concentrations per gene",
                concentration.shape[-1],
                context.document.states,
            ),
            above("smallest", "the smallest", float(concentration.min()), 0.0),
        )

    return each(context, look)


@claim(
    "reparameterisation", "3a", 44, 45, 110, page="encoder.md", says="z* = μ + exp(0.5 log Σ) ⊙ ε."
)
def reparameterisation(context: Context) -> Evidence:
    """Puts the recorded μ, log Σ and ε into the formula, and many ε to see what is drawn."""
    document = context.document
    noise = context.random("reparameterisation").standard_normal(context.draws)

    def look(trace: Trace) -> tuple[Check, ...]:
        mean, log_var, epsilon, z = (
            values(trace, n) for n in ("mu_z", "log_var_z", "epsilon_z", "z")
        )
        formula = document.reparameterised(mean, log_var, epsilon)
        drawn = document.reparameterised(mean[0, :1], log_var[0, :1], noise)
        ratio = float(drawn.var() / np.exp(log_var[0, 0]))
        return (
            same("apart", "the formula and z*, apart by", formula, z),
            below(
                "variance",
                "variance of the draws / Σ, away from 1 by",
                abs(ratio - 1.0),
                5.0 * np.sqrt(2.0 / context.draws),
            ),
        )

    return each(context, look)


@claim(
    "state-drawn",
    "3a",
    44,
    46,
    page="states.md",
    says="For every gene one state k is determined from π*.",
    right="The paper and scvi-tools determine none: they sum over the four.",
)
def state_drawn(context: Context) -> Evidence:
    """Looks for a state among the values that the loss is computed from."""

    def look(trace: Trace) -> tuple[Check, ...]:
        used = "state" in ancestors(trace, "loss")
        return (equal("used", "the loss is computed from a state", used, True),)

    return each(context, look)


@claim(
    "state-likely",
    "3a",
    46,
    page="states.md",
    says="With π* = (0.7, 0.1, 0.1, 0.1), state 1 is likely.",
)
def state_likely(context: Context) -> Evidence:
    """Draws the state many times, each from a seed of its own."""
    pi, likely_state = np.array(context.document.pi), context.document.likely_state
    drawn = [int(draw_state(seed, 0, pi[None])[0]) for seed in range(1000)]
    return once(likely("share", "draws of it", [k == likely_state for k in drawn]))


@claim("time-in-induction", "3a", 48, page="times.md", says="In state 1, t = ρ(1) × switch time.")
def time_in_induction(context: Context) -> Evidence:
    """Puts the recorded share and switch time into the formula."""

    def look(trace: Trace) -> tuple[Check, ...]:
        share, t_s = values(trace, "rho_induction"), values(trace, "switch_time")
        formula = context.document.time_induction(share, t_s)
        return (same("apart", "off by", formula, values(trace, "time_induction")),)

    return each(context, look)


@claim(
    "time-in-repression",
    "3a",
    49,
    page="times.md",
    says="In state 3, t = switch time + (t_max − switch time) ρ(3).",
)
def time_in_repression(context: Context) -> Evidence:
    """Puts the recorded share, switch time and t_max into the formula."""

    def look(trace: Trace) -> tuple[Check, ...]:
        share, t_s = values(trace, "rho_repression"), values(trace, "switch_time")
        t_max = trace.resolved.iteration.constants.t_max
        formula = context.document.time_repression(share, t_s, t_max)
        return (same("apart", "off by", formula, values(trace, "time_repression")),)

    return each(context, look)


@claim(
    "example-time", "3a", 50, page="times.md", says="Cell 1 can be in state 1 for gene A at time 8."
)
def example_time(context: Context) -> Evidence:
    """Asks whether a share between 0 and 1 gives that time, and whether the network gave it."""

    def look(trace: Trace) -> tuple[Check, ...]:
        time, t_s = context.document.time, float(values(trace, "switch_time")[0])
        return (
            above("above", "share of the time until the switch", time / t_s, 0.0),
            below("below", "and below", time / t_s, 1.0),
            agrees("time", "the network's time", values(trace, "time_induction")[0, 0], time, 1),
        )

    return each(context, look)


CLAIMS = (
    input_order,
    latent_dimension,
    log_variance,
    four_concentrations,
    reparameterisation,
    state_drawn,
    state_likely,
    time_in_induction,
    time_in_repression,
    example_time,
)
