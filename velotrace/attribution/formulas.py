"""Local derivatives in closed form: one formula for each edge of the named graph outside networks.

A formula gives ∂(component of `to`)/∂(component of `of`) where both have the same cell, gene and
latent; between other components it is 0. Its expression is shown to the reader and is what is
computed (see `expressions`). Beside the names of the vocabulary it may use

    tau            t3 − t_s, time since the start of repression
    c              c_k, scale of the standard deviation in this state
    t_max, u_star, s_star, prior, cells, kl_weight, switch_weight     constants; `cells` counts
    alpha_open, …  1 where a free value is not clamped, 0 where it is
    conc_total     sum of the four concentrations of this cell and gene
    pi_others      sum of the other three components of π*
    g              −∂_a F(π_i; a, b)/(pdf (1 − π_i)), the implicit slope of the draw
    mixed_u, mixed_s     log Σ_k π_k N_k(u), log Σ_k π_k N_k(s)
    Q, Q_beta, Q_gamma, Q_time     (e^(−γt) − e^(−βt))/(γ − β) of (β, γ, t), and its slopes

and the functions exp, log, digamma, trigamma, rise(x) = 1 − e^(−x) and decay(x) = e^(−x).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from velotrace.model.readings import Reading

DRAWN = 0
"""Stands for the state that was drawn."""


@dataclass(frozen=True)
class Formula:
    """One local derivative.

    Attributes:
        to: name of the value differentiated.
        of: name of the value it is differentiated by.
        expression: in the names above, of the components at hand.
        state: the only state of `to` in which it holds, `DRAWN` for the drawn one; None for all.
        when: choices of the reading for which it holds; all readings if empty.
        same_state: for two values with states: only between equal (True) or different ones (False).
    """

    to: str
    of: str
    expression: str
    state: int | None = None
    when: Mapping[str, str] = field(default_factory=dict)
    same_state: bool | None = None

    def holds(self, reading: Reading) -> bool:
        """Whether this reading makes the choices of `when`."""
        return all(getattr(reading, name) == choice for name, choice in self.when.items())


def _by_state(to: str, of: str, by_state: dict[int, str]) -> list[Formula]:
    return [Formula(to, of, expression, state) for state, expression in by_state.items()]


def _when(to: str, of: str, choice: str, by_choice: dict[str, str]) -> list[Formula]:
    return [Formula(to, of, text, when={choice: value}) for value, text in by_choice.items()]


_HELD = [
    *(
        Formula(name, f"{name}_free", f"{name}_open*rise({name})")
        for name in ("alpha", "beta", "gamma", "switch_time")
    ),
    *(
        Formula(name, f"{name}_free", f"rise({name})")
        for name in ("sigma_u", "sigma_s", "variance_u", "variance_s")
    ),
    Formula("sigma_u", "variance_u", "1/(2*sigma_u)"),
    Formula("sigma_s", "variance_s", "1/(2*sigma_s)"),
]

_LATENT = [
    Formula("z", "mu_z", "1"),
    Formula("z", "log_var_z", "exp(log_var_z/2)*epsilon_z/2"),
    Formula("pi", "concentration", "pi_others*g", same_state=True),
    Formula("pi", "concentration", "-pi*g", same_state=False),
]

_TIMES = [
    Formula("time_induction", "rho_induction", "switch_time"),
    Formula("time_induction", "switch_time", "rho_induction"),
    Formula("time_repression", "rho_repression", "t_max - switch_time"),
    Formula("time_repression", "switch_time", "1 - rho_repression"),
]

_START = "repression_start"
_SWITCH = [
    *_when("u_switch", "alpha", _START, {
        "steady-state": "1/beta",
        "switch-time": "rise(beta*switch_time)/beta",
    }),
    *_when("u_switch", "beta", _START, {
        "steady-state": "-alpha/beta**2",
        "switch-time": "alpha*(switch_time*decay(beta*switch_time)"
        " - rise(beta*switch_time)/beta)/beta",
    }),
    *_when("u_switch", "switch_time", _START, {
        "switch-time": "alpha*decay(beta*switch_time)",
    }),
    *_when("s_switch", "alpha", _START, {
        "steady-state": "1/gamma",
        "switch-time": "rise(gamma*switch_time)/gamma + Q(beta, gamma, switch_time)",
    }),
    *_when("s_switch", "beta", _START, {
        "switch-time": "alpha*Q_beta(beta, gamma, switch_time)",
    }),
    *_when("s_switch", "gamma", _START, {
        "steady-state": "-alpha/gamma**2",
        "switch-time": "alpha*((switch_time*decay(gamma*switch_time)"
        " - rise(gamma*switch_time)/gamma)/gamma + Q_gamma(beta, gamma, switch_time))",
    }),
    *_when("s_switch", "switch_time", _START, {
        "switch-time": "alpha*(decay(gamma*switch_time) + Q_time(beta, gamma, switch_time))",
    }),
]  # fmt: skip

_PREDICTED = [
    *_by_state("u_bar", "alpha", {1: "rise(beta*time_induction)/beta", 2: "1/beta"}),
    *_by_state("u_bar", "beta", {
        1: "alpha*(time_induction*decay(beta*time_induction)"
           " - rise(beta*time_induction)/beta)/beta",
        2: "-alpha/beta**2",
        3: "-u_switch*tau*exp(-beta*tau)",
    }),
    *_by_state("u_bar", "time_induction", {1: "alpha*decay(beta*time_induction)"}),
    *_by_state("u_bar", "u_switch", {3: "exp(-beta*tau)"}),
    *_by_state("u_bar", "time_repression", {3: "-beta*u_switch*exp(-beta*tau)"}),
    *_by_state("u_bar", "switch_time", {3: "beta*u_switch*exp(-beta*tau)"}),
    *_by_state("s_bar", "alpha", {
        1: "rise(gamma*time_induction)/gamma + Q(beta, gamma, time_induction)",
        2: "1/gamma",
    }),
    *_by_state("s_bar", "beta", {
        1: "alpha*Q_beta(beta, gamma, time_induction)",
        3: "-u_switch*(Q(beta, gamma, tau) + beta*Q_beta(beta, gamma, tau))",
    }),
    *_by_state("s_bar", "gamma", {
        1: "alpha*((time_induction*decay(gamma*time_induction)"
        " - rise(gamma*time_induction)/gamma)/gamma + Q_gamma(beta, gamma, time_induction))",
        2: "-alpha/gamma**2",
        3: "-s_switch*tau*exp(-gamma*tau) - beta*u_switch*Q_gamma(beta, gamma, tau)",
    }),
    *_by_state("s_bar", "time_induction", {
        1: "alpha*(decay(gamma*time_induction) + Q_time(beta, gamma, time_induction))",
    }),
    *_by_state("s_bar", "u_switch", {3: "-beta*Q(beta, gamma, tau)"}),
    *_by_state("s_bar", "s_switch", {3: "exp(-gamma*tau)"}),
    *_by_state("s_bar", "time_repression", {
        3: "-gamma*s_switch*exp(-gamma*tau) - beta*u_switch*Q_time(beta, gamma, tau)",
    }),
    *_by_state("s_bar", "switch_time", {
        3: "gamma*s_switch*exp(-gamma*tau) + beta*u_switch*Q_time(beta, gamma, tau)",
    }),
]  # fmt: skip

_LIKELIHOOD = [
    Formula("log_density_u", "u_bar", "(unspliced - u_bar)/(c*sigma_u)**2"),
    Formula("log_density_u", "sigma_u", "(((unspliced - u_bar)/(c*sigma_u))**2 - 1)/sigma_u"),
    Formula("log_density_s", "s_bar", "(spliced - s_bar)/(c*sigma_s)**2"),
    Formula("log_density_s", "sigma_s", "(((spliced - s_bar)/(c*sigma_s))**2 - 1)/sigma_s"),
    Formula("log_likelihood", "log_density_u", "1", DRAWN, {"likelihood": "sampled-state"}),
    Formula("log_likelihood", "log_density_s", "1", DRAWN, {"likelihood": "sampled-state"}),
    *_when("log_likelihood", "log_density_u", "likelihood", {
        "joint-mixture": "exp(log(pi) + log_density_u + log_density_s - log_likelihood)",
        "separate-mixtures": "exp(log(pi) + log_density_u - mixed_u)",
    }),
    *_when("log_likelihood", "log_density_s", "likelihood", {
        "joint-mixture": "exp(log(pi) + log_density_u + log_density_s - log_likelihood)",
        "separate-mixtures": "exp(log(pi) + log_density_s - mixed_s)",
    }),
    *_when("log_likelihood", "pi", "likelihood", {
        "joint-mixture": "exp(log(pi) + log_density_u + log_density_s - log_likelihood)/pi",
        "separate-mixtures": "(exp(log(pi) + log_density_u - mixed_u)"
        " + exp(log(pi) + log_density_s - mixed_s))/pi",
    }),
    *_when("reconstruction", "log_likelihood", "reduction", {"sum": "-1", "mean": "-1/cells"}),
]  # fmt: skip

_DIVERGENCES = [
    Formula("kl_z_trace", "log_var_z", "exp(log_var_z)"),
    Formula("kl_z_mean", "mu_z", "2*mu_z"),
    Formula("kl_z_log_det", "log_var_z", "1"),
    Formula("kl_z", "kl_z_trace", "1/2"),
    Formula("kl_z", "kl_z_mean", "1/2"),
    Formula("kl_z", "kl_z_log_det", "-1/2"),
    Formula("kl_pi_normaliser", "concentration", "digamma(conc_total)"),
    Formula("kl_pi_log_gamma", "concentration", "-digamma(concentration)"),
    Formula(
        "kl_pi_digamma",
        "concentration",
        "digamma(concentration) - digamma(conc_total) + (concentration - prior)"
        "*trigamma(concentration) - (conc_total - 4*prior)*trigamma(conc_total)",
    ),
    Formula("kl_pi", "kl_pi_normaliser", "1"),
    Formula("kl_pi", "kl_pi_log_gamma", "1"),
    Formula("kl_pi", "kl_pi_digamma", "1"),
]

_LOSS = [
    Formula("switch_penalty_u", "u_switch", "2*(u_switch - u_star)"),
    Formula("switch_penalty_s", "s_switch", "2*(s_switch - s_star)"),
    Formula("switch_penalty", "switch_penalty_u", "1"),
    Formula("switch_penalty", "switch_penalty_s", "1"),
    Formula("loss", "reconstruction", "1"),
    *_when("loss", "kl_z", "reduction", {"sum": "kl_weight", "mean": "kl_weight/cells"}),
    *_when("loss", "kl_pi", "reduction", {"sum": "1", "mean": "1/cells"}),
    Formula("loss", "switch_penalty", "switch_weight"),
]

FORMULAS: tuple[Formula, ...] = (
    *_HELD, *_LATENT, *_TIMES, *_SWITCH, *_PREDICTED, *_LIKELIHOOD, *_DIVERGENCES, *_LOSS,
)  # fmt: skip
"""All of them, in order of computation."""

_BY_EDGE: dict[tuple[str, str], list[Formula]] = {}
for _formula in FORMULAS:
    _BY_EDGE.setdefault((_formula.to, _formula.of), []).append(_formula)
BY_EDGE: Mapping[tuple[str, str], tuple[Formula, ...]] = MappingProxyType(
    {edge: tuple(formulas) for edge, formulas in _BY_EDGE.items()}
)
"""The same by (to, of)."""


@cache
def formulas_of(to: str, of: str, reading: Reading) -> tuple[Formula, ...]:
    """The formulas of one edge that hold in a reading; none for an edge inside a network.

    Example:
        >>> from velotrace.model.readings import DOCUMENT
        >>> [(f.state, f.expression) for f in formulas_of("u_bar", "alpha", DOCUMENT)]
        [(1, 'rise(beta*time_induction)/beta'), (2, '1/beta')]
    """
    return tuple(f for f in BY_EDGE.get((to, of), ()) if f.holds(reading))


def formula_between(
    to: str,
    of: str,
    reading: Reading,
    state: int | None,
    of_state: int | None,
    drawn: int | None,
) -> Formula | None:
    """The formula between two components; None where `to` does not move with `of` there.

    Args:
        to: value differentiated.
        of: value it is differentiated by.
        reading: the choices.
        state: of the component of `to`, or of the component of `of` where `to` has none.
        of_state: of the component of `of`; None where it has none.
        drawn: the state drawn for this cell and gene; None where none is.

    Returns:
        The formula.
    """
    for formula in formulas_of(to, of, reading):
        wanted = drawn if formula.state == DRAWN else formula.state
        if formula.state is not None and wanted != state:
            continue
        if formula.same_state is not None and formula.same_state != (state == of_state):
            continue
        return formula
    return None
