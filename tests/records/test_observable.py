"""The port for everything observable works without the engine, and survives sinks that raise."""

from __future__ import annotations

import logging
import signal
import time

import pytest

from farscope.engine import Chart, State
from farscope.records.observable import Observable, Observers, Standing, next_serial
from farscope.records.shape import Shape, StepKind
from farscope.records.sink import NO_LOGS
from farscope.records.step import ChartId
from farscope.records.structure import ChartStructure, StateInfo

STRUCTURE = ChartStructure((StateInfo("red"), StateInfo("green")))


class Light(Observable):
    """A chart of no library, which has observers and inherits nothing from the engine."""

    def __init__(self, own=None) -> None:
        self.id = ChartId("light", "here", 1, next_serial())
        self.state = None
        self.number = 0
        self.unobserved = 0
        self.observers = Observers(own, self._note_unobserved)

    def _note_unobserved(self):
        self.unobserved += 1

    def standing(self):
        return self.state and Standing(self.id, self.state, self.number, lambda: STRUCTURE)

    def attach(self, sink):
        self.observers.attach(sink, self.standing)

    def detach(self, sink):
        self.observers.detach(sink)

    def start(self):
        self.state = "red"
        self.observers.announce(self.standing)

    def go(self, state="green"):
        receivers = self.observers.receivers
        shape = Shape(StepKind.TRANSITION, "GO", self.state, state, ())
        self.state = state
        self.number += 1
        self.observers.report(
            (self.id, self.number, shape, time.time_ns(), 0, 0, 0, 0, None, (), ()), receivers
        )

    def stop(self):
        self.observers.stop(self.id)


class Sink:
    """Keeps what it receives, and raises or acts as reported, the first time."""

    def __init__(self, act=None, at=None) -> None:
        self.received = []
        self._act, self._at = act, at

    def _receive(self, *what):
        if self._at == what[0]:
            act, self._act = self._act, None
            if act:
                act()
        self.received.append(what)

    def step(self, step):
        self._receive("step", step[1])

    def announce(self, chart, structure, state, number, *_):
        assert structure is STRUCTURE
        self._receive("announce", chart.name, state, number)

    def stopped(self, chart, _status):
        self._receive("stopped", chart.name)


class Lasting(Sink):
    def step_again(self, step, error):
        self._receive("again", step[1], type(error))


class OwnLines(Sink):
    on = True

    def turn_off(self):
        self.on = False


def broken():
    raise ValueError("broken")


@pytest.fixture
def light():
    light = Light()
    light.start()
    return light


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture(autouse=True)
def lenient(monkeypatch):
    monkeypatch.setenv("FARSCOPE_STRICT", "0")


def test_serials_of_charts_of_all_libraries_come_from_one_counter():
    class Lamp(Chart):
        off = State(initial=True)

    first, lamp, last = Light(), Lamp(threaded=False), Light()
    lamp.start_at()
    assert first.id.serial < lamp.steps()[0].chart.serial < last.id.serial


def test_a_sink_attached_before_the_start_receives_the_start(sink):
    light = Light()
    light.attach(sink)
    assert sink.received == []
    light.start()
    light.go()
    light.stop()
    assert sink.received == [("announce", "light", "red", 0), ("step", 1), ("stopped", "light")]


def test_a_sink_attached_later_learns_where_the_chart_is_and_receives_each_step_once(light, sink):
    light.go()
    light.attach(sink)
    light.attach(sink)
    light.go()
    light.detach(sink)
    light.detach(sink)
    light.go()
    assert sink.received == [("announce", "light", "green", 1), ("step", 2)]


def test_a_sink_attached_while_a_step_runs_is_announced_to_again(light):
    sink = Sink(light.go, at="announce")
    light.attach(sink)
    assert sink.received == [("announce", "light", "red", 0), ("announce", "light", "green", 1)]


def test_a_sink_attached_after_the_end_learns_it_and_is_not_kept(light, sink):
    light.go()
    light.stop()
    light.attach(sink)
    assert sink.received == [("announce", "light", "green", 1), ("stopped", "light")]
    assert light.observers.attached() == []


def test_a_chart_that_stopped_before_its_start_has_nothing_to_report(sink):
    light = Light()
    light.stop()
    light.attach(sink)
    assert sink.received == []


def test_a_chart_that_stops_while_a_sink_is_attached_keeps_no_sink(light):
    sink = Sink(light.stop, at="announce")
    light.attach(sink)
    assert sink.received[-1] == ("stopped", "light")
    assert light.observers.attached() == []


@pytest.mark.parametrize("at", ["announce", "step", "stopped"])
def test_a_sink_that_raises_is_removed_and_logged_once_and_the_others_receive_everything(
    light, sink, caplog, at
):
    failing = Sink(broken, at)
    light.attach(failing)
    light.attach(sink)
    with caplog.at_level(logging.ERROR, logger="farscope"):
        light.go()
        light.go()
        light.stop()
    assert [record.message.split(" of ")[1] for record in caplog.records] == [
        "chart light raised and was removed"
    ]
    assert "ValueError: broken" in caplog.text
    assert sink.received == [
        ("announce", "light", "red", 0),
        ("step", 1),
        ("step", 2),
        ("stopped", "light"),
    ]
    assert len(failing.received) == {"announce": 0, "step": 1, "stopped": 3}[at]


