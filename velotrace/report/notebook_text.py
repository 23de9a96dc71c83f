r"""A page of the book as Markdown that any Jupyter shows.

The pages are written in MyST: roles such as {eq}`eq-ode`, boxes, labels, lists of definitions. A
plain notebook would show them raw. Here they become what Markdown has: a role the text that the
book prints in its place, a box a block quote or, where it opens on a click, `<details>`.

The text cells of a downloaded notebook are turned when the book is built. What its cells display
is turned when they run, by the same functions, from `begin` on. In the book itself nothing is.
"""

from __future__ import annotations

import posixpath
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

from velotrace.report.notebook_maths import display_maths, on_one_line


@dataclass(frozen=True)
class Facts:
    """What the text of a page takes from elsewhere in the book."""

    page: str = ""
    """The page's name, such as 'errors/adam': where its links to other pages start from."""

    references: Mapping[str, str] = field(default_factory=dict)
    """What the book prints for a reference, by role and target, such as 'eq:eq-ode': '(12)'."""

    values: Mapping[str, str] = field(default_factory=dict)
    """The glued numbers of the page."""

    answers: bool = True
    """Whether boxes of the class `answer` stay; the students' edition has none."""


FENCED = re.compile(
    r"^(?P<indent> *)(?P<marks>(?P<mark>[:`~])(?P=mark){2,})(?!(?P=mark))(?P<head>[^\n]*)\n"
    r"(?P<body>(?:[^\n]*\n)*?) *(?P=marks)(?P=mark)* *$\n?",
    re.MULTILINE,
)
MATHS = re.compile(
    r"^(?P<indent> *)\$\$(?P<body>(?:(?!\$\$)[\s\S])+)\$\$(?: *\((?P<label>[\w:-]+)\))? *$\n?",
    re.MULTILINE,
)
PARAGRAPH = re.compile(r"[^\n]*\n?(?:(?! *(?::{3}|`{3}|~{3}|\$\$))[^\n]*\S[^\n]*\n?)*")
BLANK = re.compile(r"(?: *\n)+|\s+\Z")

LABEL_OR_COMMENT = re.compile(r"(?m)^(?:\([\w:-]+\)=|%.*|\{[.#][^}]*\})[ ]*$\n?")
DEFINITION = re.compile(r"(?m)^(?P<term>\S[^\n]*)\n: +")

INLINE = re.compile(
    r"(?P<kept>\\[\s\S]"  # an escaped character, a formula
    r"|\$\$[\s\S]+?\$\$|\$(?:\\.|[^$\\])+\$)"
    r"|\{(?P<role>[a-zA-Z][\w:+-]*)\}(?P<ticks>`+)(?P<content>[\s\S]+?)(?<!`)(?P=ticks)(?!`)"
    r"|(?P<code>(?P<fence>`+)[\s\S]+?(?<!`)(?P=fence)(?!`))"
    r"|(?P<image>!?)\[(?P<words>(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]*)\)"
)
WITH_TARGET = re.compile(r"(?s)(?P<words>.+?)\s*<(?P<target>[^<>]+)>\s*")

DROPPED = frozenset(
    ("bibliography", "contents", "eval-rst", "index", "raw", "tableofcontents", "toctree")
)
"""Directives that make sense inside the book alone."""

BOXES = frozenset(
    ("admonition", "attention", "caution", "danger", "dropdown", "error", "hint", "important")
) | frozenset(("note", "seealso", "tip", "topic", "warning"))

HTML_ROLES = frozenset(("kbd", "sub", "sup"))
CODE_ROLES = frozenset(("code", "command", "file", "program", "samp"))


def plain(text: str, facts: Facts | None = None) -> str:
    r"""MyST as plain Markdown.

    Args:
        text: of a page or of what a cell displays.
        facts: what the text refers to; references without one keep their target as text.

    Raises:
        LookupError: a sentence names a glued value that is not among `facts.values`.

    Example:
        >>> facts = Facts(references={"eq:eq-ode": "(3)"}, values={"u": "0.8"})
        >>> plain("By {eq}`eq-ode` it is {glue:text}`u`.", facts)
        'By (3) it is 0.8.'
        >>> print(plain(":::{admonition} Note that\n:class: tip\nIt falls.\n:::"))
        > **Note that**
        >
        > It falls.
    """
    facts = facts or Facts()
    pieces, place = [], 0
    while place < len(text):
        if found := BLANK.match(text, place):
            place = found.end()
            continue
        if found := FENCED.match(text, place):
            pieces.append(_fenced(found, facts))
        elif found := MATHS.match(text, place):
            tag = facts.references.get(f"eq:{found['label']}", "")
            pieces.append(_indented(display_maths(found["body"], tag), found["indent"]))
        else:
            found = PARAGRAPH.match(text, place)
            assert found, "a paragraph matches anything"
            pieces.append(_paragraph(found[0].rstrip("\n"), facts))
        place = found.end()
    return "\n\n".join(piece for piece in pieces if piece.strip())


def _paragraph(text: str, facts: Facts) -> str:
    """Lines without a blank one between them: sentences, a list, a table, a heading."""
    text = LABEL_OR_COMMENT.sub("", text)
    return inline(DEFINITION.sub(r"- **\g<term>**: ", text), facts)


def _indented(text: str, indent: str) -> str:
    return textwrap.indent(text, indent) if indent else text


# ---- boxes and other directives --------------------------------------------------------------


