"""All steps one after the other, for pipes and screen readers: no colours, no boxes, no codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from velotrace.report.fitting import WIDTH
from velotrace.report.stepper.text import body, following, heading, title
from velotrace.report.steps import Step
from velotrace.walkthrough import Trace


def plain_text(trace: Trace, made: Sequence[Step], cell: str, gene: str) -> Iterator[str]:
    """The text of each step, in order.

    Args:
        trace: that the steps are of.
        made: all steps, with certificates.
        cell: to follow.
        gene: to follow.

    Yields:
        First what is followed, then one text for each step; each ends in an empty line.
    """
    count = len(made)
    yield fill(f"One iteration in {count} steps, for {following(cell, gene)}.", WIDTH) + "\n\n"
    for step in made:
        head = fill(f"{heading(step, count)}: {title(step)}", WIDTH)
        yield f"{head}\n\n{body(trace, step, cell, gene)}\n\n\n"
