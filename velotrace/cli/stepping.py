"""Commands that go through an iteration step by step: step, player."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from velotrace.cli.options import ScenarioArgument
from velotrace.cli.output import put, say
from velotrace.errors import InputError


def step(
    scenario: ScenarioArgument = None,
    cell: Annotated[
        str | None, typer.Option(help="To follow; else the first of the batch.")
    ] = None,
    gene: Annotated[str | None, typer.Option(help="To follow; else the first.")] = None,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Print step after step, for pipes and screen readers."),
    ] = False,
    most: Annotated[
        int, typer.Option(min=1, help="Numbers of one array to check by finite differences.")
    ] = 16,
) -> None:
    """Step through one iteration in the terminal, forward and backward.

    Where the screen cannot be drawn on (a pipe, a dumb terminal) it prints as --plain does.
    """
    from functools import partial

    from velotrace.certificates import certify
    from velotrace.report.steps import steps
    from velotrace.selection import select
    from velotrace.walkthrough import trace as run

    made = run(scenario)
    select(made, "unspliced", cell=cell, gene=gene)  # refuses what is not there
    cell, gene = cell or made.coords["cell"][0], gene or made.coords["gene"][0]
    if plain or not _can_draw():
        from velotrace.report.stepper.plain import plain_text

        for text in plain_text(made, steps(made, certify(made, most)), cell, gene):
            put(text)
        return
    try:
        from velotrace.report.stepper.app import Stepper
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] != "textual":
            raise
        raise InputError(
            "the stepper needs textual: pip install 'velotrace[step]'; --plain works without it"
        ) from None
    Stepper(made, cell, gene, partial(certify, made, most)).run()


def _can_draw() -> bool:
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return terminal and os.environ.get("TERM") not in ("dumb", "unknown")


def player(
    scenario: ScenarioArgument = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="HTML file to write.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="RUN", help="A training, shown at epochs 0, 1, 2, 5, 10, …"),
    ] = None,
    cell: Annotated[str | None, typer.Option(help="To follow first; else the first.")] = None,
    gene: Annotated[str | None, typer.Option(help="To follow first; else the first.")] = None,
) -> None:
    """Write a page that steps through one iteration in a browser.

    One file, which asks for nothing else; with --run a second slider walks through the training.
    """
    from velotrace.files import write_whole
    from velotrace.report.player import Frame, player_page
    from velotrace.report.player.training import frames_of
    from velotrace.walkthrough import trace as iterate

    if output is None:
        raise InputError("name the file to write: velotrace player … -o FILE.html")
    if scenario is not None and run is not None:
        raise InputError("give a scenario or --run RUN, not both")
    frames = frames_of(run) if run is not None else [Frame(0, iterate(scenario))]
    title = frames[0].trace.resolved.scenario.title or "One iteration"
    title = title if run is None else f"Training: {title}"
    write_whole(output, player_page(frames, title, cell, gene))
    say(f"Wrote {output}; open it in a browser")
