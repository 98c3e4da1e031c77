"""Rings, live callbacks and observers; a broken observer never breaks the chart."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import signal
import sys

import pytest

from farscope.engine import Event, Factory, Hsm
from farscope.engine.core.recorder import RING_STEPS


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
        def announce(self, chart_id, structure, state, number, *_):
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

    def stopped(self, _chart, _status):
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
    assert one._core.recorder.id.label == two._core.recorder.id.label
    assert one._core.recorder.id != two._core.recorder.id


def test_a_chart_that_moved_while_nobody_recorded_is_announced_where_it_is(chart, watcher):
    chart.instrumented = False
    chart.dispatch(Event("T"))
    chart.attach(watcher)
    assert watcher.told[0][2:4] == ("outer", 1)


class Late(Exception):
    pass


class Struck:
    """A sink in the middle of which a signal arrives, whose handler raises."""

    def __init__(self, at) -> None:
        self.at = at
        self.done = []

    def _do(self, what, *details):
        if what == self.at and not self.done.count(("struck", what)):
            self.done.append(("struck", what))
            signal.raise_signal(signal.SIGUSR1)
        self.done.append((what, *details))

    def step(self, step):
        self._do("step", step[1])

    def announce(self, _chart, _structure, _state, number, *_):
        self._do("announce", number)

    def stopped(self, _chart, _status):
        self._do("stopped")


class Handler:
    def __call__(self, number, frame) -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        raise Late(number, frame.f_lineno)


HANDLERS = {
    "function": lambda *given: Handler()(*given),  # noqa: PLW0108 - a function is what is meant
    "object": Handler(),
    "partial": functools.partial(lambda self, number, frame: self(number, frame), Handler()),
}


@pytest.fixture(params=HANDLERS.values(), ids=HANDLERS)
def struck_by(request):
    former = signal.signal(signal.SIGUSR1, request.param)
    yield
    signal.signal(signal.SIGUSR1, former)


@pytest.mark.parametrize("at", ["announce", "step", "stopped"])
def test_what_a_signal_handler_raises_inside_a_sink_reaches_the_program_and_the_sink_stays(
    chart, watcher, struck_by, at
):
    sink = Struck(at)
    with pytest.raises(Late) if at == "announce" else contextlib.nullcontext():
        chart.attach(sink)
    chart.attach(sink)
    chart.attach(watcher)
    with pytest.raises(Late) if at == "step" else contextlib.nullcontext():
        chart.dispatch(Event("U"))
    assert [step[1] for step in watcher.steps] == [2]
    chart.dispatch(Event("U"))
    with pytest.raises(Late) if at == "stopped" else contextlib.nullcontext():
        chart.stop()
    assert sink.done.count(("step", 3)) == 1
    assert sink.done.count(("stopped",)) == 1
    assert watcher.told[-1][0] == "stopped"


def test_an_error_of_a_sinks_own_is_none_of_the_programs(chart, watcher, monkeypatch, struck_by):
    monkeypatch.setenv("FARSCOPE_STRICT", "0")
    broken = Broken("step")
    chart.attach(broken)
    chart.dispatch(Event("U"))
    chart.dispatch(Event("U"))
    assert broken.calls == 2  # it was announced to, and failed once


def test_a_sink_that_comes_after_the_end_is_shown_what_there_was_and_is_not_kept(chart, watcher):
    chart.stop()
    chart.attach(watcher)
    assert [told[0] for told in watcher.told] == ["announce", "stopped"]
    assert chart._core.observers.receivers == ()


def test_a_stopped_chart_holds_nobody_who_watched_it(chart, watcher):
    chart.attach(watcher)
    chart.stop()
    assert watcher.told[-1][0] == "stopped"
    assert chart._core.observers.attached() == []
    assert chart._core.observers.receivers == ()
