"""Data frames for a terminal."""

from __future__ import annotations

import pandas as pd
from pandas.api.types import is_numeric_dtype
from tabulate import tabulate

from velotrace.report import escape
from velotrace.report.blocks import number


def frame_text(frame: pd.DataFrame) -> str:
    """A data frame as a table of text, numbers shortened and to the right.

    Example:
        >>> print(frame_text(pd.DataFrame({"gene": ["A"], "beta": [1.0 / 3.0]})))
        gene        beta
        ------  --------
        A       0.333333
    """
    rows = [
        [number(cell) if isinstance(cell, float) else escape.terminal(cell) for cell in row]
        for row in frame.itertuples(index=False)
    ]
    align = ["right" if is_numeric_dtype(frame[name]) else "left" for name in frame.columns]
    return tabulate(rows, list(frame.columns), "simple", disable_numparse=True, colalign=align)
