"""Make the book ask for nothing but its own files.

Formulas are drawn by MathJax, by default from a content delivery network. The package
`sphinx-mathjax-offline` carries the same program; the one file of it that draws TeX as SVG,
extensions and glyphs included, is put beside the book's pages. SVG rather than web fonts, because
a browser may refuse to load fonts for a page opened from the disk.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MATHJAX = "tex-svg-full.js"


def mathjax_file() -> Path:
    """The file of `sphinx-mathjax-offline` that is copied into the book.

    Raises:
        ExtensionError: if the package is absent or its files have moved.
    """
    package = find_spec("sphinx-mathjax-offline")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder, "static", "mathjax", MATHJAX)
        if file.is_file():
            return file
    raise ExtensionError(f"{MATHJAX} of the package sphinx-mathjax-offline is not installed")


def add_mathjax(app: Sphinx) -> None:
    """Have MathJax copied into `_static`, but put on those pages alone that have a formula.

    Jupyter Book puts a tag on every page for each script that lies in `book/_static` when it reads
    the configuration, which is why this file is added after that.
    """
    app.config.html_static_path.append(str(mathjax_file()))


def drop_font_preloads(app: Sphinx, failure: Exception | None) -> None:
    """Take out the theme's wish to load its icon fonts early.

    From the disk a browser refuses it with an error. The style sheet loads the fonts all the same.
    """
    if failure or app.builder.format != "html":
        return
    for page in Path(app.outdir).glob("**/*.html"):
        text = page.read_text(encoding="utf-8")
        lighter = re.sub(r'<link rel="preload" as="font"[^>]*>\n?', "", text)
        if lighter != text:
            page.write_text(lighter, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    # Jupyter Book always sets this value of sphinx_comments, which the book leaves out.
    app.add_config_value("comments_config", {}, "html")
    app.connect("builder-inited", add_mathjax)
    app.connect("build-finished", drop_font_preloads)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
