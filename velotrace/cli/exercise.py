"""Exercises: list them, write a student's sheet, check it, grade many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from velotrace.cli.grading import grade
from velotrace.cli.output import put, say
from velotrace.errors import InputError

exercise = typer.Typer(
    name="exercise",
    help="Exercises with parameters of each student's own, which check themselves.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

TopicOption = Annotated[
    str | None,
    typer.Option("--topic", metavar="TOPIC", help="One page's exercises only, as kinetics."),
]
SaltOption = Annotated[
    Path | None,
    typer.Option(
        "--salt-file",
        metavar="FILE",
        help="Sixteen random characters or more; only who has them can check the sheet.",
    ),
]


@exercise.command("list")
def list_exercises(topic: TopicOption = None) -> None:
    """List the exercises in the document's order."""
    from velotrace.exercises.catalogue import chosen
    from velotrace.exercises.feedback import list_text

    put(list_text(chosen(topic)))


@exercise.command()
def new(
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Sheet to write: .ipynb, or .md for print; or a folder."
        ),
    ],
    student: Annotated[
        str | None, typer.Option("--student", metavar="ID", help="A name or a number.")
    ] = None,
    students: Annotated[
        Path | None,
        typer.Option("--students", metavar="FILE", help="One ID per line: a notebook for each."),
    ] = None,
    topic: TopicOption = None,
    salt_file: SaltOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write one student's sheet, or a folder of notebooks for a class."""
    from velotrace.exercises.catalogue import chosen
    from velotrace.exercises.classes import class_files, written_sheets
    from velotrace.exercises.salts import PUBLIC_SALT, read_salt
    from velotrace.files import write_all

    if students is not None and student is None:
        folder, files = output, class_files(students)
    elif student is not None and students is None:
        folder, files = output.parent, {output.name: student}
        if output.suffix not in (".ipynb", ".md"):
            raise InputError(f"{output}: a sheet is a notebook, .ipynb, or for print Markdown, .md")
    else:
        raise InputError("name one student with --student, or a class with --students")
    for file in files:
        if (folder / file).exists() and not force:
            raise InputError(f"{folder / file} exists; choose another name or add --force")
    salt = PUBLIC_SALT if salt_file is None else read_salt(salt_file)
    sheets, points = written_sheets(files, topic, salt)
    write_all(folder, sheets, make_folders=students is not None)
    what = f"{len(chosen(topic))} exercises, {points} points"
    say(f"Wrote {output}: {what}" + (f", {len(sheets)} students" if students else ""))


@exercise.command()
def check(
    sheet: Annotated[Path, typer.Argument(help="The notebook with the answers.")],
    salt_file: SaltOption = None,
) -> None:
    """Run a sheet and say what is right, and which slip it looks like.

    Exit code 1 unless all of it is right.
    """
    from velotrace.exercises import sheets
    from velotrace.exercises.feedback import feedback_text
    from velotrace.exercises.salts import PUBLIC_SALT, read_salt
    from velotrace.exercises.sandbox import run_cells

    salt = PUBLIC_SALT if salt_file is None else read_salt(salt_file)
    read = sheets.read_sheet(sheet)
    try:
        asked = sheets.questions(read, salt)
    except InputError as problem:
        raise InputError(f"{sheet}: {problem}") from None
    run = run_cells(read.cells, sheets.probes(asked))
    marked = sheets.check_answers(asked, run.answers)
    put(feedback_text(marked, run.problem))
    right = not run.problem and all(not one.result.slip for one in marked)
    raise typer.Exit(0 if right else 1)


exercise.command()(grade)
