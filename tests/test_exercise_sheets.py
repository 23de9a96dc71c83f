"""Sheets: what they hold and what not, that they run in Jupyter, and the commands around them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from helpers import Outcome, assert_refused
from nbclient import NotebookClient

from velotrace.errors import InputError
from velotrace.exercises import salts, sheets, writing
from velotrace.exercises.catalogue import TOPICS, chosen
from velotrace.exercises.records import Part, Question
from velotrace.exercises.salts import PUBLIC_SALT
from velotrace.report import book_exercises

Command = Callable[..., Outcome]

SALT = b"kept in a drawer of the teacher"


@cache
def questions(student: str = "ada", salt: bytes = SALT) -> tuple[Question, ...]:
    return tuple(exercise(student, salt) for exercise in chosen())


@cache
def notebook_text(student: str = "ada", salt: bytes = SALT) -> str:
    return writing.notebook_sheet(student, None, questions(student, salt), salt)


def notebook(student: str = "ada", salt: bytes = SALT) -> Any:
    return nbformat.reads(notebook_text(student, salt), as_version=4)


# ---- what a sheet holds ---------------------------------------------------------------------


def test_a_sheet_is_read_back() -> None:
    sheet = sheets.parse_sheet(notebook_text(), "sheet")
    assert (sheet.student, sheet.topic, sheet.salt_mark) == ("ada", None, salts.mark(SALT))
    assert sheet.exercises == tuple(exercise.id for exercise in chosen())
    assert [q.data for q in sheets.questions(sheet, SALT)] == [q.data for q in questions()]
    assert sheet.cells[0].startswith("import math")
    assert len(sheet.cells) == 1 + sum(len(q.parts) for q in questions())
    names = [cell.id for cell in notebook().cells]
    assert len(set(names)) == len(names)
    assert "answer_03a" in names


def test_cells_carry_what_nbgrader_wants() -> None:
    """The keys and combinations of nbgrader's format 3: answers graded by hand, the rest locked."""
    for cell in notebook().cells:
        marks = cell.metadata["nbgrader"]
        keys = {"schema_version", "grade_id", "grade", "solution", "locked", "task", "cell_type"}
        answer = cell.id.startswith("answer_")
        assert set(marks) == keys | ({"points"} if answer else set())
        assert (marks["schema_version"], marks["task"]) == (3, False)
        assert (marks["grade_id"], marks["cell_type"]) == (cell.id, cell.cell_type)
        assert re.fullmatch(r"[a-zA-Z0-9_\-]+", cell.id)
        assert (marks["grade"], marks["solution"], marks["locked"]) == (answer, answer, not answer)
    points = [cell.metadata["nbgrader"].get("points", 0) for cell in notebook().cells]
    assert sum(points) == sum(question.points for question in questions())


def spellings(number: float) -> set[str]:
    """A number in the ways it could be written."""
    ways = {repr(number), str(number), repr(abs(number)), number.hex(), abs(number).hex()}
    for digits in range(4, 18):
        for value in (number, abs(number), -number):
            ways |= {f"{value:.{digits}g}", f"{value:.{digits}e}", f"{value:.{digits}f}"}
    return {way for way in ways if len(way.strip("-").replace(".", "").lstrip("0")) >= 4}


def own_text(question: Question, position: int, cells: Sequence[Any]) -> str:
    """All that a notebook holds of one question, but for its plot."""
    names = {f"question_{position:02d}"}
    names |= {sheets.variable(position, part) for part in question.parts}
    return "\n".join(str(cell.source) for cell in cells if cell.id in names)


def tokens(text: str) -> set[str]:
    """All numbers in a text, as written."""
    return set(re.findall(r"-?[0-9][0-9a-fx.+p-]*(?:e[+-]?[0-9]+)?", text.replace("\u2212", "-")))


@pytest.mark.parametrize("student", ["ada", "17", "Zoë"])
def test_no_answer_is_in_a_sheet(student: str) -> None:
    """Nor a slip's message, a hidden point or the solution; searched in every spelling."""
    cells = notebook(student).cells
    everything = notebook_text(student)
    paper = writing.markdown_sheet(student, None, questions(student), SALT)
    for position, question in enumerate(questions(student), 1):
        own = own_text(question, position, cells)
        assert own.count("answer_") >= len(question.parts)
        assert question.solution not in everything + paper
        for part in question.parts:
            numbers = numbers_of(part)
            for number in numbers:
                assert not spellings(number) & tokens(own), (question.id, number)
                if len(repr(number)) > 12:  # long enough to be nothing else's by chance
                    assert repr(number) not in everything + paper
            for slip in part.slips:
                assert slip.message not in everything + paper
            for probe in part.probes:
                assert str(list(probe)) not in everything
                assert str(tuple(probe)) not in everything


