"""The stepper in the terminal: its numbers, keys and size, without colour, without a screen."""

from __future__ import annotations

import asyncio
import html
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from helpers import write_scenario
from rich.cells import cell_len

from velotrace.attribution import explain
from velotrace.certificates import Report, certify
from velotrace.errors import InputError
from velotrace.report.blocks import number
from velotrace.report.checks import tiny, verdict
from velotrace.report.stepper import view as views
from velotrace.report.stepper.places import backward_start, by_name, by_part
from velotrace.report.stepper.plain import plain_text
from velotrace.report.stepper.text import body, following, heading, title, why
from velotrace.report.steps import Step, steps
from velotrace.walkthrough import Trace
from velotrace.walkthrough import trace as run

pytest.importorskip("textual")
from velotrace.report.stepper.app import KEY_LINE, Stepper

CELL, GENE = "Cell 1", "A"
CODES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
BOXES = re.compile(r"[\u2500-\u259f]")


@pytest.fixture(scope="module")
def report(walkthrough: Trace) -> Report:
    return certify(walkthrough, 16)


@pytest.fixture(scope="module")
def made(walkthrough: Trace, report: Report) -> tuple[Step, ...]:
    return steps(walkthrough, report)


def shown(value: float) -> str:
    return number(value).replace("-", "−")


def followed(trace: Trace, step: Step) -> np.ndarray:
    """The components of a step's array at the cell and gene that are followed."""
    return at_place(trace, step.dims, step.value)


def at_place(trace: Trace, dims: tuple[str, ...], array: np.ndarray) -> np.ndarray:
    labels = {"cell": CELL, "gene": GENE}
    index = tuple(
        trace.coords[dim].index(labels[dim]) if dim in labels else slice(None) for dim in dims
    )
    return np.ravel(array[index])


# ---- the numbers ----------------------------------------------------------------------------


def assert_numbers_of(trace: Trace, step: Step, text: str) -> None:
    """Every number that a step should show is there, and is the tape's.

    Forward the value's components. Backward: what each later value sends (made here by pulling its
    adjoint back on the tape), the gradient, upstream adjoints and local derivatives of the
    attribution, and the certificate.
    """
    entry, tape = trace.tape[step.name], trace.tape
    if step.phase == "forward":
        components = at_place(trace, step.dims, entry.value)
        assert values_in(text) == [shown(x) for x in components]
        return
    gradient = at_place(trace, step.dims, entry.adjoint)
    columns = []
    for user in tape.users[step.name]:
        sent = None if tape[user].adjoint is None else tape.pull(user, tape[user].adjoint)
        if sent is not None and step.name in sent:
            columns.append(at_place(trace, step.dims, sent[step.name]))
    if columns:
        np.testing.assert_allclose(sum(columns), gradient, rtol=1e-12, atol=1e-12)
        rows = table_in(text)
        numbers = [*columns, gradient]
        if len(gradient) == 1:
            assert [row[-1] for row in rows] == [shown(column[0]) for column in numbers]
        else:
            wanted = [[shown(column[i]) for column in numbers] for i in range(len(gradient))]
            assert [row[-len(numbers) :] for row in rows] == wanted
        chosen = {dim: label for dim, label in (("cell", CELL), ("gene", GENE)) if dim in step.dims}
        words = " ".join(text.split())
        for edge in explain(trace, step.name, **chosen).edges:
            for row in edge.rows[:8] if edge.of == step.name else ():
                upstream = shown(row.upstream)
                upstream = f"({upstream})" if upstream.startswith("−") else upstream
                assert f"{shown(row.local)}; × {upstream} = {shown(row.product)}" in words
    else:
        assert f"= {shown(gradient[0])}.\n" in text
    given = step.certificate
    assert given is not None
    words = " ".join(text.split())
    assert f"Certificate: {verdict(given)}." in words
    for pair in (given.tape_hand, given.tape_differences, given.hand_differences):
        assert f"{tiny(pair.absolute)} (bound {tiny(pair.bound)})" in words
    assert f"checked {given.checked} of {given.components} numbers" in words


def values_in(text: str) -> list[str]:
    """What each component of a forward step comes to: the last number of its block of lines."""
    found: list[str] = []
    lines = text.split("\n\n")[1].split("\n")
    one = re.compile(r"^(state|latent|unit) \d+:")
    formula = not one.match(lines[0]) and any(map(one.match, lines))  # it stands above them
    for line in lines[formula:]:
        if one.match(line) or not found:
            found.append("")
        found[-1] += " " + line
    return [block.split()[-1] for block in found]


