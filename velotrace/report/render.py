"""Turn tables into text: for the terminal, as Markdown, CSV, JSON or Parquet."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from velotrace.errors import InputError
from velotrace.report import escape
from velotrace.report.fitting import WIDTH, fitted
from velotrace.report.sections import Section, Table, sections
from velotrace.report.tables import NO_PATH, long_table, operations_table, quantity_table
from velotrace.tape import leaves
from velotrace.walkthrough import Trace

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "parquet", "json", "md")


def text_table(table: Table, style: str = "simple") -> str:
    """A table as text: tabulate's style 'simple' for a terminal, 'github' for Markdown."""
    shown = escape.markdown if style == "github" else escape.terminal
    safe = replace(table, rows=[[shown(cell) for cell in row] for row in table.rows])
    return _drawn(safe, style) if style == "github" else fitted(safe, _drawn)


def _drawn(table: Table, style: str = "simple") -> str:
    from tabulate import tabulate

    align = ["left"] * table.labels + ["right"] * (len(table.headers) - table.labels)
    return tabulate(table.rows, table.headers, style, disable_numparse=True, colalign=align)


def print_text(trace: Trace) -> str:
    """The iteration section by section, for a terminal of 80 columns."""
    blocks = [_title(trace, "="), *_overflow(trace)]
    blocks += [_section_text(section) for section in sections(trace)]
    return "\n\n".join(blocks) + "\n"


def markdown(trace: Trace) -> str:
    """The iteration section by section, as Markdown."""
    blocks = [f"# {escape.markdown(_title(trace))}", *_overflow(trace)]
    for section in sections(trace):
        blocks += [f"## {section.title}", escape.markdown(section.sentence)]
        blocks += [text_table(table, "github") for table in section.tables]
        blocks += map(escape.markdown, section.notes)
    return "\n\n".join(blocks) + "\n"


def _overflow(trace: Trace) -> list[str]:
    """A warning where the loss is no number; what is inf or nan below follows from it."""
    if np.isfinite(trace.loss):
        return []
    return [f"The loss is {trace.loss}: float64 overflows in this scenario."]


def _title(trace: Trace, underline: str = "") -> str:
    title = " ".join(trace.resolved.scenario.title.split()) or "One iteration"
    if trace.before is not None:  # the title is that of the training's scenario
        title = f"Epoch {trace.before.epoch}, batch {trace.before.batch} of a training"
    preset = trace.resolved.scenario.reading.preset
    line = escape.terminal(f"{title} ({preset} reading)")
    return f"{fill(line, WIDTH)}\n{underline * min(len(line), WIDTH)}" if underline else line


def _section_text(section: Section) -> str:
    texts = map(escape.terminal, (section.sentence, *section.notes))
    sentence, *notes = (fill(text, WIDTH) for text in texts)
    parts = [f"{section.title}\n{'-' * len(section.title)}\n{sentence}"]
    parts += [text_table(table) for table in section.tables]
    return "\n\n".join([*parts, *notes])


def long_text(trace: Trace, style: str) -> str:
    """The long table as CSV or JSON text."""
    return str(frame_content(long_table(trace), style))


def folder_contents(trace: Trace, style: str) -> dict[str, str | bytes]:
    """What `trace -o DIR` writes: name of each file below the folder, and its content.

    Args:
        trace: of one iteration.
        style: one of `FORMATS`.

    Returns:
        'trace.*' (the long table), 'operations.*' (the tape), 'quantities/NAME.*', and for 'md'
        the sections as 'sections.md'.
    """
    files = {
        f"trace.{style}": frame_content(long_table(trace), style),
        f"operations.{style}": frame_content(operations_table(trace), style),
    }
    weights = [name for name, _ in leaves(trace.resolved.parameters) if "." in name]
    for name in [*trace.quantities, *weights]:
        files[f"quantities/{name}.{style}"] = frame_content(quantity_table(trace, name), style)
    if style == "md":
        files["sections.md"] = markdown(trace)
    return files


def frame_content(frame: pd.DataFrame, style: str) -> str | bytes:
    """A data frame as the content of a file.

    Args:
        frame: any table.
        style: one of `FORMATS`. Numbers are written so that they read back bit for bit.

    Returns:
        Text, or bytes for Parquet.

    Raises:
        InputError: Parquet is asked for without pyarrow, or JSON or Parquet of a number that
            overflowed.
    """
    if style in ("json", "parquet"):
        _check_finite(frame, style)
    if style == "csv":
        return escape.csv_text(_without_formulas(_spelled(frame)))
    if style == "json":
        return escape.json(_records(frame), indent=0) + "\n"
    if style == "md":
        from tabulate import tabulate

        cells = _spelled(frame).map(escape.markdown).to_numpy().tolist()
        return tabulate(cells, list(frame.columns), "github", disable_numparse=True) + "\n"
    return _parquet(frame)


_MAY_LACK_PATH = ("adjoint", "backward")


def _check_finite(frame: pd.DataFrame, style: str) -> None:
    if "quantity" not in frame:
        return
    for name, value in zip(frame["quantity"], frame["value"], strict=True):
        if not math.isfinite(value):
            raise InputError(
                f"{name!r} is {value}, which {style} cannot hold; choose --format csv, or "
                "parameters nearer to the data"
            )


def _spelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Every cell as text: floats in full, a label that does not apply empty, NaN by its name."""
    made = frame.astype(object)
    for column in made:
        as_number = column in ("value", "adjoint")
        missing = [False] * len(frame) if as_number else frame[column].isna()
        made[column] = ["" if m else str(x) for x, m in zip(made[column], missing, strict=True)]
    return made


def _without_formulas(spelled: pd.DataFrame) -> list[list[str]]:
    """Header and rows in which no name is a spreadsheet's formula; numbers stay numbers."""
    names = [column for column in ("cell", "gene") if column in spelled]
    safe = spelled.assign(**{column: spelled[column].map(escape.csv_cell) for column in names})
    return [list(safe.columns), *safe.to_numpy().tolist()]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    objects = frame.astype(object).where(frame.notna(), None)
    for column in _MAY_LACK_PATH:
        if column in objects:
            objects[column] = objects[column].replace({NO_PATH: None})
    return [dict(zip(frame.columns, row, strict=True)) for row in objects.to_numpy().tolist()]


def _parquet(frame: pd.DataFrame) -> bytes:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError(
            "--format parquet needs pyarrow; install velotrace[parquet], or choose csv"
        ) from None
    typed = frame.copy()
    for column in _MAY_LACK_PATH:
        if column in typed:  # a column of numbers again; no path is a null
            typed[column] = typed[column].replace({NO_PATH: None}).astype("Float64")
    buffer = io.BytesIO()
    typed.to_parquet(buffer, index=False)
    return buffer.getvalue()
