"""Which files a student's code needs: Python, its packages, velotrace, the system's libraries."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from velotrace.resources import data_path

_SYSTEM = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/fonts",
    "/usr/share/zoneinfo",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/nix/store",
    "/gnu/store",
    "/dev/urandom",
    "/dev/zero",
)
DEVICES = (Path("/dev/null"),)
"""What may be written besides the scratch directory."""


def package_root() -> Path:
    """The folder that holds the package `velotrace`."""
    return Path(__file__).resolve().parents[3]


@cache
def readable() -> tuple[Path, ...]:
    """Folders and files to read, without what lies in another of them.

    A folder is named both as Python has it and with its links followed. `sys.path` is not taken:
    what a teacher put there may hold the sheets.
    """
    library = sysconfig.get_paths()
    named = [library[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    numpy = find_spec("numpy")
    if numpy is not None and numpy.origin is not None:  # where PYTHONPATH says where packages are
        named.append(str(Path(numpy.origin).parents[1]))
    named += [*site.getsitepackages(), site.getusersitepackages(), f"{sys.base_prefix}/lib"]
    here = package_root()
    named += [str(here / "velotrace"), str(data_path("toy.csv").parent), *_SYSTEM]
    paths = {Path(name) for name in named} | {Path(name).resolve() for name in named}
    return tuple(
        sorted(
            path
            for path in paths
            if os.access(path, os.R_OK) and not any(above in paths for above in path.parents)
        )
    )


def in_sight(path: Path) -> Path | None:
    """The readable folder in which a path lies; None where it lies in none."""
    place = path.resolve()
    within = (above for above in readable() if place.is_relative_to(above.resolve()))
    return next(within, None)