def table_in(text: str) -> list[list[str]]:
    """The rows of the first table."""
    lines = text.split("\n")
    rule = next(at for at, line in enumerate(lines) if line.startswith("---"))
    rows = lines[rule + 1 : lines.index("", rule)]
    return [row.split() for row in rows]


def test_every_step_shows_the_tapes_numbers(walkthrough: Trace, made: tuple[Step, ...]) -> None:
    for step in made:
        assert_numbers_of(walkthrough, step, body(walkthrough, step, CELL, GENE))


def test_a_wrong_number_is_seen(walkthrough: Trace, made: tuple[Step, ...]) -> None:
    """The comparison above fails where any digit of a page is changed."""
    for name in ("u_bar", "z", "loss"):
        for step in made:
            if step.name != name:
                continue
            text = body(walkthrough, step, CELL, GENE)
            wrong = shown(followed(walkthrough, step)[0] * 1.0001 + 1e-4)
            right = shown(followed(walkthrough, step)[0])
            at = text.rfind(right) if step.phase == "forward" else text.find(right)
            with pytest.raises(AssertionError):
                assert_numbers_of(walkthrough, step, f"{text[:at]}{wrong}{text[at + len(right) :]}")


@pytest.mark.parametrize("reading", ["paper", "joint", "odd", "no hidden layer"])
def test_other_readings(reading: str, traces: dict[str, Trace]) -> None:
    """Mixtures, shared decoders, softplus variances: no line is wider than the screen."""
    trace = traces[reading]
    cell, gene = trace.coords["cell"][0], trace.coords["gene"][0]
    for step in steps(trace):
        text = body(trace, step, cell, gene)
        if step.name in ("alpha", "z", "u_bar", "velocity"):
            text += "\n" + why(trace, step, cell, gene)
        assert max(map(cell_len, text.split("\n"))) <= 80, step.title
        assert not CODES.search(text)


# ---- on the screen --------------------------------------------------------------------------


COLUMN, ROW, TOP = 12.2, 24.4, 20.0
"""In the picture: width of a column, height of a row, baseline of the first."""


def screen(app: Any) -> list[str]:
    """The lines that are seen, from the picture that textual draws."""
    lines = [""] * app.size.height
    texts = re.findall(
        r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', app.export_screenshot()
    )
    for x, y, text in texts:
        row = round((float(y) - TOP) / ROW)
        if 0 <= row < len(lines):
            gap = round(float(x) / COLUMN) - cell_len(lines[row])
            lines[row] += " " * gap + html.unescape(text).replace("\xa0", " ")
    return [line.rstrip() for line in lines]


def piloted(
    trace: Trace, report: Report, act: Callable[[Any, Any], Any], size: tuple[int, int] = (80, 24)
) -> None:
    """Run the stepper without a terminal and act on it."""

    async def session() -> None:
        cell, gene = trace.coords["cell"][0], trace.coords["gene"][0]
        app = Stepper(trace, cell, gene, lambda: report)
        async with app.run_test(size=size) as pilot:
            for _ in range(200):  # the certificates come from another thread
                await pilot.pause(0.01)
                if not app.uncertified:
                    break
            await act(app, pilot)

    asyncio.run(session())


def page_lines(lines: list[str]) -> list[str]:
    return lines[3:-2]


def test_screen_of_80_by_24(walkthrough: Trace, made: tuple[Step, ...], report: Report) -> None:
    """For every step: heading and title in full, and every line of the page comes by.

    Scrolled line by line from the top to the end, the lines seen are those of the text, whose
    numbers are compared with the tape above.
    """

    async def act(app: Any, pilot: Any) -> None:
        for step in made:
            wanted = body(walkthrough, step, CELL, GENE).split("\n")
            lines = screen(app)
            assert lines[0].startswith(heading(step, len(made)))
            assert lines[0].endswith(following(CELL, GENE))
            assert lines[1] == title(step)
            seen = page_lines(lines)
            while len(seen) < len(wanted):
                below = lines[-2]
                assert re.fullmatch(r"\d+ more lines? below: .*", below), below
                assert int(below.split()[0]) == len(wanted) - len(seen)
                await pilot.press("pagedown")
                await pilot.pause()
                lines = screen(app)
                new = min(18, len(wanted) - len(seen))
                seen += page_lines(lines)[-new:]
            assert [line.rstrip() for line in wanted] == seen[: len(wanted)]
            assert not any(seen[len(wanted) :])
            assert lines[-1] == KEY_LINE
            await pilot.press("n")
            await pilot.pause()
        assert screen(app)[-2] == "This is the last step."

    assert len(KEY_LINE) <= 80
    bound = ",".join(binding.key for binding in Stepper.BINDINGS).replace("slash", "/").split(",")
    assert {key for key, _, _ in views.KEYS} <= set(bound)
    piloted(walkthrough, report, act)


