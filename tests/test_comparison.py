"""Readings side by side: what differs, the numbers of model.md 4.2 and 4.10, and how it prints."""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from helpers import READINGS, WALKTHROUGH, Outcome, assert_refused, toml, write_scenario
from scipy.special import expit

import velotrace
from velotrace.comparison import (
    Comparison,
    choices,
    compare,
    first_difference,
    first_step,
    likelihoods,
    loss_terms,
)
from velotrace.errors import InputError
from velotrace.model.readings import PRESETS
from velotrace.quantities import PARAMETERS
from velotrace.report.comparisons import comparison_text
from velotrace.resources import data_path
from velotrace.walkthrough import Trace

NAMES = ("document", "paper", "joint", "scvi-tools")

TABLE = {  # model.md section 2, row by row
    "likelihood": ("sampled-state", "separate-mixtures", "joint-mixture", "separate-mixtures"),
    "repression_start": ("steady-state", "switch-time", "switch-time", "switch-time"),
    "switch_weight": (1.0, 0.2, 0.2, 0.2),
    "reduction": ("sum", "sum", "sum", "mean"),
    "latent_variance": ("exp", "exp", "exp", "softplus"),
    "parameterisation": ("natural", "natural", "natural", "softplus"),
    "noise_parameter": (*("standard-deviation",) * 3, "variance"),
    "encoder_input": (*("interleaved",) * 3, "spliced-first"),
    "decoders": (*("separate",) * 3, "shared-hidden"),
    "denominator": ("exact", "exact", "exact", "eps"),
    "kl_warmup": (0, 0, 0, 400),
    "switch_fades": (False, False, False, True),
    "optimiser.name": ("adam", "adam", "adam", "adamw"),
    "optimiser.eps": (1e-8, 1e-8, 1e-8, 0.01),
    "optimiser.weight_decay": (0.0, 0.01, 0.0, 0.01),
    "optimiser.clip_norm": (None, None, None, 10.0),
}


@pytest.fixture(scope="module")
def made() -> Comparison:
    return compare()


def of(trace: Trace, name: str) -> np.ndarray:
    return trace.tape[name].value


# ---- what differs ---------------------------------------------------------------------------


def test_choices_are_those_of_the_table(made: Comparison) -> None:
    assert tuple(made.traces) == NAMES
    assert choices(made) == {
        choice: dict(zip(NAMES, row, strict=True)) for choice, row in TABLE.items()
    }
    two = compare(readings=["joint", "paper"])
    assert choices(two) == {
        "likelihood": {"joint": "joint-mixture", "paper": "separate-mixtures"},
        "optimiser.weight_decay": {"joint": 0.0, "paper": 0.01},
    }
    assert choices(compare(readings=["paper"])) == {}


def test_each_column_is_the_scenario_with_that_preset(made: Comparison, tmp_path: Path) -> None:
    """Same data, seeds and pins: bit for bit what a file with that preset gives."""
    pins = {
        "time_induction": {"Cell 1/A": 8.0},
        "pi": {"Cell 1/A": [0.7, 0.1, 0.1, 0.1]},
        "state": {"Cell 1/A": 1},
    }
    for name in NAMES:
        keys = {"reading": {"preset": name}, "noise": {"seed": 37}, "pins": pins}
        alone = velotrace.trace(write_scenario(tmp_path / name, WALKTHROUGH, keys))
        seed = made.first.resolved.scenario.noise.seed
        assert seed == 37
        assert alone.loss == made.traces[name].loss
        assert alone.resolved.optimiser == made.traces[name].resolved.optimiser
        for parameter in alone.held:
            one, other = alone.tape[parameter], made.traces[name].tape[parameter]
            assert one.adjoint.tobytes() == other.adjoint.tobytes()


