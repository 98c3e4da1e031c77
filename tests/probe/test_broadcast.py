from __future__ import annotations

import gc
import itertools
import math
import sys
import tempfile
import threading
import types
import weakref
from pathlib import Path

import pytest

from farscope import Event, Factory
from farscope.engine import Chart, State
from farscope.errors import BadUrl, LogUnavailable, UsageError
from farscope.logs.url import open_log
from farscope.probe import lifecycle as registry
from farscope.probe.announcements import STOPPED_KEPT
from farscope.probe.broadcast import broadcast
from farscope.probe.service import OriginProcess
from farscope.records.heartbeat import GONE_AFTER_NS, MAX_SILENCE_S, SILENT_AFTER_NS
from farscope.records.observable import Observable
from farscope.records.step import NANOSECONDS
from farscope.records.structure import ChartStatus
from farscope.testing.waiting import eventually
from farscope.wire.envelope import Flags


@pytest.fixture
def url(request):
    return f"memory:{request.node.name}"


def stored(url: str) -> list[bytes]:
    return [entry.data for entry in open_log(url).reader(since_ns=0).read(0, limit=10_000)]


def test_every_step_is_in_the_log_when_the_block_is_left(chart, url, keyring, kit):
    with broadcast(chart, url=url, key=keyring) as probe:
        chart.go(10_000)
    opened = kit.open_all(stored(url), keyring)
    assert opened.numbers == list(range(10_000))
    assert {id_.hex() for id_ in opened.probes} == {probe.id}
    assert opened.flags[-1] & Flags.GOODBYE
    assert opened.batches[-1].next_number == 10_000
    assert probe.stats.stored == 10_000
    assert chart.sinks == []


def test_what_is_no_chart_is_refused_with_the_way_to_write_it(chart, url, keyring, kit):
    for given in ((chart, "sqlite:x"), ("x",), (type(chart),), (None,)):
        with pytest.raises(UsageError, match=r'broadcast\(chart, url="sqlite:x"\)'):
            broadcast(*given, url=url, key=keyring)
    assert chart.sinks == []
    with broadcast(url=url, key=keyring) as probe, pytest.raises(UsageError, match="a str is not a chart"):
        probe.add(chart, "x")
    assert chart.sinks == []


def test_it_works_from_the_call_on_without_a_block(chart, url, keyring, kit):
    probe = broadcast(chart, url=url, key=keyring)
    chart.go(3)
    assert probe.flush()
    assert kit.open_all(stored(url), keyring).numbers == [0, 1, 2]
    probe.close()


def test_charts_of_one_name_are_told_apart_and_can_be_added_later(url, keyring, kit):
    twins = [kit.SmallChart(1, "twin"), kit.SmallChart(2, "twin")]
    with broadcast(twins[0], url=url, key=keyring) as probe:
        probe.add(*twins)
        twins[0].go(1)
        twins[1].go(2)
    opened = kit.open_all(stored(url), keyring)
    steps = [step for batch in opened.batches for step in batch.steps]
    assert [(step[0].name, step[0].serial) for step in steps] == [("twin", 1), ("twin", 2), ("twin", 2)]


def test_a_stopped_chart_is_announced_as_stopped(chart, url, keyring, kit):
    with broadcast(chart, url=url, key=keyring):
        chart.go(1)
        chart.sinks[0].stopped(chart.id)
    assert kit.open_all(stored(url), keyring).batches[-1].charts[0].stopped


class Session(Chart):
    a = State(initial=True)
    b = State()
    a.on("GO", to=b)
    b.on("BACK", to=a)


def test_charts_that_were_stopped_or_are_gone_are_let_go_of_and_watchers_see_them_stopped(url, keyring, kit):
    go, made = Event("GO"), []
    with broadcast(url=url, key=keyring) as probe:
        for number in range(2_000):
            session = Session(f"session {number}", threaded=False)
            probe.add(session)
            session.start_at()
            session.dispatch(go)
            made.append(weakref.ref(session))
            if number % 2:
                session.stop()
        del session
        gc.collect()
        assert [ref for ref in made if ref() is not None] == []
        assert probe._watched == {}
        assert probe.flush()
        eventually(lambda: len(probe._directory._known) <= STOPPED_KEPT)
    entries = [entry for batch in kit.open_all(stored(url), keyring).batches for entry in batch.charts]
    assert len({entry.serial for entry in entries if entry.stopped}) == 2_000


