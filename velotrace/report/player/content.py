"""What the page is told: the steps once, and for each epoch of training its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from velotrace.attribution.expressions import names_in
from velotrace.certificates import Certificate, certify
from velotrace.certificates.certify import MOST
from velotrace.errors import InputError
from velotrace.quantities import STATES
from velotrace.report.checks import verdict
from velotrace.report.edge_text import jacobian
from velotrace.report.escape import terminal
from velotrace.report.formula_text import EPS_LEGEND, LEGEND
from velotrace.report.operations import operations
from velotrace.report.player.arrays import LATER, locals_of, others, packed
from velotrace.report.player.mathml import formula, mathml, numbers, slope
from velotrace.report.player.within import Dims, dims_inside
from velotrace.report.steps import Step, Weights, is_weight, steps
from velotrace.walkthrough import Trace

MOST_PAIRS = 24
"""Up to this many cells × genes × epochs the operations inside a step keep all their numbers."""


MOST_ROWS = 12
"""Up to this many cells × genes a table of a value shows all of them."""


FEW = 16
"""Numbers of one array that finite differences check beyond that."""


@dataclass(frozen=True)
class Frame:
    """One iteration at one moment of training.

    Attributes:
        epoch: after how many epochs.
        trace: of the iteration.
    """

    epoch: int
    trace: Trace


class Formulas:
    """The formulas of a page, each kept once and known by its place."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def add(self, element: str) -> int:
        """The place of a formula; −1 for none."""
        return self.places.setdefault(element, len(self.places)) if element else -1

    def __str__(self) -> str:
        return "".join(self.places)


def content(frames: Sequence[Frame], cell: str, gene: str) -> tuple[dict[str, Any], Formulas]:
    """All that the player's script needs.

    Args:
        frames: of one scenario, in order of their epochs; at least one.
        cell: that is followed first.
        gene: that is followed first.

    Returns:
        Dicts, lists, text, numbers and booleans, without inf or nan; and the formulas whose
        places they mention.

    Raises:
        InputError: the frames are of different scenarios.
    """
    trace = frames[0].trace
    made = steps(trace)
    names = [step.name for step in made]
    if any([s.name for s in steps(frame.trace)] != names for frame in frames[1:]):
        raise InputError("the epochs of a player must be of one scenario; these have other values")
    coords = trace.coords | {"cell": _cells(frames)}
    chosen = (coords["cell"].index(cell), coords["gene"].index(gene))
    every = len(coords["cell"]) * len(coords["gene"]) * len(frames) <= MOST_PAIRS
    formulas = Formulas()
    shown = [_frame(frame, coords["cell"], chosen, every) for frame in frames]
    told = {
        "mostRows": MOST_ROWS,
        "sizes": {dim: len(labels) for dim, labels in coords.items()} | {LATER: len(STATES)},
        "names": {"cell": coords["cell"], "gene": coords["gene"]},
        "labels": {dim: [terminal(label) for label in coords[dim]] for dim in ("cell", "gene")},
        "start": list(chosen),
        "quantities": {
            step.name: _quantity(trace, step, formulas) for step in made if step.phase == "forward"
        },
        "steps": [_step(trace, step, formulas) for step in made],
        "operations": {"whole": every} | _operations(trace, made),
        "dims": shown[0][1],
        "frames": [numbers for numbers, _ in shown],
    }
    return told, formulas


def _cells(frames: Sequence[Frame]) -> list[str]:
    """The cells in the order in which they are shown: the data's, where batches were shuffled."""
    cells = frames[0].trace.coords["cell"]
    for frame in frames[1:]:
        if set(frame.trace.coords["cell"]) != set(cells):
            raise InputError(
                f"the mini-batches of epochs {frames[0].epoch} and {frame.epoch} hold other cells; "
                "the epochs of a player must share them: train with all cells in one batch"
            )
    if len(frames) == 1:
        return list(cells)
    return [cell for cell in frames[0].trace.resolved.expression.cells if cell in cells]


def _quantity(trace: Trace, step: Step, formulas: Formulas) -> dict[str, Any]:
    return {
        "dims": list(step.dims),
        "shape": list(trace.tape[step.name].value.shape),
        "symbol": formulas.add(mathml(step.symbol)),
        "plain": step.plain,
    }


# ---- steps ----------------------------------------------------------------------------------


def _step(trace: Trace, step: Step, formulas: Formulas) -> dict[str, Any]:
    sizes = {dim: len(labels) for dim, labels in trace.coords.items()}
    return {
        "phase": step.phase,
        "name": step.name,
        "title": step.title,
        "section": step.section.title,
        "chapter": step.section.chapter,
        "sentence": step.sentence,
        "unit": step.unit,
        "equation": step.equation,
        "document": step.document,
        "inputs": list(step.inputs),
        "weights": [weights.name for weights in step.weights],
        "noPath": step.no_path,
        "legend": _legend(trace, step),
        "definitions": [
            {
                "state": definition.state,
                "formula": formulas.add(formula(definition.expression)),
                "numbers": formulas.add(numbers(definition.expression, sizes)),
            }
            for definition in step.definitions
        ],
        "edges": [
            {
                "user": edge.user,
                "words": jacobian(trace, step.name, edge.user) if edge.network else "",
                "formulas": [
                    {
                        "state": f.state,
                        "same": f.same_state,
                        "formula": formulas.add(slope(f)),
                        "numbers": formulas.add(numbers(f.expression, sizes)),
                    }
                    for f in edge.formulas
                ],
            }
            for edge in step.edges
        ],
    }


