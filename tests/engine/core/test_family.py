"""Charts within charts: parents, children, and what the end of one means for the others."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref

import pytest

from farscope.engine import ActiveObject, AsyncChart, Chart, Event, Factory, Final, Hsm, Runner, State
from farscope.errors import AlreadyStarted, ChartError, ChartStopped, UsageError
from farscope.records.step import Cause, ChartRef
from farscope.records.structure import ChartStatus
from farscope.testing.waiting import eventually


class Valve(Chart):
    """A child that ends in each way."""

    shut = State(initial=True)
    opened = State("open")
    worn_out = Final()

    shut.on("OPEN", to=opened)
    opened.on("WEAR", to=worn_out)

    @shut.on("JAM")
    def jam(self):
        raise RuntimeError("jammed")


class Tank(Chart):
    """A parent that starts a child on request, and notes how children end."""

    ends = ()
    options: dict[str, object]

    idle = State(initial=True)

    @idle.on("MAKE")
    def make(self, e):
        Valve(e.payload, parent=self, **self.options).start_at()

    @idle.on("CHILD_FINISHED", "CHILD_FAILED", "CHILD_STOPPED")
    def note(self, e):
        self.ends += ((e.signal_name, e.payload),)


class Lives:
    """A sink that notes announcements and ends, and follows into contained charts."""

    def __init__(self) -> None:
        self.parents = {}
        self.ends = []
        self.steps = []

    def step(self, step):
        self.steps.append(step)

    def announce(self, chart, *told):
        self.parents[chart.name] = told[-1]

    def stopped(self, chart, status=ChartStatus.STOPPED):
        self.ends.append((chart.name, status))

    def follow(self, child):
        child.attach(self)


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """Failing handlers are reported through logging."""
    caplog.set_level(logging.CRITICAL, "farscope")


def tank_of(threaded=False, **options):
    tank = Tank("tank", threaded=threaded)
    tank.options = options
    return tank


def driven_tank():
    tank = tank_of(threaded=False)
    tank.options = {"threaded": False}
    tank.start_at()
    return tank


def ends_of(tank):
    return [(signal, end.name) for signal, end in tank.ends]


def test_a_chart_knows_its_parent_and_its_running_children():
    tank = driven_tank()
    tank.dispatch(Event("MAKE", "v1"))
    tank.dispatch(Event("MAKE", "v2"))
    one, two = tank.children
    assert (one.name, two.name) == ("v1", "v2")
    assert one.parent is two.parent is tank
    assert (tank.parent, one.children) == (None, ())
    one.stop()
    assert tank.children == (two,)


def test_attributes_of_users_named_parent_and_children_are_theirs():
    class Node(Chart):
        parent = "mine"
        children = 3
        rest = State(initial=True)

    node = Node("node", threaded=False)
    node.start_at()
    node.children += 1
    child = Valve("valve", parent=node, threaded=False)
    child.start_at()
    assert (node.parent, node.children, child.parent) == ("mine", 4, node)
    node.stop()
    assert child.join(0)


def test_start_and_posts_of_a_child_have_their_causes_in_the_steps_of_both():
    class Eager(Chart):
        rest = State(initial=True)

        @rest.entry
        def report(self):
            self.parent.post_fifo(Event("READY"))

    class Maker(Chart):
        rest = State(initial=True)

        @rest.on("MAKE")
        def make(self):
            Eager("eager", parent=self, threaded=False).start_at()

    maker = Maker("maker", threaded=False)
    maker.start_at()
    maker.dispatch(Event("MAKE"))
    (eager,) = maker.children
    maker.complete_circuit()
    made, ready = maker.steps()[1:]
    (start,) = eager.steps()
    assert start.cause == Cause(maker.steps()[0].chart.serial, made.number)
    assert ready.cause == Cause(start.chart.serial, start.number)


def test_watchers_are_told_of_the_parent_and_may_follow_into_children():
    lives = Lives()
    tank = driven_tank()
    tank.dispatch(Event("MAKE", "early"))
    tank.attach(lives)
    tank.dispatch(Event("MAKE", "late"))
    serial = tank.steps()[0].chart.serial
    ref = ChartRef(serial)
    assert lives.parents == {"tank": None, "early": ref, "late": ref}
    tank.children[1].dispatch(Event("OPEN"))
    assert [step[0].name for step in lives.steps] == ["late", "tank", "late"]
    tank.stop()
    stopped = ChartStatus.STOPPED
    assert lives.ends == [("early", stopped), ("late", stopped), ("tank", stopped)]


def test_a_sink_that_fails_to_follow_is_removed_and_the_child_starts(monkeypatch):
    monkeypatch.delenv("FARSCOPE_STRICT")

    class Lost(Lives):
        def follow(self, child):
            raise RuntimeError(f"no room for {child.name}")

    tank = driven_tank()
    tank.attach(Lost())
    tank.dispatch(Event("MAKE", "valve"))
    assert tank.children[0].current_state() == "shut"
    assert len(tank._core.observers) == 0


def test_in_a_strict_program_the_error_of_such_a_sink_is_raised_and_no_child_is_left():
    class Lost(Lives):
        def follow(self, child):
            raise RuntimeError(f"no room for {child.name}")

    tank = driven_tank()
    tank.attach(Lost())
    valve = Valve("valve", parent=tank, threaded=False)
    with pytest.raises(RuntimeError, match="no room"):
        valve.start_at()
    assert tank.children == ()


def test_a_chart_learns_how_its_children_end_and_why():
    tank = driven_tank()
    for name in ("worn", "stopped"):
        tank.dispatch(Event("MAKE", name))
    worn, stopped = tank.children
    worn.dispatch(Event("OPEN"))
    worn.dispatch(Event("WEAR"))
    stopped.stop()
    tank.complete_circuit()
    assert ends_of(tank) == [("CHILD_FINISHED", "worn"), ("CHILD_STOPPED", "stopped")]
    assert [end.child for _, end in tank.ends] == [worn, stopped]
    assert [end.error for _, end in tank.ends] == [None, None]
    assert tank.steps()[-2].cause == Cause(worn.steps()[-1].chart.serial, worn.steps()[-1].number)
    assert tank.children == ()


@pytest.mark.parametrize("on_runner", [False, True])
def test_a_chart_on_threads_learns_of_a_failed_child_and_ends_with_its_others(on_runner):
    lives = Lives()
    with Runner(threads=2) as runner:
        tank = tank_of(threaded=True, **({"runner": runner} if on_runner else {}))
        tank.start_at()
        tank.attach(lives)
        tank.post_fifo(Event("MAKE", "bad"))
        tank.post_fifo(Event("MAKE", "good"))
        eventually(lambda: len(tank.children) == 2)
        bad, good = tank.children
        bad.post_fifo(Event("JAM"))
        eventually(lambda: tank.ends)
        assert ends_of(tank) == [("CHILD_FAILED", "bad")]
        assert tank.ends[0][1].error is bad.failure
        assert tank.children == (good,)
        assert tank.stop() is None
        assert good._core.stop_asked
        assert good.join(0)
    assert sorted(lives.ends) == [
        ("bad", ChartStatus.FAILED),
        ("good", ChartStatus.STOPPED),
        ("tank", ChartStatus.STOPPED),
    ]
    assert ends_of(tank) == [("CHILD_FAILED", "bad")]


def test_stopping_a_chart_waits_for_the_steps_of_its_children():
    entered, leave = threading.Event(), threading.Event()

    class Slow(Chart):
        rest = State(initial=True)
        done = False

        @rest.on("WORK")
        def work(self):
            entered.set()
            leave.wait(5)
            self.done = True

    tank = driven_tank()
    slow = Slow("slow", parent=tank)
    slow.start_at()
    slow.post_fifo(Event("WORK"))
    assert entered.wait(5)
    threading.Timer(0, leave.set).start()
    tank.stop()
    assert slow.done
    assert slow.join(0)


def test_a_handler_that_stops_its_chart_does_not_wait_for_children():
    class Short(Tank):
        idle = Tank.idle.extended()

        @idle.on("END")
        def end(self):
            self.stop()

    tank = Short("tank", threaded=False)
    tank.options = {}
    tank.start_at()
    tank.dispatch(Event("MAKE", "valve"))
    (valve,) = tank.children
    tank.dispatch(Event("END"))
    assert valve.join(5)
    assert ends_of(tank) == []


def test_a_child_may_stop_its_parent_and_ends_with_it():
    class Bomb(Chart):
        rest = State(initial=True)

        @rest.on("BANG")
        def bang(self):
            self.parent.stop()

    tank = tank_of(threaded=True)
    tank.start_at()
    bomb = Bomb("bomb", parent=tank)
    bomb.start_at()
    bomb.post_fifo(Event("BANG"))
    assert tank.join(5)
    assert bomb.join(5)


def test_a_failed_parent_ends_its_children():
    class Brittle(Tank):
        idle = Tank.idle.extended()

        @idle.on("BREAK")
        def break_(self):
            raise RuntimeError("broken")

    lives = Lives()
    tank = Brittle("tank")
    tank.options = {}
    tank.attach(lives)
    tank.start_at()
    tank.post_fifo(Event("MAKE", "valve"))
    tank.post_fifo(Event("BREAK"))
    eventually(lambda: len(lives.ends) == 2)
    assert sorted(lives.ends) == [("tank", ChartStatus.FAILED), ("valve", ChartStatus.STOPPED)]


def test_charts_end_with_their_parents_at_any_depth():
    tank = driven_tank()
    inner = tank_of(threaded=False)
    inner = Tank("inner", threaded=False, parent=tank)
    inner.options = {"threaded": False}
    inner.start_at()
    inner.dispatch(Event("MAKE", "valve"))
    (valve,) = inner.children
    tank.stop()
    assert inner.join(0)
    assert valve.join(0)


def test_a_child_may_outlive_its_parent():
    tank = driven_tank()
    valve = Valve("valve", parent=tank, outlives_parent=True)
    valve.start_at()
    tank.stop()
    assert not valve.join(0)
    late = Valve("late", parent=tank, outlives_parent=True, threaded=False)
    late.start_at()
    assert late.current_state() == "shut"
    assert valve.stop() is None
    assert ends_of(tank) == []


def test_a_chart_does_not_start_in_a_parent_that_has_ended():
    tank = driven_tank()
    tank.stop()
    valve = Valve("valve", parent=tank, threaded=False)
    with pytest.raises(ChartStopped, match="the parent of chart valve has ended") as caught:
        valve.start_at()
    assert caught.value.hint == "start charts while their parent runs, or make them with outlives_parent=True"


def test_a_child_whose_start_fails_is_no_child_and_may_be_started_again():
    class Moody(Chart):
        rest = State(initial=True)
        calm = False

        @rest.entry
        def look(self):
            if not self.calm:
                raise RuntimeError("not now")

    tank = driven_tank()
    moody = Moody("moody", parent=tank, threaded=False)
    with pytest.raises(RuntimeError, match="not now"):
        moody.start_at()
    assert tank.children == ()
    moody.calm = True
    moody.start_at()
    assert tank.children == (moody,)
    tank.complete_circuit()
    assert ends_of(tank) == []


def test_a_child_that_is_never_started_is_no_child():
    tank = driven_tank()
    valve = Valve("valve", parent=tank)
    valve.stop()
    with pytest.raises(AlreadyStarted):
        valve.start_at()
    assert tank.children == ()
    tank.complete_circuit()
    assert ends_of(tank) == []


def test_neither_parent_nor_child_keeps_the_other_alive_after_its_end():
    tank = driven_tank()
    tank.dispatch(Event("MAKE", "valve"))
    valve = weakref.ref(tank.children[0])
    tank.children[0].stop()
    tank.complete_circuit()
    tank.ends = ()
    gc.collect()
    assert valve() is None
    child = Valve("child", parent=tank)
    child.start_at()
    parent = weakref.ref(tank)
    del tank
    gc.collect()
    assert parent() is None
    assert child.parent is None


def test_children_of_a_discarded_parent_end():
    tank = driven_tank()
    child = Valve("child", parent=tank)
    survivor = Valve("survivor", parent=tank, outlives_parent=True)
    child.start_at()
    survivor.start_at()
    del tank
    gc.collect()
    assert child.join(5)
    assert not survivor.join(0)
    survivor.stop()


def test_an_end_that_finds_no_room_is_counted_and_logged(caplog):
    caplog.set_level(logging.WARNING, "farscope")
    tank = Tank("tank", threaded=False, queue_size=1)
    tank.options = {"threaded": False}
    tank.start_at()
    tank.dispatch(Event("MAKE", "valve"))
    tank.post_fifo(Event("MAKE", "other"))
    tank.children[0].stop()
    assert tank.rejected == 1
    assert "chart tank did not learn of the end of its child valve" in caplog.text
    tank.complete_circuit()
    assert "REFUSED_POST:CHILD_STOPPED:raised" in tank.spy()


@pytest.mark.parametrize("kind", [Hsm, ActiveObject, Factory, Valve])
def test_every_kind_of_chart_may_be_a_child_or_a_parent(kind):
    tank = kind("outer")
    child = kind("inner", parent=tank)
    assert child.parent is tank


@pytest.mark.parametrize("parent", ["tank", object(), Tank])
def test_only_a_chart_can_be_a_parent(parent):
    with pytest.raises(UsageError, match="is not a chart, and cannot contain one"):
        Valve("valve", parent=parent)


def test_a_chart_without_a_parent_outlives_none():
    with pytest.raises(UsageError, match="chart valve has no parent that it could outlive"):
        Valve("valve", outlives_parent=True)


class Fetch(AsyncChart):
    waiting = State(initial=True)
    done = Final()

    @waiting.on("GO", to=done)
    async def go(self):
        await asyncio.sleep(0)

    @waiting.on("BAD")
    async def bad(self):
        await asyncio.sleep(0)
        raise RuntimeError("bad")

    @waiting.on("HANG")
    async def hang(self):
        await asyncio.sleep(60)


class Crawler(AsyncChart):
    ends = ()
    rest = State(initial=True)

    def __init__(self, name: str, expected: int) -> None:
        super().__init__(name)
        self.expected = expected
        self.complete = asyncio.Event()

    @rest.on("MAKE")
    async def make(self, e):
        child = Fetch(e.payload, parent=self)
        child.start_at()
        await child.started()

    @rest.on("CHILD_FINISHED", "CHILD_FAILED", "CHILD_STOPPED")
    def note(self, e):
        self.ends += ((e.signal_name, e.payload),)
        if len(self.ends) == self.expected:
            self.complete.set()


def test_charts_on_an_event_loop_contain_others():
    async def run():
        async with Crawler("crawler", 2) as crawler:
            for name in ("one", "two", "three"):
                await crawler.post(Event("MAKE", name))
            await crawler.settled()
            one, two, three = crawler.children
            one.post_fifo(Event("GO"))
            two.post_fifo(Event("BAD"))
            await crawler.complete.wait()
            thread = Valve("thread", parent=crawler)
            thread.start_at()
        assert three.join(0)
        assert thread.join(0)
        return sorted(ends_of(crawler))

    assert asyncio.run(run()) == [("CHILD_FAILED", "two"), ("CHILD_FINISHED", "one")]


def test_a_child_that_is_cancelled_on_an_event_loop_was_stopped_rather_than_failed():
    lives = Lives()

    async def run():
        fetch = Fetch("fetch")
        fetch.attach(lives)
        async with fetch:
            fetch.post_fifo(Event("HANG"))
            await asyncio.sleep(0)
            await fetch.aclose(0)

    asyncio.run(run())
    assert lives.ends == [("fetch", ChartStatus.STOPPED)]


def test_a_failed_start_on_an_event_loop_is_reported_to_the_parent():
    class Moody(AsyncChart):
        rest = State(initial=True)

        @rest.entry
        async def look(self):
            raise RuntimeError("not now")

    async def run():
        async with Crawler("crawler", 1) as crawler:
            moody = Moody("moody", parent=crawler)
            moody.start_at()
            with pytest.raises(RuntimeError, match="not now"):
                await moody.started()
            await crawler.complete.wait()
            return ends_of(crawler), crawler.children

    assert asyncio.run(run()) == ([("CHILD_FAILED", "moody")], ())


def test_a_child_on_an_event_loop_needs_one():
    tank = driven_tank()
    with pytest.raises(ChartError, match="needs an event loop"):
        Fetch("fetch", parent=tank).start_at()
    assert tank.children == ()
