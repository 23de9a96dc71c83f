"""Read a scenario file, and say in one line what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from velotrace.data import closest, read_text
from velotrace.errors import InputError
from velotrace.scenario.schema import Scenario


def load(path: Path) -> Scenario:
    """Read and validate a scenario file.

    Args:
        path: a TOML file of schema velotrace-scenario/1.

    Returns:
        The scenario as given, defaults filled in; nothing yet compared with its data.

    Raises:
        InputError: not readable, not TOML, or a key is unknown, missing or unusable.
    """
    text = read_text(path)
    try:
        raw = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as problem:  # tomllib's own, and numbers or nesting too long
        raise InputError(f"{path}: not TOML: {problem}") from None
    try:
        return _validated(raw)
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from None


def under_reading(scenario: Scenario, reading: Mapping[str, Any]) -> Scenario:
    """The same scenario read otherwise.

    Args:
        scenario: as loaded.
        reading: keys of [reading]. A preset stands for itself, with its own optimiser: the file's
            [reading] and [optimiser] go. Single choices alone are laid over the file's.

    Returns:
        A scenario with another [reading].

    Raises:
        InputError: a key is unknown or unusable.
    """
    raw = resolved_dict(scenario)
    if "preset" in reading:
        raw |= {"reading": dict(reading), "optimiser": {}}
    else:
        raw["reading"] |= reading
    return _validated(raw)


def _validated(raw: dict[str, Any]) -> Scenario:
    try:
        return Scenario.model_validate(raw)
    except ValidationError as problem:
        raise InputError(_first_line(problem, raw)) from None


def resolved_dict(scenario: Scenario) -> dict[str, Any]:
    """A scenario as nested dicts with every key, as test vectors and runs store it."""
    return scenario.model_dump(by_alias=True, mode="json", exclude_none=True)


def _first_line(problem: ValidationError, raw: dict[str, Any]) -> str:
    """One line for the first of pydantic's errors, in the words of the file."""
    errors = problem.errors(include_url=False)
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    error = (unknown or errors)[0]  # a misspelt key often makes its right name 'missing' as well
    key = _key(error["loc"], raw)
    if error["type"] == "extra_forbidden":
        siblings = _keys_beside(error["loc"])
        known = f"; known are {', '.join(siblings)}" if siblings else ""
        return f"unknown key {key!r}{closest(str(error['loc'][-1]), siblings)}{known}"
    if error["type"] == "missing":
        return f"key {key!r} is missing{_example(key)}"
    return f"key {key!r} is {_shown(error['input'])}; {_wanted(error, errors, key)}"


_EXAMPLES = {"schema": 'schema = "velotrace-scenario/1"', "data.file": 'file = "toy.csv" in [data]'}
_EXAMPLES["data"] = '[data] with file = "toy.csv"'


def _example(key: str) -> str:
    return f"; give {_EXAMPLES[key]}" if key in _EXAMPLES else ""


_BARE = re.compile("[A-Za-z0-9_-]+")  # what TOML lets stand without quotation marks


def _key(location: tuple[int | str, ...], raw: dict[str, Any]) -> str:
    """The dotted key as it stands in the file: pydantic adds the branches of unions to it."""
    at: Any = raw
    parts: list[str] = []
    for step in location:
        if isinstance(at, list) and isinstance(step, int) and step < len(at):
            parts[-1] += f"[{step}]"
            at = at[step]
        elif isinstance(at, dict):
            parts.append(str(step) if _BARE.fullmatch(str(step)) else f'"{step}"')
            if step not in at:  # the missing key itself
                break
            at = at[step]
    return ".".join(parts)


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Scenario
    for step in location[:-1]:
        field = model.model_fields.get(str(step))
        if field is None or not isinstance(field.annotation, type):
            return []
        model = field.annotation
    return [field.alias or name for name, field in model.model_fields.items()]


_BOUND_WORDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_PLAIN_WORDS = {
    "finite_number": "it must be a finite number",
    "float_type": "it must be a number",
    "int_type": "it must be a whole number",
    "string_type": "it must be text",
    "bool_type": "it must be true or false",
    "list_type": "it must be a list",
    "model_type": "it must be a table",
    "dict_type": "it must be a table",
}
_SPECIAL_WORDS = {
    "schema": "it must be 'velotrace-scenario/1'",
    "constants.state_scale": "it must be four positive numbers, one for each state",
    "optimiser.betas": "it must be two numbers from 0 to below 1",
    "batch.cells": "it must be a list of names of cells",
}
_PIN_WORDS = {
    "pins.time_induction.": "it must be one number between 0 and the switch time",
    "pins.pi.": "it must be four numbers, 0 or more, that sum to 1",
    "pins.state.": "it must be 1, 2, 3 or 4",
}
_PER_GENE = ("initial.", "constants.u_star", "constants.s_star")


def _wanted(error: Any, errors: Any, key: str) -> str:
    whole = key.partition("[")[0]
    if whole in _SPECIAL_WORDS:
        return _SPECIAL_WORDS[whole]
    if key.startswith(_PER_GENE):
        text = ", or 'upper-median'" if key.startswith("initial.alpha") else ""
        return f"it must be one finite number for all genes or a list with one per gene{text}"
    for table, words in _PIN_WORDS.items():
        if key.startswith(table):
            return words
    if error["type"] in _BOUND_WORDS:
        name, words = _BOUND_WORDS[error["type"]]
        return f"it must be {words} {error['ctx'][name]:g}"
    if error["type"] == "literal_error":
        return f"it must be {error['ctx']['expected']}"
    return _PLAIN_WORDS.get(error["type"], error["msg"].lower())


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
