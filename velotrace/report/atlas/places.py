"""What the atlas holds of an equation, and groups of named values that equations share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One labelled equation.

    Attributes:
        label: in the book, such as 'eq-u-induction'.
        page: that has it, without its ending.
        what: it gives, in a few words.
        functions: that compute it, dotted below `velotrace`.
        values: named values that it gives, or whose adjoints or steps it gives.
        uses: further named values in it.
    """

    label: str
    page: str
    what: str
    functions: tuple[str, ...]
    values: tuple[str, ...]
    uses: tuple[str, ...] = ()


RATES = ("alpha", "beta", "gamma")
THETA = (*RATES, "switch_time", "sigma_u", "sigma_s")
NOISE = ("sigma_u", "sigma_s")
OUTPUTS = ("mu_z", "log_var_z", "concentration", "rho_induction", "rho_repression")
KL_Z = ("kl_z_trace", "kl_z_mean", "kl_z_log_det", "kl_z_dimension", "kl_z")
KL_PI = ("kl_pi_normaliser", "kl_pi_log_gamma", "kl_pi_digamma", "kl_pi")
FREE = tuple(f"{name}_free" for name in (*THETA, "variance_u", "variance_s"))
