"""The named graph with numbers on it: values on the way forward, adjoints on the way back."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from velotrace.quantities import VOCABULARY
from velotrace.report.blocks import number
from velotrace.report.escape import html
from velotrace.report.figure_style import minus
from velotrace.report.player.graph import Link, graph_class, link_of, typeset_svg
from velotrace.report.symbols import plain
from velotrace.report.tables import NO_PATH
from velotrace.walkthrough import Trace

_HEIGHT, _LETTER, _LEAST = 58, 7.4, 62
"""Of a node and of a letter on it, in pixels; the least width of a node."""


_SMALLEST = 0.93
"""How far the picture may be shrunk to fit a page; then it scrolls, so that it can be read."""


@dataclass(frozen=True)
class NumberedNode:
    """A named value of one cell and gene, with what was computed of it.

    Attributes:
        name: of the value.
        symbol: plain, with the state or latent dimension that is shown where it has several.
        value: of this cell and gene.
        adjoint: ∂L/∂value; None without a path.
    """

    name: str
    symbol: str
    value: float
    adjoint: float | None


@dataclass(frozen=True)
class NumberedEdge:
    """One value computed from another, and what comes back between them.

    Attributes:
        of: name of the earlier value.
        to: name of the later one.
        carries: what flows back along it into this cell and gene; None without a path.
    """

    of: str
    to: str
    carries: float | None


def shown_names(trace: Trace) -> list[str]:
    """The named values in the picture: those of the vocabulary, without terms of terms."""
    terms = {name for name, quantity in VOCABULARY.items() if quantity.role == "term"}
    inner = {name for name in terms if not _is_summand(trace, name)}
    return [name for name in trace.quantities if name not in inner]


def _is_summand(trace: Trace, name: str) -> bool:
    """Whether the loss is made of it directly."""
    return name in trace.tape.graph["loss"]


def nodes(trace: Trace, cell: str, gene: str) -> list[NumberedNode]:
    """Every value in the picture with its numbers, in order of computation.

    Args:
        trace: of one iteration.
        cell: its label.
        gene: its label.

    Returns:
        One state of those that have four: the drawn one, else the likeliest; and the first latent
        dimension.
    """
    place = _component(trace, cell, gene)
    made = []
    for name in shown_names(trace):
        entry, at = trace.tape[name], _index(name, place)
        adjoint = None if entry.adjoint is None else float(entry.adjoint[at])
        value = float(entry.value[at])
        made.append(NumberedNode(name, _indexed(name, place), value, adjoint))
    return made


def _component(trace: Trace, cell: str, gene: str) -> dict[str, int]:
    n, g = trace.coords["cell"].index(cell), trace.coords["gene"].index(gene)
    if "state" in trace.tape.names:
        k = int(trace.tape["state"].value[n, g]) - 1
    else:
        k = int(trace.tape["pi"].value[n, g].argmax())
    return {"cell": n, "gene": g, "state": k, "latent": 0}


def _index(name: str, place: dict[str, int]) -> tuple[int, ...]:
    return tuple(place[dim] for dim in VOCABULARY[name].dims)


def _indexed(name: str, place: dict[str, int]) -> str:
    last = VOCABULARY[name].dims[-1:]
    index = f"_{place[last[0]] + 1}" if last and last[0] in ("state", "latent") else ""
    return plain(name) + index


def edges(trace: Trace, cell: str, gene: str) -> list[NumberedEdge]:
    """Which value was computed from which, read off the tape, and what flows back between them.

    What is left out of the picture (hidden layers, terms of terms) is passed through.
    """
    shown, place = set(shown_names(trace)), _component(trace, cell, gene)
    found = []
    for name in shown_names(trace):
        for source in _sources(trace, name, shown):
            found.append(NumberedEdge(source, name, _carried(trace, source, name, shown, place)))
    return found


def _sources(trace: Trace, name: str, shown: set[str]) -> list[str]:
    """The shown values that one was computed from, through those that are not shown."""
    found: dict[str, None] = {}
    waiting = list(trace.tape.graph[name])
    while waiting:
        source = waiting.pop(0)
        if source in shown:
            found[source] = None
        else:
            waiting += trace.tape.graph[source]
    return list(found)


def _carried(
    trace: Trace, of: str, to: str, shown: set[str], place: dict[str, int]
) -> float | None:
    """Upstream × local derivative along an edge of the picture, for the component shown."""
    tape = trace.tape
    adjoint, total = tape[to].adjoint, None
    if adjoint is None:
        return None
    waiting = [(to, adjoint)]
    while waiting:
        for source, part in tape.pull(*waiting.pop()).items():
            if source == of:
                total = (total or 0.0) + float(np.asarray(part)[_index(of, place)])
            elif source not in shown and tape[source].name and _inner(source):
                waiting.append((source, part))
    return total


def _inner(name: str) -> bool:
    """Whether a gradient goes on from it: not from weights, which are leaves."""
    return name.rpartition(".")[2] not in ("W", "b")


# ---- the picture ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Box:
    node: NumberedNode
    x: float
    y: float
    width: float


def named_graph(trace: Trace, cell: str, gene: str) -> Any:
    """The named graph of one cell and gene: symbol, value and adjoint of every value.

    Args:
        trace: of one iteration.
        cell: its label.
        gene: its label.

    Returns:
        HTML with an SVG of its own, for a notebook to display.

    Raises:
        InputError: Graphviz, which lays it out, is not installed.
    """
    return import_module("IPython.display").HTML(named_graph_html(trace, cell, gene))


def named_graph_html(trace: Trace, cell: str, gene: str) -> str:
    """The same as text."""
    made, links = nodes(trace, cell, gene), edges(trace, cell, gene)
    boxes, lines, width, height = _laid_out(made, links)
    carries = {(edge.of, edge.to): edge.carries for edge in links}
    label = html(_finding(made, cell, gene))
    parts = [
        f"<style>{_STYLE}</style>",
        '<div class="vt-named"><p class="vt-named-key" aria-hidden="true">'
        "<span>symbol<br>value<br><i>∂ adjoint</i></span>"
        '<span><svg width="44" height="12"><path class="flows" d="M2 6h40"/></svg> gradient '
        "comes back</span>"
        '<span><svg width="44" height="12"><path class="zero" d="M2 6h40"/></svg> it is zero '
        "here</span>"
        '<span><svg width="44" height="12"><path class="none" d="M2 6h40"/></svg> no path '
        "back</span></p>",
        f'<svg role="img" aria-label="{label}" viewBox="-4 -4 {width + 8:g} {height + 8:g}" '
        f'style="width:{width + 8:g}px;--least:{_SMALLEST * (width + 8):.0f}px">'
        f"<title>{label}</title><defs>"
        '<marker id="vt-named-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" '
        'markerHeight="6" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>',
        *(_curve(line, carries[line.of, line.to]) for line in lines),
        *map(_drawn, boxes),
        "</svg></div>",
    ]
    return "".join(parts)


def _laid_out(
    made: list[NumberedNode], links: list[NumberedEdge]
) -> tuple[list[_Box], list[Link], float, float]:
    graph = graph_class()(directed=True, strict=True, rankdir="TB", nodesep="0.09", ranksep="0.3")
    graph.node_attr.update(shape="box", fixedsize="true", height=str(_HEIGHT / 72), label="")
    for node in made:
        graph.add_node(node.name, width=str(_width(node) / 72))
    for edge in links:
        graph.add_edge(edge.of, edge.to)
    graph.layout("dot")
    _, _, width, height = map(float, graph.graph_attr["bb"].split(","))
    boxes = []
    for node in made:
        placed = graph.get_node(node.name)
        x, y = map(float, placed.attr["pos"].split(","))
        boxes.append(_Box(node, x, height - y, _width(node)))
    return boxes, [link_of(edge, height) for edge in graph.edges()], width, height


def _texts(node: NumberedNode) -> tuple[str, str]:
    back = NO_PATH if node.adjoint is None else f"∂ {minus(_short(node.adjoint))}"
    return minus(_short(node.value)), back


def _short(value: float) -> str:
    """Five significant digits at most; a table has more."""
    return f"{value:.5g}" if value == 0.0 or 1e-3 <= abs(value) < 1e5 else f"{value:.2e}"


def _width(node: NumberedNode) -> float:
    longest = max(len(node.symbol.replace("_", "")), *map(len, _texts(node)))
    return max(_LEAST, _LETTER * longest + 10.0)


def _drawn(box: _Box) -> str:
    x, y = box.x - box.width / 2.0, box.y - _HEIGHT / 2.0
    value, back = _texts(box.node)
    none = ' class="none"' if box.node.adjoint is None else ""
    return (
        f'<g{none}><rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{_HEIGHT}" '
        f'rx="5"/><text class="symbol" x="{box.x:.1f}" y="{y + 16:.1f}">'
        f"{typeset_svg(box.node.symbol)}</text>"
        f'<text x="{box.x:.1f}" y="{y + 33:.1f}">{value}</text>'
        f'<text class="back" x="{box.x:.1f}" y="{y + 50:.1f}">{back}</text></g>'
    )


def _curve(line: Link, carries: float | None) -> str:
    (x, y), *rest = line.points
    *curve, tip = rest
    pieces = " ".join(f"{a:.1f} {b:.1f}" for a, b in curve)
    kind = "none" if carries is None else "flows" if carries else "zero"
    return (
        f'<path class="{kind}" d="M{x:.1f} {y:.1f}C{pieces}L{tip[0]:.1f} {tip[1]:.1f}" '
        'marker-end="url(#vt-named-tip)"/>'
    )


def _finding(made: list[NumberedNode], cell: str, gene: str) -> str:
    without = ", ".join(node.symbol.replace("_", " ") for node in made if node.adjoint is None)
    pulls = [node for node in made if node.adjoint and VOCABULARY[node.name].role == "parameter"]
    strongest = max(pulls, key=lambda node: abs(node.adjoint or 0.0), default=None)
    most = (
        f" Of the parameters {strongest.symbol.replace('_', ' ')} feels the strongest pull, "
        f"{minus(number(strongest.adjoint or 0.0))}."
        if strongest
        else ""
    )
    return (
        f"Named graph of {cell} and gene {gene}, from data and parameters at the top to the loss "
        f"below, with each value and its adjoint.{most} No path to the loss from {without}."
    )


_STYLE = """
.vt-named{--ink:var(--pst-color-text-base,#1d2733);--soft:var(--pst-color-text-muted,#54616f);
--ground:var(--pst-color-background,#fff);--box:var(--pst-color-surface,#f5f7f9);--back:#a3350f;
color:var(--ink);font:12px/1.35 system-ui,sans-serif}
html[data-theme=dark] .vt-named{--back:#ffab87}
.vt-named>svg{display:block;height:auto;min-width:max(42rem,var(--least));max-width:100%}
.vt-named text{font:12px system-ui,sans-serif;text-anchor:middle;fill:var(--ink)}
.vt-named text.symbol{font-size:13.5px;font-weight:600}
.vt-named text.back{font-style:italic;fill:var(--back)}
.vt-named rect{fill:var(--box);stroke:var(--ink)}
.vt-named .none rect{fill:var(--ground);stroke:var(--soft);stroke-dasharray:4 3}
.vt-named .none text.back{fill:var(--soft);font-style:normal}
.vt-named path{fill:none;stroke:var(--ink);stroke-width:1.3}
.vt-named path.zero{stroke-dasharray:1.5 3}
.vt-named path.none{stroke:var(--soft);stroke-dasharray:6 4;stroke-width:1}
.vt-named marker path{fill:context-stroke;stroke:none}
.vt-named-key{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;align-items:center;
margin:0 0 .6rem;font-size:13px}
.vt-named-key span:first-child{border:1px solid var(--ink);border-radius:5px;background:var(--box);
padding:.1rem .5rem;text-align:center}
.vt-named-key i{color:var(--back)}
.vt-named-key svg{vertical-align:middle}
@media print{.vt-named{break-inside:avoid}.vt-named>svg{min-width:0}}
"""