def test_first_difference(made: Comparison) -> None:
    """Paper and joint differ where repression starts; the encoder of scvi-tools sees s first."""
    found = {name: first_difference(made.first, one) for name, one in made.traces.items()}
    assert found == {
        "document": None,
        "paper": "u_switch",
        "joint": "u_switch",
        "scvi-tools": "mu_z",
    }
    assert first_difference(made.traces["paper"], made.traces["joint"]) == "log_likelihood"
    held = velotrace.trace(reading={"noise_parameter": "variance"})
    assert first_difference(made.first, held) is None


@pytest.mark.parametrize("reading", READINGS)
def test_terms_make_the_loss(traces: dict[str, Trace], reading: str) -> None:
    """Equation (27)."""
    terms = loss_terms(traces[reading])
    assert math.fsum(list(terms.values())[:-1]) == pytest.approx(terms["loss"], rel=1e-14)
    assert terms["loss"] == traces[reading].loss


def test_first_step_of_what_is_held(made: Comparison) -> None:
    """Natural values move as the optimiser says; a free value moves them by its softplus."""
    paper = first_step(made.traces["paper"])
    for name in PARAMETERS:
        step = made.traces["paper"].updates["adam"][name]
        np.testing.assert_allclose(paper[name], step["change"], rtol=0.0, atol=1e-15)
    scvi = made.traces["scvi-tools"]
    found, moved = first_step(scvi), scvi.updates["adam"]
    alpha = np.log1p(np.exp(moved["alpha_free"]["updated"]))
    np.testing.assert_allclose(found["alpha"], alpha - of(scvi, "alpha"), rtol=0.0, atol=1e-15)
    sigma = np.sqrt(np.log1p(np.exp(moved["variance_u_free"]["updated"])))
    np.testing.assert_allclose(found["sigma_u"], sigma - of(scvi, "sigma_u"), rtol=0.0, atol=1e-15)
    # to first order a free value's step times the slope of softplus
    slope = expit(of(scvi, "alpha_free"))
    assert found["alpha"] == pytest.approx(slope * moved["alpha_free"]["change"], rel=0.01)


def test_first_step_of_gradient_descent_may_leave_the_domain(tmp_path: Path) -> None:
    """A variance that becomes negative has no root: NaN, and `left_domain` names it."""
    keys = {"reading": {"noise_parameter": "variance"}, "optimiser": {"name": "sgd"}}
    trace = velotrace.trace(write_scenario(tmp_path, WALKTHROUGH, keys))
    downhill = trace.tape["sigma_u"].adjoint > 0.0
    assert np.isnan(first_step(trace)["sigma_u"]).tolist() == downhill.tolist()
    sgd = trace.updates["sgd"]["alpha"]
    np.testing.assert_allclose(first_step(trace)["alpha"], sgd["change"], rtol=1e-12)


# ---- the numbers of model.md ----------------------------------------------------------------


def test_start_of_repression(made: Comparison) -> None:
    """model.md 4.2, by the formulas (3), (4), (26) written out for gene A."""
    alpha, beta, gamma, t = 0.85, 0.1, 0.05, 10.0
    u_0 = alpha / beta * (1.0 - math.exp(-beta * t))
    s_0 = alpha / gamma * (1.0 - math.exp(-gamma * t)) + alpha / (gamma - beta) * (
        math.exp(-gamma * t) - math.exp(-beta * t)
    )
    assert (round(u_0, 4), round(s_0, 4)) == (5.3730, 2.6319)
    for name in ("paper", "joint"):
        trace = made.traces[name]
        assert of(trace, "u_switch")[0] == pytest.approx(u_0, rel=1e-14)
        assert of(trace, "s_switch")[0] == pytest.approx(s_0, rel=1e-13)
        assert round(of(trace, "switch_penalty_u")[0], 4) == 20.4578
    assert of(made.first, "u_switch")[0] == 8.5
    assert round(of(made.first, "switch_penalty_u")[0], 4) == 58.5225


