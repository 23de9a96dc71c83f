"""What several commands share: arguments, options and the names of formats."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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


FolderOption = Annotated[
    Path | None, typer.Option("-o", "--output", help="Folder to write all tables to.")
]
StyleOption = Annotated[
    Format | None,
    typer.Option("--format", help="Of the files (csv), or of what is printed (tables)."),
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


class TextFormat(StrEnum):
    """How one report is printed."""

    text = "text"
    md = "md"
    json = "json"


class DiffFormat(StrEnum):
    """How differences are printed."""

    text = "text"
    md = "md"
    json = "json"
    csv = "csv"


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise typer.BadParameter(f"{text!r} is not a finite number, 0 or more")
    return value


ToleranceOption = Annotated[
    float,
    typer.Option(parser=_tolerance, help="Allowed difference, relative to the largest component."),
]
