"""Numbers and tables in the book's typography: Markdown, symbols from the vocabulary, units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

from velotrace.certificates import Report
from velotrace.quantities import VOCABULARY
from velotrace.report import escape
from velotrace.report.blocks import Table, adjoints_table, values_table
from velotrace.report.checks import differences_table, exact_table
from velotrace.report.tables import NO_PATH
from velotrace.walkthrough import Trace

LONG = 36
"""A symbol with more characters of LaTeX would widen a column beyond use."""
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
_POWER = re.compile(r"10\^(-?)([0-9.]+)")

# ---- numbers --------------------------------------------------------------------------------


def shown(value: Any, digits: int = 6) -> str:
    r"""A number for a sentence or a table: a proper minus sign, powers of ten written out.

    A text that is a number keeps its digits, and a count, an integer, is exact.

    Example:
        >>> shown(-751.6092001), shown(3.8e5, 2), shown(2.2e-16, 2), shown("-0.50"), shown(None)
        ('−751.609', '380000', '2.2\xa0×\xa010⁻¹⁶', '−0.50', 'no path')
        >>> shown(4119028)
        '4119028'
    """
    if value is None:
        return NO_PATH
    if isinstance(value, str):
        return typeset(value) if _NUMBER.fullmatch(value) else value
    if isinstance(value, Integral):
        return typeset(str(value))
    return typeset(f"{float(value) + 0.0:.{digits}g}")


def typeset(text: str) -> str:
    """A number as `shown` or the certificates write it, in the book's typography."""
    if not _NUMBER.fullmatch(text):
        return _POWER.sub(lambda found: f"10<sup>{found[1] and '−'}{found[2]}</sup>", text)
    mantissa, _, exponent = text.partition("e")
    mantissa = mantissa.replace("-", "−")
    if not exponent:
        return mantissa
    power = int(exponent)
    if 0 <= power <= 6:
        return f"{float(mantissa.replace('−', '-')) * 10.0**power:.0f}".replace("-", "−")
    return f"{mantissa}\u00a0×\u00a010{str(power).translate(_SUPERSCRIPT)}"


# ---- tables ---------------------------------------------------------------------------------


def symbol(name: str) -> str:
    r"""The symbol of a named value as an inline formula, or its name where that is long.

    Any other word stays as it is.

    Example:
        >>> symbol("u_bar"), symbol("gene")
        ('$\\bar u$', 'gene')
    """
    if name not in VOCABULARY:
        return f"`{name}`" if "." in name else name
    long = len(VOCABULARY[name].symbol) > LONG
    return f"`{name}`" if long else f"${VOCABULARY[name].symbol}$"


def with_symbols(text: str) -> str:
    r"""A reason in words with symbols for the names of values, those that are no English words.

    Example:
        >>> with_symbols("state is drawn from pi, and kl_z does not depend on switch_time")
        'state is drawn from $\\pi^*$, and $\\mathrm{KL}_z$ does not depend on $t^s_g$'
    """
    return re.sub(r"\bpi\b|\b[a-z]+(_[a-z]+)+\b", lambda found: symbol(found[0]), text)


def markdown(headers: Sequence[str], rows: Iterable[Sequence[Any]], labels: int = 1) -> str:
    """A Markdown table; columns after the labels are numbers and stand to the right."""
    rule = ["---"] * labels + ["--:"] * (len(headers) - labels)
    cells = ([shown(cell) for cell in row] for row in rows)
    bound = ([re.sub(r"^Cell ", "Cell\u00a0", cell) for cell in row] for row in cells)
    lines = [headers, rule, *bound]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def of_blocks(table: Table, units: Sequence[str] = (), **only: str) -> str:
    """A table of the command line as Markdown: symbols for names, units under the symbols.

    Args:
        table: as `velotrace.report.sections` makes them.
        units: of the columns of numbers; none are shown where empty.
        only: labels to keep, by header, such as cell='Cell 1'.
    """
    kept = [
        [
            _label(header, cell) if at < table.labels else typeset(cell)
            for at, (header, cell) in enumerate(zip(table.headers, row, strict=True))
        ]
        for row in table.rows
        if all(row[table.headers.index(header)] == label for header, label in only.items())
    ]
    heads = [re.sub(r"k=(\d)", r"$k=\1$", symbol(header)) for header in table.headers]
    for place, unit in enumerate(units, start=table.labels):
        heads[place] += f"<br>{unit}"
    if table.headers[0] == "quantity" and len({row[0] for row in kept}) == 1:
        return _of_one_quantity(heads, kept, table.labels)
    return markdown(heads, kept, table.labels)


def _of_one_quantity(heads: list[str], rows: list[list[str]], labels: int) -> str:
    """A table by state of one value: its symbol stands over the columns, not in each row."""
    over = [f"{rows[0][0]}<br>{head}" for head in heads[labels:]]
    return markdown([*heads[1:labels], *over], [row[1:] for row in rows], labels - 1)


def _label(header: str, text: str) -> str:
    """A label of a row: a cell's or gene's name as it is, any other word as `symbol` has it."""
    return escape.markdown(text) if header in ("cell", "gene") else symbol(text)


def value_table(trace: Trace, *names: str, **only: str) -> str:
    """Named values side by side with their units, or by state where they have that dimension."""
    table = values_table(trace, names)
    return of_blocks(table, _units(table, names, ""), **only)


def adjoint_table(trace: Trace, *names: str, **only: str) -> str:
    """Their adjoints, nat per unit of the value; 'no path' where there is none."""
    table = adjoints_table(trace, names)
    plain = of_blocks(table, _units(table, names, "nat per "), **only)
    for name in names:  # a column is headed by what it holds, ∂L/∂x
        plain = plain.replace(f"${VOCABULARY[name].symbol}$", _partial(name))
    return plain


def _partial(name: str) -> str:
    return rf"$\partial L/\partial {VOCABULARY[name].symbol}$"


def _units(table: Table, names: Sequence[str], before: str) -> list[str]:
    if "k=1" in table.headers:
        return []
    plain = {"1": before.removesuffix(" per ")}
    return [plain.get(unit, before + unit) for unit in (VOCABULARY[n].unit for n in names)]


def step_table(trace: Trace, optimiser: str) -> str:
    """What a step does to every parameter of θ, gene by gene."""
    leaving, rows = trace.left_domain(optimiser), []
    for name in trace.held:
        info, entry = trace.updates[optimiser][name], trace.tape[name]
        for g, gene in enumerate(trace.coords["gene"]):
            new = shown(info["updated"][g])
            fate = "**outside**" if gene in leaving.get(name, []) else "inside"
            slope = None if entry.adjoint is None else entry.adjoint[g]
            labels = [symbol(name), escape.markdown(gene), fate]
            rows.append([*labels, entry.value[g], slope, info["change"][g], new])
    headers = ["parameter", "gene", "domain", "old", "gradient", "change", "new"]
    return markdown(headers, rows, 3)


def certificate_tables(report: Report) -> tuple[str, str]:
    """Tape against hand, and both against finite differences: six columns each, as a page has room.

    What a difference is relative to the gradient, `velotrace check` says.
    """
    table = differences_table(report)
    kept = [at for at, header in enumerate(table.headers) if header != "rel."]
    rows = [[row[at] for at in kept] for row in table.rows]
    headers = [table.headers[at] or "verdict" for at in kept]
    return of_blocks(exact_table(report)), of_blocks(Table(table.title, headers, rows))
