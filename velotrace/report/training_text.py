"""What a trained model says, printed and written to a folder."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import xarray

from velotrace.learning.runs import Run
from velotrace.report import escape
from velotrace.report.frames import frame_text
from velotrace.report.render import frame_content
from velotrace.report.training_tables import all_tables

_TITLES: Mapping[str, str] = {
    "parameters": "θ before and after: median over seeds, and where nine in ten of them lie",
    "losses": "Loss and terms of a mini-batch: mean over an epoch, median over seeds",
    "cells": "Each cell and gene: means over draws from the posterior, median over seeds",
    "velocity": "Velocity βū − γs̄: its mean over draws, median over seeds, and its spread",
    "probabilities": "Mean state probabilities",
}


def results_text(run: Run, results: xarray.Dataset) -> str:
    """All tables for a terminal."""
    history = run.history()
    title = escape.terminal(run.resolved.scenario.title or run.folder.name)
    seeds = len(run.plan.seeds)
    head = f"{title}: {run.epochs_done} epochs, {seeds} seed{'s' if seeds > 1 else ''}"
    blocks = [f"{head}\n{'=' * len(head)}\n"]
    for name, table in all_tables(history, results).items():
        blocks.append(f"{_TITLES[name]}\n\n{frame_text(table)}\n")
    stopped = int((history["left_step"] >= 0).sum())
    if stopped:
        blocks.append(f"{stopped} of {seeds} seeds left their domain and stopped.\n")
    return "\n".join(blocks)


def folder_contents(
    runs: Sequence[Run], results: Sequence[xarray.Dataset], style: str
) -> dict[str, str | bytes]:
    """Tables and figures by file name.

    Args:
        runs: the run, and those beside it.
        results: of each.
        style: of the tables, as `velotrace trace` has it.

    Returns:
        Contents: tables as NAME.csv, figures as NAME.svg.
    """
    from velotrace.report import training_figures as figures

    first, history = runs[0], runs[0].history()
    files: dict[str, str | bytes] = {
        f"{name}.{style}": frame_content(table, style)
        for name, table in all_tables(history, results[0]).items()
    }
    titles = {
        f"{place + 1}: {run.plan.reading.likelihood}": made
        for place, (run, made) in enumerate(zip(runs, results, strict=True))
    }
    made = {
        "evolution": figures.evolution(history),
        "losses": figures.losses(history),
        "portraits": figures.phase_portraits(
            first.plan, history, first.resolved.genes, portrait_epochs(first.epochs_done)
        ),
        "states": figures.probabilities(titles),
        "latent": figures.latent_space(results[0]),
        "prior": figures.prior_cells(
            first.plan, first.state(first.epochs_done), first.resolved.genes
        ),
    }
    for name, figure in made.items():
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
        files[f"{name}.svg"] = stream.getvalue()
    return files


def portrait_epochs(done: int) -> tuple[int, ...]:
    """The first, some on the way, and the last of a number of epochs."""
    last = done - 1
    return tuple(dict.fromkeys([0, last // 20, last // 4, last]))