def test_three_likelihoods_in_forty_digits(made: Comparison) -> None:
    """model.md 4.10 for Cell 1, gene A, from equations (3) to (8), (15), (20), (21), (23), (24)."""
    with mpmath.workdps(40):
        alpha, beta, gamma = mpmath.mpf("0.85"), mpmath.mpf("0.1"), mpmath.mpf("0.05")
        t_s, t_1, tau, sigma = 10, 8, mpmath.mpf(5), mpmath.mpf("0.1")  # t3 = 10 + 10 · 0.5

        def u_on(t: Any) -> Any:
            return alpha / beta * (1 - mpmath.exp(-beta * t))

        def s_on(t: Any) -> Any:
            bend = mpmath.exp(-gamma * t) - mpmath.exp(-beta * t)
            return alpha / gamma * (1 - mpmath.exp(-gamma * t)) + alpha / (gamma - beta) * bend

        bend = mpmath.exp(-gamma * tau) - mpmath.exp(-beta * tau)
        u_off = u_on(t_s) * mpmath.exp(-beta * tau)
        s_off = s_on(t_s) * mpmath.exp(-gamma * tau) - beta * u_on(t_s) / (gamma - beta) * bend
        means = {
            "u": (u_on(t_1), alpha / beta, u_off, 0),
            "s": (s_on(t_1), alpha / gamma, s_off, 0),
        }
        measured = {"u": mpmath.mpf("0.8"), "s": mpmath.mpf("0.2")}
        density = {
            kind: [
                mpmath.npdf(measured[kind], mean, scale * sigma)
                for mean, scale in zip(means[kind], (1, 1, 1, mpmath.mpf("0.1")), strict=True)
            ]
            for kind in "us"
        }
        pi = [mpmath.mpf(p) for p in ("0.7", "0.1", "0.1", "0.1")]
        both = [u * s for u, s in zip(density["u"], density["s"], strict=True)]
        apart = [sum(p * n for p, n in zip(pi, density[kind], strict=True)) for kind in "us"]
        expected = {
            "sampled-state": mpmath.log(both[0]),
            "separate-mixtures": mpmath.log(apart[0]) + mpmath.log(apart[1]),
            "joint-mixture": mpmath.log(sum(p * n for p, n in zip(pi, both, strict=True))),
        }
    three = made.likelihoods
    assert (three.cell, three.gene, three.state) == ("Cell 1", "A", 1)
    np.testing.assert_array_equal(three.pi, [0.7, 0.1, 0.1, 0.1])
    for name, value in expected.items():  # the pin of the time is met to some 1e-15
        assert three.value[name] == pytest.approx(float(value), rel=1e-12)
    rounded = [round(x, 2) for x in three.value.values()]
    assert rounded == [-885.97, -437.95, -886.33]
    assert round(three.value["sampled-state"], 1) == -886.0
    assert round(three.value["joint-mixture"], 1) == -886.3


@pytest.mark.parametrize("reading", READINGS)
def test_likelihoods_of_any_scenario(reading: str, tmp_path: Path) -> None:
    """Without pins: the first cell and gene, its drawn π, the likeliest state."""
    three = likelihoods(write_scenario(tmp_path, WALKTHROUGH, READINGS[reading]))
    assert three.gene == "A"
    assert three.state == np.argmax(three.pi) + 1
    both = three.log_density_u + three.log_density_s
    assert three.value["sampled-state"] == both[three.state - 1]
    log_pi = np.log(three.pi)
    # one summand of a sum of positive ones; and the sum is at most the largest of them
    assert three.value["joint-mixture"] >= np.max(log_pi + both)
    assert three.value["joint-mixture"] <= np.max(both) + 1e-9
    largest = np.max(log_pi + three.log_density_u) + np.max(log_pi + three.log_density_s)
    assert largest <= three.value["separate-mixtures"] <= largest + 2.0 * math.log(4.0)


# ---- the scenario's own reading -------------------------------------------------------------


