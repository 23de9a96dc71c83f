"""The book's figures say what the trace says: areas, sums, places and graph are its own."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import CHROMIUM, EPS

from velotrace.attribution import explain
from velotrace.errors import InputError
from velotrace.learning.ensemble import Settings, Trained, train_in_memory
from velotrace.learning.optimisers import adam_start, adam_step
from velotrace.quantities import PARAMETERS, VOCABULARY
from velotrace.report import (
    figures,
    figures_divergence,
    figures_gradient,
    figures_graph,
    slider,
    training_figures,
)
from velotrace.report.figure_style import WIDTH
from velotrace.report.symbols import plain
from velotrace.studies.adam import ADAM, adam_history
from velotrace.walkthrough import Trace
from velotrace.walkthrough import trace as run

pytest.importorskip("matplotlib").use("svg")
pyplot = pytest.importorskip("matplotlib.pyplot")

CELL, GENE = "Cell 1", "A"


@pytest.fixture(scope="module")
def mixture() -> Trace:
    return run(reading={"preset": "joint"})


@pytest.fixture(scope="module")
def trained() -> Trained:
    resolved = run(reading={"preset": "joint"}).resolved
    return train_in_memory(resolved, Settings(epochs=12, batch_size=2, seeds=3))


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    pyplot.close("all")


def drawn(figure: Any) -> str:
    """The figure as SVG, which fails where something cannot be drawn."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg")
    return stream.getvalue()


# ---- densities ------------------------------------------------------------------------------


def test_density_marks_the_observation(walkthrough: Trace) -> None:
    """(20): the mark stands at the trace's distance and log density, below the smallest float64."""
    figure = figures.density_and_log(walkthrough, CELL, GENE)
    linear, log = figure.axes
    (at,), (power,) = next(line for line in log.lines if line.get_marker() == "o").get_data()
    u, mean, sigma = (
        walkthrough.value(name).sel(gene=GENE) for name in ("unspliced", "u_bar", "sigma_u")
    )
    distance = abs(u.sel(cell=CELL) - mean.sel(cell=CELL, state=1)) / sigma
    log_density = walkthrough.value("log_density_u").sel(cell=CELL, gene=GENE, state=1)
    assert at == pytest.approx(distance.item(), rel=8 * EPS)
    assert power == pytest.approx(log_density.item() / np.log(10.0), rel=8 * EPS)
    assert power < np.log10(np.finfo(np.float64).smallest_subnormal)
    low, high = log.get_ylim()
    assert low < power < high
    assert f"{distance.item():.1f} sd" in "".join(text.get_text() for text in linear.texts)
    drawn(figure)


# ---- divergences ----------------------------------------------------------------------------

QUADRATURE = 1e-6
"""Of an area by the trapezoidal rule: for a smooth curve that has died away at both ends, its error
falls faster than any power of the distance of the points; what is left out at the ends of a stick,
1e-9 of the posterior's mass times a log ratio below 100, is the larger part."""


@pytest.mark.parametrize("reading", ["walkthrough", "mixture"])
def test_areas_of_z_are_its_divergence(reading: str, request: Any) -> None:
    """doc (1): the areas of the latent dimensions sum to KL_z, and so do the bars."""
    trace = request.getfixturevalue(reading)
    kl_z = trace.value("kl_z").sel(cell=CELL).item()
    areas = [
        figures_divergence.latent_densities(trace, CELL, latent).area
        for latent in trace.coords["latent"]
    ]
    bars = figures_divergence.latent_divergences(trace, CELL)
    np.testing.assert_allclose(areas, bars, rtol=QUADRATURE, atol=QUADRATURE)
    assert bars.sum() == pytest.approx(kl_z, rel=100 * EPS)


def test_divergence_of_z_draws_them(walkthrough: Trace) -> None:
    """The bars are the shares; the two shaded dimensions are the dearest and the cheapest."""
    figure = figures.divergence_of_z(walkthrough, CELL)
    shares = figures_divergence.latent_divergences(walkthrough, CELL)
    heights = [bar.get_height() for bar in figure.axes[-1].patches]
    np.testing.assert_array_equal(heights, shares)
    titles = [panel.get_title() for panel in figure.axes]
    assert f"dimension {1 + shares.argmax()}, the dearest" in titles
    assert f"dimension {1 + shares.argmin()}, the cheapest" in titles
    assert f"area {shares.max():.3g} nat" in titles
    drawn(figure)


