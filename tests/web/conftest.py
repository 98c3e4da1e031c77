"""A history made by hand, and the real page in a real browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, RawStep

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
CHART = ChartId("lamp", "far", 7, 1, "ab" * 16)


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
        return (chart, number, shape, time_ns, took, 0, 0, waited, cause, texts)

    return make
