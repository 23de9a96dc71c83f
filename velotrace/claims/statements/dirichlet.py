"""Claims of section 5.2 on doc (2), its terms, and the functions in it."""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np

from velotrace.claims.checks import below, counted, noted, same
from velotrace.claims.context import Context, each, once
from velotrace.claims.looking import values
from velotrace.claims.records import Check, Evidence, claim, shown
from velotrace.claims.statements.priors import CASES
from velotrace.counterfactuals import counterfactual
from velotrace.studies.divergences import integrated_kl, mean_logs
from velotrace.walkthrough import Trace


@claim(
    "closed-form",
    "5.2",
    130,
    131,
    132,
    page="divergences.md",
    says="The divergence between two Dirichlet distributions has a closed form.",
)
def closed_form(context: Context) -> Evidence:
    """Compares the closed form that velotrace uses, term by term recorded, with the integral."""

    def look(trace: Trace) -> tuple[Check, ...]:
        prior = np.full(4, trace.resolved.iteration.constants.pi_prior)
        found = [integrated_kl(q, prior) for q in values(trace, "concentration")[0]]
        return (same("apart", "apart by, nat", found, values(trace, "kl_pi")[0], 1e-7),)

    return each(context, look)


@claim(
    "doc-2",
    "5.2",
    130,
    135,
    136,
    page="divergences.md",
    item=1,
    says="doc (2) is the divergence of one Dirichlet distribution from another.",
    right="Both ratios of Gamma functions are upside down: for (1, 1, 1, 1) it gives {printed} "
    "nat instead of {integral}.",
)
def doc_2(context: Context) -> Evidence:
    """Integrates the divergence for three posteriors and compares doc (2) with each."""
    prior = np.array(context.document.prior)
    right = [integrated_kl(q, prior) for q in CASES]
    printed = context.document.kl_dirichlet(CASES, prior)
    return once(
        *(
            same(
                f"case_{n}",
                f"doc (2) and the integral at ({shown(tuple(q))}), apart by, nat",
                a,
                b,
                1e-7,
            )
            for n, (q, a, b) in enumerate(zip(CASES, printed, right, strict=True))
        ),
        noted("printed", "doc (2) at (1, 1, 1, 1), nat", printed[0]),
        noted("integral", "the integral there, nat", right[0]),
    )


def _normalisers(q: np.ndarray, p: np.ndarray) -> float:
    """log of the densities' normalising factors, q over p, from SciPy's densities."""
    from scipy.stats import dirichlet

    middle = np.full(len(q), 1.0 / len(q))
    of_q, of_p = (dirichlet.logpdf(middle, a) - np.sum((a - 1.0) * np.log(middle)) for a in (q, p))
    return float(of_q - of_p)


@claim(
    "normaliser-term",
    "5.2",
    141,
    142,
    143,
    page="divergences.md",
    item=1,
    says="The first term of doc (2) is from the normalising constants of the two.",
    right="It is, but its sign is turned round: with the second term it makes {both}, and the "
    "normalisers give {right}.",
)
def normaliser_term(context: Context) -> Evidence:
    """Takes the normalising factors out of SciPy's densities and compares sizes and signs."""
    document, q, p = context.document, CASES[2], np.array(context.document.prior)
    both = float(document.normaliser_term(q, p) + document.log_gamma_term(q, p))
    right = _normalisers(q, p)
    return once(
        same(
            "size",
            "size of the first two terms and of the normalisers, apart by",
            abs(both),
            abs(right),
        ),
        same("sign", "with their sign, apart by", both, right),
        noted("both", "first two terms", both),
        noted("right", "normalisers", right),
    )


@claim(
    "log-gamma-term",
    "5.2",
    144,
    page="divergences.md",
    item=1,
    says="The second term of doc (2) sums differences of log Gamma functions, as the "
    "divergence needs.",
    right="It sums them, with the sign turned round: {term} where the divergence has {needed}.",
)
def log_gamma_term(context: Context) -> Evidence:
    """Sums log Gamma by Python's own function, and takes from the integral what it should be."""
    document, q, p = context.document, CASES[2], np.array(context.document.prior)
    term = float(document.log_gamma_term(q, p))
    summed = sum(math.lgamma(a) - math.lgamma(b) for a, b in zip(q, p, strict=True))
    totals = math.lgamma(q.sum()) - math.lgamma(p.sum())
    needed = integrated_kl(q, p) - totals - float(np.sum((q - p) * mean_logs(q)))
    return once(
        same("sums", "size of the sum, off by", abs(term), abs(summed)),
        same("sign", "with its sign, off by", term, needed, 1e-7),
        noted("term", "second term", term),
        noted("needed", "what the divergence needs", needed),
    )


@claim(
    "expected-log",
    "5.2",
    145,
    page="divergences.md",
    says="ψ(α_i) − ψ(Σα) is the expected log x_i under Dir(α).",
)
def expected_log(context: Context) -> Evidence:
    """Integrates log x over the Beta distribution of every component."""
    found = [mean_logs(q) for q in CASES]
    return once(same("apart", "off by", context.document.expected_log(CASES), found, 1e-7))


