"""The command line: one command per thing a person wants to do, no logic of its own."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from velotrace import __version__
from velotrace.errors import InputError

app = typer.Typer(
    name="velotrace",
    help="Step through veloVI: one iteration with every number, forward and backward.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How tables are written."""

    csv = "csv"
    parquet = "parquet"
    json = "json"
    md = "md"


ScenarioArgument = Annotated[
    Path | None,
    typer.Argument(help="A scenario file (TOML); without one, the document's walkthrough."),
]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def trace(
    scenario: ScenarioArgument = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder to write all tables to.")
    ] = None,
    style: Annotated[
        Format | None,
        typer.Option("--format", help="Of the files (csv), or of what is printed (tables)."),
    ] = None,
) -> None:
    """Print one iteration section by section; with -o, write every number as tables."""
    from velotrace.files import write_all
    from velotrace.report import render
    from velotrace.walkthrough import trace as run

    if output is None and style is Format.parquet:
        raise InputError("--format parquet is binary; give a folder with -o as well")
    made = run(scenario)
    if output is not None:
        contents = render.folder_contents(made, style or Format.csv)
        write_all(output, contents)
        typer.echo(f"Wrote {len(contents)} files to {output}: trace.{style or Format.csv}, …")
    elif style is None:
        typer.echo(render.print_text(made), nl=False)
    elif style is Format.md:
        typer.echo(render.markdown(made), nl=False)
    else:
        typer.echo(render.long_text(made, style), nl=False)


@app.command()
def vectors(
    scenario: ScenarioArgument = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="JSON file to write; else printed.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Another program's file to compare with.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="Allowed difference, relative to the largest component.")
    ] = 1e-9,
) -> None:
    """Write test vectors, or compare another program's; exit 1 where they differ."""
    from velotrace.files import write_whole
    from velotrace.report import vectors as report

    theirs = report.read_vectors(against) if against is not None else None
    ours = report.vectors(scenario)
    if output is not None:
        write_whole(output, report.to_json(ours))
        typer.echo(f"Wrote {output}")
    if theirs is not None:
        difference = report.compare_vectors(ours, theirs, tolerance)
        typer.echo(str(difference or f"{against} agrees in every number"))
        raise typer.Exit(1 if difference else 0)
    if output is None:
        typer.echo(report.to_json(ours), nl=False)


@app.command()
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

    if output.exists() and not force:
        raise InputError(f"{output} exists; choose another name or add --force")
    expression = read_expression(data)
    beside = os.path.relpath(data.resolve(), output.resolve().parent)
    write_whole(output, starter_scenario(Path(beside).as_posix(), expression))
    typer.echo(f"Wrote {output}; try: velotrace trace {output}")


def main() -> None:
    """Run the command line; bad input gives one line on standard error and exit code 2."""
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        status = 130
    except typer.TyperException as problem:  # a wrong option, a missing argument
        status = _fail(problem.format_message())
    except BrokenPipeError:  # the reader of a pipe has gone, as `velotrace trace | head` does
        sys.stderr.close()
        status = 0
    except InputError as problem:
        status = _fail(str(problem))
    sys.exit(status)


def _fail(message: str) -> int:
    print("velotrace: " + " ".join(message.split()), file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
