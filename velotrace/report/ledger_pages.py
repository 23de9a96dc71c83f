"""The ledger in the book: its tables, and one claim's numbers for a page that teaches it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from velotrace.claims.ledger import CLAIMS, Ledger
from velotrace.claims.paragraphs import NOTHING, PARAGRAPHS, coverage
from velotrace.claims.records import ANY, Check, Finding, Grade, Number, Verdict
from velotrace.report import escape
from velotrace.report.book_tables import markdown, typeset
from velotrace.report.ledger import found

DIGITS = 4
"""Of what was found, in tables; the command line has more."""

_NUMBER = re.compile(r"(?<![\w.−-])-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?(?!\w|\.[0-9])")


def prose(text: str) -> str:
    """A sentence with computed numbers in the book's typography, safe in a cell of a table."""
    return _NUMBER.sub(lambda number: typeset(number[0]), escape.markdown(text))


def section_table(ledger: Ledger, section: str) -> str:
    """The claims of a section: the verdict, what is said and what is right, what was found."""
    rows = [
        [_verdict(one), _statement(one), _findings(one)]
        for one in ledger.findings
        if one.claim.section == section
    ]
    return markdown(["verdict", "it says", "found"], rows, 3)


def _statement(finding: Finding) -> str:
    right = f"<br>**Right:** {prose(finding.right)}" if finding.right else ""
    return f"{prose(finding.claim.says)}{right}<br>`{finding.claim.id}`"


def _findings(finding: Finding) -> str:
    """The numbers that decide, one below the other, and the page that makes them."""
    graded = [check for check in finding.shown if check.grade is not None]
    lines = [prose(f"{check.what}: {found(check, DIGITS)}") for check in graded]
    return "<br>".join([*lines, f"→ [](./{finding.claim.page})"])


def _verdict(finding: Finding) -> str:
    plain = finding.verdict is Verdict.HOLDS
    return finding.verdict.value if plain else f"**{finding.verdict.value}**"


def readings_table(finding: Finding) -> str:
    """One claim in every reading: what was found, and what that says of it."""
    several = ANY not in finding.evidence
    rows = [
        [
            *([reading] if several else []),
            prose(check.what),
            prose(found(check, DIGITS)),
            _outcome(check),
        ]
        for reading, checks in finding.evidence.items()
        for check in checks
    ]
    headers = [*(["reading"] if several else []), "number", "found", "so it"]
    return markdown(headers, rows, len(headers))


def _outcome(check: Check) -> str:
    words = {
        Grade.HOLDS: "holds",
        Grade.PARTLY: "holds in part",
        Grade.FAILS: "fails",
        Grade.OPEN: "stays open",
    }
    return "" if check.grade is None else words[check.grade]


def claims_table(*findings: Finding) -> str:
    """What the ledger says of some claims, for the end of a page that teaches them."""
    rows = [
        [f"`{one.claim.id}`", prose(one.claim.says), prose(one.claim.how), _verdict(one)]
        for one in findings
    ]
    return markdown(["claim", "it says", "the test", "verdict"], rows, 4)


def numbers(finding: Finding) -> dict[str, Number]:
    """The numbers of a claim in its own reading by their keys, for a page's sentences."""
    return {check.key: check.found for check in finding.shown}


def verdict_counts(ledger: Ledger) -> str:
    """How many claims got each verdict."""
    rows = [[verdict.value, count] for verdict, count in ledger.counts.items()]
    return markdown(["verdict", "claims"], rows)


def facts_list(ledger: Ledger) -> str:
    """The things to know beside the claims, each with the place that explains it."""
    return "\n".join(f"- {prose(known.text)} [More]({known.fact.page})." for known in ledger.facts)


def paragraph_table() -> str:
    """Every paragraph of the document with its claims, or why it makes none."""
    claims = coverage(CLAIMS)
    rows = [
        [str(p.number), p.about, _ids(claims[p.number]) or f"nothing to check: {NOTHING[p.number]}"]
        for p in PARAGRAPHS
    ]
    return markdown(["", "paragraph", "claims"], rows, 3)


def _ids(ids: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in ids)
