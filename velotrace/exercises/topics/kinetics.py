"""Exercises on the kinetics: predicted abundances, velocity, units of time."""

from __future__ import annotations

import math

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, choice, number, stated, vector
from velotrace.model import kinetics


def _rates(c: Chooser) -> tuple[float, float, float]:
    """α, β, γ with the latter two apart."""
    alpha = c.decimal("alpha", 0.3, 1.5, 0.05)
    beta, gamma = c.decimal("beta", 0.1, 0.5, 0.02), c.decimal("gamma", 0.05, 0.45, 0.02)
    return alpha, beta, gamma


def unspliced(c: Chooser) -> Draft:
    """ū in induction."""
    alpha, beta, gamma = _rates(c)
    t = c.decimal("time", 2.0, 10.0, 0.5)
    steady, left = alpha / beta, math.exp(-beta * t)
    part = number(
        r"$\bar u$ at that time.",
        kinetics.u_induction(alpha, beta, t),
        (
            "e^(−βt) for 1 − e^(−βt)",
            steady * left,
            "That is what is still missing to the steady state: $e^{-\\beta t}$ stands where $1 - "
            "e^{-\\beta t}$ should.",
        ),
        ("steady state", steady, "That is the steady state, reached only after endless time."),
        (
            "γ for β",
            kinetics.u_induction(alpha, gamma, t),
            "Unspliced RNA does not know $\\gamma$.",
        ),
        ("division forgotten", alpha * (1.0 - left), "The division by $\\beta$ is missing."),
        ("no decay", alpha * t, "That is what would be made if nothing were spliced."),
    )
    return Draft(
        f"A gene is in induction with {stated(alpha=alpha, beta=beta, gamma=gamma, time=t)}.",
        (part,),
        r"$\bar u = \frac{\alpha}{\beta}(1 - e^{-\beta t})$, paper (3).",
    )


def spliced(c: Chooser) -> Draft:
    """s̄ in induction."""
    alpha, beta, gamma = _rates(c)
    t = c.decimal("time", 3.0, 12.0, 0.5)
    right = kinetics.s_induction(alpha, beta, gamma, t)
    first = alpha / gamma * -math.expm1(-gamma * t)
    part = number(
        r"$\bar s$ at that time.",
        right,
        (
            "second term forgotten",
            first,
            "The second term of (4) is missing: spliced RNA is not made at rate $\\alpha$, but "
            "follows with a delay.",
        ),
        (
            "sign of second term",
            2.0 * first - right,
            "The second term has the wrong sign: look at the order of $\\gamma$ and $\\beta$.",
        ),
        (
            "steady state",
            alpha / gamma,
            "That is the steady state, reached only after endless time.",
        ),
        (
            "rates swapped",
            kinetics.s_induction(alpha, gamma, beta, t),
            "$\\beta$ and $\\gamma$ are swapped.",
        ),
        ("unspliced", kinetics.u_induction(alpha, beta, t), "That is unspliced RNA."),
    )
    return Draft(
        f"A gene is in induction with {stated(alpha=alpha, beta=beta, gamma=gamma, time=t)}.",
        (part,),
        r"$\bar s = \frac{\alpha}{\gamma}(1 - e^{-\gamma t}) + \frac{\alpha}{\gamma - "
        r"\beta}(e^{-\gamma t} - e^{-\beta t})$, paper (4).",
    )


def repression(c: Chooser) -> Draft:
    """ū and s̄ in repression."""
    _, beta, gamma = _rates(c)
    u_0, s_0 = c.decimal("u_0", 1.0, 6.0, 0.2), c.decimal("s_0", 1.0, 6.0, 0.2)
    t_s, since = c.decimal("switch_time", 6.0, 12.0, 0.5), c.decimal("since", 1.5, 6.0, 0.25)

    def both(tau: float, b: float, g: float) -> tuple[float, float]:
        return (
            float(kinetics.u_repression(u_0, b, tau)),
            float(kinetics.s_repression(u_0, s_0, b, g, tau)),
        )

    u, s = both(since, beta, gamma)
    alone = s_0 * math.exp(-gamma * since)
    part = vector(
        r"$\bar u$ and $\bar s$ at that time.",
        (u, s),
        [r"ū", r"s̄"],
        (
            "t for τ",
            both(t_s + since, beta, gamma),
            "Repression counts from the switch: $\\tau = t - t^s$.",
        ),
        (
            "still spliced forgotten",
            (u, alone),
            "What was unspliced at the switch is still being spliced: the second term of (8) is "
            "missing.",
        ),
        ("sign of second term", (u, 2.0 * alone - s), "The second term of (8) has the wrong sign."),
        ("rates swapped", both(since, gamma, beta), "$\\beta$ and $\\gamma$ are swapped."),
    )
    return Draft(
        "A gene was switched off at "
        f"{stated(switch_time=t_s)}, when it stood at {stated(u_0=u_0, s_0=s_0)}. It has "
        f"{stated(beta=beta, gamma=gamma)}, and the time, counted from the start, is now "
        f"{stated(time=t_s + since)}.",
        (part,),
        r"With $\tau = t - t^s$: $\bar u = u^0 e^{-\beta\tau}$ and $\bar s = s^0 e^{-\gamma\tau} "
        r"- \frac{\beta u^0}{\gamma - \beta}(e^{-\gamma\tau} - e^{-\beta\tau})$, paper (7), (8).",
    )


