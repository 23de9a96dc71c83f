"""The command line: one command per thing a person wants to do, no logic of its own."""

from __future__ import annotations

import io
import math
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from velotrace import __version__
from velotrace.errors import ContradictionError, InputError

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


SetOption = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="NAME[@PLACE]=VALUE",
        help="Put a number in the place of a value, as u_switch=1 or 'pi@Cell 1/A=1,0,0,0'.",
    ),
]
CutOption = Annotated[
    list[str],
    typer.Option("--cut", metavar="NAME[@PLACE]", help="Let no gradient flow past a value."),
]
DropOption = Annotated[
    list[str],
    typer.Option("--drop", metavar="TERM", help="Leave a term out of the loss, as kl_pi."),
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
    values: SetOption = [],  # noqa: B006
    cut: CutOption = [],  # noqa: B006
    drop: DropOption = [],  # noqa: B006
) -> None:
    """Print one iteration, or write all its numbers with -o.

    With --set, --cut or --drop: run it with that changed and all draws as drawn, and print what
    differs.
    """
    from velotrace.counterfactuals import counterfactual, described
    from velotrace.files import write_all
    from velotrace.report import render
    from velotrace.walkthrough import trace as run

    if output is None and style is Format.parquet:
        raise InputError("--format parquet is binary; give a folder with -o as well")
    made = run(scenario)
    if values or cut or drop:
        unchanged, made = made, counterfactual(made, values, cut, drop)
        if output is None:
            title = f"One iteration with {described(values, cut, drop)}"
            _print_differences(unchanged, made, style or "text", title, largest_first=True)
            return
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


def _print_differences(
    before: Any,
    after: Any,
    style: str,
    title: str,
    sides: tuple[str, str] = ("before", "after"),
    tolerance: float = 0.0,
    largest_first: bool = False,
) -> bool:
    """Print what differs; whether anything does."""
    from velotrace.report.difference_text import render_differences
    from velotrace.report.differences import diff as compare

    found = compare(before, after, tolerance)
    typer.echo(render_differences(found, style, title, sides, largest_first), nl=False)
    return bool(found.changes or found.notes)


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise typer.BadParameter(f"{text!r} is not a finite number, 0 or more")
    return value


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
        float,
        typer.Option(
            parser=_tolerance, help="Allowed difference, relative to the largest component."
        ),
    ] = 1e-9,
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
        typer.echo(f"Wrote {output}")
    if theirs is not None:
        difference = report.compare_vectors(ours, theirs, tolerance)
        typer.echo(str(difference or f"{against} agrees in every number"))
        raise typer.Exit(1 if difference else 0)
    if output is None:
        typer.echo(report.to_json(ours), nl=False)


class TextFormat(StrEnum):
    """How one report is printed."""

    text = "text"
    md = "md"
    json = "json"


@app.command()
def check(
    scenario: ScenarioArgument = None,
    most: Annotated[
        int, typer.Option(min=1, help="Numbers of one array to check by finite differences.")
    ] = 400,
    style: Annotated[TextFormat, typer.Option("--format", help="Of the report.")] = TextFormat.text,
) -> None:
    """Certify every gradient by three routes.

    The tape, the derivation by hand and finite differences; exit code 1 on a breach.
    """
    from velotrace.certificates import certify
    from velotrace.report import checks
    from velotrace.walkthrough import trace as run

    report = certify(run(scenario), most)
    shown = {"text": checks.check_text, "md": checks.check_markdown, "json": checks.check_json}
    typer.echo(shown[style](report), nl=False)
    raise typer.Exit(0 if report.holds else 1)