def test_every_key(walkthrough: Trace, made: tuple[Step, ...], report: Report) -> None:
    first_back = backward_start(made)

    async def act(app: Any, pilot: Any) -> None:
        async def after(*keys: str) -> str:
            await pilot.press(*keys)
            await pilot.pause()
            return app.view.index, screen(app)

        assert (await after("n"))[0] == 1
        assert (await after("right", "space"))[0] == 3
        assert (await after("p"))[0] == 2
        assert (await after("left", "left"))[0] == 0
        index, lines = await after("p")
        assert (index, lines[-2]) == (0, "This is the first step.")
        assert (await after("end"))[0] == len(made) - 1
        assert (await after("home"))[0] == 0
        assert (await after("b"))[0] == first_back
        assert (await after("g", *"26", "enter"))[0] == 25
        assert (await after("g", *"s_bar", "enter"))[0] == 26
        assert (await after("g", *"gradient", "space", *"of", "space", *"z", "enter"))[0] == 77
        index, lines = await after("g", *"84", "enter")
        assert (index, lines[-2]) == (77, "there is no step 84; it must be from 1 to 83")
        assert (await after("home", "slash", *"BAR", "enter"))[0] == 25
        index, lines = await after("slash", *"nothing", "enter")
        assert index == 25
        assert "no step has 'nothing'" in lines[-2]
        index, lines = await after("g", *"q")  # typed, not obeyed
        assert (index, lines[-2]) == (25, "q")
        index, lines = await after("escape")
        assert (index, lines[1]) == (25, "u_bar, ū")
        index, lines = await after("w")
        assert lines[3].startswith("∂L/∂ū of Cell 1, gene A")
        assert (await after("w"))[1][3].startswith("Unspliced RNA")
        assert (await after("o"))[1][3].startswith("The primitive operations inside")
        assert (await after("escape"))[1][3].startswith("Unspliced RNA")
        assert (await after("c"))[1][0].endswith("Cell 3, gene A")
        index, lines = await after("e")
        assert lines[0].endswith("Cell 3, gene B")
        wanted = body(walkthrough, made[25], "Cell 3", "B").split("\n")
        assert page_lines(lines)[: len(wanted)] == wanted
        top = (await after("end", "w"))[1]
        down = (await after("down"))[1]
        assert page_lines(down)[:-1] == page_lines(top)[1:]
        assert (await after("up"))[1] == top
        paged = (await after("pagedown"))[1]
        assert page_lines(paged)[0] == page_lines(top)[-1]
        assert (await after("pageup"))[1] == top
        assert app.is_running
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running

    piloted(walkthrough, report, act)


def test_certificates_come_later(walkthrough: Trace, report: Report) -> None:
    """The page is there before they are; a refusal is said."""

    def refuse() -> Report:
        raise InputError("none today")

    allowed = Event()

    def slow() -> Report:
        allowed.wait(60.0)
        return report

    async def session() -> None:
        app = Stepper(walkthrough, CELL, GENE, slow)
        async with app.run_test(size=(80, 60)) as pilot:
            await pilot.press("end")
            await pilot.pause()
            assert "Certificate: being made …" in "\n".join(screen(app))
            allowed.set()
            for _ in range(200):
                await pilot.pause(0.02)
                if "Certificate: holds." in "\n".join(screen(app)):
                    break
            else:
                raise AssertionError(screen(app))
        app = Stepper(walkthrough, CELL, GENE, refuse)
        async with app.run_test(size=(80, 60)) as pilot:
            await pilot.press("end")
            await pilot.pause(0.2)
            assert "No certificate: none today." in "\n".join(screen(app))

    asyncio.run(session())


@cache
def wide_scenario(folder: Path) -> Path:
    rows = ["cell,gene,unspliced,spliced"]
    draws = np.random.default_rng(0).uniform(0.05, 0.95, (20, 20, 2)).round(3)
    rows += [f"c{n},g{g},{u},{s}" for (n, g), (u, s) in pairs(draws)]
    return write_scenario(folder, csv="\n".join(rows) + "\n")


