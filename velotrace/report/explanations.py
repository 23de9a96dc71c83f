"""A gradient taken apart, as text for a terminal and as Markdown."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from velotrace.attribution import Explanation, NoPath
from velotrace.report import escape
from velotrace.report.blocks import Table, number
from velotrace.report.edge_text import edge_blocks, legend
from velotrace.report.formula_text import signed
from velotrace.report.render import text_table
from velotrace.report.symbols import TERM_WORDS, plain
from velotrace.selection import in_words
from velotrace.walkthrough import Trace

WIDTH = 80
MOST_PATHS = 12
"""Paths that are printed; JSON has all."""

MOST_TERMS = 40
"""Terms that are printed; JSON has all."""


def explanation_text(trace: Trace, made: Explanation, compared: str = "") -> str:
    """An explanation for a terminal of 80 columns.

    Args:
        trace: that it was made from.
        made: the explanation.
        compared: a sentence that compares it with the unchanged iteration.

    Returns:
        Text with a final line break.
    """
    blocks = [_filled(line) for line in _answer(made, compared)]
    if made.total is not None:
        blocks += [_components_block(made, "simple")]
        blocks += [_headed("By loss term"), _terms_block(made, "simple")]
        blocks += [_headed("By path"), _path_lines(made)]
        if made.edges:
            blocks += [_headed("Edge by edge"), _filled(_EDGES), *edge_blocks(trace, made)]
        blocks += [_filled(legend(trace, made))]
    return "\n\n".join(block for block in blocks if block) + "\n"


def explanation_markdown(trace: Trace, made: Explanation, compared: str = "") -> str:
    """The same as Markdown."""
    blocks = [f"# {escape.markdown(_title(made))}"]
    blocks += map(escape.markdown, _answer(made, compared))
    if made.total is not None:
        blocks += [_components_block(made, "github")]
        blocks += ["## By loss term", _terms_block(made, "github")]
        blocks += ["## By path", _paths_markdown(made)]
        if made.edges:
            blocks += ["## Edge by edge", _EDGES]
        blocks += map(_fenced, edge_blocks(trace, made))
        blocks += [escape.markdown(legend(trace, made))]
    return "\n\n".join(block for block in blocks if block) + "\n"


_EDGES = (
    "Each line is a local derivative with numbers put in, times the upstream adjoint of the value "
    "that it leads to. The edges that leave the target sum to its gradient."
)


def _filled(text: str) -> str:
    return textwrap.fill(escape.terminal(text), WIDTH)


def _fenced(block: str) -> str:
    """A block of code; its fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall("`+", block)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{block}\n{fence}"


def _headed(title: str) -> str:
    return f"{title}\n{'-' * len(title)}"


# ---- the answer -----------------------------------------------------------------------------


def _title(made: Explanation) -> str:
    return f"∂L/∂{plain(made.quantity)}{_where(made)}"


def _where(made: Explanation) -> str:
    """' of gene A, state 1', ' of gene A, all cells', '[2,7]' of a weight, or nothing."""
    if "output" in made.coords:
        if not any(label is not None for label in made.coords.values()):
            return ""
        index = ",".join("…" if label is None else str(label) for label in made.coords.values())
        return f"[{index}]"
    parts = [_labelled(dim, label) for dim, label in made.coords.items()]
    return f" of {', '.join(parts)}" if parts else ""


def _labelled(dim: str, label: Any) -> str:
    """'gene A', 'all genes'; 'Cell 1' is not said to be a cell again."""
    if label is None:
        return "all latent dimensions" if dim == "latent" else f"all {dim}s"
    return in_words(dim, label)


def _answer(made: Explanation, compared: str) -> Iterator[str]:
    if made.total is None:
        yield f"{_title(made)}: no path: {made.reason}."
    elif len(made.components) == 1:
        yield f"{_title(made)} = {signed(made.total)}  ({made.quantity} is {_value(made)} here)"
        yield _meaning(made)
    else:
        yield (
            f"{_title(made)}: the sum of {len(made.components)} components is "
            f"{signed(made.total)}. All below is about this sum, the gradient of moving them "
            f"all alike{_hint(made)}."
        )
    if compared:
        yield compared


def _value(made: Explanation) -> str:
    return signed(made.components[0].value)


def _meaning(made: Explanation) -> str:
    """What the number means, for a small step from where the value stands."""
    assert made.total is not None
    value = abs(made.components[0].value)
    step, words = (0.01 * value, "1 % of itself, ") if value else (0.01, "")
    change = made.total * step
    verb = "raises" if change > 0.0 else "lowers" if change < 0.0 else "does not move"
    by = f" by {number(abs(change))}" if change else ""
    return f"To first order, raising it by {words}{number(step)}, {verb} the loss{by}."


def _hint(made: Explanation) -> str:
    free = [dim for dim, label in made.coords.items() if label is None]
    options = [dim for dim in free if dim in ("cell", "gene", "state", "latent")]
    if options:
        return "; choose one with " + " ".join(f"--{dim}" for dim in options)
    index = ",".join("0" for _ in free)
    return f'; choose one as "{made.quantity}[{index}]"'


def _components_block(made: Explanation, style: str) -> str:
    if len(made.components) < 2 or len(made.components) > MOST_TERMS:
        return ""
    dims = list(made.coords)
    rows = [
        [*(str(c.at[dim]) for dim in dims), signed(c.value), signed(c.adjoint)]
        for c in made.components
    ]
    return text_table(Table("", [*dims, "value", "gradient"], rows, len(dims)), style)


# ---- beside the unchanged iteration ---------------------------------------------------------


