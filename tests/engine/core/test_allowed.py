"""``chart.allowed()`` says which signals could do something now, and why others could not."""

from __future__ import annotations

from enum import Enum

import pytest

from farscope.engine import Chart, Event, Factory, Hsm, State, return_status
from farscope.engine.core.allowed import Allowance, Verdict
from farscope.errors import NotStarted
from farscope.testing.clock import VirtualClock


def is_hot(oven: Oven) -> bool:
    return oven.degrees > 100


class Oven(Chart):
    degrees = 20

    off = State(initial=True)
    with State() as on:
        lit = State(initial=True)
        paused = State()

    off.on("START", to=on, guard=lambda _oven, e: e.payload > 0)
    on.on("OPEN", to=paused)
    paused.on("SHUT", to=lit)
    on.on("ALARM", to=off, guard=is_hot)
    on.on("LIGHT", to=off, guard=lambda oven: (oven.degrees > 1) and (oven.degrees < 3))
    on.after(5, to=off)

    @lit.on("TICK")
    def count(self) -> None:
        """Do nothing."""


@pytest.fixture
def oven() -> Oven:
    oven = Oven("oven", threaded=False, clock=VirtualClock())
    oven.start_at()
    return oven


def verdicts(chart: Hsm) -> dict[str, Verdict]:
    return {allowance.signal: allowance.verdict for allowance in chart.allowed()}


def test_every_signal_of_the_declaration_has_a_verdict(oven):
    oven.dispatch(Event("START", 1))
    assert verdicts(oven) == {
        "START": Verdict.NO,
        "OPEN": Verdict.YES,
        "ALARM": Verdict.NO,
        "LIGHT": Verdict.NO,
        "after.on.5s": Verdict.YES,
        "TICK": Verdict.YES,
        "SHUT": Verdict.NO,
    }
    assert oven.allowed().now == ("OPEN", "after.on.5s", "TICK")


def test_a_reason_names_the_state_that_reacts_and_where_it_leads(oven):
    oven.dispatch(Event("START", 1))
    assert oven.allowed().about("OPEN").reason == "state on leads to paused"
    assert oven.allowed().about("TICK").reason == "state lit reacts"


def test_a_reason_names_the_guard_that_refuses_by_its_name_or_its_text(oven):
    oven.dispatch(Event("START", 1))
    assert oven.allowed().about("ALARM").reason == "state on refuses it: not is_hot"
    assert (
        oven.allowed().about("LIGHT").reason
        == "state on refuses it: not (oven.degrees > 1) and (oven.degrees < 3)"
    )
    oven.degrees = 200
    assert oven.allowed().about("ALARM") == Allowance(
        "ALARM", Verdict.YES, "state on leads to off, because is_hot"
    )


def test_a_reason_names_the_states_that_would_react(oven):
    assert oven.allowed().about("SHUT").reason == "only state paused reacts to it, and is not active"
    assert oven.allowed().about("NONE") == Allowance("NONE", Verdict.NO, "no reaction of the chart names it")


def test_guards_are_asked_about_the_given_payload_and_one_that_raises_leaves_it_open(oven):
    assert "START" in oven.allowed(1)
    assert "START" not in oven.allowed(0)
    start = oven.allowed().about("START")
    assert start.verdict is Verdict.PERHAPS
    assert start.reason.startswith("the guard e.payload > 0 of state off raised TypeError")


def test_what_is_allowed_is_what_a_dispatched_event_then_does(oven):
    for signal in ("START", "OPEN", "OPEN", "SHUT", "TICK", "ALARM", "SHUT"):
        expected = oven.allowed(1).about(signal).verdict
        oven.dispatch(Event(signal, 1))
        did = oven.steps()[-1].kind.name in ("TRANSITION", "HOOK")
        assert did == (expected is Verdict.YES), signal


def test_asking_changes_nothing(oven):
    before = oven.spy()
    oven.allowed()
    assert oven.spy() == before


def test_a_reaction_to_all_other_signals_counts():
    class Catch(Chart):
        with State(initial=True) as outer:
            inner = State(initial=True)
            other = State()
        inner.on("NEXT", to=other)
        other.on("BACK", to=inner)

        @outer.otherwise
        def rest(self) -> None:
            """Do nothing."""

    chart = Catch("catch", threaded=False)
    chart.start_at()
    assert chart.allowed().about("BACK").reason == "state outer reacts"


def test_of_handlers_built_by_parts_only_they_themselves_decide():
    chart = Factory("built", threaded=False)
    chart.create("a").catch("GO", lambda _chart, _e: return_status.HANDLED)
    chart.nest("a", parent=None)
    with pytest.raises(NotStarted):
        chart.allowed()
    chart.start_at("a")
    assert chart.allowed() == (Allowance("GO", Verdict.PERHAPS, "the handler of state a for GO decides"),)


def test_all_regions_are_asked():
    class Pair(Chart):
        with State(initial=True, parallel=True) as both:
            with State() as left:
                l1 = State(initial=True)
                l2 = State()
            with State() as right:
                r1 = State(initial=True)
                r2 = State()
        l1.on("L", to=l2)
        r1.on("R", to=r2)
        r2.on("B", to=r1)
        l2.on("B", to=l1)

    chart = Pair("pair", threaded=False)
    chart.start_at()
    assert chart.allowed().now == ("L", "R")
    chart.dispatch(Event("R"))
    assert chart.allowed().now == ("L", "B")
    assert chart.allowed().about("R").reason == "only state r1 reacts to it, and is not active"


def test_the_list_for_the_reader_has_one_line_per_signal(oven):
    lines = str(oven.allowed(1)).splitlines()
    assert lines[0].split(maxsplit=2) == ["START", "yes", "state off leads to on, because e.payload > 0"]
    assert len(lines) == len(oven.allowed())


def test_a_member_of_an_enumeration_asks_by_what_it_stands_for(oven):
    class Go(Enum):
        START = 1

    assert Go.START in oven.allowed(1)
