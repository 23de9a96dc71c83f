"""Read a scenario file, and say in one line what is wrong with it."""

from __future__ import annotations

import tomllib
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
    try:
        raw = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as problem:
        raise InputError(f"{path}: not TOML: {problem}") from None
    try:
        return Scenario.model_validate(raw)
    except ValidationError as problem:
        raise InputError(f"{path}: {_first_line(problem, raw)}") from None


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


def _key(location: tuple[int | str, ...], raw: dict[str, Any]) -> str:
    """The dotted key as it stands in the file: pydantic adds the branches of unions to it."""
    at: Any = raw
    parts: list[str] = []
    for step in location:
        inside_list = isinstance(at, list) and isinstance(step, int) and step < len(at)
        if inside_list or (isinstance(at, dict) and step in at):
            parts.append(str(step))
            at = at[step]
        elif isinstance(at, dict):  # the missing key itself
            parts.append(str(step))
            break
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
}
_PLAIN_WORDS = {
    "finite_number": "it must be a finite number",
    "float_type": "it must be a number",
    "int_type": "it must be a whole number",
    "string_type": "it must be text",
    "list_type": "it must be a list",
    "model_type": "it must be a table",
    "dict_type": "it must be a table",
}
_SPECIAL_WORDS = {
    "schema": "it must be 'velotrace-scenario/1'",
    "constants.state_scale": "it must be four positive numbers, one for each state",
    "optimiser.betas": "it must be two numbers from 0 to below 1",
}
_PER_GENE = ("initial.", "constants.u_star", "constants.s_star")


def _wanted(error: Any, errors: Any, key: str) -> str:
    if key in _SPECIAL_WORDS:
        return _SPECIAL_WORDS[key]
    if key.startswith(_PER_GENE):
        text = ", or 'upper-median'" if key.startswith("initial.alpha") else ""
        return f"it must be one finite number for all genes or a list with one per gene{text}"
    if error["type"] in _BOUND_WORDS:
        name, words = _BOUND_WORDS[error["type"]]
        return f"it must be {words} {error['ctx'][name]:g}"
    if error["type"] == "literal_error":
        return f"it must be {error['ctx']['expected']}"
    return _PLAIN_WORDS.get(error["type"], error["msg"].lower())


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
