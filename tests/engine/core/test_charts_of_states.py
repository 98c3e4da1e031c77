"""Charts that belong to a state: started on its entry, stopped on its exit."""

from __future__ import annotations

import asyncio
import logging

import pytest

from farscope.engine import AsyncChart, Chart, Event, Factory, Final, History, Hsm, Runner, State
from farscope.errors import ChartBuildError, ChartError
from farscope.records.step import Cause, ChartRef
from farscope.testing.waiting import eventually


class Meter(Chart):
    total = 0
    counting = State(initial=True)
    full = Final()
    counting.on("FULL", to=full)

    @counting.on("COUNT")
    def count(self):
        self.total += 1

    @counting.on("JAM")
    def jam(self):
        raise RuntimeError("jammed")


class Charger(Chart):
    meters = ()
    ends = ()
    threads = False

    idle = State(initial=True)
    with State() as charging:
        slow = State(initial=True)
        fast = State()
    idle.on("PLUG", to=charging)
    charging.on("UNPLUG", to=idle)
    slow.on("FASTER", to=fast)
    charging.on("AGAIN", to=charging)

    @charging.child
    def meter(self):
        meter = Meter(f"meter {len(self.meters) + 1}", threaded=self.threads)
        self.meters += (meter,)
        return meter

    @charging.entry
    def note_entry(self):
        self.scribble(f"{len(self.children)} children on entry")

    @charging.exit
    def note_exit(self):
        self.scribble(f"{len(self.children)} children on exit")

    @charging.on("CHILD_FINISHED", "CHILD_FAILED", "CHILD_STOPPED")
    def note(self, e):
        self.ends += ((e.signal_name, e.payload.name),)


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """Failing handlers are reported through logging."""
    caplog.set_level(logging.CRITICAL, "farscope")


def driven(kind, *names, **options):
    chart = kind("charger", threaded=False, **options)
    chart.start_at()
    for name in names:
        chart.dispatch(Event(name))
    return chart


def test_a_chart_of_a_state_lives_from_its_entry_to_its_exit():
    charger = driven(Charger, "PLUG")
    (meter,) = charger.children
    assert (meter.parent, meter.current_state()) == (charger, "counting")
    charger.dispatch(Event("FASTER"))
    assert charger.children == (meter,)
    charger.dispatch(Event("UNPLUG"))
    assert charger.children == ()
    assert meter.join(0)
    charger.complete_circuit()
    assert charger.ends == ()
    texts = [text for step in charger.steps() for text in step.texts]
    assert texts == ["0 children on entry", "0 children on exit"]


def test_each_stay_has_its_own_chart():
    charger = driven(Charger, "PLUG", "AGAIN")
    first, second = charger.meters
    assert first.join(0)
    assert charger.children == (second,)


def test_start_and_parent_of_such_a_chart_are_recorded(watcher):
    charger = driven(Charger, "PLUG")
    (meter,) = charger.children
    plug = charger.steps()[-1]
    assert meter.steps()[0].cause == Cause(plug.chart.serial, plug.number)
    assert meter._core.recorder.parent == ChartRef(plug.chart.serial)


def test_what_such_a_chart_comes_to_is_reported_while_the_state_is_active():
    charger = driven(Charger, "PLUG")
    charger.children[0].dispatch(Event("FULL"))
    charger.complete_circuit()
    charger.dispatch(Event("AGAIN"))
    charger.children[0].stop()
    charger.complete_circuit()
    assert charger.ends == (("CHILD_FINISHED", "meter 1"), ("CHILD_STOPPED", "meter 2"))


def test_such_a_chart_ends_with_the_whole_chart():
    charger = driven(Charger, "PLUG")
    (meter,) = charger.children
    charger.stop()
    assert meter.join(0)


@pytest.mark.parametrize("on_runner", [False, True])
def test_charts_of_states_of_charts_on_threads(on_runner):
    with Runner(threads=2) as runner:
        charger = Charger("charger", runner=runner if on_runner else None)
        charger.threads = True
        charger.start_at()
        charger.post_fifo(Event("PLUG"))
        eventually(lambda: charger.meters and charger.meters[0].thread)
        charger.meters[0].post_fifo(Event("JAM"))
        eventually(lambda: charger.ends)
        charger.post_fifo(Event("AGAIN"))
        eventually(lambda: len(charger.children) == 1 and len(charger.meters) == 2)
        charger.post_fifo(Event("UNPLUG"))
        assert charger.meters[1].join(5)
        assert charger.ends == (("CHILD_FAILED", "meter 1"),)
        charger.stop()


def test_charts_of_states_of_charts_on_an_event_loop():
    class Pump(AsyncChart):
        pumping = State(initial=True)
        empty = Final()

        @pumping.on("EMPTY", to=empty)
        async def drain(self):
            await asyncio.sleep(0)

    class Station(AsyncChart):
        off = State(initial=True)
        on = State()
        drained = State()
        off.on("ON", to=on)
        on.on("OFF", to=off)
        on.on("CHILD_FINISHED", to=drained)
        on.child(Pump)

        @on.entry
        async def warm_up(self):
            await asyncio.sleep(0)
            self.scribble(f"{len(self.children)} children on entry")

        @drained.entry
        def arrive(self):
            self.arrived.set()

    async def run():
        async with Station("station") as station:
            station.arrived = asyncio.Event()
            await station.post(Event("ON"))
            await station.settled()
            (first,) = station.children
            await station.post(Event("OFF"))
            await station.settled()
            await first.aclose()
            await station.post(Event("ON"))
            await station.settled()
            (second,) = station.children
            second.post_fifo(Event("EMPTY"))
            await station.arrived.wait()
        return [step.texts for step in station.steps() if step.texts]

    assert asyncio.run(run()) == [("0 children on entry",), ("0 children on entry",)]


