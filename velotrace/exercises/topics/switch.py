"""Exercises on the switch penalty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import iteration
from velotrace.exercises.parts import Draft, Entry, number, stated
from velotrace.model import kinetics
from velotrace.model.objective import switch_penalty


def penalty(c: Chooser) -> Draft:
    """The penalty with repression from the steady state, and from the switch."""
    alpha = c.decimal("alpha", 0.4, 0.9, 0.05)
    beta, gamma = c.decimal("beta", 0.1, 0.3, 0.02), c.decimal("gamma", 0.06, 0.24, 0.02)
    t_s = c.decimal("switch_time", 5.0, 14.0, 0.5)
    u_star, s_star = c.decimal("u_star", 0.3, 0.9, 0.05), c.decimal("s_star", 0.1, 0.6, 0.05)
    steady = alpha / beta, alpha / gamma
    reached = (
        kinetics.u_induction(alpha, beta, t_s),
        kinetics.s_induction(alpha, beta, gamma, t_s),
    )

    def of(start: tuple[float, float]) -> float:
        once = iteration()
        constants = replace(once.constants, u_star=np.array([u_star]), s_star=np.array([s_star]))
        once = replace(once, constants=constants)
        both = {"u_switch": np.array([start[0]]), "s_switch": np.array([start[1]])}
        return float(switch_penalty(both, once)[0])

    def rest(start: tuple[float, float]) -> tuple[float, float]:
        return start[0] - u_star, start[1] - s_star

    first = number(
        "The penalty as the document has it, with repression from the steady state.",
        of(steady),
        ("s part forgotten", rest(steady)[0] ** 2, "The part of $s$ is missing."),
        ("square forgotten", sum(rest(steady)), "The squares are missing."),
        ("square of the sum", sum(rest(steady)) ** 2, "Square each difference first, then add."),
        (
            "switch time for steady state",
            of(reached),
            "That starts from where the gene stands at $t^s$; the document takes the steady state.",
        ),
        signed=False,
    )
    second = number(
        "The penalty with repression from where paper (3), (4) stand at the switch.",
        of(reached),
        ("s part forgotten", rest(reached)[0] ** 2, "The part of $s$ is missing."),
        ("square forgotten", sum(rest(reached)), "The squares are missing."),
        ("square of the sum", sum(rest(reached)) ** 2, "Square each difference first, then add."),
        (
            "steady state for switch time",
            of(steady),
            "That is the steady state, which does not know $t^s$.",
        ),
        signed=False,
    )
    numbers = stated(alpha=alpha, beta=beta, gamma=gamma, switch_time=t_s)
    return Draft(
        f"A gene has {numbers}. The highest cells have the medians "
        f"{stated(u_star=u_star, s_star=s_star)}.",
        (first, second),
        r"$(u^0 - u^*)^2 + (s^0 - s^*)^2$, paper (26): first with $u^0 = \alpha/\beta$, $s^0 = "
        r"\alpha/\gamma$, then with $\bar u(t^s)$, $\bar s(t^s)$ of induction.",
    )


QUESTIONS: tuple[Entry, ...] = (("switch-penalty", "Two places to turn round", "number", penalty),)
