"""The vocabulary: every named value, declared once.

Tables, axis labels, the glossary and the command line's help all read `VOCABULARY`. Its order is
the order of computation. Equation numbers without a prefix are the veloVI paper's (Gayoso, Weiler
et al. 2023); those with "doc" are the walked-through document's own; a dash means that neither
numbers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

STATES = (
    "induction",
    "induction steady state",
    "repression",
    "repression steady state",
)
"""The four kinetic states; state k of the equations is `STATES[k - 1]`."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One named value of the model.

    Attributes:
        name: as used in code, tables and files.
        symbol: LaTeX, without dollar signs.
        dims: names of its dimensions, out of cell, gene, state, latent; empty for a scalar.
        unit: unit of measure.
        equation: where it is defined.
        section: the document's section that introduces it.
        sentence: what it is, in one sentence.
        role: 'data', 'parameter', 'held' for what a reading holds in a parameter's place, 'draw',
            'value', or 'term' for a part of another value.
    """

    name: str
    symbol: str
    dims: tuple[str, ...]
    unit: str
    equation: str
    section: str
    sentence: str
    role: str = "value"


_CELL_GENE = ("cell", "gene")
_CELL_GENE_STATE = ("cell", "gene", "state")
_CELL_LATENT = ("cell", "latent")

_DECLARED = (
    Quantity(
        "unspliced",
        "u",
        _CELL_GENE,
        "abundance",
        "—",
        "1",
        "Unspliced RNA of a gene as measured in a cell, scaled.",
        "data",
    ),
    Quantity(
        "spliced",
        "s",
        _CELL_GENE,
        "abundance",
        "—",
        "1",
        "Spliced RNA of a gene as measured in a cell, scaled.",
        "data",
    ),
    *(
        Quantity(
            f"{name}_free",
            symbol,
            ("gene",),
            unit,
            "—",
            "2a",
            f"What is held and trained in place of {what}, where θ is held as free values: "
            "any real number, which a softplus maps to a positive one.",
            "held",
        )
        for name, symbol, unit, what in (
            ("alpha", r"\tilde\alpha_{g1}", "1", "the transcription rate"),
            ("beta", r"\tilde\beta_g", "1", "the splicing rate"),
            ("gamma", r"\tilde\gamma_g", "1", "the degradation rate"),
            ("switch_time", r"\tilde t^s_g", "1", "the switch time"),
            ("sigma_u", r"\tilde\sigma_{gu}", "1", "the standard deviation of unspliced RNA"),
            ("sigma_s", r"\tilde\sigma_{gs}", "1", "the standard deviation of spliced RNA"),
            ("variance_u", r"\tilde v_{gu}", "1", "the variance of unspliced RNA"),
            ("variance_s", r"\tilde v_{gs}", "1", "the variance of spliced RNA"),
        )
    ),
    *(
        Quantity(
            f"variance_{kind}",
            rf"v_{{g{kind}}}",
            ("gene",),
            "abundance²",
            "20, 21",
            "2a",
            f"Variance of {what} RNA around its prediction, where the reading holds the noise so; "
            "its root is the standard deviation.",
            "held",
        )
        for kind, what in (("u", "unspliced"), ("s", "spliced"))
    ),
    Quantity(
        "alpha",
        r"\alpha_{g1}",
        ("gene",),
        "abundance/time",
        "3",
        "2a",
        "Transcription rate of a gene during induction.",
        "parameter",
    ),
    Quantity(
        "beta",
        r"\beta_g",
        ("gene",),
        "1/time",
        "3",
        "2a",
        "Splicing rate: the share of unspliced RNA that is spliced per unit of time.",
        "parameter",
    ),
    Quantity(
        "gamma",
        r"\gamma_g",
        ("gene",),
        "1/time",
        "4",
        "2a",
        "Degradation rate: the share of spliced RNA that is degraded per unit of time.",
        "parameter",
    ),
    Quantity(
        "switch_time",
        r"t^s_g",
        ("gene",),
        "time",
        "16–19",
        "2a",
        "Time at which a gene switches from induction to repression.",
        "parameter",
    ),
    Quantity(
        "sigma_u",
        r"\sigma_{gu}",
        ("gene",),
        "abundance",
        "20",
        "2b",
        "Standard deviation of unspliced RNA around its predicted mean.",
        "parameter",
    ),
    Quantity(
        "sigma_s",
        r"\sigma_{gs}",
        ("gene",),
        "abundance",
        "21",
        "2b",
        "Standard deviation of spliced RNA around its predicted mean.",
        "parameter",
    ),
    Quantity(
        "mu_z",
        r"\mu_z",
        _CELL_LATENT,
        "1",
        "22",
        "3a",
        "Mean of a cell's approximate posterior of z, from the encoder.",
    ),
    Quantity(
        "log_var_z",
        r"\log\Sigma_z",
        _CELL_LATENT,
        "1",
        "22",
        "3a",
        "Logarithm of the variance of a cell's approximate posterior of z, from the encoder.",
    ),
    Quantity(
        "epsilon_z",
        r"\varepsilon",
        _CELL_LATENT,
        "1",
        "—",
        "3a",
        "Standard normal noise of the reparameterised draw of z.",
        "draw",
    ),
    Quantity(
        "z",
        "z^*",
        _CELL_LATENT,
        "1",
        "13",
        "3a",
        "A cell's latent state, drawn from its approximate posterior.",
    ),
    Quantity(
        "concentration",
        r"\mathrm{conc}",
        _CELL_GENE_STATE,
        "1",
        "22",
        "3a",
        "Concentrations of the approximate Dirichlet posterior of a gene's state probabilities.",
    ),
    Quantity(
        "pi",
        r"\pi^*",
        _CELL_GENE_STATE,
        "1",
        "14",
        "3a",
        "Probabilities of the four kinetic states, drawn from their Dirichlet posterior.",
        "draw",
    ),
    Quantity(
        "state",
        "k",
        _CELL_GENE,
        "1",
        "15",
        "3a",
        "Kinetic state of a gene in a cell, 1 to 4, drawn from its state probabilities.",
        "draw",
    ),
    Quantity(
        "rho_induction",
        r"\rho^{(1)}",
        _CELL_GENE,
        "1",
        "16",
        "3a",
        "How far through induction a gene is in a cell, from 0 to 1.",
    ),
    Quantity(
        "time_induction",
        "t^{(1)}",
        _CELL_GENE,
        "time",
        "17",
        "3a",
        "Latent time of a gene in a cell if it is in induction.",
    ),
    Quantity(
        "rho_repression",
        r"\rho^{(3)}",
        _CELL_GENE,
        "1",
        "18",
        "3a",
        "How far through repression a gene is in a cell, from 0 to 1.",
    ),
    Quantity(
        "time_repression",
        "t^{(3)}",
        _CELL_GENE,
        "time",
        "19",
        "3a",
        "Latent time of a gene in a cell if it is in repression, counted from 0 as induction's is.",
    ),
    Quantity(
        "u_switch",
        r"u^0_{g3}",
        ("gene",),
        "abundance",
        "9",
        "3a",
        "Unspliced RNA at which repression starts.",
    ),
    Quantity(
        "s_switch",
        r"s^0_{g3}",
        ("gene",),
        "abundance",
        "10",
        "3a",
        "Spliced RNA at which repression starts.",
    ),
    Quantity(
        "u_bar",
        r"\bar u",
        _CELL_GENE_STATE,
        "abundance",
        "3, 5, 7, 11",
        "3a",
        "Unspliced RNA that the kinetics predict in each of the four states.",
    ),
    Quantity(
        "s_bar",
        r"\bar s",
        _CELL_GENE_STATE,
        "abundance",
        "4, 6, 8, 12",
        "3a",
        "Spliced RNA that the kinetics predict in each of the four states.",
    ),
    Quantity(
        "velocity",
        "v",
        _CELL_GENE,
        "abundance/time",
        "—",
        "4",
        "RNA velocity: the predicted rate of change of spliced RNA.",
    ),
    Quantity(
        "log_density_u",
        r"\log\mathcal{N}(u)",
        _CELL_GENE_STATE,
        "nat",
        "20",
        "3a",
        "Log density of the measured unspliced RNA under each of the four states.",
    ),
    Quantity(
        "log_density_s",
        r"\log\mathcal{N}(s)",
        _CELL_GENE_STATE,
        "nat",
        "21",
        "3a",
        "Log density of the measured spliced RNA under each of the four states.",
    ),
    Quantity(
        "log_likelihood",
        r"\log p(u, s)",
        _CELL_GENE,
        "nat",
        "15, 23, 24",
        "3a",
        "Log likelihood of a gene's two measurements in a cell, by the reading's rule.",
    ),
    Quantity(
        "reconstruction",
        r"L_{\mathrm{rec}}",
        (),
        "nat",
        "25",
        "3a",
        "Minus the log likelihood of the mini-batch, summed (or averaged) over its cells.",
    ),
    Quantity(
        "kl_z_trace",
        r"\operatorname{tr}\Sigma",
        ("cell",),
        "1",
        "doc (1)",
        "5.1",
        "First term of doc (1): the sum of the posterior's variances.",
        "term",
    ),
    Quantity(
        "kl_z_mean",
        r"\mu^{\mathsf T}\mu",
        ("cell",),
        "1",
        "doc (1)",
        "5.1",
        "Second term of doc (1): the squared length of the posterior's mean.",
        "term",
    ),
    Quantity(
        "kl_z_log_det",
        r"\log\det\Sigma",
        ("cell",),
        "1",
        "doc (1)",
        "5.1",
        "Third term of doc (1): the sum of the posterior's log variances.",
        "term",
    ),
    Quantity(
        "kl_z_dimension",
        "d",
        (),
        "1",
        "doc (1)",
        "5.1",
        "Fourth term of doc (1): the number of latent dimensions.",
        "term",
    ),
    Quantity(
        "kl_z",
        r"\mathrm{KL}_z",
        ("cell",),
        "nat",
        "doc (1)",
        "5.1",
        "Divergence of a cell's posterior of z from the standard normal prior.",
    ),
    Quantity(
        "kl_pi_normaliser",
        r"\log\frac{\Gamma(\sum\alpha_q)}{\Gamma(\sum\alpha_p)}",
        _CELL_GENE,
        "nat",
        "doc (2), corrected",
        "5.2",
        "First term of the Dirichlet divergence: log ratio of the Gammas of the sums.",
        "term",
    ),
    Quantity(
        "kl_pi_log_gamma",
        r"\sum_i\log\frac{\Gamma(\alpha_{p,i})}{\Gamma(\alpha_{q,i})}",
        _CELL_GENE,
        "nat",
        "doc (2), corrected",
        "5.2",
        "Second term of the Dirichlet divergence: log ratios of the single Gammas.",
        "term",
    ),
    Quantity(
        "kl_pi_digamma",
        r"\sum_i(\alpha_{q,i}-\alpha_{p,i})(\psi(\alpha_{q,i})-\psi(\sum\alpha_q))",
        _CELL_GENE,
        "nat",
        "doc (2), corrected",
        "5.2",
        "Third term of the Dirichlet divergence: expected log probabilities under the posterior.",
        "term",
    ),
    Quantity(
        "kl_pi",
        r"\mathrm{KL}_\pi",
        _CELL_GENE,
        "nat",
        "doc (2), corrected",
        "5.2",
        "Divergence of the posterior of a gene's state probabilities from their Dirichlet prior.",
    ),
    Quantity(
        "switch_penalty_u",
        r"(u^0-u^*)^2",
        ("gene",),
        "abundance²",
        "26",
        "3a",
        "The part of a gene's switch penalty that unspliced RNA makes.",
        "term",
    ),
    Quantity(
        "switch_penalty_s",
        r"(s^0-s^*)^2",
        ("gene",),
        "abundance²",
        "26",
        "3a",
        "The part of a gene's switch penalty that spliced RNA makes; the document leaves it out.",
        "term",
    ),
    Quantity(
        "switch_penalty",
        r"L_{\mathrm{switch}}",
        ("gene",),
        "abundance²",
        "26",
        "3a",
        "Squared distance of a gene's start of repression from the highest cells measured.",
    ),
    Quantity(
        "loss",
        r"L_{\mathrm{velo}}",
        (),
        "nat",
        "27",
        "3a",
        "The number that training makes small: negative evidence bound plus switch penalty.",
    ),
)

VOCABULARY: Mapping[str, Quantity] = MappingProxyType({q.name: q for q in _DECLARED})
"""Every named value by name, in order of computation."""

RATES = ("alpha", "beta", "gamma", "switch_time")
"""Biophysical parameters, the document's section 2a."""

PARAMETERS = (*RATES, "sigma_u", "sigma_s")
"""θ, in the document's order; each has one value per gene."""

NETWORKS = ("encoder_z", "encoder_pi", "decoder_shared", "decoder_ind", "decoder_rep")
"""φ, in order of use; `decoder_shared` only where the decoders share their hidden layers."""
