"""One iteration under several readings: same data, seeds and pins, read otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from velotrace.data import closest
from velotrace.errors import InputError
from velotrace.model.holding import natural_values
from velotrace.model.readings import PRESET_OPTIMISERS, PRESETS, Likelihood
from velotrace.quantities import PARAMETERS, VOCABULARY
from velotrace.tape import Replace
from velotrace.walkthrough import Trace, trace

OWN = "scenario"
"""What a scenario's own reading is called where it is none of the presets."""

SAME = 1e-9
"""Values this near, relative to the largest, are the same: a softplus undone and done is off by
round-off."""

HALFWAY = 0.5
"""How far through repression the gene is of which the three likelihoods are compared."""


@dataclass(frozen=True)
class Comparison:
    """Several readings of one iteration.

    Attributes:
        traces: by reading, in the order asked for.
        likelihoods: the three likelihoods of one cell and gene.
    """

    traces: Mapping[str, Trace]
    likelihoods: Likelihoods

    @property
    def first(self) -> Trace:
        """The iteration that the others are compared with."""
        return next(iter(self.traces.values()))


@dataclass(frozen=True)
class Likelihoods:
    """One cell and gene with one π under the three likelihoods, repression from its switch time.

    Attributes:
        cell: which.
        gene: which.
        state: k of the sampled likelihood, 1 to 4.
        pi: state probabilities, shape (state,).
        log_density_u: log N(u) in each state.
        log_density_s: log N(s) in each state.
        value: log likelihood by its name in `readings.Likelihood`.
    """

    cell: str
    gene: str
    state: int
    pi: np.ndarray
    log_density_u: np.ndarray
    log_density_s: np.ndarray
    value: Mapping[str, float]


def compare(scenario: str | Path | None = None, readings: Sequence[str] = ()) -> Comparison:
    """Run one iteration of a scenario under several readings.

    Args:
        scenario: a scenario file; the document's walkthrough where none is given.
        readings: presets, or 'scenario' for the file's own reading. Without any: all presets, and
            the file's own first where it is none of them.

    Returns:
        The traces, and the three likelihoods of one cell and gene.

    Raises:
        InputError: the scenario cannot be used, or a reading is unknown or named twice.

    Example:
        >>> for name, made in compare(readings=["document", "paper"]).traces.items():
        ...     print(name, round(made.loss, 3))
        document 29213.014
        paper 1200.43
    """
    names = tuple(readings)
    for at, name in enumerate(names):
        if name not in (*PRESETS, OWN):
            right = f"choose from {', '.join(PRESETS)}, or {OWN!r} for the file's own"
            raise InputError(f"no reading is named {name!r}{closest(name, PRESETS)}; {right}")
        if name in names[:at]:
            raise InputError(f"reading {name!r} is named twice; name each once")
    if not names:
        own = trace(scenario)
        names = (*PRESETS,) if _is_preset(own) else (OWN, *PRESETS)
    made = {
        name: trace(scenario, reading=None if name == OWN else {"preset": name}) for name in names
    }
    return Comparison(made, likelihoods(scenario))


def _is_preset(made: Trace) -> bool:
    preset, resolved = made.resolved.scenario.reading.preset, made.resolved
    return (resolved.reading, resolved.optimiser) == (PRESETS[preset], PRESET_OPTIMISERS[preset])


# ---- what differs ---------------------------------------------------------------------------


def choices(made: Comparison) -> dict[str, dict[str, Any]]:
    """The choices that differ, by name: each reading's value, weights as at the end of a warm-up.

    Those of the optimiser begin with 'optimiser.'.
    """
    by_reading = {}
    for name, one in made.traces.items():
        step = {f"optimiser.{key}": value for key, value in asdict(one.resolved.optimiser).items()}
        by_reading[name] = asdict(one.resolved.reading) | step
    names = by_reading[next(iter(by_reading))]
    table = {choice: {name: all_[choice] for name, all_ in by_reading.items()} for choice in names}
    return {choice: row for choice, row in table.items() if len(set(row.values())) > 1}


