"""A gradient taken apart: the parts make the whole, each by a second route."""

from __future__ import annotations

import json
import math
import typing
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import READINGS, WALKTHROUGH, Outcome, loss_of, write_scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import velotrace
from velotrace.attribution import edges as edges_module
from velotrace.attribution import formulas as formulas_module
from velotrace.attribution import terms as terms_module
from velotrace.attribution.edges import _with_formula, formula_of_pair, is_network
from velotrace.attribution.explanation import EdgeRow, agrees, check, explain
from velotrace.attribution.expressions import Measured, evaluate, names_in
from velotrace.attribution.formulas import FORMULAS, Formula
from velotrace.attribution.graph import descendants, routes
from velotrace.attribution.roundoff import DIAGONAL, ONE_SIGN, magnitude
from velotrace.errors import ContradictionError, InputError
from velotrace.model.holding import held_names
from velotrace.model.readings import Reading
from velotrace.model.slopes import Decay, induction_slopes, repression_slopes
from velotrace.quantities import PARAMETERS, VOCABULARY
from velotrace.selection import dims_of, labelled, labels_of, select
from velotrace.tape import Shift, record
from velotrace.tape import evaluate as run_plain
from velotrace.walkthrough import Trace

READING_NAMES = list(READINGS)


def with_path(trace: Trace) -> list[str]:
    return [name for name, entry in trace.tape.names.items() if entry.adjoint is not None]


# ---- sums -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READING_NAMES)
def test_terms_paths_and_edges_sum_to_the_adjoint_of_every_named_value(
    traces: dict[str, Trace], reading: str
) -> None:
    trace = traces[reading]
    for name in with_path(trace):
        made = explain(trace, name)  # checks itself; here once more, from the outside
        adjoint = trace.tape[name].adjoint
        total = math.fsum(adjoint.ravel())
        assert made.total == total
        for parts in (made.terms, made.paths):
            assert abs(math.fsum(part.value for part in parts) - total) <= made.bound
        first = [edge.value for edge in made.edges if edge.of == name]
        assert name == "loss" or abs(math.fsum(first) - total) <= made.bound
        assert abs(math.fsum(made.by_first_step.values()) - total) <= made.bound
        # n is below 500 operations, so the bound is round-off of the pieces and nothing else
        assert made.bound <= 1e-13 * np.sum(magnitude(trace.tape, name)[0])


@pytest.mark.parametrize("reading", READING_NAMES)
def test_single_components_sum_to_the_whole(traces: dict[str, Trace], reading: str) -> None:
    trace = traces[reading]
    for name, coords in (
        ("alpha", [{"gene": g} for g in "ABC"]),
        ("time_induction", [{"cell": c} for c in trace.coords["cell"]]),
        ("u_bar", [{"state": k} for k in (1, 2, 3, 4)]),
        ("z", [{"latent": d} for d in trace.coords["latent"]]),
    ):
        whole, parts = explain(trace, name), [explain(trace, name, **at) for at in coords]
        assert sum(part.total for part in parts) == pytest.approx(whole.total, rel=1e-12)
        for term in whole.terms:
            same = [
                other.value
                for part in parts
                for other in part.terms
                if (other.term, other.cell, other.gene) == (term.term, term.cell, term.gene)
            ]
            assert abs(sum(same) - term.value) <= whole.bound


def test_every_path_is_found_once_and_ends_at_the_loss(traces: dict[str, Trace]) -> None:
    for trace in traces.values():
        for name in ("alpha", "switch_time", "z", "encoder_z.0.W"):
            made = explain(trace, name)
            listed = [path.names for path in made.paths]
            listed += [entry.path for entry in made.no_path if entry.path]
            assert len(set(listed)) == len(listed)
            assert set(listed) == set(paths_by_brute_force(trace, name))


def paths_by_brute_force(trace: Trace, name: str) -> list[tuple[str, ...]]:
    """All paths of the named graph forwards, along edges that the tape can pull."""
    if name == "loss":
        return [("loss",)]
    found = []
    for after in trace.tape.users[name]:
        carries = name in trace.tape.pull(after, np.zeros(trace.tape[after].value.shape))
        if carries and "loss" in descendants(trace.tape, after):
            found += [(name, *rest) for rest in paths_by_brute_force(trace, after)]
    return found


