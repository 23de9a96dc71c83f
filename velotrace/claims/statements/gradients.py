"""Claims of section 3b on gradients of predictions, noise, rates and times."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import above, below, counted, equal, flows, same
from velotrace.claims.context import Context, each
from velotrace.claims.looking import NOISE, RATES, adjoint, penalty_alone, pull, values, weights_of
from velotrace.claims.records import Check, Evidence, claim
from velotrace.counterfactuals import counterfactual, rerun
from velotrace.tape import Cut, Replace, Shift, leaves
from velotrace.walkthrough import Trace


@claim(
    "every-parameter",
    "3b",
    69,
    70,
    page="backward.md",
    says="The backward pass computes a gradient for every single parameter.",
)
def every_parameter(context: Context) -> Evidence:
    """Asks of every array of θ and φ whether a gradient arrived."""

    def look(trace: Trace) -> tuple[Check, ...]:
        found = [adjoint(trace, name) for name, _ in leaves(trace.resolved.parameters)]
        return (counted("arrays", "arrays of parameters", [x is not None for x in found]),)

    return each(context, look)


@claim(
    "backward-efficient",
    "3b",
    70,
    page="backward.md",
    says="The backward pass does so efficiently.",
)
def backward_efficient(context: Context) -> Evidence:
    """Counts operations forward and backward; difference quotients need a pass per parameter."""

    def look(trace: Trace) -> tuple[Check, ...]:
        forward, backward = len(trace.tape.entries), len(trace.tape.backward_order)
        parameters = sum(value.size for _, value in leaves(trace.resolved.parameters))
        return (
            below("cost", "operations backward per operation forward", backward / forward, 2.0),
            above("passes", "forward passes that difference quotients need", parameters + 1, 100.0),
        )

    return each(context, look)


@claim(
    "starts-from-one", "3b", 71, page="backward.md", says="The backward pass starts from ∂L/∂L = 1."
)
def starts_from_one(context: Context) -> Evidence:
    """Reads the adjoint of the loss."""

    def look(trace: Trace) -> tuple[Check, ...]:
        return (equal("one", "∂L/∂L", float(pull(trace, "loss")), 1.0),)

    return each(context, look)


@claim(
    "pull-on-predictions",
    "3b",
    72,
    73,
    74,
    page="backward.md",
    says="Gradients reach ū and s̄ and say how much changing a prediction changes the loss.",
)
def pull_on_predictions(context: Context) -> Evidence:
    """Shifts ū and s̄ of Cell 1, gene A, state 1 both ways and compares the difference quotient."""
    step = 1e-3

    def look(trace: Trace) -> tuple[Check, ...]:
        made = []
        for name in ("u_bar", "s_bar"):
            by = np.zeros_like(values(trace, name))
            by[0, 0, 0] = step
            up, down = (rerun(trace, {name: Shift(sign * by)}).loss for sign in (1.0, -1.0))
            gradient = float(pull(trace, name)[0, 0, 0])
            made += [
                same(
                    f"{name}_apart",
                    f"quotient and ∂L/∂{name}, apart by",
                    (up - down) / (2.0 * step),
                    gradient,
                    1e-5,
                ),
                above(f"{name}_size", f"|∂L/∂{name}|", abs(gradient), 0.0),
            ]
        return tuple(made)

    return each(context, look)


@claim(
    "pull-on-noise",
    "3b",
    75,
    page="backward.md",
    says="Gradients also reach both standard deviations of every gene.",
)
def pull_on_noise(context: Context) -> Evidence:
    """Asks of all six whether one arrived."""

    def look(trace: Trace) -> tuple[Check, ...]:
        return tuple(flows(name, f"gradients of {name}", adjoint(trace, name)) for name in NOISE)

    return each(context, look)


@claim(
    "noise-sharp-or-flat",
    "3b",
    75,
    page="backward.md",
    says="Where the likelihood is too sharp the gradients ask for a larger σ, where too flat "
    "for a smaller one.",
)
def noise_sharp_or_flat(context: Context) -> Evidence:
    """Looks at the signs as they are, and with perfect predictions under a σ of 10."""

    def look(trace: Trace) -> tuple[Check, ...]:
        changes = {name: Replace(10.0) for name in NOISE} | {
            f"{which}_bar": Replace(np.repeat(values(trace, measured)[..., None], 4, axis=-1))
            for which, measured in (("u", "unspliced"), ("s", "spliced"))
        }
        flat = rerun(trace, changes)
        sharp = np.concatenate([pull(trace, name) for name in NOISE])
        return (
            counted("sharp", "σ that should grow, far off", sharp < 0.0),
            counted(
                "flat",
                "σ that should shrink, close by",
                np.concatenate([pull(flat, name) for name in NOISE]) > 0.0,
            ),
        )

    return each(context, look)


@claim(
    "kinetics-to-rates",
    "3b",
    76,
    77,
    page="backward.md",
    says="From ū and s̄ gradients reach α, β and γ through the kinetic equations.",
)
def kinetics_to_rates(context: Context) -> Evidence:
    """Leaves all but the likelihood out of the loss, and asks of every gene's rates."""

    def look(trace: Trace) -> tuple[Check, ...]:
        alone = counterfactual(trace, drop=["kl_z", "kl_pi", "switch_penalty"])
        return tuple(flows(name, f"gradients of {name}", adjoint(alone, name)) for name in RATES)

    return each(context, look)


