"""Exercises on difference quotients."""

from __future__ import annotations

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import slopes
from velotrace.exercises.parts import Draft, Entry, choice, number, stated
from velotrace.model import kinetics


def quotient(c: Chooser) -> Draft:
    """A central difference of ū by β against the derivative."""
    alpha, beta = c.decimal("alpha", 0.4, 1.5, 0.05), c.decimal("beta", 0.2, 0.6, 0.02)
    t, h = c.decimal("time", 3.0, 9.0, 0.5), c.pick("h", (0.05, 0.08, 0.1))

    def u_bar(rate: float) -> float:
        return float(kinetics.u_induction(alpha, rate, t))

    up, here, down = u_bar(beta + h), u_bar(beta), u_bar(beta - h)
    central = (up - down) / (2.0 * h)
    exact = float(slopes(lambda b: kinetics.u_induction(alpha, b, t), b=beta)["b"])
    part = number(
        r"The central difference quotient of $\bar u$ by $\beta$ with that step.",
        central,
        (
            "forward for central",
            (up - here) / h,
            "That is the forward quotient: it goes one step to one side only.",
        ),
        ("backward for central", (here - down) / h, "That is the backward quotient."),
        ("h for 2h", (up - down) / h, "The two points are $2h$ apart."),
        ("derivative", exact, "That is the derivative itself, or a quotient with a tiny step."),
    )
    why = choice(
        c,
        "why",
        r"It differs from the derivative. Would a step of $10^{-15}$ do better?",
        "No: the two values would differ by little more than their round-off.",
        (
            "smaller is better",
            "Yes: the smaller the step, the smaller the error.",
            "The error of the formula, yes; but not that of the computer's subtraction.",
        ),
        (
            "exact already",
            "No: a central quotient is exact for every step.",
            "Only where the function is a parabola.",
        ),
        (
            "division by zero",
            "No: the computer would divide by zero.",
            "Ten to the power −15 is not 0 in float64.",
        ),
    )
    return Draft(
        rf"$\bar u = \frac{{\alpha}}{{\beta}}(1 - e^{{-\beta t}})$ with "
        f"{stated(alpha=alpha, beta=beta, time=t)}; the step is {stated(h=h)}.",
        (part, why),
        r"$(\bar u(\beta + h) - \bar u(\beta - h))/2h$. Its error shrinks with $h^2$, while "
        r"round-off "
        "grows with $1/h$; the best step lies between.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("difference-quotient", "A gradient without derivatives", "number", quotient),
)
