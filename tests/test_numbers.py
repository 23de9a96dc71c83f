"""Every number that the document states comes out: model.md section 3, and its 4.2, 4.8, 4.10.

Each is checked as a value of the trace and, where the document prints it, as text of
`velotrace trace`. Values that follow from the data by exact steps are compared with ==; the others
with the digits the document gives.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from helpers import Outcome, write_scenario

from velotrace.report.render import print_text
from velotrace.tape import Replace
from velotrace.walkthrough import Trace
from velotrace.walkthrough import trace as run


def number(trace: Trace, name: str, **at: Any) -> float:
    return float(trace.value(name).sel(**at).item())


HERE = {"cell": "Cell 1", "gene": "A"}


@pytest.fixture(scope="module")
def text(walkthrough: Trace) -> str:
    return print_text(walkthrough)


def rows(text: str, *words: str) -> list[list[str]]:
    """The printed rows that begin with these words, split at blanks."""
    wanted = " ".join(words)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line.split()[len(wanted.split()) :] for line in lines if line.startswith(wanted + " ")]


def section(text: str, title: str) -> str:
    """What stands below a heading; headings alone are underlined without a gap."""
    parts = re.split(r"\n\n([^\n]+)\n-+\n", text)
    return parts[parts.index(title) + 1]


# ---- sections 1 and 2 of the document -------------------------------------------------------


def test_data_of_the_mini_batch(walkthrough: Trace) -> None:
    """Section 1's table, and 3a: "a mini-batch of Cell 1 and Cell 3"."""
    assert walkthrough.coords["cell"] == ["Cell 1", "Cell 3"]
    assert walkthrough.coords["gene"] == ["A", "B", "C"]
    u, s = walkthrough.value("unspliced"), walkthrough.value("spliced")
    np.testing.assert_array_equal(u, [[0.8, 0.1, 0.5], [0.2, 0.7, 0.1]])
    np.testing.assert_array_equal(s, [[0.2, 0.9, 0.5], [0.7, 0.3, 0.9]])


def test_rates(walkthrough: Trace, text: str) -> None:
    """Section 2a: α = 0.85, 0.75, 0.55 (medians of two cells), β = 0.1, γ = 0.05, t_s = 10."""
    np.testing.assert_allclose(walkthrough.value("alpha"), [0.85, 0.75, 0.55], rtol=1e-15)
    np.testing.assert_array_equal(walkthrough.value("beta"), [0.1] * 3)
    np.testing.assert_array_equal(walkthrough.value("gamma"), [0.05] * 3)
    np.testing.assert_array_equal(walkthrough.value("switch_time"), [10.0] * 3)
    part = section(text, "2a, 2b · First parameters")
    assert rows(part, "A")[0] == ["0.85", "0.1", "0.05", "10"]
    assert rows(part, "B")[0] == ["0.75", "0.1", "0.05", "10"]
    assert rows(part, "C")[0] == ["0.55", "0.1", "0.05", "10"]


def test_noise_and_constants(walkthrough: Trace, text: str) -> None:
    """2b: σ = 0.1; 2a: t_max = 20; (14): 0.25; (13): d = 10; (20): c = (1, 1, 1, 0.1)."""
    np.testing.assert_array_equal(walkthrough.value("sigma_u"), [0.1] * 3)
    np.testing.assert_array_equal(walkthrough.value("sigma_s"), [0.1] * 3)
    constants = walkthrough.resolved.iteration.constants
    assert (constants.t_max, constants.pi_prior) == (20.0, 0.25)
    np.testing.assert_array_equal(constants.state_scale, [1.0, 1.0, 1.0, 0.1])
    assert walkthrough.value("z").sizes["latent"] == 10
    assert number(walkthrough, "kl_z_dimension") == 10.0
    part = section(text, "2a, 2b · First parameters")
    assert rows(part, "A")[1] == ["0.1", "0.1"]
    assert rows(part, "t_max")[0][-1] == "20"
    assert rows(part, "latent")[0][-1] == "10"
    assert rows(part, "pi_prior")[0][-1] == "0.25"
    assert rows(part, "state_scale")[0][-4:] == ["1,", "1,", "1,", "0.1"]
    assert rows(part, "cells")[0][-3:] == ["2", "of", "4"]


def test_highest_cells(walkthrough: Trace, text: str) -> None:
    """Section 3: u* = 0.85, 0.75, 0.55 and "s* of the same cells: 0.15, 0.25, 0.45"."""
    constants = walkthrough.resolved.iteration.constants
    np.testing.assert_array_equal(constants.u_star, walkthrough.value("alpha"))
    np.testing.assert_allclose(constants.s_star, [0.15, 0.25, 0.45], rtol=1e-15)
    part = section(text, "3a · Switch penalty")
    for gene, u_0, u, s_0, s in (
        ("A", "8.5", "0.85", "17", "0.15"),
        ("B", "7.5", "0.75", "15", "0.25"),
        ("C", "5.5", "0.55", "11", "0.45"),
    ):
        assert rows(part, gene)[0] == [u_0, u, s_0, s]


# ---- section 3a: Cell 1, gene A, k = 1, t = 8.0 ----------------------------------------------


