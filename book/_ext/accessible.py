"""Mend what Sphinx and the theme write that a screen reader stumbles over."""

from __future__ import annotations

import re
from html import escape, unescape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# A list of literature has the role `list`, so its entries must have `listitem`; ARIA has given up
# the role that Sphinx writes.
ROLES = {'role="doc-biblioentry"': 'role="listitem"'}

HEADING_OR_TABLE = re.compile(
    r"<h[1-6]\b[^>]*>(?P<heading>.*?)</h[1-6]>"
    r"|(?P<opening><table\b[^>]*>)(?P<inside>.*?)(?P<closing></table>)",
    re.DOTALL,
)
SECTION = re.compile(r"<(?P<section>thead|tbody)\b.*?</(?P=section)>", re.DOTALL)
HIDDEN_CAPTION = '<caption class="visually-hidden">{}</caption>'


def mend_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Replace the roles of `ROLES` in the body of a page, and say what its tables are."""
    if "body" in context:
        for old, new in ROLES.items():
            context["body"] = context["body"].replace(old, new)
        context["body"] = with_captions(context["body"])


def with_captions(body: str) -> str:
    """A body whose tables have a scope in each header, and a caption for those who cannot see.

    A caption names the section and the columns: what somebody who sees takes from the place.
    """
    section = ""

    def mended(found: re.Match[str]) -> str:
        nonlocal section
        if found["heading"] is not None:
            section = plain(found["heading"])
            return found[0]
        inside = SECTION.sub(scoped, found["inside"])
        caption = "" if "<caption" in inside else HIDDEN_CAPTION.format(caption_of(inside, section))
        return found["opening"] + caption + inside + found["closing"]

    return HEADING_OR_TABLE.sub(mended, body)


def scoped(section: re.Match[str]) -> str:
    """A table's head or body in which every header says whether it is a column's or a row's."""
    scope = "col" if section["section"] == "thead" else "row"
    return re.sub(r"<th\b(?![^>]*\bscope=)", f'<th scope="{scope}"', section[0])


def caption_of(table: str, section: str) -> str:
    """The section that a table stands in, and its columns."""
    head = re.search(r"(?s)<thead>(.*?)</thead>", table)
    columns = re.findall(r"(?s)<th\b[^>]*>(.*?)</th>", head[1]) if head else []
    named = ", ".join(filter(None, map(plain, columns)))
    return f"{section}: {named}" if named else section


def plain(html: str) -> str:
    """The words of a piece of HTML, without links to headings.

    Formulas are as they are typed but for backslashes, which a screen reader would spell: "mu_z".
    """
    words = re.sub(r'(?s)<a class="headerlink".*?</a>|<[^>]*>', " ", html)
    words = unescape(re.sub(r"\\[()]?", "", words))
    return escape(" ".join(words.split()))


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
    app.connect("html-page-context", mend_page)
    app.connect("build-finished", name_chevrons)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
