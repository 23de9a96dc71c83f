"""The teacher's command: grade a folder of sheets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from velotrace.cli.output import progress, say
from velotrace.errors import InputError

if TYPE_CHECKING:
    from velotrace.exercises.sandbox import Sandbox


def grade(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The students' notebooks, in it or below it.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Table to write, .csv.")],
    salt_file: Annotated[
        Path | None,
        typer.Option("--salt-file", metavar="FILE", help="The one the sheets were made with."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Markdown to write: the common slips."),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option("--topic", help="What was set; that of most sheets if not given."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Sheets run at once; all cores if not given.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1.0, help="Time for one sheet; for one cell a third of it.")
    ] = 30.0,
    unconfined: Annotated[
        bool, typer.Option("--unconfined", help="Run sheets you trust where nothing confines them.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Run and grade many students' sheets.

    Each runs by itself: without network, without sight of other sheets or the salt, within limits
    of time and memory. What does not run to its end keeps the points of what it answered.
    """
    from velotrace.exercises import grading
    from velotrace.exercises.grading_report import grades_csv, report_markdown, summary
    from velotrace.exercises.salts import PUBLIC_SALT, read_salt
    from velotrace.exercises.sandbox import Limits, Sandbox
    from velotrace.files import write_all

    outputs = [output] if report is None else [output, report]
    _check_outputs(outputs, force)
    salt = PUBLIC_SALT if salt_file is None else read_salt(salt_file)
    handed = grading.collect(folder)
    exercises = grading.exercises_of(handed, topic)
    limits = Limits(seconds, seconds / 3)
    with Sandbox(limits, min(workers or _cores(), len(handed))) as sandbox:
        if not unconfined:
            hidden = [folder, *(folder / each.file for each in handed[:3])]
            _check_confined(sandbox, [*hidden, salt_file] if salt_file else hidden)
        with progress("Grading", len(handed)) as done:
            graded = grading.grade(handed, exercises, salt, sandbox, done)
    worth = grading.worth(exercises)
    contents = [grades_csv(graded, worth), report_markdown(graded, worth)]
    named = zip((str(path.absolute()) for path in outputs), contents, strict=False)
    write_all(Path(), dict(named), make_folders=False)
    say(summary(graded, worth))
    if without := grading.lacking(exercises):
        say(
            f"The sheets lack exercises of their topics that this version has: {', '.join(without)}"
        )
    say(f"Wrote {' and '.join(map(str, outputs))}")


def _check_outputs(outputs: Sequence[Path], force: bool) -> None:
    """Find out now, not after all sheets have run."""
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise InputError(f"{outputs[0]}: the table and the report need two names")
    for path in outputs:
        if path.suffix == ".ipynb":
            raise InputError(f"{path}: looks like a sheet; choose another name")
        if not path.absolute().parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}; make it first")
        if path.exists() and not force:
            raise InputError(f"{path} exists; choose another name or add --force")


def _check_confined(sandbox: Sandbox, hidden: Sequence[Path]) -> None:
    from velotrace.exercises.sandbox.places import in_sight
    from velotrace.exercises.sandbox.proof import breaches

    for path in hidden:
        above = in_sight(path)
        if above is not None:
            raise InputError(f"{path}: students' code can read {above}; move it elsewhere")
    found = breaches(sandbox, hidden)
    if found:
        right = "grade on Linux 5.13 or newer, or add --unconfined if you trust every sheet"
        raise InputError(f"a student's code could {', '.join(found)} on this machine; {right}")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
