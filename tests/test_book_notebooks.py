"""Pages of the book as notebooks: what becomes of the text, and whether they run by themselves.

Running them all takes minutes, so only `make test-book` does, on the book that `make book` built.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from velotrace.exercises.catalogue import chosen
from velotrace.exercises.salts import PUBLIC_SALT
from velotrace.report import book_exercises, notebook_text
from velotrace.report.notebook_cells import notebook
from velotrace.report.notebook_maths import on_one_line
from velotrace.report.notebook_text import Facts, displayed, plain

BOOK = Path(__file__).resolve().parent.parent / "book"
HTML, STUDENTS = BOOK / "_build" / "html", BOOK / "_build" / "students"
NOTEBOOKS = sorted(
    path.relative_to(HTML / "downloads").with_suffix("").as_posix()
    for path in (HTML / "downloads").rglob("*.ipynb")
)
REQUIRED = os.environ.get("VELOTRACE_BOOK") == "required"

needs_book = pytest.mark.skipif(
    not REQUIRED, reason="make test-book tries the book that make book built"
)

FACTS = Facts(
    page="errors/adam",
    references={
        "eq:eq-ode": "(12)",
        "numref:fig-curve": "Figure 3",
        "cite:p:bergen2020": "[Bergen et al., 2020]",
        "ref:sec-kinetics": "Predicted abundances",
        "doc:kinetics": "Predicted abundances",
        "doc:errors/scaling": "Two factors",
    },
    values={"u": "0.8", "loss": "−12.5"},
)

RAW = re.compile(
    r"\{[a-z][a-z:+-]*\}`"  # a role
    r"|^[ >]*(?::{3,}|`{3,}\{)"  # a directive
    r"|^\([\w-]+\)=$|^:class: ",  # a label, an option
    re.MULTILINE,
)
"""MyST that Jupyter would show as it stands."""


# ---- words in the place of roles and links ---------------------------------------------------


@pytest.mark.parametrize(
    ("myst", "expected"),
    [
        ("{glue:text}`u` and {glue}`loss`", "0.8 and −12.5"),
        ("Solving {eq}`eq-ode` gives", "Solving (12) gives"),
        ("{eq}`eq-unknown`", "`eq-unknown`"),
        ("in {numref}`fig-curve`:", "in Figure 3:"),
        ("{numref}`the curve <fig-curve>`", "the curve"),
        ("so {cite:p}`bergen2020`.", "so [Bergen et al., 2020]."),
        ("{cite:p}`nobody`", "nobody"),
        ("{ref}`sec-kinetics`", "Predicted abundances"),
        ("{doc}`/kinetics`, {doc}`scaling`", "*Predicted abundances*, *Two factors*"),
        ("{doc}`../kinetics`", "*Predicted abundances*"),
        ("{doc}`elsewhere`", "*errors/elsewhere*"),
        ("{term}`u_bar`", "u_bar"),
        ("{py:func}`trace <velotrace.trace>`", "`trace`"),
        ("{py:func}`~velotrace.trace`", "`trace`"),
        ("{kbd}`Home`", "<kbd>Home</kbd>"),
        ("{math}`x^2`", "$x^2$"),
        ("[](../kinetics.md)", "*Predicted abundances*"),
        ("[predicted abundances](../kinetics.md)", "*predicted abundances*"),
        ("[what next](scaling.md#top)?", "what next (page *Two factors*)?"),
        ("[the **curve**](#fig-curve)", "the **curve**"),
        ("[of {eq}`eq-ode`](scaling.md)", "of (12) (page *Two factors*)"),
        ("[scvi](https://scvi-tools.org)", "[scvi](https://scvi-tools.org)"),
        ("![a curve](data:image/png;base64,AA)", "![a curve](data:image/png;base64,AA)"),
        ("![a curve](../_static/curve.svg)", "*a curve*"),
        ("{doc}`over\n  there <scaling>` it", "over there it"),
    ],
)
def test_a_reference_becomes_what_the_book_prints(myst: str, expected: str) -> None:
    assert plain(myst, FACTS) == expected


@pytest.mark.parametrize(
    "kept",
    [
        "code such as `{eq}` or ``{eq}`eq-ode` `` stays",
        "$f[x](y)$ and $\\{a\\}`b`$",
        "```text\n{eq}`eq-ode`\n(label)=\n:::{note}\n```",
        "~~~python\nx = [a](b.md)\n~~~",
        "| a | b |\n|---|--:|\n| `x|y` | 1 |",
        "- one\n- two\n\n  more of two",
        "# A title\n\ntext",
        "costs \\$5 or \\$6, [1] and (2)",
    ],
)
def test_plain_markdown_stays(kept: str) -> None:
    assert plain(kept, FACTS) == kept


def test_a_value_that_was_never_glued_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"errors/adam.*'v'"):
        plain("It is {glue:text}`v`.", FACTS)


# ---- formulas, labels, lists, directives -----------------------------------------------------


def test_a_labelled_formula_has_its_number() -> None:
    myst = "before\n$$\nx = 1\n$$ (eq-ode)\nafter"
    assert plain(myst, FACTS) == "before\n\n$$\nx = 1\n\\tag{12}\n$$\n\nafter"
    assert plain("$$ y $$ (eq-other)", FACTS) == "$$\ny\n$$"
    assert plain("```{math}\n:label: eq-ode\nx\n```", FACTS) == "$$\nx\n\\tag{12}\n$$"


def test_labels_and_comments_go() -> None:
    assert plain("(sec-x)=\n# Title\n\n% a note\n\ntext", FACTS) == "# Title\n\ntext"


def test_definitions_become_a_list() -> None:
    assert plain("Slider\n: Moves.\n  Slowly.\n\n`key`\n: Opens {eq}`eq-ode`.", FACTS) == (
        "- **Slider**: Moves.\n  Slowly.\n\n- **`key`**: Opens (12)."
    )
    glossary = "```{glossary}\nadjoint\n  A derivative.\n\nnat\n  A unit.\n```"
    assert plain(glossary) == "- **adjoint**: A derivative.\n\n- **nat**: A unit."


@pytest.mark.parametrize("name", ["tableofcontents", "bibliography", "eval-rst"])
def test_what_only_a_book_has_goes(name: str) -> None:
    assert plain(f"a\n\n```{{{name}}}\n.. autofunction:: b\n```\n\nc") == "a\n\nc"


def test_an_unknown_directive_leaves_its_text() -> None:
    assert plain(":::{margin}\n:class: x\nSee {eq}`eq-ode`.\n:::", FACTS) == "See (12)."


def test_a_box_becomes_a_block_quote_with_formulas_on_one_line() -> None:
    myst = (
        ":::{admonition} Beware of {eq}`eq-ode`\n:class: warning\nOf $a\n+ b$:\n\n"
        "$$\nx\n$$ (eq-ode)\n\n```sh\necho $A\necho $B\n```\n:::\nafter"
    )
    assert plain(myst, FACTS) == (
        "> **Beware of (12)**\n>\n> Of $a + b$:\n>\n> $$ x \\tag{12} $$\n>\n"
        "> ```sh\n> echo $A\n> echo $B\n> ```\n\nafter"
    )
    assert plain("```{note}\nIt falls.\n```") == "> **Note**\n>\n> It falls."


def test_code_with_dollars_is_not_taken_for_a_formula() -> None:
    text = "`$a`\nand `$b`; $c\nd$"
    assert on_one_line(text) == "`$a`\nand `$b`; $c d$"


def test_boxes_inside_boxes() -> None:
    myst = "::::{note}\n:::{admonition} Answer\n:class: answer\nNo.\n:::\nafter\n::::"
    with_answer = "> **Note**\n>\n> <details><summary>Answer</summary>\n>\n> No.\n>\n> </details>"
    assert plain(myst) == f"{with_answer}\n>\n> after"
    assert plain(myst, Facts(answers=False)) == "> **Note**\n>\n> after"


# ---- answers ---------------------------------------------------------------------------------

ANSWER = ":::{admonition} Answer\n:class: answer dropdown\nUpwards, by {glue:text}`u`.\n:::"


def test_an_answer_opens_on_a_click() -> None:
    assert plain(ANSWER, FACTS) == (
        "<details><summary>Answer</summary>\n\nUpwards, by 0.8.\n\n</details>"
    )


def test_students_have_no_answer() -> None:
    """Neither its text nor an empty cell; nor is a value wanted that only the answer names."""
    students = Facts(answers=False)
    assert plain(f"Which way?\n\n{ANSWER}", students) == "Which way?"
    cells = [
        {"cell_type": "markdown", "source": ANSWER, "metadata": {}},
        {"cell_type": "code", "source": "print('Upwards')", "metadata": {"tags": ["answer"]}},
    ]
    assert "Upwards" not in json.dumps(notebook(cells, students, "1.0"))
    assert json.dumps(notebook(cells, FACTS, "1.0")).count("Upwards") == 2


@pytest.mark.parametrize("answers", [True, False])
def test_exercises_in_a_running_download(answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook_text, "_RUNNING", [])
    asked = [exercise(book_exercises.READER, PUBLIC_SALT) for exercise in chosen("kinetics")]
    for question in asked:
        myst = book_exercises.question_with_answer(question)
        assert displayed(myst) == myst, "the book itself takes MyST"
    notebook_text.begin("kinetics", {}, answers=answers)
    for question in asked:
        text = displayed(book_exercises.question_with_answer(question))
        assert question.title in text
        assert not RAW.search(text)
        assert ("<summary>Answer</summary>" in text) is answers
        assert (question.solution.split("\n")[0] in text) is answers


# ---- cells -----------------------------------------------------------------------------------

FIGURE = {"figure": {"caption": "Solved {eq}`eq-ode`.", "name": "fig-curve"}, "image": {"alt": "x"}}
PAGE: list[dict[str, Any]] = [
    {"cell_type": "markdown", "source": "(sec-x)=", "metadata": {}},
    {"cell_type": "code", "source": "setup()", "metadata": {"tags": ["remove-cell"]}},
    {"cell_type": "markdown", "source": "See {eq}`eq-ode`.", "metadata": {}},
    {"cell_type": "code", "source": "1 + 1", "metadata": {}},
    {"cell_type": "code", "source": "draw();", "metadata": {"tags": ["x"], "mystnb": FIGURE}},
]


def test_the_cells_of_a_notebook() -> None:
    first, begin, *cells = notebook(PAGE, FACTS, "1.2.3")
    assert 'pip install "velotrace[book]==1.2.3"' in first["source"]
    assert begin["metadata"]["jupyter"] == {"source_hidden": True}
    assert [(cell["cell_type"], cell["source"]) for cell in cells] == [
        ("code", "setup()"),
        ("markdown", "See (12)."),
        ("code", "1 + 1"),
        ("code", "draw();"),
        ("markdown", "**Figure 3.** Solved (12)."),
    ]
    hidden = {"tags": ["remove-cell"], "jupyter": {"source_hidden": True}}
    assert [cell["metadata"] for cell in cells] == [hidden, {}, {}, {"tags": ["x"]}, {}]
    made = {"cells": [first, begin, *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    nbformat.validate(nbformat.from_dict(made))


def test_the_first_code_cell_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook_text, "_RUNNING", [])
    assert not notebook_text.in_download()
    exec(notebook(PAGE, FACTS, "1.2.3")[1]["source"], {})
    assert notebook_text.in_download()
    assert displayed("{eq}`eq-ode`, {doc}`scaling`") == "(12), *Two factors*"


# ---- a small book, built ---------------------------------------------------------------------

CONF = """
import sys
sys.path.insert(0, {extensions!r})
project, extensions, html_theme = "small", ["myst_nb", "notebooks"], "basic"
myst_enable_extensions = ["colon_fence", "dollarmath"]
nb_execution_mode, numfig, nb_merge_streams = "force", True, True
def setup(app):
    app.add_config_value("velotrace_edition", "answers", "html", [str])
