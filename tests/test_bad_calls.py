"""Calls of the command line that cannot be met: options, places to write, other programs' files.

As in `test_bad_input`: exit code 2, one line, nothing half-written (issue 2).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import TOY, WALKTHROUGH, assert_refused, files_below, write_scenario

from velotrace.errors import InputError
from velotrace.files import write_all, write_whole

CALLS = {
    "unknown command": (["tracee"], "'tracee'"),
    "unknown option": (["trace", "--colour"], "--colour"),
    "no value": (["trace", "--format"], "--format"),
    "no value for -o": (["vectors", "-o"], "-o"),
    "unknown format": (["trace", "--format", "xml"], "'xml'", "'csv'", "'md'"),
    "two scenarios": (["trace", "a.toml", "b.toml"], "b.toml"),
    "nothing to init": (["init"], "'data'", "--help"),
    "init to nowhere": (["init", "own.csv"], "-o"),
    "binary to a terminal": (["trace", "--format", "parquet"], "parquet", "-o"),
    "tolerance in words": (["vectors", "--tolerance", "low"], "'low'", "--tolerance"),
    "tolerance negative": (["vectors", "--tolerance", "-1"], "--tolerance", "-1"),
    "tolerance NaN": (["vectors", "--tolerance", "nan"], "--tolerance", "nan", "finite"),
}


@pytest.mark.parametrize("case", CALLS)
def test_call(case: str, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, *words = CALLS[case]
    assert_refused(command(*arguments), *words)
    assert not files_below(tmp_path)


# ---- in a process of its own ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trace", "scenario.toml", "-o", "out"], ["scenario.toml", "'networks.latent'", "is 0"]),
        (["init", "bad.csv", "-o", "new.toml"], ["bad.csv", "line 3", "'-1'"]),
        (["trace", "--colour"], ["--colour"]),
    ],
)
def test_process(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    """Not even an import may write to standard error or leave a traceback."""
    write_scenario(tmp_path, WALKTHROUGH, {"networks": {"latent": 0}})
    (tmp_path / "bad.csv").write_text("cell,gene,unspliced,spliced\na,A,1,1\na,B,-1,1\n")
    before = files_below(tmp_path)
    call = [sys.executable, "-m", "velotrace.cli", *arguments]
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        call, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert [word for word in words if word not in done.stderr] == []
    assert files_below(tmp_path) == before


# ---- places to write ------------------------------------------------------------------------


def test_output_that_is_a_file(scenario: Any, command: Any, tmp_path: Path) -> None:
    path = scenario(WALKTHROUGH)
    (tmp_path / "taken").write_text("mine")
    before = files_below(tmp_path)
    assert_refused(command("trace", path, "-o", tmp_path / "taken"), "taken", "not a folder")
    assert_refused(command("trace", path, "-o", tmp_path / "taken" / "deep"), "not a folder")
    assert_refused(command("vectors", path, "-o", tmp_path / "taken" / "v.json"), "no folder")
    assert files_below(tmp_path) == before


def test_output_that_is_a_folder(scenario: Any, command: Any, tmp_path: Path) -> None:
    path = scenario(WALKTHROUGH)
    out = tmp_path / "out"
    (out / "trace.csv").mkdir(parents=True)
    before = files_below(tmp_path)
    assert_refused(command("vectors", path, "-o", out), "out", "folder, not a file")
    assert_refused(command("trace", path, "-o", out), "trace.csv", "folder, not a file")
    own = ["init", tmp_path / "toy.csv", "-o", out]
    assert_refused(command(*own), "out", "exists", "--force")
    assert_refused(command(*own, "--force"), "out", "folder, not a file")
    assert files_below(tmp_path) == before


def test_output_that_is_a_device(command: Any) -> None:
    """Renaming a file onto it, as root can, would take the device away."""
    device = Path(os.devnull)
    assert_refused(command("vectors", "-o", device), os.devnull, "device")
    assert not device.is_file()


def test_output_that_cannot_be_written(scenario: Any, command: Any, tmp_path: Path) -> None:
    path = scenario(WALKTHROUGH)
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    if os.access(locked, os.W_OK):  # root writes anywhere but into the kernel's own folder
        locked = Path("/proc/self/fdinfo")
        if not locked.is_dir():
            pytest.skip("no folder that this user cannot write to")
    assert_refused(command("trace", path, "-o", locked / "out"), str(locked), "cannot be written")
    assert_refused(command("vectors", path, "-o", locked / "v.json"), str(locked), "written")
    new = locked / "new.toml"
    assert_refused(command("init", tmp_path / "toy.csv", "-o", new), str(locked), "written")


def test_init_keeps_what_is_there(command: Any, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(TOY)
    (tmp_path / "mine.toml").write_text("mine")
    call = ["init", tmp_path / "own.csv", "-o", tmp_path / "mine.toml"]
    table = tmp_path / "own.csv"
    assert_refused(command("init", table, "-o", table, "--force"), "own.csv", "table itself")
    assert_refused(command(*call), "mine.toml", "exists", "--force")
    assert (tmp_path / "mine.toml").read_text() == "mine"
    assert command(*call, "--force").status == 0
    assert (tmp_path / "mine.toml").read_text() != "mine"


def test_all_files_or_none(tmp_path: Path) -> None:
    """The last of three files cannot be written: the others, and the folders, are not left."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "old").write_text("old")
    before = files_below(tmp_path)
    with pytest.raises(InputError, match="not Unicode"):
        write_all(tmp_path / "here", {"old": "new", "sub/a": b"1", "b": "\udc80"})
    with pytest.raises(InputError, match="not a folder"):
        write_all(tmp_path / "there", {"a": "1", "a/b": "2"} | {"../here/old/x": "3"})
    assert files_below(tmp_path) == before
    with pytest.raises(InputError, match="no folder"):
        write_whole(tmp_path / "there" / "a", "1")
    assert files_below(tmp_path) == before
    write_all(tmp_path / "there", {"a": "1", "b/c": b"2"})
    assert (tmp_path / "there" / "b" / "c").read_bytes() == b"2"