@app.command()
def explain(
    name: Annotated[
        str,
        typer.Argument(help="A parameter, value or weight, as alpha or encoder_z.0.W[2,7]."),
    ],
    scenario: ScenarioArgument = None,
    cell: Annotated[str | None, typer.Option(help="One cell; without it, all.")] = None,
    gene: Annotated[str | None, typer.Option(help="One gene; without it, all.")] = None,
    state: Annotated[int | None, typer.Option(help="One state, 1 to 4.")] = None,
    latent: Annotated[int | None, typer.Option(help="One latent dimension, from 1.")] = None,
    style: Annotated[TextFormat, typer.Option("--format", help="Of the report.")] = TextFormat.text,
    values: SetOption = [],  # noqa: B006
    cut: CutOption = [],  # noqa: B006
    drop: DropOption = [],  # noqa: B006
) -> None:
    """Take one gradient apart: by term, by path, edge by edge."""
    from velotrace.attribution import explain as take_apart
    from velotrace.counterfactuals import counterfactual, described
    from velotrace.report import explanations as report
    from velotrace.report.explanation_json import comparison_keys, explanation_json
    from velotrace.walkthrough import trace as run

    made = run(scenario)
    explained = take_apart(made, name, cell, gene, state, latent)
    compared, keys = "", {}
    if values or cut or drop:
        unchanged, changes = explained, described(values, cut, drop)
        made = counterfactual(made, values, cut, drop)
        explained = take_apart(made, name, cell, gene, state, latent)
        compared = report.comparison(explained, unchanged, changes)
        keys = comparison_keys(unchanged, values, cut, drop)
    if style is TextFormat.json:
        typer.echo(explanation_json(explained, keys), nl=False)
    elif style is TextFormat.md:
        typer.echo(report.explanation_markdown(made, explained, compared), nl=False)
    else:
        typer.echo(report.explanation_text(made, explained, compared), nl=False)


class DiffFormat(StrEnum):
    """How differences are printed."""

    text = "text"
    md = "md"
    json = "json"
    csv = "csv"


_COMPARABLE = "A scenario (.toml), test vectors (.json), or a folder written by trace -o."


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help=_COMPARABLE)],
    second: Annotated[Path, typer.Argument(metavar="B", help="What to compare it with.")],
    tolerance: Annotated[
        float,
        typer.Option(
            parser=_tolerance, help="Allowed difference, relative to the largest component."
        ),
    ] = 1e-9,
    style: Annotated[DiffFormat, typer.Option("--format", help="Of the report.")] = DiffFormat.text,
) -> None:
    """Name what differs between two iterations.

    In the order of computation; exit code 1 if anything does.
    """
    title = f"A is {first}, B is {second}"
    differ = _print_differences(first, second, style, title, ("A", "B"), tolerance)
    raise typer.Exit(1 if differ else 0)


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

    if output.resolve() == data.resolve():
        raise InputError(f"{output} is the table itself; choose another name for the scenario")
    if output.exists() and not force:
        raise InputError(f"{output} exists; choose another name or add --force")
    expression = read_expression(data)
    beside = os.path.relpath(data.resolve(), output.resolve().parent)
    write_whole(output, starter_scenario(Path(beside).as_posix(), expression))
    typer.echo(f"Wrote {output}; try: velotrace trace {output}")


def main() -> None:
    """Run the command line; bad input gives one line on standard error and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the locale: tables hold Greek letters
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # What overflows is shown as inf, or refused by name; NumPy's lines about it say less.
    warnings.simplefilter("ignore", RuntimeWarning)
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        status = 130
    except typer.TyperException as problem:  # a wrong option, a missing argument
        status = _fail(f"{problem.format_message().rstrip('.')} (see velotrace --help)")
    except BrokenPipeError:  # the reader of a pipe has gone, as `velotrace trace | head` does
        sys.stderr.close()
        status = 0
    except InputError as problem:
        status = _fail(str(problem))
    except ContradictionError as problem:
        status = _fail(f"a check of velotrace's own failed: {problem}", 1)
    except MemoryError:
        status = _fail("out of memory; choose smaller networks, or fewer cells in [batch]")
    except OSError as problem:
        status = _fail(f"{problem.filename}: {problem.strerror or problem}")
    sys.exit(status)


def _fail(message: str, status: int = 2) -> int:
    line = " ".join(message.replace("Value error, ", "").split())
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    print(f"velotrace: {shown}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
