"""Counterfactuals: set, cut, drop; and the differences between any two iterations."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import READINGS, WALKTHROUGH, Outcome, loss_of, write_scenario

import velotrace
from velotrace.counterfactuals import TERMS, counterfactual, interventions
from velotrace.errors import InputError
from velotrace.model import kinetics
from velotrace.report.differences import diff
from velotrace.tape import Replace, Shift
from velotrace.tape import evaluate as run_plain
from velotrace.walkthrough import Trace

MIXTURES = ("paper", "joint")


def value(trace: Trace, name: str) -> np.ndarray:
    return trace.tape[name].value


def adjoint(trace: Trace, name: str) -> np.ndarray:
    found = trace.tape[name].adjoint
    assert found is not None
    return found


def parts_of_loss(trace: Trace) -> dict[str, float]:
    """The four summands of the loss, (27), each with its weight."""
    reading = trace.resolved.iteration.reading
    over_cells = np.sum if reading.reduction == "sum" else np.mean
    return {
        "reconstruction": float(value(trace, "reconstruction")),
        "kl_z": reading.kl_weight * float(over_cells(value(trace, "kl_z"))),
        "kl_pi": float(over_cells(value(trace, "kl_pi").sum(axis=-1))),
        "switch_penalty": reading.switch_weight * float(value(trace, "switch_penalty").sum()),
    }


# ---- drop -----------------------------------------------------------------------------------


@pytest.mark.parametrize("term", ["reconstruction", "kl_z", "kl_pi", "switch_penalty"])
@pytest.mark.parametrize("reading", list(READINGS))
def test_dropping_a_term_leaves_the_others(
    traces: dict[str, Trace], reading: str, term: str
) -> None:
    trace = traces[reading]
    changed = counterfactual(trace, drop=[term])
    rest = sum(part for name, part in parts_of_loss(trace).items() if name != term)
    assert changed.loss == pytest.approx(rest, rel=1e-14)


@pytest.mark.parametrize("reading", list(READINGS))
def test_dropping_all_terms_leaves_nothing(traces: dict[str, Trace], reading: str) -> None:
    terms = ["reconstruction", "kl_z", "kl_pi", "switch_penalty"]
    changed = counterfactual(traces[reading], drop=terms)
    assert changed.loss == 0.0
    assert changed.tape["alpha"].adjoint is None


@pytest.mark.parametrize("kind", ["u", "s"])
def test_dropping_one_part_of_the_penalty(walkthrough: Trace, kind: str) -> None:
    """The document leaves the s part out (model.md section 4.2)."""
    changed = counterfactual(walkthrough, drop=[f"switch_penalty_{kind}"])
    part = value(walkthrough, f"switch_penalty_{kind}").sum()
    assert walkthrough.loss - changed.loss == pytest.approx(part, rel=1e-12)


def test_dropping_a_density_of_the_drawn_state(walkthrough: Trace) -> None:
    k = value(walkthrough, "state")[..., None] - 1
    for kind, other in (("u", "s"), ("s", "u")):
        changed = counterfactual(walkthrough, drop=[f"log_density_{kind}"])
        kept = np.take_along_axis(value(walkthrough, f"log_density_{other}"), k, -1)[..., 0]
        assert value(changed, "log_likelihood") == pytest.approx(kept, rel=1e-14)


@pytest.mark.parametrize("reading", MIXTURES)
def test_dropping_a_density_of_a_mixture_leaves_the_other_ones_mixture(
    traces: dict[str, Trace], reading: str
) -> None:
    """Σ_k π_k · 1 = 1, so (23) is then 0; Σ_k π_k N_k(s) is left of both readings."""
    trace = traces[reading]
    changed = counterfactual(trace, drop=["log_density_u"])
    log = np.log(value(trace, "pi")) + value(trace, "log_density_s")
    top = log.max(axis=-1, keepdims=True)
    mixed = np.log(np.exp(log - top).sum(axis=-1)) + top[..., 0]
    assert value(changed, "log_likelihood") == pytest.approx(mixed, rel=1e-12)
    assert changed.tape["sigma_u"].adjoint is None


def test_dropping_a_term_takes_its_gradient_away(walkthrough: Trace) -> None:
    changed = counterfactual(walkthrough, drop=["switch_penalty"])
    assert value(changed, "u_bar").tobytes() == value(walkthrough, "u_bar").tobytes()
    alpha, beta = value(walkthrough, "alpha"), value(walkthrough, "beta")
    gamma, constants = value(walkthrough, "gamma"), walkthrough.resolved.iteration.constants
    penalty = 2 * (alpha / beta - constants.u_star) / beta
    penalty = penalty + 2 * (alpha / gamma - constants.s_star) / gamma
    gone = adjoint(walkthrough, "alpha") - adjoint(changed, "alpha")
    assert gone == pytest.approx(penalty, rel=1e-10)


# ---- set ------------------------------------------------------------------------------------


def test_setting_a_parameter_is_starting_there(tmp_path: Path, walkthrough: Trace) -> None:
    changed = counterfactual(walkthrough, ["alpha@A=1", "alpha@C=0.25", "beta=0.2"])
    keys = {
        "initial": {"alpha": [1.0, 0.75, 0.25], "beta": 0.2},
        "noise": {"seed": 37},
        "pins": {"state": {"Cell 1/A": 1}, "pi": {"Cell 1/A": [0.7, 0.1, 0.1, 0.1]}},
    }
    direct = velotrace.trace(write_scenario(tmp_path, WALKTHROUGH, keys))
    bias = float(value(changed, "decoder_ind.1.b")[0])  # the walkthrough's, which meets its pin
    unpinned = counterfactual(direct, [f"decoder_ind.1.b[0]={bias!r}"])
    assert changed.loss == unpinned.loss
    for name in ("alpha", "beta", "gamma", "z"):
        assert adjoint(changed, name).tobytes() == adjoint(unpinned, name).tobytes()
    assert changed.updates["sgd"]["alpha"]["updated"] == pytest.approx(
        unpinned.updates["sgd"]["alpha"]["updated"], rel=0
    )


def test_setting_a_free_value_is_starting_there(traces: dict[str, Trace]) -> None:
    """α = softplus(0) = log 2, and the step of the optimiser starts at 0."""
    before = traces["scvi-tools"]
    changed = counterfactual(before, ["alpha_free@A=0"])
    assert value(changed, "alpha")[0] == math.log(2.0)
    np.testing.assert_array_equal(value(changed, "alpha")[1:], value(before, "alpha")[1:])
    assert adjoint(changed, "alpha_free")[0] == pytest.approx(adjoint(changed, "alpha")[0] / 2.0)
    step = changed.updates["adam"]["alpha_free"]
    assert step["updated"][0] == pytest.approx(step["change"][0], abs=0.0)
    assert not changed.left_domain("sgd")


def test_setting_what_a_free_value_gives_stops_its_gradient(traces: dict[str, Trace]) -> None:
    """α_A = 0.3 is set after the softplus: its free value has no share in the loss then."""
    before = traces["scvi-tools"]
    changed = counterfactual(before, ["alpha@A=0.3", "variance_u@B=0.04"])
    assert value(changed, "alpha")[0] == 0.3
    assert value(changed, "sigma_u")[1] == 0.2
    held = adjoint(changed, "alpha_free")
    assert held[0] == 0.0
    assert (held[1:] != 0.0).all()
    np.testing.assert_array_equal(value(changed, "alpha_free"), value(before, "alpha_free"))


def test_setting_a_computed_value_is_that_value_from_there_on(walkthrough: Trace) -> None:
    """u0 of gene A set to 1: (7) in repression and the penalty (26) see it, nothing before does."""
    changed = counterfactual(walkthrough, ["u_switch@A=1"])
    assert value(changed, "u_switch").tolist() == [1.0, *value(walkthrough, "u_switch")[1:]]
    since = value(walkthrough, "time_repression") - value(walkthrough, "switch_time")
    expected = kinetics.u_repression(value(changed, "u_switch"), value(walkthrough, "beta"), since)
    assert value(changed, "u_bar")[..., 2] == pytest.approx(expected, rel=1e-15)
    assert value(changed, "alpha").tobytes() == value(walkthrough, "alpha").tobytes()
    u_star = walkthrough.resolved.iteration.constants.u_star[0]
    before, after = ((x - u_star) ** 2 for x in (value(walkthrough, "u_switch")[0], 1.0))
    assert changed.loss - walkthrough.loss == pytest.approx(after - before, rel=1e-10)


def test_nothing_flows_past_a_component_that_is_set(walkthrough: Trace) -> None:
    """Only gene A's u0 is set: α of A loses that way back, α of B and C keep it."""
    changed = counterfactual(walkthrough, ["u_switch@A=1"])
    before, after = (velotrace.explain(t, "alpha") for t in (walkthrough, changed))
    steps = [made.by_first_step["u_switch"] for made in (before, after)]
    own = velotrace.explain(walkthrough, "alpha", gene="A").by_first_step["u_switch"]
    assert steps[0] - steps[1] == pytest.approx(own, rel=1e-12)
    made = velotrace.explain(changed, "alpha", gene="A")
    assert "u_switch" not in made.by_first_step
    reasons = {entry.term or entry.path[1]: entry.reason for entry in made.no_path}
    assert reasons["u_switch"] == "u_switch is replaced by a given number here"
    of_a = [e.reason for e in made.no_path if (e.term, e.gene) == ("switch_penalty_u", "A")]
    assert of_a == ["u_switch is replaced by a given number here"]
    whole = counterfactual(walkthrough, ["u_switch=1"])
    assert "u_switch" not in velotrace.explain(whole, "alpha").by_first_step


