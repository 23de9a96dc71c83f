"""Claims of sections 4 and 5.1 on what the networks learn, over many seeds in every reading."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import below, likely, may, noted, undecided, will
from velotrace.claims.context import Context, once, trained
from velotrace.claims.ensembles import Ensemble
from velotrace.claims.looking import PAIRS, median, scatter
from velotrace.claims.records import Check, Evidence, claim
from velotrace.claims.statements.course import NOISE_OF_CELLS


@claim(
    "latent-meaningful",
    "4",
    103,
    102,
    92,
    page="evolution.md",
    says="The encoder learns a meaningful latent space.",
    right="The share of the runs in which like cells lie together is {runs}.",
)
def latent_meaningful(context: Context) -> Evidence:
    """Asks of every run whether like cells lie nearer to each other than unlike ones."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        return (will("runs", "runs in which they do", like_cells_together(ensemble)),)

    return trained(context, look)


def like_cells_together(ensemble: Ensemble) -> np.ndarray:
    """For each seed, whether like cells lie nearer to each other than any unlike ones."""
    mean = ensemble.final["mu_z"]
    apart = np.linalg.norm(mean[:, :, None] - mean[:, None], axis=-1)
    like = np.max([apart[:, a, b] for a, b in PAIRS], axis=0)
    unlike = np.min([apart[:, a, b] for a in PAIRS[0] for b in PAIRS[1]], axis=0)
    return np.asarray(like < unlike)


@claim(
    "states-learnt",
    "4",
    103,
    92,
    page="evolution.md",
    item=9,
    says="The encoder learns accurate state probabilities.",
    right="With a drawn state it cannot: the share of the runs that did is {runs}, and the "
    "concentrations are back at their prior to within {off}.",
)
def states_learnt(context: Context) -> Evidence:
    """Asks of every run whether it has genes A and B on their way up in the right cells alone."""
    prior = context.document.prior[0]

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        concentration = ensemble.final["concentration"]
        off = np.abs(concentration - prior).max(axis=(1, 2, 3))
        return (
            will("runs", "runs in which it does", ensemble.found_states),
            noted(
                "off",
                "largest distance of a concentration from the prior, median",
                median(off),
            ),
        )

    return trained(context, look)


@claim(
    "compressing",
    "4",
    103,
    page="encoder.md",
    item=15,
    says="The encoder compresses high-dimensional data into few dimensions.",
    right="Here {inputs} inputs become {latent} latent dimensions.",
)
def compressing(context: Context) -> Evidence:
    """Counts what goes into the encoder and what comes out."""
    inputs = 2 * len(context.data.genes)
    latent = context.trace.tape["z"].value.shape[-1]
    return once(
        below("ratio", "latent dimensions per input", latent / inputs, 1.0),
        noted("inputs", "inputs", inputs),
        noted("latent", "latent dimensions", latent),
    )


@claim(
    "kl-z-keeps-near",
    "4",
    103,
    106,
    116,
    118,
    page="evolution.md",
    says="The divergence of z keeps the latent space compact around the origin.",
)
def kl_z_keeps_near(context: Context) -> Evidence:
    """Asks of every seed whether the posteriors end nearer to the prior with it than without."""
    return {
        name: (
            will(
                "runs", "seeds in which they do", context.trainings[name].off_prior < free.off_prior
            ),
            noted(
                "with",
                "KL_z with it, median, nat",
                median(context.trainings[name].off_prior),
            ),
            noted("without", "KL_z without it, median, nat", median(free.off_prior)),
        )
        for name, free in context.without_kl_z.items()
    }


@claim(
    "kl-z-costs-fit",
    "5.1",
    117,
    page="evolution.md",
    says="Without the divergence of z the encoder could use arbitrary regions and reconstruct "
    "perfectly.",
    right="Without it the posteriors leave the prior; the least misfit of all runs is {misfit}, "
    "where like cells scatter by {scatter}.",
)
def kl_z_costs_fit(context: Context) -> Evidence:
    """Looks for seeds that without it end far from the prior, and for some that fit the data."""
    bound = NOISE_OF_CELLS * scatter(context)
    return {
        name: (
            may(
                "far",
                "seeds that end twice as far from the prior",
                free.off_prior > 2.0 * context.trainings[name].off_prior,
            ),
            may("fit", "seeds that reconstruct the data", free.misfit < bound),
            noted("misfit", "least misfit without it", float(np.min(free.misfit))),
            noted("scatter", "scatter of like cells", bound / NOISE_OF_CELLS),
        )
        for name, free in context.without_kl_z.items()
    }


