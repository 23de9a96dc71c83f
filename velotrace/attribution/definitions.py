"""What each named value is: one formula for each, in the language of `expressions`.

These are the equations of the forward pass, written a second time so that they can be shown with
numbers put in; a test computes each of them from the values recorded before it. The language has,
beside what `formulas` uses,

    total(x, cell, gene)            Σ of x over the dimensions named
    log_total_exp(x, state)         log Σ e^x
    a                               x @ W + b, what the last layer before the value gives
    log_two_pi                      log 2π
    at_most(x, limit)               min(x, limit)
    root, tanh, relu, logistic, softplus, log_gamma
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from velotrace.model.readings import Reading
from velotrace.model.records import Activation


@dataclass(frozen=True)
class Definition:
    """How a named value is computed.

    Attributes:
        name: of the value.
        expression: in the language above, of the components at hand. A value with states inside
            one without them is meant at the state that was drawn.
        state: the state in which it holds; None for all.
        when: choices of the reading for which it holds; all readings if empty.
    """

    name: str
    expression: str
    state: int | None = None
    when: Mapping[str, str] = field(default_factory=dict)

    def holds(self, reading: Reading) -> bool:
        """Whether this reading makes the choices of `when`."""
        return all(getattr(reading, name) == choice for name, choice in self.when.items())


def _by_state(name: str, *expressions: str) -> list[Definition]:
    return [Definition(name, text, state) for state, text in enumerate(expressions, start=1)]


def _when(name: str, choice: str, by_choice: dict[str, str]) -> list[Definition]:
    return [Definition(name, text, when={choice: value}) for value, text in by_choice.items()]


_FREE, _VARIANCE = {"parameterisation": "softplus"}, {"noise_parameter": "variance"}
_DEVIATION = {"noise_parameter": "standard-deviation"}
_HELD = [
    *(
        Definition(name, f"at_most(softplus({name}_free), {limit})", when=_FREE)
        for name, limit in (("alpha", "50"), ("beta", "50"), ("gamma", "50"))
    ),
    Definition("switch_time", "at_most(softplus(switch_time_free), t_max)", when=_FREE),
    *(
        Definition(f"sigma_{kind}", f"softplus(sigma_{kind}_free)", when=_FREE | _DEVIATION)
        for kind in "us"
    ),
    *(
        Definition(f"variance_{kind}", f"softplus(variance_{kind}_free)", when=_FREE | _VARIANCE)
        for kind in "us"
    ),
    *(Definition(f"sigma_{kind}", f"root(variance_{kind})", when=_VARIANCE) for kind in "us"),
]

_LATENT = [
    Definition("mu_z", "a"),
    *_when("log_var_z", "latent_variance", {
        "exp": "a",
        "softplus": "log(softplus(a) + 1/10000)",
    }),
    Definition("z", "mu_z + exp(log_var_z/2)*epsilon_z"),
    Definition("concentration", "softplus(a)"),
    Definition("rho_induction", "logistic(a)"),
    Definition("rho_repression", "logistic(a)"),
    Definition("time_induction", "rho_induction*switch_time"),
    Definition("time_repression", "switch_time + (t_max - switch_time)*rho_repression"),
]  # fmt: skip

_START = "repression_start"
_KINETICS = [
    *_when("u_switch", _START, {
        "steady-state": "alpha/beta",
        "switch-time": "alpha/beta*rise(beta*switch_time)",
    }),
    *_when("s_switch", _START, {
        "steady-state": "alpha/gamma",
        "switch-time": "alpha/gamma*rise(gamma*switch_time) + alpha*Q(beta, gamma, switch_time)",
    }),
    *_by_state(
        "u_bar",
        "alpha/beta*rise(beta*time_induction)",
        "alpha/beta",
        "u_switch*exp(-beta*tau)",
        "0",
    ),
    *_by_state(
        "s_bar",
        "alpha/gamma*rise(gamma*time_induction) + alpha*Q(beta, gamma, time_induction)",
        "alpha/gamma",
        "s_switch*exp(-gamma*tau) - beta*u_switch*Q(beta, gamma, tau)",
        "0",
    ),
]  # fmt: skip

_LIKELIHOOD = [
    Definition(
        "log_density_u",
        "-log(c*sigma_u) - log_two_pi/2 - ((unspliced - u_bar)/(c*sigma_u))**2/2",
    ),
    Definition(
        "log_density_s",
        "-log(c*sigma_s) - log_two_pi/2 - ((spliced - s_bar)/(c*sigma_s))**2/2",
    ),
    *_when("log_likelihood", "likelihood", {
        "sampled-state": "log_density_u + log_density_s",
        "joint-mixture": "log_total_exp(log(pi) + log_density_u + log_density_s, state)",
        "separate-mixtures": "log_total_exp(log(pi) + log_density_u, state)"
        " + log_total_exp(log(pi) + log_density_s, state)",
    }),
    *_when("velocity", "likelihood", {
        "sampled-state": "beta*u_bar - gamma*s_bar",
        "joint-mixture": "total(pi*(beta*u_bar - gamma*s_bar), state)",
        "separate-mixtures": "total(pi*(beta*u_bar - gamma*s_bar), state)",
    }),
    *_when("reconstruction", "reduction", {
        "sum": "-total(log_likelihood, cell, gene)",
        "mean": "-total(log_likelihood, cell, gene)/cells",
    }),
]  # fmt: skip

_DIVERGENCES = [
    Definition("kl_z_trace", "total(exp(log_var_z), latent)"),
    Definition("kl_z_mean", "total(mu_z**2, latent)"),
    Definition("kl_z_log_det", "total(log_var_z, latent)"),
    Definition("kl_z", "(kl_z_trace + kl_z_mean - kl_z_log_det - kl_z_dimension)/2"),
    Definition("kl_pi_normaliser", "log_gamma(conc_total) - log_gamma(4*prior)"),
    Definition("kl_pi_log_gamma", "total(log_gamma(prior) - log_gamma(concentration), state)"),
    Definition(
        "kl_pi_digamma",
        "total((concentration - prior)*(digamma(concentration) - digamma(conc_total)), state)",
    ),
    Definition("kl_pi", "kl_pi_normaliser + kl_pi_log_gamma + kl_pi_digamma"),
]

_LOSS = [
    Definition("switch_penalty_u", "(u_switch - u_star)**2"),
    Definition("switch_penalty_s", "(s_switch - s_star)**2"),
    Definition("switch_penalty", "switch_penalty_u + switch_penalty_s"),
    *_when("loss", "reduction", {
        "sum": "reconstruction + kl_weight*total(kl_z, cell) + total(kl_pi, cell, gene)"
        " + switch_weight*total(switch_penalty, gene)",
        "mean": "reconstruction + kl_weight*total(kl_z, cell)/cells"
        " + total(kl_pi, cell, gene)/cells + switch_weight*total(switch_penalty, gene)",
    }),
]  # fmt: skip

_BY_NAME: dict[str, list[Definition]] = {}
for _definition in (*_HELD, *_LATENT, *_KINETICS, *_LIKELIHOOD, *_DIVERGENCES, *_LOSS):
    _BY_NAME.setdefault(_definition.name, []).append(_definition)
DEFINITIONS: Mapping[str, tuple[Definition, ...]] = MappingProxyType(
    {name: tuple(found) for name, found in _BY_NAME.items()}
)
"""By name of the value; data, parameters, draws and constants have none."""


def definitions_of(name: str, reading: Reading, activation: Activation) -> tuple[Definition, ...]:
    """The formulas of one named value that hold in a reading, one for each state where they differ.

    Args:
        name: of a value or a hidden layer.
        reading: the choices.
        activation: of the hidden layers.

    Returns:
        The formulas; none for data, parameters, draws and constants.

    Example:
        >>> from velotrace.model.readings import DOCUMENT
        >>> [d.expression for d in definitions_of("u_switch", DOCUMENT, "tanh")]
        ['alpha/beta']
    """
    if name.endswith(".h"):
        return (Definition(name, f"{activation}(a)"),)
    return tuple(d for d in DEFINITIONS.get(name, ()) if d.holds(reading))