def test_weights_have_few_paths(traces: dict[str, Trace]) -> None:
    """Weights have the most paths to the loss; all are listed, so the cost must stay small."""
    for trace in traces.values():
        assert max(len(routes(trace.tape, name)) for name in with_path(trace)) <= 30


# ---- terms by a second route ----------------------------------------------------------------


def test_alpha_of_gene_a_by_the_hand_written_slopes(walkthrough: Trace) -> None:
    """Each cell's likelihood through (3) and (4) alone; the penalty is 2(α/β − u*)/β, (26)."""
    values = {name: entry.value for name, entry in walkthrough.tape.names.items()}
    constants = walkthrough.resolved.iteration.constants
    alpha, beta, gamma = (values[name] for name in ("alpha", "beta", "gamma"))
    expected = {
        ("switch_penalty_u", None): 2 * (alpha / beta - constants.u_star)[0] / beta[0],
        ("switch_penalty_s", None): 2 * (alpha / gamma - constants.s_star)[0] / gamma[0],
    }
    for n, cell in enumerate(walkthrough.coords["cell"]):
        assert values["state"][n, 0] == 1
        for kind, data, sigma in (("u", "unspliced", "sigma_u"), ("s", "spliced", "sigma_s")):
            pull = np.zeros((2, 3))
            mean = values[f"{kind}_bar"][n, 0, 0]
            pull[n, 0] = -(values[data][n, 0] - mean) / values[sigma][0] ** 2
            of_u, of_s = (pull, 0 * pull) if kind == "u" else (0 * pull, pull)
            decay = Decay(beta, gamma, values["time_induction"], "exact")
            slopes = induction_slopes(alpha, beta, gamma, decay, of_u, of_s)
            expected[f"log_density_{kind}", cell] = slopes[0].sum(axis=0)[0]
    made = explain(walkthrough, "alpha", gene="A")
    got = {(term.term, term.cell): term.value for term in made.terms}
    assert set(got) == set(expected)
    for key, value in got.items():
        assert value == pytest.approx(expected[key], rel=1e-12), key


def test_repression_terms_by_the_hand_written_slopes(walkthrough: Trace) -> None:
    """Cell 1, gene B is in repression: (7) and (8) back to t3, τ = t3 − t_s."""
    values = {name: entry.value for name, entry in walkthrough.tape.names.items()}
    assert values["state"][0, 1] == 3
    since = values["time_repression"] - values["switch_time"]
    pulls = {}
    for kind, data in (("u", "unspliced"), ("s", "spliced")):
        pull = np.zeros((2, 3))
        mean, sigma = values[f"{kind}_bar"][0, 1, 2], values[f"sigma_{kind}"][1]
        pull[0, 1] = -(values[data][0, 1] - mean) / sigma**2
        pulls[kind] = pull
    nothing = np.zeros((2, 3))
    rates = (values["beta"], values["gamma"])
    start = (values["u_switch"], values["s_switch"], *rates, Decay(*rates, since, "exact"))
    of_u = repression_slopes(*start, pulls["u"], nothing)[4][0, 1]
    of_s = repression_slopes(*start, nothing, pulls["s"])[4][0, 1]
    made = explain(walkthrough, "time_repression", cell="Cell 1", gene="B")
    assert [term.value for term in made.terms] == pytest.approx([of_u, of_s], rel=1e-12)


