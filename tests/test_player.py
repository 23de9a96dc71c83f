"""The player, opened in Chromium: its numbers, its controls, hostile names, size and speed."""

from __future__ import annotations

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from helpers import CHROMIUM, READINGS, WALKTHROUGH, assert_refused, merged, write_scenario

pytest.importorskip("pygraphviz", reason="the extra `play` is not installed")
pytest.importorskip("latex2mathml", reason="the extra `play` is not installed")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from velotrace.errors import InputError
from velotrace.learning.optimisers import adam_start, adam_step
from velotrace.model.objective import loss
from velotrace.report.escape import terminal
from velotrace.report.formula_text import signed
from velotrace.report.operations import operations
from velotrace.report.player import Frame, player_page, player_part
from velotrace.report.player.arrays import packed
from velotrace.report.player.graph import HEIGHT, laid_out
from velotrace.report.player.within import dims_inside
from velotrace.report.spelled import DOTS
from velotrace.report.steps import is_weight, sections, steps
from velotrace.report.worked import edges_at, number_at
from velotrace.selection import dims_of, labels_of
from velotrace.tape import leaves, map_leaves, record
from velotrace.walkthrough import Trace
from velotrace.walkthrough import trace as run

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COMPUTER, TELEPHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
HOSTILE = {
    "cells": ["<script>alert(1)</script>", '"}', "=cmd()", "x" * 200],
    "genes": [r"$\alpha$", "\u202eevil", "</script><img src=x onerror=alert(2)>"],
}

in_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium"),
]


def browser_test(test):
    for mark in in_browser:
        test = mark(test)
    return test


# ---- pages ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("player")