def test_pins(walkthrough: Trace, text: str) -> None:
    """The document assumes t = 8.0, k = 1 and π* = (0.7, 0.1, 0.1, 0.1) for Cell 1, gene A."""
    assert number(walkthrough, "time_induction", **HERE) == pytest.approx(8.0, rel=1e-15)
    assert number(walkthrough, "state", **HERE) == 1
    np.testing.assert_array_equal(walkthrough.value("pi").sel(**HERE), [0.7, 0.1, 0.1, 0.1])
    assert rows(section(text, "3a · Latent times"), "Cell 1 A")[0] == ["0.8", "8"]
    part = section(text, "3a · State probabilities and states")
    assert rows(part, "pi Cell 1 A")[0] == ["0.7", "0.1", "0.1", "0.1"]
    assert rows(part, "Cell 1 A")[-1] == ["1"]


def test_all_four_states_occur(walkthrough: Trace) -> None:
    """design.md: the seed is chosen so that the six states visit all four k."""
    states = walkthrough.value("state").values
    assert states.size == 6
    assert set(states.ravel().tolist()) == {1, 2, 3, 4}


def test_predictions(walkthrough: Trace, text: str) -> None:
    """u_bar = 4.6807 (≈ 4.68), s_bar = 1.8477 (≈ 1.85)."""
    assert number(walkthrough, "u_bar", state=1, **HERE) == pytest.approx(4.6807, abs=5e-5)
    assert number(walkthrough, "s_bar", state=1, **HERE) == pytest.approx(1.8477, abs=5e-5)
    part = section(text, "3a · Predicted abundances")
    assert rows(part, "u_bar Cell 1 A")[0][0] == "4.6807"
    assert rows(part, "s_bar Cell 1 A")[0][0] == "1.84771"


def test_likelihood(walkthrough: Trace, text: str) -> None:
    """log N(0.8) = −751.609, log N(0.2) = −134.364: 10^(−384.8), which is 0.0 in float64 (4.8)."""
    log_u = number(walkthrough, "log_density_u", state=1, **HERE)
    log_s = number(walkthrough, "log_density_s", state=1, **HERE)
    log = number(walkthrough, "log_likelihood", **HERE)
    assert log_u == pytest.approx(-751.609, abs=5e-4)
    assert log_s == pytest.approx(-134.364, abs=5e-4)
    assert log == log_u + log_s == pytest.approx(-885.97, abs=5e-3)
    assert log / math.log(10.0) == pytest.approx(-384.8, abs=0.05)
    assert math.exp(log) == 0.0
    part = section(text, "3a · Likelihood")
    assert rows(part, "log_density_u Cell 1 A")[0][0] == "-751.609"
    assert rows(part, "log_density_s Cell 1 A")[0][0] == "-134.364"
    assert rows(part, "Cell 1 A")[0] == ["-885.973", "10^-384.8", "0"]


def test_start_of_repression(walkthrough: Trace, text: str) -> None:
    """α/β = 8.5 and (8.5 − 0.85)² = 58.5225, "a large penalty"."""
    assert number(walkthrough, "u_switch", gene="A") == pytest.approx(8.5, rel=1e-15)
    assert number(walkthrough, "switch_penalty_u", gene="A") == pytest.approx(58.5225, rel=1e-14)
    assert rows(section(text, "3a · Predicted abundances"), "A")[0] == ["8.5", "17"]
    assert rows(section(text, "3a · Switch penalty"), "A")[1][0] == "58.5225"


def test_command_prints_the_same(command: Any, text: str) -> None:
    """`velotrace trace` without a scenario is this walkthrough."""
    printed: Outcome = command("trace")
    assert printed == Outcome(0, text, "")


# ---- section 4 of model.md ------------------------------------------------------------------


def test_where_the_gene_really_is_at_the_switch(tmp_path: Any) -> None:
    """4.2: at t_s gene A is at u = 5.3730, s = 2.6319; the penalty's u part is 20.4578."""
    keys = {"data": {"upper_cells": 2}, "reading": {"repression_start": "switch-time"}}
    trace = run(write_scenario(tmp_path, keys))
    assert number(trace, "u_switch", gene="A") == pytest.approx(5.3730, abs=5e-5)
    assert number(trace, "s_switch", gene="A") == pytest.approx(2.6319, abs=5e-5)
    assert number(trace, "switch_penalty_u", gene="A") == pytest.approx(20.4578, abs=5e-5)


@pytest.mark.parametrize(
    ("likelihood", "expected", "digits"),
    [
        ("sampled-state", -886.0, 0.05),
        ("separate-mixtures", -437.95, 0.005),
        ("joint-mixture", -886.3, 0.05),
    ],
)
def test_shared_and_separate_mixtures(
    tmp_path: Any, likelihood: str, expected: float, digits: float
) -> None:
    """4.10: Cell 1, gene A, π = (0.7, 0.1, 0.1, 0.1), ρ3 = 0.5, repression from (3), (4) at t_s.

    ρ3 cannot be pinned; `decoder_rep` gives 0.5 at t_s = 10 only for an output of 0, so the
    intervention sets its time to 15.
    """
    keys = {
        "data": {"upper_cells": 2},
        "batch": {"cells": ["Cell 1"]},
        "reading": {"likelihood": likelihood, "repression_start": "switch-time"},
        "pins": {
            "time_induction": {"Cell 1/A": 8.0},
            "pi": {"Cell 1/A": [0.7, 0.1, 0.1, 0.1]},
            "state": {"Cell 1/A": 1},
        },
    }
    trace = run(write_scenario(tmp_path, keys), {"rho_repression": Replace(0.5)})
    assert number(trace, "log_likelihood", **HERE) == pytest.approx(expected, abs=digits)
    assert number(trace, "time_repression", **HERE) == 15.0
