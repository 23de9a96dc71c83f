"""The exercises of a page, with hidden answers, for one student: the book itself."""

from __future__ import annotations

import base64

from velotrace.exercises.catalogue import TOPICS, chosen
from velotrace.exercises.records import LETTERS, Part, Question
from velotrace.exercises.salts import PUBLIC_SALT
from velotrace.exercises.writing import prompt
from velotrace.report.book import show
from velotrace.report.book_tables import markdown, shown

READER = "the reader of the book"
"""The student whose questions the book shows."""


def exercises(topic: str) -> None:
    """Display the exercises at the end of a page, each with its answer folded away.

    Args:
        topic: the page's name, such as 'kinetics'.
    """
    asked = [exercise(READER, PUBLIC_SALT) for exercise in chosen(topic)]
    own = f"velotrace exercise new --student NAME --topic {topic} -o sheet.ipynb"
    show(*map(question_with_answer, asked), f"The same with numbers of your own: `{own}`.")


def question_with_answer(question: Question) -> str:
    """A question as Markdown, followed by a box that opens on its answer."""
    pieces = [f"**{question.title}.** {question.text}"]
    if question.figure is not None:
        encoded = base64.b64encode(question.figure()).decode()
        pieces.append(f"![{question.figure_alt}](data:image/png;base64,{encoded})")
    answers = "\n".join(f"- ({part.key}) {answer(part)}" for part in question.parts)
    inside = f":class: dropdown answer\n{question.solution}\n\n{answers}"
    box = f"````{{admonition}} Answer\n{inside}\n````"
    return "\n\n".join([*pieces, *map(prompt, question.parts), box])


def answer(part: Part) -> str:
    """The right answer of a part, in the book's typography."""
    digits = part.tolerance.digits
    if part.kind == "choice":
        return f"**{part.answer}.** {part.options[LETTERS.index(part.answer)]}"
    if part.kind == "line":
        return f"Line {part.answer}."
    if part.kind == "code":
        return "As a function; a sheet's is run on hidden points."
    if part.kind == "vector":
        pairs = zip(part.labels, part.answer, strict=True)
        return "; ".join(f"{label}: {shown(x, digits)}" for label, x in pairs)
    return shown(part.answer, digits)


def all_exercises() -> str:
    """A table of all exercises with links to their pages."""
    rows = [
        [f"{{doc}}`{topic}`", exercise.title, exercise.kind, f"`{exercise.id}`"]
        for topic in TOPICS
        for exercise in chosen(topic)
    ]
    return markdown(["page", "exercise", "kind", "name"], rows, 4)
