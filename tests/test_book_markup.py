"""What the book's extensions mend in the markup that Sphinx and the theme write."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("sphinx", reason="the extensions are Sphinx's: make test-book")

EXTENSIONS = Path(__file__).resolve().parent.parent / "book" / "_ext"
FORMULA = r'<span class="math notranslate nohighlight">\(\beta\)</span>'


def extension(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXTENSIONS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("after", [",", ".", "’s", ' = <span class="pasted-text">0.1</span>,'])
def test_a_formula_stays_with_what_belongs_to_it(after: str) -> None:
    made = extension("unbroken").bound(f"<p>the rate {FORMULA}{after} as before</p>")
    assert made == f'<p>the rate <span class="unbroken">{FORMULA}{after}</span> as before</p>'


def test_two_formulas_are_bound_one_by_one() -> None:
    made = extension("unbroken").bound(f"<p>{FORMULA}, then {FORMULA} and {FORMULA}.</p>")
    assert made.count("unbroken") == 2
    assert re.sub(r'<span class="unbroken">(.*?</span>[,.])</span>', r"\1", made) == (
        f"<p>{FORMULA}, then {FORMULA} and {FORMULA}.</p>"
    )


def test_headers_say_whose_they_are_and_a_table_what_it_has() -> None:
    made = extension("accessible").with_captions(
        "<h2>Rates</h2><table><thead><tr><th>gene</th><th>value</th></tr></thead>"
        "<tbody><tr><th>A</th><td>1</td></tr></tbody></table>"
    )
    assert '<caption class="visually-hidden">Rates: gene, value</caption>' in made
    assert made.count('<th scope="col">') == 2
    assert made.count('<th scope="row">') == 1


def test_a_caption_that_can_be_seen_is_left_alone() -> None:
    table = "<table><caption>Rates</caption><tbody><tr><td>1</td></tr></tbody></table>"
    assert extension("accessible").with_captions(table) == table
