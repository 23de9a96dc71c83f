"""Claims of sections 2b and 2c: where noise and networks start."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import above, agrees, below, equal, likely, noted, same
from velotrace.claims.context import Context, each, once
from velotrace.claims.looking import PAIRS, ancestors, values
from velotrace.claims.records import Check, Evidence, claim
from velotrace.claims.statements.data import starts_at
from velotrace.counterfactuals import counterfactual, rerun
from velotrace.model.networks import initial_limit
from velotrace.tape import Replace, leaves
from velotrace.walkthrough import Trace


@claim(
    "sigma-start",
    "2b",
    24,
    25,
    26,
    says="All six standard deviations start at 0.1.",
    page="initialisation.md",
)
def sigma_start(context: Context) -> Evidence:
    """Reads both deviations of every gene off the iteration of each reading."""
    both = [starts_at(context, name, context.document.sigma) for name in ("sigma_u", "sigma_s")]
    return {reading: both[0][reading] + both[1][reading] for reading in context.traces}


@claim(
    "sigma-reflects",
    "2b",
    24,
    page="kinetics.md",
    says="The start of σ reflects the first uncertainty, or the baseline noise.",
    right="It is of the size of the scatter between like cells ({noise}); the first predictions "
    "are out by {misfit}.",
)
def sigma_reflects(context: Context) -> Evidence:
    """Compares σ with the scatter of like cells and with the misfit of the first predictions."""
    pairs = [
        x[list(pair)].std(axis=0, ddof=1)
        for pair in PAIRS
        for x in (context.data.unspliced, context.data.spliced)
    ]
    noise = float(np.sqrt(np.mean(np.square(pairs))))

    def look(trace: Trace) -> tuple[Check, ...]:
        residuals = [
            values(trace, seen)[..., None] - values(trace, predicted)
            for seen, predicted in (("unspliced", "u_bar"), ("spliced", "s_bar"))
        ]
        weights = values(trace, "pi")
        misfit = float(np.sqrt(np.mean(np.sum(weights * np.square(residuals), axis=-1))))
        sigma = float(values(trace, "sigma_u").mean())
        return (
            below(
                "noise_ratio",
                "σ, in scatters of like cells, off by a factor of",
                max(sigma / noise, noise / sigma),
                2.0,
            ),
            below(
                "misfit_ratio",
                "σ, in first misfits, off by a factor of",
                max(sigma / misfit, misfit / sigma),
                2.0,
            ),
            noted("noise", "scatter of like cells", noise),
            noted("misfit", "root mean squared misfit, weighted by π*", misfit),
        )

    return each(context, look)


@claim(
    "state-scale",
    "2b",
    27,
    page="initialisation.md",
    says="c is fixed: 0.1 in state 4 and 1 in the others; it is not learnt.",
)
def state_scale(context: Context) -> Evidence:
    """Reads c off each reading, and takes it out of the densities of each state."""

    def look(trace: Trace) -> tuple[Check, ...]:
        learnt = [name for name, _ in leaves(trace.resolved.parameters) if "scale" in name]
        scale = trace.resolved.iteration.constants.state_scale
        u, u_bar, log = (values(trace, n) for n in ("unspliced", "u_bar", "log_density_u"))
        sigma = values(trace, "sigma_u")[..., None] * np.array(context.document.state_scale)
        squared = ((u[..., None] - u_bar) / sigma) ** 2
        return (
            agrees("c", "c", scale, context.document.state_scale, 1),
            same(
                "apart",
                "log densities with it, off by",
                log,
                -0.5 * squared - np.log(sigma) - 0.5 * np.log(2.0 * np.pi),
            ),
            equal("learnt", "parameters that hold it", len(learnt), 0),
        )

    return each(context, look)


@claim(
    "encoder-gives-pi",
    "2c",
    30,
    31,
    32,
    40,
    page="states.md",
    says="The encoder takes u and s and puts out the parameters of q(z) and of q(π).",
    right="q(π) is conditioned on z*, as the document writes it: with z* held, other "
    "measurements change its concentrations by {pi}.",
)
def encoder_gives_pi(context: Context) -> Evidence:
    """Changes Cell 1's measurement, with z* free and with z* held, and looks what changes."""

    def look(trace: Trace) -> tuple[Check, ...]:
        change = ["unspliced@Cell 1/A=0.3"]
        moved = counterfactual(trace, change)
        held = rerun(
            trace,
            {"unspliced": Replace(values(moved, "unspliced")), "z": Replace(values(trace, "z"))},
        )
        q_z = np.abs(values(moved, "mu_z") - values(trace, "mu_z")).max()
        q_pi = np.abs(values(held, "concentration") - values(trace, "concentration")).max()
        return (
            above("z", "largest change of the mean of q(z)", float(q_z), 0.0),
            above("pi", "largest change of a concentration, z* held", float(q_pi), 0.0),
        )

    return each(context, look)


