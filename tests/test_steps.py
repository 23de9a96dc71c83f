"""The steps of an iteration: each value by its formula, each gradient by its edges."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import scipy.special
import xarray
from helpers import EPS, READINGS, WALKTHROUGH, write_scenario

from velotrace.attribution.definitions import DEFINITIONS
from velotrace.certificates import certify
from velotrace.quantities import VOCABULARY
from velotrace.report.operations import operations
from velotrace.report.player.within import dims_inside
from velotrace.report.spelled import in_logs, spelled_out
from velotrace.report.steps import is_weight, sections, steps
from velotrace.report.worked import edges_at, worked
from velotrace.selection import dims_of, labels_of
from velotrace.walkthrough import trace as run

NAMES = [*READINGS, "scvi-tools"]


@pytest.fixture(scope="module")
def every(traces, tmp_path_factory):
    """A trace of each reading, scvi-tools' with its free values and variances among them."""
    folder = tmp_path_factory.mktemp("scvi-tools")
    keys = {"reading": {"preset": "scvi-tools"}}
    return traces | {"scvi-tools": run(write_scenario(folder, WALKTHROUGH, keys))}


# ---- formulas of values ---------------------------------------------------------------------


def _log_total_exp(x, *dims):
    return xarray.apply_ufunc(
        lambda a: scipy.special.logsumexp(a, axis=-1), x, input_core_dims=[list(dims)]
    )


def _q(trace, beta, gamma, t):
    """Q as the document writes it; none of the scenarios but one has β = γ."""
    eps = 1e-6 if trace.resolved.iteration.reading.denominator == "eps" else 0.0
    gap = gamma - beta
    equal = -t * np.exp(-beta * t) if not eps else 0.0 * t
    quotient = (np.exp(-gamma * t) - np.exp(-beta * t)) / (gap + eps).where(gap != 0.0, 1.0)
    return quotient.where(gap != 0.0, equal)


def _namespace(trace, step):
    """Everything that an expression may mention, as labelled arrays that line up by name."""
    iteration = trace.resolved.iteration
    constants, reading = iteration.constants, iteration.reading
    coords = trace.coords
    values = {name: trace.value(name) for name in trace.quantities}
    at_state = {"state", "log_likelihood", "velocity"}
    if step.name in at_state and "state" in values:  # a state was drawn
        k = values["state"]
        for name in ("u_bar", "s_bar", "log_density_u", "log_density_s"):
            values[name] = values[name].sel(state=k).drop_vars("state")
    gene = {"gene": coords["gene"]}
    pi, conc = values["pi"], values["concentration"]
    return values | {
        "tau": values["time_repression"] - values["switch_time"],
        "c": xarray.DataArray(constants.state_scale, {"state": coords["state"]}, ["state"]),
        "t_max": constants.t_max,
        "u_star": xarray.DataArray(constants.u_star, gene, ["gene"]),
        "s_star": xarray.DataArray(constants.s_star, gene, ["gene"]),
        "prior": constants.pi_prior,
        "cells": len(coords["cell"]),
        "kl_weight": reading.kl_weight,
        "switch_weight": reading.switch_weight,
        "conc_total": conc.sum("state"),
        "pi_others": 1.0 - pi,
        "log_two_pi": math.log(2.0 * math.pi),
        "a": _before_activation(trace, step),
        **{dim: dim for dim in ("cell", "gene", "latent")},
        "state": "state",
        "exp": np.exp,
        "log": np.log,
        "rise": lambda x: 1.0 - np.exp(-x),
        "Q": lambda beta, gamma, t: _q(trace, beta, gamma, t),
        "digamma": scipy.special.digamma,
        "log_gamma": scipy.special.gammaln,
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0.0),
        "logistic": lambda x: 1.0 / (1.0 + np.exp(-x)),
        "softplus": lambda x: np.log1p(np.exp(x)),
        "at_most": np.minimum,
        "root": np.sqrt,
        "total": lambda x, *dims: x.sum(list(dims)),
        "log_total_exp": _log_total_exp,
    }


def _before_activation(trace, step):
    """x @ W + b of the step's layer, from its inputs and weights."""
    if not step.weights:
        return None
    by_kind = {w.name[-1]: w.numbers for w in step.weights}
    if step.name.startswith("encoder_z.0") or set(step.inputs) == {"unspliced", "spliced"}:
        u, s = (trace.tape[name].value for name in ("unspliced", "spliced"))
        first = trace.resolved.iteration.reading.encoder_input == "spliced-first"
        x = np.hstack([s, u]) if first else np.stack([u, s], axis=-1).reshape(len(u), -1)
    else:
        (source,) = step.inputs
        x = trace.tape[source].value
    a = x @ by_kind["W"] + by_kind["b"]
    if step.name in ("mu_z", "log_var_z"):
        half = a.shape[1] // 2
        a = a[:, :half] if step.name == "mu_z" else a[:, half:]
    a = a.reshape(step.value.shape)
    labels = dict(zip(step.dims, labels_of(trace, step.name), strict=True))
    return xarray.DataArray(a, {d: list(of) for d, of in labels.items()}, step.dims)


