"""A gradient taken apart: by loss term, by path, and edge by edge with numbers in the formulas."""

from velotrace.attribution.edges import Edge, EdgeRow
from velotrace.attribution.explanation import Component, Explanation, Path, explain
from velotrace.attribution.reasons import NoPath, why_no_path
from velotrace.attribution.terms import Term

__all__ = [
    "Component",
    "Edge",
    "EdgeRow",
    "Explanation",
    "NoPath",
    "Path",
    "Term",
    "explain",
    "why_no_path",
]
