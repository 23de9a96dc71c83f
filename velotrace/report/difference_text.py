"""Differences between two iterations as text, Markdown, CSV or JSON."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from velotrace.report import escape
from velotrace.report.blocks import Table
from velotrace.report.differences import Change, Differences
from velotrace.report.formula_text import signed
from velotrace.report.render import text_table
from velotrace.report.tables import NO_PATH

WIDTH = 80


def render_differences(
    found: Differences,
    style: str,
    title: str,
    sides: tuple[str, str] = ("before", "after"),
    largest_first: bool = False,
) -> str:
    """Differences as 'text' (80 columns), 'md', 'json' or 'csv'.

    Args:
        found: the differences.
        style: one of the four.
        title: what was compared.
        sides: headings of the two columns of numbers.
        largest_first: by relative size; else, and in JSON and CSV, in the order of computation.

    Returns:
        Text with a final line break.
    """
    if style == "json":
        return differences_json(found, {"compared": title})
    if style == "csv":
        return differences_csv(found)
    listed = found.largest_first if largest_first else found.changes
    if style == "md":
        notes = map(escape.markdown, found.notes)
        heading = f"# {escape.markdown(title)}"
        blocks = [heading, _loss_line(found), *_tables(listed, sides, "github"), *notes]
    else:
        texts = map(escape.terminal, (title, _loss_line(found), *found.notes))
        title, loss, *rest = (textwrap.fill(text, WIDTH) for text in texts)
        blocks = [title, loss, *_tables(listed, sides, "simple"), *rest]
    return "\n\n".join(blocks) + "\n"


def _loss_line(found: Differences) -> str:
    before, after = found.loss
    if before is None or after is None:
        return "One of the two has no loss."
    if before == after or (math.isnan(before) and math.isnan(after)):
        return f"The loss is {signed(before)} in both."
    return f"The loss goes from {signed(before)} to {signed(after)}: {_change(before, after)}."


def _tables(listed: Sequence[Change], sides: tuple[str, str], style: str) -> list[str]:
    if not listed:
        return ["No value and no adjoint differs."]
    blocks = []
    for part, title in (("value", "Values that differ"), ("adjoint", "Adjoints that differ")):
        rows = [_row(change) for change in listed if change.part == part]
        if rows:
            headers = ["quantity", "where most", *sides, "change", "differ"]
            heading = f"**{title}**" if style == "github" else f"{title}\n{'-' * len(title)}"
            blocks += [heading, text_table(Table(title, headers, rows, 2), style)]
        else:
            blocks.append(f"{'No value' if part == 'value' else 'No adjoint'} differs.")
    return blocks


def _row(change: Change) -> list[str]:
    numbers = [NO_PATH if x is None else signed(x) for x in (change.before, change.after)]
    count = f"{change.changed} of {change.components}"
    delta = "" if NO_PATH in numbers else _change(change.before, change.after)
    return [change.quantity, change.at, *numbers, delta, count]


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ""
    text = signed(after - before)
    return text if text.startswith("−") else f"+{text}"


def differences_json(found: Differences, extra: Mapping[str, Any] | None = None) -> str:
    """Differences as strict JSON: loss, changes in the order of computation, notes."""
    content = {
        "loss": {"before": _finite(found.loss[0]), "after": _finite(found.loss[1])},
        "changes": [_finite_values(asdict(change)) for change in found.changes],
        "notes": list(found.notes),
    }
    whole = dict(extra or {}) | content
    return escape.json(whole, indent=2) + "\n"


def _finite_values(change: dict[str, Any]) -> dict[str, Any]:
    return {key: _finite(x) if isinstance(x, float) else x for key, x in change.items()}


def _finite(x: float | None) -> float | None:
    """JSON has no inf and no NaN."""
    return x if x is not None and math.isfinite(x) else None


def differences_csv(found: Differences) -> str:
    """One row for each array that differs, in the order of computation; no path is empty."""
    rows = [asdict(change) | {"at": escape.csv_cell(change.at)} for change in found.changes]
    columns = list(Change.__dataclass_fields__)
    cells = [["" if row[key] is None else str(row[key]) for key in columns] for row in rows]
    return escape.csv_text([columns, *cells])
