"""Exercises on the chain rule: a gradient by its paths."""

from __future__ import annotations

from typing import Any

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import slopes
from velotrace.exercises.parts import Draft, Entry, number, stated
from velotrace.model import kinetics
from velotrace.model.distributions import log_normal
from velotrace.tape import named


def transcription(c: Chooser) -> Draft:
    """∂L/∂α along ū, along s̄, and in all."""
    u, s = c.decimal("u", 0.1, 0.9, 0.1), c.decimal("s", 0.1, 0.9, 0.1)
    alpha, beta = c.decimal("alpha", 0.3, 1.0, 0.05), c.decimal("beta", 0.12, 0.5, 0.02)
    gamma, t = c.decimal("gamma", 0.05, 0.45, 0.02), c.decimal("time", 3.0, 9.0, 0.5)
    sigma = c.decimal("sigma", 0.3, 0.9, 0.1)

    def loss(alpha: Any) -> Any:
        u_bar = named(kinetics.u_induction(alpha, beta, t), "u_bar")
        s_bar = named(kinetics.s_induction(alpha, beta, gamma, t), "s_bar")
        return -log_normal(u, u_bar, sigma) - log_normal(s, s_bar, sigma)

    both = float(slopes(loss, alpha=alpha)["alpha"])
    by_u = float(slopes(loss, cut=["s_bar"], alpha=alpha)["alpha"])
    by_s = both - by_u
    u_bar, s_bar = kinetics.u_induction(alpha, beta, t), kinetics.s_induction(alpha, beta, gamma, t)
    pull_u = float((u_bar - u) / sigma**2)
    first = number(
        r"What comes back along $\bar u$ alone.",
        by_u,
        (
            "slope forgotten",
            pull_u,
            "That is $\\partial L/\\partial\\bar u$; go one step further, to $\\alpha$.",
        ),
        (
            "pull forgotten",
            u_bar / alpha,
            "That is $\\partial\\bar u/\\partial\\alpha$; multiply by what arrives at $\\bar u$.",
        ),
        ("the other path", by_s, "That is the path along $\\bar s$."),
        (
            "standard deviation for variance",
            by_u * sigma,
            "Divided by $\\sigma$; it must be $\\sigma^2$.",
        ),
    )
    second = number(
        r"The whole $\partial L/\partial\alpha$.",
        both,
        (
            "second path forgotten",
            by_u,
            "The second path is missing: $\\alpha$ also acts through $\\bar s$.",
        ),
        (
            "first path forgotten",
            by_s,
            "One path is missing: $\\alpha$ also acts through $\\bar u$.",
        ),
        ("mean for sum", 0.5 * both, "The paths are summed, not averaged."),
        ("paths subtracted", by_u - by_s, "The paths are summed, not subtracted."),
        (
            "product of paths",
            by_u * by_s,
            "Paths are summed; only the steps along one path are multiplied.",
        ),
        points=2,
    )
    rates = stated(alpha=alpha, beta=beta, gamma=gamma, time=t)
    return Draft(
        f"A gene in induction has {rates}. Measured are {stated(u=u, s=s)}; both standard "
        f"deviations are {stated(sigma=sigma)}. The loss is $-\\log\\mathcal{{N}}(u) - "
        f"\\log\\mathcal{{N}}(s)$.",
        (first, second),
        r"$\frac{\bar u - u}{\sigma^2}\cdot\frac{\bar u}{\alpha} + \frac{\bar s - "
        r"s}{\sigma^2}\cdot\frac{\bar s}{\alpha}$, since both predictions are proportional to "
        r"$\alpha$. Here "
        f"$\\bar u = {float(u_bar):.4g}$ and $\\bar s = {float(s_bar):.4g}$.",
    )


def switch_time(c: Chooser) -> Draft:
    """The switch time's two ways into repression."""
    beta, t_s = c.decimal("beta", 0.1, 0.3, 0.02), c.decimal("switch_time", 6.0, 13.0, 0.5)
    t_max, rho = c.decimal("t_max", 18.0, 24.0, 1.0), c.decimal("rho_3", 0.15, 0.85, 0.05)
    u_0 = c.decimal("u_0", 1.0, 6.0, 0.2)

    def u_bar(switch_time: Any) -> Any:
        third = named(switch_time + (t_max - switch_time) * rho, "third")
        return kinetics.u_repression(u_0, beta, third - switch_time)

    both = float(slopes(u_bar, switch_time=t_s)["switch_time"])
    pull = float(
        slopes(lambda tau: kinetics.u_repression(u_0, beta, tau), tau=(t_max - t_s) * rho)["tau"]
    )
    part = number(
        r"$\partial\bar u/\partial t^s$.",
        both,
        (
            "second path forgotten",
            pull * (1.0 - rho),
            "$t^s$ is used twice: it also sets the zero from which $\\tau$ counts.",
        ),
        ("first path forgotten", -pull, "$t^s$ is used twice: $t^{(3)}$ moves with it as well."),
        ("τ's own slope", pull, "That is the derivative by $\\tau$; go on to $t^s$."),
        (
            "β forgotten",
            both / beta,
            "The inner derivative $-\\beta$ of the exponential is missing.",
        ),
        points=2,
    )
    numbers = stated(u_0=u_0, beta=beta, switch_time=t_s, t_max=t_max, rho_3=rho)
    return Draft(
        rf"In repression $\bar u = u^0 e^{{-\beta\tau}}$ with $\tau = t^{{(3)}} - t^s$ and "
        rf"$t^{{(3)}} = t^s + (t_{{\max}} - t^s)\,\rho^{{(3)}}$. Here {numbers}; $u^0$ and "
        rf"$\rho^{{(3)}}$ do not depend "
        "on $t^s$.",
        (part,),
        r"$\partial t^{(3)}/\partial t^s = 1 - \rho^{(3)}$, so $\partial\tau/\partial t^s = (1 - "
        r"\rho^{(3)}) - 1 = -\rho^{(3)}$, and $\partial\bar u/\partial t^s = \beta\rho^{(3)} u^0 "
        r"e^{-\beta\tau}$.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("pull-on-alpha", "Two paths to transcription", "number", transcription),
    ("pull-on-switch-time", "One parameter used twice", "number", switch_time),
)
