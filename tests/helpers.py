"""What several test files share: scenario files, the readings, the command line in-process."""

from __future__ import annotations

import json
import math
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from velotrace import cli
from velotrace.model.objective import loss
from velotrace.resources import data_path
from velotrace.walkthrough import Trace

EPS = float(np.finfo(np.float64).eps)
"""Distance from 1 to the next float64; half of it is the round-off of one operation."""

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
"""The browser that tests of pages open; None where this machine has none."""

TOY = data_path("toy.csv").read_text(encoding="utf-8")
"""The document's table (section 1)."""

WALKTHROUGH = {
    "data": {"file": "toy.csv", "upper_cells": 2},
    "batch": {"cells": ["Cell 1", "Cell 3"]},
}
"""The cells of `data/walkthrough.toml`; everything else at its default, nothing pinned."""

READINGS: dict[str, dict[str, Any]] = {
    "document": {},
    "paper": {"reading": {"preset": "paper"}},
    "joint": {"reading": {"preset": "joint", "denominator": "eps"}, "networks": {"hidden": [5, 4]}},
    "odd": {
        "reading": {
            "preset": "document",
            "likelihood": "joint-mixture",
            "repression_start": "switch-time",
            "switch_weight": 0.06,
            "kl_weight": 0.7,
            "reduction": "mean",
            "latent_variance": "softplus",
            "encoder_input": "spliced-first",
            "decoders": "shared-hidden",
        },
        "networks": {
            "latent": 3,
            "hidden": [6],
            "activation": "relu",
            "initialiser": "kaiming-uniform",
        },
        "batch": {"cells": ["Cell 4", "Cell 2", "Cell 1"]},
    },
    "no hidden layer": {
        "reading": {
            "preset": "paper",
            "likelihood": "sampled-state",
            "decoders": "shared-hidden",
            "reduction": "mean",
        },
        "networks": {"latent": 2, "hidden": []},
        "initial": {"gamma": [0.1, 0.05, 0.3]},  # β = γ in gene A
    },
    "scvi-tools": {"reading": {"preset": "scvi-tools"}},
    "free deviations": {
        "reading": {
            "preset": "joint",
            "parameterisation": "softplus",
            "reduction": "mean",
            "kl_warmup": 8,
        },
        "initial": {"alpha": [50.0, 3.0, 0.5], "beta": 1.0, "gamma": 0.4},  # α at its clamp in A
    },
    "held variances": {"reading": {"preset": "document", "noise_parameter": "variance"}},
}
"""Scenarios that between them make every choice of `model.md` section 2."""


def toml(sections: dict[str, Any]) -> str:
    """A scenario file of nested dicts; plain keys first, then one table per dict."""
    keys = {key: value for key, value in sections.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in sections.items() if isinstance(value, dict)}
    lines = [f"{_quoted(key)} = {_toml_value(value)}" for key, value in keys.items()]
    for key, table in tables.items():
        lines.append(f"[{_quoted(key)}]")
        lines += [f"{_quoted(name)} = {_toml_value(value)}" for name, value in table.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_quoted(k)} = {_toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return repr(value)


def merged(*parts: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts, the later ones over the earlier ones, table by table."""
    made: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            both = isinstance(value, dict) and isinstance(made.get(key), dict)
            made[key] = made[key] | value if both else value
    return made


def write_scenario(folder: Path, *parts: dict[str, Any], csv: str = TOY) -> Path:
    """A scenario file with its 'toy.csv' beside it; the parts are laid over the required keys."""
    required = {"schema": "velotrace-scenario/1", "data": {"file": "toy.csv"}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.csv").write_text(csv, encoding="utf-8")
    path = folder / "scenario.toml"
    path.write_text(toml(merged(required, *parts)), encoding="utf-8")
    return path


def loss_of(trace: Trace) -> Any:
    """The recorded function of a trace: θ and φ to the loss."""
    return partial(loss, iteration=trace.resolved.iteration)


@dataclass(frozen=True)
class Outcome:
    """What a call of the command line did."""

    status: int
    out: str
    err: str


def velotrace(capsys: Any, monkeypatch: Any, *arguments: str | Path) -> Outcome:
    """Run `velotrace ARGUMENTS` in this process, as its entry point does."""
    monkeypatch.setattr(sys, "argv", ["velotrace", *map(str, arguments)])
    capsys.readouterr()
    try:
        cli.main()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    else:
        status = 0
    captured = capsys.readouterr()
    return Outcome(status, captured.out, captured.err)


def ulps(a: Any, b: Any) -> float:
    """Largest difference of two arrays in units of the last place of the larger one's maximum."""
    a, b = np.asarray(a), np.asarray(b)
    size = max(np.max(np.abs(a), initial=0.0), np.max(np.abs(b), initial=0.0))
    apart = float(np.max(np.abs(a - b), initial=0.0))
    return apart / math.ulp(float(size)) if apart else 0.0


def assert_refused(outcome: Outcome, *words: str) -> None:
    """Exit code 2, one line on standard error that holds the words, nothing printed."""
    assert outcome.status == 2, outcome
    assert outcome.out == "", outcome
    assert outcome.err.count("\n") == 1, outcome.err
    assert outcome.err.startswith("velotrace: ")
    missing = [word for word in words if word not in outcome.err]
    assert not missing, (missing, outcome.err)


def files_below(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder with its content, hidden ones too; folders with none."""
    return {p: p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}