def numbers_of(part: Part) -> list[float]:
    """The right numbers of a part; a choice shows its options, a listing its lines."""
    if part.kind == "number":
        return [part.answer]
    return list(part.answer) if part.kind in ("vector", "code") else []


def test_the_search_for_answers_can_fail() -> None:
    assert spellings(4.680704) & tokens("about 4.6807, they say")
    assert spellings(-0.25871) & tokens("or −0.2587")


def test_no_salt_is_in_a_sheet() -> None:
    paper = writing.markdown_sheet("ada", None, questions(), SALT)
    for text in (notebook_text(), paper):
        for trace in (SALT, base64.b64encode(SALT), SALT.hex().encode()):
            assert trace not in text.encode()
        for name in hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}:
            assert hashlib.new(name, SALT).hexdigest()[:8] not in text
    assert salts.mark(SALT) in notebook_text()


def test_markdown_holds_everything_and_its_plots() -> None:
    text = writing.markdown_sheet("ada", "kinetics", questions(), SALT)
    assert text.startswith("# veloVI, number by number: exercises, kinetics")
    assert text.count("data:image/png;base64,") == 2
    for position, question in enumerate(questions(), 1):
        assert f"## {position}. {question.title}" in text
        assert all(part.prompt in text for part in question.parts)


def test_the_book_folds_answers_away() -> None:
    """Of each question's page text, what belongs to the answer stands inside the box."""
    for question in questions("ada", PUBLIC_SALT):
        text, _, box = book_exercises.question_with_answer(question).partition("````{admonition}")
        assert box.startswith(" Answer\n:class: dropdown")
        assert question.solution in box
        assert question.solution not in text
        for part in question.parts:
            assert f"- ({part.key}) {book_exercises.answer(part)}" in box
            assert part.prompt in text
    table = book_exercises.all_exercises()
    assert all(f"`{exercise.id}`" in table for exercise in chosen())


def test_every_topic_s_page_ends_with_its_exercises() -> None:
    book = Path(__file__).resolve().parent.parent / "book"
    for topic in TOPICS:
        page = (book / f"{topic}.md").read_text(encoding="utf-8")
        assert f'exercises("{topic}")' in page[page.index("## Exercises") :]


# ---- in Jupyter -----------------------------------------------------------------------------

CODE = {
    "equal-rates": """
def answer_{}(alpha, beta, gamma, t):
    if beta == gamma:
        return alpha / beta * (1 - np.exp(-beta * t)) - alpha * t * math.exp(-beta * t)
    second = (math.exp(-gamma * t) - math.exp(-beta * t)) / (gamma - beta)
    return alpha / gamma * (1 - math.exp(-gamma * t)) + alpha * second
""",
    "through-the-draw-code": """
def answer_{}(pull, log_var, eps):
    path = pull * 0.5 * math.exp(0.5 * log_var) * eps
    return np.float64(path + {} * 0.5 * (math.exp(log_var) - 1))
""",
}
"""Right answers in code, by exercise."""


def filled(asked: Sequence[Question], text: str, right: bool) -> Any:
    """A sheet with all answers filled in: right, or what the first slip gives."""
    made = nbformat.reads(text, as_version=4)
    cells = {cell.id: cell for cell in made.cells}
    for position, question in enumerate(asked, 1):
        for part in question.parts:
            name = sheets.variable(position, part)
            cells[name].source = answer_cell(question, part, name, right)
    return made


def answer_cell(question: Question, part: Part, name: str, right: bool) -> str:
    if part.kind == "code":
        if not right:
            return f"def {name}({', '.join(part.arguments)}):\n    return 1.0 / 0.0"
        weight = question.data.get("kl_weight")
        return CODE[question.id].format(name.removeprefix("answer_"), weight).strip()
    answer = part.answer if right or not part.slips else part.slips[0].answer
    if part.kind == "vector":
        return f"{name} = np.array({list(answer)!r})"
    return f"{name} = {answer!r}"


