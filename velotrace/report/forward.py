"""Document sections 1, 2, 3a and 5 as tables: the data, the start, the forward pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from velotrace.comparison import loss_terms
from velotrace.quantities import PARAMETERS
from velotrace.report.blocks import Section, Table, number, power_of_ten, values_table
from velotrace.tape import leaves
from velotrace.walkthrough import Trace


def forward_sections(trace: Trace) -> list[Section]:
    """Data, initialisation and the forward pass."""
    return [
        *_data_and_start(trace),
        *_latent(trace),
        *_predictions(trace),
        *_divergences(trace),
        _switch_section(trace),
        _loss_section(trace),
    ]


def _section(
    trace: Trace,
    key: str,
    title: str,
    sentence: str,
    *groups: list[str],
    more: Sequence[Table] = (),
) -> Section:
    """A section of one table per group of names, and any more that are made otherwise."""
    tables = [values_table(trace, names) for names in groups if names]
    return Section(key, title, "forward", sentence, [*tables, *more])


def _data_and_start(trace: Trace) -> list[Section]:
    return [
        _section(
            trace,
            "data",
            "1 · Data",
            "What was measured in the cells of the mini-batch.",
            ["unspliced", "spliced"],
        ),
        _section(
            trace,
            "rates",
            "2a, 2b · First parameters" if _at_first(trace) else "2a, 2b · Parameters",
            "Rates, switch time and noise of each gene before the step.",
            ["alpha", "beta", "gamma", "switch_time"],
            ["sigma_u", "sigma_s"],
            *_free_groups(trace),
            more=[_constants_table(trace)],
        ),
        _network_section(trace),
    ]


def _at_first(trace: Trace) -> bool:
    """Whether the parameters are the scenario's own, which no step has changed yet."""
    return trace.before is None or (trace.before.epoch, trace.before.batch) == (0, 0)


def _free_groups(trace: Trace) -> list[list[str]]:
    """What stands in θ's place where the reading holds it otherwise, in tables of four."""
    free = [name for name in trace.held if name not in PARAMETERS]
    return [free[start : start + 4] for start in range(0, len(free), 4)]


def _constants_table(trace: Trace) -> Table:
    resolved, constants = trace.resolved, trace.resolved.iteration.constants
    batch, cells = len(resolved.cells), len(resolved.expression.cells)
    rows = [
        ["t_max", "end of the time axis", number(constants.t_max)],
        ["state_scale", "of σ in states 1 to 4", ", ".join(map(number, constants.state_scale))],
        ["pi_prior", "concentration of the prior of π", number(constants.pi_prior)],
        ["latent", "dimensions of z", str(resolved.architecture.latent)],
        ["cells", "in the mini-batch, of those in the data", f"{batch} of {cells}"],
        ["upper_cells", "that give alpha, u* and s*", str(resolved.scenario.data.upper_cells)],
    ]
    return Table("", ["constant", "what", "value"], rows, 2)


def _network_section(trace: Trace) -> Section:
    rows = []
    for name, value in leaves(trace.resolved.parameters):
        if "." in name:
            shape = " × ".join(map(str, value.shape))
            rows.append([name, shape, number(value.min()), number(value.max())])
    table = Table("", ["weights", "shape", "smallest", "largest"], rows)
    sentence = "Weights of the networks before the step, smallest and largest."
    if _at_first(trace):
        pinned = trace.resolved.scenario.pins.time_induction
        biases = "but for the pinned times" if pinned else "throughout"
        drawn = "First weights of the networks, drawn by the scenario's initialiser"
        sentence = f"{drawn}; biases 0 {biases}."
    return Section("networks", "2c · Networks", "forward", sentence, [table])


