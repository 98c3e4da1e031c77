from __future__ import annotations

from collections.abc import Iterator

import pytest

from farscope import Event, Factory, ForeignHsm, Scope, broadcast
from farscope.records.step import Step
from farscope.testing.assertions import LATE_STEPS, SHOWN_LINES, assert_in_order, assert_spy, assert_trace
from farscope.testing.waiting import PATIENCE_S

OPENED = """
    [door] e->start_at() top->closed
    [door] e->OPEN() closed->open
"""


def door(name: str = "door") -> Factory:
    chart = Factory(name, threaded=False)
    chart.create("closed").catch("OPEN", lambda chart, _: chart.trans("open"))
    chart.create("open").catch("CLOSE", lambda chart, _: chart.trans("closed"))
    chart.nest("closed", parent=None).nest("open", parent=None)
    return chart


@pytest.fixture
def opened() -> Factory:
    chart = door()
    chart.start_at("closed")
    chart.dispatch(Event("OPEN"))
    return chart


def test_a_trace_is_compared_without_stamps_indentation_and_empty_lines(opened: Factory):
    assert_trace(opened, OPENED)
    assert_trace(opened, opened.trace())
    assert_trace(opened.trace(), OPENED.splitlines())


def test_a_foreign_chart_is_compared_like_one_of_this_process(opened: Factory):
    foreign = ForeignHsm()
    for line in opened.trace().splitlines():
        foreign.append_to_trace(line)
    for line in opened.spy():
        foreign.append_to_spy(line)
    assert_trace(foreign, OPENED)
    assert_spy(foreign, opened.spy())


def test_a_trace_that_differs_is_shown_line_by_line(opened: Factory):
    with pytest.raises(AssertionError, match="the trace is not the one expected") as failure:
        assert_trace(opened, OPENED.replace("OPEN()", "PUSH()"))
    assert str(failure.value).splitlines()[1:] == [
        "  [door] e->start_at() top->closed",
        "- [door] e->PUSH() closed->open",
        "+ [door] e->OPEN() closed->open",
    ]


@pytest.mark.parametrize("expected", ["", OPENED + "[door] e->CLOSE() open->closed", OPENED.splitlines()[:2]])
def test_a_trace_with_more_or_fewer_lines_is_another(opened: Factory, expected: str):
    with pytest.raises(AssertionError, match="the trace is not the one expected"):
        assert_trace(opened, expected)


def test_a_spy_is_compared_line_by_line(opened: Factory):
    opened.clear_spy()
    opened.dispatch(Event("CLOSE"))
    shown = opened.spy()
    assert {"CLOSE:open", "EXIT_SIGNAL:open", "ENTRY_SIGNAL:closed", "INIT_SIGNAL:closed"} <= set(shown)
    assert_spy(opened, shown)
    assert_spy(shown, "\n".join(shown))
    with pytest.raises(AssertionError, match="- NOBODY:open"):
        assert_spy(opened, [*shown, "NOBODY:open"])


@pytest.fixture
def scope() -> Iterator[Scope]:
    north, south = door("north"), door("south")
    with Scope("memory:two doors") as scope:
        with broadcast(north, south, url="memory:two doors"):
            for chart in (north, south):
                chart.start_at("closed")
            for chart, signal in ((north, "OPEN"), (south, "OPEN"), (south, "CLOSE"), (north, "CLOSE")):
                chart.dispatch(Event(signal))
        assert scope.wait_for(lambda scope: scope.stats.received == 6, PATIENCE_S)
        yield scope


def test_lines_of_several_charts_are_awaited_in_the_order_in_which_they_happened(scope: Scope):
    found = assert_in_order(scope, "[north] e->OPEN() closed->open\n[south] e->CLOSE() open->closed")
    assert [(step.chart.name, step.signal) for step in found] == [("north", "OPEN"), ("south", "CLOSE")]


def test_what_comes_after_the_last_line_is_left_in_the_scope(scope: Scope):
    assert_in_order(scope, ["[south] e->OPEN() closed->open"])
    assert_in_order(scope, ["[south] e->CLOSE() open->closed", "[north] e->CLOSE() open->closed"])


def test_a_line_that_does_not_come_is_named_with_what_came_instead(scope: Scope):
    expected = "[north] e->OPEN() closed->open\n[south] e->SLAM() open->closed"
    with pytest.raises(AssertionError, match="line 2 did not come within") as failure:
        assert_in_order(scope, expected, timeout_s=1)
    assert str(failure.value).splitlines()[1:] == [
        "  [south] e->SLAM() open->closed",
        "since the line before it came:",
        "  [south] e->OPEN() closed->open",
        "  [south] e->CLOSE() open->closed",
        "  [north] e->CLOSE() open->closed",
    ]


def test_of_much_that_came_instead_the_newest_is_shown(opened: Factory):
    with Scope("memory:one door") as scope, broadcast(opened, url="memory:one door"):
        for signal in ["CLOSE", "OPEN"] * SHOWN_LINES:
            opened.dispatch(Event(signal))
        assert scope.wait_for(lambda scope: scope.stats.received == 2 * SHOWN_LINES, PATIENCE_S)
        with pytest.raises(AssertionError) as failure:
            assert_in_order(scope, "[door] e->KNOCK() open->open", timeout_s=1)
    shown = str(failure.value).splitlines()[3:]
    assert len(shown) == SHOWN_LINES
    assert shown[-1] == "  [door] e->OPEN() closed->open"


def test_when_nothing_came_the_failure_says_so():
    with Scope("memory:no door") as scope, pytest.raises(AssertionError, match="and nothing else came"):
        assert_in_order(scope, OPENED, timeout_s=0)


def test_a_stream_that_never_rests_is_given_up_when_the_time_is_over(opened: Factory):
    class Restless:
        def __init__(self) -> None:
            self.given = 0

        def take(self, _timeout_s: float, _limit: int) -> list[Step]:
            self.given += 1
            return [step]

    step, restless = opened.steps()[0], Restless()
    with pytest.raises(AssertionError, match="line 1 did not come within 0 s"):
        assert_in_order(restless, "[door] e->KNOCK() open->open", timeout_s=0)
    assert restless.given == LATE_STEPS + 1