@claim(
    "kl-z-orders",
    "5.1",
    117,
    page="evolution.md",
    says="Without the divergence of z like cells would not lie together in latent space.",
    right="The share of the runs in which they do without it is {runs}.",
)
def kl_z_orders(context: Context) -> Evidence:
    """Asks of every run without it whether some like cells lie farther apart than unlike ones."""
    return {
        name: (
            will("apart", "runs in which they do not", ~like_cells_together(free) & free.stayed),
            noted("runs", "share in which they do", float(like_cells_together(free).mean())),
        )
        for name, free in context.without_kl_z.items()
    }


@claim(
    "kl-z-samples",
    "5.1",
    117,
    118,
    page="evolution.md",
    says="With the divergence of z, samples of the prior p(z) decode to realistic data; "
    "without it they do not.",
    right="Samples lie {with} from the nearest cell with it and {without} without it, median; "
    "like cells scatter by {scatter}.",
)
def kl_z_samples(context: Context) -> Evidence:
    """Decodes samples of p(z) and measures how far they lie from the nearest cell of the data."""
    bound = NOISE_OF_CELLS * scatter(context)
    return {
        name: (
            will(
                "realistic",
                "runs in which they are, with it",
                context.trainings[name].off_samples < bound,
            ),
            will(
                "worse",
                "runs in which they are farther off without it",
                free.off_samples > context.trainings[name].off_samples,
            ),
            noted("with", "distance with it", median(context.trainings[name].off_samples)),
            noted("without", "distance without it", median(free.off_samples)),
            noted("scatter", "scatter of like cells", bound / NOISE_OF_CELLS),
        )
        for name, free in context.without_kl_z.items()
    }


@claim(
    "generalises",
    "4",
    103,
    118,
    page="evolution.md",
    says="The divergences keep the encoder from overfitting and help it to generalise.",
    right="Cells that training has not seen are not predicted better with it.",
)
def generalises(context: Context) -> Evidence:
    """Compares the misfit of cells that no training has seen, where there are any."""
    unseen = context.held_out
    if unseen is None:
        return once(undecided("cells", "cells that training has not seen", "such cells"))
    return {
        name: (
            likely(
                "runs",
                "seeds in which they do",
                context.trainings[name].misfit_of(unseen) < free.misfit_of(unseen),
            ),
        )
        for name, free in context.without_kl_z.items()
    }


@claim(
    "times-specific",
    "4",
    104,
    83,
    page="evolution.md",
    says="The decoder learns times of each cell's own.",
    right="The share of the runs in which it does is {runs}.",
)
def times_specific(context: Context) -> Evidence:
    """Asks of every run whether in some gene the cells' times lie over 5 % of t_max apart."""
    t_max = context.trace.resolved.iteration.constants.t_max

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        names = ("time_induction", "time_repression")
        apart = [np.ptp(ensemble.final[name], axis=1).max(axis=-1) / t_max for name in names]
        return (will("runs", "runs in which they do", np.max(apart, axis=0) > 0.05),)

    return trained(context, look)


@claim(
    "reconstructs",
    "4",
    104,
    83,
    page="evolution.md",
    says="Decoder and rates accurately reconstruct the observed dynamics.",
    right="The median share of the variance between cells that is reconstructed is {explained}.",
)
def reconstructs(context: Context) -> Evidence:
    """Asks of every run whether its predictions explain nine tenths of the cells' variance."""
    columns = np.concatenate([context.data.unspliced, context.data.spliced], axis=1)
    variance = float(columns.var(axis=0).mean())

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        explained = 1.0 - ensemble.misfit**2 / variance
        return (
            will("runs", "runs in which they do", explained > 0.9),
            noted("explained", "share explained, median", median(explained)),
        )

    return trained(context, look)


CLAIMS = (
    latent_meaningful,
    states_learnt,
    compressing,
    kl_z_keeps_near,
    kl_z_costs_fit,
    kl_z_orders,
    kl_z_samples,
    generalises,
    times_specific,
    reconstructs,
)
