"""The ledger of the document's statements: each put to the test, each verdict derived.

A `Claim` is a statement in our own words with a pure function that tests it on a `Context`: the
walkthrough's iteration in every reading, trainings from many seeds, and what the document states.
The function returns numbers compared with what they would have to be; one rule, `verdict`, turns
the outcomes in all readings into *holds*, *holds in this reading only*, *loose*, *wrong* or *not
decidable here*.
"""

from velotrace.claims.context import READINGS, Context, Lazy, make_context
from velotrace.claims.document import DOCUMENT, Document
from velotrace.claims.facts import FACTS, Fact, Known
from velotrace.claims.ledger import CLAIMS, Ledger, find, ledger, test
from velotrace.claims.paragraphs import NOTHING, PARAGRAPHS, Paragraph, coverage
from velotrace.claims.records import (
    Check,
    Claim,
    Finding,
    Grade,
    Share,
    Verdict,
    together,
    verdict,
)

__all__ = [
    "CLAIMS",
    "DOCUMENT",
    "FACTS",
    "NOTHING",
    "PARAGRAPHS",
    "READINGS",
    "Check",
    "Claim",
    "Context",
    "Document",
    "Fact",
    "Finding",
    "Grade",
    "Known",
    "Lazy",
    "Ledger",
    "Paragraph",
    "Share",
    "Verdict",
    "coverage",
    "find",
    "ledger",
    "make_context",
    "test",
    "together",
    "verdict",
]
