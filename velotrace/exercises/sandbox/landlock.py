"""Landlock: a process gives up the sight of files, without any privilege (Linux 5.13 and newer).

After `restrict` the process and all it starts can read below a few folders, write below one, and
nothing else: not /proc, not the grader's files, whoever owns them. Newer kernels also forbid TCP
(ABI 4) and signals to processes outside (ABI 6); `seccomp` and the namespaces forbid those again.
See landlock(7).
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from velotrace.exercises.sandbox.kernel import PR_SET_NO_NEW_PRIVS, call

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIRECTORY = (1 << bit for bit in range(4))
_REMOVE_DIRECTORY, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIRECTORY, _MAKE_FILE = 1 << 7, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14

_HANDLED_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Every right on files that each version of the interface knows, and so can take away."""

_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READ = _READ_FILE | _READ_DIRECTORY
_WRITE = (
    _READ
    | _WRITE_FILE
    | _TRUNCATE
    | _REMOVE_DIRECTORY
    | _REMOVE_FILE
    | _MAKE_DIRECTORY
    | _MAKE_FILE
    | _REFER
)  # links, pipes, sockets and devices cannot be made

_ALL_OF_TCP = 0b11
_ALL_SCOPES = 0b11  # abstract sockets, signals


def abi() -> int:
    """The version of Landlock that this kernel has; 0 where it has none."""
    try:
        return call("syscall", _CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def restrict(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Take from this process the sight of every file but these; there is no way back.

    Args:
        readable: folders and files to read; what does not exist is passed over.
        writable: folders to read and write, and files such as /dev/null.

    Raises:
        OSError: the kernel has no Landlock, or refused.
    """
    version = abi()
    if version == 0:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    handled = _HANDLED_BY_ABI[max(known for known in _HANDLED_BY_ABI if known <= version)]
    attributes = struct.pack(
        "=QQQ", handled, _ALL_OF_TCP if version >= 4 else 0, _ALL_SCOPES if version >= 6 else 0
    )
    known = 24 if version >= 6 else 16 if version >= 4 else 8  # bytes; more would be refused
    ruleset = call("syscall", _CREATE_RULESET, attributes, known, 0)
    try:
        for paths, rights in ((readable, _READ), (writable, _WRITE)):
            for path in paths:
                _allow(ruleset, path, rights & handled)
        call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        call("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _ON_FILES
        call("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)