def _latent(trace: Trace) -> list[Section]:
    sampled = trace.resolved.iteration.reading.draws_state
    drawn = ", and a draw from those the state." if sampled else "; no state is drawn."
    return [
        _section(
            trace,
            "encoder",
            "3a · Encoder and draw of z",
            "The encoder gives mean and log variance; z* = mean + exp(½ log variance) × noise.",
            ["mu_z", "log_var_z", "epsilon_z", "z"],
        ),
        _section(
            trace,
            "states",
            "3a · State probabilities and states",
            "z* gives concentrations, a Dirichlet draw the probabilities" + drawn,
            ["concentration", "pi"],
            ["state"] if sampled else [],
        ),
        _section(
            trace,
            "times",
            "3a · Latent times",
            "The decoders say how far each phase has gone.",
            ["rho_induction", "time_induction"],
            ["rho_repression", "time_repression"],
        ),
    ]


def _predictions(trace: Trace) -> list[Section]:
    return [
        _section(
            trace,
            "kinetics",
            "3a · Predicted abundances",
            "The kinetic equations in all four states, from the start of repression on.",
            ["u_switch", "s_switch"],
            ["u_bar", "s_bar"],
            ["velocity"],
        ),
        _section(
            trace,
            "likelihood",
            "3a · Likelihood",
            "Log densities of what was measured, state by state.",
            ["log_density_u", "log_density_s"],
            more=[_likelihood_table(trace)],
        ),
    ]


def _likelihood_table(trace: Trace) -> Table:
    log = trace.tape["log_likelihood"].value
    rows = []
    for n, cell in enumerate(trace.coords["cell"]):
        for g, gene in enumerate(trace.coords["gene"]):
            value = log[n, g]
            plain = number(np.exp(value))
            rows.append([str(cell), gene, number(value), power_of_ten(value), plain])
    headers = ["cell", "gene", "log_likelihood", "likelihood", "in float64"]
    return Table("", headers, rows, 2)


def _divergences(trace: Trace) -> list[Section]:
    return [
        _section(
            trace,
            "kl_z",
            "5.1 · KL of z",
            "Half of (trace + mean − log det − dimension).",
            ["kl_z_trace", "kl_z_mean", "kl_z_log_det", "kl_z"],
        ),
        _section(
            trace,
            "kl_pi",
            "5.2 · KL of the state probabilities",
            "The Dirichlet divergence in three terms, with the document's formula put right.",
            ["kl_pi_normaliser", "kl_pi_log_gamma", "kl_pi_digamma", "kl_pi"],
        ),
    ]


def _switch_section(trace: Trace) -> Section:
    constants = trace.resolved.iteration.constants
    u_0, s_0 = trace.tape["u_switch"].value, trace.tape["s_switch"].value
    columns = (u_0, constants.u_star, s_0, constants.s_star)
    rows = [
        [gene, *(number(column[g]) for column in columns)]
        for g, gene in enumerate(trace.coords["gene"])
    ]
    return Section(
        "switch",
        "3a · Switch penalty",
        "forward",
        "Squared distance of the start of repression from the highest cells, u* and s*.",
        [
            Table("", ["gene", "u_switch", "u*", "s_switch", "s*"], rows),
            values_table(trace, ["switch_penalty_u", "switch_penalty_s", "switch_penalty"]),
        ],
    )


def _loss_section(trace: Trace) -> Section:
    reading = trace.resolved.iteration.reading
    summed = reading.reduction == "sum"
    over = "sum over cells" if summed else "mean over cells"
    over_both = "sum over cells and genes" if summed else "mean over cells, sum over genes"
    how = {
        "reconstruction": f"−log likelihood, {over_both}",
        "kl_z": f"{over}, weight {reading.kl_weight:g}",
        "kl_pi": over_both,
        "switch_penalty": f"sum over genes, weight {reading.switch_weight:g}",
        "loss": "sum of the four",
    }
    rows = [[term, how[term], number(value)] for term, value in loss_terms(trace).items()]
    table = Table("", ["term", "how", "nat"], rows, 2)
    return Section("loss", "3a · Total loss", "forward", "Four terms make the loss.", [table])
