"""Find the files of `data/`, which travel inside the wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_path(name: str) -> Path:
    """The path of a file that comes with velotrace.

    Args:
        name: such as 'toy.csv', 'walkthrough.toml' or 'golden/walkthrough.json'.

    Returns:
        Its path: inside the installed package, or in `data/` of a checkout.

    Example:
        >>> data_path("toy.csv").read_text().splitlines()[0]
        'cell,gene,unspliced,spliced'
    """
    installed = _PACKAGE / "data" / name
    return installed if installed.exists() else _PACKAGE.parent / "data" / name
