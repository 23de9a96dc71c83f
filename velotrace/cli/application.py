"""The application: its commands in the order of the help, and how bad input ends."""

from __future__ import annotations

import io
import sys
import warnings
from typing import Annotated

import typer

from velotrace import __version__
from velotrace.cli import claims, exchange, iteration, readings, stepping, studies, training
from velotrace.cli.exercise import exercise
from velotrace.errors import ContradictionError, InputError
from velotrace.report.escape import terminal

app = typer.Typer(
    name="velotrace",
    help="Step through veloVI: one iteration with every number, forward and backward.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


for _command in (
    iteration.trace,
    iteration.check,
    iteration.explain,
    iteration.diff,
    readings.compare,
    stepping.step,
    stepping.player,
    training.train,
    training.retrace,
    training.results,
    claims.claims,
    studies.simulate,
    studies.study,
    exchange.vectors,
    exchange.init,
):
    app.command()(_command)
app.add_typer(exercise)


def main() -> None:
    """Run the command line; bad input gives one line on standard error and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the locale: tables hold Greek letters
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # What overflows is shown as inf, or refused by name; NumPy's lines about it say less.
    warnings.simplefilter("ignore", RuntimeWarning)
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        status = 130
    except typer.TyperException as problem:  # a wrong option, a missing argument
        status = _fail(f"{problem.format_message().rstrip('.')} (see velotrace --help)")
    except BrokenPipeError:  # the reader of a pipe has gone, as `velotrace trace | head` does
        sys.stderr.close()
        status = 0
    except InputError as problem:
        status = _fail(str(problem))
    except ContradictionError as problem:
        status = _fail(f"a check of velotrace's own failed: {problem}", 1)
    except MemoryError:
        status = _fail("out of memory; choose smaller networks, or fewer cells in [batch]")
    except OSError as problem:
        status = _fail(f"{problem.filename}: {problem.strerror or problem}")
    sys.exit(status)


def _fail(message: str, status: int = 2) -> int:
    line = " ".join(message.replace("Value error, ", "").split())
    print(f"velotrace: {terminal(line)}", file=sys.stderr)
    return status