@pytest.mark.parametrize("text", ["u_switch=1", "u_switch@B=1", "rho_repression@Cell 1/B=0.5"])
def test_gradients_beside_a_set_value_are_finite_differences(walkthrough: Trace, text: str) -> None:
    changed, made = counterfactual(walkthrough, [text]), interventions(walkthrough, [text])
    for name in ("alpha", "beta", "gamma"):
        for g in range(3):
            by = np.zeros(3)
            by[g] = 1e-6
            plus, minus = (
                run_plain(
                    loss_of(walkthrough),
                    walkthrough.resolved.parameters,
                    {**made, name: Shift(sign * by)},
                ).value
                for sign in (1.0, -1.0)
            )
            # round-off of a loss of 3e4 over 2e-6, and h² times a third derivative below 1e9
            expected = adjoint(changed, name)[g]
            assert (plus - minus) / 2e-6 == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_setting_a_state_moves_the_likelihood_to_it(walkthrough: Trace) -> None:
    for k in (1, 2, 3, 4):
        changed = counterfactual(walkthrough, [f"state@Cell 1/A={k}"])
        log = sum(value(walkthrough, f"log_density_{kind}")[0, 0, k - 1] for kind in "us")
        assert value(changed, "log_likelihood")[0, 0] == pytest.approx(log, rel=1e-15)
        assert value(changed, "state").dtype.kind == "i"
        assert changed.tape["state"].adjoint is None


