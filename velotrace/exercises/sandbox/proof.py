"""Whether the sandbox holds, found by trying what a notebook must not be able to do.

A kernel, a container or a security module may each lack or forbid what the sandbox rests on. So it
is not asked what there is: before any student's code runs, code in the sandbox tries to read the
files that are to be hidden, and so on.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from velotrace.exercises.sandbox.pool import Sandbox
from velotrace.exercises.sandbox.server import PROCESSES

_CELL = """
import json, os, socket
given = json.loads(GIVEN)

def succeeds(step):
    try:
        step()
    except OSError:
        return False
    return True

def connect(port):
    socket.create_connection(("127.0.0.1", port), timeout=0.3).close()

def send(port):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"?", ("127.0.0.1", port))

def allocates(size):
    try:
        bytearray(size)
    except MemoryError:
        return False
    return True

def overwrite(path):
    os.close(os.open(path, os.O_WRONLY))

files = given["files"]
answer = {
    "read the sheets or the salt": any(succeeds(lambda: open(f, "rb").close()) for f in files),
    "list the folder of sheets": any(succeeds(lambda: os.listdir(f)) for f in given["folders"]),
    "write outside its scratch directory": succeeds(lambda: overwrite(given["own"])),
    "use the network": any(succeeds(lambda: use(given["port"])) for use in (connect, send)),
    "take more memory than it may": allocates(given["memory"]),
    "signal the grader": given["grader"] != os.getpid() and succeeds(
        lambda: os.kill(given["grader"], 0)
    ),
}
answers = [name for name, done in answer.items() if done]
"""

_BOMB = """
import time
held = False
try:
    for number in range(MOST + 1):
        if os.fork() == 0:
            time.sleep(60.0)
            os._exit(0)
except OSError:
    held = True
finally:  # also where time runs out
    if not held:
        answers.append("start processes without end")
"""
"""What it starts is ended with the notebook; a limit or a filter stops it earlier."""


def breaches(sandbox: Sandbox, hidden: Sequence[Path]) -> tuple[str, ...]:
    """What code in the sandbox can do although it must not; empty where it holds.

    Args:
        sandbox: to be tried.
        hidden: files and folders that it must not read.

    Returns:
        Each thing it could do, in words that follow "it can".
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        tempfile.NamedTemporaryFile(prefix="velotrace-proof-") as own,
    ):
        given = json.dumps(
            {
                "files": [str(path.resolve()) for path in hidden if not path.is_dir()],
                "folders": [str(path.resolve()) for path in hidden if path.is_dir()],
                "own": own.name,
                "port": listening.getsockname()[1],
                "memory": sandbox.limits.memory,
                "grader": os.getpid(),
            }
        )
        cells = [f"GIVEN, MOST = {given!r}, {PROCESSES}", _CELL, _BOMB]
        ran = sandbox.run(cells, {"answers": None})
    found = ran.answers.get("answers")
    if not isinstance(found, list):
        return (f"not even be tried: {ran.problem}",)
    return tuple(found)