@pytest.mark.parametrize("name", NAMES)
def test_every_formula_gives_the_value_that_ran(every, name):
    """Each definition, computed from the values before it with NumPy and SciPy alone.

    Both sides are float64 formulas of at most some thirty operations; the worst cancel, as
    (e^(−γt) − e^(−βt))/(γ − β) does by β/|γ − β|, so 1e-9 of the largest component is allowed.
    """
    trace = every[name]
    compared = 0
    for step in steps(trace):
        if step.phase == "backward":
            continue
        namespace = _namespace(trace, step)
        for definition in step.definitions:
            made = eval(definition.expression, {"__builtins__": {}}, namespace)
            value = xarray.DataArray(
                step.value,
                {d: list(of) for d, of in zip(step.dims, labels_of(trace, step.name), strict=True)},
                step.dims,
            )
            if definition.state:
                value = value.sel(state=definition.state)
            worst = float(np.max(np.abs(value - made)))
            assert worst <= 1e-9 * max(float(np.max(np.abs(value))), 1e-9), definition
            compared += 1
    assert compared >= 25


@pytest.mark.parametrize("name", NAMES)
def test_every_value_that_is_computed_has_a_formula(every, name):
    trace = every[name]
    given = {"pi", "state"}  # draws
    for step in steps(trace):
        if step.phase == "forward" and trace.tape[step.name].inputs and step.name not in given:
            states = [definition.state for definition in step.definitions]
            assert states in ([None], [1, 2, 3, 4]), step.name


def test_every_formula_is_of_a_named_value():
    assert set(DEFINITIONS) <= set(VOCABULARY)


# ---- the steps ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_all_named_values_in_the_order_in_which_they_ran(every, name):
    tape = every[name].tape
    made = steps(every[name])
    assert [step.index for step in made] == list(range(len(made)))
    forward = [step for step in made if step.phase == "forward"]
    backward = made[len(forward) :]
    assert [s.name for s in forward] == [n for n in tape.names if not is_weight(n)]
    ordinals = [tape[step.name].backward for step in backward]
    assert ordinals == sorted(ordinals)
    with_path = {n for n, e in tape.names.items() if e.adjoint is not None and not is_weight(n)}
    assert {step.name for step in backward} == with_path
    for step in made:
        entry = tape[step.name]
        assert np.array_equal(step.value, entry.value if step in forward else entry.adjoint)
    assert {step.name for step in forward if step.no_path} == set(tape.names) - with_path - {
        n for n in tape.names if is_weight(n)
    }


@pytest.mark.parametrize("name", NAMES)
def test_weights_stand_beside_their_layers_and_their_gradients_where_they_are_complete(every, name):
    tape = every[name].tape
    made = steps(every[name])
    weights = {n for n in tape.names if is_weight(n)}
    used = {w.name for step in made if step.phase == "forward" for w in step.weights}
    complete = [(w.name, step) for step in made if step.phase == "backward" for w in step.weights]
    assert used == weights
    assert sorted(n for n, _ in complete) == sorted(
        n for n in weights if tape[n].adjoint is not None
    )
    order = {step.name: step.index for step in made if step.phase == "backward"}
    for weight, step in complete:
        users = [user for user in tape.users[weight] if user in order]
        assert order[step.name] == max(order[user] for user in users)


@pytest.mark.parametrize("name", NAMES)
def test_contributions_sum_to_the_gradient(every, name):
    """The tape adds the same numbers in another order: a unit of round-off for each of them."""
    for step in steps(every[name]):
        if step.phase == "forward" or step.name == "loss":
            continue
        parts = [edge.contribution for edge in step.edges]
        size = sum(np.abs(part) for part in parts)
        count = max(every[name].tape["pi"].value.size, 64)  # numbers that one component gathers
        assert np.all(np.abs(sum(parts) - step.value) <= count * EPS * np.max(size)), step.title


def test_sections_come_in_runs_that_cover_all_steps(walkthrough):
    made = steps(walkthrough)
    found = sections(made)
    firsts = [first for *_, first in found]
    assert firsts[0] == 0
    assert firsts == sorted(set(firsts))
    for (phase, section, first), last in zip(found, [*firsts[1:], len(made)], strict=True):
        assert {(s.phase, s.section) for s in made[first:last]} == {(phase, section)}


