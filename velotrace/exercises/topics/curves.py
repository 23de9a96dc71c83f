"""Exercises on plots: values to be read off."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np

from velotrace.errors import InputError
from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, UnsuitableError, choice, number
from velotrace.model import kinetics

T_MAX = 20.0
STYLES = ("-", "--")
INK = ("#0072b2", "#d55e00")
"""Colours that the colour-blind can tell apart; the lines differ as well."""


def _course(
    rates: tuple[float, float, float], t_s: float, time: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """ū and s̄ of a gene that is on until t_s and then off, without a jump."""
    alpha, beta, gamma = rates
    on, off = np.minimum(time, t_s), np.maximum(time - t_s, 0.0)
    u_0 = kinetics.u_induction(alpha, beta, on)
    s_0 = kinetics.s_induction(alpha, beta, gamma, on)
    return (
        kinetics.u_repression(u_0, beta, off),
        kinetics.s_repression(u_0, s_0, beta, gamma, off),
    )


def _canvas() -> tuple[Any, Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        right = "pip install 'velotrace[exercises]' (or leave the plots out with --topic)"
        raise InputError(f"this exercise draws a plot, which needs matplotlib: {right}") from None
    figure = Figure(figsize=(6.2, 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


# ---- over time ------------------------------------------------------------------------------


def over_time(c: Chooser) -> Draft:
    """The switch, and the height of unspliced RNA, read off two curves."""
    alpha, t_s = c.decimal("alpha", 0.8, 2.0, 0.05), c.decimal("switch_time", 5.0, 12.0, 0.5)
    beta, gamma = c.decimal("beta", 0.15, 0.4, 0.01), c.decimal("gamma", 0.06, 0.3, 0.01)
    spliced_style = c.pick("line of spliced", (0, 1))
    time = np.linspace(0.0, T_MAX, 2001)
    u, s = _course((alpha, beta, gamma), t_s, time)
    top, late = float(u.max()), float(time[np.argmax(s)])
    grid = _grid(max(top, s.max()))
    if late > T_MAX - 2.0:
        raise UnsuitableError("spliced RNA is to turn round within the plot")
    switch = number(
        "The switch time: when is the gene switched off?",
        t_s,
        (
            "peak of spliced RNA",
            late,
            "That is where *spliced* RNA turns round, which is later: unspliced RNA turns at the "
            "switch.",
        ),
        absolute=0.25,
        signed=False,
    )
    height = number(
        "The largest amount of unspliced RNA.",
        top,
        ("spliced for unspliced", s.max(), "That is the height of the other curve."),
        absolute=0.25 * grid,
        signed=False,
    )
    line = ("solid", "dashed")
    spliced, unspliced = line[spliced_style], line[1 - spliced_style]
    which = choice(
        c,
        "which",
        "Which line is spliced RNA, and how can one tell?",
        f"The {spliced} one: it starts flat, since it has to wait for unspliced RNA.",
        (
            "curves swapped",
            f"The {unspliced} one: it rises first.",
            "What rises first is made first.",
        ),
        (
            "reason",
            f"The {spliced} one: spliced RNA is always the larger.",
            "The right line; but with another $\\gamma$ it would be the smaller one.",
        ),
        (
            "curve and reason",
            f"The {unspliced} one: it turns round with a sharp corner.",
            "A corner is where the rate of making it jumps. Which RNA is made at rate $\\alpha$?",
        ),
    )
    return Draft(
        "The plot shows unspliced and spliced RNA of one gene over time. It is on from the start "
        "and then switched off. (A value read off may be a quarter of a square out.)",
        (switch, height, which),
        "Unspliced RNA has its corner, and its top, at the switch; spliced RNA follows.",
        partial(_draw_over_time, (alpha, beta, gamma), t_s, spliced_style, grid),
        "Two curves over time, one solid and one dashed, on a grid; both rise and then fall.",
    )


def _grid(top: float) -> float:
    return next(step for step in (0.1, 0.2, 0.5, 1.0, 2.0) if top / step <= 12.0)


def _draw_over_time(
    rates: tuple[float, float, float], t_s: float, spliced_style: int, grid: float
) -> bytes:
    figure, axes = _canvas()
    time = np.linspace(0.0, T_MAX, 801)
    u, s = _course(rates, t_s, time)
    for curve, style in ((u, 1 - spliced_style), (s, spliced_style)):
        axes.plot(time, curve, STYLES[style], color=INK[style])
    top = grid * np.ceil(1.02 * max(u.max(), s.max()) / grid)
    axes.set(xlabel="time", ylabel="RNA", xlim=(0, T_MAX), ylim=(0, top))
    axes.set_xticks(np.arange(0.0, T_MAX + 1.0, 2.0))
    axes.set_xticks(np.arange(0.0, T_MAX + 1.0, 1.0), minor=True)
    axes.set_yticks(np.arange(0.0, top + grid / 2, grid))
    axes.grid(which="both", color="#cccccc", lw=0.6)
    return _png(figure)


# ---- phase portrait -------------------------------------------------------------------------


def phase_portrait(c: Chooser) -> Draft:
    """The ratio of two rates, and a cell's velocity, read off a phase portrait."""
    alpha, t_s = c.decimal("alpha", 0.8, 2.0, 0.05), c.decimal("switch_time", 5.0, 12.0, 0.5)
    beta, gamma = c.decimal("beta", 0.2, 0.6, 0.02), c.decimal("gamma", 0.1, 0.5, 0.02)
    at = c.decimal("place of the cell", 2.0, 18.0, 0.25)
    rates = (alpha, beta, gamma)
    u, s = (float(x[0]) for x in _course(rates, t_s, np.array([at])))
    v = float(kinetics.velocity(beta, gamma, u, s))
    if abs(v) < 0.12 * beta * u or abs(gamma / beta - 1.0) < 0.15:
        raise UnsuitableError("the cell is to lie clearly off the line")
    ratio = number(
        r"The ratio $\gamma/\beta$.",
        gamma / beta,
        (
            "ratio upside down",
            beta / gamma,
            "That is $\\beta/\\gamma$: on the line $\\beta u = \\gamma s$, so $u/s$ is the other "
            "ratio.",
        ),
        digits=2,
        signed=False,
    )
    above = v > 0.0
    place, other = ("above", "below") if above else ("below", "above")
    way, back = ("rising", "falling") if above else ("falling", "rising")
    moving = choice(
        c,
        "moving",
        "What is the spliced RNA of the marked cell doing?",
        f"It is {way}: the cell lies {place} the line.",
        (
            "direction",
            f"It is {back}: the cell lies {place} the line.",
            "The right side of the line; but on which side is more spliced than degraded?",
        ),
        (
            "side",
            f"It is {back}: the cell lies {other} the line.",
            "Look at the plot again: on which side of the line is the cell?",
        ),
        (
            "steady",
            "Nothing: the cell lies on the model's curve.",
            "The curve is where cells pass; they rest only on the line.",
        ),
    )
    return Draft(
        "The plot shows unspliced against spliced RNA: the course of one gene (solid), the dotted "
        "line on which spliced RNA does not change, and one cell (the dot).",
        (ratio, moving),
        r"On the line $\beta u = \gamma s$, so its slope is $\gamma/\beta$. Above it $\beta u > "
        r"\gamma s$: "
        "the velocity is positive.",
        partial(_draw_phase_portrait, rates, t_s, at),
        "A loop of unspliced against spliced RNA on a grid, a dotted straight line through the "
        "origin, and one cell marked with a dot.",
    )


