"""The pins of a scenario: what is given instead of drawn or computed, keyed 'cell/gene'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from velotrace.data import Expression, closest
from velotrace.errors import InputError
from velotrace.model.random import SMALLEST
from velotrace.scenario.schema import PinKeys

Pair = tuple[str, str]


@dataclass(frozen=True)
class Pins:
    """The pins with their names looked up and their ranges checked.

    Attributes:
        time: times of induction, strictly between 0 and the switch time; at most one a gene.
        pi: state probabilities, shape (state,), 0 raised to the smallest normal float64.
        state: states, 1 to 4; without effect where the reading draws none.
    """

    time: dict[Pair, float]
    pi: dict[Pair, np.ndarray]
    state: dict[Pair, int]


def look_up_pins(
    keys: PinKeys, expression: Expression, batch: Sequence[str], switch_time: np.ndarray
) -> Pins:
    """Find the cell and gene of every pin and check its value.

    Args:
        keys: the table [pins] of the scenario.
        expression: all cells of the data.
        batch: the cells of the mini-batch; only their draws can be pinned.
        switch_time: t_s, shape (gene,).

    Returns:
        The pins.

    Raises:
        InputError: a pin names no pair, or two, or lies outside its range.
    """
    pairs: dict[str, list[Pair]] = {}
    if keys.time_induction or keys.pi or keys.state:
        for cell in expression.cells:
            for gene in expression.genes:
                pairs.setdefault(f"{cell}/{gene}", []).append((cell, gene))
    time = {_pair("time_induction", key, pairs): t for key, t in keys.time_induction.items()}
    pi = {_pair("pi", key, pairs, batch): _pi(key, four) for key, four in keys.pi.items()}
    state = {_pair("state", key, pairs, batch): _state(key, k) for key, k in keys.state.items()}
    _check_times(time, dict(zip(expression.genes, switch_time, strict=True)))
    return Pins(time, pi, state)


def _key(table: str, key: str) -> str:
    return f"key 'pins.{table}.\"{key}\"'"


def _pair(
    table: str, key: str, pairs: dict[str, list[Pair]], batch: Sequence[str] | None = None
) -> Pair:
    found = pairs.get(key, [])
    if not found:
        example = next(iter(pairs))
        right = f'{closest(key, pairs)}; write "cell/gene", such as "{example}"'
        raise InputError(f"{_key(table, key)} names no cell/gene of the data{right}")
    if len(found) > 1:
        both = f"{found[0]} and {found[1]}"
        raise InputError(f"{_key(table, key)} fits {both}; rename a cell or gene")
    if batch is not None and found[0][0] not in batch:
        problem = "pins a draw of a cell that is not in [batch]; leave it out, or add the cell"
        raise InputError(f"{_key(table, key)} {problem}")
    return found[0]


def _pi(key: str, values: list[float]) -> np.ndarray:
    pi = np.array(values)
    if len(values) != 4 or (pi < 0.0).any() or abs(pi.sum() - 1.0) > 1e-9:
        raise InputError(
            f"{_key('pi', key)} is {values}, of sum {pi.sum():.12g}; "
            "it must be four numbers, 0 or more, that sum to 1"
        )
    return np.maximum(pi, SMALLEST)


def _state(key: str, value: int) -> int:
    if value not in (1, 2, 3, 4):
        raise InputError(f"{_key('state', key)} is {value}; it must be 1, 2, 3 or 4")
    return value


def _check_times(times: dict[Pair, float], switch_time: dict[str, float]) -> None:
    met: dict[str, str] = {}
    for (cell, gene), time in times.items():
        key, t_s = _key("time_induction", f"{cell}/{gene}"), switch_time[gene]
        if not 0.0 < time < t_s:
            raise InputError(
                f"{key} is {time:g}; it must lie between 0 and the switch time {t_s:g}, "
                "both excluded: the network's logistic reaches neither"
            )
        if gene in met:
            raise InputError(f"{key}: gene {gene!r} is pinned for {met[gene]!r} too; one a gene")
        met[gene] = cell
