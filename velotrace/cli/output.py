"""How commands print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from velotrace.report.escape import terminal


def put(text: str) -> None:
    """Print a report that ends in a line break.

    A name in a table for a program keeps every character, unless a terminal would obey some: `echo`
    alone takes escape codes out for a program and leaves them in for a terminal.
    """
    if sys.stdout.isatty():
        text = "\n".join(map(terminal, text.split("\n")))
    typer.echo(text, nl=False, color=True)


def say(line: object, *, err: bool = False) -> None:
    """Print one line for people."""
    typer.echo(terminal(line), err=err)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