COLLECT = """
import json
def plain(value):
    return value.tolist() if hasattr(value, "tolist") else value
print(json.dumps({{name: plain(value) if points is None else
    {{"values": [plain(value(*point)) for point in points]}}
    for name, points in {probes}.items() for value in [globals()[name]]}}))
"""


@pytest.mark.slow
def test_a_sheet_runs_in_jupyter_with_right_answers() -> None:
    asked = questions("ada", PUBLIC_SALT)
    made = filled(asked, notebook_text("ada", PUBLIC_SALT), right=True)
    collect = COLLECT.format(probes=sheets.probes(asked))
    made.cells.append(nbformat.v4.new_code_cell(collect))
    NotebookClient(made, timeout=120, kernel_name="python3").execute()
    answers = json.loads(made.cells[-1].outputs[0].text)
    marked = sheets.check_answers(asked, answers)
    assert [one.variable for one in marked if one.result.slip] == []


@pytest.mark.slow
def test_a_sheet_runs_in_jupyter_with_wrong_answers_and_as_it_is() -> None:
    asked = questions("ada", PUBLIC_SALT)
    for made in (
        filled(asked, notebook_text("ada", PUBLIC_SALT), right=False),
        notebook("ada", PUBLIC_SALT),
    ):
        NotebookClient(made, timeout=120, kernel_name="python3").execute()
        assert all(cell.execution_count for cell in made.cells if cell.cell_type == "code")


# ---- commands -------------------------------------------------------------------------------


def test_a_student_s_whole_way(command: Command, tmp_path: Path) -> None:
    """new, fill in, check: with nothing, with the first slips, with everything right."""
    path = tmp_path / "sheet.ipynb"
    made = command("exercise", "new", "--student", "ada", "-o", path)
    count, points = len(chosen()), sum(q.points for q in questions("ada", PUBLIC_SALT))
    assert (made.status, made.out) == (
        0,
        f"Wrote {path}: {count} exercises, {points} points\n",
    )
    empty = command("exercise", "check", path)
    assert empty.status == 1
    assert "Not answered yet: answer_01a, answer_01b" in empty.out
    assert empty.out.endswith(f"\n0 of {points} points\n")

    asked = questions("ada", PUBLIC_SALT)
    text = path.read_text(encoding="utf-8")
    nbformat.write(filled(asked, text, right=False), path)
    wrong = command("exercise", "check", path)
    assert wrong.status == 1
    said = " ".join(wrong.out.split())
    for question in asked:
        for part in question.parts:
            if part.slips and part.kind != "code":
                assert f"({part.key}) {' '.join(part.slips[0].message.split())}" in said
    assert "hidden points it stops: ZeroDivisionError" in said
    assert max(map(len, wrong.out.splitlines())) < 80

    nbformat.write(filled(asked, text, right=True), path)
    right = command("exercise", "check", path)
    assert right.out.endswith(f"\n{points} of {points} points\n")
    assert right.status == 0


def test_a_sheet_with_a_salt_file_is_its_holder_s(command: Command, tmp_path: Path) -> None:
    path, salt, other = tmp_path / "sheet.ipynb", tmp_path / "salt", tmp_path / "other"
    salt.write_bytes(SALT + b"\n")
    other.write_bytes(SALT[::-1])
    arguments = ("exercise", "new", "--student", "ada", "--topic", "times", "-o", path)
    assert command(*arguments, "--salt-file", salt).status == 0
    right = "only who holds that file can check it, with --salt-file"
    assert_refused(command("exercise", "check", path), "made with a salt file", right)
    wrong = command("exercise", "check", path, "--salt-file", other)
    assert_refused(wrong, "another salt file")
    assert "0 of 2 points" in command("exercise", "check", path, "--salt-file", salt).out
    assert_refused(command(*arguments), "exists", "--force")
    assert command(*arguments, "--force").status == 0
    public = command("exercise", "check", path, "--salt-file", salt)
    assert_refused(public, "made without a salt file")


