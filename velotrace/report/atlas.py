"""Where each labelled equation of the book lives: its page, its functions, its rows of the trace.

One list, read three ways: a page says which function computes its equations and which rows of the
trace hold the results; the programming interface and the index of named values say the same from
their side. A test compares it with the book's pages, so that no equation is an orphan.
"""

from __future__ import annotations

from collections.abc import Iterable
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

_FORWARD = (
    Place(
        "eq-data",
        "data",
        "the measurements",
        ("data.read_expression",),
        ("unspliced", "spliced"),
    ),
    Place(
        "eq-highest",
        "initialisation",
        "the first transcription rate, u* and s*",
        ("data.highest_cells",),
        ("alpha",),
        ("unspliced", "spliced"),
    ),
    Place(
        "eq-layer",
        "initialisation",
        "what a network makes of its inputs",
        ("model.networks.perceptron",),
        OUTPUTS,
    ),
    Place(
        "eq-first-weights",
        "initialisation",
        "the range of first weights",
        ("model.networks.initial_limit", "model.networks.initialise"),
        OUTPUTS,
    ),
    Place(
        "eq-posterior-z",
        "encoder",
        "prior and posterior of z",
        ("model.objective.infer", "model.networks.perceptron"),
        ("mu_z", "log_var_z"),
        ("unspliced", "spliced"),
    ),
    Place(
        "eq-reparameterisation",
        "encoder",
        "the draw of z",
        ("model.objective.infer", "model.random.draw_epsilon"),
        ("z",),
        ("mu_z", "log_var_z", "epsilon_z"),
    ),
    Place(
        "eq-states",
        "states",
        "state probabilities and the state",
        ("model.objective.draw_states", "model.random.draw_pi", "model.random.draw_state"),
        ("concentration", "pi", "state"),
        ("z",),
    ),
    Place(
        "eq-times",
        "times",
        "both latent times",
        ("model.objective.latent_times",),
        ("rho_induction", "time_induction", "rho_repression", "time_repression"),
        ("z", "switch_time"),
    ),
    Place(
        "eq-ode",
        "kinetics",
        "how RNA changes",
        ("model.kinetics.velocity",),
        ("velocity",),
        RATES,
    ),
    Place(
        "eq-u-induction",
        "kinetics",
        "unspliced RNA in induction",
        ("model.kinetics.u_induction",),
        ("u_bar",),
        ("alpha", "beta", "time_induction"),
    ),
    Place(
        "eq-s-induction",
        "kinetics",
        "spliced RNA in induction",
        ("model.kinetics.s_induction", "model.kinetics.exponential_difference"),
        ("s_bar",),
        (*RATES, "time_induction"),
    ),
    Place(
        "eq-steady",
        "kinetics",
        "the induction steady state",
        ("model.objective.predict", "model.objective.start_of_repression"),
        ("u_bar", "s_bar", "u_switch", "s_switch"),
        RATES,
    ),
    Place(
        "eq-repression",
        "kinetics",
        "repression",
        ("model.kinetics.u_repression", "model.kinetics.s_repression"),
        ("u_bar", "s_bar"),
        ("u_switch", "s_switch", "beta", "gamma", "switch_time", "time_repression"),
    ),
    Place(
        "eq-velocity",
        "kinetics",
        "RNA velocity",
        ("model.kinetics.velocity", "model.objective.velocity"),
        ("velocity",),
        ("beta", "gamma", "u_bar", "s_bar"),
    ),
    Place(
        "eq-log-normal",
        "likelihood",
        "log densities of the data",
        ("model.distributions.log_normal",),
        ("log_density_u", "log_density_s"),
        ("unspliced", "spliced", "u_bar", "s_bar", *NOISE),
    ),
    Place(
        "eq-likelihood",
        "likelihood",
        "the log likelihood",
        ("model.objective.compare_with_data", "model.distributions.log_mixture"),
        ("log_likelihood", "reconstruction"),
        ("log_density_u", "log_density_s", "state", "pi"),
    ),
    Place(
        "eq-kl",
        "divergences",
        "a divergence",
        (
            "model.objective.divergence_of_z",
            "model.objective.divergence_of_pi",
        ),
        ("kl_z", "kl_pi"),
    ),
    Place(
        "eq-kl-z",
        "divergences",
        "the divergence of z",
        ("model.distributions.kl_standard_normal_terms",),
        KL_Z,
        ("mu_z", "log_var_z"),
    ),
    Place(
        "eq-kl-pi",
        "divergences",
        "the divergence of the state probabilities",
        ("model.distributions.kl_dirichlet_terms",),
        KL_PI,
        ("concentration",),
    ),
    Place(
        "eq-switch",
        "switch",
        "the switch penalty",
        ("model.objective.switch_penalty",),
        ("switch_penalty_u", "switch_penalty_s", "switch_penalty"),
        ("u_switch", "s_switch"),
    ),
    Place(
        "eq-loss",
        "loss",
        "the loss",
        ("model.objective.loss",),
        ("loss",),
        ("reconstruction", "kl_z", "kl_pi", "switch_penalty"),
    ),
)