def test_setting_probabilities(traces: dict[str, Trace]) -> None:
    trace = traces["joint"]
    changed = counterfactual(trace, ["pi@Cell 1/A=1,0,0,0"])
    log = sum(value(trace, f"log_density_{kind}")[0, 0, 0] for kind in "us")
    assert value(changed, "log_likelihood")[0, 0] == pytest.approx(log, rel=1e-14)
    assert value(changed, "pi")[1].tobytes() == value(trace, "pi")[1].tobytes()  # as drawn
    gradient = velotrace.explain(changed, "concentration", cell="Cell 1", gene="A")
    assert {t.term for t in gradient.terms if t.value} == {"kl_pi"}


def test_setting_a_draw_or_data_gives_it_no_gradient(walkthrough: Trace) -> None:
    changed = counterfactual(walkthrough, ["unspliced@Cell 1/A=0.5", "epsilon_z=0"])
    assert changed.tape["unspliced"].adjoint is None
    assert changed.tape["epsilon_z"].adjoint is None
    assert value(changed, "z").tobytes() == value(changed, "mu_z").tobytes()
    residual = 0.5 - value(changed, "u_bar")[0, 0, 0]
    expected = -0.5 * (residual / 0.1) ** 2 - math.log(0.1) - 0.5 * math.log(2 * math.pi)
    assert value(changed, "log_density_u")[0, 0, 0] == pytest.approx(expected, rel=1e-12)


