"""Members of enumerations name states and signals."""

from __future__ import annotations

from enum import Enum, IntEnum, StrEnum

import pytest

from farscope.engine import Chart, Event, Factory, History, State, signals
from farscope.errors import ChartBuildError, ChartError


class Mode(Enum):
    OFF = 1
    ON = 2


class Door(IntEnum):
    OPEN = 1
    SHUT = 2


class Word(StrEnum):
    GO = "go"


class Mixed(str, Enum):  # noqa: UP042 - unlike a StrEnum, it is formatted as Mixed.STAY
    STAY = "stay"


def test_a_member_stands_for_its_name_and_one_that_is_a_string_for_that_string():
    for member, name in ((Mode.ON, "ON"), (Door.SHUT, "SHUT"), (Word.GO, "go"), (Mixed.STAY, "stay")):
        e = Event(signal=member)
        assert (e.signal_name, e.signal) == (name, signals.append(name))
        assert type(e.signal_name) is str
        assert type(e.signal) is int


def test_an_event_refuses_what_names_no_signal_as_before():
    for wrong in (object(), 1.5, None, 10**9, [], b"go"):
        with pytest.raises(ChartError):
            Event(wrong)


class Lamp(Chart):
    off = State(Mode.OFF, initial=True)
    with State(Mode.ON) as on:
        dim = State(initial=True)
        bright = State()
        last = History(default="bright")

    off.on(Word.GO, to=Mode.ON)
    dim.on(Door.OPEN, to=bright)

    @on.on(Door.SHUT)
    def go_off(self) -> Mode:
        return Mode.OFF


def test_members_are_states_and_targets_of_a_declared_chart():
    lamp = Lamp("lamp", threaded=False)
    lamp.start_at(Mode.OFF)
    assert lamp.is_in(Mode.OFF)
    lamp.dispatch(Event(Word.GO))
    assert lamp.is_in(Mode.ON)
    assert lamp.child_state(Mode.ON) is Lamp.dim
    lamp.dispatch(Event(Door.OPEN))
    lamp.dispatch(Event(Door.SHUT))
    assert lamp.current_state() == "OFF"


def test_a_reaction_may_return_a_member_of_an_integer_enumeration():
    class Gate(Chart):
        shut = State(Door.SHUT, initial=True)
        open_ = State(Door.OPEN)

        @shut.on("GO")
        def go(self) -> Door:
            return Door.OPEN

    gate = Gate("gate", threaded=False)
    gate.start_at()
    gate.dispatch(Event("GO"))
    assert gate.is_in(Door.OPEN)


def test_members_are_states_and_signals_of_a_chart_built_by_parts():
    chart = Factory("built", threaded=False)
    chart.create(Mode.OFF).catch(Word.GO, lambda chart, _e: chart.trans(Mode.ON))
    chart.create(Mode.ON)
    chart.nest(Mode.OFF, parent=None).nest(Mode.ON, parent=None)
    chart.start_at(Mode.OFF)
    chart.subscribe(Word.GO)
    assert chart.subscribed("go")
    chart.dispatch(Event(Word.GO))
    assert chart.is_in(Mode.ON)


def test_a_member_that_no_state_is_named_after_is_refused():
    class Other(Enum):
        ELSEWHERE = 1

    lamp = Lamp("lamp", threaded=False)
    with pytest.raises(ChartError, match="is not a state of chart class Lamp"):
        lamp.start_at(Other.ELSEWHERE)


def test_a_name_must_be_a_string_or_a_member():
    with pytest.raises(ChartBuildError, match="is not a name for a state"):
        State(5)
