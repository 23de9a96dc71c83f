"""Exercises on ten lines of code with one bug."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, UnsuitableError, line, number, plain
from velotrace.learning.optimisers import adam_start, adam_step
from velotrace.model.distributions import kl_dirichlet_terms
from velotrace.model.kinetics import s_induction
from velotrace.model.readings import Optimiser


@dataclass(frozen=True, slots=True)
class Listing:
    """Ten lines of a function, and ways to spoil one of them.

    Attributes:
        lines: as they should be.
        bugs: number of a line, what it is spoilt to, what was wrong with it.
        suspects: number of a line that is right but looks odd, and why it is right.
    """

    lines: tuple[str, ...]
    bugs: tuple[tuple[int, str, str], ...]
    suspects: tuple[tuple[int, str], ...]

    def spoilt(self, bug: int) -> list[str]:
        """The lines with one bug in them."""
        place, wrong, _ = self.bugs[bug]
        indent = " " * (len(self.lines[place - 1]) - len(self.lines[place - 1].lstrip()))
        return [*self.lines[: place - 1], indent + wrong, *self.lines[place:]]


def run_listing(lines: Sequence[str], *arguments: Any) -> float:
    """What the function of a listing returns; the listings are this module's own."""
    names: dict[str, Any] = {
        "math": math,
        "gammaln": scipy.special.gammaln,
        "digamma": scipy.special.digamma,
    }
    exec("\n".join(lines), names)
    name = lines[0].removeprefix("def ").partition("(")[0]
    return float(names[name](*arguments))


KINETICS = Listing(
    (
        "def spliced(alpha, beta, gamma, t):",
        '    """Spliced RNA in induction, from nothing."""',
        "    if t <= 0.0:",
        "        return 0.0",
        "    left_u = math.exp(-beta * t)",
        "    left_s = math.exp(-gamma * t)",
        "    made = alpha / gamma * (1.0 - left_s)",
        "    gap = gamma - beta",
        "    delay = alpha * (left_s - left_u) / gap",
        "    return made + delay",
    ),
    (
        (5, "left_u = math.exp(-beta)", "the time was missing in the exponent"),
        (6, "left_s = math.exp(-gamma)", "the time was missing in the exponent"),
        (7, "made = alpha / gamma * left_s", "it was $e^{-\\gamma t}$ for $1 - e^{-\\gamma t}$"),
        (7, "made = alpha / beta * (1.0 - left_s)", "it divided by the wrong rate"),
        (8, "gap = gamma + beta", "the rates' difference had become a sum"),
        (9, "delay = beta * (left_s - left_u) / gap", "$\\beta$ stood for $\\alpha$"),
    ),
    (
        (10, "The two terms are added in (4); the second one is negative by itself."),
        (4, "Before the start nothing has been made."),
    ),
)

DIVERGENCE = Listing(
    (
        "def divergence(posterior, prior):",
        '    """KL of Dirichlet(posterior) from Dirichlet(prior)."""',
        "    assert len(posterior) == len(prior)",
        "    sum_q, sum_p = sum(posterior), sum(prior)",
        "    total = gammaln(sum_q) - gammaln(sum_p)",
        "    for q, p in zip(posterior, prior):",
        "        total += gammaln(p) - gammaln(q)",
        "        mean_log = digamma(q) - digamma(sum_q)",
        "        total += (q - p) * mean_log",
        "    return total",
    ),
    (
        (4, "sum_q, sum_p = sum(posterior), len(prior)", "the prior was counted, not summed"),
        (5, "total = gammaln(sum_p) - gammaln(sum_q)", "this ratio was upside down, as in doc (2)"),
        (7, "total += gammaln(q) - gammaln(p)", "this ratio was upside down, as in doc (2)"),
        (8, "mean_log = digamma(q) - digamma(sum_p)", "the prior's sum stood for the posterior's"),
        (9, "total += (p - q) * mean_log", "the difference had the wrong sign"),
    ),
    (
        (3, "Both have one number per state."),
        (6, "It takes the two lists' numbers in pairs, as it should."),
    ),
)

