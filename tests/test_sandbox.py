"""The sandbox in which students' notebooks run: what they can answer, and what they cannot do."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from velotrace.exercises.sandbox import Limits, Run, Sandbox, run_cells
from velotrace.exercises.sandbox.answers import read_answers
from velotrace.exercises.sandbox.cells import plain_python
from velotrace.exercises.sandbox.kernel import ARCHITECTURES
from velotrace.exercises.sandbox.places import package_root
from velotrace.exercises.sandbox.pool import _run_plainly
from velotrace.exercises.sandbox.proof import breaches
from velotrace.exercises.sandbox.scratch import empty, used
from velotrace.exercises.sandbox.server import LAYERS

pytestmark = pytest.mark.skipif(os.name != "posix", reason="notebooks are confined on POSIX only")

LIMITS = Limits(seconds=4.0, cell_seconds=1.0, memory=1 << 29)
ASKED = {"before": None, "after": None}

ENOUGH = [LAYERS, ("landlock", "seccomp"), ("namespaces",)]
"""Each of these alone keeps a notebook from everything that is tested here."""


def opened(layers: Sequence[str]) -> Iterator[Sandbox]:
    """A sandbox with these layers, where the machine has them."""
    with Sandbox(LIMITS, layers=layers) as sandbox:
        missing = set(layers) - set(sandbox.layers)
        if missing:
            pytest.skip(f"this machine has no {' and no '.join(sorted(missing))} for this user")
        yield sandbox


@pytest.fixture(scope="module", params=ENOUGH, ids="+".join)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    yield from opened(request.param)


@pytest.fixture(scope="module")
def bare() -> Iterator[Sandbox]:
    """No protection but time, memory and ending what was started."""
    with Sandbox(LIMITS, layers=()) as sandbox:
        yield sandbox


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file as the salt is one, in a folder as that of the sheets is one."""
    file = tmp_path / "salt"
    file.write_text("7", encoding="utf-8")
    return file


def between(sandbox: Sandbox, cell: str) -> Run:
    """Run a cell after one that answers and before one that answers."""
    return sandbox.run(["before = 1", cell, "after = 2"], ASKED)


def processes_of(sandbox: Sandbox) -> set[int]:
    """Everything alive that the sandbox's servers have started, wherever it has put itself.

    What a server forks keeps its command line, in which its folder stands.
    """
    return processes_with(sandbox._folder.name)


def processes_with(word: str) -> set[int]:
    """Everything alive with a word in its command line."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
            state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        except OSError:
            continue
        if word in line and state != "Z":
            found.add(int(entry.name))
    return found


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


# ---- answers --------------------------------------------------------------------------------


def test_answers_come_back_as_plain_values(sandbox: Sandbox) -> None:
    cells = [
        "import math\nimport numpy as np",
        "a = np.float64(1.5)\nb = np.arange(3)\nc = (1, 'B', None, ...)\nd = True\ne = ...",
        "%matplotlib inline\nf = 1j\ng = -math.inf\nh = np.array(2.0)\n!ls",
    ]
    asked = dict.fromkeys("abcdefghi")
    assert sandbox.run(cells, asked) == Run(
        {
            "a": 1.5,
            "b": [0, 1, 2],
            "c": [1, "B", None, None],
            "d": True,
            "e": None,
            "f": {"unreadable": "complex"},
            "g": -math.inf,
            "h": 2.0,
        },
        "",
    )


def test_functions_are_run_on_the_points(sandbox: Sandbox) -> None:
    cells = [
        "def f(x, y):\n    return helper(x) / y",
        "def helper(x):\n    return [2 * x]",
        "g = 3",
    ]
    points = [[1.0, 2.0], [1.0, 0.0]]
    run = sandbox.run(cells, {"f": points, "g": points})
    assert run.problem == "" or "NameError" in run.problem
    assert run.answers["g"] == 3
    first, second = run.answers["f"]["values"]
    assert first == {"error": "TypeError: unsupported operand type(s) for /: 'list' and 'float'"}
    assert second == first
    run = sandbox.run(["def f(x, y):\n    return x / y"], {"f": points})
    assert run == Run(
        {"f": {"values": [0.5, {"error": "ZeroDivisionError: float division by zero"}]}}, ""
    )


def test_a_function_that_never_ends_is_not_called_again(sandbox: Sandbox) -> None:
    begun = time.monotonic()
    run = sandbox.run(
        ["def f(x):\n    while x > 1: pass\n    return x"], {"f": [[1.0], [2.0], [3.0]]}
    )
    assert run.answers["f"]["values"] == [1.0, *[{"error": "it did not end"}] * 2]
    assert time.monotonic() - begun < LIMITS.seconds


def test_the_last_answer_counts(sandbox: Sandbox) -> None:
    cells = ["a = 1\nb = [1]", "a = 2", "b.append(2)", "del a"]
    assert sandbox.run(cells, {"a": None, "b": None}).answers == {"a": 2, "b": [1, 2]}


def test_a_notebook_sees_nothing_of_the_one_before(sandbox: Sandbox) -> None:
    sandbox.run(["import builtins, sys\nbuiltins.trace = sys.trace = 1", "open('mine', 'w')"], {})
    cell = "import builtins, os, sys\na = [hasattr(builtins, 'trace'), hasattr(sys, 'trace')]"
    run = sandbox.run(
        [cell, "b = sorted(os.listdir('.') + os.listdir('..'))"], {"a": None, "b": None}
    )
    assert run.answers["a"] == [False, False]
    assert "mine" not in run.answers.get("b", [])


# ---- what does not run to its end -----------------------------------------------------------

TOO_LONG = "cell 2: it did not end within 1 s"
REFUSED = r"cell 2: (PermissionError|FileNotFoundError|OSError|BlockingIOError)"
DEAF = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
while True: pass
"""
ENDED = "it ended its process itself"

