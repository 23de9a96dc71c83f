"""Training with a slider over its epochs: phase portraits and parameters, as a part of a page.

One file's worth of HTML that asks for nothing else: its numbers stand in it as JSON, and without a
script or on paper it is a still picture of the end of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from typing import Any

import numpy as np
import xarray

from velotrace.learning.training import Plan
from velotrace.quantities import PARAMETERS, VOCABULARY
from velotrace.report.escape import html, script_json
from velotrace.report.figure_style import minus
from velotrace.report.player.graph import typeset_svg
from velotrace.report.symbols import plain
from velotrace.report.training_figures import curve
from velotrace.report.training_tables import BAND

STOPS = 40
"""Of the slider, spaced evenly by their logarithm: early epochs change most."""

ROUND = (1, 10, 100, 1000, 10_000)
"""Stops that are named below a panel."""

WIDTH, HEIGHT = 170.0, 132.0
"""Of a panel, in pixels, small enough for two side by side on a telephone."""

LEFT, RIGHT, TOP, BOTTOM = 30.0, 11.0, 20.0, 30.0
"""Room beside what is drawn, for its title and ticks."""

MARKS = ("circle", "square", "triangle")
"""Of the first three genes, so that colour is not their only sign; then they begin anew."""


@dataclass(frozen=True)
class Axis:
    """From a number to its place in a panel.

    Attributes:
        low: smallest number.
        high: largest.
        start: place of the smallest, in pixels.
        end: of the largest.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, number: Any) -> Any:
        """Where a number stands."""
        share = (np.asarray(number) - self.low) / (self.high - self.low or 1.0)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round numbers along it."""
        locator = import_module("matplotlib.ticker").MaxNLocator(3)
        return [float(x) for x in locator.tick_values(self.low, self.high) if self.inside(x)]

    def inside(self, number: float) -> bool:
        """Whether it is on the axis."""
        return bool(self.low <= number <= self.high)


def stops_of(epochs: int) -> list[int]:
    """Numbers of epochs done at which the slider stops; the first is 0, the last is all.

    Example:
        >>> stops_of(600)[:6], stops_of(600)[-3:]
        ([0, 1, 2, 3, 4, 5], [432, 509, 600])
    """
    spaced = np.geomspace(1.0, max(epochs, 1), STOPS).round().astype(int)
    return sorted({0, *(n for n in (*map(int, spaced), *ROUND) if n <= epochs)})


def theta_at(history: xarray.Dataset, stops: Sequence[int]) -> dict[str, np.ndarray]:
    """θ after some numbers of epochs, shape (stop, seed, gene); NaN from where a run stopped."""
    found = {}
    for name in PARAMETERS:
        start = history[f"{name}_start"].transpose("seed", "gene").to_numpy()
        after = history[name].transpose("epoch", "seed", "gene").to_numpy()
        found[name] = np.concatenate([start[None], after])[list(stops)]
    return found


def evolution_slider(
    history: xarray.Dataset,
    plan: Plan,
    label: str = "Parameters and phase portraits over training",
    seed: int = 0,
    identity: str = "evolution",
) -> Any:
    """One picture with a slider over the epochs of a training.

    Above, a phase portrait of each gene: all cells and the course that one seed predicts. Below,
    every parameter: the median seed as a line, nine in ten of the seeds as a band, and a mark for
    the seed whose portraits are shown.

    Args:
        history: of the training.
        plan: of the training.
        label: what it shows, for those who do not see it.
        seed: place of the portraits' run among the seeds.
        identity: unique on the page.

    Returns:
        HTML for a notebook to display.
    """
    return import_module("IPython.display").HTML(slider_html(history, plan, label, seed, identity))


def slider_html(
    history: xarray.Dataset, plan: Plan, label: str, seed: int = 0, identity: str = "evolution"
) -> str:
    """The same as text."""
    stops = stops_of(history.sizes["epoch"])
    genes = [str(gene) for gene in history["gene"].to_numpy()]
    theta = theta_at(history, stops)
    told: dict[str, Any] = {"said": _said(history, stops), "x": _x_axis(stops)(range(len(stops)))}
    told["x"] = [round(float(x), 1) for x in told["x"]]
    portraits, told["curves"] = [], []
    for g, gene in enumerate(genes):
        picture, curves = _portrait(plan, theta, seed, g, gene, identity)
        portraits.append(picture)
        told["curves"].append(curves)
    pictures, told["marks"], told["values"] = [], [], []
    for name in PARAMETERS:
        picture, marks = _parameter(name, theta[name], seed, stops)
        values = _values(theta[name])
        pictures.append(_captioned(picture, genes, values))
        told["marks"].append(marks)
        told["values"].append(values)
    return _whole(identity, label, genes, told, portraits, pictures)


def _whole(
    identity: str,
    label: str,
    genes: Sequence[str],
    told: dict[str, Any],
    portraits: Sequence[str],
    pictures: Sequence[str],
) -> str:
    own, last = html(identity), len(told["said"]) - 1
    key = "".join(
        f'<span><svg class="g{g % 6}" viewBox="-8 -8 16 16" width="16" height="16" '
        f'aria-hidden="true">{_mark(g)}</svg> gene {html(gene)}</span>'
        for g, gene in enumerate(genes)
    )
    return (
        f"<style>{_own('slider.css')}</style>"
        f'<div class="vt-evolution" id="{own}" role="group" aria-label="{html(label)}">'
        f'<div class="vt-evolution-bar"><label for="{own}-range" hidden>Epochs of training</label>'
        f'<input id="{own}-range" type="range" min="0" max="{last}" value="{last}" step="1" '
        f'aria-valuetext="{html(told["said"][-1])}" hidden>'
        f'<output for="{own}-range">{html(told["said"][-1])}</output></div>'
        f'<div class="vt-evolution-grid">{"".join(portraits)}</div>'
        f'<p class="vt-evolution-key">{key}<span>line: median of the seeds; band: nine in ten of '
        "them; number: median; mark: the seed of the portraits; dotted: before training</span></p>"
        f'<div class="vt-evolution-grid">{"".join(pictures)}</div>'
        f'<script type="application/json">{script_json(told)}</script></div>'
        f"<script>{_own('slider.js')}</script>"
    )


def _own(name: str) -> str:
    return files("velotrace.report").joinpath(name).read_text(encoding="utf-8")


def _said(history: xarray.Dataset, stops: Sequence[int]) -> list[str]:
    """Each stop in words, with the loss of the epoch that led to it."""
    losses = history["loss"].mean("batch").median("seed").to_numpy()
    said = ["before training"]
    for done in stops[1:]:
        epochs = "1 epoch" if done == 1 else f"{done} epochs"
        said.append(
            f"after {epochs}, median loss in the last {minus(f'{losses[done - 1]:.4g}')} nat"
        )
    return said


# ---- panels ---------------------------------------------------------------------------------


def _x_axis(stops: Sequence[int]) -> Axis:
    return Axis(0.0, max(len(stops) - 1.0, 1.0), LEFT, WIDTH - RIGHT)


def _panel(title: str, described: str, inner: str) -> str:
    return (
        f'<svg role="img" aria-label="{html(described)}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}">'
        f'<text class="title" x="{LEFT:g}" y="12">{title}</text>{inner}'
        f'<path class="axis" d="M{LEFT:g} {TOP:g}V{HEIGHT - BOTTOM:g}H{WIDTH - RIGHT:g}"/></svg>'
    )


def _ticks(x: Sequence[tuple[float, str]], y: Sequence[tuple[float, str]], below: str) -> str:
    floor = HEIGHT - BOTTOM
    parts = [
        f'<text class="x" x="{at:.1f}" y="{floor + 12:g}">{html(text)}</text>' for at, text in x
    ]
    parts += [
        f'<text class="y" x="{LEFT - 3:g}" y="{at + 3.5:.1f}">{text}</text>' for at, text in y
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2.0
    parts.append(f'<text class="x" x="{middle:g}" y="{HEIGHT - 4:g}">{html(below)}</text>')
    return "".join(parts)


def _mark(gene: int) -> str:
    shape = MARKS[gene % len(MARKS)]
    if shape == "circle":
        return '<circle r="4"/>'
    return (
        '<path d="M-3.6-3.6h7.2v7.2h-7.2z"/>' if shape == "square" else '<path d="M0-5 5 4H-5z"/>'
    )


def _number(value: float) -> str:
    return minus(f"{value:.3g}")


def _parameter(
    name: str, values: np.ndarray, seed: int, stops: Sequence[int]
) -> tuple[str, list[list[float | None]]]:
    """A parameter over the stops, all genes; and where the marks of one seed stand at each stop."""
    low, middle, high = np.nanquantile(values, [BAND[0], 0.5, BAND[1]], axis=1)
    own = values[:, seed]
    lowest, highest = (float(f([f(low), f(high), f(own)])) for f in (np.nanmin, np.nanmax))
    x, y = _x_axis(stops), Axis(lowest, highest, HEIGHT - BOTTOM - 3.0, TOP + 3.0)
    at = x(range(len(stops)))
    drawn, marks = [], []
    for g in range(values.shape[2]):
        band = [*zip(at, y(high[:, g]), strict=True), *zip(at[::-1], y(low[::-1, g]), strict=True)]
        through = zip(at, y(middle[:, g]), strict=True)
        drawn.append(f'<path class="band g{g % 6}" d="{_line(band)}Z"/>')
        drawn.append(f'<path class="line g{g % 6}" d="{_line(through)}"/>')
        places = [round(float(v), 1) if np.isfinite(v) else None for v in y(own[:, g])]
        marks.append(places)
        stand = f"translate({at[-1]:.1f} {places[-1] or -99.0:.1f})"
        drawn.append(f'<g class="mark g{g % 6}" transform="{stand}">{_mark(g)}</g>')
    cursor = f'<path class="cursor" d="M0 {TOP:g}V{HEIGHT - BOTTOM:g}" '
    drawn.insert(0, f'{cursor}transform="translate({at[-1]:.1f} 0)"/>')
    shown = [0, *(n for n in ROUND[1:] if n < 0.5 * stops[-1]), stops[-1]]
    ticks = _ticks(
        [(float(x(stops.index(n))), str(n)) for n in shown],
        [(float(y(tick)), _number(tick)) for tick in y.ticks],
        "epochs done",
    )
    quantity = VOCABULARY[name]
    title = typeset_svg(f"{plain(name)}, {quantity.unit}")
    described = f"{quantity.sentence} Over training, every gene."
    return _panel(title, described, ticks + "".join(drawn)), marks


def _line(points: Any) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points if np.isfinite(y))


def _values(values: np.ndarray) -> list[list[str]]:
    """The median seed's value of each gene at each stop, in words."""
    middle = np.nanmedian(values, axis=1)
    return [[_number(value) for value in middle[:, g]] for g in range(values.shape[2])]