def pairs(draws: np.ndarray) -> Iterator[tuple[tuple[int, int], Any]]:
    for n, g in np.ndindex(draws.shape[:2]):
        yield (n, g), draws[n, g]


def test_20_cells_20_genes(tmp_path: Path) -> None:
    """Steps are made at once and shown one by one: 3 s of processor time for all 83 is far above
    what it takes (0.4 s) and far below what work on all 400 pairs in every step would."""
    trace = run(wide_scenario(tmp_path))
    start = time.process_time()
    for step in steps(trace):
        text = body(trace, step, "c7", "g9")
        assert max(map(cell_len, text.split("\n"))) <= 80
    assert time.process_time() - start < 3.0


def test_hostile_names_on_the_screen(tmp_path: Path) -> None:
    """Spelled out, within 80 columns, and no markup of textual's is obeyed."""
    cells = ["\x1b[2J\x1b[31m", "[bold red]x[/]", "long " + "x" * 200]
    genes = ["\u202eA", "g" * 200]
    rows = [f'"{cell}",{gene},0.5,{0.1 + n / 10}' for n, cell in enumerate(cells) for gene in genes]
    path = write_scenario(tmp_path, csv="\n".join(["cell,gene,unspliced,spliced", *rows]) + "\n")
    trace = run(path)
    made = steps(trace)
    for cell, gene in ((cells[0], genes[0]), (cells[2], genes[1])):
        assert cell_len(following(cell, gene)) <= 80
        for step in made:
            text = body(trace, step, cell, gene)
            assert not CODES.search(text)
            assert max(map(len, text.split("\n"))) <= 80

    async def act(app: Any, pilot: Any) -> None:
        assert screen(app)[0].endswith(r"cell \x1b[2J\x1b[31m, gene \u202eA")
        await pilot.press("c", "g", *"gradient of u_bar".replace(" ", "_"), "escape", "b")
        await pilot.press("slash", *"u_bar", "enter")
        await pilot.pause()
        lines = screen(app)
        assert "[bold red]x[/]" in lines[0]
        assert any(line.strip().startswith("[bold red]x[/]/") for line in lines)

    piloted(trace, certify(trace, 1), act)


# ---- places and views -----------------------------------------------------------------------


def test_places(made: tuple[Step, ...]) -> None:
    back = backward_start(made)
    assert made[back].title == "gradient of loss"
    assert made[back - 1].phase == "forward"
    for step in made:
        assert by_name(made, str(step.index + 1), 0) == step.index
        assert by_name(made, step.title, step.index) == step.index
        assert by_name(made, f" {step.name} ", step.index) == step.index
        assert by_part(made, step.title.upper(), step.index - 1) == step.index
    for text, said in (("0", "from 1 to 83"), ("u_baar", "did you mean 'u_bar'"), ("", "no step")):
        with pytest.raises(InputError, match=said):
            by_name(made, text, 0)
    assert made[by_name(made, "velocity", len(made) - 1)].phase == "forward"  # has no gradient


def test_views(walkthrough: Trace, made: tuple[Step, ...]) -> None:
    view = views.View(CELL, GENE)
    assert views.at_step(view, made, -1) == views.View(
        CELL, GENE, message="This is the first step."
    )
    opened = views.on_page(views.at_step(view, made, 5), "why")
    assert (opened.index, opened.page) == (5, "why")
    assert views.on_page(opened, "why").page == "step"
    assert views.at_step(opened, made, 6).page == "step"
    around = view
    for gene in ("B", "C", "A"):
        around = views.next_followed(around, walkthrough, "gene")
        assert around.gene == gene
    assert around == view


def test_one_gene_only(tmp_path: Path) -> None:
    trace = run(write_scenario(tmp_path, csv="cell,gene,unspliced,spliced\na,b,0.5,0.5\n"))
    view = views.next_followed(views.View("a", "b"), trace, "gene")
    assert view == views.View("a", "b", message="There is one gene only.")


# ---- the command ----------------------------------------------------------------------------


