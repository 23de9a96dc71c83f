"""Bad input gets one line that says where, what was given and what would be right (issue 2).

Each case runs a command of the command line and must leave exit code 2, exactly one line on
standard error with the words listed, nothing on standard output, and no file written.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from helpers import (
    TOY,
    WALKTHROUGH,
    assert_refused,
    files_below,
    merged,
    toml,
    write_scenario,
)

HEADER = "cell,gene,unspliced,spliced\n"


# ---- the table of expression ----------------------------------------------------------------

TABLES = {
    "missing column": ("cell,gene,unspliced\na,A,1\n", "line 1", "'spliced'", "missing"),
    "extra column": (HEADER.strip() + ",size\na,A,1,1,5\n", "line 1", "'size'", HEADER.strip()),
    "misspelt column": (HEADER.replace("un", "um"), "line 1", "'umspliced'", "'unspliced'"),
    "doubled column": ("cell,gene,spliced,spliced\n", "line 1", "'spliced'", "twice"),
    "capital column": (HEADER.title(), "line 1", "'Cell'", "did you mean 'cell'"),
    "no header": ("a,A,1,1\n", "line 1", "unknown column 'a'", HEADER.strip()),
    "semicolons": (TOY.replace(",", ";"), "line 1", "cell;gene", HEADER.strip()),
    "header only": (HEADER, "no rows"),
    "missing pair": (TOY.replace("Cell 3,B,0.7,0.3\n", ""), "'Cell 3'", "'B'", "once"),
    "missing pairs": (HEADER + "a,A,1,1\nb,B,1,1\n", "'a'", "'B'", "1 more"),
    "doubled pair": (TOY + "Cell 1,A,0.8,0.2\n", "line 14", "'Cell 1'", "'A'", "once"),
    "unknown gene": (TOY + "Cell 1,D,1,1\n", "'Cell 2'", "'D'", "2 more"),
    "unknown cell": (TOY + "Cell 5,A,1,1\n", "'Cell 5'", "'B'"),
    "NaN": (TOY.replace("0.8,0.2", "nan,0.2", 1), "line 2", "unspliced", "'nan'", "finite"),
    "infinite": (TOY.replace("0.8,0.2", "0.8,inf", 1), "line 2", "spliced", "'inf'", "finite"),
    "too large": (TOY.replace("0.8,0.2", "0.8,1e999", 1), "line 2", "'1e999'", "finite"),
    "negative": (TOY.replace("0.1,0.9", "-0.1,0.9", 1), "line 3", "'-0.1'", "0 or more"),
    "text": (TOY.replace("0.5,0.5", "high,0.5", 1), "line 4", "'high'", "number"),
    "underscore": (TOY.replace("0.5,0.5", "1_0,0.5", 1), "line 4", "'1_0'", "number"),
    "other digits": (TOY.replace("0.5,0.5", "١,0.5", 1), "line 4", "number"),
    "hexadecimal": (TOY.replace("0.5,0.5", "0x1,0.5", 1), "line 4", "'0x1'", "number"),
    "no value": (TOY.replace("0.5,0.5", ",0.5", 1), "line 4", "''", "number"),
    "decimal comma": (TOY.replace("0.5,0.5", '"0,5",0.5', 1), "line 4", "'0,5'", "number"),
    "few fields": (TOY.replace("0.5,0.5", "0.5", 1), "line 4", "3 fields", "4 wanted"),
    "many fields": (TOY.replace("0.5,0.5", "0.5,0.5,0.5", 1), "line 4", "5 fields", "4 wanted"),
    "no cell": (TOY.replace("Cell 1,C", ",C"), "line 4", "cell is empty"),
    "no gene": (TOY.replace("Cell 1,C", "Cell 1,"), "line 4", "gene is empty"),
    "open quote": (TOY + '"Cell 5,A,1,1\n', "line 14", "not CSV"),
}


@pytest.mark.parametrize("case", TABLES)
def test_table(case: str, tmp_path: Path, command: Any) -> None:
    table, *words = TABLES[case]
    path = write_scenario(tmp_path, csv=table)
    before = files_below(tmp_path)
    assert_refused(command("trace", path, "-o", tmp_path / "out"), "toy.csv", *words)
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("case", ["missing column", "doubled pair", "NaN"])
def test_table_given_to_init(case: str, tmp_path: Path, command: Any) -> None:
    table, *words = TABLES[case]
    (tmp_path / "own.csv").write_text(table, encoding="utf-8")
    new = tmp_path / "new.toml"
    assert_refused(command("init", tmp_path / "own.csv", "-o", new), "own.csv", *words)
    assert not new.exists()


RAW = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "byte order mark alone": (b"\xef\xbb\xbf", "is empty"),
    "binary": (bytes(range(256)), "byte 0x80", "UTF-8"),
    "image": (b"\x89PNG\r\n\x1a\n\0\0", "byte 0x89 in line 1", "UTF-8"),
    "UTF-16": (TOY.encode("utf-16"), "UTF-16", "UTF-8"),
    "UTF-16 without mark": (TOY.encode("utf-16-be"), "NUL", "UTF-8"),
    "Latin-1": ((TOY + "é,A,1,1\n").encode("latin-1"), "byte 0xe9 in line 14", "UTF-8"),
}


@pytest.mark.parametrize("case", RAW)
@pytest.mark.parametrize("name", ["toy.csv", "scenario.toml", "theirs.json"])
def test_unreadable_file(case: str, name: str, tmp_path: Path, command: Any) -> None:
    raw, *words = RAW[case]
    path = write_scenario(tmp_path, WALKTHROUGH)
    (tmp_path / name).write_bytes(raw)
    arguments = ["--against", tmp_path / name] if name == "theirs.json" else []
    refused = command("vectors", path, *arguments)
    assert_refused(refused, name, *words)
    assert refused.err.count(name) == 1  # said once


def test_places_that_are_not_files(tmp_path: Path, command: Any) -> None:
    (tmp_path / "folder.toml").mkdir()
    assert_refused(command("trace", tmp_path / "folder.toml"), "folder.toml", "directory")
    assert_refused(command("trace", tmp_path / "no.toml"), "no.toml", "no such file")
    assert_refused(command("trace", tmp_path / ("x" * 300)), "xxx", "cannot be read")
    assert_refused(command("vectors", "--against", tmp_path), str(tmp_path), "directory")
    new = tmp_path / "new.toml"
    assert_refused(command("init", tmp_path / "no.csv", "-o", new), "no.csv", "no such file")
    for name in ("no.csv", "", ".", "a\0b"):
        path = write_scenario(tmp_path, {"data": {"file": name}})
        path.write_text(path.read_text().replace("\0", "\\u0000"))
        assert_refused(command("trace", path), "scenario.toml", "'data.file'", "CSV")


# ---- the scenario ---------------------------------------------------------------------------


def pin(table: str, value: Any, pair: str = "Cell 1/A") -> dict[str, Any]:
    return {"pins": {table: {pair: value}}}


SCENARIOS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "unknown section": ({"noice": {}}, ("'noice'", "did you mean 'noise'", "networks")),
    "unknown key": ({"initial": {"alpa": 1.0}}, ("'initial.alpa'", "'alpha'", "switch_time")),
    "misspelt data.file": ({"data": {"fiel": "x"}}, ("'data.fiel'", "did you mean 'file'")),
    "other schema": ({"schema": "velotrace-scenario/2"}, ("'schema'", "/2'", "/1'")),
    "title not text": ({"title": 5}, ("'title'", "is 5", "text")),
    "section not a table": ({"noise": 5}, ("'noise'", "is 5", "table")),
    "unknown preset": ({"reading": {"preset": "velovi"}}, ("'reading.preset'", "'paper'")),
    "unknown choice": ({"reading": {"reduction": "max"}}, ("'max'", "'sum' or 'mean'")),
    "alpha 0 as a free value": (
        {"reading": {"parameterisation": "softplus"}, "initial": {"alpha": [0.0, 1.0, 1.0]}},
        ("'initial.alpha'", "0 for gene 'A'", "above 0", "at most 50"),
    ),
    "rate above its clamp": (
        {"reading": {"preset": "scvi-tools"}, "initial": {"gamma": 50.5}},
        ("'initial.gamma'", "50.5", "at most 50"),
    ),
    "variance that underflows": (
        {"reading": {"noise_parameter": "variance"}, "initial": {"sigma_s": 1e-170}},
        ("'initial.sigma_s'", "1e-170", "variance"),
    ),
    "variance that overflows": (
        {"reading": {"preset": "scvi-tools"}, "initial": {"sigma_u": [0.1, 1e170, 0.1]}},
        ("'initial.sigma_u'", "1e+170 for gene 'B'", "variance"),
    ),
    "warm-up not whole": ({"reading": {"kl_warmup": 1.5}}, ("'reading.kl_warmup'", "1.5", "whole")),
    "negative warm-up": ({"reading": {"kl_warmup": -1}}, ("'reading.kl_warmup'", "at least 0")),
    "fading by number": ({"reading": {"switch_fades": 1}}, ("'reading.switch_fades'", "true or")),
    "negative weight": ({"reading": {"kl_weight": -1.0}}, ("'reading.kl_weight'", "at least 0")),
    "infinite weight": ({"reading": {"kl_weight": float("inf")}}, ("is inf", "finite")),
    "unknown cell": ({"batch": {"cells": ["Cel 1"]}}, ("'batch.cells'", "'Cel 1'", "'Cell 1'")),
    "doubled cell": ({"batch": {"cells": ["Cell 1", "Cell 1"]}}, ("'Cell 1' twice", "once")),
    "no cell": ({"batch": {"cells": []}}, ("'batch.cells'", "[]", "at least one")),
    "cell not in a list": ({"batch": {"cells": "Cell 1"}}, ("'batch.cells'", "list")),
    "cell a number": ({"batch": {"cells": [1]}}, ("'batch.cells[0]'", "is 1", "names")),
    "no upper cell": ({"data": {"upper_cells": 0}}, ("'data.upper_cells'", "is 0", "at least 1")),
    "many upper cells": ({"data": {"upper_cells": 5}}, ("'data.upper_cells'", "5", "4 cells")),
    "upper cells a bool": ({"data": {"upper_cells": True}}, ("'data.upper_cells'", "is true")),
    "alpha negative": ({"initial": {"alpha": -1.0}}, ("'initial.alpha'", "-1", "0 or more")),
    "alpha in words": ({"initial": {"alpha": "median"}}, ("'median'", "'upper-median'")),
    "beta 0": ({"initial": {"beta": 0.0}}, ("'initial.beta'", "is 0", "'A'", "greater than 0")),
    "gamma negative": (
        {"initial": {"gamma": [0.1, 0.1, -0.1]}},
        ("'initial.gamma'", "-0.1", "'C'", "greater than 0"),
    ),
    "sigma_u 0": ({"initial": {"sigma_u": 0}}, ("'initial.sigma_u'", "greater than 0")),
    "sigma_s negative": ({"initial": {"sigma_s": -0.1}}, ("'initial.sigma_s'", "greater than 0")),
    "t_s 0": ({"initial": {"switch_time": 0.0}}, ("'initial.switch_time'", "0 and t_max = 20")),
    "t_s at t_max": ({"initial": {"switch_time": 20.0}}, ("'initial.switch_time'", "is 20")),
    "t_s above t_max": ({"constants": {"t_max": 5.0}}, ("'initial.switch_time'", "t_max = 5")),
    "rate a bool": ({"initial": {"beta": True}}, ("'initial.beta'", "is true", "number")),
    "rate in words": ({"initial": {"beta": "fast"}}, ("'initial.beta'", "'fast'", "number")),
    "rate NaN": ({"initial": {"beta": float("nan")}}, ("'initial.beta'", "nan", "finite")),
    "rate too large": ({"initial": {"beta": 10**400}}, ("'initial.beta'", "finite")),
    "rates too few": ({"initial": {"beta": [0.1, 0.2]}}, ("'initial.beta'", "has 2", "3 genes")),
    "rates nested": ({"initial": {"beta": [[0.1]]}}, ("'initial.beta'", "[[0.1]]", "one per gene")),
    "u_star too long": ({"constants": {"u_star": [1.0] * 4}}, ("'constants.u_star'", "A, B, C")),
    "s_star a bool": ({"constants": {"s_star": False}}, ("'constants.s_star'", "is false")),
    "t_max 0": ({"constants": {"t_max": 0.0}}, ("'constants.t_max'", "greater than 0")),
    "three scales": ({"constants": {"state_scale": [1.0] * 3}}, ("state_scale'", "four positive")),
    "a scale 0": ({"constants": {"state_scale": [1.0, 1.0, 1.0, 0.0]}}, ("[3]", "four positive")),
    "prior 0": ({"constants": {"pi_prior": 0}}, ("'constants.pi_prior'", "greater than 0")),
    "latent 0": ({"networks": {"latent": 0}}, ("'networks.latent'", "is 0", "at least 1")),
    "latent huge": ({"networks": {"latent": 10**30}}, ("'networks.latent'", "at most 100000")),
    "latent a fraction": ({"networks": {"latent": 2.5}}, ("'networks.latent'", "whole number")),
    "hidden 0": ({"networks": {"hidden": [16, 0]}}, ("'networks.hidden[1]'", "at least 1")),
    "hidden a number": ({"networks": {"hidden": 16}}, ("'networks.hidden'", "is 16", "list")),
    "activation": ({"networks": {"activation": "gelu"}}, ("'gelu'", "'tanh' or 'relu'")),
    "seed negative": ({"noise": {"seed": -1}}, ("'noise.seed'", "-1", "at least 0")),
    "seed a bool": ({"networks": {"seed": True}}, ("'networks.seed'", "is true", "whole number")),
    "time after t_s": (pin("time_induction", 10.5), ('"Cell 1/A"', "10.5", "switch time 10")),
    "time at t_s": (pin("time_induction", 10.0), ('"Cell 1/A"', "is 10", "switch time 10")),
    "time 0": (pin("time_induction", 0.0), ('"Cell 1/A"', "is 0", "between 0")),
    "time in words": (pin("time_induction", "late"), ('"Cell 1/A"', "'late'", "number")),
    "two times of a gene": (
        {"pins": {"time_induction": {"Cell 1/A": 8.0, "Cell 2/A": 7.0}}},
        ('"Cell 2/A"', "'A' is pinned for 'Cell 1'"),
    ),
    "pin of no pair": (pin("time_induction", 8.0, "Cell 9/A"), ('"Cell 9/A"', "did you mean")),
    "pin of no gene": (pin("pi", [1.0, 0.0, 0.0, 0.0], "Cell 1"), ('"Cell 1"', "cell/gene")),
    "pin outside the batch": (pin("state", 1, "Cell 2/A"), ('"Cell 2/A"', "[batch]")),
    "unknown pin": (pin("rho", 0.8), ("'pins.rho'", "time_induction")),
    "pi of sum 1.1": (pin("pi", [0.8, 0.1, 0.1, 0.1]), ("pins.pi", "of sum 1.1", "sum to 1")),
    "pi of three": (pin("pi", [0.8, 0.1, 0.1]), ("pins.pi", "four numbers")),
    "pi negative": (pin("pi", [1.1, -0.1, 0.0, 0.0]), ("pins.pi", "-0.1", "0 or more")),
    "pi one number": (pin("pi", 0.25), ("pins.pi", "0.25", "four numbers")),
    "pi NaN": (pin("pi", [float("nan"), 0.5, 0.5, 0.0]), ("pins.pi", "nan", "four numbers")),
    "k 0": (pin("state", 0), ("pins.state", '"Cell 1/A"', "is 0", "1, 2, 3 or 4")),
    "k 5": (pin("state", 5), ("pins.state", "is 5", "1, 2, 3 or 4")),
    "k a fraction": (pin("state", 1.0), ("pins.state", "is 1.0", "1, 2, 3 or 4")),
    "k a bool": (pin("state", True), ("pins.state", "is true", "1, 2, 3 or 4")),
    "unknown optimiser": ({"optimiser": {"name": "lion"}}, ("'optimiser.name'", "'sgd'")),
    "rate of learning 0": ({"optimiser": {"learning_rate": 0}}, ("learning_rate'", "than 0")),
    "beta of 1": ({"optimiser": {"betas": [0.9, 1.0]}}, ("'optimiser.betas[1]'", "below 1")),
    "one beta": ({"optimiser": {"betas": [0.9]}}, ("'optimiser.betas'", "two numbers")),
    "no clipping": ({"optimiser": {"clip_norm": 0.0}}, ("clip_norm'", "greater than 0")),
}  # fmt: skip


@pytest.mark.parametrize("case", SCENARIOS)
def test_scenario(case: str, tmp_path: Path, command: Any) -> None:
    keys, words = SCENARIOS[case]
    path = write_scenario(tmp_path, WALKTHROUGH, keys)
    before = files_below(tmp_path)
    assert_refused(command("trace", path, "-o", tmp_path / "out"), "scenario.toml", *words)
    assert files_below(tmp_path) == before


TEXTS = {
    "no schema": ('[data]\nfile = "toy.csv"\n', "'schema'", "missing", "velotrace-scenario/1"),
    "no data": ('schema = "velotrace-scenario/1"\n', "'data'", "missing", "toy.csv"),
    "no file": ('schema = "velotrace-scenario/1"\n[data]\n', "'data.file'", "missing", "toy.csv"),
    "misspelt schema": (
        'schem = "velotrace-scenario/1"\n[data]\nfile = "toy.csv"\n',
        "unknown key 'schem'",
        "did you mean 'schema'",
    ),
    "no bracket": ("[data\n", "not TOML", "line 1"),
    "no quotes": ("schema = velotrace\n", "not TOML", "line 1"),
    "a key twice": ("title = ''\ntitle = ''\n", "not TOML", "line 2"),
    "deep": ("x = " + "[" * 100_000, "not TOML"),
    "long": ("x = " + "1" * 5000, "not TOML"),
    "JSON": ('{"schema": "velotrace-scenario/1"}\n', "not TOML", "line 1"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_scenario_text(case: str, tmp_path: Path, command: Any) -> None:
    text, *words = TEXTS[case]
    (tmp_path / "toy.csv").write_text(TOY)
    (tmp_path / "scenario.toml").write_text(text)
    assert_refused(command("trace", tmp_path / "scenario.toml"), "scenario.toml", *words)


def test_pin_that_fits_two_pairs(tmp_path: Path, command: Any) -> None:
    table = HEADER + "a/b,c,1,1\na/b,b/c,1,1\na,c,1,1\na,b/c,1,1\n"
    path = write_scenario(tmp_path, pin("state", 1, "a/b/c"), csv=table)
    assert_refused(command("trace", path), '"a/b/c"', "('a/b', 'c')", "('a', 'b/c')")


def test_helper_writes_what_it_is_given() -> None:
    """The cases above are only as good as the file they make; TOML's own parser reads it back."""
    for keys, _ in SCENARIOS.values():
        whole = merged(WALKTHROUGH, keys)
        read = tomllib.loads(toml(whole))
        assert json.dumps(read, sort_keys=True) == json.dumps(whole, sort_keys=True)
