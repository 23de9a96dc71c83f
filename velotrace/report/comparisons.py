"""Readings side by side as text, Markdown, JSON or CSV."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np

from velotrace.comparison import (
    HALFWAY,
    Comparison,
    Likelihoods,
    choices,
    first_difference,
    first_step,
    loss_terms,
)
from velotrace.quantities import PARAMETERS
from velotrace.report import escape
from velotrace.report.blocks import Table, number
from velotrace.report.render import text_table
from velotrace.report.tables import NO_PATH
from velotrace.walkthrough import Trace

WIDTH = 80

Labels = tuple[str, ...]  # quantity, cell, gene; those that apply
Numbers = Mapping[Labels, float | None]  # None where there is no path


@dataclass(frozen=True)
class Part:
    """One kind of number, side by side.

    Attributes:
        key: its name in JSON and CSV.
        title: heading.
        sentence: what it is.
        labels: headers of the columns that say which number.
        by_reading: the numbers of each reading.
    """

    key: str
    title: str
    sentence: str
    labels: Labels
    by_reading: Mapping[str, Numbers]


def comparison_text(made: Comparison) -> str:
    """Everything, for a terminal of 80 columns."""
    title = f"One iteration in {len(made.traces)} readings: {', '.join(made.traces)}"
    if len(made.traces) == 1:
        title = f"One iteration in one reading: {next(iter(made.traces))}"
    blocks = [f"{title}\n{'=' * len(title)}"]
    for heading, sentence, tables in _sections(made):
        lines = fill(escape.terminal(sentence), WIDTH)
        blocks.append(f"{heading}\n{'-' * len(heading)}\n{lines}")
        blocks += [text_table(part) for table in tables for part in _fitting(table)]
    return "\n\n".join(blocks) + "\n"


def comparison_markdown(made: Comparison) -> str:
    """The same as Markdown."""
    blocks = ["# One iteration, several readings"]
    for heading, sentence, tables in _sections(made):
        blocks += [f"## {escape.markdown(heading)}", escape.markdown(sentence)]
        blocks += [text_table(table, "github") for table in tables]
    return "\n\n".join(blocks) + "\n"


def comparison_json(made: Comparison) -> str:
    """The same as strict JSON: a number that overflowed is null, and so is one without a path."""
    three = made.likelihoods
    content: dict[str, Any] = {
        "readings": list(made.traces),
        "choices": choices(made),
        "first_difference": _first_differences(made),
    }
    for part in parts(made):
        first = next(iter(part.by_reading.values()))
        content[part.key] = [
            dict(zip(part.labels, labels, strict=True))
            | {name: _finite(numbers[labels]) for name, numbers in part.by_reading.items()}
            for labels in first
        ]
    content["likelihoods"] = {
        "cell": three.cell,
        "gene": three.gene,
        "state": three.state,
        "rho_repression": HALFWAY,
        "pi": three.pi.tolist(),
        "log_density_u": [_finite(x) for x in three.log_density_u.tolist()],
        "log_density_s": [_finite(x) for x in three.log_density_s.tolist()],
        "log_likelihood": {name: _finite(x) for name, x in three.value.items()},
    }
    return escape.json(content, indent=1) + "\n"


def comparison_csv(made: Comparison) -> str:
    """One row for each number, in full: part, quantity, cell, gene, reading, value."""
    rows = [["part", "quantity", "cell", "gene", "reading", "value"]]
    for choice, by_reading in choices(made).items():
        rows += [["choice", choice, "", "", name, str(x)] for name, x in by_reading.items()]
    for part in parts(made):
        for name, numbers in part.by_reading.items():
            for labels, x in numbers.items():
                at = dict(zip(part.labels, labels, strict=True))
                places = [escape.csv_cell(at.get(dim, "")) for dim in ("cell", "gene")]
                rows.append(
                    [part.key, at["quantity"], *places, name, NO_PATH if x is None else str(x)]
                )
    three = made.likelihoods
    places = [escape.csv_cell(three.cell), escape.csv_cell(three.gene)]
    rows += [["likelihoods", name, *places, "", str(x)] for name, x in three.value.items()]
    return escape.csv_text(rows)


# ---- parts ----------------------------------------------------------------------------------


def parts(made: Comparison) -> list[Part]:
    """The numbers that are compared, kind by kind."""

    def part(
        key: str, title: str, sentence: str, labels: Labels, of: Callable[[Trace], Numbers]
    ) -> Part:
        by_reading = {name: of(one) for name, one in made.traces.items()}
        return Part(key, title, sentence, labels, by_reading)

    start = ("u_switch", "s_switch", "switch_penalty_u", "switch_penalty_s", "switch_penalty")
    return [
        part(
            "loss",
            "The loss and its terms",
            "Each term with its weight in the first epoch, nat.",
            ("quantity",),
            lambda one: {(name,): x for name, x in loss_terms(one).items()},
        ),
        part(
            "start",
            "Start of repression and switch penalty",
            "Where repression starts, and its squared distance from u* and s*, without weight.",
            ("quantity", "gene"),
            lambda one: _named(one, start, lambda name: one.tape[name].value),
        ),
        part(
            "log_likelihood",
            "Log likelihood",
            "Of each cell and gene, nat.",
            ("quantity", "cell", "gene"),
            lambda one: _named(one, ["log_likelihood"], lambda name: one.tape[name].value),
        ),
        part(
            "gradient",
            "Gradients of θ",
            "By how much the loss rises per unit of the parameter itself, however it is held.",
            ("quantity", "gene"),
            lambda one: _named(one, PARAMETERS, lambda name: one.tape[name].adjoint),
        ),
        part(
            "first_step",
            "First step of the optimiser",
            "New value minus old, by the reading's own optimiser and for what it holds.",
            ("quantity", "gene"),
            lambda one: _named(one, PARAMETERS, first_step(one).__getitem__),
        ),
    ]


def _named(
    made: Trace, names: Sequence[str], pick: Callable[[str], np.ndarray | None]
) -> dict[Labels, float | None]:
    """Named numbers of shape (gene,) or (cell, gene) by their labels."""
    found: dict[Labels, float | None] = {}
    genes, cells = made.coords["gene"], made.coords["cell"]
    for name in names:
        array, of_cells = pick(name), name == "log_likelihood"
        places = [(cell, gene) for cell in cells for gene in genes] if of_cells else genes
        flat = [None] * len(places) if array is None else array.ravel().tolist()
        for place, x in zip(places, flat, strict=True):
            found[name, *(place if of_cells else (place,))] = x
    return found


def _first_differences(made: Comparison) -> dict[str, str | None]:
    others = list(made.traces.items())[1:]
    return {name: first_difference(made.first, one) for name, one in others}


def _finite(x: float | None) -> float | None:
    return x if x is not None and math.isfinite(x) else None


# ---- sections of text -----------------------------------------------------------------------


def _sections(made: Comparison) -> Iterator[tuple[str, str, list[Table]]]:
    """Heading, sentence and tables."""
    differing = [choices_table(made)] if choices(made) else []
    yield "Choices that differ", _what_differs(made), differing
    for part in parts(made):
        yield part.title, part.sentence, [part_table(part)]
    three = made.likelihoods
    place = f"{three.cell}, gene {three.gene}"
    yield (
        f"Three likelihoods of {escape.terminal(place)}",
        f"The same densities and the same π, summed up in three ways; repression starts from its "
        f"values at t_s, and ρ3 is {HALFWAY:g}. {_preferences(three)}",
        [states_table(three), likelihoods_table(three)],
    )


def _what_differs(made: Comparison) -> str:
    if len(made.traces) == 1:
        return "None: with one reading there is nothing to compare."
    first, found = next(iter(made.traces)), _first_differences(made)
    clauses = [f"{name} in {of}" for name, of in found.items() if of is not None]
    clauses += [f"{name} nowhere" for name, of in found.items() if of is None]
    return (
        f"From the numbers of {first} the others differ first, in the order of computation: "
        f"{', '.join(clauses)}."
    )


def choices_table(made: Comparison) -> Table:
    """The choices that differ: each value with the readings that make it."""
    rows = []
    for choice, by_reading in choices(made).items():
        shown = choice
        for value in dict.fromkeys(by_reading.values()):
            names = [name for name, given in by_reading.items() if given == value]
            rows.append([shown, _word(value), ", ".join(names)])
            shown = ""
    return Table("", ["choice", "value", "readings"], rows, 3)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str):
        return value or "none"
    return ", ".join(map(number, value if isinstance(value, tuple) else (value,)))


def part_table(part: Part) -> Table:
    """The numbers of one kind, a column for each reading."""
    first = next(iter(part.by_reading.values()))
    rows = [
        [*labels, *(_shown(numbers[labels]) for numbers in part.by_reading.values())]
        for labels in first
    ]
    headers = [*part.labels, *part.by_reading]
    if len({row[0] for row in rows}) == 1 and len(part.labels) > 1:  # one quantity: said above
        headers, rows = headers[1:], [row[1:] for row in rows]
    return Table("", headers, rows, len(headers) - len(part.by_reading))


def _shown(x: float | None) -> str:
    return NO_PATH if x is None else number(x)


def states_table(three: Likelihoods) -> Table:
    """π and the log densities of the four states; their sum is the likelihood if k is drawn so."""
    of_u, of_s = three.log_density_u, three.log_density_s
    rows = [
        [str(k + 1), *(number(x) for x in (three.pi[k], of_u[k], of_s[k], of_u[k] + of_s[k]))]
        for k in range(4)
    ]
    return Table("", ["state", "π", "log N(u)", "log N(s)", "both"], rows, 1)


_RULES = {
    "sampled-state": "log N(u) + log N(s) in state {state}",
    "separate-mixtures": "log Σ π N(u) + log Σ π N(s)",
    "joint-mixture": "log Σ π N(u) N(s)",
}


def likelihoods_table(three: Likelihoods) -> Table:
    """The three values, each with its rule."""
    rows = [
        [name, _RULES[name].format(state=three.state), number(x)] for name, x in three.value.items()
    ]
    return Table("", ["likelihood", "rule", "log likelihood"], rows, 2)


def _preferences(three: Likelihoods) -> str:
    log_pi = np.log(three.pi)
    u, s = (int(np.argmax(log_pi + log)) + 1 for log in (three.log_density_u, three.log_density_s))
    if u == s:
        return f"Both u and s speak for state {u}."
    return (
        f"u speaks for state {u}, s for state {s}: kept apart, each may have its own state; "
        "together they share one."
    )


# ---- 80 columns -----------------------------------------------------------------------------


def _fitting(table: Table) -> list[Table]:
    """A table as one or more that are narrow enough: the labels stand before each group."""
    widths = [
        max(len(cell) for cell in column) for column in zip(table.headers, *table.rows, strict=True)
    ]
    labels = table.labels
    room = WIDTH - sum(widths[:labels]) - 2 * max(labels - 1, 0)
    groups: list[list[int]] = [[]]
    used = 0
    for column in range(labels, len(widths)):
        if groups[-1] and used + widths[column] + 2 > room:
            groups.append([])
            used = 0
        groups[-1].append(column)
        used += widths[column] + 2
    kept = list(range(labels))
    return [
        Table(
            table.title,
            [table.headers[i] for i in kept + group],
            [[row[i] for i in kept + group] for row in table.rows],
            labels,
        )
        for group in groups
    ]
