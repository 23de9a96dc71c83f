"""The ledger: velotrace claims."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from velotrace.cli.output import put

if TYPE_CHECKING:
    from rich.progress import Progress


class LedgerFormat(StrEnum):
    """How the ledger is printed."""

    text = "text"
    md = "md"
    json = "json"
    csv = "csv"


class ReadingName(StrEnum):
    """Under which reading to test."""

    document = "document"
    paper = "paper"
    joint = "joint"
    scvi_tools = "scvi-tools"


def claims(
    name: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Show this claim in full.")
    ] = None,
    reading: Annotated[
        ReadingName | None, typer.Option(help="Test under this reading alone; else under all.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many runs each training has.")] = 50,
    epochs: Annotated[int, typer.Option(min=2, help="How long each training is.")] = 1000,
    style: Annotated[
        LedgerFormat, typer.Option("--format", help="How to print the ledger.")
    ] = LedgerFormat.text,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep trainings for the next time.")
    ] = True,
) -> None:
    """Put every statement of the document to the test.

    The first time it trains from many seeds in every reading, which takes minutes; what has not
    changed since is kept.
    """
    from velotrace.claims import CLAIMS, READINGS, Ledger, find, ledger, make_context, test
    from velotrace.claims.ensembles import cache_folder
    from velotrace.report import ledger as report

    began, one = time.monotonic(), None if name is None else find(name)
    readings = READINGS if reading is None else (reading.value,)
    folder = cache_folder() if cache else None
    with _progress() as bars:
        context = make_context(readings, seeds, epochs, folder, _Trainings(bars, epochs))
        if one is None:
            tested = bars.add_task("claims", total=len(CLAIMS))
            made = ledger(context, done=lambda _: bars.advance(tested))
        else:
            made = Ledger((test(one, context),))
    in_full = one is not None and style is LedgerFormat.text
    put(report.in_full(made.findings[0]) if in_full else report.render(made, style))
    typer.echo(f"{time.monotonic() - began:.1f} s", err=True)


def _progress() -> Progress:
    """Bars on standard error, gone when all is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed())
    return Progress(*columns, console=Console(stderr=True), transient=True)


class _Trainings:
    """One bar for each training that runs."""

    def __init__(self, bars: Progress, epochs: int) -> None:
        self._bars, self._epochs = bars, epochs
        self._tasks: dict[str, int] = {}

    def __call__(self, name: str, done: int) -> None:
        if name not in self._tasks:
            task = self._bars.add_task(f"training: {name}", total=self._epochs)
            self._tasks[name] = int(task)
        self._bars.update(self._tasks[name], completed=done)  # type: ignore[arg-type]
