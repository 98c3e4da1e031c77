from __future__ import annotations

import logging
import threading
from itertools import pairwise

import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.probe import pump
from farscope.probe.pump import LEAST_TIMEOUT_S, LINGER_S, STRUCTURES_S, Life
from farscope.records.heartbeat import HEARTBEAT_S
from farscope.wire.envelope import Flags


def announced(bench) -> list[float]:
    return [batch.sent_ns / 1e9 for batch, flags in bench.transport.stored if flags & Flags.ANNOUNCE]


def test_the_first_batch_introduces_the_charts(bench, kit):
    bench.introduce()
    bench.offer()
    bench.pump.turn()
    [(first, flags), (second, _)] = bench.transport.stored
    assert flags == Flags.ANNOUNCE | Flags.HEARTBEAT
    assert first.charts[0].structure == kit.STRUCTURE
    assert second.numbers == [0]


def test_a_chart_announced_later_is_introduced_with_the_next_turn(bench, kit):
    bench.pump.turn()
    bench.introduce(kit.SmallChart(7, "late"))
    bench.pump.turn()
    batch, flags = bench.transport.stored[-1]
    assert [entry.name for entry in batch.charts] == ["late"]
    assert flags & Flags.ANNOUNCE


def test_an_idle_pump_sleeps_from_heartbeat_to_heartbeat(bench):
    bench.introduce()
    for _ in range(4):
        bench.pump.turn()
        bench.pump.rest()
    sent = announced(bench)
    assert [later - earlier for earlier, later in pairwise(sent)] == [HEARTBEAT_S] * 3
    assert bench.clock.waits == [HEARTBEAT_S] * 4


def test_a_step_that_ends_a_silence_goes_at_once_and_those_that_follow_gather(bench):
    bench.pump.turn()
    bench.clock.while_waiting = bench.offer
    bench.pump.rest()
    assert bench.clock.waits == [HEARTBEAT_S]
    bench.pump.turn()
    assert bench.transport.numbers == [0]
    bench.pump.rest()
    assert bench.clock.waits == [HEARTBEAT_S, LINGER_S]
    bench.pump.turn()
    assert bench.transport.numbers == [0, 1]


def test_a_busy_pump_lingers_and_is_woken_by_no_step(bench):
    bench.offer()
    bench.pump.turn()
    bench.clock.while_waiting = bench.offer
    bench.pump.rest()
    assert bench.clock.waits == [LINGER_S]


def test_a_full_batch_that_waits_is_sent_without_lingering(kit):
    bench = kit.Bench(batch_steps=5)
    bench.offer(100)
    bench.pump.turn()
    assert len(bench.transport.numbers) == 40
    bench.pump.rest()
    assert bench.clock.waits == []


def test_under_load_charts_are_introduced_from_time_to_time(bench):
    bench.introduce()
    for _ in range(int(2.5 * STRUCTURES_S / 0.5)):
        bench.offer()
        bench.pump.turn()
        bench.clock.now_s += 0.5
    assert len(announced(bench)) == 3


def test_an_unavailable_log_is_tried_again_with_the_very_same_batch(bench):
    bench.introduce()
    bench.offer(3)
    bench.transport.outcomes = [LogUnavailable("away"), LogUnavailable("away"), None]
    assert bench.pump.turn()
    assert bench.clock.waits == [0.1, 0.2]
    assert bench.transport.numbers == [0, 1, 2]
    stats = bench.outbox.stats()
    assert (stats.retries, stats.stored, stats.batches) == (2, 3, 2)
    assert stats.last_error == "LogUnavailable: away"
    assert stats.bytes == 203


def test_while_the_log_is_away_the_outbox_fills_and_its_drops_are_declared(kit):
    bench = kit.Bench(capacity=10)
    bench.offer(5)
    bench.transport.outcomes = [LogUnavailable("away")] * 3
    bench.clock.while_waiting = lambda: bench.offer(8)
    bench.pump.turn()
    bench.clock.while_waiting = lambda: None
    bench.pump.turn()
    bench.pump.turn()
    assert bench.transport.numbers == [*range(15)]
    assert bench.transport.drops == [(15, 14, "outbox_full")]
    assert bench.outbox.stats().dropped == {"outbox_full": 14}


def test_a_log_that_raises_what_it_should_not_is_retried_too(bench, caplog):
    bench.offer()
    bench.transport.outcomes = [OSError("odd")]
    assert bench.pump.turn()
    assert bench.outbox.stats().stored == 1
    assert "the log failed" in caplog.text


def test_a_refusal_is_reported_once_with_its_remedy(bench, caplog):
    bench.offer()
    bench.transport.outcomes = [LogRefused("not yours", "ask for it")] * 4
    with caplog.at_level(logging.ERROR, "farscope"):
        bench.pump.turn()
    [message] = caplog.messages
    assert "ask for it" in message
    assert min(bench.clock.waits) >= 5.0


def test_drops_of_a_log_that_is_merely_slow_are_reported_when_they_begin_and_end(kit, caplog):
    bench = kit.Bench(capacity=10)
    bench.offer(15)
    for _ in range(4):
        bench.pump.turn()
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "steps are being dropped, 5 so far",
        "no steps are dropped any more; 5 were",
    ]