@pytest.mark.parametrize("cell", ["Cell 1", "Cell 3"])
@pytest.mark.parametrize("gene", ["A", "B", "C"])
def test_areas_of_pi_are_its_divergence(walkthrough: Trace, cell: str, gene: str) -> None:
    """doc (2), put right: the three areas sum to KL_π, and none is negative."""
    areas = [stick.area for stick in figures_divergence.stick_densities(walkthrough, cell, gene)]
    kl_pi = walkthrough.value("kl_pi").sel(cell=cell, gene=gene).item()
    assert len(areas) == 3
    assert min(areas) >= 0.0
    assert sum(areas) == pytest.approx(kl_pi, rel=QUADRATURE, abs=QUADRATURE)
    drawn(figures.divergence_of_pi(walkthrough, cell, gene))


def test_densities_of_a_stick_are_densities(walkthrough: Trace) -> None:
    """Over logit v both integrate to one, the prior as far as it is drawn."""
    for stick in figures_divergence.stick_densities(walkthrough, CELL, GENE):
        assert np.trapezoid(stick.posterior, stick.at) == pytest.approx(1.0, abs=QUADRATURE)
        assert 0.5 < np.trapezoid(stick.prior, stick.at) <= 1.0 + QUADRATURE


def test_sum_in_words_adds_up() -> None:
    """Rounded parts add up to the rounded whole, with more digits where three do not."""
    assert figures_divergence._sum_words([0.1, 0.2], 0.3) == "0.100 + 0.200 = 0.300"
    said = figures_divergence._sum_words([0.1234, 0.1234, 0.1234], 0.3702)
    assert said == "0.1234 + 0.1234 + 0.1234 = 0.3702"


@pytest.mark.parametrize(
    ("concentration", "largest"), [(0.25, 0.7928), (1.0, 0.6111), (4.0, 0.4775)]
)
def test_simplex_draws(concentration: float, largest: float) -> None:
    """The points are draws of the Dirichlet of three, on the triangle, the same every time.

    The largest component's mean is (1 + 1/2 + 1/3)/3 at concentration 1, and from two million draws
    of NumPy's at the others, where one draw scatters by 0.17, 0.14 and 0.08: a mean of 200 by less
    than 0.2/√200, of which four are allowed.
    """
    draws = figures_divergence.simplex_draws(concentration)
    np.testing.assert_array_equal(draws, figures_divergence.simplex_draws(concentration))
    np.testing.assert_allclose(draws.sum(axis=1), 1.0, rtol=8 * EPS)
    assert draws.max(axis=1).mean() == pytest.approx(largest, abs=4 * 0.2 / np.sqrt(len(draws)))


def test_simplex_has_a_triangle_for_each() -> None:
    """Titles name the concentrations; the draws stand inside the triangle."""
    figure = figures.simplex((0.25, 1.0, 4.0))
    titles = [panel.get_title() for panel in figure.axes]
    assert titles[:3] == ["concentration 0.25", "concentration 1", "concentration 4"]
    for panel in figure.axes[:3]:
        points = next(line for line in panel.lines if line.get_marker() == "o")
        x, y = points.get_data()
        assert (y >= -EPS).all()
        assert (y <= np.sqrt(3.0) * np.minimum(x, 1.0 - x) + 8 * EPS).all()
    drawn(figure)


# ---- gradients ------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["paths", "terms"])
@pytest.mark.parametrize("name", ["alpha", "beta", "switch_time"])
def test_waterfall_ends_at_the_gradient(walkthrough: Trace, name: str, by: str) -> None:
    """Each bar begins where the one before ended; the last is the tape's adjoint."""
    made = explain(walkthrough, name, gene=GENE)
    figure = figures.gradient_waterfall(made, by=by)
    adjoint = walkthrough.adjoint(name)
    assert adjoint is not None
    *parts, whole = figure.axes[0].patches
    assert whole.get_width() == pytest.approx(adjoint.sel(gene=GENE).item(), rel=8 * EPS)
    slack = made.bound + 8 * EPS * sum(abs(part.get_width()) for part in parts)
    ends = [part.get_x() + part.get_width() for part in parts]
    assert parts[0].get_x() == pytest.approx(0.0, abs=slack)
    for end, after in zip(ends[:-1], parts[1:], strict=True):
        assert after.get_x() == pytest.approx(end, abs=slack)
    assert ends[-1] == pytest.approx(whole.get_width(), abs=slack)
    drawn(figure)


