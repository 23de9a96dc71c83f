"""Salts: what makes a student's parameters the student's own, and who can work them out.

A sheet made without a salt of one's own uses the public one, so that anybody can check it. A sheet
made with a salt file can be checked only by who holds the file. No sheet holds a salt.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from velotrace.errors import InputError

PUBLIC_SALT = b"velotrace: a salt that everybody knows"

SHORTEST = 16
"""Bytes a salt of one's own must have; a shorter one could be found by trying."""

LONGEST = 4096


def read_salt(path: Path) -> bytes:
    """The salt in a file, without white space around it.

    Raises:
        InputError: there is no such file, or what it holds is too short or too long.
    """
    try:
        with path.open("rb") as stream:
            salt = stream.read(LONGEST + 1).strip()
    except OSError as problem:
        raise InputError(f"{path}: the salt cannot be read: {problem.strerror}") from None
    if not SHORTEST <= len(salt) <= LONGEST:
        size = f"more than {LONGEST}" if len(salt) > LONGEST else f"{len(salt)}"
        right = f"make it {SHORTEST} to {LONGEST} random characters"
        raise InputError(f"{path}: the salt has {size} bytes; {right}")
    return salt


def mark(salt: bytes) -> str:
    """A name for a salt that does not give it away: 'public', or eight hexadecimal digits.

    Example:
        >>> mark(PUBLIC_SALT), mark(b"sixteen bytes or more")
        ('public', 'ea485cc6')
    """
    if salt == PUBLIC_SALT:
        return "public"
    return hmac.new(salt, b"velotrace-salt/1", hashlib.sha256).hexdigest()[:8]
