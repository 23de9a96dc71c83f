"""Sheets for one student or for a class: names to files, files to contents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from velotrace.data import read_text
from velotrace.errors import InputError
from velotrace.exercises.catalogue import checked_student, chosen
from velotrace.exercises.writing import markdown_sheet, notebook_sheet

NOT_IN_NAMES = set('/\\:*?"<>|')
"""Characters that one system or another refuses in the name of a file."""


def class_files(path: Path) -> dict[str, str]:
    """The notebooks of a class: student by name of the file.

    Args:
        path: a text file with one student per line; empty lines are left out.

    Raises:
        InputError: it cannot be read, a name cannot be that of a file, or comes twice.
    """
    files: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        student = checked_student(line)
        if NOT_IN_NAMES & set(student) or student.startswith("."):
            right = 'leave out dots in front and the characters / \\ : * ? " < > |'
            raise InputError(f"{path}, line {number}: {student!r} cannot name a file; {right}")
        file = f"{student}.ipynb"
        if file.lower() in (known.lower() for known in files):
            raise InputError(f"{path}, line {number}: {student!r} comes twice")
        files[file] = student
    return files


def written_sheets(
    files: Mapping[str, str], topic: str | None, salt: bytes
) -> tuple[dict[str, str | bytes], int]:
    """The sheets' contents by file, Markdown where its name ends so, and the points of each.

    Args:
        files: student by name of the file.
        topic: one page's exercises only.
        salt: of the course, or the public one.
    """
    made: dict[str, str | bytes] = {}
    points = 0
    for file, student in files.items():
        asked = [exercise(student, salt) for exercise in chosen(topic)]
        points = sum(question.points for question in asked)
        write = markdown_sheet if file.endswith(".md") else notebook_sheet
        made[file] = write(student, topic, asked, salt)
    return made, points
