"""Commands on made-up data and small experiments: simulate, study."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from velotrace.cli.options import ScenarioArgument
from velotrace.cli.output import progress, put, say
from velotrace.errors import InputError


def simulate(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DATA.csv", help="Table to write.")
    ],
    cells: Annotated[int, typer.Option(min=1, max=100_000, help="How many cells.")] = 200,
    genes: Annotated[int, typer.Option(min=1, max=10_000, help="How many genes.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of everything.")] = 0,
    noise: Annotated[
        float, typer.Option(help="Standard deviation, relative to a gene's largest mean.")
    ] = 0.05,
) -> None:
    """Make up data from the model, with the truth beside them.

    DATA.csv is a table for `velotrace init`; DATA.truth-cells.csv and DATA.truth-genes.csv say what
    it was made from.
    """
    from velotrace.files import write_all
    from velotrace.report.render import frame_content
    from velotrace.simulation import simulate as made_up

    made = made_up(cells, genes, seed, noise)
    name = output.name.removesuffix(".csv")
    contents = {
        output.name: frame_content(made.data_table(), "csv"),
        f"{name}.truth-cells.csv": frame_content(made.cells_table(), "csv"),
        f"{name}.truth-genes.csv": frame_content(made.genes_table(), "csv"),
    }
    if not output.parent.is_dir():
        raise InputError(f"{output}: there is no folder {output.parent}; make it first")
    write_all(output.parent, contents, make_folders=False)
    entries = 2 * cells * genes
    say(f"Wrote {', '.join(contents)}; {made.clipped} of {entries} numbers below 0 were set to 0")


class Study(StrEnum):
    """The small experiments."""

    estimators = "estimators"
    recovery = "recovery"
    scale = "scale"


def study(
    name: Annotated[Study, typer.Argument(help="Which experiment.")],
    scenario: ScenarioArgument = None,
    draws: Annotated[int, typer.Option(min=2, help="Of the estimators' study.")] = 10_000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of the other two.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Of the other two.")] = 1000,
) -> None:
    """Run a small experiment and print its tables.

    estimators: how the data's gradient to the state probabilities can be estimated, and how far one
    draw's loss lies from its expectation. recovery: what training finds of the truth of simulated
    data. scale: what data cannot fix, rates times c with times over c.
    """
    from velotrace.report import studies

    if name is Study.estimators:
        from velotrace.walkthrough import trace

        put(studies.estimators_text(trace(scenario), draws))
        return
    if scenario is not None:
        raise InputError(f"study {name} makes its own data; leave {scenario} out")
    with progress("Training", studies.trainings(name) * epochs) as advance:
        text = studies.recovery_text if name is Study.recovery else studies.scale_text
        report = text(seeds, epochs, advance)
    put(report)