@pytest.mark.parametrize("reading", READING_NAMES)
@pytest.mark.parametrize("name", [*PARAMETERS, "rho_repression", "mu_z", "encoder_z.0.b"])
def test_terms_are_finite_differences_of_the_single_terms(
    traces: dict[str, Trace], reading: str, name: str
) -> None:
    """A term is Σ adjoint × value at one cell and gene; its slope, the adjoint held fixed.

    A central difference of step h is off by h²/6 times the third derivative and by the round-off
    of the values over h. Draws are held, so what comes through π is not seen here.
    """
    trace = traces[reading]
    made = explain(trace, name)
    step = 1e-5 * max(1e-2, float(np.abs(trace.tape[name].value).max()))
    plus, minus = (
        run_plain(loss_of(trace), trace.resolved.parameters, {name: Shift(sign * step)}).values
        for sign in (1.0, -1.0)
    )
    sizes: dict[tuple[str, str | None, str | None], float] = {}
    for term in made.terms:
        if term.term == "pi":
            continue
        at = {"cell": term.cell, "gene": term.gene}
        adjoint = trace.tape[term.term].adjoint
        mask = select(trace, term.term, **{k: v for k, v in at.items() if v is not None}).mask
        change = np.sum((adjoint * (plus[term.term] - minus[term.term]))[mask]) / (2 * step)
        noise = np.sum(np.abs(adjoint * plus[term.term])[mask]) * 1e-15 / step
        sizes[term.term, term.cell, term.gene] = abs(term.value)
        tolerance = noise + 1e-5 * max(abs(term.value), 1e-6 * abs(made.total))
        assert abs(change - term.value) <= tolerance, term
    assert sizes


def test_terms_of_the_mixtures_include_the_way_through_pi(traces: dict[str, Trace]) -> None:
    made = explain(traces["paper"], "concentration", cell="Cell 1", gene="A", state=1)
    assert {term.term for term in made.terms} == {"pi", "kl_pi"}
    assert {path.names[1] for path in made.paths} >= {"pi", "kl_pi_digamma"}


def test_targets_after_the_cut_are_their_own_term(walkthrough: Trace) -> None:
    for name in ("log_likelihood", "reconstruction", "switch_penalty", "kl_z", "loss"):
        made = explain(walkthrough, name)
        assert {term.term for term in made.terms} == {name}
    assert {t.term for t in explain(walkthrough, "kl_z_trace").terms} == {"kl_z"}


# ---- formulas -------------------------------------------------------------------------------


def carrying_edges(trace: Trace) -> list[tuple[str, str]]:
    """(of, to) for each edge that carries gradient to a value with an adjoint."""
    return [
        (of, to)
        for to in with_path(trace)
        for of in trace.tape.pull(to, np.zeros(trace.tape[to].value.shape))
    ]


@pytest.mark.parametrize("reading", READING_NAMES)
def test_every_edge_outside_networks_has_a_formula(traces: dict[str, Trace], reading: str) -> None:
    trace = traces[reading]
    for of, to in carrying_edges(trace):
        inside = any(name.endswith((".W", ".b", ".h")) for name in (of, to)) or of == "z"
        assert is_network(of, to) == inside, (of, to)


@pytest.mark.parametrize("reading", READING_NAMES)
def test_formulas_give_the_tapes_local_derivatives(traces: dict[str, Trace], reading: str) -> None:
    """Between every pair of components; 0 where there is no formula."""
    trace = traces[reading]
    seen = 0
    for of, to in carrying_edges(trace):
        if is_network(of, to):
            continue
        shape = trace.tape[to].value.shape
        for at in np.ndindex(shape):
            one = np.zeros(shape)
            one[at] = 1.0
            local = trace.tape.pull(to, one)[of]
            to_at = labelled(dims_of(trace, to), labels_of(trace, to), at)
            for of_index in np.ndindex(local.shape):
                of_at = labelled(dims_of(trace, of), labels_of(trace, of), of_index)
                row = EdgeRow(of_at, to_at, float(local[of_index]), 1.0, 0.0)
                if formula_of_pair(trace, of, to, of_at, to_at) is None:
                    assert row.local == 0.0, (of, of_at, to, to_at)
                else:
                    row = _with_formula(trace, of, to, row)
                    assert agrees(row), (of, to, row)
                    seen += 1
    assert seen > 300


def test_every_formula_is_used_by_some_reading(traces: dict[str, Trace]) -> None:
    used = {
        id(formula)
        for trace in traces.values()
        for of, to in carrying_edges(trace)
        for formula in formulas_module.formulas_of(to, of, trace.resolved.iteration.reading)
    }
    assert [f for f in FORMULAS if id(f) not in used] == []


NEAR = ("beta = gamma", "beta near gamma", "beta below gamma", "fast")


