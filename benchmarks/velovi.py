"""`python -m benchmarks.velovi`: an epoch of the reading `scvi-tools` against `VELOVI.train`.

Both train the same data with networks of the same width, on one thread, and velotrace keeps its
history meanwhile. VELOVI trains as it comes, and, beside it, with dropout and norms off, which the
reading has not. Its time is the difference between a long and a short training, so that what it
does once, before and after, does not count; nor does it of velotrace, which has written its program
by then, in the time of some 80 steps.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.timing import Row, medians
from velotrace.learning.ensemble import Settings, Trainer, empty_history, plan_of
from velotrace.learning.training import begin
from velotrace.resources import data_path
from velotrace.scenario import Resolved, resolve

HAVE_SCVI = importlib.util.find_spec("scvi") is not None
WIDTH, LATENT, BATCH = 16, 10, 256
PLAIN = {"dropout_rate": 0.0, "use_batch_norm": "none", "use_layer_norm": "none"}

SCENARIO = f"""
schema = "velotrace-scenario/1"
data.file = "data.csv"
reading.preset = "scvi-tools"
initial = {{ beta = 0.974, gamma = 0.313, switch_time = 7.0, sigma_u = 0.56, sigma_s = 0.56 }}
networks = {{ hidden = [{WIDTH}], latent = {LATENT}, activation = "relu" }}
"""
"""Where VELOVI starts, too (model.md 4.12)."""


def against_velovi() -> list[Row]:
    """An epoch on the four cells, and one on 2,000 cells × 100 genes in batches of 256."""
    if not HAVE_SCVI:
        return []
    large = _synthetic(2000, 100)
    toy = data_path("toy.csv").read_text(encoding="utf-8")
    return [
        *_epochs("4 × 3", toy, 200, 9, 1.0 / 15.0),
        *_epochs("2,000 × 100", large, 3, 5, 1.0),
    ]


def _epochs(what: str, table: str, epochs: int, rounds: int, target: float) -> list[Row]:
    """Seconds of an epoch: velotrace's over VELOVI's, as it comes and plain."""
    resolved = _resolved(table)
    with _quiet():
        full, plain = _velovi(resolved), _velovi(resolved, **PLAIN)
        times = medians(
            {
                "ours": _velotrace(resolved, epochs),
                "full, long": lambda: full(1 + epochs),
                "full, short": lambda: full(1),
                "plain, long": lambda: plain(1 + epochs),
                "plain, short": lambda: plain(1),
            },
            rounds,
            budget=0.0,
        )
    ours = times["ours"] / epochs
    rows = []
    for kind, bound in (("full", target), ("plain", None)):
        theirs = (times[f"{kind}, long"] - times[f"{kind}, short"]) / epochs
        named = f"epoch / VELOVI.train{'' if kind == 'full' else ' without norms'}, {what}"
        rows.append(Row(named, ours / theirs, bound, (ours, theirs)))
    return rows


def _resolved(table: str) -> Resolved:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data.csv").write_text(table, encoding="utf-8")
        path = Path(folder) / "scenario.toml"
        path.write_text(SCENARIO, encoding="utf-8")
        return resolve(path)


def _velotrace(resolved: Resolved, epochs: int) -> Callable[[], object]:
    """Train from the second epoch on, as long as VELOVI's long training is longer."""
    settings = Settings(epochs=1 + epochs, batch_size=BATCH)
    plan = plan_of(resolved, settings)
    trainer = Trainer(plan)
    history = empty_history(resolved, plan, settings)
    second = trainer.epoch(begin(plan), history)

    def train() -> None:
        state = second
        for _ in range(epochs):
            state = trainer.epoch(state, history)

    return train


def _velovi(resolved: Resolved, **options: Any) -> Callable[[int], object]:
    """Train a new model for so many epochs."""
    import torch
    from anndata import AnnData
    from scvi.external import VELOVI

    torch.set_num_threads(1)
    u, s = (x.astype(np.float32) for x in _layers(resolved))
    data = AnnData(layers={"unspliced": u, "spliced": s}, shape=u.shape)
    VELOVI.setup_anndata(data, spliced_layer="spliced", unspliced_layer="unspliced")

    def train(epochs: int) -> None:
        model = VELOVI(data, n_hidden=WIDTH, n_latent=LATENT, **options)
        model.train(
            max_epochs=epochs,
            batch_size=BATCH,
            train_size=1.0,
            early_stopping=False,
            accelerator="cpu",
            enable_progress_bar=False,
        )

    return train


def _layers(resolved: Resolved) -> tuple[np.ndarray, np.ndarray]:
    return resolved.expression.unspliced, resolved.expression.spliced


def _synthetic(cells: int, genes: int) -> str:
    numbers = np.random.default_rng(0).random((cells, genes, 2))
    rows = [
        f"c{n},g{g},{numbers[n, g, 0]:.4f},{numbers[n, g, 1]:.4f}"
        for n in range(cells)
        for g in range(genes)
    ]
    return "\n".join(["cell,gene,unspliced,spliced", *rows, ""])


@contextlib.contextmanager
def _quiet() -> Any:
    """Lightning reports its devices at every call; other packages warn of each other."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def main() -> int:
    """Measure, print, and say whether both targets are met."""
    rows = against_velovi()
    if not rows:
        print("There is no scvi-tools here: make bench sets it up.")
        return 1
    shown = [
        [row.what, f"{row.ratio:.3f}", "" if row.target is None else f"≤ {row.target:.3f}"]
        + [f"{1e3 * seconds:.2f}" for seconds in row.seconds]
        for row in rows
    ]
    print(tabulate(shown, ["ratio of medians", "", "target", "ms", "ms"], disable_numparse=True))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
