"""Train a scenario and kill the process again and again; run by test_training as a program.

A process that has everything imported forks; the child trains, the parent kills it after a random
time. Forking from a program of its own keeps pytest's threads out of it.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from velotrace.learning.ensemble import Settings
from velotrace.learning.runs import open_run, resume, start, train


def main(scenario: Path, folder: Path, epochs: int, kills: int) -> None:
    settings = Settings(epochs, 2, 2, checkpoint_every=3)
    moments, killed = random.Random(0), 0
    while True:
        child = os.fork()
        if child == 0:
            if folder.exists():
                run = resume(open_run(folder), None, scenario)
            else:
                run = start(scenario, folder, settings)
            train(run)
            os._exit(0)
        if killed < kills:
            time.sleep(moments.uniform(0.0, 0.12))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
        elif os.waitstatus_to_exitcode(status) == 0 and killed >= kills:
            break
        elif os.waitstatus_to_exitcode(status) != 0:
            sys.exit("the training failed")
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
