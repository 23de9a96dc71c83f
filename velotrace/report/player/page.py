"""The player as HTML: a part for a page of the book, or a page of its own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from velotrace.report.blocks import number
from velotrace.report.escape import html, script_json
from velotrace.report.player.content import Frame, content
from velotrace.report.player.graph import laid_out, svg
from velotrace.report.player.mathml import formula, mathml
from velotrace.report.steps import Step, sections, steps
from velotrace.report.worked import Worked, worked
from velotrace.selection import select
from velotrace.walkthrough import Trace

SCRIPTS = ("numbers.js", "detail.js", "player.js")
STYLES = ("player.css",)


def player_page(
    frames: Sequence[Frame], title: str, cell: str | None = None, gene: str | None = None
) -> str:
    """A page of its own, one file that asks for nothing else.

    Args:
        frames: one iteration, or the same at several epochs of training.
        title: of the page.
        cell: to follow first; the first of the mini-batch where none is given.
        gene: likewise.

    Returns:
        HTML.

    Raises:
        InputError: a library of the extra `play` is missing, the frames do not fit together, or
            there is no such cell or gene.
    """
    body = player_part(frames, title, cell, gene, keys="page")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html(title)}</title>\n<style>{_PAGE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{html(title)}</h1>\n{body}</main>\n</body>\n</html>\n"
    )


_PAGE = (
    "body{margin:0;font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:100rem;margin:auto;padding:.5rem}"
    "h1{font-size:1.4rem;margin:.3rem 0;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{background:#0e1116;color:#e4e9ef}}"
)


def player_part(
    frames: Sequence[Frame],
    title: str,
    cell: str | None = None,
    gene: str | None = None,
    *,
    identity: str = "player",
    keys: str = "focus",
    chapters: bool = False,
    script: bool = True,
) -> str:
    """The player as a part of a page.

    Args:
        frames: one iteration, or the same at several epochs of training.
        title: what it shows.
        cell: to follow first; the first of the mini-batch where none is given.
        gene: likewise.
        identity: unique on the page; the address keeps the player's state under it.
        keys: 'page' where arrow keys work wherever the reader is, 'focus' where only within.
        chapters: whether the page is one of the book, so that a step can name its chapter.
        script: whether to bring styles and scripts along; once on a page is enough.

    Returns:
        HTML.
    """
    trace = frames[0].trace
    select(trace, "unspliced", cell=cell, gene=gene)  # refuses what is not there
    cell, gene = cell or _first(trace, "cell"), gene or _first(trace, "gene")
    made = steps(trace)
    told, formulas = content(frames, cell, gene)
    told["chapters"] = chapters
    picture = svg(laid_out(trace, made), identity, _described(made))
    return "\n".join([
        f"<style>{_own(STYLES)}</style>" if script else "",
        f'<section class="vt" id="{html(identity)}" data-keys="{keys}" '
        f'aria-label="{html(f"Player: {title}")}">',
        _bar(made),
        _choices(told, made, identity),
        '<div class="vt-main">'
        '<div class="vt-picture" tabindex="0" role="group" aria-label="Graph of the named values">'
        f"{picture}</div>",
        '<div class="vt-step"></div></div><div class="vt-inside"></div>',
        '<p class="vt-live vt-hidden" role="status"></p>',
        _table(trace, made, cell, gene),
        f'<template class="vt-formulas">{formulas}</template>',
        f'<script type="application/json" class="vt-data">{script_json(told)}</script>',
        "</section>",
        f'<script>(() => {{\n"use strict";\n{_own(SCRIPTS)}}})();</script>' if script else "",
    ]) + "\n"  # fmt: skip


def _first(trace: Trace, dim: str) -> str:
    """The first cell or gene, in the order of the data."""
    labels = trace.coords[dim]
    known = trace.resolved.expression.cells if dim == "cell" else labels
    return next(label for label in known if label in labels)


def _own(names: Sequence[str]) -> str:
    folder = files("velotrace.report.player")
    return "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def _described(made: Sequence[Step]) -> str:
    count = sum(step.phase == "forward" for step in made)
    return f"Graph of {count} named values, from data and parameters at the top to the loss below"


# ---- controls -------------------------------------------------------------------------------

_ICONS = {
    "first": '<path d="M2 2h2v12H2zM14 2v12L5 8z"/>',
    "back": '<path d="M12 2v12L3 8z"/>',
    "play": '<path class="vt-icon-play" d="M4 2l10 6-10 6z"/>'
    '<path class="vt-icon-pause" d="M3 2h4v12H3zM9 2h4v12H9z"/>',
    "forward": '<path d="M4 2l9 6-9 6z"/>',
    "last": '<path d="M12 2h2v12h-2zM2 2l9 6-9 6z"/>',
}
_SAID = {
    "first": "First step",
    "back": "Step back",
    "play": "Play",
    "forward": "Step forward",
    "last": "Last step",
}


def _bar(made: Sequence[Step]) -> str:
    buttons = "".join(
        f'<button type="button" data-do="{do}" aria-label="{_SAID[do]}" title="{_SAID[do]}">'
        f'<svg viewBox="0 0 16 16" aria-hidden="true">{icon}</svg></button>'
        for do, icon in _ICONS.items()
    )
    last = len(made) - 1
    return (
        f'<div class="vt-bar" role="group" aria-label="Steps">{buttons}<div class="vt-track">'
        f'<input type="range" class="vt-slider" aria-label="Step" min="0" max="{last}" value="0">'
        f'<div class="vt-ticks" aria-hidden="true">{_ticks(made)}</div></div>'
        '<span class="vt-count"></span></div>'
    )


def _ticks(made: Sequence[Step]) -> str:
    ticks, before = [], "forward"
    for phase, section, first in sections(made):
        turn = ' class="vt-turn"' if phase != before else ""
        left = 100.0 * first / (len(made) - 1)
        ticks.append(f'<i{turn} style="left:{left:.2f}%" title="{phase}: {section.title}"></i>')
        before = phase
    return "".join(ticks)


def _choices(told: dict[str, Any], made: Sequence[Step], identity: str) -> str:
    titles = "".join(f'<option value="{html(step.title)}">' for step in made)
    options = {
        dim: "".join(f'<option value="{i}">{html(n)}</option>' for i, n in enumerate(labels))
        for dim, labels in told["names"].items()
    }
    listed = f"{html(identity)}-titles"
    return (
        '<div class="vt-choose" role="group" aria-label="What is shown">'
        f'<label>Go to <input type="search" class="vt-search" list="{listed}" '
        'placeholder="u_bar" autocomplete="off"></label>'
        f'<datalist id="{listed}">{titles}</datalist>'
        '<span class="vt-missing" role="alert"></span>'
        f'<label>Cell <select class="vt-cell">{options["cell"]}</select></label>'
        f'<label>Gene <select class="vt-gene">{options["gene"]}</select></label>'
        '<button type="button" class="vt-level" aria-pressed="false">Operations inside</button>'
        f"{_training(told)}</div>"
    )


def _training(told: dict[str, Any]) -> str:
    last = len(told["frames"]) - 1
    if not last:
        return ""
    return (
        '<label class="vt-training">Training <input type="range" class="vt-epochs" min="0" '
        f'max="{last}" value="0"><span class="vt-epoch"></span></label>'
    )


# ---- without a script, and on paper ---------------------------------------------------------


def _table(trace: Trace, made: Sequence[Step], cell: str, gene: str) -> str:
    rows = "".join(_row(step, worked(trace, step, cell, gene)) for step in made)
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("step", "value", "what", "numbers"))
    caption = f"All steps, for {html(cell)} and gene {html(gene)}"
    return (
        '<div class="vt-table"><div class="vt-wide"><table>'
        f"<caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>"
        "</table></div></div>"
    )


def _row(step: Step, found: Sequence[Worked]) -> str:
    values = ", ".join(number(one.value).replace("-", "−") for one in found)
    formulas = "".join(
        f"<br>{mathml(step.symbol)} = {formula(d.expression)}"
        + (f" in state {d.state}" if d.state else "")
        for d in step.definitions
    )
    what = step.sentence if step.phase == "forward" else "Its gradient."
    return (
        f'<tr><td>{step.index + 1}</td><th scope="row">{html(step.title)}</th>'
        f"<td>{html(what)}{formulas}</td><td>{values}</td></tr>"
    )
