"""A gradient by loss term: how much of it each cell and gene sends through each term.

Every way from the loss back to what the model computes first passes through exactly one of the
values in `CUT`. So a term's share is what arrives when the term's own adjoint, at one cell and gene
alone, is carried back to the target; the shares of all of them sum to the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from velotrace.attribution.graph import output_name, pull_to
from velotrace.attribution.reasons import (
    NoPath,
    is_local,
    why_no_share,
    why_no_term,
)
from velotrace.selection import Selection, dims_of, in_words, labels_of
from velotrace.walkthrough import Trace

CUT = (
    "log_density_u",
    "log_density_s",
    "pi",
    "kl_z",
    "kl_pi",
    "switch_penalty_u",
    "switch_penalty_s",
)
"""The loss's terms, each by the named value that only it passes through; `pi` in mixtures only."""


@dataclass(frozen=True)
class Term:
    """What one term of the loss, at one cell and gene, adds to a gradient.

    Attributes:
        term: a name of `CUT`, or of the target itself where it lies after them.
        cell: its cell; None where the term has none, or is zero for all.
        gene: its gene, likewise.
        value: the share.
    """

    term: str
    cell: str | None
    gene: str | None
    value: float


def terms_of(
    trace: Trace, selection: Selection, between: frozenset[str]
) -> tuple[list[Term], list[NoPath]]:
    """The shares of all terms, and the terms that send nothing, with the reason.

    Args:
        trace: of one iteration.
        selection: of which gradient; the components chosen are summed.
        between: the value's descendants by name.

    Returns:
        The terms in order of computation, cell and gene; then those without a path.
    """
    terms: list[Term] = []
    without: list[NoPath] = []
    for member in members(trace, selection.name, between):
        adjoint = trace.tape[member].adjoint
        seeds = None if adjoint is None else {member: adjoint}
        if seeds is None or pull_to(trace.tape, seeds, selection.name, between) is None:
            reason = why_no_term(trace, selection, member, between)
            without.append(NoPath(member, None, None, (), reason))
            continue
        without += _elsewhere(trace, selection, member)
        for share in _shares(trace, selection, member, between):
            at = (share.cell, share.gene)
            reason = "" if share.value else why_no_share(trace, selection, member, at, between)
            if reason:
                without.append(NoPath(member, *at, (), reason))
            else:
                terms.append(share)
    return terms, _merged(without)


def _merged(without: list[NoPath]) -> list[NoPath]:
    """Reasons that hold for several cells and genes of a term, said once and of none of them."""
    groups: dict[tuple[str | None, str], list[NoPath]] = {}
    for entry in without:
        groups.setdefault((entry.term, entry.reason), []).append(entry)
    return [
        group[0] if len(group) == 1 else NoPath(term, None, None, (), reason)
        for (term, reason), group in groups.items()
    ]


def members(trace: Trace, name: str, between: frozenset[str]) -> tuple[str, ...]:
    """The values that cut the target off from the loss: `CUT`, or itself if it lies after them."""
    known = [member for member in CUT if member in trace.tape.names]
    if trace.resolved.iteration.reading.draws_state and "pi" not in between:
        known.remove("pi")  # there the likelihood has no way through π, for any target
    if output_name(trace.tape) in between and not any(member in between for member in known):
        return (name,)
    return tuple(known)


def _shares(
    trace: Trace, selection: Selection, member: str, between: frozenset[str]
) -> Iterator[Term]:
    """The share of each cell and gene of a term, where it has these dimensions.

    Cells meet nowhere before the loss, and genes only inside the networks; what belongs to others
    than the target's is left out. (That the shares sum to the gradient is checked in the end.)
    """
    adjoint = np.asarray(trace.tape[member].adjoint)
    dims, labels = dims_of(trace, member), labels_of(trace, member)
    cells, genes = (labels[dims.index(dim)] if dim in dims else (None,) for dim in ("cell", "gene"))
    own_cell, own_gene = (selection.coords.get(dim) for dim in ("cell", "gene"))
    if not is_local(trace, between, member):
        own_gene = None
    for n, cell in enumerate(cells):
        for g, gene in enumerate(genes):
            if not (_same(cell, own_cell) and _same(gene, own_gene)):
                continue
            seed = np.zeros_like(adjoint)
            at = tuple({"cell": n, "gene": g}.get(dim, slice(None)) for dim in dims)
            seed[at] = adjoint[at]
            arrived = pull_to(trace.tape, {member: seed}, selection.name, between)
            assert arrived is not None  # the whole term has a path, so each part of it has
            yield Term(member, cell, gene, float(np.sum(arrived[selection.mask])))


def _same(label: str | None, other: str | None) -> bool:
    """Whether two labels can belong to one component; None fits all."""
    return label is None or other is None or label == other


def _elsewhere(trace: Trace, selection: Selection, member: str) -> list[NoPath]:
    """That the other cells and genes of a term have values of their own."""
    found = []
    for dim, labels in zip(dims_of(trace, member), labels_of(trace, member), strict=True):
        chosen = selection.coords.get(dim)
        if dim in ("cell", "gene") and chosen is not None and len(labels) > 1:
            where = in_words(dim, chosen)
            reason = f"{selection.name} of {where} acts on {where} alone"
            found.append(NoPath(member, None, None, (), reason))
    return found