BOTH_KEPT = [
    ("while True: pass", TOO_LONG),
    ("import time\ntime.sleep(1000)", TOO_LONG),
    ("memory = bytearray(10 * 2**30)", "cell 2: MemoryError"),
    ("import numpy as np\nmemory = np.ones(10 * 2**27)", "cell 2: MemoryError"),
    (
        "import numpy as np\nhoard = []\nwhile True: hoard.append(np.empty(2**21))",
        "cell 2: MemoryError",
    ),
    ("raise SystemExit(0)", "cell 2: SystemExit: 0"),
    ("raise KeyboardInterrupt", "cell 2: KeyboardInterrupt"),
    ("exit()", "cell 2: (NameError|SystemExit)"),
    ("def f(): f()\nf()", "cell 2: RecursionError"),
    ("(", "cell 2: SyntaxError"),
    ("input()", "cell 2: EOFError"),
    ("class E(Exception):\n    def __str__(self): raise self\nraise E", "cell 2: "),
    ("print('passed ' * 10**6)", "^$"),
    ("import sys\nsys.stdin.close()\nsys.stdout.close()\nsys.stderr.close()", "^$"),
    ("with open('huge', 'wb') as f:\n    while True: f.write(bytes(2**20))", "cell 2: OSError"),
    ("import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()", "^$"),
]
FIRST_KEPT = [
    ("import os\nos._exit(0)", ENDED),
    ("import os\nos._exit(70)", "exit code 70|not be confined"),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL"),
    ("import os\nos.kill(os.getpid(), 40)", "ended by signal 40"),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGXCPU)", "more than 5 s of processor time"),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "within 4 s"),
    ("import ctypes\nctypes.string_at(0)", "ended by SIGSEGV"),
    (DEAF, "within 4 s"),
    ("for i in range(10**6): open(str(i), 'wb').write(bytes(2**20))", "more than 32 MiB of files"),
    (
        "import os\nos.write(3, b'x' * 10**8)\nos.write(3, b'x')",
        "could not be written|MiB of files",
    ),
]


@pytest.mark.parametrize(("cell", "problem"), BOTH_KEPT)
def test_the_other_cells_still_count(sandbox: Sandbox, cell: str, problem: str) -> None:
    run = between(sandbox, cell)
    assert run.answers == {"before": 1, "after": 2}
    assert re.search(problem, run.problem)


@pytest.mark.parametrize(("cell", "problem"), FIRST_KEPT)
def test_what_was_answered_before_the_end_counts(sandbox: Sandbox, cell: str, problem: str) -> None:
    run = between(sandbox, cell)
    assert run.answers == {"before": 1}
    assert re.search(problem, run.problem)
    assert between(sandbox, "").answers == {"before": 1, "after": 2}


