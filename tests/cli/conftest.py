"""A lamp to play with, and our command run to its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from farscope import Event, Factory, broadcast
from farscope.records.text import without_all_remarks

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def log_url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'log'}"


@pytest.fixture
def play(log_url: str) -> Callable[..., None]:
    """Run a lamp of each name, press its button so many times, and leave with a goodbye."""

    def run(*names: str, presses: int = 3) -> None:
        charts = []
        for name in names:
            chart = Factory(name, threaded=False)
            off = chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
            on = chart.create("on").catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
            charts.append(chart.nest(off, parent=None).nest(on, parent=None))
        with broadcast(*charts, url=log_url):
            for chart in charts:
                chart.start_at("off")
                for _ in range(presses):
                    chart.dispatch(Event("PRESS"))

    return run


LONG_PRESSES = 200_000


@pytest.fixture
def long_url(tmp_path: Path) -> str:
    """A log with a lamp's start and ``LONG_PRESSES``: more than is shown in a moment."""
    url = f"sqlite:{tmp_path / 'long'}"
    chart = Factory("lamp", threaded=False)
    off = chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
    on = chart.create("on").catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
    chart.nest(off, parent=None).nest(on, parent=None)
    press = Event("PRESS")
    with broadcast(chart, url=url) as probe:
        chart.start_at("off")
        for number in range(LONG_PRESSES):
            chart.dispatch(press)
            if number % 5_000 == 0:
                assert probe.flush(30.0)
        assert probe.flush(30.0)
    return url


@pytest.fixture
def farscope() -> Run:
    def run(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "farscope", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, cwd=folder, encoding="utf-8"
        )
        # On a busy machine any step may take long.
        done.stdout = without_all_remarks(done.stdout)
        return done

    return run


@pytest.fixture
def recording(tmp_path: Path, log_url: str, play: Callable[..., None], farscope: Run) -> Path:
    """A recording of a lamp that was pressed three times."""
    play("lamp")
    path = tmp_path / "run.farscope"
    assert farscope("record", path, log_url, "--snapshot").returncode == 0
    return path
