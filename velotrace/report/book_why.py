"""What the book begins with: the oldest method on the toy, and the model as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from velotrace.report.figure_style import CELL, PALE, SPLICED, UNSPLICED
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def weights(trace: Trace) -> int:
    """How many weights and biases the networks of a trace have."""
    return sum(x.size for name, x in leaves(trace.resolved.parameters) if name not in trace.held)


def autoencoder(trace: Trace) -> Figure:
    """The model as a chain of boxes, from the measurements down and back to them."""
    import matplotlib.pyplot as plt

    coords = trace.coords
    genes, states, latent = (len(coords[dim]) for dim in ("gene", "state", "latent"))
    figure, panel = plt.subplots(figsize=(5.6, 5.8))
    panel.set(xlim=(0.0, 10.0), ylim=(0.0, 10.2))
    panel.axis("off")
    rows = [
        (9.5, f"measured u, s of a cell: {2 * genes} numbers", CELL),
        (7.3, f"z of the cell: a mean and a spread in {latent} dimensions", UNSPLICED),
        (2.9, rf"$\bar u$, $\bar s$ of each gene in {states} states", SPLICED),
        (0.7, "the same measured u, s", CELL),
    ]
    for y, text, colour in rows:
        _box(panel, 5.0, y, 9.0, text, colour)
    for x, text in ((1.95, "state\nprobabilities"), (5.0, "time in\ninduction"),
                    (8.05, "time in\nrepression")):  # fmt: skip
        _box(panel, x, 5.1, 2.9, text, UNSPLICED)
    _arrow(panel, 5.0, 8.9, 7.9, "encoder, a network")
    for x in (1.95, 5.0, 8.05):
        _arrow(panel, x, 6.75, 5.95, "")
        _arrow(panel, x, 4.25, 3.5, "")
    panel.text(5.15, 6.28, "a draw, three nets", va="center", fontsize=10)
    panel.text(
        5.15, 3.93, r"kinetics: $\alpha$, $\beta$, $\gamma$, $t^s$", va="center", fontsize=10
    )
    _arrow(panel, 5.0, 2.3, 1.3, r"how likely, with noise $\sigma$")
    return figure


def _box(panel: Axes, x: float, y: float, width: float, text: str, colour: str) -> None:
    style: dict[str, Any] = {"boxstyle": "round,pad=0.35", "fc": "none", "ec": colour, "lw": 1.6}
    from matplotlib.patches import FancyBboxPatch

    height = 0.9 if "\n" in text else 0.4
    corner = (x - width / 2 + 0.35, y - height / 2)
    panel.add_patch(FancyBboxPatch(corner, width - 0.7, height, **style))
    panel.text(x, y, text, ha="center", va="center", fontsize=11)


def _arrow(panel: Axes, x: float, top: float, bottom: float, text: str) -> None:
    panel.annotate(
        "", (x, bottom), (x, top), arrowprops={"arrowstyle": "->", "color": PALE, "lw": 1.5}
    )
    panel.text(x + 0.15, (top + bottom) / 2, text, va="center", fontsize=10)
