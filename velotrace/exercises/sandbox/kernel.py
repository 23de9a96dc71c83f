"""Linux system calls that Python's library has no function for, through libc.

Only the sandbox uses them. Numbers are those of the kernel's `unistd.h`.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from functools import cache

PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True)
class Architecture:
    """How one machine's kernel numbers its calls.

    audit: the number by which a filter recognises the architecture.
    calls: the number of each call by name.
    """

    audit: int
    calls: dict[str, int]


def _numbers(text: str) -> dict[str, int]:
    words = text.split()
    return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}


_SINCE_LINUX_5 = _numbers(
    """pidfd_send_signal 424 io_uring_setup 425 open_tree 428 move_mount 429 fsopen 430 fsconfig 431
    fsmount 432 fspick 433 pidfd_open 434 clone3 435 pidfd_getfd 438 process_madvise 440
    mount_setattr 442 memfd_secret 447 process_mrelease 448 fchmodat2 452 setxattrat 463
    removexattrat 466"""
)

ARCHITECTURES = {
    "x86_64": Architecture(
        0xC000003E,
        _SINCE_LINUX_5
        | _numbers(
            """shmget 29 socket 41 clone 56 fork 57 vfork 58 execve 59 kill 62 semget 64 msgget 68
            truncate 76 chmod 90 fchmod 91 chown 92 fchown 93 lchown 94 ptrace 101
            rt_sigqueueinfo 129 utime 132 setpriority 141 sched_setparam 142
            sched_setscheduler 144 pivot_root 155 chroot 161 mount 165 umount2 166 setxattr 188
            lsetxattr 189 fsetxattr 190 removexattr 197 lremovexattr 198 fremovexattr 199 tkill 200
            sched_setaffinity 203 tgkill 234 utimes 235 mq_open 240 add_key 248 request_key 249
            keyctl 250 ioprio_set 251 migrate_pages 256 fchownat 260 futimesat 261 fchmodat 268
            unshare 272 move_pages 279 utimensat 280 rt_tgsigqueueinfo 297 perf_event_open 298
            prlimit64 302 setns 308 process_vm_readv 310 process_vm_writev 311 kcmp 312
            sched_setattr 314 memfd_create 319 bpf 321 execveat 322 userfaultfd 323"""
        ),
    ),
    "aarch64": Architecture(
        0xC00000B7,
        _SINCE_LINUX_5
        | _numbers(
            """setxattr 5 lsetxattr 6 fsetxattr 7 removexattr 14 lremovexattr 15 fremovexattr 16
            ioprio_set 30 umount2 39 mount 40 pivot_root 41 truncate 45 chroot 51 fchmod 52
            fchmodat 53 fchownat 54 fchown 55 utimensat 88 unshare 97 ptrace 117
            sched_setparam 118 sched_setscheduler 119 sched_setaffinity 122 kill 129 tkill 130
            tgkill 131 rt_sigqueueinfo 138 setpriority 140 mq_open 180 msgget 186 semget 190
            shmget 194 socket 198 add_key 217 request_key 218 keyctl 219 clone 220 execve 221
            migrate_pages 238 move_pages 239 rt_tgsigqueueinfo 240 perf_event_open 241
            prlimit64 261 setns 268 process_vm_readv 270 process_vm_writev 271 kcmp 272
            sched_setattr 274 memfd_create 279 bpf 280 execveat 281 userfaultfd 282"""
        ),
    ),
}


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: int | bytes | None) -> int:
    """Call a function of libc.

    Args:
        name: such as 'prctl' or 'mount'.
        arguments: whole numbers, bytes (as char *) or None.

    Returns:
        What the function returned.

    Raises:
        OSError: it returned -1, or this system has no such function.
    """
    if sys.platform != "linux":
        raise OSError(0, f"{name} is a function of Linux")
    try:
        function = getattr(_libc(), name)
    except AttributeError:
        raise OSError(0, f"this C library has no {name}") from None
    returned = int(function(*(_long(argument) for argument in arguments)))
    if returned == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return returned


def _long(argument: int | bytes | None) -> object:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def drop_capabilities() -> None:
    """Give up every power of root, for good: without them uid 0 is an ordinary user.

    Raises:
        OSError: the kernel refused.
    """
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    call("capset", bytes(header), bytes(nothing))