def comparison(made: Explanation, unchanged: Explanation, changes: str) -> str:
    """A sentence that sets a gradient beside that of the unchanged iteration."""
    now, before = made.total, unchanged.total
    if before is None:
        return f"This is with {changes}; in the unchanged iteration there is no path."
    start = f"This is with {changes}; in the unchanged iteration it is {signed(before)}"
    if now is None:
        return start + "."
    return f"{start}, so the change adds {signed(now - before)}."


# ---- terms ----------------------------------------------------------------------------------


def _terms_block(made: Explanation, style: str) -> str:
    listed = sorted(made.terms, key=lambda t: -abs(t.value)) if _many(made) else made.terms
    rows = [
        [TERM_WORDS.get(t.term, t.term), t.cell or "", t.gene or "", signed(t.value)]
        for t in listed[:MOST_TERMS]
    ]
    rest = listed[MOST_TERMS:]
    if rest:
        more = math.fsum(t.value for t in rest)
        rows.append([f"{len(rest)} more", "", "", signed(more)])
    rows.append(["sum", "", "", signed(math.fsum(t.value for t in made.terms))])
    table = text_table(Table("", ["loss term", "cell", "gene", "gradient"], rows, 3), style)
    checked = _checked(made, (t.value for t in made.terms))
    return "\n\n".join([table, checked, *_reasons(made.no_path, style)])


def _many(made: Explanation) -> bool:
    return len(made.terms) > MOST_TERMS


def _checked(made: Explanation, values: Iterable[float]) -> str:
    assert made.total is not None
    apart = abs(math.fsum(values) - made.total)
    return _filled(
        f"Total {signed(made.total)}: the sum differs from it by {apart:.1g}; "
        f"round-off allows {made.bound:.1g}."
    )


def _reasons(without: Sequence[NoPath], style: str) -> list[str]:
    """'No path' with the reason, terms of one reason together."""
    groups: dict[str, dict[str, None]] = {}
    for entry in without:
        if entry.term is not None:
            groups.setdefault(entry.reason, {})[TERM_WORDS.get(entry.term, entry.term)] = None
    merged: dict[tuple[str, ...], list[str]] = {}
    for reason, terms in groups.items():
        merged.setdefault(tuple(terms), []).append(reason)
    return _items("No path:", ((", ".join(t), "; ".join(r)) for t, r in merged.items()), style)


def _items(title: str, pairs: Iterable[tuple[str, str]], style: str) -> list[str]:
    shown = escape.markdown if style == "github" else escape.terminal
    items = [f"- {shown(f'{name}: {reason}.')}" for name, reason in pairs]
    if not items:
        return []
    if style == "github":
        return [title + "\n\n" + "\n".join(items)]
    wrapped = [textwrap.fill(item, WIDTH, subsequent_indent="  ") for item in items]
    return [title + "\n" + "\n".join(wrapped)]


# ---- paths ----------------------------------------------------------------------------------


def _arrows(names: Sequence[str]) -> str:
    return " → ".join(map(plain, names))


def _grouped(made: Explanation) -> list[tuple[str, str]]:
    """(through what, value) for the first steps, largest first, then the sum."""
    steps = sorted(made.by_first_step.items(), key=lambda item: -abs(item[1]))
    return [(f"through {name}" if name else "itself", signed(value)) for name, value in steps]


def _path_lines(made: Explanation) -> str:
    shown, rest = made.paths[:MOST_PATHS], made.paths[MOST_PATHS:]
    width = max([len(signed(path.value)) for path in made.paths] + [8])
    groups = _grouped(made)
    name_width = max(len(name) for name, _ in groups) if groups else 0
    parts = []
    if len(groups) > 1:
        parts.append("\n".join(f"{name:<{name_width}}  {value:>{width}}" for name, value in groups))
    lines = [
        textwrap.fill(
            f"{signed(path.value):>{width}}  {_arrows(path.names)}",
            WIDTH,
            subsequent_indent=" " * (width + 2),
        )
        for path in shown
    ]
    if rest:
        more = signed(math.fsum(path.value for path in rest))
        lines.append(f"{more:>{width}}  {len(rest)} more paths together")
    parts.append("\n".join(lines))
    parts.append(_checked(made, (path.value for path in made.paths)))
    return "\n\n".join([*parts, *_zero_paths(made, "simple")])


def _paths_markdown(made: Explanation) -> str:
    shown, rest = made.paths[:MOST_PATHS], made.paths[MOST_PATHS:]
    rows = [[_arrows(path.names), signed(path.value)] for path in shown]
    if rest:
        more = signed(math.fsum(path.value for path in rest))
        rows.append([f"{len(rest)} more together", more])
    rows.append(["sum", signed(math.fsum(path.value for path in made.paths))])
    steps = [[name, value] for name, value in _grouped(made)]
    tables = [text_table(Table("", ["first step", "gradient"], steps), "github")]
    tables.append(text_table(Table("", ["path", "gradient"], rows), "github"))
    checked = _checked(made, (path.value for path in made.paths))
    return "\n\n".join([*tables, checked, *_zero_paths(made, "github")])


def _zero_paths(made: Explanation, style: str) -> list[str]:
    """The paths that carry nothing, those of one reason under their first steps."""
    groups: dict[str, dict[str, None]] = {}
    for entry in made.no_path:
        if entry.path:
            groups.setdefault(entry.reason, {})[_arrows(entry.path[:3]) + " → …"] = None
    pairs = ((", ".join(starts), reason) for reason, starts in groups.items())
    return _items("Nothing comes along:", pairs, style)
