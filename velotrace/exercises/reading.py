"""What an answer from a sheet is: nothing, a number, or what cannot be read, and why not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


class UnreadableError(Exception):
    """What was given has not the form of an answer; says what would."""


def is_empty(given: Any) -> bool:
    """Whether nothing was put in the place of the three dots."""
    if isinstance(given, str):
        return given.strip() in ("", "...", "…")
    if isinstance(given, Mapping) and set(given) == {"values"}:
        values = given["values"]
        return isinstance(values, list) and all(value is None for value in values)
    if isinstance(given, list):
        return all(value is None for value in given)
    return given is None


def read_number(given: Any) -> float:
    """A finite number, or why it is none."""
    if isinstance(given, Mapping):
        raise UnreadableError(
            f"This is of the Python type {shown(given.get('unreadable', 'dict'))}."
        )
    if isinstance(given, str):
        raise UnreadableError(f"{shown(given)} is a text.{_comma(given)}")
    if isinstance(given, list):
        raise UnreadableError("This is a list.")
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise UnreadableError(f"{shown(given)} is not a number.")
    try:
        value = float(given)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise UnreadableError(f"This is {value}, not a finite number.")
    return value


def _comma(given: str) -> str:
    try:
        float(given.strip().replace(",", "."))
    except ValueError:
        return ""
    return " Leave the quotation marks out, and write a decimal point, not a comma."


def shown(given: Any) -> str:
    """What was given, in quotation marks: short, and nothing that a terminal would obey."""
    text = "".join(c if c.isprintable() else "?" for c in str(given)[:31])
    return repr(text[:30] + "…" if len(text) > 30 else text)


def plain_error(error: Any) -> str:
    """The error that stopped a function, as a clause."""
    return "".join(c if c.isprintable() else " " for c in str(error)[:120]).rstrip(". ")


def value_of_code(value: Any) -> float | None:
    """A finite number, or None: no number, none that is finite, or the call raised."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    try:
        return read_number(value)
    except UnreadableError:
        return None
