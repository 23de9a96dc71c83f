"""A gradient taken apart, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from velotrace.attribution import Edge, Explanation, NoPath
from velotrace.report import escape


def explanation_json(made: Explanation, extra: Mapping[str, Any] | None = None) -> str:
    """An explanation as strict JSON; every number reads back bit for bit.

    Args:
        made: the explanation.
        extra: further keys, as for a comparison with the unchanged iteration.

    Returns:
        quantity, coords, total, terms, paths; then components, by_first_step, no_path, reason,
        edges and bound.
    """
    content = {
        "quantity": made.quantity,
        "coords": dict(made.coords),
        "total": made.total,
        "terms": [
            {"term": t.term, "cell": t.cell, "gene": t.gene, "value": t.value} for t in made.terms
        ],
        "paths": [{"path": list(path.names), "value": path.value} for path in made.paths],
        "components": [
            {"at": dict(c.at), "value": c.value, "gradient": c.adjoint} for c in made.components
        ],
        "by_first_step": made.by_first_step,
        "no_path": [_no_path(entry) for entry in made.no_path],
        "reason": made.reason,
        "edges": [_edge_json(edge) for edge in made.edges],
        "bound": made.bound,
    }
    whole = content | dict(extra or {})
    return escape.json(whole, indent=2) + "\n"


def _no_path(entry: NoPath) -> dict[str, Any]:
    if entry.path:
        return {"path": list(entry.path), "reason": entry.reason}
    where = {"term": entry.term, "cell": entry.cell, "gene": entry.gene}
    return where | {"reason": entry.reason}


def _edge_json(edge: Edge) -> dict[str, Any]:
    return {
        "of": edge.of,
        "to": edge.to,
        "value": edge.value,
        "network": edge.network,
        "left_out": edge.left_out,
        "rows": [
            {
                "of_at": dict(row.of_at),
                "to_at": dict(row.to_at),
                "formula": row.formula.expression if row.formula else None,
                "numbers": {name: given.value for name, given in row.numbers.items()},
                "local": row.local,
                "upstream": row.upstream,
                "product": row.product,
            }
            for row in edge.rows
        ],
    }


def comparison_keys(
    unchanged: Explanation, values: Sequence[str], cut: Sequence[str], drop: Sequence[str]
) -> dict[str, Any]:
    """Further keys: what was changed, and the gradient in the unchanged iteration."""
    changes = {"set": list(values), "cut": list(cut), "drop": list(drop)}
    return {"changes": changes, "unchanged": {"total": unchanged.total}}
