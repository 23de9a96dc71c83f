"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from helpers import CHROMIUM, READINGS, WALKTHROUGH, Outcome, velotrace, write_scenario
from hypothesis import settings

from velotrace.walkthrough import Trace
from velotrace.walkthrough import trace as run

settings.register_profile("velotrace", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("velotrace")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Debian's Chromium for pytest-playwright, kept from calling home."""
    switches = ["no-sandbox", "disable-gpu", "disable-background-networking", "disable-sync"]
    switches += ["disable-component-update", "no-first-run"]
    return {"executable_path": CHROMIUM, "args": [f"--{switch}" for switch in switches]}


@pytest.fixture(scope="session")
def walkthrough() -> Trace:
    """The document's iteration, `data/walkthrough.toml`."""
    return run()


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trace]:
    """One trace for each of `READINGS`."""
    folder = tmp_path_factory.mktemp("readings")
    made = {}
    for name, keys in READINGS.items():
        made[name] = run(write_scenario(folder / name.replace(" ", "-"), WALKTHROUGH, keys))
    return made


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """`velotrace ARGUMENTS` in this process."""
    return partial(velotrace, capsys, monkeypatch)


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., Path]:
    """Write a scenario with the toy table beside it."""
    return partial(write_scenario, tmp_path)
