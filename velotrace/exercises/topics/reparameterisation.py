"""Exercises on gradients through the draw of z."""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as np

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import slopes
from velotrace.exercises.parts import Draft, Entry, code, number, stated
from velotrace.model.distributions import kl_standard_normal_terms


def _both(mu: Any, log_var: Any, eps: Any, pull: Any, kl: float = 1.0) -> dict[str, Any]:
    """The gradients of Σ pull · z* + KL by μ and log Σ; each latent dimension has its own."""

    def loss(mu: Any, log_var: Any) -> Any:
        z = mu + np.exp(0.5 * log_var) * np.asarray(eps)
        trace, mean, log_det, d = kl_standard_normal_terms(mu, log_var)
        return np.sum(np.asarray(pull) * z) + kl * 0.5 * (trace + mean - log_det - d)

    mu, log_var = np.atleast_1d(mu), np.atleast_1d(log_var)
    return slopes(loss, mu=mu, log_var=log_var)


def gradients(c: Chooser) -> Draft:
    """∂L/∂μ and ∂L/∂logΣ from ∂L/∂z."""
    mu, log_var = c.decimal("mu", -1.5, 1.5, 0.1), c.decimal("log_var", -1.8, 1.4, 0.2)
    eps, pull = c.decimal("epsilon", -1.8, 1.8, 0.1), c.decimal("pull", -4.0, 4.0, 0.5)
    right, path = (
        {name: float(slope[0]) for name, slope in _both(mu, log_var, eps, pull, kl).items()}
        for kl in (1.0, 0.0)
    )
    own = right["log_var"] - path["log_var"]
    of_mu = number(
        r"$\partial L/\partial\mu_z$.",
        right["mu"],
        (
            "KL left out",
            path["mu"],
            "The path through $z^*$ is right; $\\mathrm{KL}_z$ pulls as well, and is left out.",
        ),
        ("path left out", right["mu"] - path["mu"], "That is the pull of $\\mathrm{KL}_z$ alone."),
        (
            "sign of the KL",
            2.0 * path["mu"] - right["mu"],
            "The pull of $\\mathrm{KL}_z$ has the wrong sign: it draws towards 0.",
        ),
        (
            "½ of the square",
            path["mu"] + 0.5 * mu,
            "The derivative of $\\frac12\\mu^2$ has no $\\frac12$.",
        ),
    )
    of_log = number(
        r"$\partial L/\partial\log\Sigma_z$.",
        right["log_var"],
        (
            "KL left out",
            path["log_var"],
            "The path through $z^*$ is right; $\\mathrm{KL}_z$ pulls as well, and is left out.",
        ),
        (
            "log-σ for log-variance",
            2.0 * path["log_var"] + 2.0 * own,
            "That is the derivative by $\\log\\sigma$, half the log variance.",
        ),
        (
            "½ forgotten on the path",
            2.0 * path["log_var"] + own,
            "On the path through $z^*$ the inner derivative $\\frac12$ is missing.",
        ),
        (
            "noise forgotten",
            path["log_var"] / eps + own if eps else math.nan,
            "The noise $\\varepsilon$ is missing on the path through $z^*$.",
        ),
        (
            "variance for standard deviation",
            0.5 * pull * math.exp(log_var) * eps + own,
            "The standard deviation is $e^{\\frac12\\log\\Sigma}$; here stands the variance.",
        ),
        ("path left out", own, "That is the pull of $\\mathrm{KL}_z$ alone."),
        points=2,
    )
    numbers = stated(mu=mu, log_var=log_var, epsilon=eps)
    return Draft(
        f"In one latent dimension {numbers}. What arrives at $z^*$ from all that reads it is "
        rf"$\partial L/\partial z^* = {pull:g}$. The loss also has $\mathrm{{KL}}_z$, with weight "
        rf"1.",
        (of_mu, of_log),
        r"$\partial L/\partial\mu = \partial L/\partial z^* + \mu$ and $\partial "
        r"L/\partial\log\Sigma = \partial L/\partial z^* \cdot \frac12 "
        r"e^{\frac12\log\Sigma}\varepsilon + \frac12(e^{\log\Sigma} - 1)$. The document leaves "
        r"the second terms out of its formulas.",
    )


def as_code(c: Chooser) -> Draft:
    """∂L/∂logΣ as a function."""
    names = (("pull", -3.0, 3.0, 0.5), ("log_var", -1.8, 1.5, 0.3), ("eps", -1.7, 1.7, 0.2))
    probes = [[c.decimal(f"probe {i} {name}", *grid) for name, *grid in names] for i in range(1, 6)]

    weight = c.decimal("kl_weight", 0.15, 0.95, 0.01)
    pulls, log_vars, noises = zip(*probes, strict=True)
    found = _both(np.zeros(len(probes)), log_vars, noises, pulls, weight)["log_var"]
    known = dict(zip(map(tuple, probes), found, strict=True))

    def right(*probe: float) -> float:
        return float(known[probe])

    def path(pull: float, log_var: float, eps: float) -> float:
        return pull * 0.5 * math.exp(0.5 * log_var) * eps

    def own(log_var: float) -> float:
        return weight * 0.5 * math.expm1(log_var)

    part = code(
        r"A Python function of `pull` ($\partial L/\partial z^*$), `log_var` ($\log\Sigma_z$) and "
        r"`eps` ($\varepsilon_z$) that returns $\partial L/\partial\log\Sigma_z$, the part of "
        r"$\mathrm{KL}_z$ "
        "included. Do not round.",
        right,
        ("pull", "log_var", "eps"),
        probes,
        ("KL left out", path, "The part of $\\mathrm{KL}_z$ is left out."),
        (
            "½ forgotten on the path",
            lambda p, v, e: 2.0 * path(p, v, e) + own(v),
            "On the path through $z^*$ the inner derivative $\\frac12$ is missing.",
        ),
        (
            "log-σ for log-variance",
            lambda p, v, e: p * math.exp(v) * e + weight * math.expm1(2.0 * v),
            "That takes `log_var` for the logarithm of the standard deviation.",
        ),
        (
            "variance for standard deviation",
            lambda p, v, e: p * 0.5 * math.exp(v) * e + own(v),
            "The standard deviation is the exponential of *half* the log variance.",
        ),
        (
            "½ of the KL forgotten",
            lambda p, v, e: path(p, v, e) + 2.0 * own(v),
            "The $\\frac12$ before $\\mathrm{KL}_z$ is missing.",
        ),
        (
            "weight of the KL forgotten",
            lambda p, v, e: path(p, v, e) + own(v) / weight,
            "$\\mathrm{KL}_z$ has a weight in this loss.",
        ),
        ("sign", lambda p, v, e: -right(p, v, e), "The sign is turned round at every point."),
        (
            "sign of the KL",
            lambda p, v, e: path(p, v, e) - own(v),
            "The part of $\\mathrm{KL}_z$ has the wrong sign.",
        ),
    )
    return Draft(
        r"One latent dimension: $z^* = \mu_z + e^{\frac12\log\Sigma_z}\,\varepsilon_z$, and the "
        r"loss also has $\mathrm{KL}_z = \frac12(e^{\log\Sigma_z} + \mu_z^2 - \log\Sigma_z - 1)$, "
        f"with the weight {weight:g}.",
        (part,),
        f"`pull * 0.5 * math.exp(0.5 * log_var) * eps + {weight:g} * 0.5 * (math.exp(log_var) - "
        f"1)`.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("through-the-draw", "Through the draw of z", "number", gradients),
    ("through-the-draw-code", "Through the draw, as code", "code", as_code),
)
