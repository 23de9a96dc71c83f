"""Exercises on latent times."""

from __future__ import annotations

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import latent_times
from velotrace.exercises.parts import Draft, Entry, number, stated
from velotrace.model.distributions import logistic


def both_times(c: Chooser) -> Draft:
    """t(1) and t(3) from a decoder's output."""
    a = c.decimal("a", -1.8, 1.8, 0.05)
    t_s = c.decimal("switch_time", 6.0, 14.0, 0.5)
    t_max = c.decimal("t_max", 18.0, 26.0, 1.0)
    first, third = latent_times(a, t_s, t_max)
    rho = float(logistic(a))
    induction = number(
        "$t^{(1)}$, the time if the gene is in induction.",
        first,
        (
            "logistic forgotten",
            a * t_s,
            "The decoder's output is not yet a share: apply the logistic function.",
        ),
        (
            "t_max for t_s",
            rho * t_max,
            "Induction ends at the switch time, not at the end of time.",
        ),
        ("end for start", (1.0 - rho) * t_s, "That counts backwards from the switch time."),
        signed=False,
    )
    repression = number(
        "$t^{(3)}$, the time if it is in repression. (The other decoder puts out the same number.)",
        third,
        (
            "switch time not added",
            (t_max - t_s) * rho,
            "That is the time since the switch; $t^{(3)}$ counts from the start.",
        ),
        (
            "whole axis for the rest",
            t_s + t_max * rho,
            "Only what is left after the switch time is shared out.",
        ),
        (
            "share of all time",
            t_max * rho,
            "That is a share of the whole time axis; repression begins at the switch time.",
        ),
        signed=False,
    )
    return Draft(
        "For one cell and gene a decoder puts out "
        f"{stated(a=a)}, before the logistic function. The gene has {stated(switch_time=t_s)}, "
        f"and {stated(t_max=t_max)}.",
        (induction, repression),
        r"$\rho = 1/(1 + e^{-a})$; $t^{(1)} = \rho\,t^s$ and $t^{(3)} = t^s + (t_{\max} - "
        r"t^s)\,\rho$.",
    )


QUESTIONS: tuple[Entry, ...] = (("latent-times", "Two times of one output", "number", both_times),)