"""
INDEX = """# Small\n\n```{toctree}\nfolder/page\n```\n\nNo cell here.\n"""
SMALL = """---
jupytext: {{text_representation: {{extension: .md, format_name: myst}}}}
kernelspec: {{name: python3, display_name: Python 3, language: python}}
---
# A page

$$ x = 1 $$ (eq-x)

```{{code-cell}} ipython3
:tags: [remove-cell]
import myst_nb
myst_nb.glue("x", "{x}", display=False)
```

By {{eq}}`eq-x` it is {{glue:text}}`x`, see [](../index.md).

{answer}
"""


@pytest.mark.slow
def test_a_small_book_offers_its_page(tmp_path: Path) -> None:
    """Both editions from one reading: the second runs no cell, and has no answer."""
    pytest.importorskip("myst_nb")
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "conf.py").write_text(CONF.format(extensions=str(BOOK / "_ext")))
    (source / "index.md").write_text(INDEX)
    page = SMALL.format(x="7.25", answer=ANSWER.replace("{glue:text}`u`", "much"))
    (source / "folder" / "page.md").write_text(page)
    made = {}
    for edition in ("answers", "students"):
        build(source, tmp_path / edition, tmp_path / "read", edition)
        file = tmp_path / edition / "downloads" / "folder" / "page.ipynb"
        made[edition] = file.read_bytes()
        assert offered(tmp_path / edition / "folder" / "page.html") == ("page.ipynb", made[edition])
        assert offered(tmp_path / edition / "index.html") is None
        text = "\n".join(cell.source for cell in nbformat.reads(made[edition].decode(), 4).cells)
        assert "By (1) it is 7.25, see *Small*." in text
        assert "\\tag{1}" in text
    assert b"Upwards, by much" in made["answers"]
    assert b"Upwards" not in made["students"]