def test_backward_steps_carry_their_certificates(walkthrough):
    report = certify(walkthrough)
    for step in steps(walkthrough, report):
        assert (step.certificate is None) == (step.phase == "forward")
        assert step.certificate is None or step.certificate.name == step.name


# ---- numbers of one cell and gene -----------------------------------------------------------


def _value_of(text):
    """The number that a formula with six digits in it comes to."""
    python = text.replace("−", "-").replace("×", "*").replace("²", "**2")
    python = re.sub(
        r"log (\d\S*|\()", lambda m: "log" + (m[1] if m[1] == "(" else f"({m[1]})"), python
    )
    python = python.replace("e^", "exp").replace("logΓ", "gammaln").replace("ψ", "digamma")
    names = vars(scipy.special) | {
        "exp": np.exp,
        "log": np.log,
        "tanh": np.tanh,
        "logistic": scipy.special.expit,
        "softplus": lambda x: np.log1p(np.exp(x)),
        "Q": lambda b, g, t: (np.exp(-g * t) - np.exp(-b * t)) / (g - b),
    }
    return eval(python, {"__builtins__": {}}, names)


def test_the_numbers_put_in_come_to_the_value(walkthrough):
    """The text as shown, evaluated: six digits in each number leave five in a sum of few."""
    compared = 0
    for step in steps(walkthrough):
        for cell in walkthrough.coords["cell"]:
            for gene in walkthrough.coords["gene"]:
                for one in worked(walkthrough, step, cell, gene):
                    index = tuple(
                        labels.index(one.at[dim])
                        for dim, labels in zip(
                            step.dims, labels_of(walkthrough, step.name), strict=True
                        )
                    )
                    assert one.value == step.value[index]
                    if not one.numbers or "…" in one.numbers:
                        continue
                    # what cancels (the KL of π) is as good as the largest number in it
                    largest = max(map(abs, map(float, re.findall(r"\d+\.?\d*", one.numbers))))
                    close = 2e-5 * max(abs(one.value), largest, 1.0)
                    assert abs(_value_of(one.numbers) - one.value) <= close, one
                    compared += 1
    assert compared > 300


def test_edges_at_a_cell_and_gene_sum_to_the_gradient_there(walkthrough):
    for step in steps(walkthrough):
        if step.phase == "forward" or step.name == "loss":
            continue
        made = edges_at(walkthrough, step, "Cell 1", "B")
        at = tuple(
            {"cell": 0, "gene": 1}.get(dim, slice(None)) for dim in dims_of(walkthrough, step.name)
        )
        total, size = np.sum(step.value[at]), sum(abs(edge.value) for edge in made)
        assert sum(edge.value for edge in made) == pytest.approx(total, rel=1e-12, abs=1e-12 * size)


# ---- operations -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_operations_lead_from_the_inputs_to_the_value_and_back(every, name):
    trace = every[name]
    for step in steps(trace):
        made = operations(trace, step)
        if step.phase == "forward":
            assert made[-1].label == step.name
            outside = {label for op in made for label in op.inputs if not label.startswith("#")}
            assert set(step.inputs) <= outside
            known = {op.label for op in made}
            assert {i for op in made for i in op.inputs if i.startswith("#")} <= known
        elif step.name != "loss":
            sent = [s.contribution for op in made for s in op.sent if s.to == step.name]
            size = np.max(sum(map(np.abs, sent)))
            assert np.all(np.abs(sum(sent) - step.value) <= len(sent) * EPS * size)


@pytest.mark.parametrize("name", NAMES)
def test_axes_inside_are_as_long_as_the_dimensions_they_are_called(every, name):
    trace = every[name]
    sizes = {dim: len(labels) for dim, labels in trace.coords.items()} | {"one": 1}
    for entry, dims in zip(trace.tape.entries, dims_inside(trace).values(), strict=True):
        for dim, size in zip(dims, entry.value.shape, strict=True):
            assert sizes.get(dim, size) == size, (entry.operation, entry.value.shape, dims)


# ---- sums written out -----------------------------------------------------------------------


def test_long_sums_are_shortened_and_short_ones_are_not():
    import ast

    def names(count):
        tree = spelled_out("total(kl_z, cell)", {"cell": count})
        return [n.id.removeprefix("kl_z@cell=") for n in ast.walk(tree) if isinstance(n, ast.Name)]

    assert sorted(names(6)) == list("012345")
    assert sorted(names(20)) == ["0", "1", "19", "…"]
    assert ast.unparse(in_logs("2*log_total_exp(log(pi), state)")) == (
        "2 * log(total(exp(log(pi)), state))"
    )
