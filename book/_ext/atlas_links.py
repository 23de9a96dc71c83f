"""Lead from a function in the API to its equations, pages and rows of the trace."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

from velotrace.report.atlas import Place, of_function


def add_places(
    app: Sphinx, what: str, name: str, described: Any, options: Any, lines: list[str]
) -> None:
    """Put, below a docstring, where the book has what the function computes."""
    lines.extend(
        line
        for place in of_function(name.removeprefix("velotrace."))
        for line in ("", in_the_book(place))
    )


def in_the_book(place: Place) -> str:
    """One sentence in reStructuredText with links to the equation, the page and the values."""
    values = ", ".join(f":term:`{value}`" for value in place.values)
    return f"In the book: :eq:`{place.label}`, {place.what}, on :doc:`/{place.page}`; {values}."


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("autodoc-process-docstring", add_places, priority=900)  # after napoleon
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