def test_a_class(command: Command, tmp_path: Path) -> None:
    """Each notebook is the one that its student would get alone."""
    names, folder = tmp_path / "class.txt", tmp_path / "sheets"
    names.write_text("ada\n\n  Zo\u00eb \n17\n", encoding="utf-8")
    arguments = ("exercise", "new", "--students", names, "--topic", "times", "-o", folder)
    made = command(*arguments)
    assert made.out == f"Wrote {folder}: 1 exercises, 2 points, 3 students\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        "17.ipynb",
        "Zo\u00eb.ipynb",
        "ada.ipynb",
    ]
    alone = tmp_path / "ada.ipynb"
    command("exercise", "new", "--student", "ada", "--topic", "times", "-o", alone)
    assert alone.read_text() == (folder / "ada.ipynb").read_text()
    assert_refused(command(*arguments), "exists", "--force")
    for text, words in (
        ("a\nA\n", "line 2: 'A' comes twice"),
        ("x/y", "line 1: 'x/y' cannot name"),
    ):
        names.write_text(text)
        assert_refused(command(*arguments), words)
    assert_refused(
        command("exercise", "new", "-o", folder), "--student, or a class with --students"
    )


def test_list(command: Command) -> None:
    listed = command("exercise", "list").out
    assert all(exercise.id in listed and exercise.title in listed for exercise in chosen())
    assert max(map(len, listed.splitlines())) <= 80
    assert command("exercise", "list", "--topic", "times").out.splitlines()[0] == "times"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new", "--student", "ada", "-o", "sheet.txt"], ".ipynb, or for print Markdown, .md"),
        (["new", "--student", " ", "-o", "sheet.md"], "the student is ' '"),
        (["new", "--student", "a", "--topic", "tims", "-o", "s.md"], "did you mean 'times'?"),
        (["new", "--student", "a", "--salt-file", "none", "-o", "s.md"], "none: the salt cannot"),
        (["new", "--student", "a", "--salt-file", "short", "-o", "s.md"], "has 5 bytes"),
        (["new", "--student", "a", "-o", "no/s.md"], "cannot be written"),
        (["check", "none.ipynb"], "none.ipynb: the sheet cannot be read"),
        (["check", "sheet.md"], "a sheet in Markdown is for print"),
        (["check", "short"], "not a notebook"),
        (["check", "plain.ipynb"], "not a sheet of exercises"),
        (["check", "changed.ipynb"], "names the exercise 'none such'"),
        (["list", "--topic", "x"], "there is no topic 'x'"),
    ],
)
def test_bad_input(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("short")
    Path("plain.ipynb").write_text('{"cells": [], "metadata": {}}')
    about = sheets.metadata("ada", None, ["none such"], PUBLIC_SALT)
    Path("changed.ipynb").write_text(json.dumps({"cells": [], "metadata": {"velotrace": about}}))
    before = set(tmp_path.iterdir())
    assert_refused(command("exercise", *arguments), words)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "[" * 100_000, '{"metadata": []}', '{"metadata": {"velotrace": 3}}'],
)
def test_what_is_no_sheet_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"x\.ipynb: not a"):
        sheets.parse_sheet(text, "x.ipynb")


@pytest.mark.parametrize(
    "change",
    [
        {"student": None},
        {"student": ""},
        {"exercises": "all"},
        {"exercises": ["glorot", "glorot"]},
        {"exercises": [["glorot"]]},
        {"salt": 7},
    ],
)
def test_changed_metadata_is_refused(change: dict[str, Any]) -> None:
    about = sheets.metadata("ada", None, ["glorot"], PUBLIC_SALT) | change
    with pytest.raises(InputError):
        sheets.parse_sheet(json.dumps({"cells": [], "metadata": {"velotrace": about}}), "x")


def test_odd_cells_do_not_stop_reading() -> None:
    about = sheets.metadata("ada", None, ["glorot"], PUBLIC_SALT)
    cells = [None, 3, {"cell_type": "code"}, {"cell_type": "code", "source": ["a = 1\n", "b = 2"]},
             {"cell_type": "markdown", "source": "x"}]  # fmt: skip
    text = json.dumps({"cells": cells, "metadata": {"velotrace": about}})
    assert sheets.parse_sheet(text, "x").cells == ("", "a = 1\nb = 2")


def test_without_nbformat_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(writing, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install 'velotrace\[exercises\]'.*sheet\.md"):
        writing.notebook_sheet("ada", None, [], PUBLIC_SALT)