def first_difference(one: Trace, other: Trace) -> str | None:
    """The first value, in the order of computation, that is another number in another reading.

    What only one of the two has (a state, a free value) does not count.

    Returns:
        Its name; None where all are the same.
    """
    for name in VOCABULARY:
        if name in one.tape.names and name in other.tape.names:
            a, b = one.tape[name].value, other.tape[name].value
            if np.max(np.abs(a - b)) > SAME * max(np.max(np.abs(a)), np.max(np.abs(b))):
                return name
    return None


def loss_terms(made: Trace) -> dict[str, float]:
    """The four terms of the loss with their weights, nat; and the loss."""
    reading, tape = made.resolved.iteration.reading, made.tape
    over_cells = np.sum if reading.reduction == "sum" else np.mean
    return {
        "reconstruction": float(tape["reconstruction"].value),
        "kl_z": float(reading.kl_weight * over_cells(tape["kl_z"].value)),
        "kl_pi": float(over_cells(tape["kl_pi"].value.sum(axis=-1))),
        "switch_penalty": float(reading.switch_weight * tape["switch_penalty"].value.sum()),
        "loss": made.loss,
    }


def first_step(made: Trace) -> dict[str, np.ndarray]:
    """What the reading's own optimiser adds to θ in its first step, however θ is held.

    Returns:
        New value minus old by the natural names, shape (gene,).
    """
    resolved = made.resolved
    step = made.updates["sgd" if resolved.optimiser.name == "sgd" else "adam"]
    moved = {name: step[name]["updated"] for name in made.held}
    with np.errstate(invalid="ignore"):  # a variance below 0 has no root: the domain was left
        after = natural_values(moved, resolved.reading, resolved.iteration.constants.t_max)
    return {name: np.asarray(after[name]) - made.tape[name].value for name in PARAMETERS}


# ---- three likelihoods ----------------------------------------------------------------------


def likelihoods(scenario: str | Path | None = None) -> Likelihoods:
    """One cell and gene under the three likelihoods, the same π in all: (15) against (23), (24).

    The cell and gene are those of the first pinned π, or the first of all; k is pinned, or the
    likeliest state. Repression starts from the values at t_s and is half over, ρ3 = 0.5.

    Args:
        scenario: as for `compare`.

    Returns:
        The three log likelihoods and what they are made of.

    Example:
        >>> for name, value in likelihoods().value.items():
        ...     print(f"{name} {value:.2f}")
        sampled-state -885.97
        separate-mixtures -437.95
        joint-mixture -886.33
    """
    base = {"preset": "document", "repression_start": "switch-time"}
    start = trace(scenario, reading=base)
    cell, gene = _pair(start)
    at = start.coords["cell"].index(cell), start.coords["gene"].index(gene)
    pi = start.tape["pi"].value[at]
    pinned = start.resolved.scenario.pins.state.get(f"{cell}/{gene}")
    state = pinned if pinned is not None else int(np.argmax(pi)) + 1
    given = {
        "pi": Replace(start.tape["pi"].value),
        "rho_repression": Replace(HALFWAY),
        "state": Replace(state),
    }
    value = {}
    for likelihood in get_args(Likelihood):
        changes = {n: c for n, c in given.items() if n != "state" or likelihood == "sampled-state"}
        made = trace(scenario, changes, base | {"likelihood": likelihood})
        value[likelihood] = float(made.tape["log_likelihood"].value[at])
        of_u, of_s = (made.tape[f"log_density_{kind}"].value[at] for kind in "us")
    return Likelihoods(cell, gene, state, pi, of_u, of_s, value)


def _pair(made: Trace) -> tuple[str, str]:
    pairs = {f"{c}/{g}": (c, g) for c in made.coords["cell"] for g in made.coords["gene"]}
    first = next(iter(pairs))
    return pairs[next(iter(made.resolved.scenario.pins.pi), first)]
