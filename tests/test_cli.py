"""The command line end to end: tables in every format, and scenarios for one's own table."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import READINGS, WALKTHROUGH, write_scenario

import velotrace
from velotrace.quantities import PARAMETERS
from velotrace.report.tables import NO_PATH, long_table
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

COLUMNS = ["phase", "step", "quantity", "cell", "gene", "state", "latent", "unit", "value"]
"""design.md: "long tables are pandas data frames with one row per number"."""


@pytest.fixture(scope="module")
def table(walkthrough: Trace) -> pd.DataFrame:
    return long_table(walkthrough)


# ---- files ----------------------------------------------------------------------------------


def read_back(raw: bytes, style: str) -> pd.DataFrame:
    if style == "parquet":
        return pd.read_parquet(io.BytesIO(raw))
    text = raw.decode("utf-8")
    if style == "json":
        return pd.DataFrame(json.loads(text, parse_constant=pytest.fail))
    if style == "csv":
        lines = list(csv.reader(io.StringIO(text)))
    else:
        split = [line.strip("|").split("|") for line in text.splitlines()]
        lines = [
            [cell.strip() for cell in line] for line in split if not set("".join(line)) <= {*"-: "}
        ]
    return pd.DataFrame(lines[1:], columns=lines[0])


@pytest.mark.parametrize("style", ["csv", "md", "json", "parquet"])
def test_folder(
    style: str, command: Any, tmp_path: Path, walkthrough: Trace, table: pd.DataFrame
) -> None:
    """`trace -o`: the long table, the operations, and a file per quantity; bit for bit."""
    done = command("trace", "-o", tmp_path / "new" / "out", "--format", style)
    assert (done.status, done.err) == (0, "")
    out = tmp_path / "new" / "out"
    long = read_back((out / f"trace.{style}").read_bytes(), style)
    assert list(long.columns) == COLUMNS
    np.testing.assert_array_equal(long["value"].astype(float), table["value"])
    assert long["quantity"].tolist() == table["quantity"].tolist()
    assert long["cell"].fillna("").tolist() == table["cell"].fillna("").tolist()
    files = {path.stem for path in (out / "quantities").iterdir()}
    weights = {name for name, _ in leaves(walkthrough.resolved.parameters)} - set(PARAMETERS)
    assert files == set(walkthrough.quantities) | weights
    operations = read_back((out / f"operations.{style}").read_bytes(), style)
    assert len(operations) == len(walkthrough.tape.entries)
    velocity = read_back((out / "quantities" / f"velocity.{style}").read_bytes(), style)
    if style in ("csv", "md"):
        assert velocity["adjoint"].tolist() == [NO_PATH] * 6
    else:
        assert velocity["adjoint"].isna().all()
    u_bar = read_back((out / "quantities" / f"u_bar.{style}").read_bytes(), style)
    assert list(u_bar.columns) == ["cell", "gene", "state", "unit", "value", "adjoint"]
    adjoint = walkthrough.tape["u_bar"].adjoint
    assert adjoint is not None
    np.testing.assert_array_equal(u_bar["adjoint"].astype(float), adjoint.ravel())
    extra = {"sections.md"} if style == "md" else set()
    assert {path.name for path in out.iterdir()} == {
        *(f"trace.{style}", f"operations.{style}", "quantities"),
        *extra,
    }


@pytest.mark.parametrize("style", ["csv", "json"])
def test_long_table_on_standard_output(style: str, command: Any, table: pd.DataFrame) -> None:
    printed = command("trace", "--format", style)
    long = read_back(printed.out.encode(), style)
    np.testing.assert_array_equal(long["value"].astype(float), table["value"])


def test_markdown_on_standard_output(command: Any) -> None:
    printed = command("trace", "--format", "md")
    assert printed.out.startswith("# One iteration on Cell 1 and Cell 3 (document reading)\n")
    assert printed.out.count("\n## ") >= 20
    assert printed.out.count("\n|--") >= 20


@pytest.mark.parametrize("name", ["walkthrough", *READINGS])
def test_printed_sections_fit_80_columns(name: str, command: Any, tmp_path: Path) -> None:
    """On a terminal of 80 columns nothing wraps; every reading prints."""
    paths = [] if name == "walkthrough" else [write_scenario(tmp_path, WALKTHROUGH, READINGS[name])]
    printed = command("trace", *paths)
    assert (printed.status, printed.err) == (0, "")
    assert [line for line in printed.out.splitlines() if len(line) > 80] == []
    assert "nan" not in printed.out
    assert " -0 " not in printed.out


# ---- one's own table ------------------------------------------------------------------------

NAMES = [  # of a cell and of a gene
    ("Cell 1", "A"),
    ('the "first" one', "it's"),
    ("a, b, c", "x,y"),
    ("a/b", "c/d/e"),
    ("C:\\new", "a\\"),
    ("[data]", "{x} = 1"),
    ("# not a comment", "#"),
    ("Zelle \u00e4", "\u57fa\u56e0\U0001f9ec"),
    ("a\tb", "c\x7fd"),
    ("a\nb", "c\r\nd"),
    ("a|b", "|"),
    (NO_PATH, "nan"),
    ("1", "007"),
]


def write_table(path: Path, cells: list[str], genes: list[str]) -> None:
    rows = [(cell, gene, 0.5, 0.25) for cell in cells for gene in genes]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("cell", "gene", "unspliced", "spliced"), *rows])


@pytest.mark.parametrize("first", range(0, len(NAMES), 4))
def test_init_then_trace_with_odd_names(first: int, command: Any, tmp_path: Path) -> None:
    """`init` writes a scenario that runs as it stands, whatever cells and genes are called.

    So do its commented examples of pins, which name the first cell and gene; and every table has
    every name in it as it was given.
    """
    cells = [cell for cell, _ in NAMES[first : first + 4]]  # `init` puts four into the batch
    genes = [gene for _, gene in NAMES[first : first + 4]]
    data, new = tmp_path / "own.csv", tmp_path / "own.toml"
    write_table(data, cells, genes)
    wrote = command("init", data, "-o", new)
    assert (wrote.status, wrote.err) == (0, "")
    text = new.read_text(encoding="utf-8")
    assert tomllib.loads(text)["batch"]["cells"] == cells
    assert command("trace", new).status == 0
    pinned = text.replace("# pi = {", "pi = {").replace("# state = {", "state = {")
    pinned = pinned.replace("latent = 10", "latent = 2").replace("[16]", "[2]")
    new.write_text(pinned, encoding="utf-8")
    done = command("trace", new, "-o", tmp_path / "json", "--format", "json")
    assert (done.status, done.err) == (0, ""), done
    state = json.loads((tmp_path / "json" / "quantities" / "state.json").read_text("utf-8"))
    pairs = [(cell, gene) for cell in cells for gene in genes]
    assert [(row["cell"], row["gene"]) for row in state] == pairs
    assert state[0]["value"] == 1
    rows = list(csv.reader(io.StringIO(command("trace", new, "--format", "csv").out)))
    found = [row for row in rows if row[0] == "forward" and row[2] == "pi"]
    assert [(row[3], row[4]) for row in found[::4]] == pairs
    assert [float(row[8]) for row in found[:4]] == [0.7, 0.1, 0.1, 0.1]
    written = json.loads(command("vectors", new).out)["coords"]
    assert (written["cell"], written["gene"]) == (cells, genes)
    markdown = command("trace", new, "--format", "md").out
    tables = re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE)
    assert len(tables) >= 20
    for lines in tables:  # a bar in a name must not make another column
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines.splitlines()}) == 1


@pytest.mark.parametrize("file", ["own.csv", 'my "own", d\u00e4ta #1.csv', "C:\\new.csv"])
def test_init_finds_the_table_again(file: str, command: Any, tmp_path: Path) -> None:
    """The scenario names its table relative to itself, wherever `init` was called from."""
    data, new = tmp_path / "data" / file, tmp_path / "scenarios" / "own.toml"
    for folder in (data.parent, new.parent):
        folder.mkdir()
    write_table(data, ["a", "b"], ["x"])
    assert command("init", data, "-o", new).status == 0
    assert tomllib.loads(new.read_text(encoding="utf-8"))["data"]["file"] == f"../data/{file}"
    assert command("vectors", new).status == 0


def test_init_of_many_cells(command: Any, tmp_path: Path) -> None:
    """The batch names the first four; upper_cells is 1 % of all, rounded up."""
    write_table(tmp_path / "own.csv", [f"c{n}" for n in range(101)], [f"g{n}" for n in range(8)])
    assert command("init", tmp_path / "own.csv", "-o", tmp_path / "new.toml").status == 0
    read = tomllib.loads((tmp_path / "new.toml").read_text("utf-8"))
    assert read["batch"]["cells"] == ["c0", "c1", "c2", "c3"]
    assert read["data"] == {"file": "own.csv", "upper_cells": 2}
    assert command("trace", tmp_path / "new.toml").status == 0


# ---- as a program ---------------------------------------------------------------------------


def program(*arguments: str, cwd: Path, **more: str) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-m", "velotrace.cli", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])} | more
    pipe = subprocess.PIPE
    return subprocess.Popen(call, cwd=cwd, env=environment, stdout=pipe, stderr=pipe)


def test_reader_of_a_pipe_may_leave(tmp_path: Path) -> None:
    """`velotrace vectors | head -c 1`: more than a pipe holds, and nobody reads it."""
    running = program("vectors", cwd=tmp_path)
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.read(1) == b"{"
    running.stdout.close()
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait() == 0


def test_runs_anywhere_in_any_locale(tmp_path: Path) -> None:
    """From a folder of no checkout, with a locale that has no Greek letters."""
    running = program("trace", cwd=tmp_path, LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    out, err = running.communicate()
    assert (running.returncode, err) == (0, b"")
    assert "v\u0302" in out.decode("utf-8")
    assert list(tmp_path.iterdir()) == []


def test_version_and_help(command: Any) -> None:
    assert command("--version").out == f"{velotrace.__version__}\n"
    for arguments in ((), ("--help",)):
        shown = command(*arguments)
        assert shown.status == 0
        assert all(name in shown.out for name in ("trace", "vectors", "init"))