def test_leaving_sends_what_waits_and_says_goodbye(kit):
    bench = kit.Bench(batch_steps=5, capacity=10_000)
    bench.introduce()
    bench.offer(500)
    bench.pump.begin_closing(1.5, 0.5)
    bench.pump.run()
    assert bench.transport.numbers == list(range(500))
    batch, flags = bench.transport.stored[-1]
    assert flags & Flags.GOODBYE
    assert (batch.next_number, batch.drops) == (500, ())
    assert bench.transport.closed


def test_what_cannot_be_stored_in_time_is_dropped_as_closing_and_declared_in_the_goodbye(bench):
    bench.offer(3)
    bench.transport.fails = lambda batch: LogUnavailable("too much") if batch.steps else None
    bench.pump.begin_closing(1.5, 0.5)
    bench.pump.run()
    batch, flags = bench.transport.stored[-1]
    assert flags & Flags.GOODBYE
    assert batch.drops == ((0, 3, "closing"),)
    assert bench.outbox.stats().dropped == {"closing": 3}


def test_a_dead_log_holds_leaving_up_no_longer_than_allowed(bench, kit):
    bench.offer(3)
    bench.transport.outcomes = [LogUnavailable("away")] * 1000
    bench.pump.begin_closing(1.5, 0.5)
    bench.pump.run()
    stats = bench.outbox.stats()
    assert stats.dropped == {"closing": 3}
    assert kit.whole(stats)
    assert bench.clock.now_s == pytest.approx(1001.5)
    assert all(LEAST_TIMEOUT_S <= timeout <= 2.0 for timeout in bench.transport.timeouts)


def test_leaving_does_not_wait_for_a_log_that_refuses(bench):
    bench.offer(3)
    bench.transport.outcomes = [LogRefused("no right")] * 1000
    bench.pump.begin_closing(1.5, 0.5)
    bench.pump.run()
    assert bench.clock.waits == []
    assert bench.outbox.stats().dropped == {"closing": 3}


def test_a_pump_that_fails_says_so_and_every_step_counts_as_dropped(bench, caplog, kit):
    bench.offer(3)
    bench.transport.size = lambda _: 1 // 0
    bench.pump.run()
    bench.offer(2)
    stats = bench.outbox.stats()
    assert stats.dropped == {"probe_failed": 5}
    assert "ZeroDivisionError" in stats.last_error
    assert kit.whole(stats)
    assert "the pump failed" in caplog.text
    assert bench.transport.closed


def test_flush_without_a_thread_tells_how_things_are(bench):
    assert bench.pump.flush(0)
    bench.offer()
    assert not bench.pump.flush(0)
    bench.pump.turn()
    assert bench.pump.flush(0)


class NoThreads(threading.Thread):
    """What a system makes of a thread that has none to spare but ``left``."""

    left = 0

    def start(self):
        if NoThreads.left <= 0 and self.name.startswith("farscope"):
            raise RuntimeError("can't start new thread")
        NoThreads.left -= 1
        super().start()


@pytest.fixture
def no_threads(monkeypatch):
    monkeypatch.setattr(pump, "Thread", NoThreads)
    monkeypatch.setattr(NoThreads, "left", 0)


def test_without_a_thread_to_be_had_whoever_closes_sends_what_waits(
    no_threads, make_probe, writer, keyring, kit
):
    chart = kit.SmallChart()
    probe = make_probe(chart)
    chart.go(5)
    assert not probe.flush(0)
    stats = probe.stats
    assert (stats.pending, stats.last_error) == (5, "RuntimeError: can't start new thread")
    probe.close()
    opened = kit.open_all(writer.stored, keyring)
    assert opened.numbers == [0, 1, 2, 3, 4]
    assert opened.flags[-1] & Flags.GOODBYE
    assert kit.whole(probe.stats)


def test_without_a_thread_a_log_that_is_away_holds_up_closing_no_longer_than_it_may(
    no_threads, make_probe, writer, chart, kit
):
    writer.error = LogUnavailable("away")
    probe = make_probe(chart)
    chart.go(5)
    probe.close(0.1)
    assert probe.stats.dropped == {"closing": 5}
    assert kit.whole(probe.stats)


def test_a_thread_that_is_to_be_had_later_takes_over(no_threads, monkeypatch, make_probe, chart):
    probe = make_probe(chart)
    chart.go(5)
    monkeypatch.setattr(NoThreads, "left", 1)
    assert probe.flush(20)
    assert probe.stats.stored == 5


def test_a_pump_that_ends_in_time_never_is_overdue(bench):
    stages = [bench.pump.life]
    bench.offer()
    bench.transport.on_send = lambda: stages.append(bench.pump.life)
    bench.pump.turn()
    bench.offer()
    bench.pump.begin_closing(1.5, 0.5)
    bench.pump.run()
    bench.pump.begin_closing(1.5, 0.5)
    stages.append(bench.pump.life)
    assert stages == [Life.NEW, Life.NEW, Life.FLUSHING, Life.FLUSHING, Life.ENDED]


def test_a_pump_whose_time_has_expired_sends_nothing_but_its_goodbye(bench):
    stages = []
    bench.offer()
    bench.transport.outcomes = [LogUnavailable("away")] * 100
    bench.transport.on_send = lambda: stages.append(bench.pump.life)
    bench.pump.begin_closing(1.5, 0.5)
    bench.pump.run()
    assert stages[0] is Life.FLUSHING
    assert stages[-2:] == [Life.FLUSHING, Life.OVERDUE]
    assert bench.pump.life is Life.ENDED
    assert bench.outbox.stats().dropped == {"closing": 1}
