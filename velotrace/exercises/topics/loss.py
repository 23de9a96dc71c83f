"""Exercises on the loss: all terms together."""

from __future__ import annotations

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import terms_of_the_loss, walkthrough
from velotrace.exercises.parts import Draft, Entry, number, table


def total(c: Chooser) -> Draft:
    """The loss of two cells as a sum, and as a mean."""
    sigma = c.decimal("sigma", 0.8, 4.0, 0.01)
    weight = c.decimal("switch_weight", 0.05, 0.95, 0.05)
    values = terms_of_the_loss(sigma, weight)
    mean = terms_of_the_loss(sigma, weight, "mean")
    data = values["log_likelihood"].sum()
    divergence = values["kl_z"].sum() + values["kl_pi"].sum()
    penalty = values["switch_penalty"].sum()
    summed, averaged = float(values["loss"]), float(mean["loss"])
    first = number(
        "The loss, with terms of cells summed.",
        summed,
        (
            "sign of the likelihood",
            data + divergence + weight * penalty,
            "The log likelihood enters with a minus sign: the more likely, the smaller the loss.",
        ),
        ("mean for sum", averaged, "That takes the mean over cells."),
        ("weight forgotten", summed + (1.0 - weight) * penalty, "The penalty's weight is missing."),
        (
            "divergence of π forgotten",
            summed - values["kl_pi"].sum(),
            "The divergences of $\\pi$ are missing.",
        ),
        (
            "penalty per cell",
            summed + weight * penalty,
            "The penalty belongs to the genes and counts once, not once per cell.",
        ),
        points=2,
    )
    second = number(
        "The loss, with the mean over cells instead.",
        averaged,
        ("sum for mean", summed, "That is the sum over cells."),
        (
            "penalty halved too",
            0.5 * summed,
            "The penalty does not belong to cells: it is not averaged over them.",
        ),
        (
            "mean over genes too",
            averaged + data / 2 - data / 6,
            "The mean is over cells alone; the genes of a cell are summed.",
        ),
        ("sign of the likelihood", averaged + data, "The log likelihood enters with a minus sign."),
    )
    trace = walkthrough()
    cells, genes = trace.coords["cell"], trace.coords["gene"]
    likelihoods, divergences = values["log_likelihood"], values["kl_pi"]
    rows = [
        [r"$\mathrm{KL}_z$", *values["kl_z"]],
        *([f"log likelihood, {gene}", *likelihoods[:, g]] for g, gene in enumerate(genes)),
        *([rf"$\mathrm{{KL}}_\pi$, {gene}", *divergences[:, g]] for g, gene in enumerate(genes)),
    ]
    terms = table(["term", *cells], [[term, *map(_four, numbers)] for term, *numbers in rows])
    penalties = table(
        ["gene", *genes], [["switch penalty", *(_four(x) for x in values["switch_penalty"])]]
    )
    return Draft(
        f"The terms of one mini-batch, in nat:\n\n{terms}\n\n{penalties}\n\n"
        rf"The penalty has the weight $\lambda = {weight:g}$.",
        (first, second),
        r"$-\sum\log\text{likelihood} + \sum(\mathrm{KL}_z + \mathrm{KL}_\pi) + "
        r"\lambda\sum_g\text{penalty}$; the mean divides the first two by the number of cells.",
    )


def _four(value: float) -> str:
    """Enough digits that four of the sum are sure."""
    return f"{value:.6g}"


QUESTIONS: tuple[Entry, ...] = (("loss", "All terms together", "number", total),)