def _captioned(picture: str, genes: Sequence[str], values: list[list[str]]) -> str:
    said = " ".join(
        f"<span>{html(gene)} <b>{each[-1]}</b></span>"
        for gene, each in zip(genes, values, strict=True)
    )
    return f"<div>{picture}<p>{said}</p></div>"


# ---- portraits ------------------------------------------------------------------------------


def _portrait(
    plan: Plan, theta: dict[str, np.ndarray], seed: int, g: int, gene: str, identity: str
) -> tuple[str, list[list[str]]]:
    """A gene's portrait at the last stop; and the two branches of its course at every stop."""
    u, s = plan.unspliced[:, g], plan.spliced[:, g]
    reach = 1.6 * max(float(u.max()), float(s.max()), 1e-12)
    x, y = Axis(0.0, reach, LEFT, WIDTH - RIGHT), Axis(0.0, reach, HEIGHT - BOTTOM, TOP)
    courses = []
    for stop in range(len(theta["alpha"])):
        now = {name: float(values[stop, seed, g]) for name, values in theta.items()}
        up_u, up_s, down_u, down_s = curve(now, plan)
        courses.append([_course(x(up_s), y(up_u)), _course(x(down_s), y(down_u))])
    clip = f"{html(identity)}-clip-{g}"
    frame = (
        f'<clipPath id="{clip}"><rect x="{LEFT:g}" y="{TOP:g}" width="{WIDTH - LEFT - RIGHT:g}" '
        f'height="{HEIGHT - TOP - BOTTOM:g}"/></clipPath>'
    )
    first, last = courses[0], courses[-1]
    lines = (
        f'<g clip-path="url(#{clip})"><path class="first" d="{first[0]}"/>'
        f'<path class="first" d="{first[1]}"/><path class="up g{g % 6}" d="{last[0]}"/>'
        f'<path class="down g{g % 6}" d="{last[1]}"/></g>'
    )
    cells = "".join(
        f'<circle class="cell" cx="{a:.1f}" cy="{b:.1f}" r="3"/>'
        for a, b in zip(x(s), y(u), strict=True)
    )
    ticks = _ticks(
        [(float(x(tick)), _number(tick)) for tick in x.ticks],
        [(float(y(tick)), _number(tick)) for tick in y.ticks],
        "spliced",
    )
    described = f"Phase portrait of gene {gene}: cells, and the course that one seed predicts"
    picture = _panel(f"gene {html(gene)}: unspliced", described, frame + ticks + lines + cells)
    return f"<div>{picture}</div>", courses


APART = 5.0
"""Pixels between the points of a course: so short a chord cannot be told from the curve."""


def _course(x: np.ndarray, y: np.ndarray) -> str:
    """A curve as a path as far as it can be seen, in few points."""
    points: list[tuple[float, float]] = []
    for here in zip(x.tolist(), y.tolist(), strict=True):
        if not np.isfinite(here).all():
            return ""
        if points and np.hypot(here[0] - points[-1][0], here[1] - points[-1][1]) < APART:
            continue
        points.append((float(np.clip(here[0], -999, 999)), float(np.clip(here[1], -999, 999))))
        if here[0] > WIDTH or here[1] < 0.0:
            break
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
