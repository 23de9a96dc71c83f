"""Grading a folder of sheets, some of which are broken, endless or malicious."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from helpers import Outcome

from velotrace.errors import InputError
from velotrace.exercises import grading, sheets
from velotrace.exercises.catalogue import EXERCISES, chosen
from velotrace.exercises.records import Question
from velotrace.exercises.salts import PUBLIC_SALT
from velotrace.exercises.sandbox import Limits, Sandbox, proof
from velotrace.exercises.sandbox.places import package_root
from velotrace.exercises.writing import notebook_sheet

pytestmark = pytest.mark.skipif(os.name != "posix", reason="grading runs on POSIX only")

SALT = b"a salt for these tests alone"
Command = Callable[..., Outcome]
Sources = dict[str, str]

# ---- sheets with answers --------------------------------------------------------------------


@cache
def asked(student: str, topic: str, salt: bytes = SALT) -> tuple[Question, ...]:
    return tuple(exercise(student, salt) for exercise in chosen(topic))


@cache
def blank(student: str, topic: str, salt: bytes = SALT) -> str:
    return notebook_sheet(student, topic, asked(student, topic, salt), salt)


def written(name: str, answer: Any, part: Any) -> str:
    """An answer as a cell's source; a function looks its values up."""
    if part.kind == "code":
        table = dict(zip(part.probes, answer, strict=True))
        return f"def {name}(*point):\n    return {table!r}[point]"
    return f"{name} = {list(answer) if part.kind == 'vector' else answer!r}"


def right(questions: Sequence[Question]) -> Sources:
    """Each answer's cell, all right."""
    return {
        name: written(name, part.answer, part)
        for position, question in enumerate(questions, 1)
        for part in question.parts
        for name in (sheets.variable(position, part),)
    }