def test_a_loop_that_catches_everything_is_ended(sandbox: Sandbox) -> None:
    """The cell, where the alarm meets it outside its `try`; else the whole notebook."""
    run = between(sandbox, "while True:\n    try:\n        while True: pass\n    except: pass")
    the_cell = Run({"before": 1, "after": 2}, TOO_LONG)
    the_notebook = Run({"before": 1}, "it did not end within 4 s")
    assert run in (the_cell, the_notebook)


# ---- what must not be possible --------------------------------------------------------------


def test_the_proof_finds_every_breach(bare: Sandbox, secret: Path) -> None:
    found = breaches(bare, [secret, secret.parent])
    assert found[:4] == (
        "read the sheets or the salt",
        "list the folder of sheets",
        "write outside its scratch directory",
        "use the network",
    )
    assert "signal the grader" in found
    # Root is held to no number of processes, nor may the user have fewer already.
    assert ("start processes without end" in found) or os.getuid() != 0


def test_the_proof_finds_none_where_it_holds(sandbox: Sandbox, secret: Path) -> None:
    found = breaches(sandbox, [secret, secret.parent])
    if os.getuid() == 0 and "seccomp" not in sandbox.layers:  # root is held to no number of them
        assert found == ("start processes without end",)
    else:
        assert found == ()