def test_setting_a_weight(walkthrough: Trace) -> None:
    changed = counterfactual(walkthrough, ["encoder_z.0.W[2,7]=0"])
    expected = value(walkthrough, "encoder_z.0.W").copy()
    expected[2, 7] = 0.0
    assert value(changed, "encoder_z.0.W").tobytes() == expected.tobytes()
    assert changed.updates["adam"]["encoder_z.0.W"]["updated"][2, 7] == pytest.approx(
        -0.01 * np.sign(adjoint(changed, "encoder_z.0.W")[2, 7]), rel=1e-6
    )


def test_setting_a_value_to_itself_changes_nothing(walkthrough: Trace) -> None:
    changed = counterfactual(walkthrough, ["beta=0.1", "state@Cell 1/A=1"])
    assert diff(walkthrough, changed).changes == ()


# ---- cut ------------------------------------------------------------------------------------


def test_a_cut_keeps_values_and_stops_gradients(walkthrough: Trace) -> None:
    changed = counterfactual(walkthrough, cut=["rho_induction"])
    for name, entry in walkthrough.tape.names.items():
        assert value(changed, name).tobytes() == entry.value.tobytes()
    assert changed.tape["decoder_ind.1.W"].adjoint is None
    assert (
        adjoint(changed, "rho_induction").tolist() == adjoint(walkthrough, "rho_induction").tolist()
    )
    assert adjoint(changed, "alpha").tolist() == adjoint(walkthrough, "alpha").tolist()
    through = velotrace.explain(walkthrough, "z").by_first_step["decoder_ind.0.h"]
    lost = adjoint(walkthrough, "z").sum() - adjoint(changed, "z").sum()
    assert lost == pytest.approx(through, rel=1e-10)
    reason = velotrace.explain(changed, "decoder_ind.1.W").reason
    assert reason == "rho_induction is cut off here from what it was computed from"


def test_a_cut_of_one_component(walkthrough: Trace) -> None:
    changed = counterfactual(walkthrough, cut=["rho_induction@Cell 1/A"])
    before, after = (velotrace.explain(t, "decoder_ind.1.b[0]") for t in (walkthrough, changed))
    kept = {(t.term, t.cell): t.value for t in before.terms if t.cell == "Cell 3"}
    assert {(t.term, t.cell): t.value for t in after.terms if t.value} == kept


# ---- explanations of changed iterations -----------------------------------------------------