def test_plain(walkthrough: Trace, command: Any) -> None:
    """The same numbers, step after step, without codes or boxes."""
    done = command("step", "--plain", "--most", "16")
    assert (done.status, done.err) == (0, "")
    assert not CODES.search(done.out)
    assert not BOXES.search(done.out)
    assert max(map(cell_len, done.out.split("\n"))) <= 80
    intro, *texts = done.out.rstrip("\n").split("\n\n\n")
    made = steps(walkthrough, certify(walkthrough, 16))
    first, texts = intro.split("\n\n", 1)[0], [intro.split("\n\n", 1)[1], *texts]
    assert first == "One iteration in 83 steps, for Cell 1, gene A."
    assert len(texts) == len(made)
    for step, text in zip(made, texts, strict=True):
        head, rest = text.lstrip("\n").split("\n\n", 1)
        assert " ".join(head.split()) == f"{heading(step, len(made))}: {title(step)}"
        assert_numbers_of(walkthrough, step, rest + "\n")


def test_plain_of_another_cell_and_gene(walkthrough: Trace, command: Any) -> None:
    done = command("step", "--plain", "--cell", "Cell 3", "--gene", "C", "--most", "1")
    made = steps(walkthrough, certify(walkthrough, 1))
    assert done.out == "".join(plain_text(walkthrough, made, "Cell 3", "C"))
    u_bar = made[25].value[1, 2]
    assert all(f"= {shown(value)}\n" in done.out for value in u_bar)


def test_pipe_gets_plain_text(command: Any) -> None:
    assert command("step", "--most", "1").out == command("step", "--plain", "--most", "1").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--cell", "Cell 9"), ("no cell is named 'Cell 9'", "Cell 1")),
        (("--cell", "Cell 2"), ("Cell 2", "not in the mini-batch")),
        (("--gene", "\x1b[0m"), (r"no gene is named '\x1b[0m'",)),
        (("nowhere.toml",), ("nowhere.toml: no such file",)),
    ],
)
def test_refusals(arguments: tuple[str, ...], words: tuple[str, ...], command: Any) -> None:
    done = command("step", *arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert all(word in done.err for word in words)


def test_without_textual(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install and what works without."""
    monkeypatch.setattr("velotrace.cli.stepping._can_draw", lambda: True)
    monkeypatch.setitem(sys.modules, "textual", None)
    monkeypatch.setitem(sys.modules, "textual.app", None)
    monkeypatch.delitem(sys.modules, "velotrace.report.stepper.app", raising=False)
    done = command("step")
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        "velotrace: the stepper needs textual: pip install 'velotrace[step]'; "
        "--plain works without it\n"
    )
    assert command("step", "--plain", "--most", "1").status == 0


# ---- a real terminal ------------------------------------------------------------------------


def in_terminal(keys: list[bytes], answers: list[bytes], **environment: str) -> tuple[int, bytes]:
    """`velotrace step` in a terminal of 80 × 24: exit code and what was written to it.

    Each key is pressed once the words that answer to the one before are there.
    """
    pty, fcntl, termios = map(pytest.importorskip, ("pty", "fcntl", "termios"))
    import select
    import struct

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    call = [sys.executable, "-m", "velotrace.cli", "step", "--most", "1"]
    path = {"PYTHONPATH": str(Path(__file__).parents[1])}
    inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    running = subprocess.Popen(
        call, stdin=theirs, stdout=theirs, stderr=theirs, env=inherited | path | environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    written, start = b"", time.monotonic()
    while running.poll() is None and time.monotonic() - start < 120.0:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                written += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
        if keys and answers[0] in written:
            os.write(ours, keys[0])
            keys, answers = keys[1:], answers[1:]
    if running.poll() is None:
        running.kill()
    status = running.wait()
    os.close(ours)
    return status, written


@pytest.mark.parametrize(
    "environment", [{"TERM": "xterm-256color"}, {"TERM": "xterm", "NO_COLOR": "1"}]
)
def test_no_colour_is_used(environment: dict[str, str]) -> None:
    """Bold and reversed text only, on the terminal's own colours: 1, 7, and 39, 49 for those."""
    status, written = in_terminal([b"n", b"q"], [b"alpha", b"beta"], **environment)
    assert status == 0, written
    assert b"beta" in written
    codes = {code for run in re.findall(rb"\x1b\[([0-9;]*)m", written) for code in run.split(b";")}
    assert codes <= {b"", b"0", b"1", b"7", b"39", b"49"}


def test_dumb_terminal_gets_plain_text() -> None:
    status, written = in_terminal([], [], TERM="dumb")
    assert status == 0
    assert b"\x1b" not in written
    assert b"gradient of alpha" in written