def test_waterfall_gathers_what_is_small(walkthrough: Trace) -> None:
    """Many paths are a few bars and the rest in one; nothing is lost."""
    made = explain(walkthrough, "mu_z", cell=CELL)
    parts = figures_gradient.waterfall_parts(made, by="paths")
    many = [(f"part {n}", float(n)) for n in range(3, 20)]
    assert made.total is not None
    assert sum(value for _, value in parts) == pytest.approx(made.total, abs=made.bound)
    gathered = figures_gradient.gathered(many)
    assert len(gathered) == figures_gradient.MOST_BARS + 1
    assert sum(value for _, value in gathered) == sum(value for _, value in many)
    assert gathered[-1] == ("8 others", float(sum(range(3, 11))))


def test_waterfall_of_nothing(walkthrough: Trace) -> None:
    """What has no path has no gradient to draw, and the error says why."""
    with pytest.raises(InputError, match="pi has no gradient to draw: "):
        figures.gradient_waterfall(explain(walkthrough, "pi", cell=CELL, gene=GENE, state=1))


def test_bars_of_nothing(walkthrough: Trace) -> None:
    with pytest.raises(InputError, match="no gradient to draw"):
        figures_gradient.gradient_bars(explain(walkthrough, "pi", cell=CELL, gene=GENE, state=1))


def test_a_gradient_is_taken_apart_in_two_ways_only(walkthrough: Trace) -> None:
    made = explain(walkthrough, "alpha", gene=GENE)
    with pytest.raises(ValueError, match="not by 'path'"):
        figures_gradient.waterfall_parts(made, by="path")  # type: ignore[arg-type]


def test_adam_history_of_no_gene(walkthrough: Trace) -> None:
    with pytest.raises(InputError, match="no gene 'Z'; there are A, B, C"):
        adam_history(walkthrough, "alpha", "Z")


def test_adam_history_is_adam(walkthrough: Trace) -> None:
    """m, v and the step follow from the gradients by Adam's own recursion, element by element."""
    made = adam_history(walkthrough, "alpha", GENE, steps=7)
    settings = walkthrough.resolved.optimiser
    memory = adam_start(np.array(0.0))
    for step, gradient in enumerate(made["gradient"]):
        memory, info = adam_step(np.array(0.0), gradient, memory, settings)
        for key in ADAM[1:]:
            assert made[key][step] == pytest.approx(float(info[key]), rel=8 * EPS), (key, step)
    assert abs(made["change"][0]) == pytest.approx(settings.learning_rate, rel=1e-6)


def test_adam_history_is_the_training(walkthrough: Trace) -> None:
    """The changes are those of a training of the same scenario."""
    made = adam_history(walkthrough, "beta", "B", steps=4)
    settings = Settings(epochs=2, batch_size=len(walkthrough.resolved.cells))
    history = train_in_memory(walkthrough.resolved, settings).history
    start = history["beta_start"].isel(seed=0).sel(gene="B").item()
    end = history["beta"].isel(seed=0, epoch=-1).sel(gene="B").item()
    assert start + made["change"].sum() == pytest.approx(end, rel=16 * EPS)


def test_adam_moments_draws_them(walkthrough: Trace) -> None:
    figure = figures.adam_moments(walkthrough, "alpha", GENE, steps=5)
    made = adam_history(walkthrough, "alpha", GENE, steps=5)
    first, second, change = figure.axes
    by_label = {line.get_label(): line.get_ydata() for p in (first, second) for line in p.lines}
    np.testing.assert_array_equal(by_label["m, as kept"], made["first_moment"])
    np.testing.assert_array_equal(by_label["m̂, corrected"], made["first_moment_corrected"])
    np.testing.assert_array_equal(by_label["√v, as kept"], np.sqrt(made["second_moment"]))
    np.testing.assert_array_equal(change.lines[0].get_ydata(), made["change"])
    drawn(figure)


def test_adam_moments_refuse(walkthrough: Trace) -> None:
    with pytest.raises(InputError, match="u_bar is not trained here; there are alpha, beta"):
        figures.adam_moments(walkthrough, "u_bar", GENE)


