"""The iteration section by section, as the document tells it: titles, sentences, tables.

Each section is a list of small tables of text, ready for tabulate; the command line prints them
and the book renders them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from velotrace.quantities import PARAMETERS, STATES, VOCABULARY
from velotrace.report.tables import NO_PATH
from velotrace.tape import leaves
from velotrace.walkthrough import Trace


@dataclass(frozen=True)
class Table:
    """A small table of text.

    Attributes:
        title: what it shows.
        headers: of its columns.
        rows: cells, as text.
        labels: how many leading columns are labels rather than numbers.
    """

    title: str
    headers: list[str]
    rows: list[list[str]]
    labels: int = 1


@dataclass(frozen=True)
class Section:
    """One section of the iteration.

    Attributes:
        key: short name, such as 'kinetics'.
        title: heading, with the document's section.
        phase: forward, backward or update.
        sentence: what happens here.
        tables: its tables.
        notes: findings in one sentence each, made of computed numbers.
    """

    key: str
    title: str
    phase: str
    sentence: str
    tables: list[Table]
    notes: list[str] = field(default_factory=list)


def number(value: float) -> str:
    """A number with six significant digits, as all tables show it.

    Example:
        >>> number(4.680703806), number(751.6092001), number(0.0)
        ('4.6807', '751.609', '0')
    """
    return f"{float(value):.6g}".replace("e+0", "e+").replace("e-0", "e-")


def power_of_ten(log: float) -> str:
    """A number given by its natural log, as a power of ten; it need not fit into a float.

    Example:
        >>> power_of_ten(-885.973)
        '10^-384.8'
    """
    return f"10^{log / np.log(10.0):.1f}"


# ---- tables of named values -----------------------------------------------------------------

Pick = Callable[[str], np.ndarray | None]


def values_table(trace: Trace, names: Sequence[str], title: str = "") -> Table:
    """Named values of equal dimensions side by side; a last dimension 'state' becomes columns."""
    return _table(trace, names, lambda name: trace.tape[name].value, title)


def adjoints_table(trace: Trace, names: Sequence[str], title: str = "") -> Table:
    """The same for their adjoints; 'no path' where there is none."""
    return _table(trace, names, lambda name: trace.tape[name].adjoint, title)


def _table(trace: Trace, names: Sequence[str], pick: Pick, title: str) -> Table:
    present = [name for name in names if name in trace.tape.names]
    dims = VOCABULARY[present[0]].dims
    if dims and dims[-1] == "state":
        return _state_table(trace, present, pick, title)
    shape = tuple(len(trace.coords[dim]) for dim in dims)
    arrays = [pick(name) for name in present]
    rows = []
    for index in np.ndindex(shape):
        at = [str(trace.coords[d][i]) for d, i in zip(dims, index, strict=True)]
        rows.append(at + [NO_PATH if a is None else _shown(a[index]) for a in arrays])
    return Table(title, [*dims, *present], rows, len(dims))


def _state_table(trace: Trace, names: Sequence[str], pick: Pick, title: str) -> Table:
    rows = []
    for name in names:
        array = pick(name)
        for n, cell in enumerate(trace.coords["cell"]):
            for g, gene in enumerate(trace.coords["gene"]):
                four = [NO_PATH] * 4 if array is None else [_shown(x) for x in array[n, g]]
                rows.append([name, str(cell), str(gene), *four])
    return Table(title, ["quantity", "cell", "gene", "k=1", "k=2", "k=3", "k=4"], rows, 3)


def _shown(value: Any) -> str:
    return str(int(value)) if np.issubdtype(np.asarray(value).dtype, np.integer) else number(value)


# ---- forward --------------------------------------------------------------------------------


def sections(trace: Trace) -> list[Section]:
    """The whole iteration in the document's order: forward, backward, update."""
    return [*forward_sections(trace), *backward_sections(trace), *update_sections(trace)]


