"""No orphans in the book: equations, functions and named values all have their place.

Read from the sources, so that it needs no built book: labelled equations of the pages, modules that
the API pages describe, commands, claims and exercises that their pages list.
"""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import velotrace
from velotrace.claims import CLAIMS
from velotrace.exercises.catalogue import TOPICS
from velotrace.quantities import VOCABULARY
from velotrace.report import atlas

ROOT = Path(__file__).resolve().parent.parent
BOOK, PACKAGE = ROOT / "book", ROOT / "velotrace"
TOC = re.findall(r"file: (\S+)", (BOOK / "_toc.yml").read_text(encoding="utf-8"))
PAGES = {page: (BOOK / f"{page}.md").read_text(encoding="utf-8") for page in ("intro", *TOC)}
LABEL = re.compile(r"(?m)^\$\$ \((eq-[a-z0-9-]+)\)$")

# Parts whose functions are no interface: what they are for is on the page named.
SHOWN_BY = {
    "velotrace.cli": "cli",  # one command each
    "velotrace.claims.statements": "ledger",  # one row each
    "velotrace.exercises.topics": "exercises",  # one row each
    "velotrace.exercises.sandbox": "instructors",  # how students' code is confined
    "velotrace.report.player": "player",
    "velotrace.report.stepper": "stepper",
    "velotrace.scenario.schema": "build",  # the keys of a scenario, all of which it prints
}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def public_names(path: Path) -> list[str]:
    """Functions and classes at the top of a module that carry no underscore."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]


DESCRIBED = set(re.findall(r"automodule:: (\S+)", "\n".join(PAGES.values())))


def test_every_page_is_in_the_table_of_contents() -> None:
    written = {p.relative_to(BOOK).with_suffix("").as_posix() for p in BOOK.rglob("[a-z]*.md")
               if "_build" not in p.parts}  # fmt: skip
    assert written == set(PAGES)


def test_every_labelled_equation_is_in_the_atlas_and_on_its_page() -> None:
    labelled = {label: page for page, text in PAGES.items() for label in LABEL.findall(text)}
    assert {place.label: place.page for place in atlas.ATLAS} == labelled
    assert len(atlas.ATLAS) == len(labelled)  # none twice


@pytest.mark.parametrize("place", atlas.ATLAS, ids=lambda place: place.label)
def test_an_equation_has_a_function_and_a_row_of_the_trace(place: atlas.Place) -> None:
    assert place.functions
    assert place.values
    for name in place.functions:
        home, _, function = f"velotrace.{name}".rpartition(".")
        assert callable(getattr(import_module(home), function))
        assert home in DESCRIBED, f"no API page describes {home}"
    assert {*place.values, *place.uses} <= VOCABULARY.keys()


def test_a_page_with_equations_says_where_to_find_them() -> None:
    pages = {place.page for place in atlas.ATLAS}
    assert [page for page in sorted(pages) if f'book.where("{page}")' not in PAGES[page]] == []


def test_every_row_of_an_equation_is_recorded_or_held(walkthrough: velotrace.Trace) -> None:
    held = {name for name, quantity in VOCABULARY.items() if quantity.role == "held"}
    recorded = set(walkthrough.tape.names) | held
    assert {name for place in atlas.ATLAS for name in place.values} <= recorded


def test_every_named_value_has_an_equation_and_so_a_page() -> None:
    assert [name for name in VOCABULARY if not atlas.of_value(name)] == []


def test_every_public_function_is_described_or_shown() -> None:
    orphans = []
    for module, path in modules().items():
        shown = any(module == part or module.startswith(f"{part}.") for part in SHOWN_BY)
        if not shown and module not in DESCRIBED:
            orphans += [f"{module}.{name}" for name in public_names(path)]
    assert orphans == []


def test_what_is_described_exists() -> None:
    assert sorted(DESCRIBED - modules().keys()) == []


def test_every_name_of_the_package_is_on_the_first_page_of_the_interface() -> None:
    missing = [name for name in velotrace.__all__ if not re.search(rf"\b{name}\b", PAGES["api"])]
    assert set(missing) <= {"__version__", "evaluate"}


def test_every_command_is_on_its_page() -> None:
    assert "for name in commands]" in PAGES["cli"]  # which lists those of the application
    nested = re.search(r'\["exercise", name\] for name in \(([^)]*)\)', PAGES["cli"])
    assert nested is not None
    listed = {name.strip(' "') for name in nested[1].split(",")}
    assert listed == {command.name for command in exercise_commands()}


def exercise_commands() -> list[Any]:
    from typer.main import get_command

    from velotrace.cli import app

    return list(get_command(app).commands["exercise"].commands.values())  # type: ignore[attr-defined]


def test_ledger_and_exercises_list_all() -> None:
    assert len(CLAIMS) > 100
    assert "ledger_pages" in PAGES["ledger"]
    assert "all_exercises()" in PAGES["exercises"]
    assert [topic for topic in TOPICS if f'exercises("{topic}")' not in PAGES[topic]] == []


def test_an_orphan_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted errors: an equation without an entry, and a module without a page."""
    monkeypatch.setitem(PAGES, "times", PAGES["times"] + "\n$$\nx\n$$ (eq-orphan)\n")
    with pytest.raises(AssertionError):
        test_every_labelled_equation_is_in_the_atlas_and_on_its_page()
    monkeypatch.setattr(f"{__name__}.DESCRIBED", DESCRIBED - {"velotrace.model.kinetics"})
    with pytest.raises(AssertionError):
        test_every_public_function_is_described_or_shown()