@pytest.mark.soak
def test_a_hundred_thousand_charts_that_come_and_go_take_no_memory(url, keyring):
    def megabytes():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024

    go, sizes = Event("GO"), []
    with broadcast(url=f"sqlite:{tempfile.mkdtemp()}", key=keyring) as probe:
        for number in range(100_000):
            session = Session(f"session {number}", threaded=False)
            probe.add(session)
            session.start_at()
            session.dispatch(go)
            if number % 3:
                session.stop()
            if number % 20_000 == 19_999:
                probe.flush(20)
                sizes.append(megabytes())
    assert max(sizes) - sizes[0] <= 10, sizes


def test_adding_many_charts_asks_none_of_them_whether_it_is_another(url, keyring, kit):
    class Asked(kit.SmallChart):
        def __eq__(self, other) -> bool:
            raise AssertionError

        __hash__ = object.__hash__

    charts = [Asked(serial) for serial in range(1, 101)]
    with broadcast(*charts, url=url, key=keyring) as probe:
        probe.add(*charts)
        assert [len(chart.sinks) for chart in charts] == [1] * 100


def test_a_chart_that_runs_by_itself_goes_on_though_nobody_holds_it(url, keyring, kit):
    with broadcast(url=url, key=keyring) as probe:
        ends = threading.Event()
        running = Factory("running")
        running.create("a").catch("END", lambda chart, _: ends.set() or chart.trans("b"))
        running.create("b")
        running.nest("a", parent=None).nest("b", parent=None)
        probe.add(running)
        running.start_at("a")
        held = weakref.ref(running)
        del running
        gc.collect()
        held().post_fifo(Event("END"))
        assert ends.wait(20)
        eventually(lambda: probe.stats.emitted == 2)
        assert held().stop() is None


def test_a_removed_chart_is_broadcast_no_more_until_it_is_added_again(chart, url, keyring, kit):
    with broadcast(chart, url=url, key=keyring) as probe:
        chart.go(1)
        probe.remove(chart)
        probe.remove(chart)
        chart.go(5)
        assert chart.sinks == []
        assert probe.flush()
        eventually(lambda: kit.open_all(stored(url), keyring).batches[-1].charts[0].stopped)
        assert kit.open_all(stored(url), keyring).batches[-1].charts[0].status is ChartStatus.UNOBSERVED
        probe.add(chart)
        chart.go(1)
        assert probe.stats.emitted == 2
        with pytest.raises(UsageError, match="a str is not a chart"):
            probe.remove("chart")
    last = kit.open_all(stored(url), keyring).batches[-1].charts[0]
    assert (last.stopped, last.number) == (False, 7)


def test_a_chart_that_its_own_error_ends_is_announced_as_failed_and_any_other_as_stopped(url, keyring, kit):
    class Fuse(Chart):
        whole = State(initial=True)

        @whole.on("BLOW")
        def blow(self, _e):
            raise ZeroDivisionError

    blown, spare = Fuse("blown"), Fuse("spare")
    with broadcast(blown, spare, url=url, key=keyring) as probe:
        for fuse in (blown, spare):
            fuse.start_at()
        blown.post_fifo(Event("BLOW"))
        eventually(lambda: blown.failure is not None)
        spare.stop()
        blown.stop()
        assert probe.flush()
    batches = kit.open_all(stored(url), keyring).batches
    ends = {entry.name: entry.status for batch in batches for entry in batch.charts if entry.stopped}
    assert ends == {"blown": ChartStatus.FAILED, "spare": ChartStatus.STOPPED}
    structures = [entry.structure for batch in batches for entry in batch.charts if entry.structure]
    assert {(structure.initial, structure.library) for structure in structures} == {("whole", "farscope")}


def test_a_bridge_says_where_its_charts_run(chart, url, keyring, kit):
    plc = OriginProcess("plc-7", 0, "conveyor")
    with broadcast(chart, url=url, key=keyring, origin=plc):
        chart.go(1)
    with broadcast(chart, url=url, key=keyring, origin=plc, service="belt"):
        chart.go(1)
    batches = [batch for batch in kit.open_all(stored(url), keyring).batches if batch.steps]
    assert [(batch.host, batch.pid, batch.service) for batch in batches] == [
        ("plc-7", 0, "conveyor"),
        ("plc-7", 0, "belt"),
    ]


@pytest.mark.parametrize(
    "origin", [OriginProcess("", 1), OriginProcess("h", -1), OriginProcess("h", 1, "a\nb")], ids=repr
)
def test_an_origin_that_cannot_be_shown_is_refused(chart, url, keyring, origin):
    with pytest.raises(UsageError):
        broadcast(chart, url=url, key=keyring, origin=origin)
    assert chart.sinks == []


