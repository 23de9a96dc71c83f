"""Things to know beside the ledger: true of the model, though the document states nothing wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from velotrace.claims.checks import noted, share
from velotrace.claims.context import Context
from velotrace.claims.looking import values
from velotrace.claims.records import Check, Checks, shown
from velotrace.counterfactuals import counterfactual
from velotrace.model.distributions import softplus

SCVI_FREE = {"beta": 0.5, "gamma": -1.0}
"""The free values at which scvi-tools starts β and γ."""


@dataclass(frozen=True)
class Fact:
    """A thing to know.

    Attributes:
        id: short name.
        item: its number in the list of known errors and things to know.
        says: a sentence that quotes numbers by their keys.
        look: what computes them.
        page: of the book, where it is explained.
    """

    id: str
    item: int
    says: str
    look: Callable[[Context], Checks]
    page: str


@dataclass(frozen=True)
class Known:
    """A thing to know with its numbers.

    Attributes:
        fact: which.
        numbers: computed.
    """

    fact: Fact
    numbers: Checks

    @property
    def text(self) -> str:
        """The sentence with its numbers."""
        by_key = {check.key: shown(check.found, 5) for check in self.numbers}
        return re.sub(r"\{(\w+)\}", lambda m: by_key[m[1]], self.fact.says)


def _underflow(context: Context) -> Checks:
    log = float(
        values(context.trace, "log_density_u")[0, 0, 0]
        + values(context.trace, "log_density_s")[0, 0, 0]
    )
    return (noted("log", "log likelihood", log), noted("plain", "as float64", np.exp(log)))


def _mixtures(context: Context) -> Checks:
    change = ["rho_repression@Cell 1/A=0.5"]
    return tuple(
        noted(
            name,
            f"log likelihood, {name}",
            values(counterfactual(context.iteration(name), change), "log_likelihood")[0, 0],
        )
        for name in ("document", "paper", "joint")
    )


def _too_large(context: Context) -> Checks:
    largest = float(context.data.unspliced[:, 0].max())
    steady = float(values(context.trace, "u_bar")[0, 0, 1])
    beta, gamma = (float(softplus(SCVI_FREE[name])) for name in ("beta", "gamma"))
    return (
        noted("steady", "α/β of gene A", steady),
        noted("times", "in largest measurements", steady / largest),
        noted("beta", "scvi-tools' first β", beta),
        noted("gamma", "its first γ", gamma),
    )


def _reduction(context: Context) -> Checks:
    trace = context.trace
    penalty = float(values(trace, "switch_penalty").sum())
    weighed = trace.resolved.iteration.reading.switch_weight * penalty
    rest = trace.loss - weighed
    cells = len(trace.coords["cell"])
    return (
        noted("sum", "share of the penalty, summed", 100.0 * weighed / trace.loss),
        noted("mean", "share of it, with means", 100.0 * weighed / (weighed + rest / cells)),
    )


def _domain(context: Context) -> Checks:
    def left(softplus_held: bool) -> Check:
        flags = [
            ~e.stayed
            for name, e in context.trainings.items()
            if ("softplus" in name or name == "scvi-tools") == softplus_held
        ]
        found = share(np.concatenate(flags))
        key = "softplus" if softplus_held else "natural"
        return Check(key, f"runs that left, {key}", str(found), "", None, found)

    return (left(False), left(True))


FACTS = (
    Fact(
        "underflow",
        8,
        "The likelihood of Cell 1 and gene A is {plain} in float64; only its "
        "logarithm, {log}, survives.",
        _underflow,
        "likelihood.md",
    ),
    Fact(
        "mixtures",
        10,
        "For the same cell and gene, summing k out gives {paper} if u and s are "
        "summed separately and {joint} if jointly, against {document} with k drawn: separately, "
        "u may prefer one state and s another.",
        _mixtures,
        "likelihood.md",
    ),
    Fact(
        "too-large",
        12,
        "With β = 0.1 gene A would settle at {steady}, {times} times its largest "
        "measurement; scvi-tools starts at β = {beta} and γ = {gamma}.",
        _too_large,
        "initialisation.md",
    ),
    Fact(
        "reduction",
        13,
        "The switch penalty makes {sum} per cent of the loss where cells are "
        "summed, and {mean} per cent where their mean is taken.",
        _reduction,
        "loss.md",
    ),
    Fact(
        "domain",
        14,
        "Held as they are, parameters left their domain in {natural} trainings; "
        "held as softplus of free values, in {softplus}.",
        _domain,
        "evolution.md",
    ),
)


def known(context: Context) -> tuple[Known, ...]:
    """All things to know with their numbers."""
    return tuple(Known(fact, fact.look(context)) for fact in FACTS)
