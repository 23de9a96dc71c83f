"""What the stepper shows at a moment, and how keys change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from velotrace.errors import InputError
from velotrace.report import escape
from velotrace.report.stepper.text import body, inside, why
from velotrace.report.steps import Step
from velotrace.walkthrough import Trace

Page = Literal["step", "why", "inside"]

KEYS = (
    ("n", "next", "the next step; so do the right arrow and the space bar"),
    ("p", "back", "the step before; so does the left arrow"),
    ("/", "find", "the next step with some text in its name, symbol or section"),
    ("g", "go", "a step by its number or name"),
    ("b", "backward", "where the backward pass begins"),
    ("w", "why", "the gradient of this value taken apart, as `velotrace explain` has it"),
    ("o", "into", "the primitive operations inside this step"),
    ("c", "cell", "the same step for the next cell"),
    ("e", "gene", "the same step for the next gene"),
    ("q", "quit", "out of the stepper"),
)
"""Key, the word for it at the bottom of the screen, and where it leads."""


@dataclass(frozen=True)
class View:
    """Where one stands.

    Attributes:
        index: of the step.
        cell: that is followed.
        gene: that is followed.
        page: the step itself, its gradient taken apart, or the operations inside.
        message: one line for the reader, such as that a search found nothing.
    """

    cell: str
    gene: str
    index: int = 0
    page: Page = "step"
    message: str = ""


def at_step(view: View, made: Sequence[Step], index: int) -> View:
    """At another step; beyond either end, a message."""
    if index < 0:
        return replace(view, message="This is the first step.")
    if index >= len(made):
        return replace(view, message="This is the last step.")
    return replace(view, index=index, page="step", message="")


def on_page(view: View, page: Page) -> View:
    """On another page of the same step; on the step itself again if it is shown already."""
    return replace(view, page="step" if view.page == page else page, message="")


def next_followed(view: View, trace: Trace, dim: Literal["cell", "gene"]) -> View:
    """Following the next cell or gene."""
    labels = trace.coords[dim]
    following = labels[(labels.index(getattr(view, dim)) + 1) % len(labels)]
    said = f"There is one {dim} only." if len(labels) == 1 else ""
    if dim == "cell":
        return replace(view, cell=following, message=said)
    return replace(view, gene=following, message=said)


def text_of(view: View, trace: Trace, made: Sequence[Step], uncertified: str = "") -> str:
    """The lines of the page that is shown."""
    step = made[view.index]
    try:
        if view.page == "why":
            return why(trace, step, view.cell, view.gene)
        if view.page == "inside":
            return inside(trace, step)
        return body(trace, step, view.cell, view.gene, uncertified)
    except InputError as problem:  # a number that overflowed
        return escape.terminal(problem)
