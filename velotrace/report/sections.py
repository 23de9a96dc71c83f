"""The iteration section by section, as the document tells it: titles, sentences, tables.

Each section is a list of small tables of text, ready for tabulate; the command line prints them
and the book renders them.
"""

from __future__ import annotations

from velotrace.report.backward import backward_sections, update_sections
from velotrace.report.blocks import Section, Table
from velotrace.report.forward import forward_sections
from velotrace.walkthrough import Trace

__all__ = [
    "Section",
    "Table",
    "backward_sections",
    "forward_sections",
    "sections",
    "update_sections",
]


def sections(trace: Trace) -> list[Section]:
    """The whole iteration in the document's order: forward, backward, update."""
    return [*forward_sections(trace), *backward_sections(trace), *update_sections(trace)]
