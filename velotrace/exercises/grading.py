"""Grading a folder of sheets: read all, run each in the sandbox, check what it answered.

The questions are asked again from the student's name and the salt, and the list of exercises is the
teacher's: of a sheet only the name, the mark of its salt and the cells are used. All is read before
any student's code runs.
"""

from __future__ import annotations

import multiprocessing
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from velotrace.errors import InputError
from velotrace.exercises import catalogue, salts, sheets
from velotrace.exercises.records import Question
from velotrace.exercises.sandbox import Sandbox

MANY = 40
"""So many sheets are worth the seconds that it takes to start processes that ask the questions."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A file that was handed in.

    file: its name below the folder.
    sheet: what it holds; None where that is no sheet.
    problem: why it is none, or ''.
    """

    file: str
    sheet: sheets.Sheet | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """What one file earned.

    file: its name below the folder.
    student: whose it is, by its own account; '' where it is no sheet.
    marked: every part with its result; none where it is no sheet, or one of another salt.
    problem: why it did not run to its end, in one line, or ''.
    note: what the teacher should look at, in one line, or ''.
    """

    file: str
    student: str
    marked: tuple[sheets.Marked, ...]
    problem: str = ""
    note: str = ""

    @property
    def points(self) -> int:
        """The points earned."""
        return sum(self.by_exercise.values())

    @property
    def by_exercise(self) -> Mapping[str, int]:
        """The points earned in each exercise."""
        earned: Counter[str] = Counter()
        for one in self.marked:
            earned[one.question.id] += one.result.points
        return earned


# ---- what was handed in ---------------------------------------------------------------------


def collect(folder: Path) -> tuple[Handed, ...]:
    """Read every notebook below a folder, in the order of their names; nothing is run.

    Args:
        folder: of sheets; in folders within it too. Jupyter's checkpoints are passed over.

    Raises:
        InputError: there is no such folder, or no notebook in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; name the one that holds the sheets")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() == ".ipynb" and ".ipynb_checkpoints" not in path.parts
    )
    if not found:
        raise InputError(f"{folder}: no notebook (.ipynb) in it or below it")
    return tuple(_handed(path, path.relative_to(folder).as_posix()) for path in found)


def _handed(path: Path, name: str) -> Handed:
    if not stat.S_ISREG(path.lstat().st_mode):
        return Handed(name, None, "not a file of its own: a link, a folder or a device")
    try:
        return Handed(name, sheets.read_sheet(path))
    except InputError as problem:
        return Handed(name, None, str(problem).removeprefix(f"{path}: "))
    except Exception as problem:  # whatever a file may hold, the others are graded
        return Handed(name, None, f"it could not be read ({type(problem).__name__})")


def exercises_of(handed: Sequence[Handed], topic: str | None) -> tuple[str, ...]:
    """The names of the exercises that were set, in the order of the sheets.

    Args:
        handed: all files.
        topic: as given by the teacher; None for the exercises that most sheets have.

    Raises:
        InputError: there is no such topic, or no list of exercises that most sheets have.
    """
    if topic is not None:
        return tuple(exercise.id for exercise in catalogue.chosen(topic))
    lists = Counter(each.sheet.exercises for each in handed if each.sheet is not None)
    if not lists:
        return tuple(catalogue.EXERCISES)
    names, count = lists.most_common(1)[0]
    if 2 * count <= lists.total():
        given = f"no more than {count} of {lists.total()} sheets have the same exercises"
        raise InputError(f"{given}; name what was set with --topic")
    return names


def lacking(exercises: Sequence[str]) -> tuple[str, ...]:
    """What the topics of these exercises have besides: from a later velotrace, or taken out."""
    topics = {catalogue.EXERCISES[name].topic for name in exercises}
    return tuple(
        name
        for name, exercise in catalogue.EXERCISES.items()
        if exercise.topic in topics and name not in exercises
    )


def notes(handed: Sequence[Handed], exercises: Sequence[str]) -> dict[str, str]:
    """What to look at, by file: a student twice, a list of exercises that was changed."""
    files: dict[str, list[str]] = {}
    for each in handed:
        if each.sheet is not None:
            files.setdefault(each.sheet.student, []).append(each.file)
    found = {}
    for each in handed:
        if each.sheet is None:
            continue
        others = [file for file in files[each.sheet.student] if file != each.file]
        told = [f"the same student as {', '.join(others)}"] if others else []
        if each.sheet.exercises != tuple(exercises):
            told.append("its list of exercises is not the one that was set")
        found[each.file] = "; ".join(told)
    return found


# ---- grading --------------------------------------------------------------------------------


def grade(
    handed: Sequence[Handed],
    exercises: Sequence[str],
    salt: bytes,
    sandbox: Sandbox,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Graded, ...]:
    """Run and check every sheet.

    Args:
        handed: all files.
        exercises: that were set, in order.
        salt: of the course.
        sandbox: in which the sheets run, as many at once as it has workers.
        progress: told how many are done.

    Returns:
        One for each file: by student, then by file; what is no sheet comes last.
    """
    told = notes(handed, exercises)
    with (
        _asking(len(handed), sandbox.workers) as asking,
        ThreadPoolExecutor(sandbox.workers) as threads,
    ):
        running = [
            threads.submit(_grade_one, each, tuple(exercises), salt, sandbox, asking)
            for each in handed
        ]
        try:
            for done, _ in enumerate(as_completed(running), 1):
                progress(done)
        except BaseException:  # as when the teacher has had enough
            threads.shutdown(wait=False, cancel_futures=True)
            sandbox.close()
            raise
    graded = [replace(each.result(), note=told.get(each.result().file, "")) for each in running]
    return tuple(sorted(graded, key=lambda one: (not one.student, one.student, one.file)))


@contextmanager
def _asking(number: int, workers: int) -> Iterator[Executor | None]:
    """Processes that ask the questions; none where the sheets are few."""
    if number < MANY or workers == 1:
        yield None
        return
    # Started anew, not forked: this process has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as processes:
        try:
            yield processes
        finally:
            processes.shutdown(wait=False, cancel_futures=True)


def _grade_one(
    handed: Handed,
    exercises: tuple[str, ...],
    salt: bytes,
    sandbox: Sandbox,
    asking: Executor | None,
) -> Graded:
    if handed.sheet is None:
        return Graded(handed.file, "", (), f"not run: {handed.problem}")
    sheet = replace(handed.sheet, exercises=exercises)
    try:
        asked = asking.submit(ask, sheet, salt).result() if asking else ask(sheet, salt)
        run = sandbox.run(sheet.cells, sheets.probes(asked))
        return Graded(
            handed.file, sheet.student, sheets.check_answers(asked, run.answers), run.problem
        )
    except InputError as problem:
        return Graded(handed.file, sheet.student, (), f"not run: {problem}")
    except Exception as problem:  # one sheet must never stop the others
        told = f"it could not be graded ({type(problem).__name__})"
        return Graded(handed.file, sheet.student, (), told)


def ask(sheet: sheets.Sheet, salt: bytes) -> tuple[Question, ...]:
    """The questions of a sheet with what checking needs, and nothing that cannot be handed on."""
    asked = sheets.questions(sheet, salt)
    return tuple(replace(question, data={}, figure=None) for question in asked)


def worth(exercises: Sequence[str]) -> dict[str, int]:
    """The points of each exercise, which are the same for every student."""
    return {
        name: catalogue.EXERCISES[name]("anyone", salts.PUBLIC_SALT).points for name in exercises
    }
