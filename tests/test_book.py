"""The built book, opened in Chromium from the disk and over http.

`make book` builds it. Where the book or Chromium is absent these tests are skipped, except under
`make test-book`, which demands both.
"""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from helpers import CHROMIUM
from playwright.sync_api import Browser, Page

HTML = Path(__file__).resolve().parent.parent / "book" / "_build" / "html"
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in (*HTML.glob("*.html"), *HTML.glob("errors/*.html"))
    if path.name != "index.html"
)
REQUIRED = os.environ.get("VELOTRACE_BOOK") == "required"

AXE = Axe()
WCAG = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],  # lists what fails only, in a fifth less time
}
COMPUTER, TELEPHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PAGES and not REQUIRED, reason="the book is not built: make book"),
    pytest.mark.skipif(not CHROMIUM and not REQUIRED, reason="there is no Chromium"),
]


@dataclass
class Opened:
    """A page of the book in the browser, with everything that went wrong on it."""

    page: Page
    trouble: list[str] = field(default_factory=list)
    at_first: tuple[str, ...] = ()  # before any test did something on it

    def go(self, address: str) -> None:
        note = self.trouble.append
        local = ("file://", "http://127.0.0.1:", "data:", "blob:")
        page = self.page
        page.on("console", lambda it: note(it.text) if it.type in ("error", "warning") else None)
        page.on("pageerror", lambda it: note(str(it)))
        page.on("requestfailed", lambda it: note(f"failed: {it.url}"))
        page.on(
            "request", lambda it: None if it.url.startswith(local) else note(f"outside: {it.url}")
        )
        page.goto(address, wait_until="load")
        page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
        page.wait_for_timeout(200)
        self.at_first = tuple(self.trouble)


@pytest.fixture(scope="module", params=PAGES or ["intro.html"])
def opened(request, browser: Browser) -> Iterator[Opened]:
    """Each page in turn, opened once from the disk; tests may change its theme and width."""
    page = browser.new_page(viewport=COMPUTER)
    here = Opened(page)
    here.go(f"{HTML.as_uri()}/{request.param}")
    yield here
    page.close()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The address at which the book is served."""
    handler = functools.partial(_Silent, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_book_and_chromium_are_there():
    assert PAGES, "the book is not built: run `make book`"
    assert CHROMIUM, "there is no Chromium: install Debian's package `chromium`"


def test_no_error_and_no_request_outside(opened):
    assert opened.at_first == ()


def test_every_formula_is_typeset(opened):
    assert opened.page.locator(".math:not(:has(mjx-container > svg))").count() == 0
    assert opened.page.locator("mjx-merror, [data-mjx-error]").count() == 0


@pytest.mark.parametrize("size", [COMPUTER, TELEPHONE], ids=["computer", "telephone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_barrier_that_axe_sees(opened, theme, size):
    opened.page.set_viewport_size(size)
    opened.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    opened.page.wait_for_timeout(500)  # colours change over a moment, tab stops follow the width
    found = AXE.run(opened.page, options=WCAG).response["violations"]
    lines = [f"{one['id']}: {node['html'][:300]}" for one in found for node in one["nodes"]]
    assert not lines, "\n".join(lines)


def test_a_telephone_scrolls_down_only(opened):
    opened.page.set_viewport_size(TELEPHONE)
    opened.page.evaluate("window.scrollTo(200, 0)")
    assert opened.page.evaluate("[document.documentElement.scrollWidth, scrollX]") == [360, 0]


@pytest.mark.parametrize("name", PAGES or ["intro.html"])
def test_the_same_over_http(served, page, name):
    here = Opened(page)
    here.go(f"{served}/{name}")
    assert here.trouble == []
    assert page.locator(".math:not(:has(mjx-container > svg))").count() == 0


@pytest.mark.parametrize(
    ("word", "page_found"),
    [("reparameterisation", "reparameterisation"), ("induction", "kinetics")],
)
@pytest.mark.parametrize("way", ["file", "http"])
def test_search_finds(served, page, way, word, page_found):
    here = Opened(page)
    here.go(f"{HTML.as_uri() if way == 'file' else served}/search.html?q={word}")
    page.wait_for_selector(f"#search-results li a[href^='{page_found}.html']")
    assert here.trouble == []


# ---- with the keyboard alone -----------------------------------------------------------------


def focused(page: Page) -> str:
    """What has the focus: its tag, classes and text."""
    return page.evaluate(
        "(({tagName, className, innerText}) => `${tagName} ${className} ${innerText || ''}`)"
        "(document.activeElement)"
    )


def test_the_first_stop_skips_to_the_content(page):
    page.goto(f"{HTML.as_uri()}/kinetics.html", wait_until="load")
    page.keyboard.press("Tab")
    assert "Skip to main content" in focused(page)
    page.keyboard.press("Enter")
    assert page.url.endswith("#main-content")


def test_an_answer_opens_with_the_keyboard(page):
    page.goto(f"{HTML.as_uri()}/times.html", wait_until="load")
    answer = page.locator(".admonition.answer").first
    hidden = answer.locator("p:not(.admonition-title), ul").last
    assert not hidden.is_visible()
    reached = reach(page, "toggle-button")
    assert reached, "no stop of the keyboard opens an answer"
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert hidden.is_visible()


def reach(page: Page, what: str, most: int = 200) -> bool:
    """Press Tab until the focus is on an element with these words in its tag, classes or text."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if what in focused(page):
            return True
    return False


def test_every_stop_of_the_keyboard_can_be_seen(page):
    """Focus is shown by an outline or a shadow wherever the keyboard goes on a page."""
    page.goto(f"{HTML.as_uri()}/kinetics.html", wait_until="load")
    unseen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        shown = page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement);"
            " return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; })()"
        )
        if not shown:
            unseen.append(focused(page)[:80])
    assert unseen == []


def test_every_header_of_a_table_has_a_scope(opened):
    assert opened.page.locator("article table th:not([scope])").count() == 0
    tables = "article table:not(.indextable)"  # which only lays out the index in columns
    assert opened.page.locator(f"{tables}:not(:has(caption))").count() == 0


def test_scroll_boxes_have_a_name_and_are_stops(page):
    page.set_viewport_size(TELEPHONE)
    page.goto(f"{HTML.as_uri()}/kinetics.html", wait_until="load")
    page.wait_for_timeout(500)
    assert page.locator("article table thead th").count() > 10
    boxes = page.locator(".scrolls")
    assert boxes.count() > 0
    assert page.locator(".scrolls:not([aria-label])").count() == 0
    assert page.locator(".scrolls:not([tabindex='0'])").count() == 0