@pytest.fixture(scope="module")
def walkthrough_page(folder, walkthrough) -> Path:
    path = folder / "walkthrough.html"
    path.write_text(player_page([Frame(0, walkthrough)], "The walkthrough"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def epochs(walkthrough) -> list[Frame]:
    """A few steps of Adam by hand, and the cells of one epoch the other way round."""
    frames, resolved, memory = [Frame(0, walkthrough)], walkthrough.resolved, {}
    parameters = resolved.parameters
    for epoch in (1, 2, 5):
        gradients = Trace(resolved, frames[-1].trace.tape)
        slopes = {name: gradients._gradient(name) for name, _ in leaves(parameters)}
        changed = {}
        for name, value in leaves(parameters):
            before = memory.get(name, adam_start(value))
            memory[name], info = adam_step(value, slopes[name], before, resolved.optimiser)
            changed[name] = info["updated"]
        parameters = map_leaves(lambda name, _, of=changed: of[name], parameters)
        resolved = replace(resolved, parameters=parameters)
        there = _turned(resolved) if epoch == 2 else resolved
        function = functools.partial(loss, iteration=there.iteration)
        frames.append(Frame(epoch, Trace(there, record(function, parameters))))
    return frames


def _turned(resolved):
    """The same iteration with its cells in the opposite order."""
    iteration, draws = resolved.iteration, resolved.iteration.draws
    turned = replace(
        iteration,
        unspliced=iteration.unspliced[::-1],
        spliced=iteration.spliced[::-1],
        draws=replace(
            draws, epsilon_z=draws.epsilon_z[::-1], pi=draws.pi[::-1], state=draws.state[::-1]
        ),
    )
    return replace(resolved, cells=resolved.cells[::-1], iteration=turned)


@pytest.fixture(scope="module")
def epochs_page(folder, epochs) -> Path:
    path = folder / "epochs.html"
    path.write_text(player_page(epochs, "A training"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def two_page(folder, walkthrough) -> Path:
    """Two players on a page, with a field to type into."""
    frames = [Frame(0, walkthrough)]
    one = player_part(frames, "one", identity="one", keys="page")
    two = player_part(frames, "two", identity="two", keys="page", script=False)
    path = folder / "two.html"
    path.write_text(
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>two</title>'
        f'<label>Notes <input id="notes"></label>{two}{one}',
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def large_page(folder) -> Path:
    numbers = np.random.default_rng(0).uniform(0.05, 1.0, (20, 20, 2)).round(3)
    rows = [f"c{n},g{g},{u},{s}" for n, of in enumerate(numbers) for g, (u, s) in enumerate(of)]
    csv = "\n".join(["cell,gene,unspliced,spliced", *rows]) + "\n"
    trace = run(write_scenario(folder / "large", {"reading": {"preset": "joint"}}, csv=csv))
    path = folder / "large.html"
    path.write_text(player_page([Frame(0, trace)], "20 × 20"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def hostile(folder) -> Trace:
    def quoted(name):
        return '"' + name.replace('"', '""') + '"'

    rows = [
        f"{quoted(cell)},{quoted(gene)},0.{n + 2},0.{g + 1}"
        for n, cell in enumerate(HOSTILE["cells"])
        for g, gene in enumerate(HOSTILE["genes"])
    ]
    csv = "\n".join(["cell,gene,unspliced,spliced", *rows]) + "\n"
    keys = {"title": "</title><script>alert(3)</script>", "networks": {"hidden": [3], "latent": 2}}
    return run(write_scenario(folder / "hostile", keys, csv=csv))


class Opened:
    """A page in the browser, with everything that went wrong on it and every request it made."""

    def __init__(self, page: Page, address: str):
        self.page, self.trouble, self.requests = page, [], []
        page.on("console", lambda it: self.trouble.append(it.text) if it.type == "error" else None)
        page.on("pageerror", lambda it: self.trouble.append(str(it)))
        page.on("dialog", lambda it: (self.trouble.append(f"dialog: {it.message}"), it.dismiss()))
        page.on("request", lambda it: self.requests.append(it.url))
        page.goto(address)
        page.wait_for_selector(".vt-ready")

    def count(self, player: str = "player") -> str:
        return self.page.locator(f"#{player} .vt-count").inner_text()

    def step(self, player: str = "player") -> int:
        return int(re.match(r"step (\d+) of", self.count(player))[1])

    def title(self, player: str = "player") -> str:
        return self.page.locator(f"#{player} .vt-step h3 code").inner_text()

    def show(self, step: int, cell: int = 0, gene: int = 0, player: str = "player") -> None:
        self.page.evaluate(
            """([id, step, cell, gene]) => {
              const root = document.getElementById(id);
              const set = (selector, value, event) => {
                const field = root.querySelector(selector);
                field.value = value;
                field.dispatchEvent(new Event(event));
              };
              set(".vt-cell", cell, "change");
              set(".vt-gene", gene, "change");
              set(".vt-slider", step, "input");
            }""",
            [player, step, cell, gene],
        )


@pytest.fixture
def walkthrough_open(page, walkthrough_page) -> Opened:
    return Opened(page, walkthrough_page.as_uri())


# ---- without a browser ----------------------------------------------------------------------


def test_the_walkthrough_is_below_600_kilobytes(walkthrough_page):
    assert walkthrough_page.stat().st_size < 600_000


def test_the_page_names_nothing_outside_itself(walkthrough_page):
    text = walkthrough_page.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="|@import|url\((?!#)|https?:', text) == []


def test_no_node_of_the_graph_covers_another_and_all_are_within(walkthrough):
    picture = laid_out(walkthrough, steps(walkthrough))
    assert {node.name for node in picture.nodes} == {step.name for step in steps(walkthrough)}
    boxes = [(n.x - n.width / 2, n.x + n.width / 2, n.y, n.name) for n in picture.nodes]
    for left, right, y, name in boxes:
        assert -1.0 <= left <= right <= picture.width + 1.0, name
        for other_left, other_right, other_y, other in boxes:
            if other != name:
                apart = left > other_right + 4 or other_left > right + 4
                assert apart or abs(y - other_y) > HEIGHT + 4, (name, other)


def test_the_links_of_the_graph_are_the_tapes(walkthrough):
    picture = laid_out(walkthrough, steps(walkthrough))
    graph, shown = walkthrough.tape.graph, {node.name for node in picture.nodes}
    expected = {(of, to) for to in shown for of in graph[to] if of in shown}
    assert {(link.of, link.to) for link in picture.links} == expected


def test_arrays_come_back_bit_for_bit():
    import base64

    array = np.array([[0.1, np.inf], [-0.0, np.nan]])
    again = np.frombuffer(base64.b64decode(packed(array)), dtype="<f8")
    assert again.tobytes() == array.tobytes()


def test_epochs_of_other_cells_are_refused(walkthrough, scenario):
    keys = merged(WALKTHROUGH, {"batch": {"cells": ["Cell 1", "Cell 2"]}})
    with pytest.raises(InputError, match="hold other cells"):
        player_page([Frame(0, walkthrough), Frame(1, run(scenario(keys)))], "no")


def test_the_command_writes_the_page(command, tmp_path):
    there = tmp_path / "player.html"
    done = command("player", "-o", there, "--cell", "Cell 3", "--gene", "B")
    assert (done.status, done.err) == (0, "")
    told = re.search(r'class="vt-data">(.*?)</script>', there.read_text(encoding="utf-8"), re.S)
    assert json.loads(told[1])["start"] == [1, 1]


def test_the_command_refuses_in_one_line(command, tmp_path):
    there = tmp_path / "player.html"
    assert_refused(command("player"), "-o FILE.html")
    assert_refused(command("player", "-o", there, "--cell", "Cell 9"), "Cell 9", "Cell 1")
    assert_refused(command("player", "x.toml", "--run", "y", "-o", there), "not both")
    assert_refused(command("player", "--run", tmp_path, "-o", there))
    assert not there.exists()


def test_a_training_is_shown_at_its_epochs(command, tmp_path):
    training, there = tmp_path / "run", tmp_path / "training.html"
    assert command("train", "-o", training, "--epochs", "4").status == 0
    assert command("player", "--run", training, "-o", there).status == 0
    told = re.search(r'class="vt-data">(.*?)</script>', there.read_text(encoding="utf-8"), re.S)
    data = json.loads(told[1])
    assert [frame["epoch"] for frame in data["frames"]] == [0, 1, 2, 3]
    assert data["names"]["cell"] == ["Cell 1", "Cell 2", "Cell 3", "Cell 4"]


# ---- every number ---------------------------------------------------------------------------

COLLECT = """(root) => {
  const text = (element) => element.textContent;
  const all = (selector, within = root) => [...within.querySelectorAll(selector)];
  const places = (within) => all("mn[data-s]", within).map((mn) => [mn.dataset.s, text(mn)]);
  return {
    title: text(root.querySelector(".vt-step h3 code")),
    values: all(".vt-value").map((e) => [JSON.parse(e.dataset.at), text(e)]),
    table: all("td[data-at]:not([data-user])").map((e) => [JSON.parse(e.dataset.at), text(e)]),
    sums: all("td[data-user]").map((e) => [e.dataset.user, JSON.parse(e.dataset.at), text(e)]),
    workings: all(".vt-step > .vt-working").map(places),
    edges: all(".vt-edge-block[data-user]").map((block) => [block.dataset.user,
      all("li", block).map((li) => ({
        of: JSON.parse(li.dataset.of), to: JSON.parse(li.dataset.to), places: places(li),
        local: text(li.querySelector(".vt-local")),
        upstream: text(li.querySelector(".vt-upstream")),
        product: text(li.querySelector(".vt-product")),
      }))]),
    weights: all("tr[data-weights]").map((tr) => [tr.dataset.weights, all("td", tr).map(text)]),
    operations: all("tr[data-ordinal]")
      .map((tr) => [Number(tr.dataset.ordinal), all("td", tr).map(text)]),
    verdict: text(root.querySelector(".vt-good, .vt-bad") ?? document.createElement("p")),
  };
}"""


def _plain(text: str) -> str:
    return text.removeprefix("(").removesuffix(")")


def _index(dims, at):
    return tuple(at[dim] for dim in dims)


def _labels(trace, name, at, dims):
    labels = dict(zip(dims, labels_of(trace, name), strict=True))
    return {dim: labels[dim][i] for dim, i in at.items() if dim in labels}


def _check_values(trace, step, shown, pairs):
    seen = {json.dumps(at, sort_keys=True) for at, _ in shown["table"]}
    every = [dim for dim in ("cell", "gene") if dim in step.dims]
    assert len(seen) == (step.value.size if every else 0)
    for at, text in [*shown["values"], *shown["table"]]:
        assert text == signed(step.value[_index(step.dims, at)]), (step.title, at)
    chosen = np.ones(step.value.shape, dtype=bool)
    for dim, i in pairs.items():
        if dim in step.dims:
            chosen &= np.indices(step.value.shape)[step.dims.index(dim)] == i
    assert len(shown["values"]) == chosen.sum()


def _check_workings(trace, step, shown):
    for (at, _), places in zip(shown["values"], shown["workings"], strict=True):
        labels = _labels(trace, step.name, at, step.dims)
        pair = {d: trace.coords[d][i] for d, i in shown["pair"].items()} | labels
        for name, text in places:
            assert name != DOTS
            expected = number_at(trace, step.name, name, pair if name != "a" else labels)
            assert _plain(text) == signed(expected), (step.title, name)


def _check_edges(trace, step, shown, pairs):
    for user, at, text in shown["sums"]:
        edge = next(edge for edge in step.edges if edge.user == user)
        assert text == signed(edge.contribution[_index(step.dims, at)]), (step.title, user)
    cell, gene = (trace.coords[dim][pairs[dim]] for dim in ("cell", "gene"))
    expected = {}
    for edge in edges_at(trace, step, cell, gene):
        for row in edge.rows:
            if not edge.network and row.to_at.get("cell", cell) == cell:
                key = (edge.to, *map(str, row.of_at.values()), "|", *map(str, row.to_at.values()))
                expected[key] = row
    found = 0
    for user, rows in shown["edges"]:
        for row in rows:
            of = _labels(trace, step.name, row["of"], step.dims)
            to = _labels(trace, user, row["to"], dims_of(trace, user))
            key = (user, *map(str, of.values()), "|", *map(str, to.values()))
            row_expected = expected.pop(key)
            found += 1
            assert row["local"] == signed(row_expected.local), (step.title, key)
            assert _plain(row["upstream"]) == signed(row_expected.upstream)
            assert row["product"] == signed(row_expected.product)
            for name, text in row["places"]:
                assert _plain(text) == signed(row_expected.numbers[name].value), (key, name)
    assert not expected, (step.title, list(expected))
    return found


def _check_weights(step, shown):
    assert [name for name, _ in shown["weights"]] == [w.name for w in step.weights]
    for (_, texts), weights in zip(shown["weights"], step.weights, strict=True):
        a = weights.numbers
        forward = (a.min(), a.max())
        pair = forward if step.phase == "forward" else (np.abs(a).max(), np.sqrt(np.sum(a**2)))
        assert texts == [" × ".join(map(str, a.shape)), *map(signed, pair)]


def _listed(array, dims, pairs):
    """The numbers of one cell and gene as an operation's line shows them."""
    picked = np.ravel(array[tuple(pairs.get(dim, slice(None)) for dim in dims)])
    texts = list(map(signed, picked))
    if len(texts) <= 6:
        return ", ".join(texts)
    return f"{', '.join(texts[:3])}, …, {texts[-1]} ({len(texts)} numbers)"


def _check_operations(trace, step, shown, pairs):
    made, dims = operations(trace, step), dims_inside(trace)
    assert [ordinal for ordinal, _ in shown["operations"]] == [op.ordinal for op in made]
    for (_, texts), op in zip(shown["operations"], made, strict=True):
        assert texts[-1] == op.line
        assert texts[1] == _listed(op.value, dims[op.ordinal], pairs), (step.title, op.label)
        sent = "".join(
            f"to {one.to}"
            + (
                ""
                if is_weight(one.to)
                else f": {_listed(one.contribution, dims[one.source], pairs)}"
            )
            for one in op.sent
        )
        assert step.phase == "forward" or texts[2] == sent, (step.title, op.label)


def _check_every_step(here, trace, cell, gene):
    """All steps for one cell and gene; how many rows of edges were compared."""
    rows, pairs = 0, {"cell": cell, "gene": gene}
    for step in steps(trace):
        here.show(step.index, cell, gene)
        shown = here.page.evaluate(f"({COLLECT})(document.querySelector('.vt'))")
        shown["pair"] = pairs
        assert shown["title"] == step.title
        _check_values(trace, step, shown, pairs)
        _check_weights(step, shown)
        _check_operations(trace, step, shown, pairs)
        if step.phase == "forward":
            _check_workings(trace, step, shown)
        else:
            assert shown["verdict"].startswith("Certificate holds")
            rows += _check_edges(trace, step, shown, pairs)
    return rows


@browser_test
def test_every_number_of_every_step_is_the_traces(walkthrough_open, walkthrough):
    """All steps, for all cells and genes, on both levels."""
    walkthrough_open.page.click(".vt-level")
    pairs = product(range(2), range(3))
    assert sum(_check_every_step(walkthrough_open, walkthrough, *pair) for pair in pairs) > 500
    assert walkthrough_open.trouble == []


@browser_test
@pytest.mark.parametrize("reading", [*READINGS, "scvi-tools"])
def test_every_number_in_every_reading(page, folder, traces, reading):
    """The same for one cell and gene: mixtures, free values, other networks, β = γ."""
    if reading == "scvi-tools":
        keys = {"reading": {"preset": reading}}
        trace = run(write_scenario(folder / reading, WALKTHROUGH, keys))
    else:
        trace = traces[reading]
    path = folder / f"{reading}.html"
    path.write_text(player_page([Frame(0, trace)], reading), encoding="utf-8")
    here = Opened(page, path.as_uri())
    page.click(".vt-level")
    assert _check_every_step(here, trace, 1, 2) > 50
    assert here.trouble == []


@browser_test
def test_numbers_look_as_pythons_do(walkthrough_open):
    """Also halfway between two (4096.125), tiny, huge, and no numbers at all."""
    rng = np.random.default_rng(1)
    numbers = [0.0, -0.0, 1.0, 4096.125, 4096.375, -100000.5, 100001.5, 1e-4, 9.9999951e-5]
    numbers += [999999.5, 1e6, 1e21, 1.5e300, 5e-324, 0.1, 1e-7, 123456789.0, np.inf, -np.inf]
    numbers += list(rng.normal(size=200) * 10.0 ** rng.integers(-12, 12, 200))
    source = Path(player_page.__code__.co_filename).with_name("numbers.js").read_text("utf-8")
    texts = walkthrough_open.page.evaluate(
        f"(texts) => {{ {source}; return texts.map((text) => number(Number(text))) }}",
        [repr(float(x)).replace("inf", "Infinity") for x in numbers],
    )
    assert texts == [signed(x) for x in numbers]


# ---- controls -------------------------------------------------------------------------------


@browser_test
def test_buttons_and_keys(walkthrough_open, walkthrough):
    page, here = walkthrough_open.page, walkthrough_open
    last = len(steps(walkthrough))
    assert here.step() == 1
    for key, expected in (("ArrowRight", 2), ("End", last), ("ArrowRight", last),
                          ("ArrowLeft", last - 1), ("Home", 1), ("ArrowLeft", 1)):  # fmt: skip
        page.keyboard.press(key)
        assert here.step() == expected, key
    for do, expected in (("forward", 2), ("last", last), ("back", last - 1), ("first", 1)):
        page.click(f"[data-do={do}]")
        assert here.step() == expected, do
    assert here.trouble == []


@browser_test
def test_space_plays_and_pauses(walkthrough_open):
    page, here = walkthrough_open.page, walkthrough_open
    page.clock.install()
    page.reload()
    page.wait_for_selector(".vt-ready")
    page.keyboard.press("Space")
    assert page.get_attribute("[data-do=play]", "aria-label") == "Pause"
    page.clock.run_for(3200)
    assert here.step() == 3
    page.keyboard.press("Space")
    page.clock.run_for(5000)
    assert here.step() == 3
    page.keyboard.press("End")
    page.click("[data-do=play]")  # starts over
    page.clock.run_for(1600)
    assert here.step() == 2


@browser_test
def test_keys_are_off_while_typing(walkthrough_open):
    page, here = walkthrough_open.page, walkthrough_open
    page.focus(".vt-search")
    page.keyboard.type("a b")
    for key in ("ArrowRight", "Home", "End", "ArrowLeft"):
        page.keyboard.press(key)
    assert here.step() == 1
    assert page.input_value(".vt-search") == "a b"
    page.focus(".vt-gene")
    page.keyboard.press("End")
    assert here.step() == 1


@browser_test
def test_the_slider_has_a_mark_for_each_section_and_moves_the_step(walkthrough_open, walkthrough):
    page, here = walkthrough_open.page, walkthrough_open
    found = sections(steps(walkthrough))
    titles = page.locator(".vt-ticks i").evaluate_all("all => all.map((tick) => tick.title)")
    assert titles == [f"{phase}: {section.title}" for phase, section, _ in found]
    page.focus(".vt-slider")
    page.keyboard.press("ArrowRight")
    assert here.step() == 2
    page.keyboard.press("End")
    assert here.step() == len(steps(walkthrough))
    assert "gradient of alpha" in page.get_attribute(".vt-slider", "aria-valuetext")


@browser_test
def test_search_and_click_jump_to_a_value(walkthrough_open):
    page, here = walkthrough_open.page, walkthrough_open
    page.fill(".vt-search", "s_bar")
    assert here.title() == "s_bar"
    page.fill(".vt-search", "gradient of u_bar")
    assert here.title() == "gradient of u_bar"
    page.fill(".vt-search", "encoder_z.1.W")  # a weight is beside its layer
    page.keyboard.press("Enter")
    assert here.title() == "mu_z"
    page.fill(".vt-search", "nothing at all")
    page.keyboard.press("Enter")
    assert page.inner_text(".vt-missing") == "No step is called that."
    assert here.title() == "mu_z"
    page.click(".vt-node[data-name=kl_pi]")
    assert here.title() == "kl_pi"
    page.fill(".vt-search", "gradient of loss")
    page.click(".vt-node[data-name=beta]")
    assert here.title() == "gradient of beta"
    page.click(".vt-node[data-name=velocity]")  # it has no gradient
    assert here.title() == "velocity"


@browser_test
def test_the_graph_marks_the_current_value_and_what_feeds_it(walkthrough_open, walkthrough):
    page = walkthrough_open.page

    def marked(selector):
        names = page.locator(selector).evaluate_all("all => all.map((e) => e.dataset.name)")
        return set(names)

    page.fill(".vt-search", "u_bar")
    assert marked(".vt-now") == {"u_bar"}
    assert marked(".vt-near") == set(walkthrough.tape.graph["u_bar"])
    page.fill(".vt-search", "gradient of u_bar")
    assert marked(".vt-now") == {"u_bar"}
    assert marked(".vt-near") == {"log_density_u"}  # velocity sends nothing back


@browser_test
def test_the_cell_and_gene_followed_stand_out(walkthrough_open):
    page = walkthrough_open.page
    page.fill(".vt-search", "u_bar")
    page.select_option(".vt-cell", label="Cell 3")
    page.select_option(".vt-gene", label="C")
    assert page.inner_text(".vt-step h4") == "At Cell 3, gene C"
    followed = page.locator("tr.vt-followed")
    assert followed.count() == 1
    assert followed.inner_text().split("\t")[:2] == ["Cell 3", "C"]
    assert page.locator("tr.vt-dim").count() == 5
    page.click("tr.vt-dim >> nth=1")
    assert page.inner_text(".vt-step h4") == "At Cell 1, gene B"


@browser_test
def test_the_operations_open_on_demand(walkthrough_open):
    page = walkthrough_open.page
    page.fill(".vt-search", "u_switch")
    assert page.locator("tr[data-ordinal]").count() == 0
    page.click(".vt-level")
    assert page.get_attribute(".vt-level", "aria-pressed") == "true"
    assert page.locator("tr[data-ordinal] td").all_inner_texts()[0] == "divide(alpha, beta)"


@browser_test
def test_the_address_leads_to_a_step_and_the_back_button_back(walkthrough_open, walkthrough_page):
    page, here = walkthrough_open.page, walkthrough_open
    page.fill(".vt-search", "gradient of u_bar")
    page.select_option(".vt-gene", label="B")
    page.click(".vt-level")
    address = page.url
    page.keyboard.press("Home")
    assert here.step() == 1
    page.go_back()
    assert here.title() == "gradient of u_bar"
    page.go_back()
    assert page.locator("tr[data-ordinal]").count() == 0  # the level, opened last
    page.go_back()
    assert page.inner_text(".vt-step caption") == "What arrives at Cell 1, gene A"
    page.go_forward()
    assert page.inner_text(".vt-step caption") == "What arrives at Cell 1, gene B"

    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(".vt-ready")
    assert here.title() == "gradient of u_bar"
    assert page.inner_text(".vt-step caption") == "What arrives at Cell 1, gene B"
    assert page.locator("tr[data-ordinal]").count() > 0
    page.goto(f"{walkthrough_page.as_uri()}#player.step=26&player.cell=Nobody&player.level=x")
    assert here.step() == 26
    page.goto(f"{walkthrough_page.as_uri()}#player.step=%3Cimg%3E")
    assert here.step() == 1
    assert here.trouble == []


@browser_test
def test_two_players_do_not_disturb_each_other(page, two_page):
    here = Opened(page, two_page.as_uri())
    page.keyboard.press("ArrowRight")  # with no focus anywhere: the first on the page
    assert (here.step("two"), here.step("one")) == (2, 1)
    page.focus("#one .vt-level")
    page.keyboard.press("End")
    assert here.step("one") > 50
    assert here.step("two") == 2
    page.fill("#two .vt-search", "u_bar")
    page.select_option("#one .vt-gene", label="C")
    assert (here.title("two"), here.title("one")) == ("u_bar", "gradient of alpha")
    assert page.inner_text("#two .vt-step h4") == "At Cell 1, gene A"
    page.focus("#notes")
    page.keyboard.press("ArrowRight")
    assert here.title("two") == "u_bar"
    page.reload()
    page.wait_for_selector("#one.vt-ready")
    assert (here.title("two"), here.title("one")) == ("u_bar", "gradient of alpha")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    assert here.trouble == []


@browser_test
def test_the_second_slider_goes_through_the_training(page, epochs_page, epochs):
    here = Opened(page, epochs_page.as_uri())
    names = [step.name for step in steps(epochs[0].trace)]
    for place, frame in enumerate(epochs):
        page.evaluate(
            """(value) => { const slider = document.querySelector(".vt-epochs");
                slider.value = value; slider.dispatchEvent(new Event("input")); }""",
            place,
        )
        assert page.inner_text(".vt-epoch") == f"epoch {frame.epoch}"
        for index, step in enumerate(steps(frame.trace)):
            here.show(index, cell=1, gene=2)
            shown = page.evaluate(f"({COLLECT})(document.querySelector('.vt'))")
            order = [frame.trace.coords["cell"].index(cell) for cell in ("Cell 1", "Cell 3")]
            value = step.value
            if "cell" in step.dims:
                value = value.take(order, axis=step.dims.index("cell"))
            for at, text in [*shown["values"], *shown["table"]]:
                assert text == signed(value[_index(step.dims, at)]), (frame.epoch, step.title)
            if place and index == names.index("alpha"):
                change = step.value[2] - epochs[0].trace.tape["alpha"].value[2]
                sign = "+" if change > 0 else ""
                said = page.inner_text(".vt-step .vt-change")
                assert said.strip() == f"{sign}{signed(change)} since epoch 0"
    assert "player.epoch=5" in page.url
    page.reload()
    page.wait_for_selector(".vt-ready")
    assert page.inner_text(".vt-epoch") == "epoch 5"
    assert here.trouble == []


# ---- for everybody --------------------------------------------------------------------------


@browser_test
def test_a_live_region_says_the_step(walkthrough_open):
    page = walkthrough_open.page
    page.fill(".vt-search", "u_bar")
    said = page.inner_text("[role=status]")
    assert said == (
        "Step 26 of 83, forward: u_bar. Cell 1, gene A: "
        "state 1 4.6807, state 2 8.5, state 3 5.98442, state 4 0."
    )


@browser_test
@pytest.mark.parametrize("size", [COMPUTER, TELEPHONE], ids=["computer", "telephone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("by", ["system", "page"])
def test_no_barrier_that_axe_sees(browser: Browser, walkthrough_page, theme, size, by):
    """Light and dark by the reader's system, or by the attribute of the book's theme against it."""
    other = {"light": "dark", "dark": "light"}
    scheme = theme if by == "system" else other[theme]
    page = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    here = Opened(page, walkthrough_page.as_uri())
    if by == "page":
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page.evaluate("document.body.style.background = getComputedStyle("
                      "document.querySelector('.vt')).backgroundColor; "
                      "document.body.style.color = getComputedStyle("
                      "document.querySelector('.vt')).color")  # fmt: skip
    ground = page.evaluate("getComputedStyle(document.querySelector('.vt')).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (theme == "light")
    lines = []
    for name in ("u_bar", "gradient of z", "loss", "kl_pi_digamma"):
        page.fill(".vt-search", name)
        page.click(".vt-level")
        page.wait_for_timeout(50)
        found = Axe().run(page, options=WCAG).response["violations"]
        lines += [f"{name} {it['id']}: {n['html'][:200]}" for it in found for n in it["nodes"]]
    page.close()
    assert not lines, "\n".join(lines)
    assert here.trouble == []


@browser_test
@pytest.mark.parametrize("which", ["walkthrough_page", "epochs_page", "hostile_page"])
def test_a_telephone_scrolls_down_only(browser: Browser, request, which):
    page = browser.new_page(viewport=TELEPHONE)
    here = Opened(page, request.getfixturevalue(which).as_uri())
    page.click(".vt-level")
    count = page.locator(".vt-slider").get_attribute("max")
    for step in range(int(count) + 1):
        here.show(step)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width == TELEPHONE["width"], here.title()
    page.close()


@browser_test
def test_without_a_script_the_steps_are_a_table(browser: Browser, walkthrough_page, walkthrough):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(walkthrough_page.as_uri())
    rows = page.locator(".vt-table tbody tr")
    titles = page.locator(".vt-table tbody th").all_inner_texts()
    assert titles == [step.title for step in steps(walkthrough)]
    assert rows.nth(25).is_visible()
    assert "4.6807" in rows.nth(25).inner_text()
    assert page.locator(".vt-graph").is_visible()
    assert not page.locator(".vt-bar").is_visible()
    context.close()


@browser_test
def test_on_paper_it_is_graph_step_and_table(walkthrough_open):
    page = walkthrough_open.page
    page.fill(".vt-search", "u_bar")
    page.emulate_media(media="print")
    for selector in (".vt-graph", ".vt-step h3", ".vt-table tbody tr >> nth=82"):
        assert page.locator(selector).is_visible(), selector
    for selector in ("[data-do=play]", ".vt-choose", ".vt-slider"):
        assert not page.locator(selector).is_visible(), selector


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def served(folder) -> Iterator[str]:
    handler = functools.partial(_Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@browser_test
def test_the_same_over_http_with_no_further_request(page, served, walkthrough_page):
    here = Opened(page, f"{served}/{walkthrough_page.name}#player.step=u_bar")
    assert here.title() == "u_bar"
    page.keyboard.press("ArrowRight")
    assert here.title() == "s_bar"
    page.go_back()
    assert here.title() == "u_bar"
    assert [url for url in here.requests if not url.endswith("favicon.ico")] == [
        f"{served}/{walkthrough_page.name}#player.step=u_bar"
    ] or len({url.split("#")[0] for url in here.requests if "favicon" not in url}) == 1


# ---- hostile names --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile_page(folder, hostile) -> Path:
    path = folder / "hostile.html"
    title = hostile.resolved.scenario.title
    path.write_text(player_page([Frame(0, hostile)], title), encoding="utf-8")
    return path


@browser_test
def test_hostile_names_do_no_harm_and_show_as_written(page, hostile_page):
    here = Opened(page, hostile_page.as_uri())
    cells, genes = HOSTILE["cells"], HOSTILE["genes"]
    assert page.locator(".vt-cell option").all_text_contents() == list(map(terminal, cells))
    assert page.locator(".vt-gene option").all_text_contents() == list(map(terminal, genes))
    assert page.inner_text("h1") == "</title><script>alert(3)</script>"
    page.fill(".vt-search", "u_bar")
    for n, cell in enumerate(cells):
        for g, gene in enumerate(genes):
            here.show(25, n, g)
            where = f"At {terminal(cell)}, gene {terminal(gene)}"
            assert page.text_content(".vt-step h4") == where
            assert where[3:] in page.text_content("[role=status]")
    heads = set(page.locator(".vt-step tbody th").all_text_contents())
    assert set(map(terminal, cells + genes)) <= heads
    page.select_option(".vt-cell", index=0)
    page.select_option(".vt-gene", index=2)
    page.reload()
    page.wait_for_selector(".vt-ready")
    assert page.text_content(".vt-step h4") == f"At {cells[0]}, gene {genes[2]}"
    assert page.locator("img, .vt-step script").count() == 0
    assert here.trouble == []


# ---- speed ----------------------------------------------------------------------------------

TIME = """async () => {
  const root = document.querySelector(".vt");
  const least = new Map();
  root.addEventListener("velotrace-step", ({ detail: { step, milliseconds } }) =>
    least.set(step, Math.min(milliseconds, least.get(step) ?? Infinity)));
  const slider = root.querySelector(".vt-slider");
  const slow = () => [...least.values()].some((milliseconds) => milliseconds >= 16);
  for (let round = 0; round < 6 || (round < 60 && slow()); round += 1) {
    for (let step = 0; step <= Number(slider.max); step += 1) {
      if (round > 5 && least.get(step) < 16) continue;
      slider.value = step;
      slider.dispatchEvent(new Event("input"));
      await new Promise((done) => requestAnimationFrame(done));
    }
  }
  return [...least];
}"""


@browser_test
@pytest.mark.parametrize("which", ["walkthrough_page", "large_page"])
def test_a_step_is_shown_within_a_frame(page, request, which):
    """Under 16 ms of script for every step.

    The least of several showings, because whatever else runs on the machine only ever adds; on a
    busy one up to sixty for a step that has not been below yet.
    """
    Opened(page, request.getfixturevalue(which).as_uri())
    times = dict(page.evaluate(TIME))
    worst = max(times, key=times.__getitem__)
    print(f"{which}: slowest step {worst + 1}: {times[worst]:.1f} ms of script")
    assert len(times) > 60
    assert times[worst] < 16.0