@pytest.mark.parametrize("case", NEAR)
@pytest.mark.parametrize("denominator", ["exact", "eps"])
def test_formulas_at_and_near_the_removable_singularity(
    tmp_path: Path, case: str, denominator: str
) -> None:
    """(4) and (8) at β = γ, γ − β from 1e-9 to 1e-3, γ > β, and rates up to 50."""
    gammas = {
        "beta = gamma": [0.1, 0.1, 0.1],
        "beta near gamma": [0.1 + 1e-9, 0.1 - 1e-7, 0.1 + 1e-3],
        "beta below gamma": [0.2, 0.3, 5.0],
        "fast": [50.0, 49.0, 0.05],
    }
    keys = {
        "reading": {"preset": "joint", "denominator": denominator},
        "initial": {"beta": 50.0 if case == "fast" else 0.1, "gamma": gammas[case]},
    }
    trace = velotrace.trace(write_scenario(tmp_path, WALKTHROUGH, keys))
    for name in ("alpha", "beta", "gamma", "switch_time", "time_induction", "time_repression"):
        made = explain(trace, name)
        assert all(agrees(row) for edge in made.edges for row in edge.rows)


@pytest.mark.parametrize("change", ["-({})", "2*({})"])
@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f"{f.to}-{f.of}-{f.state}")
def test_an_error_in_any_formula_is_caught(
    traces: dict[str, Trace], formula: Formula, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(formula, expression=change.format(formula.expression))
    trace = next(
        trace
        for trace in traces.values()
        if formula.holds(trace.resolved.iteration.reading)
        and (formula.of, formula.to) in carrying_edges(trace)
        and reaches(trace, formula)
    )
    right = edges_module.formula_between

    def planted(*arguments: Any) -> Formula | None:
        found = right(*arguments)
        return wrong if found is formula else found

    monkeypatch.setattr(edges_module, "formula_between", planted)
    with pytest.raises(ContradictionError, match=f"{formula.to} by {formula.of}"):
        explain(trace, formula.of)


def reaches(trace: Trace, formula: Formula) -> bool:
    """Whether some component of that formula's edge carries gradient in this trace."""
    return any(
        row.formula is formula and row.local
        for edge in explain(trace, formula.of).edges
        if edge.to == formula.to
        for row in edge.rows
    )


# ---- checks that fail when they should ------------------------------------------------------


def test_a_forgotten_term_is_caught(walkthrough: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    for left_out in ("log_density_s", "switch_penalty_u"):
        kept = tuple(name for name in terms_module.CUT if name != left_out)
        monkeypatch.setattr(terms_module, "CUT", kept)
        with pytest.raises(ContradictionError, match="loss terms"):
            explain(walkthrough, "alpha", gene="A")


def test_a_term_counted_twice_is_caught(
    walkthrough: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms_module, "CUT", (*terms_module.CUT, "log_likelihood"))
    with pytest.raises(ContradictionError, match="loss terms"):
        explain(walkthrough, "alpha", gene="A")


def test_a_small_error_is_caught(walkthrough: Trace) -> None:
    """One part in 10¹² of the largest term is more than round-off."""
    made = explain(walkthrough, "alpha", gene="A")
    for field in ("terms", "paths"):
        first, *rest = getattr(made, field)
        off = replace(first, value=first.value * (1.0 + 1e-12))
        with pytest.raises(ContradictionError):
            check(replace(made, **{field: (off, *rest)}))
    check(made)


def test_every_operation_of_the_model_is_known_to_the_bound(traces: dict[str, Trace]) -> None:
    """The others are right as well, but slow."""
    met = {
        entry.operation
        for trace in traces.values()
        for entry in trace.tape.backward_order
        if any(edge.contribution is not None for edge in entry.inputs)
    }
    assert met - DIAGONAL - ONE_SIGN == {"matmul", "pathwise_draw"}


def test_magnitude_is_the_sum_over_all_chains() -> None:
    """M against all chains of one small function, written out."""
    import autograd.numpy as np_

    def function(p: Any) -> Any:
        hidden = np_.tanh(p["x"] @ p["W"])  # shape (2, 2)
        return np_.sum(hidden * np_.array([[1.0, -2.0], [3.0, -1.0]]))

    x, w = np.array([[0.3, -0.2, 0.5], [-0.4, 0.1, 0.7]]), np.array([[1, -2], [0.5, 1], [-1, 2.0]])
    tape = record(function, {"x": x, "W": w})
    upstream = np.abs(1 - np.tanh(x @ w) ** 2) * np.abs([[1.0, -2.0], [3.0, -1.0]])
    assert magnitude(tape, "x")[0] == pytest.approx(upstream @ np.abs(w).T, rel=1e-14)
    assert magnitude(tape, "W")[0] == pytest.approx(np.abs(x).T @ upstream, rel=1e-14)


# ---- no path --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pi", "state is drawn from pi, and a hard draw has no derivative"),
        ("state", "a state is a whole number, and picking by it has no derivative"),
        ("velocity", "the loss does not use velocity"),
        ("unspliced", "measured data are constants of the iteration"),
        ("epsilon_z", "drawn noise is a constant of the iteration"),
        ("kl_z_dimension", "kl_z_dimension is a constant"),
    ],
)
def test_values_without_a_path_say_why(walkthrough: Trace, name: str, reason: str) -> None:
    made = explain(walkthrough, name)
    assert (made.total, made.terms, made.paths, made.reason) == (None, (), (), reason)


