"""An exercise on equal rates: the limit of a quotient, by hand and as code."""

from __future__ import annotations

import math

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, code, number, stated
from velotrace.model import kinetics


def equal_rates(c: Chooser) -> Draft:
    """s̄ at β = γ, and as code that also works there."""
    alpha, beta = c.decimal("alpha", 0.3, 1.5, 0.05), c.decimal("beta", 0.1, 0.5, 0.02)
    t = c.decimal("time", 2.0, 9.0, 0.5)
    right = kinetics.s_induction(alpha, beta, beta, t)
    grown, limit = alpha / beta * -math.expm1(-beta * t), alpha * t * math.exp(-beta * t)
    value = number(
        r"$\bar s$ in induction for equal rates.",
        right,
        (
            "second term forgotten",
            grown,
            "The second term does not vanish at equal rates: it is a quotient of two zeros, and "
            "has a limit.",
        ),
        (
            "sign of second term",
            grown + limit,
            "The limit has the wrong sign: as $\\gamma$ grows, $e^{-\\gamma t}$ falls.",
        ),
        (
            "decay forgotten",
            grown - alpha * t,
            "The limit is a derivative by $\\gamma$: $-t$ alone lacks $e^{-\\beta t}$.",
        ),
    )
    function = code(
        r"A Python function that returns $\bar s$ for *any* rates, also equal ones. Do not round.",
        kinetics.s_induction,
        ("alpha", "beta", "gamma", "t"),
        [*_probes(c), (alpha, beta, beta, t)],
        (
            "fails at equal rates",
            _as_printed,
            "Right wherever the rates differ, but at equal rates it divides by zero. Use the "
            "limit there.",
        ),
        (
            "second term forgotten at equal rates",
            _without_limit,
            "Right wherever the rates differ; at equal rates the second term is left out, but it "
            "has a limit.",
        ),
        ("sign of second term", _sign, "The second term has the wrong sign."),
        (
            "second term forgotten",
            lambda a, b, g, x: a / g * -math.expm1(-g * x),
            "The second term of (4) is missing.",
        ),
        (
            "e^(−γt) for 1 − e^(−γt)",
            _first_term,
            "The first term has $e^{-\\gamma t}$ where $1 - e^{-\\gamma t}$ should stand.",
        ),
    )
    return Draft(
        f"Splicing and degradation may be equally fast. Here {stated(alpha=alpha)}, "
        rf"$\beta = \gamma = {beta:g}$ and {stated(time=t)}.",
        (value, function),
        r"$(e^{-\gamma t} - e^{-\beta t})/(\gamma - \beta)$ tends to its derivative, "
        r"$-t\,e^{-\beta t}$, so $\bar s = \frac{\alpha}{\beta}(1 - e^{-\beta t}) - "
        r"\alpha\,t\,e^{-\beta t}$. In code, "
        "take that where the rates are equal, or write the quotient with `math.expm1`.",
    )


def _probes(c: Chooser) -> list[tuple[float, ...]]:
    return [
        (
            c.decimal(f"probe {i} alpha", 0.3, 1.5, 0.1),
            c.decimal(f"probe {i} beta", 0.11, 0.51, 0.04),
            c.decimal(f"probe {i} gamma", 0.13, 0.45, 0.04),
            c.decimal(f"probe {i} time", 1.0, 9.0, 0.5),
        )
        for i in range(1, 5)
    ]


def _quotient(b: float, g: float, t: float) -> float:
    return (math.exp(-g * t) - math.exp(-b * t)) / (g - b)


def _as_printed(a: float, b: float, g: float, t: float) -> float:
    return a / g * -math.expm1(-g * t) + a * _quotient(b, g, t)


def _without_limit(a: float, b: float, g: float, t: float) -> float:
    return a / g * -math.expm1(-g * t) + (a * _quotient(b, g, t) if b != g else 0.0)


def _sign(a: float, b: float, g: float, t: float) -> float:
    return a / g * -math.expm1(-g * t) - a * kinetics.exponential_difference(b, g, t)


def _first_term(a: float, b: float, g: float, t: float) -> float:
    return a / g * math.exp(-g * t) + a * kinetics.exponential_difference(b, g, t)


QUESTIONS: tuple[Entry, ...] = (("equal-rates", "Equal rates", "code", equal_rates),)