@pytest.mark.parametrize(
    "cell",
    [
        "open({secret!r}).read()",
        "import os\nos.listdir({folder!r})",
        "import os\nos.symlink({secret!r}, 'link')\nopen('link').read()",
        "import os\nos.link({secret!r}, 'link')\nopen('link').read()",
        "import os\nos.rename({secret!r}, 'mine')",
        "import os\nos.truncate({secret!r}, 0)",
        "import os\nos.chmod({secret!r}, 0o777)",
        "import os\nos.utime({secret!r})",
        "import os\nos.unlink({secret!r})",
        "open({secret!r}, 'w')",
        "open({folder!r} + '/new', 'w')",
        "import velotrace\nopen(velotrace.__file__, 'a')",
        "open('/proc/{grader}/environ').read()",
        "open('/proc/{grader}/mem', 'rb').read(1)",
        "open('/etc/passwd').read()",
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=1)",
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'?', ('127.0.0.1', {port}))",
        "import os\nos.kill({grader}, 0)",
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.ptrace(16, {grader}, 0, 0): raise OSError(ctypes.get_errno())",
    ],
)
def test_nothing_outside_is_within_reach(sandbox: Sandbox, secret: Path, cell: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        places = {"secret": str(secret), "folder": str(secret.parent)}
        filled = cell.format(**places, port=port, grader=os.getpid())
        assert re.search(
            REFUSED.replace("OSError", "OSError|ProcessLookupError"),
            between(sandbox, filled).problem,
        )
    assert secret.read_text() == "7"
    assert secret.stat().st_mode & 0o777 != 0o777
    assert list(secret.parent.iterdir()) == [secret]


def test_the_same_cells_succeed_without_protection(bare: Sandbox, secret: Path) -> None:
    """So the refusals above are the sandbox's."""
    run = bare.run([f"before = open({str(secret)!r}).read()", "after = 2"], ASKED)
    assert run == Run({"before": "7", "after": 2}, "")


def test_the_environment_is_not_handed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COURSE_PASSWORD", "swordfish")
    run = run_cells(["import os\nbefore = 'COURSE_PASSWORD' in os.environ"], ASKED, LIMITS)
    assert run.answers == {"before": False}


def test_open_files_are_not_handed_on(sandbox: Sandbox) -> None:
    cell = """
import os
before = []
for number in range(256):
    try:
        os.fstat(number)
        before.append(number)
    except OSError:
        pass
"""
    assert sandbox.run([cell], ASKED).answers == {"before": [0, 1, 2, 3]}


@pytest.mark.parametrize(
    "cell",
    [
        "import os\nos.remove('answers.jsonl')\nos.symlink({secret!r}, 'answers.jsonl')",
        "import os\nos.remove('answers.jsonl')\nos.mkfifo('answers.jsonl')",
        "import os, shutil\nhere = os.getcwd()\nos.chdir('/')\nos.rename(here, here + '.moved')\n"
        "os.symlink({folder!r}, here)",
    ],
)
def test_what_is_put_in_the_place_of_the_answers_is_not_read(
    bare: Sandbox, sandbox: Sandbox, secret: Path, cell: str
) -> None:
    secret.write_text('{"variable": "before", "value": "stolen"}\n')
    places = {"secret": str(secret), "folder": str(secret.parent)}
    for tried in (bare, sandbox):
        assert between(tried, cell.format(**places)).answers == {"before": 1, "after": 2}
        assert between(tried, "").answers == {"before": 1, "after": 2}
    assert secret.exists()


# ---- processes ------------------------------------------------------------------------------

DAEMONS = """
import os, signal, time
for i in range(20):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            for kind in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(kind, signal.SIG_IGN)
            for last in range(600):
                time.sleep(1.0)
        os._exit(0)
"""


@on_linux
def test_no_process_is_left(sandbox: Sandbox) -> None:
    before = processes_of(sandbox)
    run = between(sandbox, DAEMONS)
    assert run.answers == {"before": 1, "after": 2}
    assert ("seccomp" in sandbox.layers) == (run.problem.startswith("cell 2: PermissionError"))
    assert processes_of(sandbox) == before


@on_linux
def test_no_process_is_left_where_only_its_own_children_can_be_ended(bare: Sandbox) -> None:
    before = processes_of(bare)
    run = between(bare, DAEMONS)
    assert processes_of(bare) == before
    if run.problem.startswith("cell 2: BlockingIOError"):
        pytest.skip("this user has so many processes that it may start no more")
    assert run == Run({"before": 1, "after": 2}, "")


@on_linux
def test_a_bomb_of_forks_is_ended() -> None:
    for sandbox in opened(LAYERS):
        before = processes_of(sandbox)
        run = between(sandbox, "import os\nwhile True: os.fork()")
        assert run.problem == "cell 2: PermissionError: [Errno 1] Operation not permitted"
        assert run.answers == {"before": 1, "after": 2}
        assert processes_of(sandbox) == before


def test_threads_are_allowed(sandbox: Sandbox) -> None:
    cells = ["import threading", "t = threading.Thread(target=lambda: globals().update(before=1))"]
    assert sandbox.run([*cells, "t.start()\nt.join()"], ASKED) == Run({"before": 1}, "")


@on_linux
def test_the_end_of_a_server_is_survived_and_leaves_nothing(sandbox: Sandbox) -> None:
    server = sandbox._servers[0]
    alarm = threading.Timer(1.0, os.kill, (server._process.pid, signal.SIGKILL))
    alarm.start()
    assert between(sandbox, DEAF) == Run({}, "the process that ran it was lost")
    assert between(sandbox, "").answers == {"before": 1, "after": 2}
    assert all(
        _comes_to_an_end(process) for process in processes_of(sandbox) - _tree(server._process.pid)
    )


@on_linux
def test_the_end_of_the_grader_leaves_no_process() -> None:
    script = """
import os, signal, sys
from velotrace.exercises.sandbox import Limits, Sandbox
sandbox = Sandbox(Limits(seconds=60.0))
print(sandbox._folder.name, flush=True)
sandbox.run([sys.argv[1]], {})
"""
    grader = subprocess.Popen(
        [sys.executable, "-c", script, DEAF],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(package_root())},
    )
    with grader:
        assert grader.stdout is not None
        folder = grader.stdout.readline().strip()
        time.sleep(0.5)
        running = processes_with(folder)
        grader.kill()
    assert len(running) >= 2
    assert all(_comes_to_an_end(process) for process in running)
    shutil.rmtree(folder)


@on_linux
def test_nothing_is_left_when_a_sandbox_is_closed(tmp_path: Path) -> None:
    sandbox = Sandbox(LIMITS, workers=2)
    folder = Path(sandbox._folder.name)
    assert sandbox.run(["before = 1"], ASKED).answers == {"before": 1}
    assert len(processes_of(sandbox)) >= 2
    sandbox.close()
    assert processes_of(sandbox) == set()
    assert not folder.exists()


def _tree(root: int) -> set[int]:
    found, waiting = set(), [root]
    while waiting:
        process = waiting.pop()
        found.add(process)
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        waiting += [int(child) for child in children]
    return found