def test_terms_without_a_path_say_why(walkthrough: Trace) -> None:
    """model.md section 4.3: with α/β the gradient of the penalty to t_s is exactly 0."""
    made = explain(walkthrough, "switch_time", gene="A")
    reasons = {entry.term: entry.reason for entry in made.no_path if entry.term}
    steady = "repression starts from the steady state, which does not depend on a time"
    assert reasons["switch_penalty_u"] == reasons["switch_penalty_s"] == steady
    assert reasons["kl_z"] == "kl_z does not depend on switch_time"
    paths = {entry.path[1]: entry.reason for entry in made.no_path if entry.path}
    assert paths["u_bar"].startswith("switch_time enters u_bar in state 3 only; Cell 1/A is in 1")
    made = explain(walkthrough, "concentration")
    reasons = {entry.term: entry.reason for entry in made.no_path}
    assert reasons["pi"] == "pi is drawn from concentration, and a hard draw has no derivative"


def test_states_that_do_not_use_a_value_say_so(walkthrough: Trace) -> None:
    """Cell 3: gene B is in state 2, gene C in state 4; k = 2, 4 give no time any gradient."""
    made = explain(walkthrough, "decoder_ind.1.b")
    reasons = {(e.cell, e.gene): e.reason for e in made.no_path if e.term == "log_density_u"}
    assert reasons["Cell 3", "B"].endswith("a steady state does not depend on decoder_ind.1.b")
    assert reasons["Cell 3", "C"].endswith(
        "u_bar and s_bar are 0 there, whatever decoder_ind.1.b is"
    )
    assert reasons["Cell 1", "B"].endswith("repression does not depend on decoder_ind.1.b")
    listed = {(t.cell, t.gene) for t in made.terms}
    assert listed == {("Cell 1", "A"), ("Cell 1", "C"), ("Cell 3", "A")}


def test_a_term_of_weight_0_says_so(scenario: Callable[..., Path]) -> None:
    keys = {"reading": {"switch_weight": 0.0, "kl_weight": 0.0}}
    trace = velotrace.trace(scenario(WALKTHROUGH, keys))
    reasons = {entry.term: entry.reason for entry in explain(trace, "alpha").no_path}
    assert reasons["switch_penalty_u"] == "switch_penalty_u has weight 0 in the loss"
    reasons = {entry.term: entry.reason for entry in explain(trace, "mu_z").no_path}
    assert reasons["kl_z"] == "kl_z has weight 0 in the loss"


# ---- random scenarios -----------------------------------------------------------------------

numbers = st.floats(0.0, 2.0, allow_subnormal=False)
rates = st.floats(1e-3, 20.0)


