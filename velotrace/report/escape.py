r"""Names of cells and genes, and titles, as text of the formats they are written in.

They come from people's files and may hold anything. Files that programs read (JSON, CSV, Parquet)
keep every character; what people look at (terminal, HTML, Markdown, LaTeX, figures) spells out what
cannot be seen, so that two names that differ look different and none moves the cursor or turns the
direction of writing: a right-to-left override shows as \u202e.
"""

from __future__ import annotations

import csv
import html as _html
import json as _json
import re
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

_UNUSUAL = re.compile(r"[^ -~]")


def terminal(text: object) -> str:
    r"""One line of text for people to see, with what cannot be seen spelled out.

    Spelled as Python does: control characters, of which some are commands to a terminal, line
    breaks, marks that turn the direction of writing, spaces that are not the common one, and what
    has no width or no meaning. `str.isprintable` says which.

    Example:
        >>> print(terminal("\x1b[2J"), terminal("gene\n1"), terminal("\u202eA"), terminal("ä 基"))
        \x1b[2J gene\n1 \u202eA ä 基
    """
    return _UNUSUAL.sub(_spelled, str(text))


def _spelled(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else repr(found[0])[1:-1]


# ---- for people -----------------------------------------------------------------------------


def html(text: object) -> str:
    """Text for HTML, between tags or within a quoted attribute.

    Example:
        >>> html('<script>alert("1")</script>')
        '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;'
    """
    return _html.escape(terminal(text), quote=True)


_MARKUP = re.compile(
    r"[\\`*{}<$|~#]"  # means something wherever it stands
    r"|(?<!\w)_+|(?<!_)_+(?!\w)"  # emphasis, but not within a word
    r"|&(?=[#\w])"  # an entity
    r"|\](?=\()"  # a link, or an image
    r"|:(?=//)|(?<=www)\.|@"  # an address
    r"|^[>:%(]|^[-+=](?=[-+=\s]|$)|^\[(?=[ xX]\])"  # a quotation, comment, list, task
)
_NUMBERED = re.compile(r"^([0-9]+)([.)])(?=\s|$)")


def markdown(text: object) -> str:
    r"""Text for Markdown (CommonMark, GitHub's and MyST), in a sentence or a cell of a table.

    Only what would mean something else is escaped: numbers and most names stay as they are.

    Example:
        >>> print(markdown("a|b"), markdown("$x$"), markdown("log_density_u"), markdown("-0.5"))
        a\|b \$x\$ log_density_u -0.5
    """
    escaped = _MARKUP.sub(lambda found: "".join(f"\\{c}" for c in found[0]), terminal(text))
    return _NUMBERED.sub(r"\1\\\2", escaped)


_LATEX: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{c: f"\\{c}" for c in "{}$&#%_"},
}


def latex(text: object) -> str:
    r"""Text for LaTeX outside a formula, or inside one within \text{…}.

    Example:
        >>> print(latex(r"$\alpha$"), latex("100 %"), latex("a_1"))
        \$\textbackslash{}alpha\$ 100 \% a\_1
    """
    return "".join(_LATEX.get(c, c) for c in terminal(text))


def figure(text: object) -> str:
    r"""Text for a figure of Matplotlib, which reads what stands between two dollars as a formula.

    Example:
        >>> print(figure(r"$\alpha$"))
        \$\alpha\$
    """
    return terminal(text).replace("$", r"\$")


# ---- for programs ---------------------------------------------------------------------------


def json(value: Any, *, indent: int | None = None, separators: Any = None) -> str:
    r"""Strict JSON that also a terminal can show: what cannot be seen is spelled by its number.

    Args:
        value: of dicts, lists, text, finite numbers, booleans and None.
        indent: as for `json.dumps`.
        separators: likewise.

    Returns:
        JSON without a final line break; it reads back as what was given.

    Raises:
        ValueError: a number is inf or nan.

    Example:
        >>> print(json(["β", "\x1b[2J", "\u202eA"]))
        ["β", "\u001b[2J", "\u202eA"]
    """
    text = _json.dumps(
        value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
    )
    return _INVISIBLE.sub(_as_unicode, text)


_INVISIBLE = re.compile(r"[^\n -~]")


def _as_unicode(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else _json.dumps(found[0])[1:-1]


_SCRIPT = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&"})


def script_json(value: Any) -> str:
    r"""JSON for a script element of HTML, which no text in it can end.

    It is valid JSON and valid JavaScript, and reads back as what was given.

    Example:
        >>> print(script_json({"gene": "</script>"}))
        {"gene":"\u003c/script\u003e"}
    """
    return json(value, separators=(",", ":")).translate(_SCRIPT)


_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def csv_cell(name: str) -> str:
    """A name for a cell of CSV that no spreadsheet takes for a formula.

    A name that begins with =, +, -, @, a tab or a line break (or the wide form of one of these)
    gets an apostrophe before it, which spreadsheets take to mean text. So does one that has
    apostrophes before such a character, so that `from_csv_cell` gives back what was written.

    Example:
        >>> csv_cell("=cmd()"), csv_cell("it's"), csv_cell("'=cmd()")
        ("'=cmd()", "it's", "''=cmd()")
    """
    return f"'{name}" if _FORMULA.match(name) else name


def from_csv_cell(cell: str) -> str:
    """The name that `csv_cell` wrote.

    Example:
        >>> from_csv_cell("'=cmd()"), from_csv_cell("it's"), from_csv_cell("'A'")
        ('=cmd()', "it's", "'A'")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    r"""Rows as the text of a CSV file, lines ended by a line feed.

    A carriage return within a cell is quoted too, as every reader wants it; Python's csv does so
    only where lines end in one.

    Example:
        >>> csv_text([["cell", "value"], ["a\rb", "-1.5"]])
        'cell,value\n"a\rb",-1.5\n'
    """
    lines: list[str] = []
    stream = SimpleNamespace(write=lambda line: lines.append(line.removesuffix("\r\n") + "\n"))
    csv.writer(stream, lineterminator="\r\n").writerows(rows)
    return "".join(lines)
