"""One iteration as steps: each named value as it is computed, then each gradient as it arrives.

The page's player and the terminal's stepper both show these and nothing else. A step says what
holds for all cells and genes; `worked` puts in the numbers of one cell and gene, and `operations`
opens a step to show the primitive operations inside.

The weights of the networks are no steps of their own: a layer's step has them beside it, going
forward the values it multiplies with, going backward the gradients that are complete with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np

from velotrace.attribution import why_no_path
from velotrace.attribution.definitions import Definition, definitions_of
from velotrace.attribution.edges import is_network
from velotrace.attribution.formulas import Formula, formulas_of
from velotrace.attribution.graph import held
from velotrace.certificates import Certificate, Report
from velotrace.quantities import NETWORKS, PARAMETERS, VOCABULARY
from velotrace.report.symbols import plain
from velotrace.report.tables import unit_of
from velotrace.selection import dims_of
from velotrace.walkthrough import Trace

Phase = Literal["forward", "backward"]


@dataclass(frozen=True)
class Section:
    """Steps that belong together.

    Attributes:
        title: what they are about.
        chapter: the page of the book that explains them.
    """

    title: str
    chapter: str


@dataclass(frozen=True)
class Weights:
    """A matrix of weights or a vector of biases beside the step of its layer.

    Attributes:
        name: such as 'encoder_z.0.W'.
        numbers: its value in a forward step, its gradient in a backward one.
    """

    name: str
    numbers: np.ndarray


@dataclass(frozen=True)
class StepEdge:
    """What flows back into a value from one that was computed from it.

    Attributes:
        user: name of the later value.
        contribution: upstream × local derivative, summed over the user's components; of the
            shape of the step's value. The contributions of all users sum to its gradient.
        formulas: of the local derivative, by state where they differ; none inside a network.
        network: whether the edge lies inside a network.
    """

    user: str
    contribution: np.ndarray
    formulas: tuple[Formula, ...]
    network: bool


@dataclass(frozen=True)
class Step:
    """One named value on the way forward, or its gradient on the way back.

    Attributes:
        index: from 0, forward steps first, each phase in the order in which it ran.
        phase: 'forward' or 'backward'.
        name: of the value; hidden layers are 'encoder_z.0.h' and so on.
        title: the name, or 'gradient of' it.
        section: what it is part of.
        symbol: LaTeX of the value, without dollar signs.
        plain: the same as plain text.
        sentence: what the value is.
        dims: names of the dimensions; a hidden layer has cell and unit.
        unit: of `value`.
        equation: where the value is defined.
        document: the document's section; empty for a hidden layer.
        value: forward the value, backward its complete gradient ∂L/∂value.
        inputs: names that the value was computed from, weights left out.
        weights: forward those it is computed with, backward those whose gradients are complete.
        definitions: its formulas in a forward step, by state where they differ.
        edges: of a backward step, one for each value that sends a gradient.
        certificate: of a backward step; None where none was asked for.
        no_path: why a value of a forward step has no gradient; empty where it has one.
    """

    index: int
    phase: Phase
    name: str
    title: str
    section: Section
    symbol: str
    plain: str
    sentence: str
    dims: tuple[str, ...]
    unit: str
    equation: str
    document: str
    value: np.ndarray
    inputs: tuple[str, ...]
    weights: tuple[Weights, ...]
    definitions: tuple[Definition, ...] = ()
    edges: tuple[StepEdge, ...] = ()
    certificate: Certificate | None = None
    no_path: str = ""


def steps(trace: Trace, report: Report | None = None) -> tuple[Step, ...]:
    """All steps of one iteration.

    Args:
        trace: of the iteration.
        report: of `certify(trace)`, whose certificates the backward steps carry.

    Returns:
        The forward steps in the order of computation, then the backward ones in theirs.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> made = steps(trace())
        >>> made[0].title, made[-1].title
        ('alpha', 'gradient of alpha')
        >>> [step.name for step in made if step.phase == "backward"][:3]
        ['loss', 'switch_penalty', 'switch_penalty_s']
    """
    tape = trace.tape
    forward = [name for name in tape.names if not is_weight(name)]
    backward = [e.name for e in tape.backward_order if e.name and not is_weight(e.name)]
    certificates = {c.name: c for c in report.certificates} if report else {}
    complete = _weights_complete(trace, backward)
    made = [_forward_step(trace, name, index) for index, name in enumerate(forward)]
    for index, name in enumerate(backward, start=len(forward)):
        weights = complete.get(name, ())
        made.append(_backward_step(trace, name, index, weights, certificates.get(name)))
    return tuple(made)


def is_weight(name: str) -> bool:
    """Whether a named value is a matrix of weights or a vector of biases."""
    return name.rpartition(".")[2] in ("W", "b")


def sections(made: Sequence[Step]) -> tuple[tuple[Phase, Section, int], ...]:
    """Where each run of steps of one section begins.

    Returns:
        Phase, section, index of its first step.
    """
    runs = groupby(made, key=lambda step: (step.phase, step.section))
    firsts = [(phase, section, next(run).index) for (phase, section), run in runs]
    return tuple(firsts)


# ---- making them ----------------------------------------------------------------------------

_GIVEN = ("parameter", "constant")
"""Operations of values that no formula gives: what is held, measured, drawn or left out."""


def _forward_step(trace: Trace, name: str, index: int) -> Step:
    entry, iteration = trace.tape[name], trace.resolved.iteration
    sources = trace.tape.graph[name]
    changed = bool(held(trace.tape, name).any())  # by an intervention: no formula gives it
    definitions = definitions_of(name, iteration.reading, iteration.activation)
    return Step(
        index=index,
        title=name,
        value=entry.value,
        weights=tuple(Weights(w, trace.tape[w].value) for w in sources if is_weight(w)),
        definitions=() if changed or entry.operation in _GIVEN else definitions,
        no_path="" if entry.adjoint is not None else why_no_path(trace, name),
        **_described(trace, name, "forward"),
    )


def _backward_step(
    trace: Trace, name: str, index: int, weights: Sequence[str], certificate: Certificate | None
) -> Step:
    tape, reading = trace.tape, trace.resolved.iteration.reading
    edges = []
    for user in tape.users[name]:
        adjoint = tape[user].adjoint
        sent = None if adjoint is None else tape.pull(user, adjoint).get(name)
        if sent is not None:
            formulas = formulas_of(user, name, reading)
            edges.append(StepEdge(user, sent, formulas, is_network(name, user)))
    return Step(
        index=index,
        title=f"gradient of {name}",
        value=_array(tape[name].adjoint),
        weights=tuple(Weights(w, _array(tape[w].adjoint)) for w in weights),
        edges=tuple(edges),
        certificate=certificate,
        **_described(trace, name, "backward"),
    )


def _array(adjoint: np.ndarray | None) -> np.ndarray:
    assert adjoint is not None
    return adjoint


def _described(trace: Trace, name: str, phase: Phase) -> dict[str, Any]:
    """What both steps of a value say about it."""
    quantity = VOCABULARY.get(name)
    return {
        "phase": phase,
        "name": name,
        "section": section_of(name),
        "symbol": quantity.symbol if quantity else "h",
        "plain": plain(name) if quantity else "h",
        "sentence": quantity.sentence if quantity else _of_hidden_layer(name),
        "dims": dims_of(trace, name),
        "unit": unit_of(name, phase),
        "equation": quantity.equation if quantity else "—",
        "document": quantity.section if quantity else "2c",
        "inputs": tuple(w for w in trace.tape.graph[name] if not is_weight(w)),
    }


def _of_hidden_layer(name: str) -> str:
    network, place, _ = name.split(".")
    return f"Hidden layer {int(place) + 1} of the network {network}."


def _weights_complete(trace: Trace, backward: Sequence[str]) -> dict[str, list[str]]:
    """By name of a value: the weights that no later step of the backward pass adds to."""
    order = {name: place for place, name in enumerate(backward)}
    complete: dict[str, list[str]] = {}
    for name, entry in trace.tape.names.items():
        if is_weight(name) and entry.adjoint is not None:
            last = max((u for u in trace.tape.users[name] if u in order), key=order.__getitem__)
            complete.setdefault(last, []).append(name)
    return complete


# ---- sections -------------------------------------------------------------------------------

_SECTIONS: tuple[tuple[Section, tuple[str, ...]], ...] = (
    (Section("Data", "data"), ("unspliced", "spliced")),
    (Section("Encoder", "encoder"), ("encoder_z", "mu_z", "log_var_z", "epsilon_z", "z")),
    (Section("States", "states"), ("encoder_pi", "concentration", "pi", "state")),
    (
        Section("Times", "times"),
        ("decoder_shared", "decoder_ind", "decoder_rep", "rho_induction", "rho_repression",
         "time_induction", "time_repression"),
    ),
    (Section("Kinetics", "kinetics"), ("u_switch", "s_switch", "u_bar", "s_bar", "velocity")),
    (Section("Likelihood", "likelihood"), ("log_density_u", "log_density_s", "log_likelihood")),
    (
        Section("KL of z", "divergences"),
        ("kl_z_trace", "kl_z_mean", "kl_z_log_det", "kl_z_dimension", "kl_z"),
    ),
    (
        Section("KL of π", "divergences"),
        ("kl_pi_normaliser", "kl_pi_log_gamma", "kl_pi_digamma", "kl_pi"),
    ),
    (
        Section("Switch penalty", "switch"),
        ("switch_penalty_u", "switch_penalty_s", "switch_penalty"),
    ),
    (Section("Loss", "loss"), ("reconstruction", "loss")),
)  # fmt: skip
_PARAMETERS = Section("Parameters", "initialisation")
_SECTION_OF: Mapping[str, Section] = {
    name: section for section, names in _SECTIONS for name in names
}


def section_of(name: str) -> Section:
    """The section of a named value.

    Example:
        >>> section_of("u_bar").title, section_of("encoder_z.0.h").title, section_of("beta").title
        ('Kinetics', 'Encoder', 'Parameters')
    """
    root = name.partition(".")[0]
    if root in _SECTION_OF:
        return _SECTION_OF[root]
    assert root in VOCABULARY or root in (*PARAMETERS, *NETWORKS), name
    return _PARAMETERS