@st.composite
def scenarios(draw: Any) -> tuple[dict[str, Any], str, list[str]]:
    """A scenario's keys, a table (1–4 cells, 1–3 genes; β = γ at times), and names to explain."""
    cells, genes = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rows = [
        f"c{n},g{g},{draw(numbers)},{draw(numbers)}" for n in range(cells) for g in range(genes)
    ]
    betas = [draw(rates) for _ in range(genes)]
    gammas = [draw(st.sampled_from([b, b * (1 + 1e-8), draw(rates)])) for b in betas]
    reading = {
        "likelihood": draw(
            st.sampled_from(["sampled-state", "separate-mixtures", "joint-mixture"])
        ),
        "repression_start": draw(st.sampled_from(["steady-state", "switch-time"])),
        "denominator": draw(st.sampled_from(["exact", "eps"])),
        "reduction": draw(st.sampled_from(["sum", "mean"])),
        "latent_variance": draw(st.sampled_from(["exp", "softplus"])),
        "decoders": draw(st.sampled_from(["separate", "shared-hidden"])),
        "parameterisation": draw(st.sampled_from(["natural", "softplus"])),
        "noise_parameter": draw(st.sampled_from(["standard-deviation", "variance"])),
    }
    initial = {"beta": betas, "gamma": gammas, "switch_time": draw(st.floats(0.5, 19.0))}
    if reading["parameterisation"] == "softplus":  # no free value gives an alpha of 0
        initial["alpha"] = draw(st.one_of(rates, st.just(50.0)))
    keys = {
        "data": {"upper_cells": 1},
        "reading": reading,
        "initial": initial,
        "networks": {
            "latent": draw(st.integers(1, 3)),
            "hidden": draw(st.sampled_from([[], [3], [4, 2]])),
            "activation": draw(st.sampled_from(["tanh", "relu"])),
            "seed": draw(st.integers(0, 99)),
        },
        "noise": {"seed": draw(st.integers(0, 99))},
    }
    held = held_names(Reading(**{k: reading[k] for k in ("parameterisation", "noise_parameter")}))
    known = [
        *PARAMETERS,
        *(name for name in held if name not in PARAMETERS),
        "z",
        "u_switch",
        "concentration",
        "pi",
        "time_repression",
        "u_bar",
    ]
    weights = ["encoder_z.0.W", "encoder_pi.0.b", "decoder_ind.0.W", "decoder_rep.0.b"]
    names = draw(st.lists(st.sampled_from(known + weights), min_size=5, max_size=5, unique=True))
    return keys, "cell,gene,unspliced,spliced\n" + "\n".join(rows) + "\n", names


@given(scenarios())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_random_scenarios(tmp_path_factory: pytest.TempPathFactory, drawn: Any) -> None:
    """Sums, formulas and reasons hold wherever; `explain` raises if one does not."""
    keys, csv, names = drawn
    folder = tmp_path_factory.mktemp("random")
    trace = velotrace.trace(write_scenario(folder, keys, csv=csv))
    for name in names:
        made = explain(trace, name)
        assert (made.total is None) == bool(made.reason)
        assert all(entry.reason for entry in made.no_path)


# ---- expressions ----------------------------------------------------------------------------


def test_round_off_of_an_expression_is_bounded() -> None:
    """Against mpmath: exp(−βt) − γ/t and a cancelling difference."""
    mpmath = pytest.importorskip("mpmath")
    values = {"beta": 0.37, "time": 11.3, "gamma": 0.1728}
    given_values = {name: Measured(x, 0.0) for name, x in values.items()}
    text = "exp(-beta*time) - gamma/time + log(time)*(1 - beta)**2"
    got = evaluate(text, given_values)
    b, t, g = (mpmath.mpf(values[name]) for name in ("beta", "time", "gamma"))
    exact = mpmath.exp(-b * t) - g / t + mpmath.log(t) * (1 - b) ** 2
    assert abs(got.value - float(exact)) <= got.error <= 1e-14


def test_expressions_use_known_names_only() -> None:
    from velotrace.attribution.surroundings import _OTHERS

    for formula in FORMULAS:
        assert set(names_in(formula.expression)) <= set(VOCABULARY) | set(_OTHERS)


def test_symbols_cover_the_vocabulary() -> None:
    from velotrace.report.formula_text import in_symbols
    from velotrace.report.symbols import PLAIN

    assert set(PLAIN) == set(VOCABULARY)
    for formula in FORMULAS:
        assert in_symbols(formula.expression)


