"""Names of cells and genes that mean something to a terminal, a page, a table or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from velotrace.report import escape, figures
from velotrace.walkthrough import trace as run

NAMES = [
    "<script>alert(1)</script>",
    r"$\alpha$",
    '"}',
    "=cmd()",
    "\u202ereversed",
    "long " + "x" * 190 + " name",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31mred",
    "two\nlines",
    "a\rb\tc",
    "+1",
    "-2.5",
    "@SUM(A1)",
    "'=1",
    "＝1",
    "`code` ```",
    "**bold** _it_ ~~no~~",
    "[x](http://example.org)",
    "![x](http://example.org/x.png)",
    "a|b\\|c\\",
    "{{x}} {x}`y`",
    "&lt;&#60;",
    "\u2028\u200b\u00a0|",
    "# 1. - x",
    "</td></tr></table>",
    "\\textbf{x} 100 %",
    "(x)= www.example.org",
    "% a@example.org",
    "1. e",
    "$$x$$ :::{note}",
    "+++",
    "u_bar",
]
"""Four at a time, of cells and of genes."""

FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def visible(text: str) -> bool:
    """Whether a terminal shows the text and obeys none of it."""
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.fixture(scope="module", params=range(0, len(NAMES), 4))
def hostile(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario of four cells and four genes, small networks, a hostile title."""
    cells = NAMES[request.param : request.param + 4]
    genes = cells[::-1]
    folder = tmp_path_factory.mktemp("hostile")
    with (folder / "own.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["cell", "gene", "unspliced", "spliced"])
        for n, cell in enumerate(cells):
            table.writerows([cell, gene, 0.1 + 0.2 * n, 0.25] for gene in genes)
    path = folder / "own.toml"
    title = json.dumps(" ".join(cells), ensure_ascii=False).replace("\x7f", "")
    path.write_text(
        f'schema = "velotrace-scenario/1"\ntitle = {title}\ndata.file = "own.csv"\n'
        "networks.latent = 1\nnetworks.hidden = []\n",
        encoding="utf-8",
    )
    return path


def names_of(scenario: Path) -> tuple[list[str], list[str]]:
    coords = run(scenario).coords
    return coords["cell"], coords["gene"]


# ---- through the commands -------------------------------------------------------------------


def reports(scenario: Path) -> list[list[str]]:
    """Calls that print names: every command and every way to choose."""
    cells, genes = names_of(scenario)
    place = f"{cells[1]}/{genes[2]}"
    explain = ["explain", "u_bar", str(scenario), "--cell", cells[0], "--gene", genes[3]]
    return [
        ["trace", str(scenario)],
        ["trace", str(scenario), "--set", f"pi@{place}=1,0,0,0", "--cut", f"z@{cells[2]}"],
        ["explain", "beta", str(scenario), "--gene", genes[0]],
        [*explain, "--state", "1", "--set", f"time_induction@{place}=3"],
        ["diff", str(scenario), str(scenario.parent / "other.toml")],
    ]


@pytest.fixture(scope="module")
def other(hostile: Path) -> Path:
    """The same with another rate and the last cell left out."""
    cells, _ = names_of(hostile)
    text = hostile.read_text(encoding="utf-8")
    batch = ", ".join(json.dumps(cell).replace("\x7f", "\\u007f") for cell in cells[:3])
    path = hostile.parent / "other.toml"
    path.write_text(f"{text}initial.beta = 0.2\nbatch.cells = [{batch}]\n", encoding="utf-8")
    return path


def test_terminal(hostile: Path, other: Path, command: Any) -> None:
    """No report holds a character that a terminal obeys; names stand there spelled out."""
    cells, genes = names_of(hostile)
    for call in reports(hostile):
        done = command(*call)
        assert done.status in (0, 1), done
        assert done.err == ""
        assert visible(done.out), call
    whole = "".join(command("trace", hostile).out.split())
    for name in cells + genes:
        shown = "".join(escape.terminal(name).split())
        assert shown in whole or (len(shown) > 30 and shown[:4] in whole), name


TAGS = {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "pre", "code"}


class Page(HTMLParser):
    """The elements of a page, and the texts of its table cells and of the rest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self.texts: list[str] = []
        self.within = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.within = tag
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within in ("td", "th"):
            self.cells[-1] += data
        else:
            self.texts.append(data)


def rendered(markdown: str) -> Page:
    return Page(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))


def squeezed(text: str) -> str:
    """As a browser shows runs of spaces."""
    return " ".join(text.split())


def test_markdown(hostile: Path, other: Path, command: Any) -> None:
    """Rendered, it has headings, sentences and tables, and every name as it is spelled."""
    cells, genes = names_of(hostile)
    labels = {squeezed(escape.terminal(name)) for name in cells + genes}
    for call in reports(hostile):
        text = command(*call, "--format", "md").out
        assert visible(text)
        page = rendered(text)
        assert page.tags - {"strong"} <= TAGS, (call, page.tags - TAGS)
        if call[0] == "trace" and len(call) == 2:
            assert labels <= set(page.cells), labels - set(page.cells)
            title = squeezed(escape.terminal(" ".join(" ".join(cells).split())))
            assert any(title in squeezed(part) for part in ["".join(page.texts)])


@pytest.mark.parametrize("style", ["csv", "json", "parquet"])
def test_files_keep_every_character(
    style: str, hostile: Path, other: Path, command: Any, tmp_path: Path
) -> None:
    """What `trace -o` writes reads back: nothing differs from the scenario itself."""
    if style == "parquet":
        pytest.importorskip("pyarrow")
    folder = tmp_path / "out"
    assert command("trace", hostile, "-o", folder, "--format", style).status == 0
    compared = command("diff", hostile, folder, "--tolerance", "0")
    assert (compared.status, compared.err) == (0, ""), compared.out
    changed = command("diff", other, folder, "--format", "json")
    cell = names_of(hostile)[0][3]
    assert f"Only in the one after: cell {cell}." in json.loads(changed.out)["notes"]


def test_csv(hostile: Path, other: Path, command: Any) -> None:
    """No name is a formula, each comes back, and numbers below 0 stay numbers."""
    cells, genes = names_of(hostile)
    rows = list(csv.DictReader(io.StringIO(command("trace", hostile, "--format", "csv").out)))
    found: dict[str, dict[str, None]] = {"cell": {}, "gene": {}}
    for row in rows:
        for dim, names in found.items():
            assert not row[dim].startswith(FORMULA)
            if row[dim]:
                names[escape.from_csv_cell(row[dim])] = None
        assert math.isfinite(float(row["value"]))
    assert (list(found["cell"]), set(found["gene"])) == (cells, set(genes))
    assert any(row["value"].startswith("-") for row in rows)
    differing = command("diff", hostile, other, "--format", "csv").out
    assert not any(row["at"].startswith(FORMULA) for row in csv.DictReader(io.StringIO(differing)))


def test_csv_on_a_terminal(hostile: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Printed where a person looks, the same table is spelled out."""
    call = ["trace", hostile, "--format", "csv"]
    exact = command(*call).out
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True)
    seen = command(*call).out
    assert visible(seen)
    assert seen == "\n".join(map(escape.terminal, exact.split("\n")))


