"""Exercises on gradients that are not there, and why."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from velotrace.errors import ContradictionError
from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import slopes
from velotrace.exercises.parts import Draft, Entry, choice, number, plain, stated
from velotrace.model import kinetics
from velotrace.model.distributions import at_state, hard_draw, log_normal


def hard_state(c: Chooser) -> Draft:
    """What reaches the concentrations through a drawn state."""
    conc = np.array(c.decimals("concentration", 4, 0.3, 2.5, 0.1))
    shares = np.array(c.decimals("share", 4, 1.0, 9.0, 1.0))
    pi, k = np.round(shares / shares.sum(), 2), c.pick("state", (1, 2, 3, 4))
    u, sigma = c.decimal("u", 0.1, 0.9, 0.1), c.decimal("sigma", 0.2, 0.6, 0.1)
    u_bar = np.array([*c.decimals("u_bar", 3, 0.2, 4.0, 0.1), 0.0])
    pi[np.argmax(pi)] += 1.0 - pi.sum()

    def loss(conc: Any, mean: Any) -> Any:
        drawn_pi = hard_draw(conc, pi)
        state = hard_draw(drawn_pi, np.array(k))
        return -at_state(log_normal(u, mean, sigma), state)

    found = slopes(loss, conc=conc, mean=u_bar)
    if found["conc"] is not None:
        raise ContradictionError("a hard draw hands a gradient to the concentrations")
    states = choice(
        c,
        "states",
        r"Which of the four predictions $\bar u_1, …, \bar u_4$ get a gradient from this term?",
        f"Only that of state {k}: the others are not compared with the data.",
        (
            "all states",
            "All four, each weighted with its $\\pi^*_k$.",
            "That would be so if the state were summed out. Here one is drawn.",
        ),
        (
            "likely states",
            r"Those with $\pi^*_k$ above one quarter.",
            "The probabilities decide which state is drawn; after that they play no part here.",
        ),
        (
            "every other",
            f"All but that of state {k}, which is already right.",
            "The drawn state is the one that is compared with the data.",
        ),
    )
    concentrations = choice(
        c,
        "concentrations",
        "And what do the four concentrations get from it?",
        "No path: a small change of $\\pi^*$ leaves the drawn number as it is, so nothing flows "
        "back through it.",
        (
            "zero by accident",
            "Zero, but only because this cell happens to fit.",
            "It does not depend on how well the cell fits: look at what lies between.",
        ),
        (
            "path through π",
            "A gradient through $\\pi^*$, by reparameterisation.",
            "The draw of $\\pi^*$ could be differentiated; the draw of $k$ after it cannot.",
        ),
        (
            "divergence",
            "The pull of $\\mathrm{KL}_\\pi$, as that knows the data.",
            "$\\mathrm{KL}_\\pi$ is another term of the loss, and knows nothing of the data.",
        ),
    )
    return Draft(
        rf"For one cell and gene the posterior has the concentrations ${plain(conc)}$. Drawn were "
        rf"$\pi^* = {plain(pi)}$ and, from it, the state {k}. Measured is {stated(u=u)}; in the "
        rf"four states $\bar u = {plain(u_bar)}$ is predicted, with {stated(sigma=sigma)}. The "
        rf"term in question is "
        r"$-\log\mathcal{N}(u)$ at the drawn state.",
        (states, concentrations),
        "A drawn $k$ is a wall: the likelihood reaches the one prediction it picks and nothing "
        "that it was drawn from. Only $\\mathrm{KL}_\\pi$ moves the concentrations.",
    )


def steady_start(c: Chooser) -> Draft:
    """The switch penalty's pull on the switch time, in both readings."""
    alpha, t_s = c.decimal("alpha", 0.4, 0.9, 0.05), c.decimal("switch_time", 4.0, 12.0, 0.5)
    beta, gamma = c.decimal("beta", 0.1, 0.3, 0.02), c.decimal("gamma", 0.06, 0.24, 0.02)
    u_star, s_star = c.decimal("u_star", 0.3, 0.9, 0.05), c.decimal("s_star", 0.1, 0.6, 0.05)

    def penalty(t_s: Any, alpha: Any, start: str = "switch") -> Any:
        u_0, s_0 = alpha / beta, alpha / gamma
        if start == "switch":
            u_0 = kinetics.u_induction(alpha, beta, t_s)
            s_0 = kinetics.s_induction(alpha, beta, gamma, t_s)
        return (u_0 - u_star) ** 2 + (s_0 - s_star) ** 2

    right = float(slopes(penalty, t_s=t_s, alpha=alpha)["t_s"])
    if slopes(lambda t_s, alpha: penalty(t_s, alpha, "steady"), t_s=t_s, alpha=alpha)["t_s"]:
        raise ContradictionError("a steady state depends on the switch time")
    u_0 = float(kinetics.u_induction(alpha, beta, t_s))
    of_u = 2.0 * (u_0 - u_star) * alpha * math.exp(-beta * t_s)
    value = number(
        r"$\partial P/\partial t^s$ if repression starts where paper (3), (4) stand at $t^s$.",
        right,
        (
            "second path forgotten",
            of_u,
            "That is the path along $u^0$; there is one along $s^0$ too.",
        ),
        (
            "first path forgotten",
            right - of_u,
            "That is the path along $s^0$; there is one along $u^0$ too.",
        ),
        ("2 forgotten", 0.5 * right, "The 2 of the squares is missing."),
        points=2,
    )
    why = choice(
        c,
        "why",
        "And with the document's start, the steady state?",
        "No path: a steady state depends on the rates alone, not on any time.",
        (
            "same",
            "The same: only the numbers $u^0$ and $s^0$ differ.",
            "Write $u^0$ down and look for $t^s$ in it.",
        ),
        (
            "direct",
            "More: the penalty then acts on $t^s$ directly.",
            "The document says so. Write the penalty down and look for $t^s$ in it.",
        ),
        (
            "cancels",
            "Zero, because the paths along $u^0$ and $s^0$ cancel.",
            "Nothing has to cancel: is there any path at all?",
        ),
    )
    numbers = stated(alpha=alpha, beta=beta, gamma=gamma, switch_time=t_s)
    return Draft(
        f"A gene has {numbers}. Its switch penalty is $P = (u^0 - u^*)^2 + (s^0 - s^*)^2$ with "
        f"{stated(u_star=u_star, s_star=s_star)}.",
        (value, why),
        r"$2(u^0 - u^*)\,\alpha e^{-\beta t^s} + 2(s^0 - s^*)\,\frac{\mathrm{d}\bar "
        r"s}{\mathrm{d}t}$ at $t^s$, with $\mathrm{d}\bar s/\mathrm{d}t = \beta u^0 - \gamma "
        r"s^0$. From $\alpha/\beta$ and $\alpha/\gamma$ nothing leads to $t^s$.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("hard-state", "A drawn state is a wall", "choice", hard_state),
    ("steady-start", "What moves the switch time", "choice", steady_start),
)
