"""Mend what Sphinx and the theme write that a screen reader stumbles over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# A list of literature has the role `list`, so its entries must have `listitem`; ARIA has given up
# the role that Sphinx writes.
ROLES = {'role="doc-biblioentry"': 'role="listitem"'}


def mend_roles(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Replace the roles of `ROLES` in the body of a page."""
    for old, new in ROLES.items():
        if "body" in context:
            context["body"] = context["body"].replace(old, new)


# The theme opens a chapter's pages in the sidebar by a chevron that has no name.
CHEVRON = '<summary><span class="toctree-toggle"'
NAMED = CHEVRON.replace("<summary>", '<summary aria-label="pages of this chapter">')


def name_chevrons(app: Sphinx, exception: Exception | None) -> None:
    """Name what opens a chapter in the sidebar, in every page that was written."""
    if exception is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            text = path.read_text(encoding="utf-8")
            if CHEVRON in text:
                path.write_text(text.replace(CHEVRON, NAMED), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("html-page-context", mend_roles)
    app.connect("build-finished", name_chevrons)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
