"""The ledger: every verdict follows from what ran, and no statement is left out."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from claims_planted import PLANTS, all_comes_true, right_kl_dirichlet, without_kl_z
from helpers import Outcome, assert_refused

from velotrace.claims import (
    CLAIMS,
    NOTHING,
    PARAGRAPHS,
    READINGS,
    Check,
    Context,
    Grade,
    Verdict,
    coverage,
    find,
    make_context,
    test,
    together,
    verdict,
)
from velotrace.claims.checks import agrees, counted, likely, may, share, will
from velotrace.claims.ensembles import ensemble, other_reading
from velotrace.claims.paragraphs import digest, split
from velotrace.report.ledger import COLUMNS

test.__test__ = False  # type: ignore[attr-defined]  # it is no test of pytest's

BY_ID = {claim.id: claim for claim in CLAIMS}
BAD = {Verdict.WRONG, Verdict.LOOSE, Verdict.THIS_READING}
OPEN = {"rates-true", "noise-true", "generalises"}


@pytest.fixture(scope="module")
def tested_on() -> Context:
    """The four readings' iterations, and trainings in which all comes true."""
    real = make_context(seeds=1, epochs=1)
    made: Any = {"document": all_comes_true()}
    free: Any = {"document": without_kl_z()}
    traces = {reading: real.traces[reading] for reading in READINGS}
    return replace(real, traces=traces, trainings=made, without_kl_z=free)


# ---- what there is --------------------------------------------------------------------------


def test_there_are_enough_claims_each_with_an_id_of_its_own() -> None:
    assert len(CLAIMS) >= 40
    assert len(BY_ID) == len(CLAIMS)


def test_they_stand_in_the_order_of_the_document() -> None:
    assert [claim.section for claim in CLAIMS] == sorted(claim.section for claim in CLAIMS)


def test_every_paragraph_makes_claims_or_says_nothing() -> None:
    found = coverage(CLAIMS)
    assert [paragraph.number for paragraph in PARAGRAPHS] == list(range(1, len(PARAGRAPHS) + 1))
    assert list(found) == [paragraph.number for paragraph in PARAGRAPHS]
    assert {number for number, ids in found.items() if not ids} == set(NOTHING)


def test_paragraphs_are_counted_as_the_table_counts_them() -> None:
    text = "---\ntitle: x\n---\n# One\ntext\n\n- a\n- b\n\n$$\nx\n= 1\n$$\n1. c\n"
    assert split(text) == ["# One text", "- a", "- b", "$$x = 1$$", "1. c"]
    assert digest("# One text") != digest("- a")
    assert len({paragraph.digest for paragraph in PARAGRAPHS}) > 0.9 * len(PARAGRAPHS)


def test_each_says_how_it_is_tested_and_where_the_numbers_are() -> None:
    book = Path(__file__).resolve().parent.parent / "book"
    for claim in CLAIMS:
        assert claim.how.endswith((".", "…")), claim.id
        assert claim.source.startswith("def "), claim.id
        assert (book / claim.page).is_file(), (claim.id, claim.page)


# ---- no verdict is typed --------------------------------------------------------------------


def test_there_is_a_planted_change_for_every_claim() -> None:
    assert set(PLANTS) == set(BY_ID)


