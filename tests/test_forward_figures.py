"""Pictures and worked formulas of the forward pass: what they draw is what was computed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import velotrace
from velotrace.report import book_forward, data_figures, forward_figures
from velotrace.report.formula_breaks import broken, visible

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    mpl.pyplot.close("all")


@pytest.fixture(scope="module")
def trace(walkthrough: velotrace.Trace) -> velotrace.Trace:
    return walkthrough


def drawn(figure: Any) -> None:
    """Lay everything out, so that what cannot be drawn fails here."""
    figure.canvas.draw()


def points(panel: Any, marker: str) -> list[tuple[float, float]]:
    lines = [line for line in panel.lines if line.get_marker() == marker]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines]


def numbers_on(panel: Any) -> list[str]:
    return [text.get_text() for text in panel.texts]


# ---- the data and the start -------------------------------------------------------------------


def test_every_cell_is_in_its_place_and_the_batch_is_filled(trace: velotrace.Trace) -> None:
    figure = data_figures.measured_portraits(trace)
    expression = trace.resolved.expression
    for g, panel in enumerate(figure.axes):
        pairs = zip(expression.spliced[:, g], expression.unspliced[:, g], strict=True)
        assert points(panel, "o") == [tuple(map(float, pair)) for pair in pairs]
        filled = [line.get_mfc() != "white" for line in panel.lines if line.get_marker() == "o"]
        assert filled == [cell in trace.coords["cell"] for cell in expression.cells]
    drawn(figure)


def test_the_lines_are_the_medians_of_the_filled_cells(trace: velotrace.Trace) -> None:
    figure = data_figures.highest_cells_figure(trace)
    constants = trace.resolved.iteration.constants
    for panel, medians in zip(figure.axes, (constants.u_star, constants.s_star), strict=True):
        dots = [line for line in panel.lines if line.get_marker() == "o"]
        for g, median in enumerate(medians):
            filled = [
                line.get_ydata()[0]
                for line in dots
                if line.get_xdata()[0] == g and line.get_mfc() != "white"
            ]
            assert len(filled) == trace.resolved.scenario.data.upper_cells
            assert np.median(filled) == pytest.approx(median, rel=1e-15)
        levels = [line.get_ydata()[0] for line in panel.lines if line.get_marker() == "None"]
        assert levels == pytest.approx(medians, rel=1e-15)
    drawn(figure)


def test_first_weights_stay_within_the_ends(trace: velotrace.Trace) -> None:
    """Equation eq-first-weights."""
    figure = data_figures.first_weights(trace)
    (panel,) = figure.axes
    ends = [line.get_xdata() for line in panel.lines if line.get_marker() == "d"]
    weights = [line.get_xdata() for line in panel.lines if line.get_marker() == "|"]
    assert len(ends) == len(weights) == 8
    for (low, high), row in zip(ends, weights, strict=True):
        assert low <= row.min() < row.max() <= high
    assert ends[0][1] == pytest.approx(np.sqrt(6.0 / 22.0), rel=1e-15)
    drawn(figure)


# ---- forward ----------------------------------------------------------------------------------


def test_bars_are_means_and_standard_deviations(trace: velotrace.Trace) -> None:
    figure = forward_figures.posterior_and_prior(trace, ("Cell 1", "Cell 3"))
    for n, panel in enumerate(figure.axes):
        (bars,) = panel.containers
        deviation = np.exp(0.5 * trace.tape["log_var_z"].value[n])
        segments = np.array(bars.lines[2][0].get_segments())
        assert bars.lines[0].get_ydata() == pytest.approx(trace.tape["mu_z"].value[n])
        assert np.ptp(segments[:, :, 1], axis=1) == pytest.approx(2.0 * deviation)
        draws = next(line for line in panel.lines if line.get_marker() == "x")
        assert draws.get_ydata() == pytest.approx(trace.tape["z"].value[n])
    drawn(figure)


def test_the_time_of_the_drawn_state_is_filled(trace: velotrace.Trace) -> None:
    """Equation eq-times: one filled mark in states 1 and 3, none in 2 and 4."""
    figure = forward_figures.times_on_their_axis(trace)
    (panel,) = figure.axes
    for mark, name, state in (("o", "time_induction", 1), ("s", "time_repression", 3)):
        lines = [line for line in panel.lines if line.get_marker() == mark]
        assert [line.get_xdata()[0] for line in lines] == list(trace.tape[name].value.T.ravel())
        filled = [line.get_mfc() != "white" for line in lines]
        assert filled == list((trace.tape["state"].value == state).T.ravel())
    assert numbers_on(panel) == ["state 2: neither", "state 4: neither"]
    drawn(figure)


def test_without_drawn_states_no_time_is_filled() -> None:
    figure = forward_figures.times_on_their_axis(velotrace.trace(reading={"preset": "joint"}))
    marks = [line for line in figure.axes[0].lines if line.get_marker() in "os"]
    assert {line.get_mfc() for line in marks} == {"white"}


def test_each_start_has_its_penalty(trace: velotrace.Trace) -> None:
    """Equation eq-switch."""
    switched = velotrace.trace(reading={"repression_start": "switch-time"})
    figure = forward_figures.switch_places({"one": trace, "other": switched})
    for g, panel in enumerate(figure.axes):
        wanted = [f"{made.tape['switch_penalty'].value[g]:.4g}" for made in (trace, switched)]
        assert numbers_on(panel) == wanted
        star = points(panel, "*")[0]
        starts = points(panel, "s") + points(panel, "o")
        squares = [(a - star[0]) ** 2 + (b - star[1]) ** 2 for a, b in starts]
        assert squares == pytest.approx([float(text) for text in wanted], rel=1e-3)
    drawn(figure)


def test_the_bars_sum_to_the_loss(trace: velotrace.Trace) -> None:
    """Equation eq-loss; below, the first bar taken apart."""
    figure = forward_figures.loss_bars(trace)
    above, below = ([bar.get_width() for bar in panel.patches] for panel in figure.axes)
    assert sum(above) == pytest.approx(trace.loss, rel=1e-14)
    assert sum(below) == pytest.approx(above[0], rel=1e-14)
    drawn(figure)


# ---- formulas with numbers --------------------------------------------------------------------


def numbers(latex: str) -> list[float]:
    latex = latex.replace("[4pt]", "")  # room between lines
    return [float(x) for x in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", latex)]


def test_a_hidden_unit_is_what_its_numbers_give(trace: velotrace.Trace) -> None:
    """Equation eq-layer, worked out again from the printed numbers."""
    lines = book_forward.hidden_unit(trace, "Cell 1", 2).splitlines()
    *pairs, bias, made = numbers("".join(lines[3:]))
    inside = sum(x * w for x, w in zip(pairs[::2], pairs[1::2], strict=True)) + bias
    assert np.tanh(inside) == pytest.approx(made, abs=2e-4)
    assert made == pytest.approx(trace.tape["encoder_z.0.h"].value[0, 1], rel=1e-5)


def test_an_output_ends_in_the_mean(trace: velotrace.Trace) -> None:
    text = book_forward.latent_output(trace, "Cell 3", 4)
    assert numbers(text.splitlines()[-3])[-1] == pytest.approx(
        trace.tape["mu_z"].value[1, 3], rel=1e-5
    )
    assert r"\cdots" in text


def test_formulas_of_another_encoder(traces: dict[str, velotrace.Trace]) -> None:
    """The reading "odd" has relu, Kaiming He's range and all spliced first."""
    odd = traces["odd"]
    lines = book_forward.hidden_unit(odd, odd.coords["cell"][0], 4).splitlines()
    *pairs, bias, made = numbers("".join(lines[3:]))
    inside = sum(x * w for x, w in zip(pairs[::2], pairs[1::2], strict=True)) + bias
    assert made == pytest.approx(max(inside, 0.0), abs=2e-4)
    assert made > 0.0
    assert pairs[0] == pytest.approx(odd.tape["spliced"].value[0, 0], rel=1e-3)
    assert "tanh" not in "".join(lines)
    ends = numbers(book_forward.range_of_first_weights(odd, "encoder_z.0"))
    assert ends[-3:-1] == [6.0, 6.0]
    assert ends[-1] == pytest.approx(1.0)


