"""The certificate table: three routes to every gradient, side by side."""

from __future__ import annotations

import textwrap
from dataclasses import asdict

from velotrace.certificates import Certificate, Report
from velotrace.certificates.certify import EXACT, Pair
from velotrace.report import escape
from velotrace.report.blocks import Table
from velotrace.report.render import text_table


def verdict(certificate: Certificate) -> str:
    """One word for a row."""
    if not certificate.holds:
        return "BREACH"
    return "holds" if certificate.checked else "kink"


def exact_table(report: Report) -> Table:
    """Tape against the pass by hand, two exact routes."""
    rows = [
        [c.name, f"{c.largest:.4g}", tiny(c.tape_hand.absolute), tiny(c.tape_hand.relative),
         tiny(c.tape_hand.bound), "holds" if c.tape_hand.worst <= 1.0 else "BREACH"]
        for c in report.certificates
    ]  # fmt: skip
    headers = ["adjoint of", "largest", "tape−hand", "relative", "bound", "verdict"]
    return Table("Tape and hand", headers, rows)


def differences_table(report: Report) -> Table:
    """Either of them against finite differences; bound and step are those of the worst place."""
    rows = [
        [c.name, tiny(c.step),
         *_pair(c.tape_differences), *_pair(c.hand_differences),
         tiny(c.tape_differences.bound), verdict(c)]
        for c in report.certificates
    ]  # fmt: skip
    headers = ["adjoint of", "step", "tape−fd", "rel.", "hand−fd", "rel.", "bound", ""]
    return Table("Finite differences", headers, rows)


def summary(report: Report) -> str:
    """What came out, in a line or two."""
    count, bad = len(report.certificates), [c.name for c in report.certificates if not c.holds]
    if bad:
        return f"{len(bad)} of {count} adjoints breach their bound: {', '.join(bad)}."
    numbers, checked = (
        sum(getattr(c, field) for c in report.certificates) for field in ("components", "checked")
    )
    agree = f"All {count} adjoints agree by three routes"
    if checked == numbers:
        return f"{agree}, in each of their {numbers} numbers."
    left = f"finite differences checked {checked} of {numbers} numbers"
    why = "--most sets how many; at a corner of relu or at a clamp there is none"
    return f"{agree}; {left} ({why})."


def explanation(report: Report) -> str:
    """How the bounds were derived, with this iteration's numbers."""
    return textwrap.fill(
        f"Tape and hand may differ by {EXACT:g} of the largest component, or by what rounding "
        "every value of the forward pass does to it where that is more. A difference quotient "
        f"of step h may be off by 1.5 δ/h, where δ = {report.noise:.1e} is the round-off of the "
        "loss (2ε Σ |value × adjoint| over all operations of the tape), and by the change from "
        "the step before; the step with the smallest sum is used. Step and bound are those of "
        "the number that comes closest to its bound.",
        80,
    )


def check_text(report: Report) -> str:
    """The report for a terminal of 80 columns."""
    parts = [
        _headed(exact_table(report)),
        _headed(differences_table(report)),
        explanation(report),
        _no_path(report),
        textwrap.fill(summary(report), 80),
    ]
    return "\n\n".join(parts) + "\n"


def check_markdown(report: Report) -> str:
    """The same as Markdown."""
    tables = (exact_table(report), differences_table(report))
    parts = [f"## {t.title}\n\n{text_table(t, 'github')}" for t in tables]
    return "\n\n".join([*parts, explanation(report), _no_path(report), summary(report)]) + "\n"


def check_json(report: Report) -> str:
    """The same as JSON, every figure in full."""
    rows = [asdict(c) | {"holds": c.holds} for c in report.certificates]
    content = {
        "holds": report.holds,
        "noise": report.noise,
        "no_path": list(report.without_path),
        "certificates": rows,
    }
    return escape.json(_without_nan(content), indent=1) + "\n"


def _headed(table: Table) -> str:
    return f"{table.title}\n{'-' * len(table.title)}\n{text_table(table)}"


def _no_path(report: Report) -> str:
    return textwrap.fill("No path to the loss: " + ", ".join(report.without_path) + ".", 80)


def _pair(pair: Pair) -> list[str]:
    return [tiny(pair.absolute), f"{pair.relative:.0e}".replace("e-0", "e-")]


def tiny(value: float) -> str:
    """A small number with two digits; a dash where there is none."""
    if value != value:
        return "—"
    return "0" if value == 0.0 else f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e+")


def _without_nan(content: object) -> object:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    if isinstance(content, float) and (content != content or content in (float("inf"),)):
        return None
    return content