def forward_sections(trace: Trace) -> list[Section]:
    """Data, initialisation and the forward pass (document sections 1, 2, 3a, 5)."""
    sampled = trace.resolved.iteration.reading.draws_state
    drawn = ["state"] if sampled else []
    listed: list[tuple[str, str, str, list[list[str]]]] = [
        ("data", "1 · Data", "What was measured in the cells of the mini-batch.",
         [["unspliced", "spliced"]]),
        ("rates", "2a, 2b · First parameters",
         "Rates, switch time and noise of each gene before the step.",
         [["alpha", "beta", "gamma", "switch_time"], ["sigma_u", "sigma_s"]]),
        ("encoder", "3a · Encoder and draw of z",
         "The encoder gives mean and log variance; z* = mean + exp(½ log variance) × noise.",
         [["mu_z", "log_var_z", "epsilon_z", "z"]]),
        ("states", "3a · State probabilities and states",
         "z* gives concentrations, a Dirichlet draw the probabilities"
         + (", and a draw from those the state." if sampled else "; no state is drawn."),
         [["concentration", "pi"], drawn]),
        ("times", "3a · Latent times", "The decoders say how far each phase has gone.",
         [["rho_induction", "time_induction"], ["rho_repression", "time_repression"]]),
        ("kinetics", "3a · Predicted abundances",
         "The kinetic equations in all four states, from the start of repression on.",
         [["u_switch", "s_switch"], ["u_bar", "s_bar"], ["velocity"]]),
        ("likelihood", "3a · Likelihood", "Log densities of what was measured, state by state.",
         [["log_density_u", "log_density_s"]]),
        ("kl_z", "5.1 · KL of z", "Half of (trace + mean − log det − dimension).",
         [["kl_z_trace", "kl_z_mean", "kl_z_log_det", "kl_z"]]),
        ("kl_pi", "5.2 · KL of the state probabilities",
         "The Dirichlet divergence in three terms, with the document's formula put right.",
         [["kl_pi_normaliser", "kl_pi_log_gamma", "kl_pi_digamma", "kl_pi"]]),
        ("switch", "3a · Switch penalty",
         "Squared distance of the start of repression from the highest cells.",
         [["switch_penalty_u", "switch_penalty_s", "switch_penalty"]]),
    ]  # fmt: skip
    made = []
    for key, title, sentence, groups in listed:
        tables = [values_table(trace, names) for names in groups if names]
        made.append(Section(key, title, "forward", sentence, tables))
    by_key = {section.key: section for section in made}
    by_key["likelihood"].tables.append(_likelihood_table(trace))
    made.insert(2, _network_section(trace))
    return [*made, _loss_section(trace)]


def _network_section(trace: Trace) -> Section:
    rows = []
    for name, value in leaves(trace.resolved.parameters):
        if "." in name:
            shape = " × ".join(map(str, value.shape))
            rows.append([name, shape, number(value.min()), number(value.max())])
    table = Table("", ["weights", "shape", "smallest", "largest"], rows)
    sentence = "First weights of the networks, drawn by the scenario's initialiser; biases 0 " + (
        "but for the pinned times."
        if trace.resolved.scenario.pins.time_induction
        else "throughout."
    )
    return Section("networks", "2c · Networks", "forward", sentence, [table])


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


def _loss_section(trace: Trace) -> Section:
    reading, tape = trace.resolved.iteration.reading, trace.tape
    reduce_cells = np.sum if reading.reduction == "sum" else np.mean
    over = "sum over cells" if reading.reduction == "sum" else "mean over cells"
    kl_z = reading.kl_weight * reduce_cells(tape["kl_z"].value)
    kl_pi = reduce_cells(tape["kl_pi"].value.sum(axis=-1))
    penalty = reading.switch_weight * tape["switch_penalty"].value.sum()
    rows = [
        ["reconstruction", f"{over} of −log_likelihood", number(tape["reconstruction"].value)],
        ["kl_z", f"{over}, weight {reading.kl_weight:g}", number(kl_z)],
        ["kl_pi", f"{over} and genes", number(kl_pi)],
        ["switch_penalty", f"sum over genes, weight {reading.switch_weight:g}", number(penalty)],
        ["loss", "sum of the four", number(trace.loss)],
    ]
    table = Table("", ["term", "how", "nat"], rows, 2)
    return Section("loss", "3a · Total loss", "forward", "Four terms make the loss.", [table])


# ---- backward -------------------------------------------------------------------------------

