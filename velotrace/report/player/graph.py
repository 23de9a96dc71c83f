"""The named graph as a picture: laid out by Graphviz, written as SVG.

Graphviz comes inside pygraphviz's wheels; only its layout is used, so no font is asked for. The
picture has a class and a name on every node and edge, which the player's script marks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from velotrace.errors import InputError
from velotrace.report.escape import html
from velotrace.report.steps import Step, is_weight
from velotrace.report.symbols import plain
from velotrace.walkthrough import Trace

HEIGHT = 26
"""Of a node, in pixels."""

_LETTER = 7.6
"""Width of a letter of a label, in pixels, rounded up; a node is wide enough in any font."""

_NETWORKS = {
    "encoder_z": "encoder z",
    "encoder_pi": "encoder π",
    "decoder_shared": "decoder",
    "decoder_ind": "decoder 1",
    "decoder_rep": "decoder 3",
}


@dataclass(frozen=True)
class Node:
    """A named value in the picture.

    Attributes:
        name: of the value.
        label: what is written on it.
        x: of its centre, in pixels from the left.
        y: of its centre, from the top.
        width: in pixels.
    """

    name: str
    label: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Link:
    """An arrow from a value to one computed from it.

    Attributes:
        of: name of the earlier value.
        to: name of the later value.
        points: of its curve: a start, then three points for each piece.
    """

    of: str
    to: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Picture:
    """The graph with places.

    Attributes:
        width: in pixels.
        height: in pixels.
        nodes: in the order of computation.
        links: the arrows.
    """

    width: float
    height: float
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]


def laid_out(trace: Trace, steps: Sequence[Step]) -> Picture:
    """Give every value of the forward steps a place, in layers from top to bottom.

    Args:
        trace: that the steps are of.
        steps: all of them.

    Returns:
        The picture.

    Raises:
        InputError: Graphviz is not installed.
    """
    names = [step.name for step in steps if step.phase == "forward"]
    graph = graph_class()(directed=True, strict=True, rankdir="TB", nodesep="0.16", ranksep="0.34")
    graph.node_attr.update(shape="box", fixedsize="true", height=str(HEIGHT / 72), label="")
    for name in names:
        graph.add_node(name, width=str(_width(label(name)) / 72))
    for name in names:
        for source in trace.tape.graph[name]:
            if not is_weight(source):
                graph.add_edge(source, name)
    graph.layout("dot")
    _, _, width, height = map(float, graph.graph_attr["bb"].split(","))
    return Picture(
        width,
        height,
        tuple(_node(graph.get_node(name), height) for name in names),
        tuple(link_of(edge, height) for edge in graph.edges()),
    )


def graph_class() -> Any:
    """Graphviz's graphs, which the extra `play` brings.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module("pygraphviz").AGraph
    except ImportError:
        raise InputError(
            "the player draws its graph with pygraphviz, which is not installed; "
            "install velotrace with its extra: pip install 'velotrace[play]'"
        ) from None


def label(name: str) -> str:
    """What stands on a node: a plain symbol, or a network and the place of its hidden layer.

    Example:
        >>> label("u_bar"), label("encoder_pi.0.h"), label("decoder_ind.1.h")
        ('ū', 'encoder π', 'decoder 1, layer 2')
    """
    network, _, rest = name.partition(".")
    if not rest:
        return plain(name)
    place = int(rest.partition(".")[0])
    return _NETWORKS[network] + (f", layer {place + 1}" if place else "")


def _width(text: str) -> float:
    return max(30.0, _LETTER * len(text.replace("_", "")) + 12.0)


def _node(node: Any, height: float) -> Node:
    x, y = map(float, node.attr["pos"].split(","))
    return Node(str(node), label(node), x, height - y, float(node.attr["width"]) * 72)


def link_of(edge: Any, height: float) -> Link:
    """An edge that Graphviz has laid out, as points of ours, whose y grows downwards."""
    numbers = [piece.split(",") for piece in edge.attr["pos"].split()]
    end = [piece for piece in numbers if piece[0] == "e"]
    curve = [piece for piece in numbers if piece[0] not in "es"]
    points = [(float(x), height - float(y)) for x, y in curve]
    points += [(float(x), height - float(y)) for _, x, y in end]
    return Link(edge[0], edge[1], tuple(points))


# ---- SVG ------------------------------------------------------------------------------------

_MARGIN = 6.0


def svg(picture: Picture, identity: str, description: str) -> str:
    """The picture as an SVG element.

    Args:
        picture: with places.
        identity: of the player, unique on its page.
        description: what it shows, for those who do not see it.

    Returns:
        HTML.
    """
    width, height = (size + 2.0 * _MARGIN for size in (picture.width, picture.height))
    box = f"{-_MARGIN:g} {-_MARGIN:g} {width:g} {height:g}"
    marker = (
        f'<marker id="{identity}-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z"/></marker>'
    )
    parts = [
        f'<svg class="vt-graph" role="img" aria-label="{html(description)}" viewBox="{box}" '
        f'width="{width:g}" height="{height:g}"><defs>{marker}</defs>',
        *(_path(link, identity) for link in picture.links),
        *map(_box, picture.nodes),
        "</svg>",
    ]
    return "".join(parts)


def _path(link: Link, identity: str) -> str:
    start, *rest = link.points
    *curve, tip = rest
    pieces = " ".join(f"{x:.1f} {y:.1f}" for x, y in curve)
    path = f"M{start[0]:.1f} {start[1]:.1f}C{pieces}L{tip[0]:.1f} {tip[1]:.1f}"
    return (
        f'<path class="vt-edge" data-of="{html(link.of)}" data-to="{html(link.to)}" d="{path}" '
        f'marker-end="url(#{identity}-arrow)"/>'
    )


def _box(node: Node) -> str:
    x, y = node.x - node.width / 2.0, node.y - HEIGHT / 2.0
    return (
        f'<g class="vt-node" data-name="{html(node.name)}"><title>{html(node.name)}</title>'
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{node.width:.1f}" height="{HEIGHT}" rx="5"/>'
        f'<text x="{node.x:.1f}" y="{node.y + 4.5:.1f}">{typeset_svg(node.label)}</text></g>'
    )


def typeset_svg(text: str) -> str:
    """A plain symbol with its index set lower.

    Example:
        >>> typeset_svg("t_s"), typeset_svg("ū")
        ('t<tspan dy="3" font-size="75%">s</tspan>', 'ū')
    """
    found = re.fullmatch(r"(.*?)_(\w+)(.*)", text)
    if not found:
        return html(text)
    base, index, rest = map(html, found.groups())
    lowered = f'{base}<tspan dy="3" font-size="75%">{index}</tspan>'
    return lowered + (f'<tspan dy="-3">{rest}</tspan>' if rest else "")