@pytest.mark.parametrize("name", list(BY_ID))
def test_a_planted_change_changes_the_verdict(
    name: str, tested_on: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = test(BY_ID[name], tested_on)
    assert before.right or before.verdict in (Verdict.HOLDS, Verdict.UNDECIDABLE)
    planted = PLANTS[name](tested_on, monkeypatch)
    with np.errstate(all="ignore"):
        after = test(BY_ID[name], planted)
    assert after.verdict != before.verdict


def test_the_right_formula_makes_the_wrong_claim_hold(tested_on: Context) -> None:
    assert test(find("doc-2"), tested_on).verdict is Verdict.WRONG
    mended = replace(tested_on.document, kl_dirichlet=right_kl_dirichlet)
    found = test(find("doc-2"), replace(tested_on, document=mended))
    assert found.verdict is Verdict.HOLDS
    assert found.right == ""


def test_what_training_promises_holds_where_it_comes_true(tested_on: Context) -> None:
    """The tests of training can come out well: the ones made up for them do."""
    about_training = [one for one in CLAIMS if set(test(one, tested_on).evidence) == {"document"}]
    verdicts = {one.id: test(one, tested_on).verdict for one in about_training}
    assert len(verdicts) >= 15
    assert set(verdicts.values()) == {Verdict.HOLDS}


def test_a_run_that_stopped_promises_nothing(tested_on: Context) -> None:
    made: Any = tested_on.trainings["document"]
    gone = {name: np.where(np.arange(1001)[:, None] > 500, np.nan, x)
            for name, x in made.theta.items()}  # fmt: skip
    stopped = replace(made, theta=gone, stayed=np.zeros(50, dtype=bool))
    tested_on = replace(tested_on, trainings={"document": stopped})
    for name in ("alpha-falls", "rates-converge", "beta-gamma-adjust", "noise-stabilises"):
        assert test(find(name), tested_on).verdict is Verdict.WRONG, name


@pytest.mark.parametrize(
    "name",
    [
        *("doc-2", "divergence", "normaliser-term", "log-gamma-term"),  # 1
        *("steady-at-switch", "repression-start", "penalty-example"),  # 2
        *("penalty-to-switch-time", "switch-depends"),  # 3
        *("uniform-prior", "update-is-adam", "alpha-percentile", "min-max-scaled"),  # 4 to 7
        *("data-teach-states", "pull-on-times", "compressing"),  # 9, 11, 15
        *("kl-z-pulls-log-variance", "switch-time-matches"),  # 16
    ],
)
def test_known_errors_are_found(name: str, tested_on: Context) -> None:
    assert BY_ID[name].item > 0
    assert test(BY_ID[name], tested_on).verdict in BAD


def test_every_known_error_of_the_document_has_a_claim() -> None:
    assert {claim.item for claim in CLAIMS} >= {0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 15, 16}


@pytest.mark.parametrize(
    ("name", "key", "found"),
    [
        ("example-u", "predicted", 4.6807),
        ("example-s", "predicted", 1.8477),
        ("steady-at-switch", "u", 5.3730),
        ("steady-at-switch", "s", 2.6319),
        ("penalty-example", "u", 58.5225),
        ("doc-2", "printed", -12.4438),
        ("doc-2", "integral", 1.4438),
        ("likelihood-tiny", "power", -384.8),
    ],
)
def test_numbers_that_are_known(name: str, key: str, found: float, tested_on: Context) -> None:
    checks = {check.key: check for check in test(BY_ID[name], tested_on).shown}
    assert checks[key].found == pytest.approx(found, abs=0.5e-4 if key != "power" else 0.05)


# ---- the rule -------------------------------------------------------------------------------


def test_a_verdict_follows_from_the_outcomes() -> None:
    yes, no, partly, unknown = Grade.HOLDS, Grade.FAILS, Grade.PARTLY, Grade.OPEN
    assert verdict({"document": yes, "paper": yes}, "document") is Verdict.HOLDS
    assert verdict({"document": yes, "paper": partly}, "document") is Verdict.THIS_READING
    assert verdict({"document": yes, "paper": unknown}, "document") is Verdict.HOLDS
    assert verdict({"document": no, "paper": yes}, "document") is Verdict.WRONG
    assert verdict({"document": partly}, "document") is Verdict.LOOSE
    assert verdict({"document": unknown}, "document") is Verdict.UNDECIDABLE
    assert verdict({"any reading": no}, "paper") is Verdict.WRONG


@pytest.mark.parametrize(
    ("grades", "one"),
    [
        ("holds holds", "holds"),
        ("holds fails", "partly"),
        ("holds open", "open"),
        ("fails open", "fails"),
        ("partly open", "partly"),
    ],
)
def test_several_checks_make_one_outcome(grades: str, one: str) -> None:
    checks = tuple(Check("", "", 0, "", Grade(grade)) for grade in grades.split())
    assert together((*checks, Check("", "", 0, "", None))) is Grade(one)


def test_a_stated_number_may_be_rounded_close_or_wrong() -> None:
    assert agrees("", "", 4.6807, 4.68, 2).grade is Grade.HOLDS
    assert agrees("", "", 4.70, 4.68, 2).grade is Grade.PARTLY
    assert agrees("", "", 5.70, 4.68, 2).grade is Grade.FAILS


def test_words_of_chance_have_thresholds() -> None:
    def runs(successes: int) -> list[bool]:
        return [True] * successes + [False] * (50 - successes)

    assert likely("", "", runs(40)).grade is Grade.HOLDS
    assert likely("", "", runs(25)).grade is Grade.OPEN
    assert likely("", "", runs(10)).grade is Grade.FAILS
    assert will("", "", runs(50)).grade is Grade.HOLDS
    assert will("", "", runs(40)).grade is Grade.OPEN
    assert will("", "", runs(28)).grade is Grade.PARTLY
    assert will("", "", runs(10)).grade is Grade.FAILS
    assert may("", "", runs(1)).grade is Grade.HOLDS
    assert may("", "", runs(0)).grade is Grade.FAILS
    assert counted("", "", runs(49)).grade is Grade.PARTLY


def test_the_interval_of_a_share_is_wilsons() -> None:
    """(p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n), Wilson 1927."""
    z, n, p = 1.959963984540054, 50, 0.88
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = share([True] * 44 + [False] * 6)
    ends = np.array([middle - half, middle + half]) / (1 + z**2 / n)
    np.testing.assert_allclose([found.low, found.high], ends, rtol=1e-12)


# ---- trainings, once and kept ---------------------------------------------------------------


def test_a_training_runs_once_and_is_kept(tmp_path: Path, tested_on: Context) -> None:
    resolved, ran = tested_on.trace.resolved, []
    for _ in range(2):
        made = ensemble(resolved, 2, 3, cache=tmp_path, progress=ran.append)
    assert ran == [1, 2, 3]
    other = ensemble(resolved, 2, 3, cache=tmp_path, dropped=("kl_z",), progress=ran.append)
    assert len(ran) == 6
    assert len(list(tmp_path.iterdir())) == 2
    assert not np.array_equal(made.rows, other.rows)
    assert made.theta["alpha"].shape == (2, 4, 3)


def test_what_is_kept_reads_back_bit_for_bit(tmp_path: Path, tested_on: Context) -> None:
    paper = other_reading(tested_on.trace.resolved, preset="paper")
    first, again = (ensemble(paper, 2, 2, cache=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_array_equal(first.misfit, again.misfit)
    assert first.final["concentration"].shape == (2, 4, 3, 4)


def test_a_damaged_file_is_made_anew(tmp_path: Path, tested_on: Context) -> None:
    first = ensemble(tested_on.trace.resolved, 1, 2, cache=tmp_path)
    next(tmp_path.iterdir()).write_bytes(b"PK\x03\x04 torn")
    again = ensemble(tested_on.trace.resolved, 1, 2, cache=tmp_path)
    np.testing.assert_array_equal(first.rows, again.rows)


def test_a_run_out_of_its_domain_is_nan_from_there_on(tested_on: Context) -> None:
    """At a learning rate of 1 natural rates turn negative at once."""
    resolved = tested_on.trace.resolved
    hasty = replace(resolved, optimiser=replace(resolved.optimiser, learning_rate=1.0))
    made = ensemble(hasty, 3, 4)
    assert not made.stayed.any()
    assert np.isfinite(made.theta["beta"][:, 0]).all()
    assert np.isnan(made.theta["beta"][:, -1]).all()
    assert np.isnan(made.misfit).all()
    assert not made.found_states.any()


@pytest.mark.slow
def test_states_are_not_learnt_with_a_drawn_state() -> None:
    """The document's own reading over fifty seeds, as long as the ledger trains."""
    real = make_context(("document",), seeds=50)
    assert len(real.trainings["document"].stayed) == 50
    for name in ("states-learnt", "noise-appropriate"):
        assert test(find(name), replace(real, trainings={"document": real.trainings["document"]})
                    ).verdict is Verdict.WRONG  # fmt: skip
    off = np.abs(real.trainings["document"].final["concentration"] - 0.25)
    assert off.max() < 0.03


# ---- the command ----------------------------------------------------------------------------

Command = Callable[..., Outcome]
SHORT = ("--seeds", "2", "--epochs", "2", "--no-cache")


def test_one_claim_in_full(command: Command) -> None:
    found = command("claims", "--id", "penalty-to-switch-time")
    assert found.status == 0
    for part in ("switch time", "def penalty_to_switch_time", "no path", "Verdict: wrong"):
        assert part in found.out
    assert found.err.strip().endswith(" s")


def test_one_claim_as_json(command: Command) -> None:
    found = json.loads(command("claims", "--id", "doc-2", "--format", "json").out)
    assert [list(entry) for entry in found] == [list(COLUMNS)]
    assert found[0]["verdict"] == "wrong"


def test_under_one_reading(command: Command) -> None:
    found = command("claims", "--id", "penalty-to-switch-time", "--reading", "paper")
    assert "Verdict: holds" in found.out
    assert "document\n" not in found.out


def test_an_unknown_claim_is_refused(command: Command) -> None:
    assert_refused(command("claims", "--id", "doc-3"), "doc-3", "did you mean 'doc-2'")


def test_the_whole_ledger(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    short = SHORT[:-1]
    text = command("claims", "--reading", "document", *short)
    assert text.status == 0, text.err
    lines = text.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert next(line for line in lines if " claims: " in line).startswith(f"{len(CLAIMS)} claims: ")
    assert "Things to know" in text.out

    entries = json.loads(command("claims", "--reading", "document", *short, "--format", "json").out)
    assert [entry["id"] for entry in entries] == [claim.id for claim in CLAIMS]
    assert {entry["verdict"] for entry in entries} <= set(Verdict)
    table = command("claims", "--reading", "document", *short, "--format", "csv").out
    rows = list(csv.reader(io.StringIO(table)))
    assert rows[0] == list(COLUMNS)
    assert len(rows) == len(CLAIMS) + 1
    markdown = command("claims", "--reading", "document", *short, "--format", "md").out
    assert markdown.count("\n| 3a") == sum(claim.section == "3a" for claim in CLAIMS)


def test_the_ledger_starts_without_heavy_packages() -> None:
    """`velotrace claims` and each page that asks for a training begin with this import."""
    asked = "import sys, velotrace.claims; print({'pandas', 'scipy.stats'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"
