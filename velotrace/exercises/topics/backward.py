"""Exercises on the backward pass: from the loss to predictions, noise and concentrations."""

from __future__ import annotations

import numpy as np
import scipy.special

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import slopes
from velotrace.exercises.parts import Draft, Entry, choice, number, plain, stated, vector
from velotrace.model.distributions import kl_dirichlet_terms, log_normal

K = [f"state {k}" for k in range(1, 5)]


def _measured(c: Chooser) -> tuple[float, float, float]:
    return (
        c.decimal("u", 0.1, 0.9, 0.02),
        c.decimal("u_bar", 0.05, 2.95, 0.05),
        c.decimal("sigma", 0.15, 0.6, 0.05),
    )


def _loss(u_bar: float, sigma: float, u: float) -> float:
    return -log_normal(u, u_bar, sigma)


def prediction(c: Chooser) -> Draft:
    """∂L/∂ū, and which way a step goes."""
    u, mean, sigma = _measured(c)
    right = float(slopes(_loss, u_bar=mean, sigma=sigma, u=u)["u_bar"])
    part = number(
        r"$\partial L/\partial\bar u$.",
        right,
        (
            "standard deviation for variance",
            right * sigma,
            "Divided by $\\sigma$; it must be $\\sigma^2$.",
        ),
        (
            "½ not cancelled",
            0.5 * right,
            "The square's derivative brings a 2, which cancels the $\\frac12$.",
        ),
        ("2 too many", 2.0 * right, "The $\\frac12$ of the density cancels the 2 of the square."),
        ("σ forgotten", mean - u, "The division by $\\sigma^2$ is missing."),
    )
    above = mean > u
    way, back = ("down", "up") if above else ("up", "down")
    place, other = ("above", "below") if above else ("below", "above")
    sign, opposite = ("positive", "negative") if above else ("negative", "positive")
    reason = choice(
        c,
        "way",
        r"Which way does gradient descent move $\bar u$, and why?",
        f"{way.capitalize()}: the prediction lies {place} the data, so the gradient is {sign}, and "
        f"a "
        "step goes against it.",
        (
            "step along the gradient",
            f"{back.capitalize()}: the gradient is {sign}, and a step goes along it.",
            "Descent goes *against* the gradient: along it the loss grows.",
        ),
        (
            "sign",
            f"{back.capitalize()}: the gradient is {opposite}, because the prediction lies "
            f"{place} the data.",
            "Look at the sign again: what happens to the loss when $\\bar u$ grows a little?",
        ),
        (
            "misread",
            f"{back.capitalize()}: the prediction lies {other} the data.",
            "Compare the two numbers once more.",
        ),
        (
            "reason",
            f"{way.capitalize()}: every gradient makes predictions smaller."
            if above
            else f"{way.capitalize()}: every gradient makes predictions larger.",
            "The direction is right, but another cell could pull the other way.",
        ),
    )
    return Draft(
        f"The loss is $L = -\\log\\mathcal{{N}}(u \\mid \\bar u, \\sigma^2)$ with "
        f"{stated(u=u, u_bar=mean, sigma=sigma)}.",
        (part, reason),
        r"$\partial L/\partial\bar u = (\bar u - u)/\sigma^2$.",
    )


def noise(c: Chooser) -> Draft:
    """∂L/∂σ, and which way a step goes."""
    u, mean, sigma = _measured(c)
    right = float(slopes(_loss, u_bar=mean, sigma=sigma, u=u)["sigma"])
    part = number(
        r"$\partial L/\partial\sigma$.",
        right,
        (
            "variance for standard deviation",
            right / (2.0 * sigma),
            "That is the derivative by $\\sigma^2$.",
        ),
        ("normaliser forgotten", right - 1.0 / sigma, "$\\log\\sigma$ has a derivative too."),
        (
            "square forgotten",
            1.0 / sigma,
            "The square's part is missing: $\\sigma$ stands below it.",
        ),
        ("by log σ", right * sigma, "That is the derivative by $\\log\\sigma$."),
    )
    wide = right < 0.0
    way, other = ("grows", "shrinks") if wide else ("shrinks", "grows")
    far, near = "more than one σ away", "less than one σ away"
    place, wrong = (far, near) if wide else (near, far)
    reason = choice(
        c,
        "way",
        r"What does a step of gradient descent do to $\sigma$, and why?",
        f"It {way}: the data lie {place} from the prediction.",
        (
            "direction",
            f"It {other}: the data lie {place} from the prediction.",
            "Right about the distance; but what does the likelihood gain by?",
        ),
        (
            "misread",
            f"It {other}: the data lie {wrong} from the prediction.",
            "Compare the distance with $\\sigma$ once more.",
        ),
        (
            "reason",
            f"It {way}: a loss always prefers " + ("more" if wide else "less") + " noise.",
            "The direction is right, but it depends on where the data lie.",
        ),
    )
    return Draft(
        f"The loss is $L = -\\log\\mathcal{{N}}(u \\mid \\bar u, \\sigma^2)$ with "
        f"{stated(u=u, u_bar=mean, sigma=sigma)}.",
        (part, reason),
        r"$\partial L/\partial\sigma = \frac1\sigma - \frac{(u - \bar u)^2}{\sigma^3}$, which is "
        r"0 where the distance is exactly $\sigma$.",
    )


def concentration(c: Chooser) -> Draft:
    """∂KL_π/∂concentration with trigamma."""
    conc = np.array(c.decimals("concentration", 4, 0.3, 2.5, 0.1))

    def divergence(conc: np.ndarray) -> float:
        normaliser, log_gamma, digamma = kl_dirichlet_terms(conc, 0.25)
        return normaliser + log_gamma + digamma

    def printed(conc: np.ndarray) -> float:
        normaliser, log_gamma, digamma = kl_dirichlet_terms(conc, 0.25)
        return digamma - normaliser - log_gamma

    right = slopes(divergence, conc=conc)["conc"]
    own = (conc - 0.25) * scipy.special.polygamma(1, conc)
    total = conc.sum()
    with_digamma = (conc - 0.25) * scipy.special.digamma(conc) - (total - 1.0) * (
        scipy.special.digamma(total)
    )
    part = vector(
        r"The four derivatives $\partial\mathrm{KL}_\pi/\partial a_k$.",
        right,
        K,
        (
            "path through the sum forgotten",
            own,
            "Each concentration enters twice, also through the sum of all four: the second path "
            "is missing.",
        ),
        (
            "digamma for trigamma",
            with_digamma,
            "That has digamma where its derivative, trigamma, belongs.",
        ),
        (
            "the document's formula",
            slopes(printed, conc=conc)["conc"],
            "That is the derivative of the document's formula, whose Gamma ratios are upside down.",
        ),
        ("sign", -right, "All signs are turned round."),
        points=3,
    )
    return Draft(
        rf"The posterior of the state probabilities has the concentrations $a = {plain(conc)}$, "
        rf"the "
        r"prior has 0.25 four times. (SciPy's trigamma is `scipy.special.polygamma(1, x)`.)",
        (part,),
        r"$(a_k - p)\,\psi'(a_k) - (\sum_j a_j - 4p)\,\psi'(\sum_j a_j)$ with $p$ of the prior: "
        r"the "
        "digammas cancel.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("pull-on-prediction", "The pull on a prediction", "choice", prediction),
    ("pull-on-noise", "The pull on the noise", "choice", noise),
    ("pull-on-concentrations", "The pull on the concentrations", "vector", concentration),
)