_BACKWARD = (
    ("back_likelihood", "From the loss to the predictions", ["u_bar", "s_bar"]),
    ("back_theta", "To rates, switch times and noise", list(PARAMETERS)),
    ("back_switch", "To the start of repression", ["u_switch", "s_switch"]),
    ("back_times", "To times and decoders",
     ["time_induction", "rho_induction", "time_repression", "rho_repression"]),
    ("back_states", "To state probabilities", ["pi", "concentration"]),
    ("back_z", "To z* and the encoder", ["z", "mu_z", "log_var_z"]),
)  # fmt: skip


def backward_sections(trace: Trace) -> list[Section]:
    """The adjoints d loss / d value in the order of document section 3b."""
    made = []
    for key, title, names in _BACKWARD:
        tables = [adjoints_table(trace, group) for group in _by_width(names)]
        sentence = "Each number says by how much the loss rises per unit of the value."
        made.append(Section(key, f"3b · {title}", "backward", sentence, tables))
    made.append(_weights_backward(trace))
    return made


def _by_width(names: list[str]) -> list[list[str]]:
    return [names[i : i + 4] for i in range(0, len(names), 4)]


def _weights_backward(trace: Trace) -> Section:
    rows = []
    for name, _ in leaves(trace.resolved.parameters):
        if "." in name:
            adjoint = trace.tape[name].adjoint
            if adjoint is None:
                rows.append([name, NO_PATH, NO_PATH])
            else:
                norm = float(np.sqrt(np.sum(adjoint**2)))
                rows.append([name, number(np.abs(adjoint).max()), number(norm)])
    table = Table("", ["weights", "largest gradient", "norm"], rows)
    sentence = "What arrives at the weights of the networks; all numbers are in the files of -o."
    return Section("back_weights", "3b · To the weights", "backward", sentence, [table])


# ---- update ---------------------------------------------------------------------------------


def update_sections(trace: Trace) -> list[Section]:
    """The step as the document prints it, and Adam's (document section 3c)."""
    rate = trace.resolved.optimiser.learning_rate
    sgd = _update_table(trace, "sgd", ["change", "updated"])
    moments = ["first_moment", "second_moment", "first_moment_corrected"]
    moments = [*moments, "second_moment_corrected"]
    adam = [_update_table(trace, "adam", moments), _update_table(trace, "adam", moments[:0])]
    return [
        Section("update_sgd", "3c · The step as printed: gradient descent", "update",
                f"new = old − {rate:g} × gradient.", [sgd], _domain_notes(trace, "sgd")),
        Section("update_adam", "3c · The step as named: Adam", "update",
                "m and v remember the gradient and its square; the step is their ratio.",
                adam, _domain_notes(trace, "adam")),
    ]  # fmt: skip


_SHORT = {
    "first_moment": "m",
    "second_moment": "v",
    "first_moment_corrected": "m̂",
    "second_moment_corrected": "v̂",
}


def _update_table(trace: Trace, optimiser: str, parts: list[str]) -> Table:
    parts = parts or ["change", "updated"]
    ends = "updated" in parts
    leaving = trace.left_domain(optimiser)
    rows = []
    for name in PARAMETERS:
        info, entry = trace.updates[optimiser][name], trace.tape[name]
        for g, gene in enumerate(trace.coords["gene"]):
            row = [name, gene]
            if ends:
                row.append(number(entry.value[g]))
            row += [number(info[part][g]) for part in parts]
            if ends:
                row.append("LEFT" if gene in leaving.get(name, []) else "inside")
            rows.append(row)
    headers = ["parameter", "gene"] + (["old"] if ends else [])
    headers += [_SHORT.get(part, {"updated": "new"}.get(part, part)) for part in parts]
    return Table("", headers + (["domain"] if ends else []), rows, 2)


def _domain_notes(trace: Trace, optimiser: str) -> list[str]:
    leaving = trace.left_domain(optimiser)
    if not leaving:
        return ["Every rate, time and standard deviation stays in its domain."]
    places = "; ".join(f"{name} of gene {', '.join(genes)}" for name, genes in leaving.items())
    return [f"Out of the domain after this step: {places}."]


def state_name(k: int) -> str:
    """'1 induction' and so on."""
    return f"{k} {STATES[k - 1]}"
