"""Keep a formula in a sentence on one line with what belongs to it: its value, and the next stop.

A browser may break a line on either side of a formula, so that a comma or "= 0.05" would begin one.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

FORMULA = r'<span class="math notranslate nohighlight">\\\((?:(?!</span>).)*\\\)</span>'
VALUE = r'\s=\s(?:<strong>)?<span class="pasted-text">[^<]*</span>(?:</strong>)?'
STOP = r"[.,;:?!)]+|’s\b"
TOGETHER = re.compile(rf"(?s)\(?{FORMULA}(?:{VALUE}(?:{STOP})?|(?:{STOP}))")


def mend_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Bind the formulas of a page's sentences."""
    if "body" in context:
        context["body"] = bound(context["body"])


def bound(body: str) -> str:
    """A body in which no line ends between a formula and what follows it closely."""
    return TOGETHER.sub(lambda found: f'<span class="unbroken">{found[0]}</span>', body)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("html-page-context", mend_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
