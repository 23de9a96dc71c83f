"""Claims of section 4 on what becomes of the noise, over many seeds in every reading."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import (
    counted,
    likely,
    may,
    noted,
    undecided,
    will,
)
from velotrace.claims.context import Context, each, once, trained
from velotrace.claims.ensembles import Ensemble
from velotrace.claims.looking import NOISE, median, values
from velotrace.claims.records import Check, Evidence, claim
from velotrace.claims.statements.course import stacked, steady
from velotrace.counterfactuals import rerun
from velotrace.tape import Replace
from velotrace.walkthrough import Trace


@claim(
    "noise-appropriate",
    "4",
    101,
    page="evolution.md",
    item=9,
    says="σ will come to reflect the level of noise and variability of each gene.",
    right="The least of them ends at {least}, median over the runs; all cells together spread "
    "by {spread} at most.",
)
def noise_appropriate(context: Context) -> Evidence:
    """Asks of every run whether no σ is larger than the spread of all cells of its gene."""
    spread = np.stack([x.std(axis=0) for x in (context.data.unspliced, context.data.spliced)])

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        ends = stacked(ensemble, NOISE)[:, :, -1]
        return (
            will("runs", "runs in which none is", (ends < spread[:, None]).all(axis=(0, 2))),
            noted("least", "least σ at the end, median", median(ends.min(axis=(0, 2)))),
            noted("spread", "largest standard deviation of the data", float(spread.max())),
        )

    return trained(context, look)


@claim("noise-rises-first", "4", 101, page="evolution.md", says="σ will likely rise at first.")
def noise_rises_first(context: Context) -> Evidence:
    """Asks of every run whether all six are larger after ten epochs than at the start."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        course = stacked(ensemble, NOISE)
        later = course[:, :, min(10, ensemble.epochs)]
        return (likely("runs", "runs in which all do", (later > course[:, :, 0]).all(axis=(0, 2))),)

    return trained(context, look)


@claim(
    "larger-noise-likelier",
    "4",
    101,
    page="likelihood.md",
    says="A larger variance gives a higher likelihood while predictions are far off.",
)
def larger_noise_likelier(context: Context) -> Evidence:
    """Doubles each of the six σ alone in the first iteration."""

    def look(trace: Trace) -> tuple[Check, ...]:
        gains = []
        for name in NOISE:
            for gene in range(len(trace.coords["gene"])):
                chosen = np.arange(len(trace.coords["gene"])) == gene
                doubled = rerun(trace, {name: Replace(2.0 * values(trace, name), chosen)})
                gains.append(
                    float(
                        (values(doubled, "log_likelihood") - values(trace, "log_likelihood")).sum()
                    )
                )
        return (
            counted("higher", "σ that raise it when doubled", np.array(gains) > 0.0),
            noted("least", "least gain, nat", min(gains)),
        )

    return each(context, look)


@claim(
    "noise-stabilises",
    "4",
    101,
    page="evolution.md",
    says="As predictions improve, σ might stabilise.",
)
def noise_stabilises(context: Context) -> Evidence:
    """Looks for a run in which all six stay within 5 % over the last tenth of the epochs."""

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        return (may("runs", "runs in which all do", steady(ensemble, NOISE)),)

    return trained(context, look)


@claim(
    "noise-true",
    "4",
    101,
    page="evolution.md",
    says="σ might come to reflect the true biological and technical noise.",
    right="The true noise is not within a fifth of what training ends at.",
)
def noise_true(context: Context) -> Evidence:
    """Compares them with the true noise within a fifth, where it is known."""
    truth = context.truth
    if truth is None:
        return once(undecided("truth", "true noise of the document's data", "known noise"))

    def look(ensemble: Ensemble) -> tuple[Check, ...]:
        ends = stacked(ensemble, NOISE)[:, :, -1]
        off = np.abs(ends / np.stack([truth[name] for name in NOISE])[:, None] - 1.0)
        return (may("runs", "runs in which they do", (off < 0.2).all(axis=(0, 2))),)

    return trained(context, look)


CLAIMS = (
    noise_appropriate,
    noise_rises_first,
    larger_noise_likelier,
    noise_stabilises,
    noise_true,
)
