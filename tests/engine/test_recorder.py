"""Rings, live callbacks and observers; a broken observer never breaks the chart."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from farscope.engine import Event, Factory, Hsm
from farscope.engine.recorder import RING_STEPS


@pytest.fixture
def chart(pair):
    pair.chart.start_at(pair.inner)
    return pair.chart


def test_the_rings_keep_the_last_steps_and_say_what_has_dropped(chart):
    for _ in range(RING_STEPS + 9):
        chart.dispatch(Event("U"))
    assert chart.rings == (RING_STEPS, 10, RING_STEPS, 10)
    assert len(chart.spy()) == RING_STEPS
    assert len(chart.trace().splitlines()) == RING_STEPS + 1
    chart.clear_spy()
    chart.clear_trace()
    assert chart.rings == (0, 0, 0, 0)
    assert (chart.spy(), chart.trace()) == ([], "\n")
    chart.dispatch(Event("U"))
    assert chart.rings == (1, 0, 1, 0)


def test_live_lines_are_printed_whatever_standard_output_can_encode(monkeypatch):
    shown = io.BytesIO()
    with io.TextIOWrapper(shown, encoding="ascii", errors="strict", write_through=True) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        valve = Factory("valve", threaded=False)
        valve.create("geöffnet →")
        valve.nest("geöffnet →", parent=None)
        valve.live_spy = valve.live_trace = True
        valve.start_at("geöffnet →")
        lines = shown.getvalue().decode("ascii").splitlines()
    assert lines[0].endswith(r"e->start_at() top->ge\xf6ffnet \u2192")
    assert len(lines) == 1 + len(valve.spy())


def test_live_lines_come_step_by_step_the_trace_line_first(pair):
    lines = []
    chart = pair.chart
    chart.register_live_spy_callback(lambda line: lines.append(("spy", line)))
    chart.register_live_trace_callback(lambda line: lines.append(("trace", line)))
    chart.live_spy = chart.live_trace = True
    chart.start_at(pair.inner)
    assert [line for kind, line in lines if kind == "spy"] == chart.spy()
    assert lines[0][0] == "trace"
    assert f"\n{lines[0][1]}\n" == chart.trace()
    lines.clear()
    chart.live_trace = False
    chart.dispatch(Event("NOPE"))
    assert lines == [
        ("spy", "NOPE:inner"),
        ("spy", "NOPE:outer"),
        ("spy", "<- Queued:(0) Deferred:(0)"),
    ]
    lines.clear()
    chart.instrumented = False
    chart.dispatch(Event("NOPE"))
    assert lines == []


def test_live_lines_are_printed_unless_somebody_else_takes_them(pair, capsys):
    pair.chart.live_spy = pair.chart.live_trace = True
    pair.chart.start_at(pair.inner)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [*pair.chart.trace().split("\n")[1:-1], *pair.chart.spy()]


def test_a_sink_attached_late_is_told_where_the_chart_stands(chart, watcher):
    chart.dispatch(Event("T"))
    chart.attach(watcher)
    chart.attach(watcher)
    chart.dispatch(Event("HOOK"))
    chart.detach(watcher)
    chart.detach(watcher)
    chart.dispatch(Event("HOOK"))
    assert [told[0] for told in watcher.told] == ["announce", "step"]
    assert watcher.told[0][2:4] == ("outer", 2)
    assert watcher.steps[0][1] == 3


def test_a_sink_that_makes_a_step_while_it_is_attached_is_told_again(chart, watcher):
    class Meddler(type(watcher)):
        def announce(self, chart_id, structure, state, number):
            super().announce(chart_id, structure, state, number)
            if number == 1:
                chart.dispatch(Event("T"))

    meddler = Meddler()
    chart.attach(meddler)
    assert [told[2:4] for told in meddler.told] == [("inner", 1), ("outer", 2)]


class Broken:
    """A sink that fails at one thing."""

    def __init__(self, at) -> None:
        self.at = at
        self.calls = 0

    def _fail(self, what):
        self.calls += 1
        if what == self.at:
            raise ValueError(f"cannot {what}")

    def step(self, _step):
        self._fail("step")

    def announce(self, *_args):
        self._fail("announce")

    def stopped(self, _chart):
        self._fail("stopped")


@pytest.mark.parametrize("at", ["announce", "step", "stopped"])
def test_a_broken_sink_is_removed_and_reported_and_the_others_and_the_chart_go_on(
    chart, watcher, monkeypatch, caplog, at
):
    monkeypatch.setenv("FARSCOPE_STRICT", "0")
    broken = Broken(at)
    chart.attach(broken)
    chart.attach(watcher)
    with caplog.at_level(logging.ERROR, logger="farscope"):
        chart.dispatch(Event("U"))
        chart.dispatch(Event("U"))
        chart.stop()
    assert len(caplog.records) == 1
    assert "of chart pair raised and was removed" in caplog.text
    assert f"cannot {at}" in caplog.text
    assert [told[0] for told in watcher.told] == ["announce", "step", "step", "stopped"]
    assert broken.calls == {"announce": 1, "step": 2, "stopped": 4}[at]


def test_a_broken_live_callback_is_turned_off_and_reported(chart, monkeypatch, caplog):
    monkeypatch.setenv("FARSCOPE_STRICT", "0")
    chart.register_live_spy_callback(lambda _line: 1 / 0)
    chart.live_spy = True
    chart.dispatch(Event("U"))
    assert not chart.live_spy
    assert "live callback of chart pair raised and was removed" in caplog.text
    assert chart.steps()[-1].signal == "U"


def test_in_strict_mode_a_broken_observer_is_also_loud(chart, caplog):
    broken = Broken("step")
    chart.attach(broken)
    with pytest.raises(ValueError, match="cannot step"):
        chart.dispatch(Event("U"))
    chart.dispatch(Event("U"))
    assert len(chart.steps()) == 3
    assert "raised and was removed" in caplog.text


def test_charts_are_told_apart_by_their_serial_numbers():
    one, two = Hsm("same"), Hsm("same")
    assert one._id.label == two._id.label
    assert one._id != two._id


def test_a_chart_that_moved_while_nobody_recorded_is_announced_where_it_is(chart, watcher):
    chart.instrumented = False
    chart.dispatch(Event("T"))
    chart.attach(watcher)
    assert watcher.told[0][2:4] == ("outer", 1)