CHANGES: list[dict[str, list[str]]] = [
    {"values": ["u_switch@A=1"]},
    {"values": ["u_switch=1", "s_switch@B=2"]},
    {"values": ["time_induction@Cell 1=3"]},
    {"values": ["z=0"], "drop": ["kl_pi"]},
    {"values": ["concentration@*/B/2=1"]},
    {"cut": ["rho_induction", "mu_z@Cell 1"]},
    {"drop": ["log_density_u"]},
    {"drop": ["switch_penalty_s", "kl_z"]},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("reading", ["document", "paper", "odd"])
def test_changed_iterations_can_be_taken_apart(
    traces: dict[str, Trace], reading: str, change: dict[str, list[str]]
) -> None:
    """The checks inside `explain` hold under every kind of change."""
    changed = counterfactual(traces[reading], **change)
    for name in ("alpha", "gamma", "switch_time", "z", "concentration", "encoder_z.0.W", "u_bar"):
        made = velotrace.explain(changed, name)
        assert (made.total is None) == bool(made.reason)


def test_explain_shows_both_totals(command: Callable[..., Outcome]) -> None:
    arguments = ("explain", "alpha", "--gene", "A", "--drop", "switch_penalty")
    text = " ".join(command(*arguments).out.split())
    assert "with switch_penalty dropped; in the unchanged iteration it is 6668.5" in text
    content = json.loads(command(*arguments, "--format", "json").out)
    assert content["changes"] == {"set": [], "cut": [], "drop": ["switch_penalty"]}
    assert content["unchanged"]["total"] == pytest.approx(content["total"] + 153.0 + 674.0)
    gone = " ".join(command("explain", "decoder_ind.1.W", "--cut", "rho_induction").out.split())
    assert "no path: rho_induction is cut off here" in gone
    assert "in the unchanged iteration it is" in gone


# ---- differences ----------------------------------------------------------------------------


def test_differences_are_named_in_the_order_of_computation(walkthrough: Trace) -> None:
    found = diff(walkthrough, counterfactual(walkthrough, ["time_induction@Cell 1/A=5"]))
    forward = [c.quantity for c in found.changes if c.part == "value"]
    order = [name for name in walkthrough.tape.names if name in forward]
    assert forward == order
    assert forward[0] == "time_induction"
    first = found.changes[0]
    assert (first.at, first.before, first.after) == ("Cell 1/A", pytest.approx(8.0), 5.0)
    assert (first.changed, first.components) == (1, 6)
    sizes = [change.relative for change in found.largest_first]
    assert sizes == sorted(sizes, reverse=True)
    assert found.loss == (
        walkthrough.loss,
        counterfactual(walkthrough, ["time_induction@Cell 1/A=5"]).loss,
    )


def test_a_path_that_goes_is_a_difference(walkthrough: Trace) -> None:
    found = diff(walkthrough, counterfactual(walkthrough, drop=["kl_pi"]))
    gone = {c.quantity: c for c in found.changes if c.after is None}
    assert set(gone) >= {"concentration", "encoder_pi.0.W"}
    assert gone["concentration"].before is not None


def test_each_source_gives_the_same_table(
    tmp_path: Path, walkthrough: Trace, command: Callable[..., Outcome]
) -> None:
    scenario, vectors, folders = (
        velotrace.resources.data_path("walkthrough.toml"),
        tmp_path / "v.json",
        [],
    )
    assert command("vectors", "-o", vectors).status == 0
    for style in ("csv", "json", "parquet"):
        folder = tmp_path / style
        outcome = command("trace", "-o", folder, "--format", style)
        if outcome.status == 0:  # parquet needs pyarrow
            folders.append(folder)
    assert len(folders) >= 2
    for source in (scenario, vectors, *folders):
        assert diff(walkthrough, source).changes == ()
        assert diff(source, walkthrough).changes == ()
    assert diff(velotrace.vectors(), scenario).changes == ()


def test_diff_of_two_scenarios(tmp_path: Path, command: Callable[..., Outcome]) -> None:
    one = write_scenario(tmp_path / "a", WALKTHROUGH)
    other = write_scenario(tmp_path / "b", WALKTHROUGH, {"initial": {"gamma": 0.06}})
    same = command("diff", one, one)
    assert same.status == 0
    assert "No value and no adjoint differs." in same.out
    outcome = command("diff", one, other)
    assert outcome.status == 1
    table = outcome.out.split("Values that differ")[1]
    assert table.index("gamma") < table.index("s_bar") < table.index("log_density_s")
    assert max(map(len, outcome.out.splitlines())) <= 80 or str(tmp_path) in outcome.out
    rows = list(csv.DictReader(io.StringIO(command("diff", one, other, "--format", "csv").out)))
    assert rows[0]["quantity"] == "gamma"
    assert float(rows[0]["after"]) == 0.06
    content = json.loads(command("diff", one, other, "--format", "json").out)
    assert content["changes"][0]["quantity"] == "gamma"
    assert command("diff", one, other, "--format", "md").out.startswith("# ")
    assert command("diff", one, other, "--tolerance", "10").status == 0


def test_other_cells_and_readings_are_notes(tmp_path: Path) -> None:
    one = velotrace.trace(write_scenario(tmp_path / "a", WALKTHROUGH))
    batch = {"batch": {"cells": ["Cell 3", "Cell 4"]}}
    found = diff(one, velotrace.trace(write_scenario(tmp_path / "b", WALKTHROUGH, batch)))
    assert "Only in the one before: cell Cell 1." in found.notes
    assert "Only in the one after: cell Cell 4." in found.notes
    shared = [c for c in found.changes if c.quantity == "unspliced"]
    assert shared == []  # Cell 3 is the same in both
    paper = {"reading": {"preset": "paper"}}
    found = diff(one, velotrace.trace(write_scenario(tmp_path / "c", WALKTHROUGH, paper)))
    assert "Only in the one before: state." in found.notes


def test_a_gene_called_na_survives_a_folder(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    table = "cell,gene,unspliced,spliced\nx,NA,0.5,0.25\n1,NA,0.1,0.3\n"
    scenario = write_scenario(tmp_path, {"data": {"upper_cells": 1}}, csv=table)
    assert command("trace", scenario, "-o", tmp_path / "out").status == 0
    assert diff(scenario, tmp_path / "out").changes == ()


# ---- the command line -----------------------------------------------------------------------


def test_trace_shows_what_changed_largest_first(command: Callable[..., Outcome]) -> None:
    outcome = command("trace", "--set", "u_switch@A=1")
    assert outcome.status == 0
    assert outcome.out.startswith("One iteration with u_switch@A=1\n")
    assert "The loss goes from 29213 to 29154.5: −58.5." in outcome.out
    table = outcome.out.split("Values that differ")[1]
    assert table.index("switch_penalty_u") < table.index("s_bar") < table.index("loss")
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_trace_writes_the_changed_iteration(
    tmp_path: Path, walkthrough: Trace, command: Callable[..., Outcome]
) -> None:
    outcome = command("trace", "--set", "beta=0.2", "--drop", "kl_z", "-o", tmp_path / "out")
    assert outcome.status == 0
    changed = counterfactual(walkthrough, ["beta=0.2"], drop=["kl_z"])
    assert diff(tmp_path / "out", changed).changes == ()


@pytest.mark.parametrize("style", ["csv", "json", "md"])
def test_trace_prints_differences_in_other_formats(
    command: Callable[..., Outcome], style: str
) -> None:
    outcome = command("trace", "--cut", "rho_induction", "--format", style)
    assert outcome.status == 0
    assert "decoder_ind.1.W" in outcome.out


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("--set", "u_swich=1", "did you mean 'u_switch'"),
        ("--set", "u_switch", "write NAME=VALUE"),
        ("--set", "u_switch=one", "'one'; it must be a finite number"),
        ("--set", "u_switch=nan", "it must be a finite number"),
        ("--set", "u_switch=", "it must be a finite number"),
        ("--set", "u_switch=1_0", "it must be a finite number"),
        ("--set", "alpha=-1", "alpha is set to -1; it must be 0 or more"),
        ("--set", "beta=0", "greater than 0"),
        ("--set", "switch_time=20", "less than t_max"),
        ("--set", "state=5", "1, 2, 3 or 4"),
        ("--set", "state=1.5", "1, 2, 3 or 4"),
        ("--set", "rho_induction=1.1", "from 0 to 1"),
        ("--set", "time_repression=5", "from the gene's switch time to t_max"),
        ("--set", "pi@Cell 1/A=1,1,0,0", "pi would sum to 2"),
        ("--set", "alpha@D=1", "alpha has no component 'D'; write gene, such as 'A'"),
        ("--set", "z@Cell 2=1", "z has no component 'Cell 2'; write cell/latent"),
        ("--set", "loss@A=1", "loss is one number"),
        ("--set", "alpha=1,2", "one number, or 3, one for each gene"),
        ("--set", "alpha@A=1,2", "it must be one number"),
        ("--set", "log_var_z=2000", "the loss overflows float64"),
        ("--cut", "rho", "no value is named 'rho'"),
        ("--drop", "kl_y", "no term of the loss is named 'kl_y'"),
        ("--drop", "alpha", "no term of the loss is named 'alpha'"),
    ],
)
@pytest.mark.parametrize("start", [["trace"], ["explain", "alpha"]])
def test_bad_changes_give_one_line(
    command: Callable[..., Outcome], start: list[str], option: str, text: str, words: str
) -> None:
    outcome = command(*start, option, text)
    assert (outcome.status, outcome.out) == (2, "")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--set", "alpha=1", "--cut", "alpha"], "alpha is changed in two ways"),
        (["--set", "kl_z=1", "--drop", "kl_z"], "kl_z is changed in two ways"),
        (["--drop", "kl_z", "--drop", "kl_z"], "kl_z is changed in two ways"),
        (["--set", "alpha=1", "--set", "alpha@A=2"], "alpha is set twice"),
    ],
)
def test_two_changes_of_one_value_are_refused(
    command: Callable[..., Outcome], changes: list[str], words: str
) -> None:
    outcome = command("trace", *changes)
    assert outcome.status == 2
    assert words in outcome.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("variance_u=0", "variance_u is set to 0; it must be greater than 0"),
        ("alpha_free=nan", "it must be a finite number"),
        ("beta_free=-800", "the loss overflows float64"),  # softplus(−800) is 0
    ],
)
def test_bad_changes_of_held_values(
    command: Callable[..., Outcome], scenario: Callable[..., Path], change: str, words: str
) -> None:
    outcome = command("trace", scenario({"reading": {"preset": "scvi-tools"}}), "--set", change)
    assert (outcome.status, outcome.out) == (2, "")
    assert words in outcome.err


