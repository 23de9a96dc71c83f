"""The stepper on the screen, with textual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from velotrace.certificates import Report
from velotrace.errors import InputError
from velotrace.report import escape
from velotrace.report.stepper.places import backward_start, by_name, by_part
from velotrace.report.stepper.text import following, heading, title
from velotrace.report.stepper.view import (
    KEYS,
    Page,
    View,
    at_step,
    next_followed,
    on_page,
    text_of,
)
from velotrace.report.steps import steps
from velotrace.walkthrough import Trace

KEY_LINE = "  ".join(f"{key} {word}" for key, word, _ in KEYS)
"""One line of 80 columns; arrows, Home and End, Page Up and Page Down work as well."""

_QUESTIONS = {"find": "name, symbol or section", "go to": "number or name of a step"}


class Stepper(App[None]):
    """One iteration, one step at a time.

    Args:
        trace: of the iteration.
        cell: to follow at first.
        gene: to follow at first.
        certify: makes the certificates; it runs beside the screen, which shows them when they are
            there.
    """

    AUTO_FOCUS = None  # keys are commands until something is asked for
    ENABLE_COMMAND_PALETTE = False
    TITLE = "velotrace step"
    CSS = """
    Screen { background: ansi_default; color: ansi_default; }
    Static { height: auto; background: ansi_default; color: ansi_default; }
    #head { height: 1; text-style: reverse; }
    #title { height: 1; text-style: bold; }
    #page { height: 1fr; margin: 1 0 0 0; scrollbar-size: 0 0; background: ansi_default; }
    #status { height: 1; }
    #keys { height: 1; text-style: reverse; }
    Input { height: 1; border: none; padding: 0; display: none; background: ansi_default;
            color: ansi_default; }
    Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,right,space", "step(1)"),
        Binding("p,left", "step(-1)"),
        Binding("home", "first"),
        Binding("end", "last"),
        Binding("slash", "ask('find')"),
        Binding("g", "ask('go to')"),
        Binding("b", "backward"),
        Binding("w", "page('why')"),
        Binding("o", "page('inside')"),
        Binding("c", "follow('cell')"),
        Binding("e", "follow('gene')"),
        Binding("down", "scroll(1)"),
        Binding("up", "scroll(-1)"),
        Binding("pagedown", "scroll(18)"),
        Binding("pageup", "scroll(-18)"),
        Binding("escape", "leave"),
        Binding("q", "quit"),
    ]

    def __init__(self, trace: Trace, cell: str, gene: str, certify: Callable[[], Report]) -> None:
        super().__init__(ansi_color=True)
        self.trace, self.certify = trace, certify
        self.made = steps(trace)
        self.view = View(cell, gene)
        self.uncertified = "Certificate: being made …"
        self.asked = ""

    def compose(self) -> ComposeResult:
        """Two lines at the top, the page, two at the bottom."""
        yield Static(id="head")
        yield Static(id="title")
        with VerticalScroll(id="page", can_focus=False):
            yield Static(id="body")
        yield Static(id="status")
        yield Input(id="ask")
        yield Static(Text(KEY_LINE, no_wrap=True), id="keys")

    def on_mount(self) -> None:
        """Show the first step, and have the certificates made."""
        for moved in ("scroll_y", "virtual_size"):
            self.watch(self.query_one("#page"), moved, self._say)
        self.show(self.view)
        Thread(target=self._certify, daemon=True).start()  # ends with the program

    def _certify(self) -> None:
        report: Report | None
        try:
            report = self.certify()
            uncertified = ""
        except InputError as problem:
            report, uncertified = None, f"No certificate: {problem}."
        if self.is_running:
            self.call_from_thread(self._certified, report, uncertified)

    def _certified(self, report: Report | None, uncertified: str) -> None:
        self.made, self.uncertified = steps(self.trace, report), uncertified
        self.show(self.view, keep_place=True)

    def show(self, view: View, keep_place: bool = False) -> None:
        """Show a view, from the top of its page unless it is the same page again."""
        changed = replace(view, message="") != replace(self.view, message="")
        self.view = view
        step, width = self.made[view.index], self.size.width
        who = following(view.cell, view.gene)
        where = heading(step, len(self.made))
        gap = max(2, width - len(where) - len(who))
        self._write("#head", f"{where}{' ' * gap}{who}")
        self._write("#title", title(step))
        self._write("#body", text_of(view, self.trace, self.made, self.uncertified))
        if changed and not keep_place:
            self.query_one("#page").scroll_home(animate=False)
        self._say()

    def _write(self, where: str, text: str) -> None:
        self.query_one(where, Static).update(Text(text))

    def _say(self) -> None:
        """The message, or how much of the page is below."""
        page = self.query_one("#page")
        below = round(page.max_scroll_y - page.scroll_y)
        more = f"{below} more line{'s' if below > 1 else ''} below: down arrow or Page Down"
        self._write("#status", self.view.message or (more if below > 0 else ""))

    # ---- keys -------------------------------------------------------------------------------

    def action_step(self, by: int) -> None:
        """To the next step, or the one before."""
        self.show(at_step(self.view, self.made, self.view.index + by))

    def action_first(self) -> None:
        """To the first step."""
        self.show(at_step(self.view, self.made, 0))

    def action_last(self) -> None:
        """To the last step."""
        self.show(at_step(self.view, self.made, len(self.made) - 1))

    def action_backward(self) -> None:
        """To where the backward pass begins."""
        self.show(at_step(self.view, self.made, backward_start(self.made)))

    def action_page(self, page: Page) -> None:
        """To the gradient taken apart or the operations inside; again: back to the step."""
        self.show(on_page(self.view, page))

    def action_follow(self, dim: str) -> None:
        """Follow the next cell or gene."""
        self.show(next_followed(self.view, self.trace, "cell" if dim == "cell" else "gene"))

    def action_scroll(self, by: int) -> None:
        """Down or up the page."""
        self.query_one("#page").scroll_relative(y=by, animate=False)

    def action_ask(self, what: str) -> None:
        """Ask for a name or a number in the line of the status."""
        ask = self.query_one(Input)
        ask.placeholder = (
            "name, symbol or section" if what == "find" else "number or name of a step"
        )
        self.asked, ask.value, ask.display = what, "", True
        self.query_one("#status").display = False
        ask.focus()

    def action_leave(self) -> None:
        """Leave the question, or the page beside the step."""
        if self.query_one(Input).display:
            self._close()
        elif self.view.page != "step":
            self.show(on_page(self.view, self.view.page))

    def _close(self) -> None:
        self.query_one(Input).display = False
        self.query_one("#status").display = True
        self.set_focus(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to what was asked for."""
        text = event.value
        self._close()
        if not text.strip():
            return
        look = by_part if self.asked == "find" else by_name
        try:
            self.show(at_step(self.view, self.made, look(self.made, text, self.view.index)))
        except InputError as problem:
            self.show(replace(self.view, message=escape.terminal(problem)))

    def on_resize(self) -> None:
        """Put the head's right side in its place."""
        self.show(self.view, keep_place=True)
