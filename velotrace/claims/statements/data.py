"""Claims of sections 1 and 2a: the data, and where rates and switch times start."""

from __future__ import annotations

import numpy as np

from velotrace.claims.checks import above, agrees, below, counted, equal, same
from velotrace.claims.context import Context, each, once
from velotrace.claims.looking import values
from velotrace.claims.records import Check, Evidence, claim
from velotrace.counterfactuals import rerun
from velotrace.quantities import PARAMETERS
from velotrace.tape import Replace, leaves
from velotrace.walkthrough import Trace


@claim(
    "three-genes-four-cells",
    "1",
    2,
    says="The scenario has three genes in four cells.",
    page="data.md",
)
def size(context: Context) -> Evidence:
    """Counts the cells and genes of the table."""
    cells, genes = context.data.unspliced.shape
    return once(
        equal("cells", "cells", cells, context.document.cells),
        equal("genes", "genes", genes, context.document.genes),
    )


@claim(
    "list-of-parameters",
    "1",
    3,
    4,
    6,
    11,
    28,
    29,
    says="What is learnt is α, β, γ, the switch time and two deviations of each gene, and the "
    "weights of encoder and decoder networks.",
    page="initialisation.md",
)
def parameter_list(context: Context) -> Evidence:
    """Lists what the optimiser changes, and for each gene what the model reads from it."""

    def look(trace: Trace) -> tuple[Check, ...]:
        weights = [name for name, _ in leaves(trace.resolved.parameters) if "." in name]
        read = tuple(n for n in PARAMETERS if n in trace.tape.names)
        networks = {name.partition("_")[0] for name in weights}
        return (
            equal(
                "theta", "θ of the model", ", ".join(read), ", ".join(context.document.parameters)
            ),
            equal("networks", "networks", ", ".join(sorted(networks)), "decoder, encoder"),
        )

    return each(context, look)


@claim(
    "noise-is-deviation",
    "1",
    5,
    24,
    says="The noise that is learnt is a standard deviation.",
    page="initialisation.md",
    right="scvi-tools learns a variance, whose root is the deviation.",
)
def noise_is_deviation(context: Context) -> Evidence:
    """Puts the learnt number into SciPy's normal density as its deviation."""
    from scipy.stats import norm

    def look(trace: Trace) -> tuple[Check, ...]:
        name = "variance_u" if "variance_u" in trace.tape.names else "sigma_u"
        learnt, u, u_bar = (values(trace, n) for n in (name, "unspliced", "u_bar"))
        density = norm.logpdf(u, u_bar[..., 0], learnt)
        of_model = values(trace, "log_density_u")[..., 0]
        return (same("apart", "log density with the learnt number, off by", density, of_model),)

    return each(context, look)


@claim(
    "noise-by-gene",
    "1",
    5,
    23,
    says="Every gene has noise of its own, learnt with the rest.",
    page="initialisation.md",
)
def noise_by_gene(context: Context) -> Evidence:
    """Doubles the noise of gene A, and looks which genes' likelihoods change and what learns."""

    def look(trace: Trace) -> tuple[Check, ...]:
        doubled = rerun(trace, {"sigma_u": Replace(2.0 * values(trace, "sigma_u"), _gene_a(trace))})
        change = values(doubled, "log_likelihood") - values(trace, "log_likelihood")
        moved = np.abs(change).max(axis=0)
        steps = [
            info["change"]
            for name, info in trace.updates["adam"].items()
            if name.startswith(("sigma", "variance"))
        ]
        return (
            above("own", "largest change in gene A, nat", moved[0], 0.0),
            equal("others", "largest change in the other genes, nat", moved[1:].max(), 0.0),
            counted("steps", "noise parameters that a step changes", np.ravel(steps) != 0.0),
        )

    return each(context, look)


def _gene_a(trace: Trace) -> np.ndarray:
    return np.arange(len(trace.coords["gene"])) == 0


@claim(
    "min-max-scaled",
    "1",
    8,
    says="The data are scaled by minimum and maximum.",
    item=7,
    page="data.md",
    right="Each gene would then touch 0 and 1; the smallest value of all is "
    "{smallest} and the largest {largest}.",
)
def min_max_scaled(context: Context) -> Evidence:
    """Looks for the 0 and the 1 that min–max scaling leaves in every column."""
    columns = np.concatenate([context.data.unspliced, context.data.spliced], axis=1)
    touched = [*(columns.min(axis=0) == 0.0), *(columns.max(axis=0) == 1.0)]
    return once(
        counted("touched", "ends of columns that are 0 and 1", touched),
        equal("smallest", "smallest value", float(columns.min()), 0.0),
        equal("largest", "largest value", float(columns.max()), 1.0),
    )


@claim("table-of-data", "1", 9, says="The table of twelve pairs of abundances.", page="data.md")
def table(context: Context) -> Evidence:
    """Compares the document's table with the data that everything here was computed from."""
    document, data = context.document, context.data
    return once(
        agrees("unspliced", "unspliced", data.unspliced, document.unspliced, 1),
        agrees("spliced", "spliced", data.spliced, document.spliced, 1),
    )


