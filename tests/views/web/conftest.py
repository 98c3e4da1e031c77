"""A history made by hand, and the real page in a real browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, RawStep
from support.program import Program

PATIENCE_MS = 20_000

BROWSER = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ENOUGH = 4.5
"""The least contrast of text to its ground that the Web Content Accessibility Guidelines (AA) ask for."""
CHART = ChartId("lamp", "far", 7, 1, "ab" * 16)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.fixture(scope="session")
def readable() -> Callable[[str, str], bool]:
    """Tell whether text of a colour can be read on a ground, both as ``#rrggbb``."""

    def of(one: str, other: str) -> bool:
        darker, lighter = sorted((_luminance(one), _luminance(other)))
        return (lighter + 0.05) / (darker + 0.05) >= ENOUGH

    return of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a browser where there is none."""
    if not os.access(BROWSER, os.X_OK):
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="install chromium"))


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Give a headless browser with a profile of its own, which goes with it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(BROWSER), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def make_step() -> Callable[..., RawStep]:
    """Return what makes a step by hand."""

    def make(
        number: int,
        time_ns: int,
        *,
        signal: str = "PRESS",
        start: str = "off",
        end: str = "on",
        kind: StepKind = StepKind.TRANSITION,
        texts: tuple[str, ...] = (),
        took: int = 5,
        waited: int = 0,
        cause: Cause | None = None,
        chart: ChartId = CHART,
    ) -> RawStep:
        facts: tuple[Fact, ...] = (Fact(FactKind.OFFER, start),)
        if kind is StepKind.TRANSITION:
            facts += (Fact(FactKind.EXIT, start), Fact(FactKind.ENTRY, end), Fact(FactKind.INIT, end))
        facts += (Fact(FactKind.SCRIBBLE),) * len(texts)
        shape = Shape(kind, signal, start, end, facts)
        return (chart, number, shape, time_ns - took, took, 0, 0, waited, cause, texts, ())

    return make


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:{tmp_path / 'log'}"


@pytest.fixture
def address(url) -> Iterator[str]:
    with Program("-m", "farscope", "web", url, "--port", "0") as server:
        server.wait_out("http://")
        yield server.out.strip()
        server.interrupt()
        assert server.wait() == 0, server.err


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Give the page, opened; whatever the browser's console says fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.goto(address)
    yield page
    context.close()
    assert not said