class Interpreter:
    """Has the methods of a chart that can be broadcast, and means something else by them."""

    __module__ = "sismic.interpreter.default"

    def __init__(self) -> None:
        self.listeners = []

    def attach(self, listener):
        self.listeners.append(listener)

    def detach(self, listener):
        self.listeners.remove(listener)


def test_what_merely_has_the_methods_of_a_chart_is_refused_and_left_alone(chart, url, keyring):
    interpreter = Interpreter()
    with pytest.raises(UsageError, match="an Interpreter of sismic is not a chart") as refused:
        broadcast(interpreter, url=url, key=keyring)
    assert "farscope.records.observable.Observable" in refused.value.hint
    with broadcast(chart, url=url, key=keyring) as probe:
        for use in (probe.add, probe.remove):
            with pytest.raises(UsageError, match="is not a chart"):
                use(interpreter)
        with pytest.raises(UsageError, match="the class SmallChart itself is not a chart"):
            probe.add(type(chart))
    assert interpreter.listeners == []


def test_what_a_chart_adds_that_allows_no_weak_references_is_held_until_it_stops(url, keyring, kit):
    class Slotted(Observable):
        __slots__ = ("inner",)

        def __init__(self) -> None:
            self.inner = kit.SmallChart()

        def attach(self, sink):
            self.inner.attach(sink)

        def detach(self, sink):
            self.inner.detach(sink)

    with broadcast(url=url, key=keyring) as probe:
        chart = Slotted()
        inner = chart.inner
        probe.add(chart)
        del chart
        inner.go(1)
        assert probe.stats.emitted == 1
        inner.sinks[0].stopped(inner.id)
        assert probe._watched == {}


def test_in_the_process_of_uwsgi_that_forks_the_workers_a_probe_begins_with_its_first_step(
    chart, url, keyring, monkeypatch
):
    master = types.ModuleType("uwsgi")
    master.worker_id = lambda: 0
    monkeypatch.setitem(sys.modules, "uwsgi", master)
    with broadcast(url=url, key=keyring) as probe:
        assert not probe._pump.started
        probe.add(chart)
        chart.go(1)
        assert probe.flush()
    master.worker_id = lambda: 1
    with broadcast(url=url, key=keyring) as probe:
        assert probe._pump.started


def test_an_idle_probe_says_that_it_lives(chart, url, keyring, kit):
    with broadcast(chart, url=url, key=keyring, heartbeat_s=0.01):
        eventually(lambda: len(stored(url)) > 3)
    opened = kit.open_all(stored(url), keyring)
    assert all(flags & Flags.HEARTBEAT for flags in opened.flags)
    assert opened.batches[1].charts[0].structure == kit.STRUCTURE


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"url": "nonsense://"}, BadUrl),
        ({"wire": "pigeons"}, UsageError),
        ({"drop": "some"}, UsageError),
        ({"capacity": 0}, UsageError),
        ({"heartbeat_s": 0}, UsageError),
        ({"heartbeat_s": 3_601}, UsageError),
        ({"heartbeat_s": math.nan}, UsageError),
        ({"linger_s": -0.1}, UsageError),
        ({"linger_s": 2.1}, UsageError),
        ({"linger_s": math.nan}, UsageError),
    ],
)
def test_an_error_leaves_nothing_behind(chart, options, error, keyring):
    before = len(registry._open_probes)
    with pytest.raises(error):
        broadcast(chart, **({"url": "memory:x", "key": keyring} | options))
    assert chart.sinks == []
    assert len(registry._open_probes) == before


def test_times_that_are_taken_keep_a_healthy_probe_from_being_called_silent():
    # The first sign of life may be just missed, and the second must still be in time.
    assert min(GONE_AFTER_NS, SILENT_AFTER_NS) / NANOSECONDS >= 2 * MAX_SILENCE_S


@pytest.mark.parametrize(("option", "most"), [("heartbeat_s", 3600), ("linger_s", 2)])
def test_a_time_that_cannot_work_is_refused_with_its_range(chart, keyring, option, most):
    with pytest.raises(UsageError, match=rf"give {option} .*{most} seconds"):
        broadcast(chart, url="memory:x", key=keyring, **{option: 2 * most})


def test_a_chart_that_cannot_be_watched_leaves_nothing_behind(chart, url, keyring, kit):
    class Shy(kit.SmallChart):
        def attach(self, sink):
            raise LogUnavailable(f"not now, {sink}")

    with pytest.raises(LogUnavailable):
        broadcast(chart, Shy(2, "shy"), url=url, key=keyring)
    assert chart.sinks == []
    assert registry._open_probes == {}