# ---- errors and the command line ------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["alhpa"], "did you mean 'alpha'"),
        (["alpha", "--gene", "D"], "no gene is named 'D'; there are A, B, C"),
        (["alpha", "--cell", "Cell 1"], "alpha has no cell; its dimensions are gene"),
        (["z", "--cell", "Cell 2"], "in the data but not in the mini-batch"),
        (["u_bar", "--state", "5"], "no state is named 5"),
        (["loss", "--gene", "A"], "loss has no gene; it is one number"),
        (["encoder_z.0.W[9,9,9]"], "no such component"),
        (["encoder_z.0.W[6,0]"], "no such component"),
        (["alpha[0]"], "by cell, gene, state or latent"),
        (["alpha", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_bad_input_gives_one_line(
    command: Callable[..., Outcome], arguments: list[str], words: str
) -> None:
    outcome = command("explain", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_value_that_this_reading_lacks(traces: dict[str, Trace]) -> None:
    with pytest.raises(InputError, match="draws no state"):
        explain(traces["paper"], "state")


def test_json_has_the_agreed_shape(command: Callable[..., Outcome]) -> None:
    outcome = command("explain", "alpha", "--gene", "A", "--format", "json")
    assert outcome.status == 0
    content = json.loads(outcome.out)
    assert list(content)[:5] == ["quantity", "coords", "total", "terms", "paths"]
    assert (content["quantity"], content["coords"]) == ("alpha", {"gene": "A"})
    for term in content["terms"]:
        assert set(term) == {"term", "cell", "gene", "value"}
    for path in content["paths"]:
        assert set(path) == {"path", "value"}
        assert (path["path"][0], path["path"][-1]) == ("alpha", "loss")
    for parts in (content["terms"], content["paths"]):
        assert math.fsum(part["value"] for part in parts) == pytest.approx(
            content["total"], abs=content["bound"]
        )
    assert content["total"] == velotrace.trace().adjoint("alpha").sel(gene="A").item()


def test_text_begins_with_the_answer_and_fits_80_columns(command: Callable[..., Outcome]) -> None:
    for arguments in (["alpha", "--gene", "A"], ["z"], ["encoder_z.0.W[2,7]"], ["beta"], ["pi"]):
        outcome = command("explain", *arguments)
        assert outcome.status == 0
        assert max(map(len, outcome.out.splitlines())) <= 80
    outcome = command("explain", "alpha", "--gene", "A")
    assert outcome.out.startswith("∂L/∂α of gene A = 6668.5 ")
    assert "(1 − e^(−0.1 × 8))/0.1 = 5.50671; × 388.07 = 2136.99" in outcome.out


def test_no_path_is_said_with_exit_code_0(command: Callable[..., Outcome]) -> None:
    outcome = command("explain", "pi")
    assert outcome.status == 0
    assert "no path: state is drawn from pi, and a hard draw" in outcome.out.replace("\n", " ")
    content = json.loads(command("explain", "pi", "--format", "json").out)
    assert (content["total"], content["terms"], content["paths"]) == (None, [], [])


@pytest.mark.parametrize("name", ["alpha", "pi", "z", "encoder_pi.1.b"])
def test_markdown(command: Callable[..., Outcome], name: str) -> None:
    outcome = command("explain", name, "--format", "md")
    assert outcome.status == 0
    assert outcome.out.startswith("# ∂L/∂")


def test_python_interface(walkthrough: Trace) -> None:
    made = velotrace.explain(walkthrough, "beta", gene="B")
    assert isinstance(made, velotrace.Explanation)
    assert made.total == walkthrough.adjoint("beta").sel(gene="B").item()


def test_paths_read_from_the_target_to_the_loss(walkthrough: Trace) -> None:
    for path in explain(walkthrough, "z").paths:
        for before, after in pairwise(path.names):
            assert before in walkthrough.tape.graph[after]


def test_scenario_helper_covers_every_choice(traces: dict[str, Trace]) -> None:
    """The readings used above make each choice that there is; weights are numbers."""
    readings = [trace.resolved.reading for trace in traces.values()]
    for name, choices in typing.get_type_hints(Reading).items():
        if typing.get_origin(choices) is typing.Literal:
            made = {getattr(reading, name) for reading in readings}
            assert made == set(typing.get_args(choices)), name
