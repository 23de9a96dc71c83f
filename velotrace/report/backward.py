"""Document sections 3b and 3c as tables: the backward pass and the update."""

from __future__ import annotations

import numpy as np

from velotrace.quantities import PARAMETERS
from velotrace.report.blocks import Section, Table, adjoints_table, number
from velotrace.report.tables import NO_PATH
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

_BACKWARD: tuple[tuple[str, str, tuple[list[str], ...]], ...] = (
    ("back_likelihood", "From the loss to the predictions", (["u_bar", "s_bar"],)),
    (
        "back_theta",
        "To rates, switch times and noise",
        (["alpha", "beta", "gamma", "switch_time"], ["sigma_u", "sigma_s"]),
    ),
    ("back_switch", "To the start of repression", (["u_switch", "s_switch"],)),
    (
        "back_times",
        "To times and decoders",
        (["time_induction", "rho_induction"], ["time_repression", "rho_repression"]),
    ),
    ("back_states", "To state probabilities", (["pi", "concentration"],)),
    ("back_z", "To z* and the encoder", (["z", "mu_z", "log_var_z"],)),
)


def backward_sections(trace: Trace) -> list[Section]:
    """The adjoints d loss / d value in the order of document section 3b."""
    sentence = "Each number says by how much the loss rises per unit of the value."
    made = []
    for key, title, groups in _BACKWARD:
        free = [name for name in trace.held if name not in PARAMETERS]
        if key == "back_theta" and free:  # what the optimiser moves in θ's place
            groups = (*groups, free[:4], free[4:])
        tables = [adjoints_table(trace, names) for names in groups if names]
        made.append(Section(key, f"3b · {title}", "backward", sentence, tables))
    return [*made, _weights_backward(trace)]


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
    settings = trace.resolved.optimiser
    rate, adam_name = settings.learning_rate, "AdamW" if settings.name == "adamw" else "Adam"
    return [
        Section(
            "update_sgd",
            "3c · The step as printed: gradient descent",
            "update",
            f"new = old − {rate:g} × gradient.",
            [_step_table(trace, "sgd")],
            [_domain_note(trace, "sgd")],
        ),
        Section(
            "update_adam",
            f"3c · The step as named: {adam_name}",
            "update",
            "m and v remember the gradient and its square; the step is their ratio.",
            [_moments_table(trace), _step_table(trace, "adam")],
            [_domain_note(trace, "adam")],
        ),
    ]


_MOMENTS = {
    "m": "first_moment",
    "v": "second_moment",
    "m̂": "first_moment_corrected",
    "v̂": "second_moment_corrected",
}


def _moments_table(trace: Trace) -> Table:
    rows = []
    for name in trace.held:
        info = trace.updates["adam"][name]
        for g, gene in enumerate(trace.coords["gene"]):
            rows.append([name, gene, *(number(info[part][g]) for part in _MOMENTS.values())])
    return Table("", ["parameter", "gene", *_MOMENTS], rows, 2)


def _step_table(trace: Trace, optimiser: str) -> Table:
    leaving = trace.left_domain(optimiser)
    rows = []
    for name in trace.held:
        info, old = trace.updates[optimiser][name], trace.tape[name].value
        for g, gene in enumerate(trace.coords["gene"]):
            numbers = [number(array[g]) for array in (old, info["change"], info["updated"])]
            domain = "LEFT" if gene in leaving.get(name, []) else "inside"
            rows.append([name, gene, *numbers, domain])
    return Table("", ["parameter", "gene", "old", "change", "new", "domain"], rows, 2)


def _domain_note(trace: Trace, optimiser: str) -> str:
    leaving = trace.left_domain(optimiser)
    if not leaving:
        if trace.resolved.reading.parameterisation == "softplus":
            return "Free values have no domain to leave."
        return "Every rate, time and standard deviation stays in its domain."
    places = "; ".join(f"{name} of gene {', '.join(genes)}" for name, genes in leaving.items())
    return f"Out of the domain after this step: {places}."
