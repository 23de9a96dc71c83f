"""The same iteration with one thing changed: a value set, a gradient cut, a loss term dropped.

All draws (ε, π*, k) stay as drawn. A value that is set takes the place of what was computed, for
everything after it; nothing flows back past it. A cut leaves all values as they are and lets no
gradient past. A dropped term of the loss is set to 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from velotrace.data import closest
from velotrace.errors import InputError
from velotrace.model.objective import loss
from velotrace.model.random import SMALLEST
from velotrace.selection import Selection, place, select
from velotrace.tape import Cut, Intervention, Replace, map_leaves, record
from velotrace.walkthrough import Trace

TERMS = (
    "reconstruction",
    "log_density_u",
    "log_density_s",
    "kl_z",
    "kl_pi",
    "switch_penalty",
    "switch_penalty_u",
    "switch_penalty_s",
)
"""What can be dropped from the loss. Without a density's logarithm, u (or s) is not compared with
the data: its factor in every state's likelihood is 1."""


def counterfactual(
    trace: Trace,
    values: Sequence[str] = (),
    cut: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> Trace:
    """Run an iteration again with some things changed and all draws as they were.

    Args:
        trace: the unchanged iteration.
        values: such as 'u_switch=1', 'alpha@A=0.5', 'pi@Cell 1/A=0.7,0.1,0.1,0.1' or
            'encoder_z.0.W[2,7]=0'; one number for all components meant, or one for each label of
            the last dimension.
        cut: names, with '@' and a place for some components only.
        drop: terms of the loss, out of `TERMS`.

    Returns:
        The changed iteration.

    Raises:
        InputError: no such value, component or term, a value outside its domain, two changes of
            one value, or the loss overflows.

    Example:
        Without the switch penalty, only the likelihood pulls on α of gene A:

        >>> from velotrace.walkthrough import trace
        >>> changed = counterfactual(trace(), drop=["switch_penalty"])
        >>> print(round(changed.adjoint("alpha").sel(gene="A").item(), 3))
        5841.504
    """
    return rerun(trace, interventions(trace, values, cut, drop))


def rerun(trace: Trace, changes: Mapping[str, Intervention]) -> Trace:
    """Run an iteration again under interventions, with all draws as they were.

    A parameter that is replaced becomes the iteration's parameter, so that the update starts there.

    Raises:
        InputError: the loss overflows.
    """
    resolved = trace.resolved
    given = {n: c for n, c in changes.items() if isinstance(c, Replace) and _is_source(trace, n)}

    def changed(name: str, value: np.ndarray) -> np.ndarray:
        return _replaced(value, given[name]) if name in given else value

    parameters = map_leaves(changed, resolved.parameters)
    others = {name: change for name, change in changes.items() if name not in given}
    function = partial(loss, iteration=resolved.iteration)
    with np.errstate(all="ignore"):
        try:
            tape = record(function, parameters, others)
        except ValueError as problem:  # a concentration that underflowed
            raise InputError(f"with {', '.join(changes)} changed so: {problem}") from None
    before = None if trace.before is None else replace(trace.before, gradient=None)
    made = Trace(replace(resolved, parameters=parameters), tape, before)
    if not np.isfinite(made.loss):
        raise InputError(f"with {', '.join(changes)} changed so, the loss overflows float64")
    return made


def _is_source(trace: Trace, name: str) -> bool:
    return trace.tape[name].operation == "parameter"


def _replaced(value: np.ndarray, change: Replace) -> np.ndarray:
    new = np.broadcast_to(np.asarray(change.value, dtype=np.float64), value.shape)
    return new.copy() if change.where is None else np.where(change.where, new, value)


def described(values: Sequence[str], cut: Sequence[str], drop: Sequence[str]) -> str:
    """The changes in words.

    Example:
        >>> described(["u_switch@A=1"], [], ["kl_pi"])
        'u_switch@A=1, kl_pi dropped'
    """
    return ", ".join([*values, *(f"{n} cut" for n in cut), *(f"{n} dropped" for n in drop)])


# ---- from text to interventions -------------------------------------------------------------


def interventions(
    trace: Trace,
    values: Iterable[str] = (),
    cut: Iterable[str] = (),
    drop: Iterable[str] = (),
) -> dict[str, Intervention]:
    """The tape's interventions for changes given as text, by name.

    Args:
        trace: the unchanged iteration.
        values: as for `counterfactual`.
        cut: as there.
        drop: as there.

    Returns:
        One intervention for each value changed.

    Raises:
        InputError: as there, but for the overflow.
    """
    settings: dict[str, Replace] = {}
    for text in values:
        name, change = _value(trace, text)
        settings[name] = _joined(trace, name, settings.get(name), change)
    _check_domains(trace, settings)
    if "pi" in settings:  # its logarithm is taken; as for the pins of a scenario
        settings["pi"] = replace(settings["pi"], value=np.maximum(settings["pi"].value, SMALLEST))
    made: dict[str, Intervention] = dict(settings)
    for text in cut:
        chosen = _chosen(trace, text)
        _refuse_two(made, chosen.name)
        made[chosen.name] = Cut(None if chosen.mask.all() else chosen.mask)
    for term in drop:
        check_term(term)
        _refuse_two(made, term)
        made[term] = Replace(0.0)
    return made


def _value(trace: Trace, text: str) -> tuple[str, Replace]:
    target, equals, given = text.rpartition("=")
    if not equals:
        raise InputError(f"{text!r} sets nothing; write NAME=VALUE, such as 'u_switch=1'")
    chosen = _chosen(trace, target)
    numbers = [_number(text, part) for part in given.split(",")]
    free = [dim for dim, label in chosen.coords.items() if label is None]
    last = free[-1] if free and free[-1] == chosen.dims[-1] else None
    size = len(chosen.labels[-1]) if last else 1
    if len(numbers) not in (1, size):
        right = f"one number, or {size}, one for each {last}" if last else "one number"
        raise InputError(f"{text!r} gives {len(numbers)} numbers; it must be {right}")
    shape = chosen.mask.shape
    value = np.broadcast_to(np.array(numbers if shape else numbers[0]), shape)
    return chosen.name, Replace(value, None if chosen.mask.all() else chosen.mask)


def _chosen(trace: Trace, text: str) -> Selection:
    """The components that 'NAME', 'NAME@PLACE' or 'NAME[INDEX]' means."""
    name, at, where = text.strip().partition("@")
    if not at:
        return select(trace, name)
    return place(trace, name, where)


_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


def _number(text: str, part: str) -> float:
    value = float(part) if _NUMBER.fullmatch(part) else np.nan
    if not np.isfinite(value):
        raise InputError(f"{text!r} sets {part.strip()!r}; it must be a finite number")
    return value


def _joined(trace: Trace, name: str, first: Replace | None, second: Replace) -> Replace:
    """Two settings of different components of one value as one."""
    if first is None:
        return second
    shape = trace.tape[name].value.shape
    before, after = (
        np.ones(shape, dtype=bool) if change.where is None else np.asarray(change.where)
        for change in (first, second)
    )
    if (before & after).any():
        raise InputError(f"{name} is set twice; name each component once")
    where = before | after
    value = np.where(after, second.value, first.value)
    return Replace(value, None if where.all() else where)


def _refuse_two(made: Mapping[str, Intervention], name: str) -> None:
    if name in made:
        raise InputError(f"{name} is changed in two ways; choose one")


def check_term(term: str) -> None:
    """Refuse what is no term of the loss, naming those that are.

    Raises:
        InputError: it is none.
    """
    if term not in TERMS:
        hint = closest(term, TERMS)
        raise InputError(f"no term of the loss is named {term!r}{hint}; it is {', '.join(TERMS)}")


# ---- domains --------------------------------------------------------------------------------

Values = Mapping[str, np.ndarray]
Test = Callable[[Values, float, np.ndarray], Any]  # of the changed values, t_max, and the value

_NOT_NEGATIVE: tuple[str, Test] = ("0 or more", lambda values, t_max, x: x >= 0.0)
_POSITIVE: tuple[str, Test] = ("greater than 0", lambda values, t_max, x: x > 0.0)
_SHARE: tuple[str, Test] = ("from 0 to 1", lambda values, t_max, x: (x >= 0.0) & (x <= 1.0))
_DOMAINS: Mapping[str, tuple[str, Test]] = {
    **dict.fromkeys(("unspliced", "spliced", "alpha"), _NOT_NEGATIVE),
    **dict.fromkeys(("u_switch", "s_switch", "u_bar", "s_bar"), _NOT_NEGATIVE),
    **dict.fromkeys(("beta", "gamma", "concentration"), _POSITIVE),
    **dict.fromkeys(("sigma_u", "sigma_s", "variance_u", "variance_s"), _POSITIVE),
    **dict.fromkeys(("rho_induction", "rho_repression", "pi"), _SHARE),
    "switch_time": (
        "greater than 0 and less than t_max",
        lambda values, t_max, x: (x > 0.0) & (x < t_max),
    ),
    "time_induction": (
        "from 0 to t_max",
        lambda values, t_max, x: (x >= 0.0) & (x <= t_max),
    ),
    "time_repression": (
        "from the gene's switch time to t_max",
        lambda values, t_max, x: (x >= values["switch_time"]) & (x <= t_max),
    ),
    "state": ("1, 2, 3 or 4", lambda values, t_max, x: np.isin(x, (1.0, 2.0, 3.0, 4.0))),
}
"""What a value may be set to; those that are missing here may be any finite number."""


def _check_domains(trace: Trace, made: Mapping[str, Replace]) -> None:
    """Check what is set against the model's domains, each change beside the others."""
    values = {name: entry.value for name, entry in trace.tape.names.items()}
    values |= {name: _replaced(values[name], change) for name, change in made.items()}
    t_max = trace.resolved.iteration.constants.t_max
    for name, change in made.items():
        if name in _DOMAINS:
            words, test = _DOMAINS[name]
            set_here = True if change.where is None else np.asarray(change.where)
            wrong = set_here & ~np.asarray(test(values, t_max, values[name]))
            if wrong.any():
                given = values[name][wrong][0]
                raise InputError(f"{name} is set to {given:g}; it must be {words}")
    sums = values["pi"].sum(axis=-1) if "pi" in made else np.ones(1)
    far = np.abs(sums - 1.0) > 1e-9
    if far.any():
        raise InputError(f"pi would sum to {sums[far][0]:.12g}; give four numbers of sum 1")