def _comes_to_an_end(process: int) -> bool:
    for _ in range(200):
        if not Path(f"/proc/{process}").exists():
            return True
        time.sleep(0.05)
    return False


# ---- the pieces -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "answers"),
    [
        (['{"variable": "before", "value": [1, NaN]}'], {"before": [1, math.nan]}),
        (['{"variable": "other", "value": 1}'], {}),
        (['{"variable": ["before"], "value": 1}', '{"value": 1}', "7", "[" * 10**5, "{"], {}),
        (['{"variable": "before"}'], {"before": None}),
        (['{"variable": "before", "value": 1' + "0" * 400 + "}"], {"before": math.inf}),
        (['{"variable": "before", "value": 1' + "0" * 5000 + "}"], {}),
        (['{"variable": "before", "value": {"points": 7}}'], {"before": {"unreadable": "dict"}}),
        (
            ['{"variable": "before", "value": {"values": [{"values": [{"error": 1}]}]}}'],
            {"before": {"values": [{"values": [{"unreadable": "dict"}]}]}},
        ),
        (
            ['{"variable": "before", "value": {"error": "\\u001b[2J' + "x" * 999 + '"}}'],
            {"before": {"error": "[2J" + "x" * 237}},
        ),
        (['{"variable": "before", "value": "' + "x" * 9999 + '"}'], {"before": "x" * 2000}),
        (
            ['{"variable": "before", "value": [[[[[1]]]]]}'],
            {"before": [[[[{"unreadable": "list"}]]]]},
        ),
    ],
)
def test_a_log_may_hold_anything(lines: list[str], answers: dict[str, Any]) -> None:
    run = read_answers([*lines, '{"end": true}'], ASKED, "")
    assert repr(run) == repr(Run(answers, ""))


def test_the_first_problem_is_told() -> None:
    told = [
        '{"problem": "cell 1:\\n\\u001b[2Jpassed"}',
        '{"problem": "cell 3: no"}',
        '{"problem": 3}',
    ]
    assert read_answers(told, ASKED, "").problem == "cell 1: [2Jpassed (and 2 more)"


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("a = 7 %3", "a = 7 %3"),
        ("%time a = 1\nb = 2", "pass\nb = 2"),
        ("if True:\n    !ls\n    a = 1", "if True:\n    pass\n    a = 1"),
        ("%%bash\nrm -r /", "pass"),
        ("numpy.array?\na = 1", "pass\na = 1"),
        ("a = '''\n%x\n'''", "a = '''\n%x\n'''"),
    ],
)
def test_magic_is_left_out(source: str, plain: str) -> None:
    assert plain_python(source) == plain


def test_without_forking_the_answers_are_the_same() -> None:
    cells = ["a = [1.0, 2]", "def f(x): return 2 * x", "1 / 0"]
    asked = {"a": None, "f": [[1.0]]}
    assert _run_plainly(cells, asked, Limits()) == run_cells(cells, asked, Limits())


def test_without_forking_time_is_limited() -> None:
    deaf = "import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass"
    run = _run_plainly([deaf], ASKED, LIMITS)
    assert run == Run({}, "it did not end within 4 s")


def test_any_folder_can_be_removed(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "file").touch()
    (folder / "link").symlink_to(tmp_path)
    inner = folder
    here = Path.cwd()
    try:
        for _ in range(3000):  # longer than any path may be, deeper than Python may recurse
            os.chdir(inner)
            os.mkdir("d")  # noqa: PTH102
            inner = Path("d")
    finally:
        os.chdir(here)
    (folder / "d").chmod(0)
    assert used(folder, 10**9) > 10**9
    empty(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_calls_have_the_numbers_of_the_kernels_headers(machine: str, header: str) -> None:
    path = Path(header)
    if not path.exists():
        pytest.skip(f"{header} is not installed")
    there = dict(re.findall(r"#define __NR3?2?_?(?:3264_)?(\w+)\s+(\d+)", path.read_text()))
    numbers = {name: int(there[name]) for name in ARCHITECTURES[machine].calls if name in there}
    assert len(numbers) > 50
    assert numbers == {name: ARCHITECTURES[machine].calls[name] for name in numbers}
