"""Students' code, run where it can do no harm.

`pool` is the grader's side; `server` the process that runs notebooks and `cells` what it runs in;
`landlock`, `seccomp` and `namespaces` are what Linux offers; `proof` tries whether it holds.
"""

from velotrace.exercises.sandbox.answers import Run
from velotrace.exercises.sandbox.limits import Limits
from velotrace.exercises.sandbox.pool import Sandbox, run_cells

__all__ = ["Limits", "Run", "Sandbox", "run_cells"]
