"""Commands on trainings: train, retrace."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from velotrace.cli.iteration import trace
from velotrace.cli.options import (
    CutOption,
    DropOption,
    FolderOption,
    Format,
    ScenarioArgument,
    SetOption,
    StyleOption,
)
from velotrace.cli.output import progress, put, say
from velotrace.errors import InputError


class Kept(StrEnum):
    """What a history keeps."""

    all = "all"
    theta = "theta"


def train(
    scenario: ScenarioArgument = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="RUN", help="Folder of the training.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes through the data.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Cells of a mini-batch; all, or 256, if not given.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Runs that train at once.")] = None,
    drop: DropOption = [],  # noqa: B006
    history: Annotated[
        Kept | None, typer.Option(help="'theta' leaves out the values of cells.")
    ] = None,
    checkpoint_every: Annotated[
        int | None, typer.Option(min=1, help="Epochs between checkpoints; 50 if not given.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run, or start it if there is none.")
    ] = False,
) -> None:
    """Train, keeping every epoch, into the folder RUN.

    A killed training goes on with --resume and ends bit for bit as if it had not been.
    """
    from velotrace.counterfactuals import check_term
    from velotrace.learning import runs

    if output is None:
        raise InputError("name the folder of the training: velotrace train … -o RUN")
    for term in drop:
        check_term(term)
    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "seeds": seeds,
        "by_cell": None if history is None else history is Kept.all,
        "dropped": tuple(sorted(set(drop))) or None,
        "checkpoint_every": checkpoint_every,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    run = runs.open_or_start(output, scenario, asked, resume)
    with progress("Training", run.settings.epochs) as done:
        state = runs.train(run, done)
    for left in state.left:
        say(f"stopped: {runs.stopped(run, left)}", err=True)
    say(f"{output} has {state.epoch} epochs; try: velotrace retrace {output} --epoch 0")


def retrace(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training.")],
    epoch: Annotated[int, typer.Option(min=0, help="Epoch, from 0.")],
    batch: Annotated[int, typer.Option(min=0, help="Mini-batch of the epoch, from 0.")] = 0,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Noise seed, where several trained at once.")
    ] = None,
    output: FolderOption = None,
    style: StyleOption = None,
    values: SetOption = [],  # noqa: B006
    cut: CutOption = [],  # noqa: B006
    drop: DropOption = [],  # noqa: B006
) -> None:
    """Print one iteration of a training, bit for bit the one that trained.

    Every command that takes a scenario takes RUN@EPOCH/BATCH as well, such as
    `velotrace explain alpha RUN@10/0` or `velotrace check RUN@10/0`.
    """
    place = f"{run}@{epoch}/{batch}" if seed is None else f"{run}@{epoch}/{batch}/{seed}"
    trace(Path(place), output, style, values, cut, drop)


def results(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training.")],
    against: Annotated[
        list[Path],
        typer.Option("--against", metavar="RUN", help="Another run to stand beside it."),
    ] = [],  # noqa: B006
    draws: Annotated[int, typer.Option(min=2, help="Draws from the posterior.")] = 200,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for tables and figures.")
    ] = None,
    style: Annotated[Format, typer.Option("--format", help="Of the tables.")] = Format.csv,
) -> None:
    """Say what a trained model found: rates, times, states, velocity.

    With -o, tables and figures (SVG) are written there as well.
    """
    from velotrace.files import write_all
    from velotrace.learning.results import posterior
    from velotrace.learning.runs import open_run
    from velotrace.report import training_text

    opened = [open_run(folder) for folder in (run, *against)]
    found = [
        posterior(
            one.plan,
            one.state(one.epochs_done),
            draws,
            one.resolved.expression.cells,
            one.resolved.genes,
        )
        for one in opened
    ]
    put(training_text.results_text(opened[0], found[0]))
    if output is not None:
        contents = training_text.folder_contents(opened, found, style)
        write_all(output, contents)
        say(f"Wrote {len(contents)} files to {output}")