_BACKWARD = (
    Place(
        "eq-chain",
        "backward",
        "the chain rule",
        ("tape.recording.record", "model.adjoint.backward"),
        ("loss",),
    ),
    Place(
        "eq-back-likelihood",
        "backward",
        "adjoints of predictions and noise",
        ("model.adjoint.backward",),
        ("u_bar", "s_bar", *NOISE),
        ("unspliced", "spliced"),
    ),
    Place(
        "eq-alpha",
        "chainrule",
        "the adjoint of a transcription rate",
        ("model.adjoint.backward", "attribution.explanation.explain"),
        ("alpha",),
        ("u_bar", "s_bar", "u_switch", "s_switch"),
    ),
    Place(
        "eq-alpha-density",
        "chainrule",
        "from a log density to its prediction",
        ("model.adjoint.backward", "attribution.edges.edges_between"),
        ("u_bar", "s_bar"),
        ("log_density_u", "log_density_s"),
    ),
    Place(
        "eq-alpha-kinetics",
        "chainrule",
        "from the predictions to α",
        ("model.slopes.induction_slopes",),
        ("alpha",),
        ("u_bar", "s_bar"),
    ),
    Place(
        "eq-back-z",
        "reparameterisation",
        "through the draw of z",
        ("model.adjoint.backward",),
        ("mu_z", "log_var_z"),
        ("z", "epsilon_z"),
    ),
    Place(
        "eq-back-kl",
        "reparameterisation",
        "the divergence's own pull",
        ("model.adjoint.backward",),
        ("mu_z", "log_var_z"),
        ("kl_z",),
    ),
    Place(
        "eq-no-path",
        "nopath",
        "all that reaches the concentrations",
        ("model.adjoint.backward", "attribution.reasons.why_no_path"),
        ("concentration",),
        ("kl_pi", "reconstruction", "state", "pi"),
    ),
    Place(
        "eq-difference",
        "certificates",
        "a derivative from four losses",
        ("certificates.differences.differentiate",),
        ("loss",),
    ),
    Place(
        "eq-difference-bound",
        "certificates",
        "how far that may be off",
        ("certificates.certify.certify", "certificates.differences.noise_of"),
        ("loss",),
    ),
    Place(
        "eq-sgd",
        "update",
        "gradient descent",
        ("learning.optimisers.sgd_step",),
        THETA,
    ),
    Place(
        "eq-adam",
        "update",
        "Adam",
        ("learning.optimisers.adam_step",),
        THETA,
    ),
    Place(
        "eq-latent-time",
        "evolution",
        "latent time of a cell and gene",
        ("learning.results.derived", "learning.results.posterior"),
        ("time_induction", "time_repression", "switch_time", "pi"),
    ),
    Place(
        "eq-scale",
        "simulated",
        "the same curves on another clock",
        ("studies.recovery.scaled", "studies.recovery.scale_table"),
        ("u_bar", "s_bar"),
        (*RATES, "time_induction"),
    ),
    Place(
        "eq-free",
        "readings",
        "free values in the place of θ",
        ("model.holding.natural_values", "model.holding.held_values"),
        FREE,
        ("variance_u", "variance_s", *THETA),
    ),
)

