"""Scratch directories: how much is in one, and how to be rid of whatever is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def used(folder: Path, enough: int) -> int:
    """Bytes of all files below a folder, each at least 4 KiB; counting stops beyond `enough`."""
    total, folders = 0, [str(folder)]
    while folders and total <= enough:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    total += max(4096, entry.stat(follow_symlinks=False).st_blocks * 512)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except FileNotFoundError:
            continue
        except OSError:  # a path too long to follow, a folder shut to us: nothing an answer needs
            return enough + 1
    return total


def empty(folder: Path) -> None:
    """Remove all that is in a folder: of any depth, whatever its permissions are.

    Folders are moved up beside each other before they are emptied, since one may lie deeper than
    any path can say.
    """
    heap = Path(tempfile.mkdtemp(dir=folder))
    waiting, count = [folder], 0
    while waiting:
        inner = waiting.pop()
        for path in list(inner.iterdir()):
            if path == heap:
                continue
            if path.is_symlink() or not path.is_dir():
                path.unlink()
                continue
            path.chmod(0o700)  # else it could be neither moved nor read
            count += 1
            waiting.append(path.rename(heap / str(count)))
        if inner != folder:
            inner.rmdir()
    heap.rmdir()
