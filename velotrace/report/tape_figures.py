"""A small tape as a table and as a picture: what ran forward, and what came back.

For functions of a handful of single numbers; the walkthrough's graph is the player's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from velotrace.report import escape
from velotrace.report.book_tables import markdown, shown
from velotrace.report.figure_style import CELL, PALE, SPLICED, UNSPLICED
from velotrace.report.tables import NO_PATH
from velotrace.tape import Edge, Entry, Tape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASH = "—"

# ---- tables ---------------------------------------------------------------------------------


def label(tape: Tape, ordinal: int) -> str:
    """What an entry is called: its name, or '#' and its forward ordinal."""
    return tape.entries[ordinal].name or f"#{ordinal}"


def entries_table(tape: Tape) -> str:
    """Every entry in forward order: its ordinals, operation, inputs, value and adjoint."""
    rows = [
        [
            str(entry.forward),
            DASH if entry.backward is None else str(entry.backward),
            _called(label(tape, entry.forward)),
            entry.operation,
            ", ".join(_input(tape, edge) for edge in entry.inputs) or DASH,
            _content(entry.value),
            _content(entry.adjoint),
        ]
        for entry in tape.entries
    ]
    headers = ["forward", "backward", "entry", "operation", "inputs", "value", "adjoint"]
    return markdown(headers, rows, 5)


def edges_table(tape: Tape) -> str:
    """Every edge in the order in which the backward pass goes along it.

    The local derivative is the pullback of 1, so that it is there for single numbers only.
    """
    rows = []
    for entry in tape.backward_order:
        for edge in entry.inputs:
            if edge.source is None or edge.contribution is None:
                continue
            ends = [_called(label(tape, at)) for at in (entry.forward, edge.source)]
            local = local_derivative(tape, entry, edge)
            rows.append([*ends, entry.adjoint, local, edge.contribution])
    headers = ["from", "to", "upstream", "× local", "= contribution"]
    return markdown(headers, [[*row[:2], *map(_content, row[2:])] for row in rows], 2)


def local_derivative(tape: Tape, entry: Entry, edge: Edge) -> float:
    """What one edge multiplies by: the derivative of a single number by one of its inputs.

    Raises:
        ValueError: the entry or its input is an array, or the edge carries no gradient.
    """
    pullback = tape.pullbacks[entry.forward]
    carrying = [e for e in entry.inputs if e.contribution is not None]
    place = next((at for at, one in enumerate(carrying) if one is edge), None)
    if entry.value.ndim or pullback is None or place is None:
        raise ValueError(f"no single local derivative along this edge of entry {entry.forward}")
    _, part = pullback(np.ones(()))[place]
    return float(part)


def numbers_kept(tape: Tape) -> dict[str, int]:
    """How many numbers a tape holds: values, adjoints, contributions along edges."""
    parts = [e.contribution for entry in tape.entries for e in entry.inputs]
    return {
        "values": sum(entry.value.size for entry in tape.entries),
        "adjoints": sum(e.adjoint.size for e in tape.entries if e.adjoint is not None),
        "contributions": sum(part.size for part in parts if part is not None),
    }


def _called(text: str) -> str:
    return text if text.startswith("#") else f"`{text}`"


def _input(tape: Tape, edge: Edge) -> str:
    if edge.source is not None:
        return _called(label(tape, edge.source))
    constant = np.asarray(edge.value)
    return _content(constant) if constant.dtype.kind in "fiub" else DASH


def _content(array: Any, digits: int = 6) -> str:
    """A single number, a short row of them, or the shape of anything larger."""
    if array is None:
        return NO_PATH
    numbers = np.asarray(array)
    if numbers.ndim == 0:
        return str(bool(numbers)).lower() if numbers.dtype.kind == "b" else shown(numbers, digits)
    if numbers.ndim == 1 and numbers.size <= 4:
        return "(" + ", ".join(shown(x, digits) for x in numbers) + ")"
    return "array " + " × ".join(map(str, numbers.shape))


# ---- picture --------------------------------------------------------------------------------

WIDE, HIGH = 2.1, 0.95  # of a box, in inches
APART, BELOW = 2.9, 1.95  # of their centres
NARROWEST = 3.4  # of a figure: what a telephone shows without scrolling
NEAR = 0.25  # of the way along an arrow stands its label


def graph(tape: Tape) -> Figure:
    """The graph of a small tape: values on the way down, contributions on the way up."""
    import matplotlib.pyplot as plt

    places = layout(tape)
    across = [x for x, _ in places.values()]
    down = [y for _, y in places.values()]
    width = max(max(across) - min(across) + WIDE + 0.5, NARROWEST)
    height = max(down) - min(down) + HIGH + 0.3
    figure, ax = plt.subplots(figsize=(width, height))
    ax.set(xlim=(-width / 2, width / 2))  # each row is centred at 0
    ax.set(ylim=(max(down) + HIGH / 2 + 0.15, min(down) - HIGH / 2 - 0.15))
    ax.set_axis_off()
    for entry in tape.entries:
        _box(ax, tape, entry, places[entry.forward])
        _arrows(ax, entry, places)
    return figure


def layout(tape: Tape) -> dict[int, tuple[float, float]]:
    """Where each entry stands: a row below all its inputs, each row centred."""
    depth: dict[int, int] = {}
    rows: defaultdict[int, list[int]] = defaultdict(list)
    for entry in tape.entries:
        above = [depth[e.source] for e in entry.inputs if e.source is not None]
        depth[entry.forward] = 1 + max(above, default=-1)
        rows[depth[entry.forward]].append(entry.forward)
    return {
        ordinal: (APART * (place - (len(row) - 1) / 2), BELOW * level)
        for level, row in rows.items()
        for place, ordinal in enumerate(row)
    }


def _box(ax: Axes, tape: Tape, entry: Entry, at: tuple[float, float]) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = at
    reached = entry.adjoint is not None
    corner = (x - WIDE / 2 + 0.1, y - HIGH / 2 + 0.1)
    style, edge = ("-", CELL) if reached else ("--", PALE)
    box = FancyBboxPatch(corner, WIDE - 0.2, HIGH - 0.2, "round,pad=0.1", fc="white")
    box.set(edgecolor=edge, linestyle=style)
    ax.add_patch(box)
    name = escape.figure(label(tape, entry.forward))
    source = entry.operation == name or entry.operation in ("parameter", "constant")
    title = name if source else f"{name} ({entry.operation})"
    lines = [
        (f"{entry.forward}   {title}", CELL, "bold"),
        (f"value {_content(entry.value)}", UNSPLICED, "normal"),
        (f"adjoint {_content(entry.adjoint)}" if reached else NO_PATH, SPLICED, "normal"),
    ]
    for place, (text, colour, weight) in enumerate(lines):
        ax.text(x, y + 0.27 * (place - 1), text, color=colour, weight=weight, ha="center",
                va="center")  # fmt: skip


def _arrows(ax: Axes, entry: Entry, places: dict[int, tuple[float, float]]) -> None:
    """One arrow for each input that was recorded, with what comes back along it."""
    uses = Counter(edge.source for edge in entry.inputs)
    seen: Counter[int | None] = Counter()
    for edge in entry.inputs:
        if edge.source is None:
            continue
        (x, y), (to_x, to_y) = places[edge.source], places[entry.forward]
        bend = 0.15 * (2 * seen[edge.source] + 1 - uses[edge.source])  # of two from one box
        seen[edge.source] += 1
        carries = edge.contribution is not None
        start, end = (x, y + HIGH / 2), (to_x, to_y - HIGH / 2)
        arrow = {
            "arrowstyle": "->",
            "color": CELL if carries else PALE,
            "ls": "-" if carries else "--",
            "connectionstyle": f"arc3,rad={bend}",
        }
        ax.annotate("", end, start, arrowprops=arrow)
        if carries:
            # near the input: halfway, the arrows from two boxes may cross
            where = [a + NEAR * (b - a) for a, b in zip(start, end, strict=True)]
            ax.text(where[0] - 3.0 * bend, where[1], f"↑ {_content(edge.contribution, 3)}",
                    color=SPLICED, ha="center", va="center",
                    bbox={"fc": "white", "ec": "none", "pad": 1.5})  # fmt: skip
