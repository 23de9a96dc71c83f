"""Readings side by side: velotrace compare."""

from __future__ import annotations

from typing import Annotated

import typer

from velotrace.cli.options import DiffFormat, ScenarioArgument
from velotrace.cli.output import put


def compare(
    scenario: ScenarioArgument = None,
    readings: Annotated[
        list[str],
        typer.Option(
            "--reading",
            metavar="R",
            help="document, paper, joint or scvi-tools; or scenario, for the file's own. May be "
            "given several times; without it, all.",
        ),
    ] = [],  # noqa: B006
    style: Annotated[DiffFormat, typer.Option("--format", help="Of the report.")] = DiffFormat.text,
) -> None:
    """Run one iteration under several readings side by side.

    With the same data, seeds and pins: the choices that differ and what they do to the numbers.
    """
    from velotrace.comparison import compare as run
    from velotrace.report import comparisons as report

    made = run(scenario, readings)
    shown = {
        "text": report.comparison_text,
        "md": report.comparison_markdown,
        "json": report.comparison_json,
        "csv": report.comparison_csv,
    }
    put(shown[style](made))
