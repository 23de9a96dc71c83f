"""Write each page that has code as a notebook, and put a link to it on the page.

A notebook is made when its page is written, from the page's source and from what the build knows:
glued numbers, numbers of equations and figures, titles. So another edition of the book has its own
without running a cell again.

The file lies in the folder `downloads`, and the link carries the same file inside itself: of a page
that is opened from the disk, Chromium would show another file as text instead of saving it.
"""

from __future__ import annotations

import ast
import base64
import json
import re
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from myst_nb.core.read import read_myst_markdown_notebook
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

from velotrace.report.notebook_cells import notebook
from velotrace.report.notebook_text import Facts, page_of
from velotrace.version import __version__

FOLDER = "downloads"
LINK = (
    '<p class="notebook-download d-print-none"><a class="reference download internal" '
    'href="data:application/x-ipynb+json;base64,{content}" download="{name}">'
    "Download this page as a notebook</a></p>"
)

log = logging.getLogger(__name__)


def offer_notebook(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the notebook of a page, and put the link below the title."""
    if app.builder.name != "html" or doctree is None:
        return
    source = Path(app.env.doc2path(page))
    text = source.read_text(encoding="utf-8")
    if source.suffix != ".md" or "```{code-cell}" not in text:
        return
    try:
        content = as_notebook(app, page, text)
    except LookupError as missing:
        log.warning("no notebook of this page: %s", missing, location=page)
        return
    file = Path(app.outdir, FOLDER, f"{page}.ipynb")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    link = LINK.format(content=base64.b64encode(content).decode(), name=escape(file.name))
    context["body"] = re.sub(r"</h1>\n?", rf"\g<0>{link}\n", context["body"], count=1)


def as_notebook(app: Sphinx, page: str, text: str) -> bytes:
    """A page as a file for Jupyter.

    Args:
        app: in which all pages have been read.
        page: its name.
        text: its source.

    Raises:
        LookupError: a sentence names a value that no cell has glued.
    """
    source = read_myst_markdown_notebook(text, app.env.myst_config)
    answers = getattr(app.config, "velotrace_edition", "answers") != "students"
    facts = Facts(page, references(app, page), glued(app, page), answers)
    made = nbformat.from_dict(
        {
            "cells": notebook(source.cells, facts, __version__),
            "metadata": {"kernelspec": source.metadata["kernelspec"]},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )
    nbformat.validate(made)
    return f"{nbformat.writes(made)}\n".encode()


# ---- what the text of a page takes from the build --------------------------------------------


def glued(app: Sphinx, page: str) -> dict[str, str]:
    """The glued numbers of a page, as its sentences print them."""
    file = Path(app.env.mystnb_config.output_folder, f"{page}.glue.json")
    if not file.is_file():
        return {}
    stored = json.loads(file.read_text(encoding="utf-8"))
    return {name: _unquoted(one["data"].get("text/plain", "")) for name, one in stored.items()}


def _unquoted(text: str) -> str:
    return str(ast.literal_eval(text)) if text[:1] in ("'", '"') else text


def references(app: Sphinx, page: str) -> dict[str, str]:
    """What the book prints for each reference of a page, by role and target."""
    wanted: set[tuple[str, str, str]] = set()
    found: dict[str, str] = {}
    for node in app.env.get_doctree(page).findall(addnodes.pending_xref):
        role, target = node["reftype"], node["reftarget"]
        if role in ("doc", "myst"):
            other = page_of(target, page) if role == "doc" else target
            if other in app.env.titles:
                found[f"doc:{other}"] = app.env.titles[other].astext()
        elif node["refdomain"] in ("std", "math", "cite"):
            wanted.add((node["refdomain"], role, target))
    for domain, role, target in wanted | own_numbers(app, page):
        if text := _resolved(app, page, domain, role, target):
            found[f"cite:{role}:{target}" if domain == "cite" else f"{role}:{target}"] = text
    return {**found, f"doc:{page}": app.env.titles[page].astext()}


def own_numbers(app: Sphinx, page: str) -> set[tuple[str, str, str]]:
    """The numbered equations and figures of a page, referred to or not."""
    equations = app.env.get_domain("math").equations
    labels = app.env.get_domain("std").anonlabels
    figures = app.env.toc_fignumbers.get(page, {}).get("figure", {})
    return {("math", "eq", name) for name, (where, _) in equations.items() if where == page} | {
        ("std", "numref", name)
        for name, (where, anchor) in labels.items()
        if where == page and anchor in figures
    }


def _resolved(app: Sphinx, page: str, domain: str, role: str, target: str) -> str:
    """The text of a reference; empty where the build cannot resolve it, of which Sphinx warns."""
    node = addnodes.pending_xref(
        "", refdomain=domain, reftype=role, reftarget=target, refexplicit=False, refdoc=page
    )
    made = app.env.get_domain(domain).resolve_xref(
        app.env, page, app.builder, role, target, node, nodes.literal("", target)
    )
    text = made.astext() if made is not None else ""
    return "" if text == target else text


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("html-page-context", offer_notebook)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
