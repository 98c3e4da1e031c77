from __future__ import annotations

import io

import pytest

from farscope.cli.style import PALETTE, colour_of, colour_of_step, painted, wants_colour
from farscope.records.shape import StepKind


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_terminal_is_coloured_and_a_pipe_is_not():
    assert painted("on", "red", stream=Terminal()) == "\x1b[31mon\x1b[0m"
    assert painted("on", "red", stream=io.StringIO()) == "on"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_none_gets_none(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    assert not wants_colour(Terminal())


def test_colour_can_be_forced_into_a_pipe_and_no_color_wins_over_it(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert wants_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(io.StringIO())


def test_no_chart_has_the_colour_of_a_failure_and_a_refusal_is_none():
    assert not {colour for colour in PALETTE if "red" in colour}
    failed, refused = (colour_of_step(kind, "lamp") for kind in (StepKind.FAILED, StepKind.REFUSED))
    assert (failed, refused) == ("red", "yellow")
    assert not {failed, refused} & set(PALETTE)
    assert colour_of_step(StepKind.TRANSITION, "lamp") == colour_of("lamp")


def test_a_name_has_one_colour_whatever_it_holds():
    assert colour_of("lamp") == colour_of("lamp")
    assert {colour_of(name) for name in ("", "\ud800", "é" * 1000)} <= set(PALETTE)
    assert len({colour_of(f"chart {number}") for number in range(200)}) == len(PALETTE)
