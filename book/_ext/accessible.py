"""Mend what Sphinx and the theme write that a screen reader stumbles over."""

from __future__ import annotations

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


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("html-page-context", mend_roles)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
