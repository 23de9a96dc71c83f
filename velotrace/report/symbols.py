"""How the vocabulary's names look in plain text, where LaTeX does not reach."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "unspliced": "u",
        "spliced": "s",
        "alpha_free": "α̃",
        "beta_free": "β̃",
        "gamma_free": "γ̃",
        "switch_time_free": "t̃_s",
        "sigma_u_free": "σ̃_u",
        "sigma_s_free": "σ̃_s",
        "variance_u_free": "ṽ_u",
        "variance_s_free": "ṽ_s",
        "variance_u": "v_u",
        "variance_s": "v_s",
        "alpha": "α",
        "beta": "β",
        "gamma": "γ",
        "switch_time": "t_s",
        "sigma_u": "σ_u",
        "sigma_s": "σ_s",
        "mu_z": "μ",
        "log_var_z": "logΣ",
        "epsilon_z": "ε",
        "z": "z*",
        "concentration": "conc",
        "pi": "π*",
        "state": "k",
        "rho_induction": "ρ1",
        "time_induction": "t1",
        "rho_repression": "ρ3",
        "time_repression": "t3",
        "u_switch": "u0",
        "s_switch": "s0",
        "u_bar": "ū",
        "s_bar": "s̄",
        "velocity": "v",
        "log_density_u": "log N(u)",
        "log_density_s": "log N(s)",
        "log_likelihood": "log p",
        "reconstruction": "L_rec",
        "kl_z_trace": "tr Σ",
        "kl_z_mean": "μᵀμ",
        "kl_z_log_det": "log det Σ",
        "kl_z_dimension": "d",
        "kl_z": "KL_z",
        "kl_pi_normaliser": "KL_π(sum)",
        "kl_pi_log_gamma": "KL_π(Γ)",
        "kl_pi_digamma": "KL_π(ψ)",
        "kl_pi": "KL_π",
        "switch_penalty_u": "(u0 − u*)²",
        "switch_penalty_s": "(s0 − s*)²",
        "switch_penalty": "L_switch",
        "loss": "L",
    }
)
"""Plain symbol of every named value of the vocabulary."""

TERM_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "log_density_u": "likelihood of u",
        "log_density_s": "likelihood of s",
        "pi": "likelihood through π",
        "kl_z": "KL of z",
        "kl_pi": "KL of π",
        "switch_penalty_u": "switch penalty of u",
        "switch_penalty_s": "switch penalty of s",
    }
)
"""What the terms of a decomposition are called."""


def plain(name: str) -> str:
    """The plain symbol of a named value; a weight keeps its name."""
    return PLAIN.get(name, name)