def test_a_class_of_charts_is_called_with_the_parent_alone():
    class Station(Chart):
        on = State(initial=True)
        on.child(Meter)

    station = Station("station", threaded=False)
    station.start_at()
    (meter,) = station.children
    assert isinstance(meter, Meter)
    assert meter.parent is station
    station.stop()
    assert meter.join(5)


def test_regions_and_plain_states_may_have_several_charts():
    class Site(Chart):
        with State(initial=True, parallel=True) as both:
            left = State()
            right = State()
        off = State()
        both.on("OFF", to=off)
        for place in (left, right, right):
            place.child(Meter)

    site = driven(Site)
    meters = site.children
    assert len(meters) == 3
    site.dispatch(Event("OFF"))
    assert all(meter.join(5) for meter in meters)
    assert site.children == ()


def test_a_state_built_by_parts_may_have_charts():
    shop = Factory("shop", threaded=False)
    closed = shop.create("closed").catch("OPEN", lambda chart, _e: chart.trans("open")).to_method()
    opened = (
        shop.create("open")
        .child(lambda _shop: Meter("till", threaded=False))
        .catch("CLOSE", lambda chart, _e: chart.trans("closed"))
        .to_method()
    )
    shop.nest(closed, parent=None).nest(opened, parent=None)
    shop.start_at(closed)
    shop.dispatch(Event("OPEN"))
    assert [child.name for child in shop.children] == ["till"]
    shop.dispatch(Event("CLOSE"))
    assert shop.children == ()
    with pytest.raises(ChartBuildError, match="which has a timeout, a task or a chart"):
        shop.to_code("open")


def test_the_function_may_start_a_chart_that_does_not_know_where():
    def lamp(chart):
        child = Factory("lamp", threaded=False, parent=chart)
        child.nest(child.create("lit").to_method(), parent=None)
        child.start_at("lit")
        return child

    class Room(Chart):
        used = State(initial=True)
        used.child(lamp)

    room = driven(Room)
    assert [child.current_state() for child in room.children] == ["lit"]


def test_a_subclass_overrides_and_adds_charts_of_inherited_states():
    class Double(Charger):
        charging = Charger.charging.extended()
        charging.child(lambda _self: Meter("second", threaded=False))

        def meter(self):
            return Meter("mine", threaded=False)

    assert [child.name for child in driven(Double, "PLUG").children] == ["mine", "second"]
    assert [child.name for child in driven(Charger, "PLUG").children] == ["meter 1"]


def test_charts_that_two_bases_add_to_a_state_are_merged():
    class One(Charger):
        charging = Charger.charging.extended()
        charging.child(lambda _self: Meter("one", threaded=False))

    class Two(Charger):
        charging = Charger.charging.extended()
        charging.child(lambda _self: Meter("two", threaded=False))

    class Both(One, Two):
        charging = One.charging.extended()

    assert [child.name for child in driven(Both, "PLUG").children] == ["meter 1", "one", "two"]


def test_a_step_that_leaves_the_state_and_fails_reports_the_chart_that_it_stopped():
    class Brittle(Charger):
        idle = Charger.idle.extended()

        @idle.entry
        def break_(self):
            if self.meters:
                raise RuntimeError("broken")

    charger = driven(Brittle, "PLUG")
    with pytest.raises(RuntimeError, match="broken"):
        charger.dispatch(Event("UNPLUG"))
    assert charger.current_state() == "slow"
    assert charger.meters[0].join(0)
    charger.complete_circuit()
    assert charger.ends == (("CHILD_STOPPED", "meter 1"),)


def test_a_chart_whose_start_fails_fails_the_step_and_leaves_no_child():
    class Broken(Chart):
        rest = State(initial=True)

        @rest.entry
        def break_(self):
            raise RuntimeError("broken")

    class Holder(Charger):
        charging = Charger.charging.extended()
        charging.child(lambda _self: Broken("broken", threaded=False))

    charger = driven(Holder)
    with pytest.raises(RuntimeError, match="broken"):
        charger.dispatch(Event("PLUG"))
    assert charger.current_state() == "idle"
    assert charger.children == ()
    assert charger.meters[0].join(0)


def test_charts_without_such_states_pay_nothing():
    assert driven(Meter)._core.stays is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _chart: None, "which makes a chart for state on, returned None"),
        (lambda chart: chart, "which makes a chart for state on, returned <Station charger"),
        (lambda _chart: Meter("else", parent=Hsm("other")), "is not in chart charger"),
        (lambda _chart: driven(Meter), "is not in chart charger"),
        (lambda _chart: Factory("lamp"), "chart lamp, which <lambda> made for state on, does not say where"),
    ],
)
def test_what_is_no_new_chart_fails_the_step_that_enters_the_state(make, message):
    class Station(Chart):
        on = State(initial=True)
        on.child(make)

    with pytest.raises(ChartError, match=message):
        driven(Station)


@pytest.mark.parametrize("make", [3, State, lambda: None, lambda _chart, _e, _more: None])
def test_what_cannot_make_a_chart_is_refused_where_it_is_declared(make):
    with pytest.raises(ChartBuildError, match="cannot make a chart for state on"):
        State("on").child(make)


@pytest.mark.parametrize("kind", [Final, History])
def test_pseudostates_and_final_states_have_no_charts(kind):
    with pytest.raises(ChartBuildError, match="state end cannot have a chart"):
        kind("end").child(Meter)