def build(source: Path, to: Path, read: Path, edition: str) -> None:
    """Build with Sphinx in a process of its own."""
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-d", str(read), str(source), str(to)]
    subprocess.run([*command, "-D", f"velotrace_edition={edition}"], check=True)


class _Links(HTMLParser):
    """The links of a page that save something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, bytes]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        here = dict(attrs)
        prefix, _, content = (here.get("href") or "").partition("base64,")
        if tag == "a" and prefix == "data:application/x-ipynb+json;":
            self.found.append((here["download"] or "", base64.b64decode(content)))


def offered(page: Path) -> tuple[str, bytes] | None:
    """The notebook that a page offers: its name and content."""
    links = _Links()
    links.feed(page.read_text(encoding="utf-8"))
    assert len(links.found) <= 1
    return links.found[0] if links.found else None


# ---- the book --------------------------------------------------------------------------------


@needs_book
def test_every_page_with_cells_offers_a_notebook() -> None:
    with_cells = [
        path.relative_to(BOOK).with_suffix("").as_posix()
        for path in (*BOOK.glob("*.md"), *BOOK.glob("errors/*.md"))
        if "```{code-cell}" in path.read_text(encoding="utf-8")
    ]
    written = [name for name in with_cells if (HTML / f"{name}.html").is_file()]
    assert sorted(written) == NOTEBOOKS


def texts(name: str, folder: Path = HTML) -> str:
    """The text cells of a notebook of the book."""
    made = nbformat.read(folder / "downloads" / f"{name}.ipynb", 4)
    return "\n\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")


@needs_book
@pytest.mark.parametrize("name", NOTEBOOKS or ["intro"])
def test_a_notebook_is_offered_and_has_no_myst_left(name: str) -> None:
    file = HTML / "downloads" / f"{name}.ipynb"
    assert offered(HTML / f"{name}.html") == (file.name, file.read_bytes())
    text = re.sub(r"(?ms)^(`{3,})[^{\n]*$.*?^\1`*$", "", texts(name))
    assert not RAW.findall(text)


@needs_book
@pytest.mark.skipif(not STUDENTS.is_dir(), reason="there is no students' edition")
@pytest.mark.parametrize("name", NOTEBOOKS or ["intro"])
def test_a_student_s_notebook_has_no_answer(name: str) -> None:
    assert "<summary>Answer" not in texts(name, STUDENTS)
    made = nbformat.read(STUDENTS / "downloads" / f"{name}.ipynb", 4)
    assert "answers=False" in made.cells[1].source


@pytest.mark.slow
@pytest.mark.skipif(not REQUIRED, reason="takes minutes: make test-book runs the notebooks")
@pytest.mark.parametrize("name", NOTEBOOKS or ["intro"])
def test_a_notebook_runs_by_itself(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty folder, without an error or a word of warning, and shows no MyST."""
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    made = nbformat.read(HTML / "downloads" / f"{name}.ipynb", 4)
    there = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(made, timeout=None, kernel_name="python3", resources=there).execute()
    outputs = [output for cell in made.cells for output in cell.get("outputs", ())]
    assert not [out.text for out in outputs if out.get("name") == "stderr"]
    for output in outputs:
        text = output.get("data", {}).get("text/markdown", "")
        assert not RAW.findall(re.sub(r"(?ms)^(`{3,})[^{\n]*$.*?^\1`*$", "", text))
