"""What a step shows for one cell and gene, as lines of text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.cells import cell_len

from velotrace.attribution import explain
from velotrace.certificates import Certificate
from velotrace.report import escape
from velotrace.report.blocks import Table, number
from velotrace.report.checks import tiny, verdict
from velotrace.report.edge_text import as_one, edge_block, legend_of
from velotrace.report.explanations import explanation_text
from velotrace.report.fitting import WIDTH, shortened
from velotrace.report.formula_text import signed
from velotrace.report.operations import operations
from velotrace.report.render import text_table
from velotrace.report.steps import Step, Weights
from velotrace.report.symbols import plain
from velotrace.report.worked import Worked, edges_at, followed, worked
from velotrace.selection import Selection, in_words, select
from velotrace.walkthrough import Trace


def heading(step: Step, count: int) -> str:
    """'Step 26 of 83, forward, Kinetics'."""
    return f"Step {step.index + 1} of {count}, {step.phase}, {step.section.title}"


def title(step: Step) -> str:
    """'u_bar, ū' or 'gradient of u_bar, ∂L/∂ū'."""
    return f"{step.title}, {step.plain if step.phase == 'forward' else _slope(step)}"


def _slope(step: Step) -> str:
    return f"∂L/∂{as_one(step.plain)}"


def following(cell: str, gene: str) -> str:
    """'Cell 1, gene A', in one line of the screen."""
    cell, gene = (escape.terminal(in_words(*pair)) for pair in (("cell", cell), ("gene", gene)))
    room = WIDTH - 2 - min(len(gene), WIDTH // 2)
    cell = shortened(cell, room)
    return f"{cell}, {shortened(gene, WIDTH - 2 - len(cell))}"


def body(trace: Trace, step: Step, cell: str, gene: str, uncertified: str = "") -> str:
    """All that a step shows below its heading.

    Args:
        trace: that the step is of.
        step: either kind.
        cell: to follow.
        gene: to follow.
        uncertified: what to say where a backward step has no certificate.

    Returns:
        Lines of at most 80 columns, without a final line break.

    Example:
        >>> from velotrace.walkthrough import trace
        >>> from velotrace.report.steps import steps
        >>> made = trace()
        >>> print(body(made, steps(made)[23], "Cell 1", "A"))
        Unspliced RNA at which repression starts.
        One number for each gene; abundance; equation 9; section 3a.
        From alpha, beta.
        <BLANKLINE>
        u0 = α/β
           = 0.85/0.1
           = 8.5
    """
    if step.phase == "forward":
        about = [step.sentence, _facts(step)]
        about += [f"From {', '.join(step.inputs)}."] if step.inputs else []
        blocks = _forward(trace, step, cell, gene)
    else:
        about = [step.sentence, f"By how much the loss rises per unit of it: {_unit(step)}."]
        blocks = _backward(trace, step, cell, gene, uncertified)
    return "\n\n".join(["\n".join(map(_filled, about)), *(block for block in blocks if block)])


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(escape.terminal(text), WIDTH, subsequent_indent=indent)


def _facts(step: Step) -> str:
    dims = ["latent dimension" if dim == "latent" else dim for dim in step.dims]
    each = f"{', '.join(dims[:-1])} and {dims[-1]}" if dims[1:] else "".join(dims)
    size = f"One number for each {each}" if dims else "One number"
    known = [size, _unit(step)]
    if step.equation != "—":
        several = "s" if "," in step.equation or "–" in step.equation else ""
        doc = step.equation.startswith("doc")
        known.append(step.equation if doc else f"equation{several} {step.equation}")
    known += [f"section {step.document}"] if step.document not in ("", "—") else []
    return "; ".join(known) + "."


def _unit(step: Step) -> str:
    return "no unit" if step.unit == "1" else step.unit


# ---- forward --------------------------------------------------------------------------------


def _forward(trace: Trace, step: Step, cell: str, gene: str) -> Iterator[str]:
    yield _values(step, worked(trace, step, cell, gene))
    yield _filled(legend_of(trace, (definition.expression for definition in step.definitions)))
    yield "\n".join(_weights(weights, "With") for weights in step.weights)
    if step.no_path:
        yield _filled(f"No gradient comes back to it: {step.no_path}.")


def _values(step: Step, components: Sequence[Worked]) -> str:
    """Each component with its formula; a formula that all share stands once, above them."""
    formulas = {component.formula for component in components}
    if len(components) == 1 or len(formulas) > 1:
        return "\n".join(_in_full(step, component) for component in components)
    shared = formulas.pop()
    lines = [_filled(f"{step.plain} = {shared}", "    ")] if shared else []
    return "\n".join([*lines, *(_in_short(step, component) for component in components)])


def _in_full(step: Step, component: Worked) -> str:
    """The formula, the numbers and the value below each other."""
    place = _place(step, component)
    start = f"{place}: {step.plain}" if place else step.plain
    parts = [component.formula, component.numbers, signed(component.value)]
    shown = [part for part in dict.fromkeys(parts) if part not in ("", step.plain)]
    indent = " " * cell_len(start)  # a bar over a letter has no width of its own
    return "\n".join(
        _filled(f"{start if at == 0 else indent} = {part}", f"{indent}     ")
        for at, part in enumerate(shown)
    )


def _in_short(step: Step, component: Worked) -> str:
    parts = [component.numbers, signed(component.value)]
    shown = " = ".join(dict.fromkeys(part for part in parts if part))
    return _filled(f"{_place(step, component)}: {shown}", "    ")


def _place(step: Step, component: Worked) -> str:
    """'state 1'; cell and gene are said above."""
    return ", ".join(
        f"{dim} {label}" for dim, label in component.at.items() if dim not in ("cell", "gene")
    )


def _weights(weights: Weights, start: str) -> str:
    numbers = weights.numbers
    shape = " × ".join(map(str, numbers.shape))
    low, high = signed(numbers.min()), signed(numbers.max())
    return _filled(f"{start} {weights.name} ({shape}), from {low} to {high}.")


# ---- backward -------------------------------------------------------------------------------


def _backward(trace: Trace, step: Step, cell: str, gene: str, uncertified: str) -> Iterator[str]:
    chosen = select(trace, step.name, **followed(step, cell, gene))
    if step.edges:
        edges = edges_at(trace, step, cell, gene)
        yield from _arriving(step, chosen)
        if not step.value[chosen.mask].any():
            yield _filled(f"Nothing arrives at {following(cell, gene)}.")
        yield from (edge_block(trace, edge, step.name) for edge in edges)
        formulas = (row.formula for edge in edges for row in edge.rows)
        yield _filled(legend_of(trace, (made.expression for made in formulas if made)))
    else:
        yield f"The backward pass begins here: {_slope(step)} = {signed(step.value.item())}."
    yield "\n".join(_weights(weights, "Complete now: gradient of") for weights in step.weights)
    yield _certificate(step.certificate) if step.certificate else _filled(uncertified)


def _arriving(step: Step, chosen: Selection) -> Iterator[str]:
    """What each later value sends, and the gradient, which is their sum."""
    users = [edge.user for edge in step.edges]
    sent = [*(edge.contribution for edge in step.edges), step.value]
    whole = f"sum = {_slope(step)}"
    if len(chosen.indices) == 1:
        numbers = (signed(array[chosen.indices[0]]) for array in sent)
        places = [*(f"from {user}" for user in users), whole]
        rows = [list(row) for row in zip(places, numbers, strict=True)]
        yield text_table(Table("", ["arriving", "upstream × local"], rows))
        return
    free = [dim for dim in chosen.dims if dim not in ("cell", "gene")]
    rows = [
        [*(str(chosen.at(index)[dim]) for dim in free), *(signed(array[index]) for array in sent)]
        for index in chosen.indices
    ]
    yield "Upstream × local from each later value; across, they sum to the gradient:"
    yield text_table(Table("", [*free, *_heads(users), whole], rows, len(free)))


def _heads(users: Sequence[str]) -> list[str]:
    """Symbols of later values where they are told apart by them, else names."""
    symbols = [plain(user) for user in users]
    return symbols if len(set(symbols)) == len(symbols) else list(users)


def _certificate(certificate: Certificate) -> str:
    pairs = (
        ("tape − hand", certificate.tape_hand),
        ("tape − differences", certificate.tape_differences),
        ("hand − differences", certificate.hand_differences),
    )
    shown = "; ".join(f"{words} {tiny(p.absolute)} (bound {tiny(p.bound)})" for words, p in pairs)
    count = f"{certificate.checked} of {certificate.components} numbers"
    word = verdict(certificate)
    return _filled(f"Certificate: {word}. {shown}; differences checked {count}.")


# ---- more on one step -----------------------------------------------------------------------


def why(trace: Trace, step: Step, cell: str, gene: str) -> str:
    """The gradient of a step's value taken apart, as `velotrace explain` has it."""
    made = explain(trace, step.name, **_coordinates(step, cell, gene))
    return explanation_text(trace, made).rstrip("\n")


def _coordinates(step: Step, cell: str, gene: str) -> dict[str, Any]:
    return dict(followed(step, cell, gene))


def inside(trace: Trace, step: Step) -> str:
    """The primitive operations inside a step, one line each."""
    shown = "value" if step.phase == "forward" else "gradient"
    rows = [
        [op.label, op.operation, ", ".join(op.inputs), _extent(op.value)]
        for op in operations(trace, step)
    ]
    if not rows:
        return "There is no operation inside."
    table = text_table(Table("", ["name", "operation", "of", shown], rows, 3))
    return f"The primitive operations inside, for all cells and genes:\n\n{table}"


def _extent(value: np.ndarray | None) -> str:
    """A number, or the shape of an array and its range."""
    if value is None:
        return "none"
    if value.size == 1:
        return signed(value.item())
    shape = "×".join(map(str, value.shape))
    return f"{shape}: {number(value.min())} … {number(value.max())}".replace("-", "−")