@pytest.mark.parametrize("content", ["[]", "{}", '{"schema": "velotrace-vectors/1"}', "no json"])
def test_diff_of_a_wrong_file(
    tmp_path: Path, command: Callable[..., Outcome], content: str
) -> None:
    path = tmp_path / "theirs.json"
    path.write_text(content)
    outcome = command("diff", path, path)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1


def test_diff_of_an_empty_folder_or_nothing(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "trace.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path, tmp_path / "nothing.toml", tmp_path / "nothing"):
        outcome = command("diff", path, path)
        assert outcome.status == 2
        assert outcome.err.count("\n") == 1


# ---- places ---------------------------------------------------------------------------------


def test_places(walkthrough: Trace) -> None:
    where = {
        text: np.argwhere(interventions(walkthrough, [f"u_bar@{text}=1"])["u_bar"].where).tolist()
        for text in ("Cell 1/A/2", "Cell 3/C", "*/B/4")
    }
    assert where == {
        "Cell 1/A/2": [[0, 0, 1]],
        "Cell 3/C": [[1, 2, k] for k in range(4)],
        "*/B/4": [[0, 1, 3], [1, 1, 3]],
    }
    assert interventions(walkthrough, ["u_bar@*=1"])["u_bar"] == Replace(
        pytest.approx(np.ones((2, 3, 4))), None
    )


def test_names_with_slashes_and_signs(tmp_path: Path) -> None:
    """'a/b' may be cell a/b, or cell a with gene b: what fits twice is refused."""
    table = "cell,gene,unspliced,spliced\n" + "".join(
        f"{cell},{gene},0.5,0.2\n" for cell in ("a", "a/b", "x=y") for gene in ("b", "b/c", "c")
    )
    trace = velotrace.trace(write_scenario(tmp_path, {"data": {"upper_cells": 1}}, csv=table))
    made = interventions(trace, ["rho_induction@x=y/b/c=0.5"])
    assert np.argwhere(made["rho_induction"].where).tolist() == [[2, 1]]
    with pytest.raises(InputError, match="can be read as"):
        interventions(trace, ["rho_induction@a/b/c=0.5"])


def test_terms_that_can_be_dropped_are_named_values(walkthrough: Trace) -> None:
    assert set(TERMS) <= set(walkthrough.tape.names)


def test_python_interface(walkthrough: Trace) -> None:
    changed = velotrace.counterfactual(walkthrough, ["u_switch=1"])
    found: Any = velotrace.diff(walkthrough, changed)
    assert isinstance(found, velotrace.Differences)
    assert found.loss[1] == changed.loss