@claim(
    "random-weights",
    "2c",
    33,
    35,
    page="initialisation.md",
    says="The weights start as a large set of random numbers, by a rule such as Glorot's.",
)
def random_weights(context: Context) -> Evidence:
    """Compares the first weights with the range of Glorot's rule, and counts them."""

    def look(trace: Trace) -> tuple[Check, ...]:
        networks = [n for n in trace.resolved.parameters.values() if isinstance(n, list)]
        matrices = [layer["W"] for network in networks for layer in network]
        spread = [np.abs(w).max() / initial_limit("glorot-uniform", *w.shape) for w in matrices]
        different = len(np.unique(np.concatenate([w.ravel() for w in matrices])))
        return (
            above("count", "different weights", different, context.data.unspliced.size * 2.0),
            below("largest", "largest weight, in its limits", max(spread), 1.0),
            above("fill", "least filled range", min(spread), 0.5),
        )

    return each(context, look)


@claim(
    "initialisers-help",
    "2c",
    33,
    35,
    page="initialisation.md",
    says="Glorot's and Kaiming's rules help the training to be stable.",
)
def initialisers_help(context: Context) -> Evidence:
    """Counts, seed by seed, hidden units that saturate, against weights from N(0, 1)."""
    d, hidden = context.trace.resolved.architecture.latent, 16
    numbers = context.random("initialisers")
    fewer: dict[str, list[bool]] = {"glorot-uniform": [], "kaiming-uniform": []}
    for _ in range(100):
        z = numbers.standard_normal((64, d))
        plain = np.tanh(z @ numbers.standard_normal((d, hidden)))
        for rule, found in fewer.items():
            limit = initial_limit(rule, d, hidden)  # type: ignore[arg-type]
            h = np.tanh(z @ numbers.uniform(-limit, limit, (d, hidden)))
            found.append(bool(np.mean(np.abs(h) > 0.99) < np.mean(np.abs(plain) > 0.99)))
    return once(*(likely(rule, f"{rule}: fewer saturate", found) for rule, found in fewer.items()))


@claim(
    "decoder-range",
    "2c",
    34,
    47,
    page="times.md",
    says="The decoders take z and put out shares of the time axis.",
)
def decoder_range(context: Context) -> Evidence:
    """Reads the shares off each reading, and changes the data while z is held."""

    def look(trace: Trace) -> tuple[Check, ...]:
        shares = np.concatenate([values(trace, f"rho_{k}") for k in ("induction", "repression")])
        other = {"unspliced": Replace(1.0 - values(trace, "unspliced"))}
        held = rerun(trace, other | {"z": Replace(values(trace, "z"))})
        apart = np.abs(values(held, "rho_induction") - values(trace, "rho_induction")).max()
        moved = rerun(trace, {"z": Replace(values(trace, "z") + 1.0)})
        by_z = np.abs(values(moved, "rho_induction") - values(trace, "rho_induction")).max()
        return (
            above("smallest", "smallest share", float(shares.min()), 0.0),
            below("largest", "largest share", float(shares.max()), 1.0),
            equal("data", "change with other data, z held", float(apart), 0.0),
            above("z", "change with another z", float(by_z), 0.0),
        )

    return each(context, look)


@claim(
    "two-decoders",
    "2c",
    34,
    47,
    page="initialisation.md",
    says="Induction and repression have a decoder network each.",
    right="scvi-tools has one hidden layer for both, with a head each.",
)
def two_decoders(context: Context) -> Evidence:
    """Looks for weights that both times are computed from, the encoder's aside."""

    def look(trace: Trace) -> tuple[Check, ...]:
        both = ancestors(trace, "rho_induction") & ancestors(trace, "rho_repression")
        shared = [name for name in both if name.startswith("decoder") and name[-1] in "Wb"]
        return (equal("shared", "arrays of weights in common", len(shared), 0),)

    return each(context, look)


CLAIMS = (
    sigma_start,
    sigma_reflects,
    state_scale,
    encoder_gives_pi,
    random_weights,
    initialisers_help,
    decoder_range,
    two_decoders,
)
