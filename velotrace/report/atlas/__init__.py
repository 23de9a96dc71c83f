"""Where each labelled equation of the book lives: its page, its functions, its rows of the trace.

One list, read three ways: a page says which function computes its equations and which rows of the
trace hold the results; the programming interface and the index of named values say the same from
their side. A test compares it with the book's pages, so that no equation is an orphan.
"""

from __future__ import annotations

from collections.abc import Iterable

from velotrace.report.atlas.backward import BACKWARD
from velotrace.report.atlas.chapters import DIVERGENCES, QUESTIONS, SCVI, TAPE
from velotrace.report.atlas.forward import FORWARD
from velotrace.report.atlas.places import Place

__all__ = ["ATLAS", "Place", "functions", "of_function", "of_page", "of_value"]

ATLAS = (*FORWARD, *BACKWARD, *SCVI, *DIVERGENCES, *TAPE, *QUESTIONS)
"""Every labelled equation, in the order of the book."""


def of_page(page: str) -> tuple[Place, ...]:
    """The labelled equations of one page.

    Example:
        >>> [place.label for place in of_page("encoder")]
        ['eq-posterior-z', 'eq-reparameterisation']
    """
    return tuple(place for place in ATLAS if place.page == page)


def of_function(name: str) -> tuple[Place, ...]:
    """The equations that a function computes, by its dotted name below `velotrace`.

    Example:
        >>> [place.label for place in of_function("model.kinetics.u_induction")]
        ['eq-u-induction']
    """
    return tuple(place for place in ATLAS if name in place.functions)


def of_value(name: str) -> tuple[Place, ...]:
    """The equations that give a named value or use it.

    Example:
        >>> [place.label for place in of_value("epsilon_z")]
        ['eq-reparameterisation', 'eq-back-z']
    """
    return tuple(place for place in ATLAS if name in (*place.values, *place.uses))


def functions(places: Iterable[Place] = ATLAS) -> tuple[str, ...]:
    """The functions of some equations, each once, in order."""
    return tuple(dict.fromkeys(name for place in places for name in place.functions))