# ---- the named graph ------------------------------------------------------------------------


class Texts(HTMLParser):
    """The texts of each group of an SVG."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.groups: list[list[str]] = []
        self.inside = False
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        found = dict(attrs)
        if tag == "svg" and found.get("role") == "img":
            self.labels.append(found["aria-label"])
        if tag == "g":
            self.groups.append([])
        if tag == "text":
            self.groups[-1].append("")
        self.inside = tag in ("text", "tspan")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag == "tspan"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.groups[-1][-1] += data


@pytest.fixture
def _graphviz() -> None:
    pytest.importorskip("pygraphviz")


@pytest.mark.usefixtures("_graphviz")
@pytest.mark.parametrize("reading", ["walkthrough", "mixture"])
def test_named_graph_has_the_numbers(reading: str, request: Any) -> None:
    """Every node shows its value and adjoint for this cell and gene, or that there is no path."""
    trace = request.getfixturevalue(reading)
    made = figures.named_graph(trace, CELL, GENE).data
    shown = {texts[0]: texts[1:] for texts in Texts(made).groups}
    here = {"cell": CELL, "gene": GENE}
    if "state" in trace.tape.names:
        k = trace.value("state").sel(here).item()
    else:
        k = 1 + trace.value("pi").sel(here).to_numpy().argmax()
    place = {"cell": CELL, "gene": GENE, "state": int(k), "latent": 1}
    for name in ("alpha", "sigma_u", "u_bar", "log_density_s", "kl_z", "loss", "pi", "velocity"):
        at = {dim: place[dim] for dim in VOCABULARY[name].dims}
        index = {("state",): int(k), ("latent",): 1}.get(VOCABULARY[name].dims[-1:], "")
        value, back = shown[f"{plain(name).replace('_', '')}{index}"]
        exact = trace.value(name).sel(at).item()
        adjoint = trace.adjoint(name)
        assert float(value.replace("−", "-")) == pytest.approx(exact, rel=5e-4), name
        if adjoint is None:
            assert back == "no path"
        else:
            number = float(back.removeprefix("∂ ").replace("−", "-"))
            assert number == pytest.approx(adjoint.sel(at).item(), rel=5e-4, abs=1e-300), name


def test_edges_carry_the_adjoint(walkthrough: Trace) -> None:
    """What flows back along the edges out of a value is its whole adjoint, terms of terms too."""
    links = figures_graph.edges(walkthrough, CELL, GENE)
    for node in figures_graph.nodes(walkthrough, CELL, GENE):
        parts = [
            edge.carries for edge in links if edge.of == node.name and edge.carries is not None
        ]
        if node.name == "loss":
            continue
        if node.adjoint is None:
            assert not parts, node.name
        else:
            scale = sum(map(abs, parts))
            assert sum(parts) == pytest.approx(node.adjoint, abs=64 * EPS * scale), node.name


def test_named_graph_is_the_tapes(walkthrough: Trace) -> None:
    """Edges are the tape's; what is left out is passed through, and k has no way back."""
    links = {
        (edge.of, edge.to): edge.carries for edge in figures_graph.edges(walkthrough, CELL, GENE)
    }
    names = figures_graph.shown_names(walkthrough)
    assert not {"kl_z_trace", "kl_pi_digamma", "switch_penalty_u"} & set(names)
    assert {"kl_z", "kl_pi", "switch_penalty", "reconstruction", "loss"} <= set(names)
    for name in names:
        for source in walkthrough.tape.graph[name]:
            if source in names:
                assert (source, name) in links
    assert links["unspliced", "mu_z"] is None
    assert links["state", "log_likelihood"] is None
    assert links["time_repression", "u_bar"] == 0.0


@pytest.mark.usefixtures("_graphviz")
def test_named_graph_says_what_it_shows(walkthrough: Trace) -> None:
    """Its alternative text names the cell, the strongest pull and what has no path."""
    (label,) = Texts(figures.named_graph(walkthrough, CELL, GENE).data).labels
    pulls = {name: walkthrough.adjoint(name).sel(gene=GENE).item() for name in PARAMETERS}  # type: ignore[union-attr]
    strongest = max(pulls, key=lambda name: abs(pulls[name]))
    assert f"{CELL} and gene {GENE}" in label
    assert f"{plain(strongest).replace('_', ' ')} feels the strongest pull" in label
    assert "π* 1, k, v" in label


