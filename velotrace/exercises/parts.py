"""How an exercise is put together: parts of each kind, and parameters stated in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.records import LETTERS, Kind, Part, Slip, Tolerance
from velotrace.exercises.wording import in_plain_letters


class UnsuitableError(Exception):
    """These parameters make no good question; others are tried."""


Wrong = tuple[str, Any, str]  # a slip: its key, what it gives, what the student reads


@dataclass(frozen=True, slots=True)
class Draft:
    """What the maker of an exercise returns; the catalogue adds its name and checks it."""

    text: str
    parts: Sequence[Part]
    solution: str
    figure: Callable[[], bytes] | None = None
    figure_alt: str = ""


Entry = tuple[str, str, Kind, Callable[[Chooser], Draft]]
"""An exercise's name, title and kind, and the function that makes the question."""

SIGN = ("sign", "The size is right, the sign is not.")


def number(
    prompt: str,
    answer: Any,
    *wrong: Wrong,
    digits: int = 4,
    absolute: float = 0.0,
    points: int = 1,
    signed: bool = True,
) -> Part:
    """A part whose answer is one number; the wrong sign is among the slips unless it cannot be.

    Args:
        prompt: Markdown.
        answer: the right number.
        *wrong: key, number and message of each likely slip.
        digits: significant digits asked for.
        absolute: allowed difference.
        points: for the right answer.
        signed: whether the wrong sign is a likely slip.
    """
    right = float(answer)
    slips = [_slip(key, float(gives), message) for key, gives, message in wrong]
    if signed:
        slips.append(_slip(SIGN[0], -right, SIGN[1]))
    return Part("", "number", prompt, right, tuple(slips), Tolerance(digits, absolute), points)


def vector(
    prompt: str,
    answer: Any,
    labels: Sequence[str],
    *wrong: Wrong,
    digits: int = 4,
    points: int = 2,
) -> Part:
    """A part whose answer is a list of numbers, each with a label for the feedback."""
    slips = tuple(_slip(key, _tuple(gives), message) for key, gives, message in wrong)
    tolerance = Tolerance(digits)
    return Part(
        "", "vector", prompt, _tuple(answer), slips, tolerance, points, labels=tuple(labels)
    )


def _slip(key: str, answer: Any, message: str) -> Slip:
    return Slip(key, answer, in_plain_letters(message))


def _tuple(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in np.asarray(values, dtype=np.float64).ravel())


def choice(
    chooser: Chooser,
    name: str,
    prompt: str,
    right: str,
    *wrong: tuple[str, str, str],
    points: int = 1,
) -> Part:
    """A part with options to choose from, in an order of the student's own.

    Args:
        chooser: shuffles the options.
        name: of the shuffle.
        prompt: Markdown.
        right: the right option.
        *wrong: key, option and message of each other option.
        points: for the right answer.
    """
    texts = [right, *(option for _, option, _ in wrong)]
    order = chooser.order(name, len(texts))
    letter = {original: LETTERS[place] for place, original in enumerate(order)}
    slips = tuple(_slip(key, letter[i], message) for i, (key, _, message) in enumerate(wrong, 1))
    options = tuple(texts[original] for original in order)
    return Part("", "choice", prompt, letter[0], slips, points=points, options=options)


def line(prompt: str, answer: int, lines: Sequence[str], *suspects: tuple[int, str]) -> Part:
    """A part that asks for the number of the wrong line; some right ones are suspect."""
    slips = tuple(
        _slip(f"line {place} suspected", place, f"Line {place} is right. {why}")
        for place, why in suspects
        if place != answer
    )
    return Part("", "line", prompt, answer, slips, options=tuple(lines))


def code(
    prompt: str,
    function: Callable[..., Any],
    arguments: Sequence[str],
    probes: Sequence[Sequence[float]],
    *wrong: tuple[str, Callable[..., Any], str],
    digits: int = 6,
    points: int = 3,
) -> Part:
    """A part whose answer is a function, compared with the engine's on hidden points.

    Args:
        prompt: Markdown.
        function: the engine's.
        arguments: their names, in order.
        probes: the hidden points.
        *wrong: key, function and message of each likely slip; where such a function raises, a
            student's that stops, or returns no finite number, counts as the same.
        digits: significant digits that must agree.
        points: for the right answer.
    """
    answer = _tuple([function(*probe) for probe in probes])
    slips = tuple(
        _slip(key, tuple(_tried(gives, probe) for probe in probes), message)
        for key, gives, message in wrong
    )
    hidden = tuple(tuple(map(float, probe)) for probe in probes)
    return Part(
        "", "code", prompt, answer, slips, Tolerance(digits), points,
        arguments=tuple(arguments), probes=hidden,
    )  # fmt: skip


def _tried(function: Callable[..., Any], probe: Sequence[float]) -> float | None:
    try:
        return float(function(*probe))
    except ArithmeticError:
        return None


# ---- parameters in a sentence ---------------------------------------------------------------

SYMBOLS = {
    "alpha": r"\alpha",
    "beta": r"\beta",
    "gamma": r"\gamma",
    "time": "t",
    "switch_time": "t^s",
    "t_max": r"t_{\max}",
    "sigma": r"\sigma",
    "u_0": "u^0",
    "s_0": "s^0",
    "u_bar": r"\bar u",
    "s_bar": r"\bar s",
    "mu": r"\mu_z",
    "log_var": r"\log\Sigma_z",
    "epsilon": r"\varepsilon_z",
    "rho_1": r"\rho^{(1)}",
    "rho_3": r"\rho^{(3)}",
    "u_star": "u^*",
    "s_star": "s^*",
    "eta": r"\eta",
    "lambda_": r"\lambda",
}


def stated(**values: Any) -> str:
    r"""Parameters in a sentence.

    Example:
        >>> stated(alpha=0.85, time=8.0)
        '$\\alpha = 0.85$ and $t = 8$'
    """
    formulas = [f"${SYMBOLS.get(name, name)} = {plain(value)}$" for name, value in values.items()]
    return joined(formulas)


def joined(words: Sequence[str]) -> str:
    """Words with commas and a last 'and'."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def plain(value: Any) -> str:
    """A number as it is written in a question; a list in brackets."""
    if isinstance(value, (list, tuple, np.ndarray)):
        signed = (f"{{{plain(x)}}}" if x < 0 else plain(x) for x in value)  # {-1}: no minus between
        return "(" + ",\\ ".join(signed) + ")"
    return f"{value:.10g}"


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table of words and numbers; columns of numbers stand to the right.

    Example:
        >>> print(table(["cell", "u"], [["Cell 1", 0.5], ["Cell 2", "0.25"]]))
        | cell | u |
        | --- | --: |
        | Cell 1 | 0.5 |
        | Cell 2 | 0.25 |
    """
    body = [[c if isinstance(c, str) else plain(c) for c in row] for row in rows]
    numbers = [all(map(_is_number, column)) for column in zip(*body, strict=True)]
    lines = [headers, ["--:" if right else "---" for right in numbers]]
    return "\n".join("| " + " | ".join(line) + " |" for line in [*lines, *body])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
