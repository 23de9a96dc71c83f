"""The vocabulary and what is named while computing are the same list (design.md, "Vocabulary")."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest
from helpers import READINGS

from velotrace.quantities import NETWORKS, PARAMETERS, STATES, VOCABULARY, Quantity
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

DESIGN = {  # the table of design.md, names by dimensions
    ("cell", "gene"): "unspliced spliced state rho_induction rho_repression time_induction"
    " time_repression log_likelihood kl_pi velocity",
    ("gene",): "alpha beta gamma switch_time sigma_u sigma_s u_switch s_switch switch_penalty",
    ("cell", "latent"): "epsilon_z mu_z log_var_z z",
    ("cell", "gene", "state"): "concentration pi u_bar s_bar log_density_u log_density_s",
    ("cell",): "kl_z",
    (): "reconstruction loss",
}
TERMS = {  # "The two KLs are also declared term by term", and the penalty's two parts
    "kl_z": ("kl_z_trace", "kl_z_mean", "kl_z_log_det", "kl_z_dimension"),
    "kl_pi": ("kl_pi_normaliser", "kl_pi_log_gamma", "kl_pi_digamma"),
    "switch_penalty": ("switch_penalty_u", "switch_penalty_s"),
}
HELD = {  # what each of `helpers.READINGS` holds in the place of θ, and what that passes through
    "scvi-tools": "alpha_free beta_free gamma_free switch_time_free variance_u_free"
    " variance_s_free variance_u variance_s",
    "free deviations": "alpha_free beta_free gamma_free switch_time_free sigma_u_free sigma_s_free",
    "held variances": "variance_u variance_s",
}
INSIDE = re.compile(rf"({'|'.join(NETWORKS)})\.\d+\..+")
"""Weights and whatever is named inside a network go by its path, not by the vocabulary."""


def undeclared(trace: Trace, vocabulary: Mapping[str, Quantity] = VOCABULARY) -> set[str]:
    """Named values that the vocabulary lacks."""
    weights = {name for name, _ in leaves(trace.resolved.parameters)}
    return {
        name
        for name in trace.tape.names
        if name not in vocabulary and name not in weights and not INSIDE.fullmatch(name)
    }


def unrecorded(
    traces: Mapping[str, Trace], vocabulary: Mapping[str, Quantity] = VOCABULARY
) -> set[str]:
    """Declared values that no reading records."""
    recorded = {name for trace in traces.values() for name in trace.tape.names}
    return set(vocabulary) - recorded


@pytest.mark.parametrize("name", READINGS)
def test_every_named_value_is_declared(name: str, traces: dict[str, Trace]) -> None:
    assert undeclared(traces[name]) == set()


def test_every_declared_value_is_recorded(traces: dict[str, Trace]) -> None:
    """In every reading, but for the state, which only 'sampled-state' draws, and held values."""
    assert unrecorded(traces) == set()
    held = {name for name, quantity in VOCABULARY.items() if quantity.role == "held"}
    for name, trace in traces.items():
        left_out = held - set(HELD.get(name, "").split())
        if not trace.resolved.iteration.reading.draws_state:
            left_out.add("state")
        assert unrecorded({name: trace}) == left_out, name
        assert trace.quantities == tuple(q for q in VOCABULARY if q not in left_out)


def test_what_is_held_is_what_the_optimiser_moves(traces: dict[str, Trace]) -> None:
    """model.md section 2, "parameters held as" and "noise parameter"."""
    for name, trace in traces.items():
        leaf = [n for n, _ in leaves(trace.resolved.parameters) if "." not in n]
        assert set(trace.held) == set(leaf), name
    assert traces["document"].held == PARAMETERS
    assert traces["held variances"].held == (*PARAMETERS[:4], "variance_u", "variance_s")
    rates = tuple(f"{name}_free" for name in PARAMETERS[:4])
    assert traces["scvi-tools"].held == (*rates, "variance_u_free", "variance_s_free")
    assert traces["free deviations"].held == (*rates, "sigma_u_free", "sigma_s_free")


def test_the_two_tests_above_can_fail(traces: dict[str, Trace]) -> None:
    """With a quantity taken from the vocabulary, or one put in that nothing records."""
    less = {name: quantity for name, quantity in VOCABULARY.items() if name != "u_bar"}
    assert undeclared(traces["document"], less) == {"u_bar"}
    more = {**VOCABULARY, "w_bar": VOCABULARY["u_bar"]}
    assert unrecorded(traces, more) == {"w_bar"}


def test_names_and_dimensions_are_those_of_the_design() -> None:
    design = {name: dims for dims, names in DESIGN.items() for name in names.split()}
    terms = {term for parts in TERMS.values() for term in parts}
    assert {name for name, quantity in VOCABULARY.items() if quantity.role == "term"} == terms
    known = {name: q.dims for name, q in VOCABULARY.items() if q.role not in ("term", "held")}
    assert known == design
    held = {name: q.dims for name, q in VOCABULARY.items() if q.role == "held"}
    assert held == dict.fromkeys(" ".join(HELD.values()).split(), ("gene",))
    assert {name for name, q in VOCABULARY.items() if q.role == "parameter"} == set(PARAMETERS)
    assert {name for name, q in VOCABULARY.items() if q.role == "data"} == {"unspliced", "spliced"}
    assert {n for n, q in VOCABULARY.items() if q.role == "draw"} == {"epsilon_z", "pi", "state"}


def test_declarations_are_complete() -> None:
    """One sentence each, a symbol, a unit; no two share a symbol."""
    for name, quantity in VOCABULARY.items():
        assert quantity.name == name
        assert quantity.sentence.endswith(".")
        assert quantity.sentence[:-1].count(". ") == 0, name
        assert quantity.symbol
        assert "$" not in quantity.symbol
        assert quantity.symbol.count("{") == quantity.symbol.count("}")
        assert quantity.unit
        assert quantity.equation
        assert re.fullmatch(r"\d[a-c]?(\.\d)?", quantity.section), name
    symbols = [quantity.symbol for quantity in VOCABULARY.values()]
    assert len(set(symbols)) == len(symbols)
    assert len(STATES) == 4


@pytest.mark.parametrize("name", READINGS)
def test_order_is_that_of_computation(name: str, traces: dict[str, Trace]) -> None:
    """`VOCABULARY` promises it: whatever a quantity is computed from is declared before it."""
    order = list(VOCABULARY)
    for quantity, sources in traces[name].tape.graph.items():
        for source in sources:
            if quantity in VOCABULARY and source in VOCABULARY:
                assert order.index(source) < order.index(quantity), (source, quantity)


@pytest.mark.parametrize("name", READINGS)
def test_shapes_are_the_declared_dimensions(name: str, traces: dict[str, Trace]) -> None:
    trace = traces[name]
    sizes = {dim: len(labels) for dim, labels in trace.coords.items()}
    for quantity in trace.quantities:
        shape = tuple(sizes[dim] for dim in VOCABULARY[quantity].dims)
        assert trace.tape[quantity].value.shape == shape, quantity


# ---- labelled arrays ------------------------------------------------------------------------


def test_labels(walkthrough: Trace) -> None:
    """design.md: "xarray objects with the names of cells and genes"; states from 1 to 4."""
    u_bar = walkthrough.value("u_bar")
    assert u_bar.dims == ("cell", "gene", "state")
    assert u_bar.name == "u_bar"
    assert u_bar["cell"].values.tolist() == ["Cell 1", "Cell 3"]
    assert u_bar["gene"].values.tolist() == ["A", "B", "C"]
    assert u_bar["state"].values.tolist() == [1, 2, 3, 4]
    assert u_bar.attrs == {"symbol": r"\bar u", "unit": "abundance", "equation": "3, 5, 7, 11"}
    assert walkthrough.value("z")["latent"].values.tolist() == list(range(1, 11))
    assert walkthrough.value("loss").dims == ()
    adjoint = walkthrough.adjoint("u_bar")
    assert adjoint is not None
    assert adjoint.coords.equals(u_bar.coords)
    np.testing.assert_array_equal(adjoint, walkthrough.tape["u_bar"].adjoint)


def test_labelled_arrays_are_copies_and_absent_ones_say_so(walkthrough: Trace) -> None:
    before = walkthrough.tape["alpha"].value.copy()
    walkthrough.value("alpha")[:] = 0.0
    np.testing.assert_array_equal(walkthrough.tape["alpha"].value, before)
    assert walkthrough.adjoint("velocity") is None
    for ask in (walkthrough.value, walkthrough.adjoint):
        with pytest.raises(KeyError, match=r"no value 'ubar'.*u_bar"):
            ask("ubar")


def test_state_is_absent_where_none_is_drawn(traces: dict[str, Trace]) -> None:
    with pytest.raises(KeyError, match="no value 'state'"):
        traces["paper"].value("state")
