"""Namespaces: processes, network and files of their own, where the kernel lets this user make them.

A server that has entered them is process 1 of a small world: what it starts cannot leave, has no
network, sees only the folders that were carried over, and ends with it. See user_namespaces(7) and
pid_namespaces(7).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from velotrace.exercises.sandbox.kernel import ARCHITECTURES, PR_SET_PDEATHSIG, call

_NEW_MOUNTS, _NEW_IPC, _NEW_USER = 0x00020000, 0x08000000, 0x10000000
_NEW_PROCESSES, _NEW_NETWORK = 0x20000000, 0x40000000

_READ_ONLY, _NO_SETUID, _NO_DEVICES, _REMOUNT = 0x1, 0x2, 0x4, 0x20
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000
_DETACH = 2

_KEPT = {0x8: 0x8, 0x400: 0x400, 0x800: 0x800, 0x1000: 0x200000}
"""Flags of a mount that a user namespace may not lift, as `statvfs` and as `mount` have them: no
programs, and three ways to keep the time of access."""


def enter(root: Path, readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Move into new namespaces, as process 1; the caller's process waits for it and ends with it.

    Call it before any thread is started. Paths stay as they were; other files are out of sight.

    Args:
        root: an empty folder, on which the new root is mounted.
        readable: folders and files to carry over, to read.
        writable: folders and files to carry over, to write.

    Raises:
        OSError: the kernel does not let this user do so.
    """
    user, group = os.getuid(), os.getgid()
    call(
        "unshare",
        _NEW_USER | _NEW_MOUNTS | _NEW_IPC | _NEW_NETWORK | _NEW_PROCESSES,
    )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _change_root(root, readable, writable)
    child = os.fork()
    if child:
        _wait_and_exit(child)
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _wait_and_exit(child: int) -> None:
    status = os.waitpid(child, 0)[1]
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _change_root(root: Path, readable: Iterable[Path], writable: Iterable[Path]) -> None:
    _mount(None, Path("/"), _PRIVATE | _RECURSIVE)
    _mount(b"tmpfs", root, _NO_SETUID | _NO_DEVICES, b"size=1m,mode=755", b"tmpfs")
    for paths, read_only in ((readable, True), (writable, False)):
        for path in sorted(set(paths)):  # a folder before what lies in it
            _carry_over(path, root, read_only)
    _mount(None, root, _REMOUNT | _READ_ONLY | _NO_SETUID | _NO_DEVICES)
    os.chdir(root)
    call("syscall", _pivot_root(), b".", b".")
    call("umount2", b".", _DETACH)
    os.chdir("/")


def _pivot_root() -> int:
    return ARCHITECTURES[os.uname().machine].calls["pivot_root"]


def _carry_over(path: Path, root: Path, read_only: bool) -> None:
    target = root / path.relative_to("/")
    if not target.exists():
        if path.is_dir():
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    _mount(os.fsencode(path), target, _BIND | _RECURSIVE)
    if read_only:
        present = os.statvfs(target).f_flag
        kept = sum(flag for name, flag in _KEPT.items() if present & name)
        devices = 0 if path.is_relative_to("/dev") else _NO_DEVICES
        _mount(None, target, _REMOUNT | _BIND | _READ_ONLY | _NO_SETUID | devices | kept)


def _mount(
    source: bytes | None, target: Path, flags: int, data: bytes = b"", kind: bytes | None = None
) -> None:
    call("mount", source, os.fsencode(target), kind, flags, data)


def end_all_others() -> None:
    """End every other process of this namespace at once, and wait for them.

    Raises:
        RuntimeError: this is not process 1, and would end every process that there is.
    """
    if os.getpid() != 1:
        raise RuntimeError("only process 1 of a namespace may end all others")
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
