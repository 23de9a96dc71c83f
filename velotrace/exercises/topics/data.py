"""Exercises on the data: reading the table."""

from __future__ import annotations

import numpy as np

from velotrace.data import Expression
from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, number, table, vector

GENES = ("A", "B")
CELLS = ("Cell 1", "Cell 2", "Cell 3", "Cell 4")


def read_the_table(c: Chooser) -> Draft:
    """Unspliced share of a cell and gene; each gene's mean."""
    pairs = [(cell, gene) for cell in CELLS for gene in GENES]
    u = np.array(c.decimals("u", len(pairs), 0.05, 0.95, 0.01)).reshape(4, 2)
    s = np.array(c.decimals("s", len(pairs), 0.05, 0.95, 0.01)).reshape(4, 2)
    data = Expression(CELLS, GENES, u, s)
    n, g = c.pick("cell", range(4)), c.pick("gene", range(2))
    shares = data.unspliced / (data.unspliced + data.spliced)
    rows = [[*pairs[i], u.ravel()[i], s.ravel()[i]] for i in c.order("rows", len(pairs))]
    share = number(
        f"Which share of the RNA of gene {GENES[g]} in {CELLS[n]} is unspliced?",
        shares[n, g],
        ("columns", 1.0 - shares[n, g], "That is the share of spliced RNA."),
        ("ratio", u[n, g] / s[n, g], "That is unspliced per spliced RNA. Divide by their sum."),
        ("another gene", shares[n, 1 - g], "Right cell, but the row of the other gene."),
        ("another cell", shares[(n + 1) % 4, g], "Right gene, but the row of another cell."),
        signed=False,
    )
    means = vector(
        "Mean unspliced RNA over all cells, gene A first, then gene B.",
        data.unspliced.mean(axis=0),
        ["gene A", "gene B"],
        ("columns", data.spliced.mean(axis=0), "That is the mean of spliced RNA."),
        ("sum for mean", data.unspliced.sum(axis=0), "A sum, not a mean."),
        points=1,
    )
    return Draft(
        "One row per cell and gene, in no particular order:\n\n"
        + table(["cell", "gene", "unspliced", "spliced"], rows),
        (share, means),
        r"$u/(u + s)$ of the one row; the sum of a gene's four $u$, divided by four.",
    )


QUESTIONS: tuple[Entry, ...] = (("read-the-table", "Reading the table", "vector", read_the_table),)
