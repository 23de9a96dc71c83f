"""Where one can go: to a step by number, by name, by a part of it, to the backward pass."""

from __future__ import annotations

from collections.abc import Sequence

from velotrace.data import closest
from velotrace.errors import InputError
from velotrace.report.steps import Step


def backward_start(made: Sequence[Step]) -> int:
    """The step at which the backward pass begins."""
    return next(step.index for step in made if step.phase == "backward")


def by_name(made: Sequence[Step], text: str, start: int) -> int:
    """The step with a number, from 1, or of a named value.

    A name means a step of the same phase as where one stands, if there is one; with 'gradient of'
    before it, the one of the backward pass.

    Args:
        made: all steps.
        text: what was typed.
        start: where one stands.

    Returns:
        The index of the step.

    Raises:
        InputError: no step has this number or name.

    Example:
        >>> from velotrace.report.steps import steps
        >>> from velotrace.walkthrough import trace
        >>> made = steps(trace())
        >>> [made[by_name(made, text, 0)].title for text in ("26", "alpha", "gradient of alpha")]
        ['u_bar', 'alpha', 'gradient of alpha']
    """
    wanted = " ".join(text.split())
    if wanted.isdecimal():
        if not 1 <= int(wanted) <= len(made):
            raise InputError(f"there is no step {wanted}; it must be from 1 to {len(made)}")
        return int(wanted) - 1
    found = [step for step in made if wanted in (step.title, step.name)]
    if not found:
        hint = closest(wanted, (step.name for step in made))
        raise InputError(f"no step is called {wanted!r}{hint}")
    same = [step for step in found if step.phase == made[start].phase]
    return (same or found)[0].index


def by_part(made: Sequence[Step], text: str, start: int) -> int:
    """The next step, from the first on again after the last, whose name or symbol has a text in it.

    Args:
        made: all steps.
        text: what was typed; upper and lower case count alike.
        start: where one stands.

    Returns:
        The index of the step.

    Raises:
        InputError: no step has it.

    Example:
        >>> from velotrace.report.steps import steps
        >>> from velotrace.walkthrough import trace
        >>> made = steps(trace())
        >>> [made[by_part(made, "bar", start)].title for start in (0, 25, 26)]
        ['u_bar', 's_bar', 'gradient of s_bar']
    """
    wanted = " ".join(text.split()).casefold()
    for step in (*made[start + 1 :], *made[: start + 1]):
        if wanted in f"{step.title} {step.plain} {step.section.title}".casefold():
            return step.index
    raise InputError(f"no step has {' '.join(text.split())!r} in its name, symbol or section")