@claim(
    "counts",
    "5.1",
    110,
    says="What the encoder reads are RNA counts.",
    page="data.md",
    right="They are scaled abundances; of them, {whole} are whole numbers.",
)
def counts(context: Context) -> Evidence:
    """Asks of every measurement whether it is a whole number."""
    measured = np.concatenate([context.data.unspliced, context.data.spliced], axis=None)
    return once(counted("whole", "whole numbers among the measurements", measured % 1.0 == 0.0))


def _median(context: Context, gene: str) -> float:
    data = context.data
    rows = data.rows(context.document.highest[gene])
    return float(np.median(data.unspliced[rows, data.genes.index(gene)]))


@claim(
    "alpha-values",
    "2a",
    12,
    13,
    14,
    15,
    says="α starts at 0.85, 0.75 and 0.55, the median unspliced RNA of the two cells named.",
    page="initialisation.md",
)
def alpha_values(context: Context) -> Evidence:
    """Takes the medians of the cells that the document names, and the start of each reading."""
    said = context.document.alpha
    medians = [_median(context, gene) for gene in context.data.genes]

    def look(trace: Trace) -> tuple[Check, ...]:
        return (
            agrees("medians", "medians", medians, said, 2),
            agrees("alpha", "α at the start", values(trace, "alpha"), said, 2),
        )

    return each(context, look)


@claim(
    "alpha-cells",
    "2a",
    13,
    14,
    15,
    says="The cells that give α (1 and 2, 3 and 4, 1 and 2) are the genes' highest.",
    page="initialisation.md",
)
def alpha_cells(context: Context) -> Evidence:
    """Sorts the cells of each gene by unspliced RNA."""
    data, hits = context.data, []
    for gene, named in context.document.highest.items():
        order = np.argsort(-data.unspliced[:, data.genes.index(gene)], kind="stable")
        hits.append({data.cells[n] for n in order[: len(named)]} == set(named))
    return once(counted("genes", "genes in which they are", hits))


@claim(
    "alpha-percentile",
    "2a",
    13,
    14,
    15,
    item=6,
    page="initialisation.md",
    says="The cells that give α are those of the top 99th percentile.",
    right="The cells there would make α {alpha}; the document's values need the two highest.",
)
def alpha_percentile(context: Context) -> Evidence:
    """Takes the cells at or above the percentile in each gene, and their median."""
    u, document = context.data.unspliced, context.document
    top = [column[column >= np.percentile(column, document.percentile)] for column in u.T]
    named = [len(cells) for cells in document.highest.values()]
    return once(
        agrees(
            "alpha", "medians above the percentile", [np.median(x) for x in top], document.alpha, 2
        ),
        counted(
            "cells",
            "genes with as many cells above it as are named",
            [len(x) == n for x, n in zip(top, named, strict=True)],
        ),
    )


def starts_at(context: Context, name: str, said: float) -> Evidence:
    """Whether a parameter of every gene starts at a stated positive value."""

    def look(trace: Trace) -> tuple[Check, ...]:
        return (
            agrees("start", f"{name} at the start", values(trace, name), said, 2),
            above("positive", "the smallest", float(values(trace, name).min()), 0.0),
        )

    return each(context, look)


@claim(
    "beta-start",
    "2a",
    16,
    17,
    says="β starts at the same small positive 0.1 for all genes.",
    page="initialisation.md",
)
def beta_start(context: Context) -> Evidence:
    """Reads β of every gene off the iteration of each reading."""
    return starts_at(context, "beta", context.document.beta)


@claim(
    "gamma-start",
    "2a",
    18,
    19,
    says="γ starts at the same small positive 0.05 for all genes.",
    page="initialisation.md",
)
def gamma_start(context: Context) -> Evidence:
    """Reads γ of every gene off the iteration of each reading."""
    return starts_at(context, "gamma", context.document.gamma)


@claim(
    "switch-time-start",
    "2a",
    20,
    21,
    says="The switch time starts at 10 for all genes, within 0 and t_max = 20.",
    page="initialisation.md",
)
def switch_time_start(context: Context) -> Evidence:
    """Reads t_s of every gene and t_max off the iteration of each reading."""
    document = context.document

    def look(trace: Trace) -> tuple[Check, ...]:
        t_max = trace.resolved.iteration.constants.t_max
        return (
            agrees("t_max", "t_max", t_max, document.t_max, 0),
            below(
                "inside", "the latest switch time", float(values(trace, "switch_time").max()), t_max
            ),
        )

    start = starts_at(context, "switch_time", document.switch_time)
    return {name: (*start[name], *checks) for name, checks in each(context, look).items()}


CLAIMS = (
    size,
    parameter_list,
    noise_is_deviation,
    noise_by_gene,
    min_max_scaled,
    table,
    counts,
    alpha_values,
    alpha_cells,
    alpha_percentile,
    beta_start,
    gamma_start,
    switch_time_start,
)