@claim(
    "penalty-to-rates",
    "3b",
    76,
    78,
    page="switch.md",
    says="The switch penalty gives α, β and γ direct gradients.",
)
def penalty_to_rates(context: Context) -> Evidence:
    """Leaves all but the penalty out of the loss, and asks of every gene's rates."""

    def look(trace: Trace) -> tuple[Check, ...]:
        alone = penalty_alone(trace)
        return tuple(flows(name, f"gradients of {name}", adjoint(alone, name)) for name in RATES)

    return each(context, look)


@claim(
    "penalty-to-switch-time",
    "3b",
    76,
    78,
    page="switch.md",
    item=3,
    says="The switch penalty gives the switch time a direct gradient.",
    right="With repression starting at α/β it gives none: {switch_time}. Only where repression "
    "starts from (3) and (4) at the switch does it depend on the switch time.",
)
def penalty_to_switch_time(context: Context) -> Evidence:
    """Leaves all but the penalty out of the loss, and asks for the switch time's gradient."""

    def look(trace: Trace) -> tuple[Check, ...]:
        alone = penalty_alone(trace)
        return (
            flows("switch_time", "gradients of the switch time", adjoint(alone, "switch_time")),
        )

    return each(context, look)


@claim(
    "alpha-should-fall",
    "3b",
    79,
    page="chainrule.md",
    says="∂L/∂α of gene A is a large positive number: α has to fall for ū to fall.",
)
def alpha_should_fall(context: Context) -> Evidence:
    """Reads the gradient off, and lowers α by a tenth to see ū and the loss fall."""

    def look(trace: Trace) -> tuple[Check, ...]:
        gene_a = np.arange(len(trace.coords["gene"])) == 0
        lowered = rerun(trace, {"alpha": Replace(0.9 * values(trace, "alpha"), gene_a)})
        u_bar = values(lowered, "u_bar") - values(trace, "u_bar")
        return (
            above("gradient", "∂L/∂α of gene A", float(pull(trace, "alpha")[0]), 100.0),
            below("u_bar", "change of ū with α lower by a tenth", float(u_bar[0, 0, 0]), 0.0),
            below("loss", "change of the loss, nat", lowered.loss - trace.loss, 0.0),
        )

    return each(context, look)


@claim(
    "pull-on-times",
    "3b",
    80,
    81,
    page="backward.md",
    item=11,
    says="Gradients from ū and s̄ flow back to both latent times.",
    right="With a drawn state only the time of that state gets any, and in states 2 and 4 "
    "neither does.",
)
def pull_on_times(context: Context) -> Evidence:
    """Asks of every cell and gene of the mini-batch whether one arrived at either time."""

    def look(trace: Trace) -> tuple[Check, ...]:
        return tuple(
            flows(name, f"gradients of {name.replace('_', ' of ')}", adjoint(trace, name))
            for name in ("time_induction", "time_repression")
        )

    return each(context, look)


@claim(
    "pull-on-decoders",
    "3b",
    82,
    83,
    page="backward.md",
    says="From the times gradients flow through both decoders to their weights.",
)
def pull_on_decoders(context: Context) -> Evidence:
    """Asks of every array of the decoders' weights whether one arrived, and cuts the times."""

    def look(trace: Trace) -> tuple[Check, ...]:
        cut = rerun(trace, {"time_induction": Cut(), "time_repression": Cut()})
        arrived = [x is not None and np.any(x) for x in weights_of(trace, "decoder")]
        other = [x is not None and np.any(x) for x in weights_of(cut, "decoder")]
        return (
            counted("arrays", "arrays of weights", arrived),
            equal("other", "arrays that get one by another way", sum(map(bool, other)), 0),
        )

    return each(context, look)


CLAIMS = (
    every_parameter,
    backward_efficient,
    starts_from_one,
    pull_on_predictions,
    pull_on_noise,
    noise_sharp_or_flat,
    kinetics_to_rates,
    penalty_to_rates,
    penalty_to_switch_time,
    alpha_should_fall,
    pull_on_times,
    pull_on_decoders,
)
