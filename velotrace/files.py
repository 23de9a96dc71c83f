"""Write files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from velotrace.errors import InputError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name beside its place, then rename it.

    Args:
        path: where to; its folder must exist.
        content: text (as UTF-8) or bytes.

    Raises:
        InputError: the place cannot be written to.
    """
    raw = content.encode() if isinstance(content, str) else content
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as problem:
        raise _unwritable(path, problem) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes it private
        os.replace(temporary, path)
    except OSError as problem:
        os.unlink(temporary)
        raise _unwritable(path, problem) from None


def write_all(folder: Path, contents: dict[str, str | bytes]) -> None:
    """Write several files into a folder, which is made if need be; subfolders by '/' in names.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    for name, content in contents.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise _unwritable(path.parent, problem) from None
        write_whole(path, content)


def _unwritable(path: Path, problem: OSError) -> InputError:
    return InputError(f"{path}: cannot be written: {problem.strerror or problem}")