def test_a_closed_probe_takes_no_more_charts_and_closes_again_without_harm(chart, url, keyring):
    probe = broadcast(url=url, key=keyring)
    probe.close()
    probe.close()
    assert registry._open_probes == {}
    with pytest.raises(UsageError):
        probe.add(chart)


def test_neither_key_nor_password_is_shown(make_probe, keyring):
    probe = make_probe()
    assert repr(probe) == f"<probe {probe.id[:8]} to told:>"
    probe.close()
    assert repr(probe).endswith("closed>")


def test_flush_says_no_while_the_log_hangs_and_yes_when_it_came_back(make_probe, writer, chart):
    writer.gate.clear()
    probe = make_probe(chart)
    chart.go(3)
    writer.waiting.wait()
    assert not probe.flush(0.01)
    assert probe.stats.pending == 3
    writer.gate.set()
    assert probe.flush()
    assert probe.stats.stored == 3


def test_charts_go_on_while_the_log_hangs_and_drops_are_counted(make_probe, writer, chart, kit, keyring):
    writer.gate.clear()
    probe = make_probe(chart, capacity=100)
    writer.waiting.wait()
    chart.go(1_000)
    assert probe.stats.dropped == {"outbox_full": 900}
    writer.gate.set()
    assert probe.flush()
    assert probe.stats.stored == 100
    declared = [drop for batch in kit.open_all(writer.stored, keyring).batches for drop in batch.drops]
    assert declared == [(100, 900, "outbox_full")]


def test_a_log_that_hangs_for_ever_does_not_hold_up_closing(make_probe, writer, chart, kit, caplog):
    writer.gate.clear()
    probe = make_probe(chart)
    writer.waiting.wait()
    chart.go(5)
    probe.close(0.1)
    assert writer.interrupted.is_set()
    assert probe.stats.dropped == {"closing": 5}
    assert "5 steps were not stored" in caplog.text
    chart.go(1)
    writer.gate.set()
    eventually(lambda: writer.closed)
    assert probe.stats.dropped == {"closing": 5}
    assert kit.whole(probe.stats)


def test_a_hanging_log_that_heeds_the_interruption_ends_in_order(make_probe, writer, chart, kit, keyring):
    writer.gate.clear()
    writer.heeds_interrupts = True
    probe = make_probe(chart)
    writer.waiting.wait()
    chart.go(5)
    probe.close(0.8)
    opened = kit.open_all(writer.stored, keyring)
    assert opened.flags[-1] & Flags.GOODBYE
    assert opened.batches[-1].drops == ((0, 5, "closing"),)
    assert writer.closed


def test_a_hanging_log_holds_up_no_other_probe(make_probe, writer, chart, url, keyring):
    writer.gate.clear()
    make_probe(chart)
    writer.waiting.wait()
    with broadcast(chart, url=url, key=keyring) as probe:
        chart.go(5)
        assert probe.flush()
        assert probe.stats.stored == 5


def test_at_exit_hanging_probes_are_waited_for_together(make_probe, writer, kit):
    writer.gate.clear()
    charts = [kit.SmallChart(serial) for serial in range(1, 6)]
    probes = [make_probe(chart) for chart in charts]
    for chart in charts:
        chart.go(2)
    registry.close_all(0.4)
    assert [probe.stats.dropped for probe in probes] == [{"closing": 2}] * 5
    assert registry._open_probes == {}


def test_many_threads_step_while_the_log_fails_and_the_identity_holds(make_probe, writer, kit, keyring):
    charts = [kit.SmallChart(serial) for serial in range(1, 5)]
    probe = make_probe(*charts, capacity=2_000)
    threads = [threading.Thread(target=chart.go, args=(10_000,)) for chart in charts]
    for thread in threads:
        thread.start()
    for look in itertools.count():
        writer.error = LogUnavailable("away") if look % 3 else None
        assert kit.whole(probe.stats)
        if not any(thread.is_alive() for thread in threads):
            break
    for thread in threads:
        thread.join()
    writer.error = None
    assert probe.flush(20)
    stats = probe.stats
    assert (stats.emitted, stats.pending) == (40_000, 0)
    assert kit.whole(stats)
    opened = kit.open_all(writer.stored, keyring)
    lost = sum(drop.count for batch in opened.batches for drop in batch.drops)
    assert len(opened.numbers) == stats.stored == 40_000 - lost
