"""The pages on both divergences: checks laid out as tables, and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from velotrace.counterfactuals import counterfactual
from velotrace.report.book import at
from velotrace.report.book_tables import markdown, shown, typeset
from velotrace.studies import divergences as routes
from velotrace.studies import evidence as of_evidence
from velotrace.studies.divergences import Sample
from velotrace.walkthrough import Trace

DRAWS, SEED = 20_000, 0
"""Of the tables' third route."""


def posterior_of_z(trace: Trace, cell: str) -> tuple[np.ndarray, np.ndarray]:
    """μ and log Σ of one cell, each of shape (latent,)."""
    n = trace.coords["cell"].index(cell)
    return trace.tape["mu_z"].value[n], trace.tape["log_var_z"].value[n]


def posterior_of_pi(trace: Trace, cell: str, gene: str) -> tuple[np.ndarray, np.ndarray]:
    """Concentrations of one cell and gene, and of the prior, each of shape (state,)."""
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    q = trace.tape["concentration"].value[n, g]
    return q, np.full(len(q), trace.resolved.iteration.constants.pi_prior)


def plus_minus(sample: Sample) -> str:
    """The mean of a sample and its standard error, to two digits of the error."""
    if sample.error == 0.0:  # all draws agree
        return shown(sample.mean)
    places = max(0, 1 - int(np.floor(np.log10(sample.error))))
    mean, error = (f"{x:.{places}f}" for x in (sample.mean, sample.error))
    return f"{typeset(mean)}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{error}"


# ---- z --------------------------------------------------------------------------------------


def kl_normal(mean: np.ndarray, log_var: np.ndarray) -> float:
    """doc (1) as one number."""
    return float(routes.kl_normal_by_dimension(mean, log_var).sum())


def kl_normal_turned(mean: np.ndarray, log_var: np.ndarray) -> float:
    """The divergence the other way round, of N(0, I) from N(μ, Σ)."""
    return kl_normal(*routes.normal_turned(mean, log_var))


def both_ways(trace: Trace, cell: str, factors: Sequence[float]) -> str:
    """Both directions for one cell, with every variance of its posterior times a factor."""
    mean, log_var = posterior_of_z(trace, cell)
    rows = []
    for factor in factors:
        scaled = log_var + np.log(factor)
        rows.append([factor, kl_normal(mean, scaled), kl_normal_turned(mean, scaled)])
    headers = [
        "variances of $q$ times",
        r"$\mathrm{KL}(q\,\Vert\,p)$<br>nat",
        r"$\mathrm{KL}(p\,\Vert\,q)$<br>nat",
    ]
    return markdown(headers, rows, 0)


def expectations_of_z(trace: Trace, cell: str) -> dict[str, tuple[float, float, Sample]]:
    """E_q log q, E_q log p and their difference by closed form, integral and draws."""
    mean, log_var = posterior_of_z(trace, cell)
    spread, squares, log_det = (
        at(trace, f"kl_z_{term}", cell) for term in ("trace", "mean", "log_det")
    )
    d = float(trace.tape["kl_z_dimension"].value)
    constant = d * np.log(2.0 * np.pi)
    closed = (-0.5 * (constant + log_det + d), -0.5 * (constant + spread + squares))
    integral = [float(np.sum(part)) for part in routes.normal_by_integration(mean, log_var)]
    log_q, log_p = (part.sum(axis=-1) for part in routes.drawn_logs(mean, log_var, DRAWS, SEED))
    return {
        "q": (closed[0], integral[0], Sample.of(log_q)),
        "p": (closed[1], integral[1], Sample.of(log_p)),
        "kl": (closed[0] - closed[1], integral[0] - integral[1], Sample.of(log_q - log_p)),
    }


def expectations_table(found: Mapping[str, tuple[float, float, Sample]]) -> str:
    """What `expectations_of_z` found."""
    labels = {
        "q": r"$\mathbb E_q \log q$",
        "p": r"$\mathbb E_q \log p$",
        "kl": r"$\mathrm{KL}_z$",
    }
    rows = [
        [labels[name], shown(closed, 8), shown(integral, 8), plus_minus(sample)]
        for name, (closed, integral, sample) in found.items()
    ]
    return markdown(["nat", "closed form", "integral", "draws"], rows)


