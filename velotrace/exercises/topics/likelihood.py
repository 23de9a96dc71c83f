"""Exercises on the likelihood: densities, underflow, mixtures."""

from __future__ import annotations

import math

import numpy as np

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, choice, number, plain, stated, vector
from velotrace.model.distributions import LOG_2_PI, log_mixture, log_normal, responsibilities

K = [f"state {k}" for k in range(1, 5)]


def log_density(c: Chooser) -> Draft:
    """log N in a state that scales the standard deviation."""
    u, mean = c.decimal("u", 0.1, 0.9, 0.1), c.decimal("u_bar", 0.05, 1.9, 0.05)
    sigma, scale = c.decimal("sigma", 0.2, 0.6, 0.05), c.pick("scale", (0.5, 0.8, 1.5, 2.0))
    d = scale * sigma
    right = float(log_normal(u, mean, d))
    part = number(
        r"The natural logarithm of the density, $\log\mathcal{N}(u \mid \bar u, (c\,\sigma)^2)$.",
        right,
        (
            "variance for standard deviation",
            log_normal(u, mean, math.sqrt(d)),
            "$c\\,\\sigma$ was taken for the variance; it is the standard deviation.",
        ),
        ("scale forgotten", log_normal(u, mean, sigma), "The factor $c$ is missing."),
        (
            "normaliser forgotten",
            right + math.log(d) + 0.5 * LOG_2_PI,
            "Only the square is there: the density's normaliser is missing.",
        ),
        ("½ log 2π forgotten", right + 0.5 * LOG_2_PI, "$\\frac12\\log 2\\pi$ is missing."),
        (
            "½ of the square forgotten",
            right - 0.5 * ((u - mean) / d) ** 2,
            "The $\\frac12$ before the square is missing.",
        ),
        ("density for its logarithm", math.exp(right), "That is the density itself."),
    )
    return Draft(
        f"Measured is {stated(u=u)}, predicted {stated(u_bar=mean)}. The standard deviation is "
        f"$c\\,\\sigma$ with {stated(sigma=sigma, c=scale)}.",
        (part,),
        r"$-\frac12\left(\frac{u - \bar u}{c\sigma}\right)^2 - \log(c\sigma) - \frac12\log 2\pi$, "
        "paper (20).",
    )


def underflow(c: Chooser) -> Draft:
    """A likelihood that is 0.0 in float64."""
    sigma = c.decimal("sigma", 0.06, 0.12, 0.01)
    u, s = c.decimal("u", 0.1, 0.9, 0.1), c.decimal("s", 0.1, 0.9, 0.1)
    u_bar, s_bar = c.decimal("u_bar", 4.4, 6.0, 0.05), c.decimal("s_bar", 1.4, 2.4, 0.05)
    of_u, of_s = float(log_normal(u, u_bar, sigma)), float(log_normal(s, s_bar, sigma))
    total = of_u + of_s
    logarithm = number(
        "The natural logarithm of the likelihood.",
        total,
        ("u alone", of_u, "That is the part of $u$ alone; logarithms of a product add up."),
        ("s alone", of_s, "That is the part of $s$ alone; logarithms of a product add up."),
        ("mean for sum", 0.5 * total, "A mean: logarithms of a product add up."),
        (
            "product of logarithms",
            of_u * of_s,
            "Logarithms of a product add up; they are not multiplied.",
        ),
    )
    power = number(
        "The likelihood is ten to which power?",
        total / math.log(10.0),
        ("natural for base 10", total, "That is the power of $e$."),
        ("multiplied by log 10", total * math.log(10.0), "Divide by $\\log 10$ instead."),
    )
    what = choice(
        c,
        "float64",
        "And what is the product of the two densities, computed in float64?",
        "Exactly 0.0: it is below the smallest positive number of that format.",
        (
            "small number",
            "A positive number with about as many digits as any other.",
            "The format's exponent is bounded; compare with `sys.float_info.min`.",
        ),
        (
            "not a number",
            "nan: the result is not defined.",
            "The product is defined, and both factors are finite; nothing here is undefined.",
        ),
        (
            "stops",
            "Python stops with an OverflowError.",
            "It is too small, not too large, and that passes without a word.",
        ),
    )
    return Draft(
        f"For one cell and gene, measured are {stated(u=u, s=s)}, predicted "
        f"{stated(u_bar=u_bar, s_bar=s_bar)}; both standard deviations are {stated(sigma=sigma)}. "
        "The likelihood is the product of the two normal densities.",
        (logarithm, power, what),
        r"Add the two logarithms and divide by $\log 10$. The smallest positive float64 is about "
        r"$5 \times 10^{-324}$, so only the logarithm survives.",
    )