def filled(text: str, sources: Sources, before: str = "", after: str = "") -> dict[str, Any]:
    """A notebook with its answers, and a cell before or after them."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["id"] in sources:
            cell["source"] = sources[cell["id"]]
    code = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    if before:
        notebook["cells"].insert(1, {**code, "id": "before", "source": before})
    if after:
        notebook["cells"].append({**code, "id": "after", "source": after})
    return notebook


def put(path: Path, notebook: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook))
    return path


def hand_in(folder: Path, student: str, topic: str = "data", **cells: str) -> Path:
    """A sheet with all answers right."""
    sources = right(asked(student, topic))
    return put(folder / f"{student}.ipynb", filled(blank(student, topic), sources, **cells))


def points(topic: str) -> int:
    return sum(question.points for question in asked("anyone", topic))


def rows(table: Path) -> dict[str, dict[str, str]]:
    """The grades by file."""
    read = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    found = {row["sheet"]: row for row in read}
    assert len(found) == len(read)
    return found


@pytest.fixture
def salt_file(tmp_path: Path) -> Path:
    path = tmp_path / "salt"
    path.write_bytes(SALT)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "handed-in"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def confined() -> None:
    """Skip where this machine cannot keep a notebook from anything."""
    with Sandbox() as sandbox, tempfile.NamedTemporaryFile() as file:
        found = proof.breaches(sandbox, [Path(file.name)])
    if found:
        pytest.skip(f"here code in the sandbox can {', '.join(found)}")


# ---- what comes out -------------------------------------------------------------------------


@pytest.mark.usefixtures("confined")
def test_right_wrong_and_absent_answers(
    command: Command, folder: Path, salt_file: Path, tmp_path: Path
) -> None:
    topic = "reparameterisation"
    hand_in(folder, "ada", topic)
    put(folder / "bo.ipynb", blank("bo", topic))
    for number in range(3):
        student = f"slip-{number}"
        questions = asked(student, topic)
        part = questions[0].parts[0]
        slip = written("answer_01a", part.slips[0].answer, part)
        sources = right(questions) | {"answer_01a": slip}
        put(folder / "below" / f"{student}.ipynb", filled(blank(student, topic), sources))
    table, report = tmp_path / "grades.csv", tmp_path / "report.md"
    given = ("--salt-file", salt_file, "-o", table, "--report", report)
    outcome = command("exercise", "grade", folder, *given)
    assert outcome.status == 0, outcome.err

    of = points(topic)
    found = rows(table)
    assert list(found) == ["ada.ipynb", "bo.ipynb", *(f"below/slip-{n}.ipynb" for n in range(3))]
    missed = asked("ada", topic)[0].parts[0].points
    assert [int(row["points"]) for row in found.values()] == [of, 0, *[of - missed] * 3]
    names = [question.id for question in asked("ada", topic)]
    for row in found.values():
        assert int(row["of"]) == of
        assert sum(int(row[name]) for name in names) == int(row["points"])
        assert row["problem"] == row["note"] == ""
    text = report.read_text(encoding="utf-8")
    common = asked("slip-0", topic)[0].parts[0].slips[0].key
    line = next(line for line in text.splitlines() if common in line)
    assert line.split("|")[-2].strip() == "3"
    assert "5 sheets of 2 exercises, of which 5 ran to their end." in outcome.out


@pytest.mark.usefixtures("confined")
def test_the_table_is_the_same_however_many_work(
    command: Command, folder: Path, salt_file: Path, tmp_path: Path
) -> None:
    for number in range(6):
        hand_in(folder, f"student-{number}", after="1 / 0" if number % 3 else "")
    tables = []
    for workers in ("1", "3"):
        table = tmp_path / f"grades-{workers}.csv"
        given = ("--salt-file", salt_file, "-o", table, "--workers", workers)
        assert command("exercise", "grade", folder, *given).status == 0
        tables.append(table.read_bytes())
    assert tables[0] == tables[1]
    assert tables[0].count(b"ZeroDivisionError: division by zero") == 4


@pytest.mark.usefixtures("confined")
def test_a_name_is_no_formula(
    command: Command, folder: Path, salt_file: Path, tmp_path: Path
) -> None:
    hand_in(folder, "=HYPERLINK(1)", before="class E(Exception): pass\nraise E('=1+1')")
    table = tmp_path / "grades.csv"
    given = ("--salt-file", salt_file, "-o", table)
    assert command("exercise", "grade", folder, *given).status == 0
    row = rows(table)["'=HYPERLINK(1).ipynb"]
    assert row["student"] == "'=HYPERLINK(1)"
    assert row["problem"] == "cell 1: E: =1+1"
    assert row["points"] == row["of"]


@pytest.mark.usefixtures("confined")
def test_stopping_stops_at_once(folder: Path) -> None:
    hand_in(folder, "ada")
    for number in range(3):
        hand_in(folder, f"deaf-{number}", before=DEAF)
    handed = grading.collect(folder)
    exercises = grading.exercises_of(handed, None)

    def stop(_done: int) -> None:
        raise KeyboardInterrupt

    with Sandbox(Limits(seconds=600.0), workers=2) as sandbox:
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            grading.grade(handed, exercises, SALT, sandbox, stop)
        assert time.monotonic() - begun < 60.0


# ---- sheets that were tampered with ---------------------------------------------------------


def graded(folder: Path, topic: str | None = None) -> dict[str, grading.Graded]:
    handed = grading.collect(folder)
    exercises = grading.exercises_of(handed, topic)
    with Sandbox(Limits(seconds=20.0)) as sandbox:
        return {one.file: one for one in grading.grade(handed, exercises, SALT, sandbox)}


def test_what_a_sheet_says_of_itself_wins_nothing(folder: Path) -> None:
    topic = "chainrule"
    of = points(topic)
    for student in ("ada", "bo", "cy", "di"):
        hand_in(folder, student, topic)

    hers = json.loads((folder / "ada.ipynb").read_text())
    put(folder / "copied.ipynb", hers)
    hers["metadata"]["velotrace"]["student"] = "ed"
    put(folder / "renamed.ipynb", hers)

    fewer = filled(blank("flo", topic), {"answer_01a": right(asked("flo", topic))["answer_01a"]})
    fewer["metadata"]["velotrace"]["exercises"] = fewer["metadata"]["velotrace"]["exercises"][:1]
    put(folder / "fewer.ipynb", fewer)

    public = filled(blank("gus", topic, PUBLIC_SALT), right(asked("gus", topic, PUBLIC_SALT)))
    put(folder / "public.ipynb", public)
    public["metadata"]["velotrace"]["salt"] = hers["metadata"]["velotrace"]["salt"]
    put(folder / "marked.ipynb", public)

    found = graded(folder)
    assert [one.file for one in found.values()] == sorted(
        found, key=lambda file: (found[file].student, file)
    )
    assert {found[f"{name}.ipynb"].points for name in ("ada", "bo", "cy", "di")} == {of}
    assert found["copied.ipynb"].points == of
    assert found["copied.ipynb"].note == "the same student as ada.ipynb"
    assert found["ada.ipynb"].note == "the same student as copied.ipynb"
    assert found["renamed.ipynb"].points < of
    assert found["fewer.ipynb"].points == asked("flo", topic)[0].parts[0].points
    assert sum(one.result.of for one in found["fewer.ipynb"].marked) == of
    assert found["fewer.ipynb"].note == "its list of exercises is not the one that was set"
    assert found["public.ipynb"].points == 0
    assert found["public.ipynb"].problem.startswith("not run: the sheet was made without a salt")
    assert found["marked.ipynb"].points < of


def test_the_exercises_are_the_teachers(folder: Path) -> None:
    hand_in(folder, "ada", "data")
    hand_in(folder, "bo", "chainrule")
    with pytest.raises(InputError, match="no more than 1 of 2 sheets have the same exercises"):
        grading.exercises_of(grading.collect(folder), None)
    hand_in(folder, "cy", "data")
    handed = grading.collect(folder)
    set_for_all = tuple(exercise.id for exercise in chosen("data"))
    assert grading.exercises_of(handed, None) == set_for_all
    chain = tuple(exercise.id for exercise in chosen("chainrule"))
    assert grading.exercises_of(handed, "chainrule") == chain
    with pytest.raises(InputError, match="no topic 'chain'"):
        grading.exercises_of(handed, "chain")


def test_sheets_of_an_earlier_version_are_graded_as_they_are() -> None:
    chain = tuple(exercise.id for exercise in chosen("chainrule"))
    sheet = sheets.parse_sheet(blank("ada", "chainrule"), "ada.ipynb")
    earlier = grading.Handed("ada.ipynb", replace(sheet, exercises=chain[1:]))
    assert grading.exercises_of([earlier], None) == chain[1:]
    assert grading.lacking(chain[1:]) == chain[:1]
    assert grading.lacking(chain) == ()


def test_points_are_the_same_for_every_student() -> None:
    worth = grading.worth(tuple(EXERCISES))
    for student in ("ada", "bo"):
        assert worth == {name: each(student, SALT).points for name, each in EXERCISES.items()}


# ---- sheets that are none -------------------------------------------------------------------

NO_SHEET = {
    "empty": ("", "not a notebook: it is no JSON"),
    "text": ("passed", "not a notebook: it is no JSON"),
    "cut": (blank("ada", "data")[:-100], "not a notebook: it is no JSON"),
    "nested": ("[" * 100_000, "not a notebook: it is no JSON"),
    "list": ("[]", "not a sheet of exercises"),
    "plain": ('{"cells": [], "metadata": {}, "nbformat": 4}', "not a sheet of exercises"),
    "number": ("1" * 6000, "not a notebook: it is no JSON"),
}


@pytest.fixture
def no_sheets(folder: Path) -> dict[str, str]:
    """Files that are no sheets in a folder, and what is said of each."""
    told = {f"{name}.ipynb": why for name, (text, why) in NO_SHEET.items()}
    for name, (text, _) in NO_SHEET.items():
        put(folder / f"{name}.ipynb", text)
    (folder / "bytes.ipynb").write_bytes(bytes(range(256)))
    told["bytes.ipynb"] = "not a notebook: it is no JSON"
    for changed, value in (
        ("student", None),
        ("student", ["ada"]),
        ("exercises", "all"),
        ("salt", 7),
    ):
        notebook = json.loads(blank("ada", "data"))
        notebook["metadata"]["velotrace"][changed] = value
        file = f"{changed}-{type(value).__name__}.ipynb"
        put(folder / file, notebook)
        told[file] = "what the sheet says of itself was changed"
    notebook = json.loads(blank("ada", "data"))
    notebook["metadata"]["velotrace"]["student"] = "\x1b[2J"
    put(folder / "name.ipynb", notebook)
    told["name.ipynb"] = "the student is"
    elsewhere = "not a file of its own"
    (folder / "link.ipynb").symlink_to(put(folder.parent / "hers.json", blank("ada", "data")))
    (folder / "folder.ipynb").mkdir()
    os.mkfifo(folder / "pipe.ipynb")
    return told | dict.fromkeys(("link.ipynb", "folder.ipynb", "pipe.ipynb"), elsewhere)


@pytest.mark.usefixtures("confined")
def test_what_is_no_sheet_stops_nothing(
    command: Command, folder: Path, no_sheets: dict[str, str], salt_file: Path, tmp_path: Path
) -> None:
    hand_in(folder, "zoe")
    put(folder / ".ipynb_checkpoints" / "zoe-checkpoint.ipynb", blank("zoe", "data"))
    put(folder / "notes.txt", "not looked at")
    table = tmp_path / "grades.csv"
    given = ("--salt-file", salt_file, "-o", table, "--report", tmp_path / "report.md")
    outcome = command("exercise", "grade", folder, *given)
    assert outcome.status == 0, outcome.err
    found = rows(table)
    assert next(iter(found)) == "zoe.ipynb"
    assert found.pop("zoe.ipynb")["points"] == str(points("data"))
    assert set(found) == set(no_sheets)
    for file, why in no_sheets.items():
        assert found[file]["problem"].startswith(f"not run: {why}")
        assert found[file]["points"] == "0"
        assert found[file]["of"] == str(points("data"))
        assert found[file]["problem"].isprintable()


# ---- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["{tmp}/absent"], "absent: not a folder"),
        (["{tmp}"], "no notebook (.ipynb)"),
        (["{folder}", "--salt-file", "{tmp}/none"], "none: the salt cannot be read"),
        (["{folder}", "-o", "{tmp}/no/grades.csv"], "there is no folder"),
        (["{folder}", "-o", "{tmp}/there.csv"], "there.csv exists"),
        (["{folder}", "--report", "{tmp}/grades.csv"], "need two names"),
        (["{folder}", "--report", "{tmp}/grades.ipynb"], "looks like a sheet"),
        (["{folder}", "--topic", "kinetcs"], "did you mean 'kinetics'"),
        (["{folder}", "--workers", "0"], "Invalid value for '--workers'"),
    ],
)
def test_bad_input_writes_nothing(
    command: Command, tmp_path: Path, options: list[str], told: str
) -> None:
    there = tmp_path / "there.csv"
    there.touch()
    folder = tmp_path if options[0] == "{tmp}" else tmp_path / "sheets"
    if folder != tmp_path:
        put(folder / "ada.ipynb", blank("ada", "data", PUBLIC_SALT))
    places = {"tmp": str(tmp_path), "folder": str(folder)}
    given = [option.format(**places) for option in options]
    if "-o" not in given:
        given += ["-o", str(tmp_path / "grades.csv")]
    outcome = command("exercise", "grade", *given)
    assert outcome.status == 2
    assert told in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "grades.csv").exists()
    assert there.read_bytes() == b""


def test_nothing_is_run_where_nothing_confines_it(
    command: Command, folder: Path, salt_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(folder, "ada")
    monkeypatch.setattr(proof, "breaches", lambda *_: ("use the network", "signal the grader"))
    ran: list[object] = []
    monkeypatch.setattr(Sandbox, "run", lambda *given: ran.append(given))
    given = ("exercise", "grade", folder, "--salt-file", salt_file, "-o", tmp_path / "grades.csv")
    outcome = command(*given)
    assert outcome.status == 2
    assert "could use the network, signal the grader on this machine" in outcome.err
    assert "--unconfined" in outcome.err
    assert not ran
    monkeypatch.undo()
    assert command(*given, "--unconfined").status == 0
    assert rows(tmp_path / "grades.csv")["ada.ipynb"]["points"] == str(points("data"))


def test_sheets_in_sight_of_every_notebook_are_refused(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    """What lies among Python's packages can be read: a salt there is no secret."""
    put(folder / "ada.ipynb", blank("ada", "data", PUBLIC_SALT))
    salt = package_root() / "velotrace" / "version.py"
    given = ("--salt-file", salt, "-o", tmp_path / "grades.csv")
    outcome = command("exercise", "grade", folder, *given)
    assert outcome.status == 2
    assert "students' code can read" in outcome.err
    assert "move it elsewhere" in outcome.err