def dimensions_table(trace: Trace, cell: str) -> str:
    """Each latent dimension's share of KL_z by three routes."""
    mean, log_var = posterior_of_z(trace, cell)
    log_q, log_p = routes.normal_by_integration(mean, log_var)
    ratios = np.subtract(*routes.drawn_logs(mean, log_var, DRAWS, SEED))
    rows = [
        [
            str(i + 1),
            shown(mean[i], 4),
            shown(log_var[i], 4),
            kl_normal(mean[i : i + 1], log_var[i : i + 1]),
            log_q[i] - log_p[i],
            plus_minus(Sample.of(ratios[:, i])),
        ]
        for i in range(len(mean))
    ]
    headers = ["latent", r"$\mu$", r"$\log\Sigma$", "closed form<br>nat", "integral<br>nat",
               "draws<br>nat"]  # fmt: skip
    return markdown(headers, rows)


def kl_alone(trace: Trace, term: str) -> Trace:
    """The iteration with one divergence, 'kl_z' or 'kl_pi', as its only loss."""
    others = {"reconstruction", "kl_z", "kl_pi", "switch_penalty"} - {term}
    return counterfactual(trace, drop=sorted(others))


def slopes_of_kl_z(trace: Trace, cell: str) -> tuple[np.ndarray, ...]:
    """Slopes of KL_z in μ, then in log Σ: each by tape, and as quotients of the integral."""
    mean, log_var = posterior_of_z(trace, cell)
    alone, n = kl_alone(trace, "kl_z"), trace.coords["cell"].index(cell)

    def integral(of_mean: np.ndarray, of_log_var: np.ndarray) -> float:
        return float(np.sum(np.subtract(*routes.normal_by_integration(of_mean, of_log_var))))

    by_tape = [np.asarray(alone.tape[name].adjoint)[n] for name in ("mu_z", "log_var_z")]
    of_mean = routes.quotients(lambda x: integral(x, log_var), mean)
    of_log_var = routes.quotients(lambda x: integral(mean, x), log_var)
    return by_tape[0], of_mean, by_tape[1], of_log_var


def slopes_table(trace: Trace, cell: str) -> str:
    """Formula, tape and quotient side by side, dimension by dimension."""
    mean, log_var = posterior_of_z(trace, cell)
    found = slopes_of_kl_z(trace, cell)
    formula = 0.5 * np.expm1(log_var)
    rows = [
        [str(i + 1), mean[i], found[0][i], found[1][i], formula[i], found[2][i], found[3][i]]
        for i in range(len(mean))
    ]
    headers = [
        "latent",
        r"$\mu$",
        r"$\partial\mu$<br>tape",
        r"$\partial\mu$<br>quotient",
        r"$\tfrac12(\Sigma-1)$",
        r"$\partial\log\Sigma$<br>tape",
        r"$\partial\log\Sigma$<br>quotient",
    ]
    return markdown(headers, [[row[0], *(shown(x, 4) for x in row[1:])] for row in rows])


def evidence(trace: Trace, cell: str, gene: str) -> of_evidence.Evidence:
    """The evidence of one cell and gene taken apart, z held at its draw."""
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    log_u, log_s = (trace.tape[f"log_density_{x}"].value[n, g] for x in "us")
    return of_evidence.evidence(log_u + log_s, *posterior_of_pi(trace, cell, gene))


def evidence_table(found: of_evidence.Evidence) -> str:
    """Each part of the identity, and what the right-hand side adds up to."""
    rows = [
        ["expected log likelihood", found.expected],
        ["− divergence of $q$ from the prior", -found.divergence],
        ["= ELBO", found.elbo],
        ["+ divergence of $q$ from the posterior", found.gap],
        ["= sum", found.elbo + found.gap],
        ["log evidence, computed by itself", found.log_evidence],
    ]
    return markdown(["part", "nat"], [[label, shown(x, 8)] for label, x in rows])


# ---- π --------------------------------------------------------------------------------------


def dirichlet_routes(cases: Mapping[str, np.ndarray], prior: float) -> str:
    """The divergence of some Dirichlets by three routes, and by doc (2) as printed."""
    rows = []
    for label, q in cases.items():
        p = np.full(len(q), prior)
        drawn = Sample.of(routes.drawn_dirichlet_log_ratios(q, p, DRAWS, SEED))
        closed, betas = routes.kl_dirichlet(q, prior), routes.integrated_kl(q, p)
        printed = shown(_clean(routes.printed_kl_dirichlet(q, prior)))
        rows.append([label, _eight(closed), _eight(betas), plus_minus(drawn), printed])
    headers = [r"$\alpha_q$", "closed form<br>nat", "three Betas<br>nat", "draws<br>nat",
               "doc (2)<br>nat"]  # fmt: skip
    return markdown(headers, rows)