def _four(c: Chooser) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """π and the four log densities of u and of s."""
    shares = np.array(c.decimals("share", 4, 1.0, 9.0, 1.0))
    pi = np.round(shares / shares.sum(), 2)
    pi[np.argmax(pi)] += 1.0 - pi.sum()
    of_u, of_s = (np.array(c.decimals(name, 4, -3.0, 1.0, 0.1)) for name in ("log u", "log s"))
    return pi.round(2), of_u, of_s


def mixture(c: Chooser) -> Draft:
    """Responsibilities of the four states for u."""
    pi, of_u, _ = _four(c)
    log_pi = np.log(pi)
    mixed = log_mixture(log_pi, of_u)
    right = responsibilities(log_pi, of_u, mixed)
    density = np.exp(of_u)
    logarithm = number(
        r"$\log\sum_k \pi_k \mathcal{N}_k$.",
        mixed,
        (
            "logarithm inside the sum",
            np.sum(pi * of_u),
            "That is $\\sum_k \\pi_k \\log\\mathcal{N}_k$: the logarithm comes after the sum.",
        ),
        ("π forgotten", np.log(density.sum()), "The $\\pi_k$ are missing."),
        ("sum without logarithm", np.exp(mixed), "That is the sum; its logarithm is asked for."),
    )
    shares = vector(
        "The responsibilities of the four states.",
        right,
        K,
        ("not normalised", pi * density, "Not normalised: the four must sum to 1."),
        ("π forgotten", density / density.sum(), "The $\\pi_k$ are missing."),
        ("prior for posterior", pi, "Those are the $\\pi_k$, before anything was measured."),
        (
            "logarithms for densities",
            pi * of_u / np.sum(pi * of_u),
            "Logarithms stand where densities should.",
        ),
    )
    return Draft(
        rf"The states are to be summed out. For one cell and gene $\pi^* = {plain(pi)}$, and the "
        rf"logarithms of the four densities of $u$ are ${plain(of_u)}$.",
        (logarithm, shares),
        r"$r_k = \pi_k\mathcal{N}_k / \sum_j \pi_j\mathcal{N}_j$, which is $e^{\log\pi_k + "
        r"\log\mathcal{N}_k - \log\sum}$.",
    )


def joint_or_separate(c: Chooser) -> Draft:
    """k summed out of u and s together, or of each on its own."""
    pi, of_u, of_s = _four(c)
    log_pi = np.log(pi)
    joint = float(log_mixture(log_pi, of_u + of_s))
    separate = float(log_mixture(log_pi, of_u) + log_mixture(log_pi, of_s))
    drawn = float(np.sum(pi * (of_u + of_s)))
    together = number(
        "The log likelihood if one state holds for $u$ and $s$ together, paper (15).",
        joint,
        (
            "separate for joint",
            separate,
            "That sums the state out of $u$ and $s$ separately, so each may prefer another.",
        ),
        ("logarithm inside the sum", drawn, "The logarithm comes after the sum over states."),
        (
            "π squared",
            log_mixture(2.0 * log_pi, of_u + of_s),
            "$\\pi_k$ belongs to the state, once; here it is there for $u$ and again for $s$.",
        ),
    )
    apart = number(
        "The log likelihood if the state is summed out of each separately, paper (23), (24).",
        separate,
        (
            "joint for separate",
            joint,
            "That is one sum for both; here there are two sums, each with its own logarithm.",
        ),
        ("one of the two", log_mixture(log_pi, of_u), "That is the part of $u$ alone."),
        ("logarithm inside the sum", drawn, "The logarithm comes after the sum over states."),
    )
    return Draft(
        rf"For one cell and gene $\pi^* = {plain(pi)}$. The log densities in the four states are "
        rf"${plain(of_u)}$ for $u$ and ${plain(of_s)}$ for $s$.",
        (together, apart),
        r"$\log\sum_k \pi_k\, \mathcal{N}^u_k\, \mathcal{N}^s_k$ against $\log\sum_k \pi_k\, "
        r"\mathcal{N}^u_k + \log\sum_k \pi_k\, \mathcal{N}^s_k$.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("log-density", "A logarithm of a density", "number", log_density),
    ("underflow", "Too small for the computer", "number", underflow),
    ("responsibilities", "Which state answers for it", "vector", mixture),
    ("joint-or-separate", "One state or two", "number", joint_or_separate),
)
