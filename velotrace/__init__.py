"""velotrace: a step-through trace of veloVI, every number computed, forward and backward.

Example:
    >>> import velotrace
    >>> walkthrough = velotrace.trace()
    >>> print(f"{walkthrough.adjoint('alpha').sel(gene='A').item():.0f}")  # d loss / d alpha of A
    6669
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from velotrace.version import __version__

if TYPE_CHECKING:
    from velotrace.attribution import Explanation, explain
    from velotrace.comparison import Comparison, compare
    from velotrace.counterfactuals import counterfactual
    from velotrace.errors import InputError
    from velotrace.quantities import VOCABULARY, Quantity
    from velotrace.report.differences import Differences, diff
    from velotrace.report.tables import long_table
    from velotrace.report.vectors import compare_vectors, vectors
    from velotrace.tape import Cut, Replace, Shift, evaluate, named, record
    from velotrace.walkthrough import Trace, trace

__all__ = [
    "__version__",
    "VOCABULARY",
    "Comparison",
    "Cut",
    "Differences",
    "Explanation",
    "InputError",
    "Quantity",
    "Replace",
    "Shift",
    "Trace",
    "compare",
    "compare_vectors",
    "counterfactual",
    "diff",
    "evaluate",
    "explain",
    "long_table",
    "named",
    "record",
    "trace",
    "vectors",
]

_HOMES = {
    "Explanation": "attribution",
    "explain": "attribution",
    "Comparison": "comparison",
    "compare": "comparison",
    "counterfactual": "counterfactuals",
    "Differences": "report.differences",
    "diff": "report.differences",
    "InputError": "errors",
    "VOCABULARY": "quantities",
    "Quantity": "quantities",
    "long_table": "report.tables",
    "compare_vectors": "report.vectors",
    "vectors": "report.vectors",
    "Cut": "tape",
    "Replace": "tape",
    "Shift": "tape",
    "evaluate": "tape",
    "named": "tape",
    "record": "tape",
    "Trace": "walkthrough",
    "trace": "walkthrough",
}


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used, so that `velotrace --help` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'velotrace' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"velotrace.{_HOMES[name]}"), name)