def test_json(hostile: Path, other: Path, command: Any) -> None:
    """Exact names, and nothing in them that a terminal obeys."""
    cells, genes = names_of(hostile)
    for call in reports(hostile):
        text = command(*call, "--format", "json").out
        assert visible(text)
        json.loads(text)
    for call in (["vectors", hostile], ["vectors", hostile, "-o", hostile.parent / "v.json"]):
        assert visible(command(*call).out)
    read = json.loads((hostile.parent / "v.json").read_text(encoding="utf-8"))
    assert (read["coords"]["cell"], read["coords"]["gene"]) == (cells, genes)
    same = command("vectors", hostile, "--against", hostile.parent / "v.json")
    assert same.status == 0
    apart = command("vectors", other, "--against", hostile.parent / "v.json")
    assert (apart.status, visible(apart.out), apart.out.count("\n")) == (1, True, 1)


def test_init(hostile: Path, command: Any, tmp_path: Path) -> None:
    """A new scenario spells out what cannot be seen, and still means the same names."""
    cells, genes = names_of(hostile)
    new = tmp_path / "new.toml"
    assert command("init", hostile.parent / "own.csv", "-o", new).status == 0
    text = new.read_text(encoding="utf-8")
    assert visible(text)
    assert tomllib.loads(text)["batch"]["cells"] == cells
    pinned = text.replace("# state = {", "state = {").replace("latent = 10", "latent = 1")
    new.write_text(pinned, encoding="utf-8")
    made = run(new)
    assert made.coords["gene"] == genes
    assert int(made.tape["state"].value[0, 0]) == 1


def test_refusals(hostile: Path, command: Any, tmp_path: Path) -> None:
    """An error that says a name back is one line of visible text."""
    cells, genes = names_of(hostile)
    twice = tmp_path / "twice.csv"
    with twice.open("w", encoding="utf-8", newline="") as stream:
        rows = [("cell", "gene", "unspliced", "spliced")] + [(cells[0], genes[0], 0.5, 0.5)] * 2
        csv.writer(stream).writerows(rows)
    for call in (
        ["init", twice, "-o", tmp_path / "new.toml"],
        ["explain", "alpha", hostile, "--gene", cells[0] + "\x1b[0m"],
        ["explain", cells[1], hostile],
        ["trace", hostile, "--set", f"alpha@{cells[0]}\x07=1"],
        ["trace", hostile, "--drop", cells[2]],
        ["trace", tmp_path / "\x1b[2J.toml"],
    ):
        done = command(*call)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
        assert visible(done.err)


