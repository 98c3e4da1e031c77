from __future__ import annotations

import itertools
import math
import threading

import pytest

from farscope.errors import BadUrl, LogUnavailable, UsageError
from farscope.logs.url import open_log
from farscope.probe import registry
from farscope.probe.broadcast import broadcast
from farscope.probe.pace import MAX_SILENCE_S
from farscope.records.step import NANOSECONDS
from farscope.scope.clocks import QUIET_NS
from farscope.scope.life import SILENT_AFTER_NS
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
    with broadcast(url=url, key=keyring) as probe, pytest.raises(UsageError, match="a str is no chart"):
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
        ({"heartbeat_s": 2.1}, UsageError),
        ({"heartbeat_s": math.nan}, UsageError),
        ({"linger_s": -0.1}, UsageError),
        ({"linger_s": 2.1}, UsageError),
        ({"linger_s": math.nan}, UsageError),
    ],
)
def test_an_error_leaves_nothing_behind(chart, options, error, keyring):
    before = len(registry._living)
    with pytest.raises(error):
        broadcast(chart, **({"url": "memory:x", "key": keyring} | options))
    assert chart.sinks == []
    assert len(registry._living) == before


def test_times_that_are_taken_keep_a_healthy_probe_from_being_called_silent():
    # The first sign of life may be just missed, and the second must still be in time.
    assert min(QUIET_NS, SILENT_AFTER_NS) / NANOSECONDS >= 2 * MAX_SILENCE_S


@pytest.mark.parametrize("option", ["heartbeat_s", "linger_s"])
def test_a_time_that_cannot_work_is_refused_with_its_range(chart, keyring, option):
    with pytest.raises(UsageError, match=rf"give {option} .*2 seconds"):
        broadcast(chart, url="memory:x", key=keyring, **{option: 20})


def test_a_chart_that_cannot_be_watched_leaves_nothing_behind(chart, url, keyring, kit):
    class Shy(kit.SmallChart):
        def attach(self, sink):
            raise LogUnavailable(f"not now, {sink}")

    with pytest.raises(LogUnavailable):
        broadcast(chart, Shy(2, "shy"), url=url, key=keyring)
    assert chart.sinks == []
    assert registry._living == {}


def test_a_closed_probe_takes_no_more_charts_and_closes_again_without_harm(chart, url, keyring):
    probe = broadcast(url=url, key=keyring)
    probe.close()
    probe.close()
    assert registry._living == {}
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
    probe.close(0.2)
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
    assert registry._living == {}


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