ADAM = Listing(
    (
        "def adam(x, gradients, rate, b1, b2):",
        '    """The parameter x after one step per gradient."""',
        "    m, v = 0.0, 0.0",
        "    for step, g in enumerate(gradients, start=1):",
        "        m = b1 * m + (1.0 - b1) * g",
        "        v = b2 * v + (1.0 - b2) * g**2",
        "        m_hat = m / (1.0 - b1**step)",
        "        v_hat = v / (1.0 - b2**step)",
        "        x = x - rate * m_hat / math.sqrt(v_hat)",
        "    return x",
    ),
    (
        (4, "for step, g in enumerate(gradients, start=2):", "the steps were counted from two"),
        (5, "m = b1 * m + (1.0 - b2) * g", "the wrong decay"),
        (6, "v = b2 * v + (1.0 - b2) * abs(g)", "the gradient was not squared"),
        (7, "m_hat = m / (1.0 - b2**step)", "the wrong decay"),
        (8, "v_hat = v / (1.0 - b1**step)", "the wrong decay"),
        (9, "x = x - rate * m_hat / v_hat", "the root was missing"),
        (9, "x = x + rate * m_hat / math.sqrt(v_hat)", "the step went along the gradient"),
    ),
    (
        (3, "Adam starts with both moments at 0."),
        (10, "x holds the last step's result."),
    ),
)


def _found(
    c: Chooser, listing: Listing, arguments: tuple[Any, ...], right: float, call: str, task: str
) -> Draft:
    """The question on a listing, with one bug for this student."""
    bug = c.pick("bug", range(len(listing.bugs)))
    lines = listing.spoilt(bug)
    place, _, what = listing.bugs[bug]
    try:
        spoilt = run_listing(lines, *arguments)
    except ArithmeticError:
        raise UnsuitableError("the spoilt function is to return a number") from None
    where = line("In which line is the bug? Give its number.", place, lines, *listing.suspects)
    value = number(
        f"What does `{call}` return once the bug is mended?",
        right,
        ("bug not mended", spoilt, "That is what the function returns as it stands."),
        digits=5,
        points=2,
    )
    numbered = "\n".join(f"{n:2d}  {text}" for n, text in enumerate(lines, 1))
    return Draft(
        f"{task} One of its ten lines is wrong.\n\n```text\n{numbered}\n```",
        (where, value),
        f"Line {place}: {what}. It should be\n\n```python\n{listing.lines[place - 1].strip()}\n```",
    )


def kinetics(c: Chooser) -> Draft:
    """Equation (4) with a bug."""
    alpha, t = c.decimal("alpha", 0.3, 1.5, 0.05), c.decimal("time", 3.0, 12.0, 0.5)
    beta, gamma = c.decimal("beta", 0.1, 0.5, 0.02), c.decimal("gamma", 0.05, 0.45, 0.02)
    arguments = (alpha, beta, gamma, t)
    call = f"spliced({alpha:g}, {beta:g}, {gamma:g}, {t:g})"
    right = float(s_induction(*arguments))
    task = "This function is to compute spliced RNA in induction, paper (4)."
    return _found(c, KINETICS, arguments, right, call, task)


def divergence(c: Chooser) -> Draft:
    """The divergence of two Dirichlets with a bug."""
    posterior = c.decimals("posterior", 4, 0.3, 3.0, 0.1)
    prior = [0.25] * 4
    call = f"divergence([{', '.join(map(plain, posterior))}], [0.25, 0.25, 0.25, 0.25])"
    right = float(sum(kl_dirichlet_terms(np.array(posterior), 0.25)))
    task = (
        "This function is to compute the divergence of two Dirichlet distributions; `gammaln` and "
        "`digamma` come from `scipy.special`."
    )
    return _found(c, DIVERGENCE, (posterior, prior), right, call, task)


def adam(c: Chooser) -> Draft:
    """Adam with a bug."""
    old, rate = c.decimal("x", 0.5, 1.5, 0.01), c.pick("rate", (0.05, 0.1, 0.2))
    gradients = c.decimals("gradient", 2, -9.0, 9.0, 0.5)
    settings = Optimiser(learning_rate=rate, betas=(0.9, 0.95), eps=1e-30)
    state, x = adam_start(np.array(old)), np.array(old)
    for g in gradients:
        state, info = adam_step(x, np.array(g), state, settings)
        x = info["updated"]
    call = f"adam({old:g}, [{', '.join(map(plain, gradients))}], {rate:g}, 0.9, 0.95)"
    task = "This function is to do steps of Adam (without its eps)."
    return _found(c, ADAM, (old, gradients, rate, 0.9, 0.95), float(x), call, task)


KINETICS_QUESTIONS: tuple[Entry, ...] = (
    ("bug-kinetics", "A bug in the kinetics", "bug", kinetics),
)
DIVERGENCES_QUESTIONS: tuple[Entry, ...] = (
    ("bug-divergence", "A bug in a divergence", "bug", divergence),
)
UPDATE_QUESTIONS: tuple[Entry, ...] = (("bug-adam", "A bug in Adam", "bug", adam),)