_DIVERGENCES = (
    Place(
        "eq-kl-bound",
        "kl",
        "why it is never negative",
        ("studies.divergences.drawn_logs",),
        ("kl_z", "kl_pi"),
        ("z",),
    ),
    Place(
        "eq-evidence",
        "kl",
        "the evidence, taken apart",
        ("studies.divergences.evidence",),
        ("kl_pi",),
        ("log_density_u", "log_density_s", "concentration"),
    ),
    Place(
        "eq-elbo",
        "kl",
        "the evidence lower bound",
        ("model.objective.loss",),
        ("reconstruction", "kl_z", "kl_pi"),
        ("log_likelihood",),
    ),
    Place(
        "eq-kl-z-q",
        "kl",
        "the mean log density under the posterior",
        ("studies.divergences.normal_by_integration",),
        ("kl_z_log_det", "kl_z_dimension"),
        ("log_var_z",),
    ),
    Place(
        "eq-kl-z-p",
        "kl",
        "the mean log density under the prior",
        ("studies.divergences.normal_by_integration",),
        ("kl_z_trace", "kl_z_mean"),
        ("mu_z", "log_var_z"),
    ),
    Place(
        "eq-kl-z-slopes",
        "kl",
        "its slopes",
        ("model.adjoint.backward", "studies.divergences.quotients"),
        ("mu_z", "log_var_z"),
        ("kl_z",),
    ),
    Place(
        "eq-dirichlet-density",
        "kl-dirichlet",
        "density and log normaliser",
        ("studies.divergences.log_normaliser",),
        ("kl_pi_normaliser", "kl_pi_log_gamma"),
        ("pi", "concentration"),
    ),
    Place(
        "eq-dirichlet-mean-log",
        "kl-dirichlet",
        "the mean log probabilities",
        ("studies.divergences.mean_logs",),
        ("kl_pi_digamma",),
        ("pi", "concentration"),
    ),
    Place(
        "eq-dirichlet-covariance",
        "kl-dirichlet",
        "their covariances",
        ("model.special.trigamma",),
        ("concentration",),
        ("pi",),
    ),
    Place(
        "eq-kl-pi-gap",
        "kl-dirichlet",
        "the divergence, from log normalisers",
        ("model.distributions.kl_dirichlet_terms",),
        KL_PI,
        ("concentration",),
    ),
    Place(
        "eq-kl-pi-printed",
        "kl-dirichlet",
        "what doc (2) has instead",
        ("claims.document.kl_dirichlet", "report.book_divergences.printed"),
        ("kl_pi_normaliser", "kl_pi_log_gamma"),
        ("concentration",),
    ),
    Place(
        "eq-kl-pi-sticks",
        "kl-dirichlet",
        "the same as three Betas",
        ("studies.divergences.divergences_of_sticks",),
        ("kl_pi",),
        ("concentration",),
    ),
    Place(
        "eq-kl-pi-slope",
        "kl-dirichlet",
        "its slopes",
        ("studies.divergences.slope_parts", "model.adjoint.backward"),
        ("concentration",),
        ("kl_pi",),
    ),
)

_ENGINE = (
    Place(
        "eq-tape-contribution",
        "tape",
        "what flows back along an edge",
        ("tape.recording.record", "report.tape_figures.local_derivative"),
        ("alpha", "beta"),
        ("u_bar", "s_bar", "u_switch"),
    ),
    Place(
        "eq-tape-broadcast",
        "tape",
        "sums over cells, by broadcasting",
        ("tape.recording.record",),
        ("alpha", "beta", "gamma"),
        ("time_induction",),
    ),
    Place(
        "eq-tape-difference",
        "tape",
        "a difference quotient of any value",
        ("tape.recording.evaluate", "certificates.differences.differentiate"),
        ("u_bar",),
    ),
)