def _legend(trace: Trace, step: Step) -> list[str]:
    """What the symbols mean that the vocabulary does not have."""
    expressions = [d.expression for d in step.definitions]
    expressions += [f.expression for edge in step.edges for f in edge.formulas]
    used = {name for text in expressions for name in names_in(text)}
    used |= {"Q"} if any("Q" in text for text in expressions) else set()
    known = dict(LEGEND)
    if trace.resolved.iteration.reading.denominator == "eps":
        known["Q"] = EPS_LEGEND
    return list(dict.fromkeys(text for name, text in known.items() if name in used))


def _operations(trace: Trace, made: Sequence[Step]) -> dict[str, Any]:
    """Every operation once, and by step their ordinals with what each sends back to whom."""
    entries, inside = {}, []
    for step in made:
        found = operations(trace, step)
        for op in found:
            entries[op.ordinal] = {
                "operation": op.operation.strip("_"),
                "label": op.label,
                "inputs": list(op.inputs),
                "line": op.line,
            }
        inside.append([[op.ordinal, [[x.to, x.towards] for x in op.sent]] for op in found])
    return {"entries": entries, "inside": inside}


# ---- numbers --------------------------------------------------------------------------------


def _frame(
    frame: Frame, cells: Sequence[str], chosen: tuple[int, int], every: bool
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The numbers of one epoch, and the dimensions of those arrays that are no quantity's own."""
    trace = frame.trace
    report = certify(trace, MOST if every else FEW) if np.isfinite(trace.loss) else None
    made = steps(trace, report)
    arrays: dict[str, str] = {}
    dims: dict[str, list[str]] = {}
    order = [trace.coords["cell"].index(cell) for cell in cells]
    for key, names, array in _arrays(trace, made):
        if "cell" in names:
            array = array.take(order, axis=names.index("cell"))
        if key[0] in "pq" and not every:
            names, array = _picked(names, array, chosen)
        arrays[key] = packed(array)
        if key[0] not in "vdc":  # those have a quantity's own
            dims[key] = list(names)
    shown = {
        "epoch": frame.epoch,
        "arrays": arrays,
        "weights": {f"{s.phase}:{w.name}": _summary(s, w) for s in made for w in s.weights},
        "certificates": {s.name: _certificate(s.certificate) for s in made if s.certificate},
    }
    return shown, dims


def _arrays(trace: Trace, made: Sequence[Step]) -> Iterator[tuple[str, Dims, np.ndarray]]:
    """Every array of the page: its key, dimensions and numbers.

    Keys begin with v for a value, d for a gradient, c for what an edge contributes, x for what
    else formulas mention, l for a local derivative, p and q for operations forward and backward.
    """
    for step in made:
        yield f"{'v' if step.phase == 'forward' else 'd'}:{step.name}", step.dims, step.value
        for edge in step.edges:
            yield f"c:{step.name}>{edge.user}", step.dims, edge.contribution
    for name, (names, array) in others(trace, made).items():
        yield f"x:{name}", names, array
    for (of, to, place), (names, array) in locals_of(trace, made).items():
        yield f"l:{of}>{to}:{place}", names, array
    inside = dims_inside(trace)
    for step in made:
        letter = "p" if step.phase == "forward" else "q"
        for op in operations(trace, step):
            if op.value is not None:
                yield f"{letter}:{op.ordinal}", inside[op.ordinal], op.value
            for place, sent in enumerate(op.sent):
                if not is_weight(sent.to):  # whose size is in the table of weights
                    key = f"{letter}:{op.ordinal}:{place}"
                    yield key, inside[sent.source], sent.contribution


def _picked(names: Dims, array: np.ndarray, chosen: tuple[int, int]) -> tuple[Dims, np.ndarray]:
    """Only the chosen cell and gene of an array."""
    pick = dict(zip(("cell", "gene"), chosen, strict=True))
    return (
        tuple(name for name in names if name not in pick),
        array[tuple(pick.get(name, slice(None)) for name in names)],
    )


def _summary(step: Step, weights: Weights) -> dict[str, Any]:
    """Of weights, their range; of their gradients, size."""
    array = weights.numbers
    made: dict[str, Any] = {"shape": list(array.shape)}
    if step.phase == "forward":
        return made | {"smallest": packed(array.min()), "largest": packed(array.max())}
    norm = np.sqrt(np.sum(array**2))
    return made | {"largest": packed(np.abs(array).max()), "norm": packed(norm)}


def _certificate(certificate: Certificate) -> dict[str, Any]:
    pairs = {
        "tape and hand": certificate.tape_hand,
        "tape and finite differences": certificate.tape_differences,
        "hand and finite differences": certificate.hand_differences,
    }
    return {
        "verdict": verdict(certificate),
        "checked": certificate.checked,
        "components": certificate.components,
        "pairs": [
            {
                "routes": routes,
                "apart": packed(np.array(pair.absolute)),
                "bound": packed(np.array(pair.bound)),
            }
            for routes, pair in pairs.items()
        ],
    }
