"""Commands on one iteration: trace, check, explain, diff."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from velotrace.cli.options import (
    CutOption,
    DiffFormat,
    DropOption,
    FolderOption,
    Format,
    ScenarioArgument,
    SetOption,
    StyleOption,
    TextFormat,
    ToleranceOption,
)
from velotrace.cli.output import put, say
from velotrace.errors import InputError


def trace(
    scenario: ScenarioArgument = None,
    output: FolderOption = None,
    style: StyleOption = None,
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
        say(f"Wrote {len(contents)} files to {output}: trace.{style or Format.csv}, …")
    elif style is None:
        put(render.print_text(made))
    elif style is Format.md:
        put(render.markdown(made))
    else:
        put(render.long_text(made, style))


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
    put(render_differences(found, style, title, sides, largest_first))
    return bool(found.changes or found.notes)


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
    put(shown[style](report))
    raise typer.Exit(0 if report.holds else 1)


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
        put(explanation_json(explained, keys))
    elif style is TextFormat.md:
        put(report.explanation_markdown(made, explained, compared))
    else:
        put(report.explanation_text(made, explained, compared))


_COMPARABLE = "A scenario (.toml), test vectors (.json), or a folder written by trace -o."


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help=_COMPARABLE)],
    second: Annotated[Path, typer.Argument(metavar="B", help="What to compare it with.")],
    tolerance: ToleranceOption = 1e-9,
    style: Annotated[DiffFormat, typer.Option("--format", help="Of the report.")] = DiffFormat.text,
) -> None:
    """Name what differs between two iterations.

    In the order of computation; exit code 1 if anything does.
    """
    title = f"A is {first}, B is {second}"
    differ = _print_differences(first, second, style, title, ("A", "B"), tolerance)
    raise typer.Exit(1 if differ else 0)
