"""Seccomp: a process gives up system calls, without any privilege.

After `restrict` the process can start no other process and no other program, open no socket, reach
no process but itself, and leave nothing behind in the kernel. Threads still work. What is not
listed stays allowed, so that any version of Python and of the C library runs: the filter is not
meant to stand alone.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from velotrace.exercises.sandbox.kernel import ARCHITECTURES, PR_SET_NO_NEW_PRIVS, call

_DENIED = """
    fork vfork execve execveat
    socket io_uring_setup
    tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal pidfd_getfd
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
    setpriority ioprio_set sched_setaffinity sched_setparam sched_setscheduler sched_setattr
    migrate_pages move_pages
    mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsconfig fsmount
    fspick mount_setattr bpf perf_event_open userfaultfd keyctl add_key request_key
    shmget msgget semget mq_open memfd_create memfd_secret
    truncate chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat
    utime utimes utimensat futimesat setxattr lsetxattr fsetxattr setxattrat
    removexattr lremovexattr fremovexattr removexattrat
"""
"""Calls that no answer needs: new processes and programs; the network; other processes; the
machine; memory and queues that outlive the process; a file's mode, owner and times, which Landlock
leaves alone."""

_ONLY_ITSELF = ("kill", "tgkill")
"""Calls whose first argument must be the process's own number."""

_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # classic BPF
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little-endian
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

_Instruction = tuple[int, int, int, int]
"""Code, how far to jump where true, where false, and the operand."""


def restrict() -> None:
    """Take these calls from this process; there is no way back. Refused calls fail with EPERM.

    Raises:
        OSError: the kernel refused, or the filter is not known for this machine.
    """
    if platform.machine() not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no filter is known for {platform.machine()}")
    program = b"".join(struct.pack("=HBBI", *step) for step in _program(os.getpid()))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("prctl", _PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0)


def _program(own: int) -> list[_Instruction]:
    machine = ARCHITECTURES[platform.machine()]
    calls = machine.calls
    refuse = (_RETURN, 0, 0, _REFUSE | errno.EPERM)
    unknown = (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)
    allow = (_RETURN, 0, 0, _ALLOW)
    first = (_LOAD, 0, 0, _FIRST_ARGUMENT)
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        refuse,  # 32-bit calls, whose numbers mean something else
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        unknown,
        (_EQUAL, 0, 1, calls["clone3"]),
        unknown,  # its flags lie in memory, out of a filter's sight; the C library then uses clone
        (_EQUAL, 0, 4, calls["clone"]),
        first,
        (_ANY_BIT, 0, 1, _CLONE_THREAD),
        allow,
        refuse,
    ]
    for name in _ONLY_ITSELF:
        program += [(_EQUAL, 0, 4, calls[name]), first, (_EQUAL, 0, 1, own), allow, refuse]
    # Its own limits, which are pid 0 or its own number.
    program += [(_EQUAL, 0, 5, calls["prlimit64"]), first, (_EQUAL, 1, 0, 0)]
    program += [(_EQUAL, 0, 1, own), allow, refuse]
    for name in _DENIED.split():
        if name in calls:  # newer architectures lack fork, chmod and others
            program += [(_EQUAL, 0, 1, calls[name]), refuse]
    return [*program, allow]