# ---- sheets that do not behave --------------------------------------------------------------

DEAF = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\nwhile True: pass"
DAEMON = """
import os, time
for i in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            for last in range(600):
                time.sleep(1.0)
        os._exit(0)
"""
TEMPT = """
def tempted():
    {tempting}

try:
    tempted()
except OSError:
    pass
else:
    raise SystemExit("it could")
"""

FORGED = """
import os
os.write(3, b'{{"points": 99, "problem": "", "end": true}}\\n')
with open("grades.csv", "w") as f:
    f.write("points\\n99\\n")
"""

ALL, NONE = "all", "none"
MISBEHAVING = {  # a cell before or after the answers, how many of them count, and what is told
    "loop": ("before", "while True: pass", ALL, "cell 1: it did not end within 1 s"),
    "deaf loop": ("before", DEAF, NONE, "it did not end within 3 s"),
    "deaf loop at the end": ("after", DEAF, ALL, "it did not end within 3 s"),
    "10 GB": ("before", "hoard = bytearray(10 * 2**30)", ALL, "cell 1: MemoryError"),
    "passed": ("before", "print('passed ' * 10**6)\nraise ValueError", ALL, "cell 1: ValueError"),
    "SystemExit": ("before", "raise SystemExit(0)", ALL, "cell 1: SystemExit: 0"),
    "os._exit": ("before", "import os\nos._exit(0)", NONE, "it ended its process itself"),
    "os._exit at the end": ("after", "import os\nos._exit(0)", ALL, "it ended its process itself"),
    "huge file": (
        "before",
        "with open('huge', 'wb') as f:\n    while True: f.write(bytes(2**20))",
        ALL,
        "cell 1: OSError",
    ),
    "crash": (
        "after",
        "import ctypes\nctypes.string_at(0)",
        ALL,
        "its process was ended by SIGSEGV",
    ),
    "daemons": ("before", DAEMON, ALL, ""),
    "its parent": ("before", "import os\nfor i in range(9): os.kill(os.getppid(), 9)", ALL, ""),
    "another's sheet": ("before", TEMPT.format(tempting="open({sheet!r}).read()"), ALL, ""),
    "the sheets": (
        "before",
        "import os\n" + TEMPT.format(tempting="os.listdir({folder!r})"),
        ALL,
        "",
    ),
    "the salt": ("before", TEMPT.format(tempting="open({salt!r}).read()"), ALL, ""),
    "the network": (
        "before",
        "import socket\n"
        + TEMPT.format(tempting="socket.create_connection(('127.0.0.1', {port}), timeout=1)"),
        ALL,
        "",
    ),
    "its own grade": ("before", FORGED, ALL, ""),
}


