"""CITATION.cff: valid by the Citation File Format 1.2.0, and in step with the package."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import velotrace

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parent.parent
REQUIRED = {"authors", "cff-version", "message", "title"}
ALLOWED = REQUIRED | {
    *("abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords"),
    *("license", "license-url", "preferred-citation", "references", "repository"),
    *("repository-artifact", "repository-code", "type", "url", "version"),
}
"""Keys of a citation file; no other is valid."""
REFERENCE_REQUIRED = {"authors", "title", "type"}


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return found


def problems(citation: dict[str, Any]) -> list[str]:
    """What the format forbids, in words."""
    found = [f"{key} is missing" for key in sorted(REQUIRED - citation.keys())]
    found += [f"{key} is no key of the format" for key in sorted(citation.keys() - ALLOWED)]
    if citation.get("cff-version") != "1.2.0":
        found.append("cff-version is not 1.2.0")
    if citation.get("type", "software") not in ("software", "dataset"):
        found.append("type is neither software nor dataset")
    for key in (
        "version",
        "title",
        "message",
        "license",
    ):  # a version 0.1 would be read as a number
        if key in citation and not isinstance(citation[key], str):
            found.append(f"{key} is no text")
    found += _of_authors(citation.get("authors", []))
    for reference in citation.get("references", []):
        found += [f"reference: {key} is missing" for key in REFERENCE_REQUIRED - reference.keys()]
        found += _of_authors(reference.get("authors", []))
        if not re.fullmatch(r"10\.\d{4,9}(\.\d+)?/[A-Za-z0-9:/_;\-.()\[\]\\]+", reference["doi"]):
            found.append("reference: doi has not the form of one")
    return found


def _of_authors(authors: list[dict[str, str]]) -> list[str]:
    named = [author for author in authors if {"name", "family-names", "alias"} & author.keys()]
    return [] if named == authors and authors else ["an author without a name, or none at all"]


def test_the_file_is_valid(citation: dict[str, Any]) -> None:
    assert problems(citation) == []


def test_it_names_this_version_and_licence(citation: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == velotrace.__version__
    assert citation["license"] == project["license"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in project["authors"]
    ]
    assert citation["keywords"] == project["keywords"]


def test_it_refers_to_the_paper_as_the_book_does(citation: dict[str, Any]) -> None:
    [paper] = citation["references"]
    assert paper["doi"] == "10.1038/s41592-023-01994-w"
    entry = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    entry = entry[entry.index("@article{gayoso2023") :].split("\n}\n")[0]
    assert paper["doi"] in entry
    title = re.sub(r"[{}]", "", re.findall(r"title\s+= \{(.*)\},", entry)[0])
    assert paper["title"] == title
    for author in paper["authors"]:
        assert f"{author['family-names']}, {author['given-names']}" in entry


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 0.1),
        ("cff-version", "1.1.0"),
        ("authors", []),
        ("authors", [{"orcid": "x"}]),
        ("type", "book"),
        ("licence", "BSD-3-Clause"),
    ],
)
def test_an_invalid_file_is_found(citation: dict[str, Any], key: str, value: Any) -> None:
    assert problems(citation | {key: value})


@pytest.mark.parametrize("key", sorted(REQUIRED))
def test_a_missing_key_is_found(citation: dict[str, Any], key: str) -> None:
    assert problems({name: value for name, value in citation.items() if name != key})