def velocity(c: Chooser) -> Draft:
    """The velocity of a measured cell, and what it says."""
    _, beta, gamma = _rates(c)
    u, s = c.decimal("u_bar", 0.3, 4.0, 0.1), c.decimal("s_bar", 0.3, 4.0, 0.1)
    alpha = c.decimal("alpha", 0.3, 1.5, 0.05)
    v = float(kinetics.velocity(beta, gamma, u, s))
    part = number(
        "The RNA velocity.",
        v,
        (
            "unspliced for spliced",
            alpha - beta * u,
            "That is the rate of change of *unspliced* RNA.",
        ),
        ("rates swapped", gamma * u - beta * s, "$\\beta$ and $\\gamma$ are swapped."),
        ("degradation forgotten", beta * u, "Degradation is missing."),
    )
    way, other = ("rises", "falls") if v > 0 else ("falls", "rises")
    more = "more is spliced than degraded" if v > 0 else "more is degraded than spliced"
    less = "more is degraded than spliced" if v > 0 else "more is spliced than degraded"
    reason = choice(
        c,
        "reasons",
        "What does it say about spliced RNA?",
        f"It {way}: {more}.",
        ("direction", f"It {other}: {less}.", "Look at the sign of the velocity again."),
        (
            "reason",
            f"It {way}: more is made than is spliced.",
            "The right direction; but what is made and not yet spliced is a matter of unspliced "
            "RNA.",
        ),
        (
            "direction and reason",
            f"It {other}: more is made than is spliced.",
            "Neither: the velocity is the rate of change of spliced RNA, and look at its sign.",
        ),
    )
    return Draft(
        "In a cell the model predicts "
        f"{stated(u_bar=u, s_bar=s)} for a gene with "
        f"{stated(alpha=alpha, beta=beta, gamma=gamma)}.",
        (part, reason),
        r"$v = \mathrm{d}s/\mathrm{d}t = \beta\bar u - \gamma\bar s$: spliced minus degraded.",
    )


def units(c: Chooser) -> Draft:
    """Time counted in another unit."""
    alpha, beta, gamma = _rates(c)
    t = c.decimal("time", 4.0, 10.0, 0.5)
    factor = c.pick("factor", (4.0, 5.0, 6.0, 8.0, 12.0, 24.0))
    u, s = kinetics.u_induction(alpha, beta, t), kinetics.s_induction(alpha, beta, gamma, t)
    v = float(kinetics.velocity(beta, gamma, u, s))
    in_new = float(kinetics.velocity(beta * factor, gamma * factor, u, s))
    rate = number(
        r"The splicing rate $\beta$ per long unit.",
        beta * factor,
        (
            "wrong way",
            beta / factor,
            "The wrong way: in a longer unit of time more happens, so a rate per unit is larger.",
        ),
        ("unit ignored", beta, "A rate is per time: its number changes with the unit."),
        signed=False,
    )
    speed = number(
        "The RNA velocity of this gene, per long unit, at the same moment.",
        in_new,
        ("unit ignored", v, "That is per short unit."),
        ("wrong way", v / factor, "The wrong way: in a longer unit of time more happens."),
        ("squared", v * factor**2, "The unit enters twice: abundances do not change with it."),
    )
    what = choice(
        c,
        "what",
        r"All rates are multiplied, and all times divided, by that number. What becomes of $\bar "
        r"u$ and $\bar s$?",
        "They stay as they are: only products of a rate and a time, and quotients of rates, enter.",
        (
            "both grow",
            "They are multiplied by it, because α is.",
            "α is divided by β, which is multiplied as well.",
        ),
        (
            "both shrink",
            "They are divided by it, because the time is.",
            "The time occurs only as $\\beta t$ and $\\gamma t$.",
        ),
        (
            "only s changes",
            "Only $\\bar s$ changes, because γ − β does.",
            "α/(γ − β) is a quotient of rates: both are multiplied.",
        ),
    )
    return Draft(
        f"A gene in induction has {stated(alpha=alpha, beta=beta, gamma=gamma)} at "
        f"{stated(time=t)}, all per short unit of time. One long unit is {factor:g} short ones.",
        (rate, speed, what),
        "Rates and velocities are multiplied, times divided, abundances stay. So data without "
        "times cannot tell all rates doubled from all times halved.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("unspliced-induction", "Unspliced RNA on the way up", "number", unspliced),
    ("spliced-induction", "Spliced RNA follows", "number", spliced),
    ("repression", "On the way down", "vector", repression),
    ("velocity", "Which way it moves", "choice", velocity),
    ("units-of-time", "Hours or days", "number", units),
)