_SCVI = (
    Place(
        "eq-scvi-weights",
        "scvi",
        "weights of the networks",
        ("report.scvi_settings.network_weights", "model.networks.network_widths"),
        ("mu_z", "log_var_z", "concentration", "rho_induction", "rho_repression"),
    ),
    Place(
        "eq-scvi-minmax",
        "scvi",
        "min–max scaling of the data",
        ("report.scvi_settings.stretch",),
        ("unspliced", "spliced"),
    ),
    Place(
        "eq-scvi-scaled",
        "scvi",
        "how scaled RNA changes",
        ("report.scvi_settings.stretch", "model.kinetics.velocity"),
        ("velocity",),
        RATES,
    ),
    Place(
        "eq-scvi-warmup",
        "scvi",
        "weights that change over training",
        ("model.readings.in_force",),
        ("loss",),
        ("kl_z", "switch_penalty"),
    ),
    Place(
        "eq-scvi-steps",
        "scvi",
        "steps of an epoch",
        ("report.scvi_settings.steps_an_epoch", "learning.training.batches_of"),
        ("loss",),
    ),
    Place(
        "eq-scvi-velocity",
        "scvi",
        "velocity with the states summed out",
        ("model.objective.velocity",),
        ("velocity",),
        ("pi", "u_bar", "s_bar", "beta", "gamma"),
    ),
    Place(
        "eq-scvi-time",
        "scvi",
        "latent time without the end",
        ("report.scvi_figures.time_without_the_end", "learning.results.derived"),
        ("time_induction", "time_repression", "switch_time", "pi"),
    ),
    Place(
        "eq-scvi-clock",
        "scvi",
        "one clock for all genes",
        ("studies.recovery.scaled",),
        ("time_induction", "time_repression", "velocity"),
        RATES,
    ),
)

_QUESTIONS = (
    Place(
        "eq-clock",
        "questions",
        "another clock",
        ("studies.recovery.scale_table",),
        ("loss", "velocity"),
        (*RATES, "switch_time", "time_induction", "time_repression"),
    ),
    Place(
        "eq-line",
        "questions",
        "on which side of the line a velocity is positive",
        ("model.kinetics.velocity",),
        ("velocity",),
        ("beta", "gamma", "u_bar", "s_bar"),
    ),
)

ATLAS = (*_FORWARD, *_BACKWARD, *_DIVERGENCES, *_ENGINE, *_SCVI, *_QUESTIONS)
"""Every labelled equation, in the order of the book."""


def of_page(page: str) -> tuple[Place, ...]:
    """The labelled equations of one page.

    Example:
        >>> [place.label for place in of_page("encoder")]
        ['eq-posterior-z', 'eq-reparameterisation']
    """
    return tuple(place for place in ATLAS if place.page == page)


def of_function(name: str) -> tuple[Place, ...]:
    """The equations that a function computes, by its dotted name below `velotrace`.

    Example:
        >>> [place.label for place in of_function("model.kinetics.u_induction")]
        ['eq-u-induction']
    """
    return tuple(place for place in ATLAS if name in place.functions)


def of_value(name: str) -> tuple[Place, ...]:
    """The equations that give a named value or use it.

    Example:
        >>> [place.label for place in of_value("epsilon_z")]
        ['eq-reparameterisation', 'eq-back-z']
    """
    return tuple(place for place in ATLAS if name in (*place.values, *place.uses))


def functions(places: Iterable[Place] = ATLAS) -> tuple[str, ...]:
    """The functions of some equations, each once, in order."""
    return tuple(dict.fromkeys(name for place in places for name in place.functions))
