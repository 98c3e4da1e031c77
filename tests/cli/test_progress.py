from __future__ import annotations

import io

import pytest

from farscope.cli import progress as module
from farscope.cli.progress import EVERY_S, Progress


class Screen(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("NO_COLOR", "1")
    return now


def test_one_line_is_kept_up_to_date_now_and_then_and_removed_at_the_end(clock, monkeypatch):
    screen = Screen(terminal=True)
    monkeypatch.setattr(module.sys, "stderr", screen)
    with Progress() as progress:
        progress.update(lambda: "one")
        progress.update(lambda: pytest.fail("asked for too soon"))
        clock[0] += EVERY_S
        progress.update(lambda: "two" + "x" * 500)
    shown = screen.getvalue().split("\r\x1b[K")
    assert (shown[1], shown[2][:4], shown[3:]) == ("one", "twox", [""])
    assert len(shown[2]) < 500


def test_nothing_is_told_where_there_is_no_terminal(clock, monkeypatch):
    screen = Screen(terminal=False)
    monkeypatch.setattr(module.sys, "stderr", screen)
    with Progress() as progress:
        progress.update(lambda: pytest.fail("asked for in vain"))
        progress.clear()
    assert screen.getvalue() == ""