# ---- the slider -----------------------------------------------------------------------------


def told(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("epochs", [1, 2, 12, 600, 5000])
def test_slider_stops(epochs: int) -> None:
    """From before training to its end, rising, no more than can be told apart."""
    stops = slider.stops_of(epochs)
    assert (stops[0], stops[-1]) == (0, epochs)
    assert all(a < b for a, b in pairwise(stops))
    assert len(stops) <= slider.STOPS + len(slider.ROUND) + 1


def test_slider_tells_the_history(trained: Trained) -> None:
    """Numbers are the median seed's, marks those of the seed whose portraits are drawn."""
    history = trained.history
    page = slider.evolution_slider(history, trained.plan, label="what it shows", seed=1).data
    data, stops = told(page), slider.stops_of(12)
    assert len(data["said"]) == len(data["x"]) == len(stops)
    for p, name in enumerate(PARAMETERS):
        after = history[name].isel(epoch=stops[-1] - 1)
        for g, gene in enumerate(history["gene"].to_numpy()):
            middle = after.median("seed").sel(gene=gene).item()
            said = float(data["values"][p][g][-1].replace("−", "-"))
            assert said == pytest.approx(middle, rel=6e-3)
        own = [marks[-1] for marks in data["marks"][p]]
        order = np.argsort(after.isel(seed=1).to_numpy())
        places = np.array(own)[order]  # pixels count downwards and are rounded to tenths
        assert (np.diff(places) <= 0.1).all(), name
    assert "before training" in data["said"][0]
    assert f"{history['loss'].isel(epoch=-1).mean('batch').median('seed').item():.4g}" in (
        data["said"][-1].replace("−", "-")
    )


def test_slider_draws_the_course(trained: Trained) -> None:
    """Each stop's curve goes through the points of the model's own course."""
    data = told(slider.slider_html(trained.history, trained.plan, "x"))
    stop = len(data["said"]) - 1
    theta = {
        name: trained.history[name].isel(epoch=-1, seed=0, gene=2).item() for name in PARAMETERS
    }
    up_u, up_s, *_ = training_figures.curve(theta, trained.plan)
    u, s = trained.plan.unspliced[:, 2], trained.plan.spliced[:, 2]
    reach = 1.6 * max(u.max(), s.max())
    path = data["curves"][2][stop][0]
    points = np.array([pair.split(" ") for pair in path[1:].split("L")], dtype=float)
    x = slider.LEFT + up_s / reach * (slider.WIDTH - slider.LEFT - slider.RIGHT)
    y = slider.HEIGHT - slider.BOTTOM - up_u / reach * (slider.HEIGHT - slider.TOP - slider.BOTTOM)
    for a, b in points[:-1]:
        assert np.hypot(x - a, y - b).min() <= 0.1  # rounded to a tenth of a pixel


def test_slider_stands_alone(trained: Trained) -> None:
    """A label, a still picture, nothing asked for elsewhere, names escaped, small."""
    page = slider.slider_html(trained.history, trained.plan, 'a "label" <b>')
    assert 'aria-label="a &quot;label&quot; &lt;b&gt;"' in page
    assert not re.search(r"https?:|\bfetch\b|\bimport\b|src=|@import|url\((?!#)", page)
    identity = re.search(r'<label for="([^"]+)" hidden>', page)
    assert identity is not None
    assert f'<input id="{identity[1]}" type="range"' in page
    assert "aria-valuetext=" in page
    assert page.count("hidden>") == 2  # label and range, until the script has come
    assert 'class="up g0" d="M' in page
    assert len(re.search(r"json\">(.*?)</script>", page, re.DOTALL)[1]) < 60_000  # type: ignore[index]


def test_slider_of_runs_that_stopped(trained: Trained) -> None:
    """A run that left its domain has no mark and no curve from there on; the others go on."""
    history = trained.history.copy(deep=True)
    for name in PARAMETERS:
        history[name].loc[{"epoch": slice(5, None), "seed": history["seed"][0]}] = np.nan
    data = told(slider.slider_html(history, trained.plan, "x"))
    assert data["marks"][0][0][-1] is None
    assert data["curves"][0][-1] == ["", ""]
    assert data["marks"][0][0][0] is not None


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_slider_by_keyboard(trained: Trained, tmp_path: Path, page: Any) -> None:
    """Opened from the disk: arrow keys move all that is drawn, and nothing is asked for."""
    page_html = slider.slider_html(trained.history, trained.plan, "training")
    data = told(page_html)
    file = tmp_path / "slider.html"
    file.write_text(f'<!DOCTYPE html><meta charset="utf-8">{page_html}', encoding="utf-8")
    wrong: list[str] = []
    page.on("request", lambda it: wrong.append(it.url) if it.url != file.as_uri() else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(file.as_uri())
    page.get_by_label("Epochs of training").focus()
    for key, stop in (("ArrowLeft", len(data["said"]) - 2), ("Home", 0), ("ArrowRight", 1)):
        page.keyboard.press(key)
        assert page.locator("output").inner_text() == data["said"][stop]
        assert page.locator("input").get_attribute("aria-valuetext") == data["said"][stop]
        assert page.locator(".up").nth(1).get_attribute("d") == data["curves"][1][stop][0]
        assert page.locator("b").first.inner_text() == data["values"][0][0][stop]
    assert wrong == []


# ---- all ------------------------------------------------------------------------------------


def test_figures_are_as_wide_as_the_page(walkthrough: Trace, trained: Trained) -> None:
    """Wider ones would be shrunk to the page, letters and all."""
    history, plan = trained.history, trained.plan
    made = [
        figures.phase_portraits(walkthrough),
        figures.kinetic_curve(walkthrough, CELL, GENE),
        figures.density_and_log(walkthrough, CELL, GENE),
        figures.dirichlet_divergences(walkthrough),
        figures.gradient_bars(explain(walkthrough, "alpha", gene=GENE)),
        training_figures.evolution(history),
        training_figures.losses(history),
        training_figures.phase_portraits(plan, history, ["A", "B"], (0, 3, 6, 11)),
        training_figures.prior_cells(plan, trained.state, ["A", "B", "C"]),
    ]
    for figure in made:
        assert figure.get_figwidth() <= WIDTH + 1e-9
        drawn(figure)


def test_states_fill_their_bars(trained: Trained) -> None:
    """The four probabilities of a bar sum to one, as medians over seeds would not."""
    from velotrace.learning.results import posterior

    cells, genes = ("c1", "c2", "c3", "c4"), ("A", "B", "C")
    made = posterior(trained.plan, trained.state, 5, cells, genes)
    figure = training_figures.probabilities({"joint": made})
    for panel in figure.axes:
        tops = [bar.get_y() + bar.get_height() for bar in panel.patches[-len(cells) :]]
        np.testing.assert_allclose(tops, 1.0, rtol=1e-9)


@pytest.mark.usefixtures("_graphviz")
def test_names_are_no_markup(tmp_path: Path) -> None:
    """Names of cells and genes with dollars and angle brackets are shown as they are spelled."""
    cell, gene = "<i>$x$</i>", r"$\\alpha$ & <b>"
    table = [f'"{c}","{g}",{u},0.3' for c, u in ((cell, 0.8), ("c2", 0.2)) for g in (gene, "g2")]
    lines = ["cell,gene,unspliced,spliced", *table]
    (tmp_path / "own.csv").write_text("\n".join(lines), encoding="utf-8")
    path = tmp_path / "own.toml"
    text = 'schema = "velotrace-scenario/1"\n[data]\nfile = "own.csv"\n'
    path.write_text(f"{text}[networks]\nhidden = [3]\nlatent = 1\n", encoding="utf-8")
    made = run(path)
    for figure in (
        figures.density_and_log(made, cell, gene),
        figures.divergence_of_z(made, cell),
        figures.divergence_of_pi(made, cell, gene),
        figures.gradient_waterfall(explain(made, "alpha", gene=gene), by="terms"),
        figures.adam_moments(made, "alpha", gene, steps=2),
    ):
        drawn(figure)
    trained = train_in_memory(made.resolved, Settings(epochs=1))
    pages = [slider.slider_html(trained.history, trained.plan, cell)]
    pages.append(figures.named_graph(made, cell, gene).data)
    for page in pages:
        assert "& <b>" not in page
        assert "<i>$" not in page
        assert "&amp; &lt;b&gt;" in page
