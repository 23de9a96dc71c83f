"""Feedback without TeX: a terminal and a table of grades show letters, not formulas."""

from __future__ import annotations

import re
import unicodedata

_LETTERS = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "sigma": "σ",
    "Sigma": "Σ",
    "mu": "μ",
    "pi": "π",
    "tau": "τ",
    "varepsilon": "ε",
    "partial": "∂",
    "sum": "Σ",
    "log": "log ",
    "frac12": "½ ",
    "top": "T",
    ",": " ",
}
_ACCENTS = {"bar": "\u0304", "hat": "\u0302"}
_RAISED = str.maketrans("0123456789()T", "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾ᵀ")

_COMMAND = re.compile(
    r"\\(?:math(?:rm|cal)\{(\w+)\}|(bar|hat) ?(\w)|(frac12|[a-zA-Z]+|,)(?: (?=[a-zA-Z]))?)"
)


def in_plain_letters(message: str) -> str:
    r"""A message whose formulas, between dollar signs, are written in letters.

    Example:
        >>> in_plain_letters(r"Divided by $\sigma$, not $\sigma^2$; $\bar u$ lacks $e^{-\beta t}$.")
        'Divided by σ, not σ²; ū lacks e^(−βt).'
    """
    text = re.sub(r"\$([^$]+)\$", lambda found: _formula(found[1]), message)
    return re.sub(r"\*([a-z]+)\*", r"\1", text)


def _formula(tex: str) -> str:
    tex = re.sub(r"\^\{\(?([^{}()]*)\)?\}", r"^(\1)", tex)
    tex = _COMMAND.sub(_letter, tex)
    tex = re.sub(r"\^(\(\d\)|[\dT])", lambda found: found[1].translate(_RAISED), tex)
    tex = tex.replace("^*", "*").replace("-", "−").replace("log (", "log(")
    return re.sub(r" +", " ", unicodedata.normalize("NFC", tex)).strip()


def _letter(found: re.Match[str]) -> str:
    word, accent, accented, command = found.groups()
    if accent:
        return accented + _ACCENTS[accent]
    return word or _LETTERS[command]