# ---- numbers that overflow, memory that is not there -----------------------------------------


def test_numbers_that_overflow(scenario: Any, command: Any, tmp_path: Path) -> None:
    """σ = 1e-200 makes log N(u) −inf: refused where the format has no word for it."""
    path = scenario(WALKTHROUGH, {"initial": {"sigma_u": 1e-200}})
    assert_refused(command("vectors", path), "'log_density_u'", "overflows")
    for style in ("json", "parquet"):
        refused = command("trace", path, "--format", style, "-o", tmp_path / "out")
        assert_refused(refused, style, "-inf", "--format csv")
    assert not (tmp_path / "out").exists()
    printed = command("trace", path)
    assert (printed.status, printed.err) == (0, "")
    assert "-inf" in printed.out
    table = command("trace", path, "--format", "csv")
    assert (table.status, table.err) == (0, "")
    values = [line.rsplit(",", 1)[1] for line in table.out.splitlines()[1:]]
    assert "" not in values
    assert "-inf" in values
    assert "nan" in values


def test_memory_that_is_not_there(
    scenario: Any, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("velotrace.model.networks.initialise", allocate)
    assert_refused(command("trace", scenario(WALKTHROUGH)), "out of memory", "networks")


# ---- another program's vectors --------------------------------------------------------------

THEIRS = {
    "not JSON": ("{", "theirs.json", "not strict JSON"),
    "NaN": ('{"schema": NaN}', "not strict JSON", "NaN"),
    "deep": ("[" * 100_000, "not strict JSON"),
    "a list": ("[]", "schema", "list", "'velotrace-vectors/1'"),
    "other schema": ('{"schema": "x"}', "'x'", "'velotrace-vectors/1'"),
    "no parts": ('{"schema": "velotrace-vectors/1"}', "'coords' is missing", "object"),
}


@pytest.mark.parametrize("case", THEIRS)
def test_theirs(case: str, command: Any, tmp_path: Path) -> None:
    text, *words = THEIRS[case]
    (tmp_path / "theirs.json").write_text(text)
    assert_refused(command("vectors", "--against", tmp_path / "theirs.json"), *words)


@pytest.mark.parametrize("part", ["coords", "constants", "networks", "values", "adjoints"])
def test_theirs_of_wrong_types(part: str, command: Any, tmp_path: Path) -> None:
    parts = ("coords", "constants", "networks", "values", "adjoints", "network_adjoints")
    content = {"schema": "velotrace-vectors/1"} | {name: {} for name in parts} | {part: [1]}
    (tmp_path / "theirs.json").write_text(json.dumps(content))
    refused = command("vectors", "--against", tmp_path / "theirs.json")
    assert_refused(refused, "theirs.json", repr(part), "list", "object")
