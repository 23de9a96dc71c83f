"""Commands that hand numbers in and out: vectors, init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from velotrace.cli.options import ScenarioArgument, ToleranceOption
from velotrace.cli.output import put, say
from velotrace.errors import InputError


def vectors(
    scenario: ScenarioArgument = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="JSON file to write; else printed.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Another program's file to compare with.")
    ] = None,
    tolerance: ToleranceOption = 1e-9,
) -> None:
    """Write test vectors, or compare another program's.

    Exit code 1 where they differ.
    """
    from velotrace.files import write_whole
    from velotrace.report import vectors as report

    theirs = report.read_vectors(against) if against is not None else None
    ours = report.vectors(scenario)
    if output is not None:
        write_whole(output, report.to_json(ours))
        say(f"Wrote {output}")
    if theirs is not None:
        difference = report.compare_vectors(ours, theirs, tolerance)
        say(str(difference or f"{against} agrees in every number"))
        raise typer.Exit(1 if difference else 0)
    if output is None:
        put(report.to_json(ours))


def init(
    data: Annotated[Path, typer.Argument(help="A CSV file: cell,gene,unspliced,spliced.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Scenario file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented scenario for one's own table."""
    import os

    from velotrace.data import read_expression
    from velotrace.files import write_whole
    from velotrace.report.starter import starter_scenario

    if output.resolve() == data.resolve():
        raise InputError(f"{output} is the table itself; choose another name for the scenario")
    if output.exists() and not force:
        raise InputError(f"{output} exists; choose another name or add --force")
    expression = read_expression(data)
    beside = os.path.relpath(data.resolve(), output.resolve().parent)
    write_whole(output, starter_scenario(Path(beside).as_posix(), expression))
    say(f"Wrote {output}; try: velotrace trace {output}")
