"""Exercises on state probabilities: concentrations, a draw in logs, the drawn state."""

from __future__ import annotations

import numpy as np
import scipy.special
import scipy.stats

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, UnsuitableError, choice, plain, stated, vector
from velotrace.model.distributions import log_sum_exp, softplus
from velotrace.model.random import draw_state, generator
from velotrace.quantities import STATES

K = [f"state {k}" for k in range(1, 5)]


def concentrations(c: Chooser) -> Draft:
    """Softplus of four outputs, and the mean of the Dirichlet."""
    a = np.array(c.decimals("a", 4, -2.0, 2.0, 0.1))
    conc = softplus(a)
    mean = scipy.stats.dirichlet.mean(conc)
    first = vector(
        "The four concentrations.",
        conc,
        K,
        ("exponential for softplus", np.exp(a), "That is $e^a$; softplus is $\\log(1 + e^a)$."),
        (
            "logistic for softplus",
            scipy.special.expit(a),
            "That is the logistic function, the slope of softplus.",
        ),
        ("softmax", scipy.special.softmax(a), "That is softmax. Concentrations need not sum to 1."),
        points=1,
    )
    second = vector(
        r"The four means $\mathbb{E}[\pi_k]$ of that Dirichlet.",
        mean,
        K,
        (
            "softmax",
            scipy.special.softmax(a),
            "That is softmax of the outputs; the concentrations are not $e^a$.",
        ),
        (
            "softmax of concentrations",
            scipy.special.softmax(conc),
            "That is softmax of the concentrations; divide them by their sum.",
        ),
        ("not normalised", conc, "Those are the concentrations; divide by their sum."),
        points=1,
    )
    return Draft(
        f"For one cell and gene the network puts out {stated(a=a)}. Softplus makes them the "
        "concentrations of a Dirichlet distribution over the four states.",
        (first, second),
        r"$\mathrm{conc}_k = \log(1 + e^{a_k})$ and $\mathbb{E}[\pi_k] = \mathrm{conc}_k / \sum_j "
        r"\mathrm{conc}_j$.",
    )


def log_draw(c: Chooser) -> Draft:
    """Four log Gamma variates to log π."""
    logs = np.array(c.decimals("x", 4, -6.0, 0.9, 0.1)) - c.decimal("shift", 0.0, 900.0, 100.0)
    right = logs - log_sum_exp(logs)
    part = vector(
        r"The natural logarithms $\log\pi^*_k$ of the four state probabilities.",
        right,
        K,
        (
            "largest for sum",
            logs - logs.max(),
            "Only the largest was subtracted; the probabilities would not sum to 1.",
        ),
        ("logarithm to base 10", right / np.log(10.0), "Those are logarithms to base ten."),
        ("not normalised", logs, "Not normalised: subtract the logarithm of the sum."),
    )
    return Draft(
        "A Dirichlet draw is made of four Gamma variates, each divided by their sum. velotrace "
        "keeps "
        f"their logarithms, which never underflow; they are {stated(x=logs)}.",
        (part,),
        r"$\log\pi_k = x_k - \log\sum_j e^{x_j}$; take the largest $x$ out of the sum first, "
        r"$\log\sum_j e^{x_j} = m + \log\sum_j e^{x_j - m}$, or the exponentials may be 0.",
    )


def drawn_state(c: Chooser) -> Draft:
    """The state that a uniform number picks."""
    parts = np.array(c.decimals("share", 4, 1.0, 9.0, 1.0))
    pi = np.round(parts / parts.sum(), 2)
    pi[np.argmax(pi)] += 1.0 - pi.sum()
    seed = int(c.decimal("seed", 0, 99999, 1))
    uniform = generator(seed, "state", 0).random((1, 1))[0, 0]  # what draw_state draws
    k = int(draw_state(seed, 0, pi[None, None])[0, 0])
    cumulative = np.cumsum(pi)
    if np.min(np.abs(cumulative - uniform)) < 1e-3:
        raise UnsuitableError("the uniform number lies at the edge of a state")
    name = {state: f"{state}, {STATES[state - 1]}" for state in range(1, 5)}
    likeliest = int(np.argmax(pi)) + 1
    wrong = [_other_state(state, k, likeliest, name) for state in range(1, 5) if state != k]
    part = choice(c, "states", "Which state is drawn?", name[k], *wrong)
    return Draft(
        rf"The state probabilities are $\pi^* = {plain(pi)}$. The state is drawn by a uniform "
        rf"number: it is the first $k$ with $\pi_1 + … + \pi_k$ above that number, which is "
        rf"{uniform:.4f}.",
        (part,),
        rf"The sums are ${plain(cumulative.round(4))}$; take the first one above the number.",
    )


def _other_state(
    state: int, drawn: int, likeliest: int, name: dict[int, str]
) -> tuple[str, str, str]:
    if state == likeliest:
        words = f"State {state} is the likeliest; a draw may well give another."
        return "likeliest state", name[state], words
    if state < drawn:
        return "sum below", name[state], f"The sum up to state {state} is still below the number."
    return "sum passed", name[state], f"The sum is above the number before state {state}."


QUESTIONS: tuple[Entry, ...] = (
    ("concentrations", "From outputs to a Dirichlet", "vector", concentrations),
    ("log-draw", "A draw kept in logarithms", "vector", log_draw),
    ("drawn-state", "Which state is drawn", "choice", drawn_state),
)
