"""Writing a sheet: as a notebook with nbgrader's cell metadata, or as Markdown for print."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from velotrace.errors import InputError
from velotrace.exercises.records import LETTERS, Part, Question
from velotrace.exercises.sheets import metadata, variable

HOW_TO = (
    "Every exercise asks for one thing or more, (a), (b), and so on. Put each answer in the place "
    "of the three dots in the cell that belongs to it, and keep the name on the left. You may "
    "compute in these cells, and add cells of your own."
)

RULES = (
    "A number counts as right when it agrees to the number of significant digits asked for: an "
    "error of half a unit of the last of them is allowed. Compute with all digits and round only "
    "at the end, or not at all. Where a value is read off a plot, the allowed difference is given. "
    "All logarithms are natural. State 1 is induction, 2 its steady state, 3 repression, 4 its "
    "steady state."
)

SELF_CHECK = "Save the notebook and run `velotrace exercise check` on it to see what is right."

HELD_BACK = "Whoever gave you this sheet can check it; it was made with a salt file."


def wanted(part: Part) -> str:
    """How a part's answer is to be given: one clause in brackets."""
    if part.kind == "choice":
        return f"one letter, A to {LETTERS[len(part.options) - 1]}"
    if part.kind == "line":
        return "the number of a line"
    if part.kind == "code":
        return f"a function of {', '.join(part.arguments)}"
    size = f"{len(part.answer)} numbers" if part.kind == "vector" else "a number"
    if part.tolerance.absolute:
        return f"{size}, within {part.tolerance.absolute:.2g}"
    if part.tolerance.read_off:
        return f"{size}, within {100 * part.tolerance.relative:g} %"
    return f"{size}, {part.tolerance.digits} significant digits"


def prompt(part: Part) -> str:
    """One part as Markdown: what is asked, how, for how many points, and the options."""
    points = "1 point" if part.points == 1 else f"{part.points} points"
    lines = [f"**({part.key})** {part.prompt} *({wanted(part)}; {points})*"]
    if part.kind == "choice":
        lettered = zip(LETTERS, part.options, strict=False)
        lines.append("\n".join(f"- **{letter}.** {option}" for letter, option in lettered))
    return "\n\n".join(lines)


def question_text(question: Question, heading: str, figure: str = "") -> str:
    """A question as Markdown.

    Args:
        question: the student's.
        heading: before its title, such as '3. '.
        figure: where its plot is, as a link's target.
    """
    pieces = [f"## {heading}{question.title}", question.text]
    if question.figure is not None:
        pieces.append(f"![{question.figure_alt}]({figure})")
    return "\n\n".join([*pieces, *map(prompt, question.parts)])


def starting_code(name: str, part: Part) -> str:
    """What stands in the cell of an answer at first."""
    if part.kind == "vector":
        return f"{name} = [{', '.join(['...'] * len(part.answer))}]"
    if part.kind == "code":
        return f"def {name}({', '.join(part.arguments)}):\n    return ..."
    return f'{name} = "..."' if part.kind == "choice" else f"{name} = ..."


# ---- Markdown -------------------------------------------------------------------------------


def markdown_sheet(student: str, topic: str | None, asked: Sequence[Question], salt: bytes) -> str:
    """A sheet for print: the questions, each with room for the answers; plots are inside."""
    about = metadata(student, topic, [question.id for question in asked], salt)
    points = sum(question.points for question in asked)
    pieces = [
        f"# {_title(topic)}",
        f"Student: {about['student']}  \nSheet: {about['sheet']}  \nPoints: {points}",
        "A number counts as right when it agrees to the number of significant digits asked for. "
        "All logarithms are natural. State 1 is induction, 2 its steady state, 3 repression, 4 "
        "its steady state.",
    ]
    for position, question in enumerate(asked, 1):
        picture = ""
        if question.figure is not None:
            encoded = base64.b64encode(question.figure()).decode()
            picture = f"data:image/png;base64,{encoded}"
        pieces.append(question_text(question, f"{position}. ", picture))
        pieces.append(
            "\n\n".join(f"({part.key}) \\_\\_\\_\\_\\_\\_\\_\\_" for part in question.parts)
        )
    return "\n\n".join(pieces) + "\n"


def _title(topic: str | None) -> str:
    return "veloVI, number by number: exercises" + (f", {topic}" if topic else "")


# ---- notebook -------------------------------------------------------------------------------


def notebook_sheet(student: str, topic: str | None, asked: Sequence[Question], salt: bytes) -> str:
    """A sheet as a Jupyter notebook, cells marked for nbgrader.

    Raises:
        InputError: nbformat is not installed.
    """
    try:
        nbformat = import_module("nbformat")
    except ImportError:
        right = "pip install 'velotrace[exercises]', or write Markdown with -o sheet.md"
        raise InputError(f"a notebook needs nbformat, which is not installed: {right}") from None
    about = metadata(student, topic, [question.id for question in asked], salt)
    last = SELF_CHECK if about["salt"] == "public" else HELD_BACK
    points = sum(question.points for question in asked)
    whose = f"**{about['student']}** · {points} points"
    head = "\n\n".join([f"# {_title(topic)}", whose, HOW_TO, RULES, last])
    cells = [
        _cell("markdown", "velotrace-head", head),
        _cell("code", "velotrace-setup", "import math\n\nimport numpy as np"),
    ]
    for position, question in enumerate(asked, 1):
        cells.append(_question_cell(position, question))
        for part in question.parts:
            name = variable(position, part)
            cells.append(_cell("code", name, starting_code(name, part), part.points))
    notebook = nbformat.from_dict(
        {
            "cells": cells,
            "metadata": {
                "kernelspec": {
                    "display_name": "Python 3", "language": "python", "name": "python3",
                },
                "language_info": {"name": "python"},
                "velotrace": about,
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )  # fmt: skip
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)) + "\n"


def _question_cell(position: int, question: Question) -> dict[str, Any]:
    text = question_text(question, f"{position}. ", "attachment:plot.png")
    cell = _cell("markdown", f"question_{position:02d}", text)
    if question.figure is not None:
        encoded = base64.b64encode(question.figure()).decode()
        cell["attachments"] = {"plot.png": {"image/png": encoded}}
    return cell


def _cell(kind: str, name: str, source: str, points: int | None = None) -> dict[str, Any]:
    """A cell with nbgrader's metadata: one with points is the student's, others are locked."""
    answer = points is not None
    marks: dict[str, Any] = {
        "schema_version": 3,
        "grade_id": name,
        "cell_type": kind,
        "grade": answer,
        "solution": answer,
        "locked": not answer,
        "task": False,
    }
    if answer:
        marks["points"] = points
    cell = {"cell_type": kind, "id": name, "source": source, "metadata": {"nbgrader": marks}}
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})
