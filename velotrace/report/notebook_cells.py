"""The cells of a page as the cells of a notebook that runs by itself."""

from __future__ import annotations

import pprint
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from velotrace.report.notebook_text import Facts, inline, plain

EXTRA = "book"
"""The extra of the package that brings everything a page runs."""

FOLDED = frozenset(("hide-input", "remove-cell", "remove-input"))
"""Tags of cells whose code the book does not show; Jupyter shows it on a click."""

ANSWER = "answer"
"""Tag of a cell that serves hidden answers alone; the students' edition has none."""

Cell = dict[str, Any]


def notebook(cells: Iterable[Mapping[str, Any]], facts: Facts, version: str) -> list[Cell]:
    """All cells of a page's notebook, ready to be run from the first to the last.

    Args:
        cells: of the page, as MyST-NB reads them: `cell_type`, `source`, `metadata`.
        facts: what their text refers to.
        version: of velotrace.

    Returns:
        One dict for each cell, in version 4.5 of Jupyter's format.
    """
    made = [_text(about(facts, version)), _code(preparation(facts), {"tags": ["remove-cell"]})]
    for cell in cells:
        made += _converted(cell, facts)
    return [{**cell, "id": f"cell-{number}"} for number, cell in enumerate(made)]


def about(facts: Facts, version: str) -> str:
    """What the notebook is, and what it needs."""
    title = facts.references.get(f"doc:{facts.page}", facts.page)
    return (
        f"*This notebook is the page “{title}” of the book of velotrace {version}. It runs by "
        "itself, from the first cell to the last. The numbers in its sentences are those of the "
        "book; its cells compute them anew. Code that the book hides is folded. It needs*\n\n"
        f'```sh\npip install "velotrace[{EXTRA}]=={version}"\n```'
    )


def preparation(facts: Facts) -> str:
    """The first code cell: has the cells below display plain Markdown."""
    references = pprint.pformat(dict(sorted(facts.references.items())), width=100, indent=1)
    return (
        "# What the cells below display is written for the book. Here it becomes plain Markdown.\n"
        "from velotrace.report import notebook_text\n\n"
        f"references = {references}\n"
        f"notebook_text.begin({facts.page!r}, references, answers={facts.answers})"
    )


def _converted(cell: Mapping[str, Any], facts: Facts) -> Iterator[Cell]:
    """A cell, and the caption below it if it draws a figure; none if nothing is left of it."""
    if cell["cell_type"] != "code":
        if text := plain(cell["source"], facts):
            yield _text(text)
        return
    metadata = cell["metadata"]
    if facts.answers or ANSWER not in metadata.get("tags", ()):
        yield _code(cell["source"], metadata)
        if caption := _caption(metadata, facts):
            yield _text(caption)


def _caption(metadata: Mapping[str, Any], facts: Facts) -> str:
    figure = metadata.get("mystnb", {}).get("figure", {})
    number = facts.references.get(f"numref:{figure.get('name')}", "Figure")
    caption = inline(str(figure.get("caption", "")), facts)
    return f"**{number}.** {caption}" if caption else ""


def _text(source: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str, metadata: Mapping[str, Any]) -> Cell:
    tags = list(metadata.get("tags", ()))
    kept: dict[str, Any] = {"tags": tags} if tags else {}
    if FOLDED.intersection(tags):
        kept["jupyter"] = {"source_hidden": True}
    return {
        "cell_type": "code",
        "metadata": kept,
        "source": source,
        "execution_count": None,
        "outputs": [],
    }