def _clean(value: float | np.ndarray) -> float:
    return round(float(value), 12) + 0.0  # no round-off for a zero


def _eight(value: float | np.ndarray) -> str:
    return shown(_clean(value), 8)


def mean_logs_table(trace: Trace, cell: str, gene: str) -> str:
    """E log π by digamma functions, by integration and by draws, state by state."""
    from scipy.special import digamma

    q, _ = posterior_of_pi(trace, cell, gene)
    closed, integral = digamma(q) - digamma(q.sum()), routes.mean_logs(q)
    drawn = routes.drawn_log_probabilities(q, DRAWS, SEED)
    rows = [
        [str(k + 1), q[k], shown(closed[k], 8), shown(integral[k], 8),
         plus_minus(Sample.of(drawn[:, k]))]
        for k in range(len(q))
    ]  # fmt: skip
    headers = ["state", r"$\alpha_{q,k}$", r"$\psi(\alpha_{q,k})-\psi(\alpha_{q,0})$", "integral",
               "draws"]  # fmt: skip
    return markdown(headers, rows)


def terms_table(trace: Trace, cell: str, gene: str) -> str:
    """What each state adds to the log-Gamma and the digamma term, and the terms in the trace."""
    from scipy.special import digamma, gammaln

    q, p = posterior_of_pi(trace, cell, gene)
    mean_log = digamma(q) - digamma(q.sum())
    columns = (q, gammaln(p) - gammaln(q), q - p, mean_log, (q - p) * mean_log)
    rows = [[str(k + 1), *(shown(column[k]) for column in columns)] for k in range(len(q))]
    of_trace = (at(trace, f"kl_pi_{term}", cell, gene) for term in ("log_gamma", "digamma"))
    log_gamma, both = map(shown, of_trace)
    rows.append(["in the trace", "", log_gamma, "", "", both])
    headers = [
        "state",
        r"$\alpha_q$",
        r"$\log\frac{\Gamma(\alpha_p)}{\Gamma(\alpha_q)}$",
        r"$\alpha_q - \alpha_p$",
        r"$\mathbb E\log\pi$",
        "product",
    ]
    return markdown(headers, rows)


def sticks_table(trace: Trace, cell: str, gene: str) -> str:
    """The three Betas of posterior and prior with the divergence of each, and their sum."""
    q, p = posterior_of_pi(trace, cell, gene)
    each = routes.divergences_of_sticks(q, p)
    splits = ("state 1 or a later one", "state 2 or a later one", "state 3 or 4")
    rows = [
        [split, *(f"({shown(a, 4)}, {shown(b, 4)})" for a, b in pair), shown(kl, 8)]
        for split, *pair, kl in zip(splits, routes.sticks(q), routes.sticks(p), each, strict=True)
    ]
    rows.append(["sum", "", "", shown(each.sum(), 8)])
    headers = ["which", "Beta of $q$", "Beta of $p$", r"$\mathrm{KL}$<br>nat"]
    return markdown(headers, rows, 3)


def grid(prior: float, points: int = 15) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Concentrations on a grid around the prior, the divergence there, and doc (2) as printed.

    Returns:
        Shapes (point, 4), (point,), (point,).
    """
    one = prior * np.geomspace(1 / 64, 64, points)  # an odd number of points has the prior in it
    q = np.stack(np.meshgrid(*[one] * 4), axis=-1).reshape(-1, 4)
    return q, routes.kl_dirichlet(q, prior), routes.printed_kl_dirichlet(q, prior)


def slope_table(trace: Trace, cell: str, gene: str) -> str:
    """The slope of KL_π in each concentration: its two parts, their sum, tape and quotient."""
    q, p = posterior_of_pi(trace, cell, gene)
    own, common = routes.slope_parts(q, p[0])
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    by_tape = np.asarray(kl_alone(trace, "kl_pi").tape["concentration"].adjoint)[n, g]
    quotient = routes.quotients(lambda x: float(routes.divergences_of_sticks(x, p).sum()), q)
    columns = (q, own, common, own + common, by_tape, quotient)
    rows = [[str(k + 1), *(shown(column[k]) for column in columns)] for k in range(len(q))]
    headers = ["state", r"$\alpha_{q,k}$", "own part", "common part", "sum", "tape",
               "quotient"]  # fmt: skip
    return markdown(headers, rows)