@pytest.mark.parametrize("at", ["announce", "step", "stopped"])
def test_in_a_strict_program_the_error_of_a_sink_is_also_raised(light, monkeypatch, caplog, at):
    monkeypatch.setenv("FARSCOPE_STRICT", "1")

    def live():
        light.attach(Sink(broken, at))
        light.go()
        light.stop()

    with pytest.raises(ValueError, match="broken"):
        live()
    assert light.observers.attached() == []
    assert len(caplog.records) == 1


def test_all_sinks_learn_the_end_even_if_an_error_is_raised_to_the_program(light, sink):
    def interrupt():
        raise KeyboardInterrupt

    light.attach(Sink(interrupt, at="stopped"))
    light.attach(sink)
    with pytest.raises(KeyboardInterrupt):
        light.stop()
    assert sink.received[-1] == ("stopped", "light")
    assert light.observers.attached() == []


def test_an_error_inside_a_lasting_sink_is_the_programs_and_the_step_is_given_to_it_again(light, sink):
    lasting = Lasting(broken, at="step")
    light.attach(lasting)
    light.attach(sink)
    with pytest.raises(ValueError, match="broken"):
        light.go()
    light.go()
    assert lasting.received[1:] == [("again", 1, ValueError), ("step", 2)]
    assert sink.received[1:] == [("step", 1), ("step", 2)]


def test_what_a_signal_handler_raises_inside_a_sink_reaches_the_program_and_the_sink_stays(light):
    class LateError(Exception):
        pass

    def handler(_number, _frame):
        raise LateError

    sink = Sink(lambda: signal.raise_signal(signal.SIGUSR1), at="announce")
    former = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(LateError):
            light.attach(sink)
    finally:
        signal.signal(signal.SIGUSR1, former)
    light.attach(sink)
    light.go()
    assert sink.received[-1] == ("step", 1)


def test_steps_are_wanted_while_somebody_receives_or_keeps_them(sink):
    light = Light()
    seen = [light.observers.wanted]
    light.attach(sink)
    seen.append(light.observers.wanted)
    light.detach(sink)
    seen.append(light.observers.wanted)
    light.observers.keeps_steps = True
    light.observers.arrange()
    assert [*seen, light.observers.wanted] == [False, True, False, True]


def test_a_chart_learns_that_it_is_no_longer_observed_however_its_last_sink_goes(light):
    sinks = [Sink(), Sink()]
    for sink in sinks:
        light.attach(sink)
    light.detach(sinks[0])
    assert light.unobserved == 0
    light.detach(sinks[1])
    light.detach(sinks[1])
    assert light.unobserved == 1
    light.attach(Sink(broken, at="step"))
    light.go()
    assert light.unobserved == 2
    light.attach(sinks[0])
    light.stop()
    assert light.unobserved == 3


def test_a_charts_own_output_comes_last_and_is_turned_off_if_it_raises(sink, caplog):
    own = OwnLines(broken, at="step")
    light = Light(own)
    light.observers.keeps_steps = True
    light.attach(sink)
    light.start()
    assert light.observers.receivers == (sink, own)
    light.go()
    light.go()
    assert (own.on, own.received) == (False, [])
    assert sink.received[1:] == [("step", 1), ("step", 2)]
    assert len(caplog.records) == 1


def test_an_error_from_before_the_report_is_distinguished_from_one_of_a_receiver(light):
    def interrupt():
        raise KeyboardInterrupt

    light.attach(Sink(interrupt, at="step"))
    outcomes = []
    for receivers in (light.observers.receivers, None):
        try:
            light.observers.report((light.id, 1), receivers)
        except BaseException as error:  # noqa: BLE001 - what is examined
            outcomes.append(Observers.was_not_reported(error))
    assert outcomes == [False, True]


def test_a_class_that_implements_neither_method_says_so(sink):
    for act in (Observable().attach, Observable().detach):
        with pytest.raises(NotImplementedError):
            act(sink)


class Subjects:
    """A sink that needs the chart and the event of each step, and wants log records."""

    def __init__(self, log_level) -> None:
        self.log_level = log_level
        self.subject = None
        self.seen = []

    def step(self, step):
        self.seen.append((step[0].name, *self.subject))

    def announce(self, chart, structure, state, number, parent=None):
        pass

    def stopped(self, chart, status=None):
        pass


def test_sinks_that_need_them_receive_chart_and_event_before_each_step():
    light, sink, plain = Light(), Subjects(20), Sink()
    light.start()
    for each in (plain, sink):
        light.attach(each)
    assert light.observers.subject_sinks == (sink,)
    light.observers.about(light, "GO")
    light.go()
    assert sink.seen == [("light", light, "GO")]
    light.detach(sink)
    assert light.observers.subject_sinks == ()


def test_the_lowest_level_that_a_sink_wants_counts():
    light = Light()
    sinks = [Subjects(level) for level in (NO_LOGS, 30, 20)]
    assert light.observers.log_level == NO_LOGS
    for sink, level in zip(sinks, (NO_LOGS, 30, 20), strict=True):
        light.attach(sink)
        assert light.observers.log_level == level
    light.observers.release()
    assert light.observers.log_level == NO_LOGS
