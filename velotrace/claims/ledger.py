"""The ledger: all claims in the document's order, tested one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from velotrace.claims.context import Context
from velotrace.claims.facts import Known, known
from velotrace.claims.records import Claim, Finding, Verdict
from velotrace.claims.statements import (
    course,
    data,
    dirichlet,
    doc_1,
    draws,
    gradients,
    learnt,
    networks,
    noise,
    predictions,
    priors,
    terms,
    update,
)
from velotrace.data import closest
from velotrace.errors import InputError

CLAIMS: tuple[Claim, ...] = tuple(
    sorted(
        (
            *data.CLAIMS,
            *networks.CLAIMS,
            *draws.CLAIMS,
            *predictions.CLAIMS,
            *doc_1.CLAIMS,
            *terms.CLAIMS,
            *gradients.CLAIMS,
            *update.CLAIMS,
            *course.CLAIMS,
            *noise.CLAIMS,
            *learnt.CLAIMS,
            *priors.CLAIMS,
            *dirichlet.CLAIMS,
        ),
        key=lambda one: (one.section, one.paragraphs),
    )
)
"""Every checkable statement of the document, in its order."""


@dataclass(frozen=True)
class Ledger:
    """All claims with what was found.

    Attributes:
        findings: one for each claim, in order.
        facts: things to know beside them.
    """

    findings: tuple[Finding, ...]
    facts: tuple[Known, ...] = ()

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many claims got each verdict."""
        verdicts = [finding.verdict for finding in self.findings]
        return {verdict: verdicts.count(verdict) for verdict in Verdict}

    @property
    def summary(self) -> str:
        """One line that fits a terminal of 80 columns."""
        words = {
            Verdict.HOLDS: "hold",
            Verdict.THIS_READING: "in this reading only",
            Verdict.LOOSE: "loose",
            Verdict.WRONG: "wrong",
            Verdict.UNDECIDABLE: "undecided",
        }
        parts = ", ".join(f"{n} {words[verdict]}" for verdict, n in self.counts.items())
        return f"{len(self.findings)} claims: {parts}"


def test(one: Claim, context: Context) -> Finding:
    """Put one claim to the test."""
    return Finding(one, one.test(context), context.own)


def ledger(
    context: Context,
    claims: Iterable[Claim] = CLAIMS,
    done: Callable[[Claim], None] = lambda _: None,
) -> Ledger:
    """Put claims to the test, and compute the things to know beside them.

    Args:
        context: what to test them on.
        claims: which; all unless given.
        done: called after each.

    Returns:
        The ledger.
    """
    findings = []
    for one in claims:
        findings.append(test(one, context))
        done(one)
    return Ledger(tuple(findings), known(context))


def find(name: str) -> Claim:
    """The claim of this id.

    Raises:
        InputError: there is none, with the nearest that there is.
    """
    by_id = {one.id: one for one in CLAIMS}
    if name not in by_id:
        hint = closest(name, by_id)
        raise InputError(f"no claim has the id {name!r}{hint}; velotrace claims lists all")
    return by_id[name]
