"""Two editions of one source: with answers, and for students without a trace of them.

An answer is any admonition of the class `answer`, written on a page or displayed by one of its
cells. In the students' edition it leaves the document before anything is written, so that neither
pages nor the search index know of it. The one long page that is printed opens all answers and
collects them at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

from velotrace import __version__

EDITIONS = {"answers": "with answers", "students": "students’ edition, without answers"}


def check_and_sign(app: Sphinx, config: Config) -> None:
    """Say on every page which version and which edition it is.

    Raises:
        ConfigError: there is no such edition.
    """
    edition = config.velotrace_edition
    if edition not in EDITIONS:
        raise ConfigError(f"velotrace_edition is {edition!r}; it must be one of {[*EDITIONS]}")
    config.version = config.release = __version__
    signature = f"velotrace {__version__}, {EDITIONS[edition]}"
    config.html_theme_options = {**config.html_theme_options, "extra_footer": signature}


def answers(tree: nodes.Node) -> list[nodes.Admonition]:
    """The answers in a document, in order."""
    return [node for node in tree.findall(nodes.Admonition) if "answer" in node.get("classes", ())]


def apply_edition(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Take the answers out, or collect them where the book is one long page."""
    found = answers(tree)
    if app.config.velotrace_edition == "students":
        for answer in found:
            answer.parent.remove(answer)
    elif app.builder.name == "singlehtml" and found:
        tree += collected(found)


def collected(found: list[nodes.Admonition]) -> nodes.section:
    """A chapter of all answers, each with a link to its question and one from there."""
    chapter = nodes.section("", nodes.title(text="Answers"), ids=["all-answers"])
    page = ""
    for number, answer in enumerate(found, start=1):
        if title_of_page(answer) != page:
            page = title_of_page(answer)
            chapter += nodes.rubric(text=page)
        question, here = f"question-{number}", f"answer-{number}"
        to_answer = nodes.reference("", f"Answer {number}", refid=here, internal=True)
        left = nodes.paragraph("", "", to_answer, nodes.Text(" is at the end."), ids=[question])
        answer.replace_self(left)
        to_question = nodes.reference("", f"Answer {number}", refid=question, internal=True)
        chapter += nodes.paragraph("", "", to_question, ids=[here])
        chapter += [child for child in answer.children if not isinstance(child, nodes.title)]
    return chapter


def title_of_page(node: nodes.Node) -> str:
    """The title of the page that a node of the one long page is from."""
    return next(titles(node)).astext()


def titles(node: nodes.Node) -> Iterator[nodes.title]:
    """Titles of the sections around a node, that of its page first."""
    around = []
    while node.parent is not None and not isinstance(node, addnodes.start_of_file):
        node = node.parent
        if isinstance(node, nodes.section):
            around.append(node[node.first_child_matching_class(nodes.title)])
    yield from reversed(around)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.add_config_value("velotrace_edition", "answers", "html", [str])
    app.connect("config-inited", check_and_sign)
    app.connect("doctree-resolved", apply_edition)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
