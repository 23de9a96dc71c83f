"""Ratios measured in one run on this machine; `make bench` runs them all."""

import os

# Both sides on one thread: matrix products here are small, and a shared machine is noisy enough.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