def test_figures(hostile: Path) -> None:
    """Titles are drawn as they are spelled; a dollar begins no formula."""
    pytest.importorskip("matplotlib").use("svg")
    from matplotlib import cbook, pyplot

    made = run(hostile)
    cell, gene = made.coords["cell"][0], made.coords["gene"][0]
    for figure in (
        figures.phase_portraits(made),
        figures.kinetic_curve(made, cell, gene),
        figures.dirichlet_divergences(made),
    ):
        texts = [panel.get_title() for panel in figure.axes]
        texts += [label.get_text() for panel in figure.axes for label in panel.get_xticklabels()]
        assert not any(cbook.is_math_text(text) for text in texts)
        pyplot.close(figure)
    title = figures.kinetic_curve(made, cell, gene).axes[0].get_title().replace(r"\$", "$")
    assert title == f"{escape.terminal(cell)}, gene {escape.terminal(gene)}"
    pyplot.close("all")


# ---- the helpers, for any text --------------------------------------------------------------

ANY = st.text(max_size=40)
SPECIAL = st.text("\\`*_{}[]()<>#+-.!|~&$:=^'\"/ a1\u202e\x1b", max_size=12)
TEXTS = ANY | SPECIAL


@given(TEXTS)
def test_terminal_is_one_visible_line(text: str) -> None:
    shown = escape.terminal(text)
    assert shown.isprintable()
    assert escape.terminal(shown) == shown
    if text.isprintable():
        assert shown == text


@given(TEXTS)
def test_html_shows_the_text(text: str) -> None:
    """Between tags and in an attribute; no element but ours comes of it."""
    read: list[tuple[str, Any]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            read.append((tag, dict(attrs)))

        def handle_data(self, data: str) -> None:
            read.append(("", data))

    reader = Reader(convert_charrefs=True)
    reader.feed(f'<b title="{escape.html(text)}">{escape.html(text)}</b>')
    reader.close()
    shown = escape.terminal(text)
    assert read == [("b", {"title": shown})] + ([("", shown)] if shown else [])


@given(TEXTS)
def test_markdown_shows_the_text(text: str) -> None:
    """In a cell of a table, in a heading and within a sentence."""
    shown, wanted = escape.markdown(text), squeezed(escape.terminal(text))
    page = rendered(f"| a | b |\n|---|---|\n| {shown} | 1 |\n")
    assert page.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    assert [squeezed(cell) for cell in page.cells] == ["a", "b", wanted, "1"]
    for line, tag in ((f"# {shown}", "h1"), (f"Gene {shown} is up.", "p"), (shown, "p")):
        page = rendered(line.strip() + "\n")
        assert page.tags == ({tag} if line.strip() else set()), line
        within = "Gene  is up." if line.startswith("Gene") else ""
        assert squeezed("".join(page.texts)) == squeezed(f"{within[:5]}{wanted}{within[5:]}")


@given(
    st.recursive(
        TEXTS | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
        max_leaves=5,
    )
)
def test_json_reads_back(value: Any) -> None:
    """Exactly, also out of a script element, which ends where it should."""
    assert json.loads(escape.json(value)) == value
    assert escape.json(value).isprintable()
    scripted = escape.script_json(value)
    assert json.loads(scripted) == value
    assert not set("<>&") & set(scripted)


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_csv_reads_back(names: list[str]) -> None:
    """Through Python's csv, and no cell begins as a formula does."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerow(map(escape.csv_cell, names))
    stream.seek(0)
    cells = next(csv.reader(stream))
    assert [escape.from_csv_cell(cell) for cell in cells] == names
    assert not any(cell.startswith(FORMULA) for cell in cells)


LATEX = {
    "textbackslash{}": "\\", "textasciitilde{}": "~", "textasciicircum{}": "^",
    "textless{}": "<", "textgreater{}": ">", "textbar{}": "|", **{c: c for c in "{}$&#%_"},
}  # fmt: skip


@given(TEXTS)
def test_latex_shows_the_text(text: str) -> None:
    """What LaTeX prints for each command is what was meant, and nothing special stands bare."""
    command = re.compile(r"\\(" + "|".join(map(re.escape, LATEX)) + ")")
    shown = escape.latex(text)
    assert not set(command.sub("", shown)) & set("\\{}$&#%_~^<>|")
    assert command.sub(lambda found: LATEX[found[1]], shown) == escape.terminal(text)


@given(TEXTS)
def test_figure_has_no_formula(text: str) -> None:
    cbook = pytest.importorskip("matplotlib.cbook")
    shown = escape.figure(text)
    assert not cbook.is_math_text(shown)
    assert shown.replace(r"\$", "$") == escape.terminal(text)