def test_own_reading_comes_first_where_it_is_no_preset(tmp_path: Path) -> None:
    own = {"reading": {"preset": "paper", "reduction": "mean"}}
    path = write_scenario(tmp_path / "choice", WALKTHROUGH, own)
    made = compare(path)
    assert tuple(made.traces) == ("scenario", *NAMES)
    assert made.first.loss == velotrace.trace(path).loss
    assert made.traces["paper"].resolved.reading == PRESETS["paper"]
    step = {"reading": {"preset": "joint"}, "optimiser": {"learning_rate": 0.1}}
    path = write_scenario(tmp_path / "step", WALKTHROUGH, step)
    made = compare(path)
    assert tuple(made.traces) == ("scenario", *NAMES)
    rates = choices(made)["optimiser.learning_rate"]
    assert rates == {"scenario": 0.1} | dict.fromkeys(NAMES, 0.01)
    assert tuple(compare(path, ["paper", "scenario"]).traces) == ("paper", "scenario")


def test_a_preset_spelled_out_is_that_preset(tmp_path: Path) -> None:
    """As a run or test vectors keep it: every choice written down, and still 'paper'."""
    path = write_scenario(tmp_path, WALKTHROUGH, {"reading": {"preset": "paper"}})
    spelled = velotrace.vectors(path)["scenario"]
    path.write_text(toml(spelled), encoding="utf-8")
    made = compare(path)
    assert tuple(made.traces) == NAMES
    assert made.first.resolved.reading == PRESETS["document"]


def test_reading_of_a_trace() -> None:
    """A preset stands for itself; single choices are laid over the file's."""
    for name in NAMES:
        assert velotrace.trace(reading={"preset": name}).resolved.reading == PRESETS[name]
    changed = velotrace.trace(reading={"repression_start": "switch-time"}).resolved
    expected = asdict(PRESETS["document"]) | {"repression_start": "switch-time"}
    assert asdict(changed.reading) == expected
    assert changed.scenario.reading.repression_start == "switch-time"
    assert velotrace.trace(reading={}).loss == velotrace.trace().loss
    with pytest.raises(InputError, match=r"'reading.preset' is 'velovi'; it must be 'document'"):
        velotrace.trace(reading={"preset": "velovi"})
    with pytest.raises(InputError, match=r"'reading.likelyhood' \(did you mean 'likelihood'"):
        velotrace.trace(reading={"likelyhood": "joint-mixture"})


# ---- the command ----------------------------------------------------------------------------


def test_text_names_what_differs(command: Callable[..., Outcome]) -> None:
    """80 columns; the numbers of 4.2 and 4.10 are in it."""
    shown = command("compare")
    assert (shown.status, shown.err) == (0, "")
    assert max(map(len, shown.out.splitlines())) <= 80
    for words in (
        *("sampled-state", "separate-mixtures", "steady-state", "softplus", "weight_decay"),
        "paper in u_switch, joint in u_switch, scvi-tools in mu_z",
        *("58.5225", "20.4578", "5.37302", "2.63191", "-885.973", "-437.95", "-886.33"),
        "u speaks for state 3, s for state 1",
    ):
        assert words in shown.out, words


def test_text_of_many_readings_fits(made: Comparison, tmp_path: Path) -> None:
    """Five columns of long numbers do not; they are split, each part with its labels."""
    own = {"reading": {"preset": "document", "reduction": "mean"}, "initial": {"sigma_u": 1e-6}}
    wide = compare(write_scenario(tmp_path, WALKTHROUGH, own))
    text = comparison_text(wide)
    assert max(map(len, text.splitlines())) <= 80
    for name in wide.traces:
        assert any(name in line.split() for line in text.splitlines())
    alone = comparison_text(compare(readings=["joint"]))
    assert "nothing to compare" in alone
    assert "One iteration in one reading: joint" in alone
    assert len(comparison_text(made)) > len(alone)