def test_an_index_of_two_digits_is_one_index(trace: velotrace.Trace) -> None:
    latex = book_forward.hidden_unit(trace, "Cell 1", 12)
    latex += book_forward.latent_output(trace, "Cell 1", 10)
    assert re.findall(r"_\d", latex) == []


def test_medians_are_those_of_the_document(trace: velotrace.Trace) -> None:
    """Equation eq-highest."""
    text = book_forward.median_of_highest(trace, "C")
    assert numbers(text.replace(r"C1", ""))[-6:] == [0.6, 0.5, 0.55, 0.4, 0.5, 0.45]


# ---- lines that fit ---------------------------------------------------------------------------


@pytest.mark.parametrize("widest", [20, 40, 60])
def test_broken_lines_fit_and_lose_nothing(widest: int) -> None:
    addends = [rf"\left({n}.25-1\right)\times \psi\left(4\right)" for n in range(6)]
    latex = r"-\left(" + "+".join(addends) + r"\right)"
    lines = broken(latex, widest)
    assert len(lines) > 1
    assert all(visible(line) <= max(widest, 22) for line in lines)
    joined = "".join(lines)
    assert joined == "-(" + "+".join(addends) + ")"
    for line in lines:
        assert line.count(r"\left") == line.count(r"\right")


def test_no_line_ends_within_braces() -> None:
    assert broken(r"e^{1+2+3+4+5+6}", 4) == [r"e^{1+2+3+4+5+6}"]
    assert broken(r"\frac{1+2}{3}+4", 3) == [r"\frac{1+2}{3}", "+4"]


def test_what_fits_stays_as_it_is() -> None:
    latex = r"\left(1+2\right)\times 3"
    assert broken(latex) == [latex]
