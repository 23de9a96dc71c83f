"""Formulas as MathML, made from LaTeX by latex2mathml; numbers are left to the page's script.

A formula with numbers is the same for every cell and gene but for the numbers. It is written once,
with an empty <mn data-s="alpha"> in each place where a number belongs; what follows 'data-s' says
which one, and data-b that a minus sign may stand there without parentheses.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from velotrace.attribution.expressions import parsed
from velotrace.attribution.formulas import Formula
from velotrace.errors import InputError
from velotrace.report.formula_latex import NO_GAP, latex, symbol
from velotrace.report.spelled import DOTS, in_logs, spelled_out

_FIRST = 900_000
"""Places are marked by the numbers from here on while LaTeX becomes MathML."""

_PLACE = re.compile(r"<mn>(9\d{5})</mn>")


@cache
def mathml(text: str) -> str:
    """LaTeX as a MathML element.

    Args:
        text: LaTeX without dollar signs.

    Returns:
        The element, short: without name space and with characters in place of references.

    Raises:
        InputError: latex2mathml is not installed.

    Example:
        >>> mathml("x^2")
        '<math><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>'
    """
    try:
        convert = import_module("latex2mathml.converter").convert
    except ImportError:
        raise InputError(
            "the player writes its formulas with latex2mathml, which is not installed; "
            "install velotrace with its extra: pip install 'velotrace[play]'"
        ) from None
    element = re.sub(r"<math [^>]*>", "<math>", convert(text.replace(NO_GAP, "")), count=1)
    return re.sub(r"&#x[0-9A-Fa-f]+;", lambda found: _character(found[0]), element)


def _character(reference: str) -> str:
    character = html.unescape(reference)
    return reference if character in "<>&" else character


def formula(expression: str) -> str:
    """An expression in symbols."""
    return mathml(latex(in_logs(expression)))


def numbers(expression: str, sizes: Mapping[str, int]) -> str:
    """An expression with places for numbers; empty where it has none.

    Args:
        expression: in the language of `attribution.definitions`.
        sizes: of the dimensions.

    Returns:
        MathML.

    Example:
        >>> numbers("2*mu_z", {})
        '<math><mrow><mn>2</mn><mo>×</mo><mn data-s="mu_z"></mn></mrow></math>'
    """
    places: list[tuple[str, bool]] = []

    def place(name: str, bare: bool) -> str:
        if name == DOTS:
            return symbol(name)
        places.append((name, bare))
        return str(_FIRST + len(places) - 1)

    def put(found: re.Match[str]) -> str:
        name, bare = places[int(found[1]) - _FIRST]
        return f'<mn data-s="{name}"{" data-b" if bare else ""}></mn>'

    text = latex(spelled_out(expression, sizes), place, r"\times ")
    return _PLACE.sub(put, mathml(text)) if places else ""


def slope(found: Formula) -> str:
    """A local derivative as an equation, ∂to/∂of = its formula."""
    above, below = (_grouped(symbol(name)) for name in (found.to, found.of))
    left = rf"\frac{{\partial {above}}}{{\partial {below}}}"
    return mathml(f"{left} = {latex(parsed(found.expression))}")


def _grouped(text: str) -> str:
    """A symbol that reads as one after ∂."""
    return rf"\left[{text}\right]" if re.search(r"[-+]|\\log|\\sum|\\frac|sf T", text) else text
