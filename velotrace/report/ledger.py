"""The ledger as people and programs read it: text, Markdown, JSON, CSV; one claim in full."""

from __future__ import annotations

import math
from collections.abc import Iterable
from textwrap import fill, indent
from typing import Any

from tabulate import tabulate

from velotrace.claims.ledger import Ledger
from velotrace.claims.records import ANY, Check, Checks, Finding, Number, shown
from velotrace.report import escape

FORMATS = ("text", "md", "json", "csv")
WIDTH = 80
COLUMNS = ("id", "section", "says", "test", "found", "verdict", "right")


def render(ledger: Ledger, style: str) -> str:
    """The whole ledger, or the claims that were asked for.

    Args:
        ledger: tested.
        style: one of `FORMATS`.

    Returns:
        Text that ends in a line break.
    """
    return {"text": text, "md": markdown, "json": json, "csv": csv}[style](ledger)


# ---- for people -----------------------------------------------------------------------------


def text(ledger: Ledger) -> str:
    """A table for a terminal of 80 columns, the summary below it."""
    rows = [[f.claim.section, f.claim.id, f.verdict.value, f.claim.says] for f in ledger.findings]
    table = tabulate(rows, ["§", "claim", "verdict", "says"], "simple",
                     maxcolwidths=[4, 24, 13, 33], disable_numparse=True)  # fmt: skip
    facts = [fill(f"- {one.text}", WIDTH, subsequent_indent="  ") for one in ledger.facts]
    known = ["Things to know beside them:\n" + "\n".join(facts)] if facts else []
    return "\n\n".join([table, ledger.summary, *known]) + "\n"


def in_full(finding: Finding) -> str:
    """One claim: the statement, how it was tested, the code that ran, the numbers, the verdict."""
    claim = finding.claim
    title = f"{claim.id} (section {claim.section})"
    parts = [
        f"{title}\n{'=' * len(title)}",
        fill(f"The document says: {claim.says}", WIDTH),
        fill(f"Test: {claim.how}", WIDTH),
        f"{claim.function}\n\n{indent(claim.source, '    ')}",
        *(_numbers(reading, checks) for reading, checks in finding.evidence.items()),
        f"Verdict: {finding.verdict.value}",
    ]
    if len(finding.outcomes) > 1:
        parts.append(fill(f"Holds in: {', '.join(finding.holds_in) or 'none of these'}", WIDTH))
    if finding.right:
        parts.append(fill(f"Right: {finding.right}", WIDTH))
    return "\n\n".join(parts) + "\n"


def _numbers(reading: str, checks: Checks) -> str:
    rows = [[_grade(check), check.what, found(check), check.wanted] for check in checks]
    table = tabulate(rows, ["", "number", "found", "wanted"], "simple",
                     maxcolwidths=[7, 30, 22, 15], disable_numparse=True)  # fmt: skip
    title = "" if reading == ANY else f"{reading}\n"
    return title + table


def _grade(check: Check) -> str:
    return "" if check.grade is None else check.grade.value


def found(check: Check, digits: int = 6) -> str:
    """What a check found, with its interval where it is a share."""
    return str(check.share) if check.share is not None else shown(check.found, digits)


def in_words(finding: Finding) -> str:
    """What was found in the reading that the verdict is about, in one line."""
    return "; ".join(f"{check.what}: {found(check)}" for check in finding.shown)


def markdown(ledger: Ledger) -> str:
    """Tables in GitHub's Markdown, and the summary."""
    rows = [
        [f.claim.section, f"`{f.claim.id}`",
         *map(escape.markdown, (f.claim.says, in_words(f), f.verdict.value, f.right))]
        for f in ledger.findings
    ]  # fmt: skip
    headers = ["section", "claim", "says", "found", "verdict", "right"]
    facts = "\n".join(f"- {escape.markdown(one.text)}" for one in ledger.facts)
    known = ["## Things to know beside them", facts] if facts else []
    table = tabulate(rows, headers, "github", disable_numparse=True)
    return "\n\n".join(["# Ledger", table, ledger.summary, *known]) + "\n"


# ---- for programs ---------------------------------------------------------------------------


def json(ledger: Ledger) -> str:
    """A list of objects with the keys of `COLUMNS`; `found` is by reading, a list of checks."""
    return escape.json([record(finding) for finding in ledger.findings], indent=1) + "\n"


def record(finding: Finding) -> dict[str, Any]:
    """One claim as JSON holds it."""
    claim = finding.claim
    return {
        "id": claim.id,
        "section": claim.section,
        "says": claim.says,
        "test": f"{claim.function}: {claim.how}",
        "found": {r: [_check(check) for check in checks] for r, checks in finding.evidence.items()},
        "verdict": finding.verdict.value,
        "right": finding.right,
    }


def _check(check: Check) -> dict[str, Any]:
    made: dict[str, Any] = {
        "what": check.what,
        "found": _finite(check.found),
        "wanted": check.wanted or None,
        "outcome": None if check.grade is None else check.grade.value,
    }
    if check.share is not None:
        made["share"] = {
            "successes": check.share.successes,
            "runs": check.share.runs,
            "low": check.share.low,
            "high": check.share.high,
        }
    return made


def _finite(value: Number) -> Any:
    """JSON has no NaN: what is no number is null."""
    if isinstance(value, tuple):
        return [_finite(x) for x in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def csv(ledger: Ledger) -> str:
    """One row a claim, the columns of `COLUMNS`."""
    rows: Iterable[list[str]] = (
        [f.claim.id, f.claim.section, f.claim.says, f"{f.claim.function}: {f.claim.how}",
         in_words(f), f.verdict.value, f.right]
        for f in ledger.findings
    )  # fmt: skip
    return escape.csv_text([list(COLUMNS), *rows])