def test_json_has_every_number(command: Callable[..., Outcome], made: Comparison) -> None:
    found = json.loads(command("compare", "--format", "json").out, parse_constant=pytest.fail)
    assert found["readings"] == list(NAMES)
    assert found["choices"]["likelihood"]["joint"] == "joint-mixture"
    assert found["first_difference"]["scvi-tools"] == "mu_z"
    for name in NAMES:
        trace = made.traces[name]
        loss = {row["quantity"]: row[name] for row in found["loss"]}
        assert loss == loss_terms(trace)
        log = [row[name] for row in found["log_likelihood"]]
        assert log == of(trace, "log_likelihood").ravel().tolist()
        alpha = [row[name] for row in found["gradient"] if row["quantity"] == "alpha"]
        assert alpha == trace.tape["alpha"].adjoint.tolist()
    assert found["log_likelihood"][4]["cell"] == "Cell 3"
    assert found["log_likelihood"][4]["gene"] == "B"
    assert found["likelihoods"]["log_likelihood"] == dict(made.likelihoods.value)


def test_csv_has_one_row_for_each_number(command: Callable[..., Outcome], made: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(command("compare", "--format", "csv").out)))
    found = {
        (r["part"], r["quantity"], r["cell"], r["gene"], r["reading"]): r["value"] for r in rows
    }
    assert len(found) == len(rows)
    assert found["choice", "reduction", "", "", "scvi-tools"] == "mean"
    for name, trace in made.traces.items():
        for g, gene in enumerate("ABC"):
            value = of(trace, "s_switch")[g]
            assert float(found["start", "s_switch", "", gene, name]) == value
            log = of(trace, "log_likelihood")[1, g]
            assert float(found["log_likelihood", "log_likelihood", "Cell 3", gene, name]) == log
    joint = found["likelihoods", "joint-mixture", "Cell 1", "A", ""]
    assert float(joint) == made.likelihoods.value["joint-mixture"]


def test_markdown(command: Callable[..., Outcome]) -> None:
    shown = command("compare", "--reading", "paper", "--reading", "document", "--format", "md").out
    assert shown.startswith("# One iteration, several readings\n")
    assert "| quantity" in shown
    assert "scvi-tools" not in shown
    headers = [line for line in shown.splitlines() if line.startswith("| quantity")]
    assert all(line.index("paper") < line.index("document") for line in headers)


def test_numbers_that_overflow(command: Callable[..., Outcome], tmp_path: Path) -> None:
    """inf in text and CSV, null in JSON, which has no word for it."""
    path = write_scenario(tmp_path, WALKTHROUGH, {"initial": {"sigma_u": 1e-160}})
    asked = ("compare", path, "--reading", "document", "--reading", "joint")
    assert "inf" in command(*asked).out
    assert "inf" in command(*asked, "--format", "csv").out
    found = json.loads(command(*asked, "--format", "json").out, parse_constant=pytest.fail)
    assert {row["document"] for row in found["loss"] if row["quantity"] == "loss"} == {None}


def test_names_of_any_kind(command: Callable[..., Outcome], tmp_path: Path) -> None:
    table = "cell,gene,unspliced,spliced\n=1+1,ä|b,0.5,0.2\nz\u202ey,ä|b,0.1,0.7\n"
    path = write_scenario(tmp_path, csv=table)
    text = command("compare", path).out
    assert "\\u202e" in text
    assert not [c for c in text if unicodedata.category(c) in ("Cf", "Cc") and c != "\n"]
    assert "ä\\|b" in command("compare", path, "--format", "md").out
    assert "'=1+1" in command("compare", path, "--format", "csv").out
    found = json.loads(command("compare", path, "--format", "json").out)
    assert found["log_likelihood"][0]["cell"] == "=1+1"


def test_bad_input(command: Callable[..., Outcome], tmp_path: Path) -> None:
    assert_refused(command("compare", "--reading", "papre"), "'papre'", "'paper'", "scvi-tools")
    assert_refused(command("compare", "--reading", "joint", "--reading", "joint"), "named twice")
    assert_refused(command("compare", tmp_path / "none.toml"), "none.toml")
    path = write_scenario(tmp_path, {"initial": {"alpha": 0.0}})
    assert_refused(command("compare", path), "'initial.alpha'", "softplus")
    assert command("compare", path, "--reading", "paper").status == 0


def test_walkthrough_is_a_preset() -> None:
    """Its file names an optimiser, which is the document's."""
    assert tuple(compare(data_path("walkthrough.toml")).traces) == NAMES
