"""A student's parameters: chosen by a keyed hash, the same on every machine and in every version.

Every choice has a name and is made from HMAC-SHA256(salt, [student, exercise, attempt, name]) by
whole-number arithmetic alone, so that a choice added later moves none of the others.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, TypeVar

Option = TypeVar("Option")


class Chooser:
    """Makes one student's choices for one exercise and keeps them.

    Attributes:
        data: what was chosen, by name; the order of options is left out.
    """

    def __init__(self, salt: bytes, student: str, exercise: str, attempt: int = 0):
        self._salt = salt
        self._about = [student, exercise, attempt]
        self.data: dict[str, Any] = {}

    def _hashed(self, name: str) -> int:
        message = json.dumps(["velotrace-exercise/1", *self._about, name]).encode()
        return int.from_bytes(hmac.new(self._salt, message, hashlib.sha256).digest())

    def pick(self, name: str, options: Sequence[Option]) -> Option:
        """One of several options."""
        chosen = options[self._hashed(name) % len(options)]
        self.data[name] = chosen
        return chosen

    def decimal(self, name: str, low: float, high: float, step: float) -> float:
        """A multiple of `step` from `low` to `high`, short to write.

        Example:
            >>> Chooser(b"salt", "ada", "demo").decimal("alpha", 0.4, 1.2, 0.05)
            0.45
        """
        count = round((high - low) / step)
        chosen = round(low + step * (self._hashed(name) % (count + 1)), 10)
        self.data[name] = chosen
        return chosen

    def decimals(self, name: str, size: int, low: float, high: float, step: float) -> list[float]:
        """Several of them."""
        return [self.decimal(f"{name} {place}", low, high, step) for place in range(1, size + 1)]

    def order(self, name: str, size: int) -> list[int]:
        """The numbers from 0 to size − 1, shuffled (Fisher and Yates)."""
        hashed, places = self._hashed(f"order of {name}"), list(range(size))
        for last in range(size - 1, 0, -1):
            hashed, other = divmod(hashed, last + 1)
            places[last], places[other] = places[other], places[last]
        return places
