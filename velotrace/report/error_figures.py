"""Pictures of the pages on errors, where one says more than a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from velotrace.model.kinetics import s_induction, u_induction
from velotrace.quantities import PARAMETERS
from velotrace.report.figure_style import CELL, PALE, SPLICED, UNSPLICED, panels
from velotrace.studies.divergences import (
    drawn_log_probabilities,
    kl_dirichlet,
    printed_kl_dirichlet,
)
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWS, BINS, SEED = 20_000, 50, 0
"""Of a histogram of drawn probabilities."""


# ---- a divergence below zero ----------------------------------------------------------------


def dirichlet_ray(prior: float) -> Figure:
    """Both formulas along a ray: all four concentrations equal, from below the prior's upward."""
    at = np.geomspace(prior / 4.0, 8.0 * prior, 200)
    alike = np.broadcast_to(at[:, None], (len(at), 4))
    right, printed = kl_dirichlet(alike, prior), printed_kl_dirichlet(alike, prior)
    figure, ((panel,),) = panels(1, 1, 3.6)
    panel.plot(at, right, color=UNSPLICED, label="the divergence")
    panel.plot(at, printed, "--", color=SPLICED, label="doc (2) as printed")
    panel.axhline(0.0, color=CELL, lw=0.8)
    panel.plot([prior], [0.0], "o", color=CELL, ms=7, label="the prior itself")
    panel.set(xlabel="all four concentrations", ylabel="nat")
    panel.legend(loc="lower left")
    return figure


# ---- a steady state reached at once ---------------------------------------------------------


def share_of_steady_state(trace: Trace, gene: str, times: np.ndarray) -> dict[str, np.ndarray]:
    """How much of its steady state a gene has reached, by time since it was switched on.

    Args:
        trace: whose rates are used.
        gene: its label.
        times: since the start of induction, shape (time,).

    Returns:
        u/(α/β) and s/(α/γ), each of shape (time,).
    """
    g = trace.coords["gene"].index(gene)
    alpha, beta, gamma = (trace.tape[name].value[g] for name in ("alpha", "beta", "gamma"))
    u = u_induction(alpha, beta, times) / (alpha / beta)
    s = s_induction(alpha, beta, gamma, times) / (alpha / gamma)
    return {"u": np.asarray(u), "s": np.asarray(s)}


def towards_steady_state(trace: Trace, gene: str, until: float = 6.0) -> Figure:
    """The way to the steady state, with the switch time on it.

    Args:
        trace: whose rates and switch time are used.
        gene: its label.
        until: how many switch times the axis has.
    """
    g = trace.coords["gene"].index(gene)
    switch = float(trace.tape["switch_time"].value[g])
    times = np.linspace(0.0, until * switch, 200)
    shares = share_of_steady_state(trace, gene, times)
    there = share_of_steady_state(trace, gene, np.array([switch]))
    figure, ((panel,),) = panels(1, 1, 3.6)
    panel.plot(times, shares["u"], color=UNSPLICED, label="unspliced, of α/β")
    panel.plot(times, shares["s"], "--", color=SPLICED, label="spliced, of α/γ")
    panel.axhline(1.0, color=CELL, ls=":", label="where the document starts repression")
    panel.axvline(switch, color=PALE, lw=1)
    for of, colour, marker in (("u", UNSPLICED, "o"), ("s", SPLICED, "s")):
        panel.plot([switch], there[of], marker, color=colour, ms=7)
    panel.annotate("switch", (switch, 0.02), (5, 0), textcoords="offset points")
    panel.set(xlabel="time since the gene was switched on", ylabel="share of the steady state",
              ylim=(0.0, 1.08))  # fmt: skip
    panel.legend(loc="lower right")
    return figure


# ---- symmetric is not uniform ---------------------------------------------------------------


def largest_drawn(concentration: float, draws: int = DRAWS) -> np.ndarray:
    """The largest of four state probabilities in draws from a symmetric Dirichlet, shape (draw,).

    Example:
        >>> bool(largest_drawn(0.25).mean() > largest_drawn(1.0).mean())
        True
    """
    alike = np.full(4, concentration)
    return np.asarray(np.exp(drawn_log_probabilities(alike, draws, SEED)).max(axis=-1))


def largest_probability(prior: float) -> Figure:
    """How large the largest of four state probabilities is, under the prior and the uniform."""
    edges = np.linspace(0.25, 1.0, BINS + 1)
    figure, ((panel,),) = panels(1, 1, 3.6)
    panel.hist(largest_drawn(prior), edges, density=True, color=UNSPLICED, label="the prior")
    panel.hist(largest_drawn(1.0), edges, density=True, histtype="step", color=SPLICED, lw=1.8,
               hatch="////", label="the uniform distribution")  # fmt: skip
    panel.set(xlabel="largest of the four state probabilities in a draw", ylabel="density",
              xlim=(0.25, 1.0))  # fmt: skip
    panel.margins(y=0.25)
    panel.legend(loc="upper left", ncols=2)
    return figure


# ---- a formula and a name -------------------------------------------------------------------


def first_steps(trace: Trace) -> dict[str, np.ndarray]:
    """Size of every parameter's gradient and of its first step under both rules, flat."""
    slopes = np.concatenate([trace.tape[name].adjoint for name in PARAMETERS])
    made = {"gradient": np.abs(slopes)}
    for rule in ("sgd", "adam"):
        changes = [trace.updates[rule][name]["change"] for name in PARAMETERS]
        made[rule] = np.abs(np.concatenate(changes))
    return made


def steps_by_gradient(trace: Trace) -> Figure:
    """First steps against gradients: as the document prints them, and as Adam takes them."""
    made = first_steps(trace)
    sizes = np.abs(np.concatenate([trace.tape[name].value for name in PARAMETERS]))
    figure, ((panel,),) = panels(1, 1, 3.8)
    panel.loglog(made["gradient"], made["sgd"], "s", color=SPLICED, label="step as printed")
    panel.loglog(made["gradient"], made["adam"], "o", color=UNSPLICED, label="Adam's step")
    panel.loglog(made["gradient"], sizes, "x", color=PALE, label="the parameter itself")
    panel.set(xlabel="size of the gradient, nat per unit", ylabel="size of the step")
    panel.legend(loc="upper left")
    return figure