def _draw_phase_portrait(rates: tuple[float, float, float], t_s: float, at: float) -> bytes:
    figure, axes = _canvas()
    u, s = _course(rates, t_s, np.linspace(0.0, 60.0, 3001))
    here_u, here_s = _course(rates, t_s, np.array([at]))
    slope = rates[2] / rates[1]
    step_u, step_s = _grid(float(u.max())), _grid(float(s.max()))
    top, right = 1.1 * float(u.max()), 1.1 * float(s.max())
    end = min(right, top / slope)
    axes.plot(s, u, color=INK[0], lw=1.4)
    axes.plot([0.0, end], [0.0, slope * end], ":", color="#222222")
    axes.plot(here_s, here_u, "o", color=INK[1], ms=8)
    axes.set(xlabel="spliced RNA", ylabel="unspliced RNA")
    axes.set(xlim=(0, right), ylim=(0, top))
    axes.set_yticks(np.arange(0.0, top, step_u))
    axes.set_xticks(np.arange(0.0, right, step_s))
    axes.grid(color="#cccccc", lw=0.6)
    return _png(figure)


QUESTIONS: tuple[Entry, ...] = (
    ("read-the-curve", "Read off two curves", "plot", over_time),
    ("phase-portrait", "Read off a phase portrait", "plot", phase_portrait),
)