@pytest.fixture
def listening() -> Iterator[int]:
    """A port on which this machine answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def misbehave(handed_in: Path, kind: str, student: str, **places: object) -> None:
    where, cell, *_ = MISBEHAVING[kind]
    hand_in(handed_in, student, **{where: cell.format(**places)})


def check_misbehaving(kind: str, row: dict[str, str]) -> None:
    counted, told = MISBEHAVING[kind][2:]
    assert row["points"] == (row["of"] if counted is ALL else "0"), kind
    if told:
        assert row["problem"].startswith(told), kind
    else:  # refused, or done without effect
        assert row["problem"] == "" or row["problem"].startswith("cell 1: PermissionError"), kind
    assert "it could" not in row["problem"], kind


def left_behind(mark: str) -> list[str]:
    """Processes with a word in their command line, as all of the sandbox's have its folder."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if mark in line and int(entry.name) != os.getpid():
            lines.append(line)
    return lines


@pytest.mark.slow
@pytest.mark.usefixtures("confined")
def test_three_hundred_sheets_with_thirty_that_misbehave(
    command: Command,
    folder: Path,
    salt_file: Path,
    tmp_path: Path,
    listening: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scratch = tmp_path / "scratch-of-all"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    good = [hand_in(folder, f"student-{number:03d}") for number in range(270)]
    before = {path: path.read_bytes() for path in good}
    places = {"sheet": str(good[7]), "folder": str(folder), "salt": str(salt_file)}
    kinds = {f"bad-{number:02d}": kind for number, kind in enumerate(MISBEHAVING)}
    for student, kind in kinds.items():
        misbehave(folder, kind, student, port=listening, **places)
    broken = [text for text, _ in NO_SHEET.values()]
    for number in range(30 - len(kinds)):
        put(folder / f"broken-{number:02d}.ipynb", broken[number % len(broken)])

    table = tmp_path / "grades.csv"
    given = ("--salt-file", salt_file, "-o", table, "--seconds", "3", "--workers", "2")
    outcome = command("exercise", "grade", folder, *given)
    assert outcome.status == 0, outcome.err
    found = rows(table)
    assert len(found) == 300
    for path in good:
        row = found[path.name]
        assert (row["points"], row["problem"], row["note"]) == (row["of"], "", "")
    for student, kind in kinds.items():
        check_misbehaving(kind, found[f"{student}.ipynb"])
    for number in range(30 - len(kinds)):
        row = found[f"broken-{number:02d}.ipynb"]
        assert row["points"] == "0"
        assert row["problem"].startswith("not run: not a ")
    assert {path: path.read_bytes() for path in good} == before
    assert salt_file.read_bytes() == SALT
    assert list(scratch.iterdir()) == []
    if Path("/proc/self/cmdline").exists():
        assert left_behind(str(scratch)) == []
