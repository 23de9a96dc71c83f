"""Write files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
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
    write_all(path.parent, {path.name: content}, make_folders=False)


def write_all(folder: Path, contents: dict[str, str | bytes], *, make_folders: bool = True) -> None:
    """Write several files into a folder: all of them, or none and no folder either.

    Each is written in full under a temporary name; only then are they all renamed.

    Args:
        folder: where to.
        contents: by name, in which '/' makes subfolders: text (as UTF-8) or bytes.
        make_folders: whether to make the folders that are missing.

    Raises:
        InputError: a folder cannot be made, or a file not be written.
    """
    staged: dict[Path, Path] = {}
    made: list[Path] = []
    try:
        for name, content in contents.items():
            path = folder / name
            try:
                if make_folders:
                    _make_folders(path.parent, made)
                staged[path] = _stage(path, content)
            except (OSError, UnicodeEncodeError) as problem:
                raise _unwritable(path, problem) from None
        for path, temporary in staged.items():
            try:
                temporary.replace(path)
            except OSError as problem:
                raise _unwritable(path, problem) from None
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)  # none is left where all went well
        for folder_made in reversed(made):
            with suppress(OSError):  # refused where it holds something, as it does if all went well
                folder_made.rmdir()


def _make_folders(folder: Path, made: list[Path]) -> None:
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(0, f"{folder} is a file, not a folder")
    if not folder.is_dir():
        _make_folders(folder.parent, made)
        folder.mkdir()
        made.append(folder)


def _stage(path: Path, content: str | bytes) -> Path:
    """Write the content under a temporary name beside its place; returns where it is."""
    raw = content.encode() if isinstance(content, str) else content
    if path.is_dir():
        raise IsADirectoryError(0, "it is a folder, not a file")
    if path.exists() and not path.is_file():
        raise OSError(0, "it is a device or a pipe; leave -o out to print")
    if not path.parent.is_dir():
        raise NotADirectoryError(0, f"there is no folder {path.parent}; make it first")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".velotrace.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes it private
    except OSError:
        temporary.unlink()
        raise
    return temporary


def _unwritable(path: Path, problem: OSError | UnicodeEncodeError) -> InputError:
    words = problem.strerror if isinstance(problem, OSError) else "holds text that is not Unicode"
    return InputError(f"{path}: cannot be written: {words or problem}")