@claim(
    "digamma-term",
    "5.2",
    145,
    page="divergences.md",
    says="The third term of doc (2) measures the difference of the two distributions' "
    "expected log probabilities.",
    right="It weighs the expected logs under q alone by q − p: {term} for (2, 2, 2, 2), where "
    "the difference of the two is {difference}.",
)
def digamma_term(context: Context) -> Evidence:
    """Compares it with that difference, and with zero where the two are equal."""
    q, p = CASES[1], np.array(context.document.prior)
    term = float(context.document.digamma_term(q, p))
    difference = float(np.sum(mean_logs(q) - mean_logs(p)))
    return once(
        same("equal", "where q is p", context.document.digamma_term(p, p), 0.0),
        same("apart", "third term and the difference, apart by", term, difference, 1e-7),
        noted("term", "third term", term),
        noted("difference", "difference", difference),
    )


@claim("gamma-factorial", "5.2", 139, page="divergences.md", says="Γ(n) = (n − 1)! for n = 1, 2, …")
def gamma_factorial(context: Context) -> Evidence:
    """Compares SciPy's Gamma function with Python's factorial from 1 to 20."""
    from scipy.special import gamma

    shift = context.document.factorial_shift
    ratios = [gamma(n) / math.factorial(n - shift) for n in range(1, 21)]
    return once(same("apart", "ratios, from 1 by", ratios, 1.0, 1e-14))


@claim(
    "libraries",
    "5.2",
    139,
    140,
    page="divergences.md",
    says="NumPy and SciPy have log Γ and the digamma function.",
    right="Not all have: {missing} is without.",
)
def libraries(context: Context) -> Evidence:
    """Looks for the functions by name in both libraries."""
    hits = {
        library: all(hasattr(import_module(library), name) for name in names)
        for library, names in context.document.libraries.items()
    }
    missing = ", ".join(library for library, has in hits.items() if not has) or "none"
    return once(
        counted("libraries", "libraries that have them", hits.values()),
        Check("missing", "without", missing, "", None),
    )


@claim(
    "digamma-derivative",
    "5.2",
    140,
    page="divergences.md",
    says="ψ is the derivative of log Γ, Γ′/Γ.",
)
def digamma_derivative(context: Context) -> Evidence:
    """Takes difference quotients of Python's log Γ and of SciPy's Γ at several places."""
    from scipy.special import gamma

    at, step = np.array([0.25, 0.7, 1.0, 2.5, 8.0]), 1e-5
    slopes = [(math.lgamma(x + step) - math.lgamma(x - step)) / (2.0 * step) for x in at]
    ratios = (gamma(at + step) - gamma(at - step)) / (2.0 * step) / gamma(at)
    psi = context.document.digamma(at)
    return once(
        same("log", "ψ and the slope of log Γ, apart by", psi, slopes, 1e-7),
        same("ratio", "ψ and Γ′/Γ, apart by", psi, ratios, 1e-7),
    )


@claim(
    "log-gamma-stable",
    "5.2",
    146,
    147,
    page="likelihood.md",
    says="log Γ is numerically stabler than the logarithm of Γ.",
)
def log_gamma_stable(context: Context) -> Evidence:
    """Computes both from 0.25 to 1e10, where Γ itself may be no float64."""
    from scipy.special import gamma

    at = np.array([0.25, 170.0, 172.0, 1e10])
    with np.errstate(all="ignore"):
        plain, logs = np.log(gamma(at)), context.document.log_gamma(at)
    return once(
        counted("log", "places with a finite log Γ", np.isfinite(logs)),
        below("plain", "places with a finite log of Γ", int(np.isfinite(plain).sum()), len(at)),
    )


@claim(
    "digamma-direct",
    "5.2",
    148,
    page="divergences.md",
    says="The digamma function should likewise be used directly.",
)
def digamma_direct(context: Context) -> Evidence:
    """Computes ψ directly and as Γ′/Γ from 0.25 to 1e10."""
    from scipy.special import gamma

    at = np.array([0.25, 170.0, 172.0, 1e10])
    with np.errstate(all="ignore"):
        quotient = (gamma(at * (1.0 + 1e-6)) - gamma(at * (1.0 - 1e-6))) / (2e-6 * at * gamma(at))
        direct = context.document.digamma(at)
    return once(
        counted("direct", "places with a finite ψ", np.isfinite(direct)),
        below("quotient", "places with a finite Γ′/Γ", int(np.isfinite(quotient).sum()), len(at)),
    )


@claim(
    "automatic",
    "5.2",
    149,
    page="backward.md",
    says="Automatic differentiation gives the gradient of the divergence in α_q.",
)
def automatic(context: Context) -> Evidence:
    """Compares the recorded gradient of KL_π with difference quotients of the integral."""
    step = 1e-3

    def look(trace: Trace) -> tuple[Check, ...]:
        alone = kl_pi_alone(trace)
        prior = np.full(4, trace.resolved.iteration.constants.pi_prior)
        q, found = values(trace, "concentration")[0, 0], []
        for shift in step * np.eye(4):
            found.append(
                (integrated_kl(q + shift, prior) - integrated_kl(q - shift, prior)) / step / 2
            )
        recorded = np.asarray(alone.tape["concentration"].adjoint)[0, 0]
        weight = float(np.asarray(alone.tape["kl_pi"].adjoint)[0, 0])
        return (same("apart", "gradients apart by", recorded / weight, found, 1e-5),)

    return each(context, look)


def kl_pi_alone(trace: Trace) -> Trace:
    """The iteration with the divergence of π as its only loss."""
    return counterfactual(trace, drop=["reconstruction", "kl_z", "switch_penalty"])


CLAIMS = (
    closed_form,
    doc_2,
    normaliser_term,
    log_gamma_term,
    expected_log,
    digamma_term,
    gamma_factorial,
    libraries,
    digamma_derivative,
    log_gamma_stable,
    digamma_direct,
    automatic,
)