def _fenced(found: re.Match[str], facts: Facts) -> str:
    """What stands between fences: a directive, or code that is left alone."""
    directive = re.fullmatch(r"\{(?P<name>[\w:.+-]+)\} *(?P<argument>.*)", found["head"].strip())
    if directive is None:
        return found[0].rstrip("\n") if found["mark"] != ":" else plain(found["body"], facts)
    options, body = _options(textwrap.dedent(found["body"]))
    made = _directive(directive["name"], directive["argument"].strip(), options, body, facts)
    return _indented(made, found["indent"])


def _options(body: str) -> tuple[dict[str, str], str]:
    """The lines `:name: value` at the head of a directive, and what follows them."""
    options, lines = {}, body.split("\n")
    while lines and (option := re.fullmatch(r":(?P<name>[\w-]+): *(?P<value>.*)", lines[0])):
        options[option["name"]] = option["value"].strip()
        lines = lines[1:]
    return options, "\n".join(lines)


def _directive(name: str, argument: str, options: dict[str, str], body: str, facts: Facts) -> str:
    if name in DROPPED:
        return ""
    if name in BOXES:
        return _box(name, argument, options.get("class", "").split(), body, facts)
    if name in ("code", "code-block", "sourcecode"):
        return f"```{argument}\n{body.rstrip()}\n```"
    if name == "math":
        tag = facts.references.get(f"eq:{options.get('label', '')}", "")
        return display_maths(argument + body, tag)
    if name == "glossary":
        body = re.sub(r"(?m)^(\S[^\n]*)\n +", r"\1\n: ", body)
    return plain(body, facts)


def _box(name: str, title: str, classes: list[str], body: str, facts: Facts) -> str:
    """A block quote under a bold title, or something that opens."""
    if "answer" in classes and not facts.answers:
        return ""
    title = inline(title or name.capitalize(), facts)
    inside = plain(body, facts)
    if "dropdown" in (name, *classes) or "answer" in classes:
        return f"<details><summary>{title}</summary>\n\n{inside}\n\n</details>"
    lines = on_one_line(f"**{title}**\n\n{inside}").split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines)


# ---- inside a sentence -----------------------------------------------------------------------


def inline(text: str, facts: Facts) -> str:
    """Roles and links as words; code and formulas stay as they are."""

    def words(found: re.Match[str]) -> str:
        if found["role"]:
            return _role(found["role"], found["content"], facts)
        if found["target"] is not None:
            return _link(found, facts)
        return found[0]

    return INLINE.sub(words, text)


def _role(name: str, content: str, facts: Facts) -> str:
    content = re.sub(r"\s+", " ", content)
    kind = name.partition(":")[0]
    if kind == "glue":
        return _glued(content, facts)
    if name == "math":
        return f"${content}$"
    if name in HTML_ROLES:
        return f"<{name}>{content}</{name}>"
    explicit = WITH_TARGET.fullmatch(content)
    words = explicit["words"] if explicit else content
    if kind == "py" or name in CODE_ROLES:
        return f"`{words.rpartition('.')[2] if words.startswith('~') else words}`"
    if explicit:
        return words
    if name == "doc":
        return f"*{_title(content, facts)}*"
    return facts.references.get(f"{name}:{content}", _unresolved(name, content))


def _unresolved(name: str, target: str) -> str:
    """For a target that the notebook knows nothing of: itself."""
    return f"`{target}`" if name in ("eq", "numref", "ref") else target


def _glued(content: str, facts: Facts) -> str:
    key = content.partition(":")[0]
    if key not in facts.values:
        raise LookupError(f"page {facts.page!r} glues no value {key!r}")
    return facts.values[key]


def page_of(target: str, page: str) -> str:
    """The page that a reference means, which may be relative to the one that it stands on."""
    target = target.partition("#")[0].removesuffix(".md")
    beside = posixpath.join(posixpath.dirname(page), target)
    return target[1:] if target.startswith("/") else posixpath.normpath(beside)


def _title(target: str, facts: Facts) -> str:
    page = page_of(target, facts.page)
    return facts.references.get(f"doc:{page}", page)


def _link(found: re.Match[str], facts: Facts) -> str:
    """A link to the web stays; one to a page of the book becomes words and the page's title."""
    target, words = found["target"], inline(found["words"], facts)
    if re.match(r"(?:https?|data|mailto|attachment):", target):
        return f"{found['image']}[{words}]({target})"
    if found["image"]:
        return f"*{words}*"
    if not target.partition("#")[0].endswith(".md"):
        label = target.removeprefix("#")
        return words or facts.references.get(f"ref:{label}", label)
    title = _title(target, facts)
    if not words or words.casefold() == title.casefold():
        return f"*{words or title}*"
    return f"{words} (page *{title}*)"


# ---- while a downloaded notebook runs --------------------------------------------------------

_RUNNING: list[Facts] = []


def begin(page: str, references: Mapping[str, str], answers: bool = True) -> None:
    """From here on `displayed` turns MyST into plain Markdown: the first cell of a download.

    Args:
        page: that the notebook was made of.
        references: as in `Facts`.
        answers: whether hidden answers are displayed at all.
    """
    _RUNNING[:] = [Facts(page, references, answers=answers)]


def in_download() -> bool:
    """Whether a downloaded notebook is running, and not the book being built."""
    return bool(_RUNNING)


def displayed(text: str) -> str:
    """What a cell displays: MyST in the book, plain Markdown in a downloaded notebook."""
    return plain(text, _RUNNING[0]) if _RUNNING else text
