"""Exercises on the two divergences."""

from __future__ import annotations

import numpy as np

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, UnsuitableError, choice, number, plain, stated
from velotrace.model.distributions import kl_dirichlet_terms, kl_standard_normal_terms

PRIOR = 0.25


def of_z(c: Chooser) -> Draft:
    """KL of a Gaussian with diagonal covariance from the standard normal."""
    size = c.pick("size", (2, 3, 4))
    mu = np.array(c.decimals("mu", size, -1.5, 1.5, 0.1))
    log_var = np.array(c.decimals("log_var", size, -1.8, 1.2, 0.2))
    trace, mean, log_det, d = kl_standard_normal_terms(mu, log_var)
    right = 0.5 * (trace + mean - log_det - d)
    as_deviation = kl_standard_normal_terms(mu, 2.0 * log_var)
    part = number(
        r"$\mathrm{KL}_z$ of this cell, in nat.",
        right,
        ("½ forgotten", 2.0 * right, "The $\\frac12$ before the bracket is missing."),
        ("dimension forgotten", right + 0.5 * d, "The dimension $d$ was not subtracted."),
        (
            "one for the dimension",
            right + 0.5 * (d - 1.0),
            "$d$ is the number of dimensions, not 1.",
        ),
        (
            "sign of log det",
            right + log_det,
            "The logarithm of the determinant has the wrong sign.",
        ),
        (
            "log-σ for log-variance",
            0.5 * (sum(as_deviation[:2]) - as_deviation[2] - d),
            "The numbers are logarithms of variances; here they were taken for logarithms of "
            "standard deviations.",
        ),
        (
            "mean forgotten",
            right - 0.5 * mean,
            "The term of the mean, $\\mu^\\top\\mu$, is missing.",
        ),
    )
    return Draft(
        f"For one cell the encoder puts out {stated(mu=mu, log_var=log_var)}, the mean and the "
        "logarithm of the variance in each latent dimension.",
        (part,),
        r"$\frac12(\operatorname{tr}\Sigma + \mu^\top\mu - \log\det\Sigma - d)$, doc (1): sum "
        r"$e^{\log\Sigma_i}$, $\mu_i^2$ and $\log\Sigma_i$ over the dimensions.",
    )


def of_pi(c: Chooser) -> Draft:
    """KL of a Dirichlet, and the document's formula."""
    conc = np.array(c.decimals("concentration", 4, 0.3, 3.0, 0.1))
    normaliser, log_gamma, digamma = (float(t) for t in kl_dirichlet_terms(conc, PRIOR))
    right = normaliser + log_gamma + digamma
    printed = digamma - normaliser - log_gamma
    if printed > -0.5:
        raise UnsuitableError("the document's formula is to be refuted by its sign")
    part = number(
        r"$\mathrm{KL}_\pi$ of this cell and gene, in nat.",
        right,
        (
            "the document's formula",
            printed,
            "That is what the document's formula gives. It has both ratios of Gamma functions "
            "upside down.",
        ),
        ("digamma term forgotten", normaliser + log_gamma, "The term with digamma is missing."),
        (
            "normaliser forgotten",
            right - normaliser,
            "The ratio of the sums' Gamma functions is missing.",
        ),
        (
            "half upside down",
            digamma + normaliser - log_gamma,
            "The ratio inside the sum over states is upside down.",
        ),
        (
            "normaliser upside down",
            digamma - normaliser + log_gamma,
            "The ratio of the sums' Gamma functions is upside down.",
        ),
    )
    why = choice(
        c,
        "why",
        f"The document's formula gives ${printed:.4g}$ here. How can one see, without knowing the "
        "right formula, that it cannot be right?",
        "It is negative, and no divergence is.",
        ("size", "It is too large: a divergence is at most 1.", "A divergence has no upper bound."),
        (
            "zero at the prior",
            "It is not 0 where posterior and prior agree.",
            "It is 0 there, and so that test sees nothing.",
        ),
        (
            "symmetry",
            "It changes when posterior and prior are swapped.",
            "So does the right one: a divergence is not symmetric.",
        ),
    )
    return Draft(
        rf"The posterior of the state probabilities is "
        rf"$\operatorname{{Dirichlet}}({plain(conc)[1:-1]})$, the prior "
        rf"$\operatorname{{Dirichlet}}({plain([PRIOR] * 4)[1:-1]})$. (SciPy has "
        "`scipy.special.gammaln` and `digamma`.)",
        (part, why),
        r"$\log\frac{\Gamma(\sum a_i)}{\Gamma(\sum p_i)} + "
        r"\sum_i\left[\log\frac{\Gamma(p_i)}{\Gamma(a_i)} + (a_i - p_i)(\psi(a_i) - "
        r"\psi(\textstyle\sum_j a_j))\right]$ with $a$ of the posterior and $p$ "
        "of the prior: doc (2) with both ratios turned round.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("kl-z", "The divergence of z", "number", of_z),
    ("kl-pi", "The divergence of π", "number", of_pi),
)
