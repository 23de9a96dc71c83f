"""Exercises on the first values: the highest cells, the range of first weights."""

from __future__ import annotations

import math

import numpy as np

from velotrace.data import Expression, highest_cells
from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, number, table
from velotrace.model.networks import initial_limit


def highest(c: Chooser) -> Draft:
    """α and s* from the highest cells of one gene."""
    cells = tuple(f"Cell {n}" for n in range(1, 7))
    u, s = (np.array(c.decimals(name, 6, 0.05, 0.95, 0.01)) for name in "us")
    count = c.pick("count", (2, 4))  # of an odd number it would stand in the table
    data = Expression(cells, ("A",), u[:, None], s[:, None])
    upper = highest_cells(data, count)
    single, by_spliced = highest_cells(data, 1), np.median(np.sort(s)[::-1][:count])
    alpha = number(
        rf"The first value of $\alpha$: the median unspliced RNA of the {count} cells highest in "
        rf"it.",
        upper.unspliced[0],
        ("highest cell alone", single.unspliced[0], f"One cell only; take the {count} highest."),
        ("sum for mean", 2.0 * upper.unspliced[0], "A sum of two; take their mean."),
        ("all cells", np.median(u), f"The median of all cells; take the {count} highest."),
        signed=False,
    )
    s_star = number(
        "$s^*$: the median spliced RNA of the same cells.",
        upper.spliced[0],
        (
            "highest in spliced",
            by_spliced,
            "Those are the cells highest in spliced RNA. Take the cells that are highest in "
            "unspliced RNA.",
        ),
        ("highest cell alone", single.spliced[0], f"One cell only; take the {count} highest."),
        ("all cells", np.median(s), f"The median of all cells; take the {count} highest."),
        signed=False,
    )
    rows = [[cell, u[n], s[n]] for n, cell in enumerate(cells)]
    return Draft(
        "Gene A in six cells:\n\n" + table(["cell", "unspliced", "spliced"], rows),
        (alpha, s_star),
        f"Sort the cells by unspliced RNA, keep the {count} highest, and take the middle value of "
        "each column (of an even number of cells, the mean of the middle two).",
    )


def glorot(c: Chooser) -> Draft:
    """The range of a layer's first weights."""
    inputs, outputs = c.decimal("inputs", 6, 150, 1), c.decimal("outputs", 5, 120, 1)
    limit = initial_limit("glorot-uniform", int(inputs), int(outputs))
    kaiming = initial_limit("kaiming-uniform", int(inputs), int(outputs))
    part = number(
        "The largest size a first weight of this layer can have.",
        limit,
        ("Kaiming for Glorot", kaiming, "That is Kaiming's rule, which leaves the outputs out."),
        (
            "standard deviation",
            limit / math.sqrt(3.0),
            "That is the standard deviation of the uniform distribution, not its end.",
        ),
        ("root", limit**2, "The root is missing."),
        ("whole width", 2.0 * limit, "That is the width from end to end."),
        signed=False,
    )
    return Draft(
        f"A layer has {inputs:g} inputs and {outputs:g} outputs. Its first weights are drawn by "
        r"Glorot's rule, uniformly from $-a$ to $a$, such that their variance is "
        r"$2/(\text{inputs} + \text{outputs})$.",
        (part,),
        r"A uniform distribution from $-a$ to $a$ has variance $a^2/3$, so $a = "
        r"\sqrt{6/(\text{inputs} + \text{outputs})}$.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("highest-cells", "What the highest cells say", "number", highest),
    ("glorot", "The range of first weights", "number", glorot),
)
