"""A probe with a spool: nothing on disk while the log is well, everything in order when it is not."""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.probe.broadcast import Probe, broadcast
from farscope.probe.clock import SystemClock, Wakeup
from farscope.probe.spool import transport as spool_transport
from farscope.probe.spool.directory import SpoolFolder
from farscope.probe.spool.queue import Bounds, Spool
from farscope.probe.spool.transport import SpoolTransports
from farscope.testing.waiting import eventually
from farscope.wire.envelope import Flags
from farscope.wire.keyring import Keyring
from farscope.wire.seal import Sealer

AWAY = LogUnavailable("away")


class FickleLog:
    """A log that all writers find in the same mood."""

    url = "fickle:"
    destination = "fickle:"
    shared = True

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self.stored: list[bytes] = []
        self.error: Exception | None = None
        self.hangs = False
        self.lock = threading.Lock()
        self.writers: list[FickleWriter] = []

    def writer(self, name: str) -> FickleWriter:
        del name
        self.writers.append(FickleWriter(self))
        return self.writers[-1]


class FickleWriter:
    def __init__(self, log: FickleLog) -> None:
        self.log = log
        self.interrupted = threading.Event()
        self.closed = False

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        if self.log.hangs:
            self.interrupted.wait(timeout_s)
            self.interrupted.clear()
            raise LogUnavailable("no answer")
        if self.log.error is not None:
            raise self.log.error
        with self.log.lock:
            self.log.stored += batches

    def interrupt(self) -> None:
        self.interrupted.set()

    def close(self, timeout_s: float = 2.0) -> None:
        del timeout_s
        self.closed = True


class HastyClock(SystemClock):
    """Shows the real time, but waits for a twentieth of what it is asked for."""

    def wait(self, wakeup: Wakeup, timeout_s: float) -> bool:
        return super().wait(wakeup, timeout_s / 20)


@pytest.fixture
def log(keyring: Keyring) -> FickleLog:
    return FickleLog(keyring)


@pytest.fixture
def looks_often(log: FickleLog, monkeypatch: pytest.MonkeyPatch) -> FickleLog:
    """A log whose probes look with each batch for what others have left."""
    monkeypatch.setattr(spool_transport, "ORPHANS_EVERY_S", 0.0)
    return log


@pytest.fixture
def make(log: FickleLog, tmp_path: Path) -> Iterator[Callable[..., Probe]]:
    """Make started probes to ``log`` that never wait long, with spools under ``spool``; they are closed."""
    made: list[Probe] = []

    def start(*charts, bounds: Bounds | None = None) -> Probe:
        probe = Probe(
            SpoolTransports(log, log.keyring, tmp_path / "spool", bounds), log.url, clock=HastyClock()
        )
        made.append(probe)
        probe.add(*charts)
        probe.start()
        return probe

    start.log = log
    yield start
    log.error, log.hangs = None, False
    for probe in made:
        probe.close()


def files(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("spool/*/*.fslog"))


def test_a_healthy_log_costs_no_disk(make, chart, log, tmp_path, kit):
    probe = make(chart)
    chart.go(10_000)
    assert probe.flush()
    probe.close()
    assert not (tmp_path / "spool").exists()
    assert kit.whole(probe.stats)


@pytest.mark.parametrize("error", [AWAY, LogRefused("not like this")])
def test_what_the_log_does_not_take_waits_on_disk_and_goes_in_order_when_it_does(
    make, chart, tmp_path, kit, error
):
    log = make.log
    probe = make(chart)
    chart.go(10)
    assert probe.flush()
    log.error = error
    for _ in range(20):
        chart.go(10)
        probe.flush(0.01)
    eventually(lambda: probe.stats.spooled == 200)
    stats = probe.stats
    assert (stats.stored, stats.pending, stats.retries > 0) == (10, 200, True)
    assert str(error) in (stats.last_error or "")
    assert len(files(tmp_path)) == 1
    log.error = None
    assert probe.flush(20)
    eventually(lambda: files(tmp_path) == [])
    chart.go(5)
    probe.close()
    opened = kit.open_all(log.stored, log.keyring)
    assert opened.numbers == list(range(215))
    assert opened.flags[-1] & Flags.GOODBYE
    assert probe.stats.stored == 215
    assert kit.whole(probe.stats)


def test_an_overdue_append_goes_through_the_spool(make, chart, log, kit, monkeypatch):
    monkeypatch.setattr("farscope.probe.spool.transport.OVERDUE_S", 0.05)
    probe = make(chart)
    log.hangs = True
    chart.go(10)
    eventually(lambda: probe.stats.spooled == 10)
    log.hangs = False
    log.writers[0].interrupt()
    assert probe.flush(20)
    assert kit.open_all(log.stored, log.keyring).numbers == list(range(10))


def test_what_is_left_at_the_end_is_told_and_sent_by_the_next_probe(make, chart, tmp_path, kit, caplog):
    log = make.log
    log.error = AWAY
    probe = make(chart)
    chart.go(100)
    probe.close(0.5)
    stats = probe.stats
    assert (stats.emitted, stats.stored, stats.pending, stats.spooled) == (100, 0, 100, 100)
    assert stats.dropped == {}
    told = "100 steps wait in the spool and are sent by the next program that broadcasts to fickle:"
    assert told in caplog.text
    assert len(files(tmp_path)) == 1
    log.error = None
    other = kit.SmallChart(2, "other")
    following = make(other)
    other.go(3)
    following.flush()
    eventually(lambda: files(tmp_path) == [])
    opened = kit.open_all(log.stored, log.keyring)
    old = bytes.fromhex(probe.id)
    left = [
        (batch, flags)
        for id_, batch, flags in zip(opened.probes, opened.batches, opened.flags, strict=True)
        if id_ == old
    ]
    assert [number for batch, _ in left for number in batch.numbers] == list(range(100))
    assert left[-1][1] & Flags.GOODBYE


def test_what_a_program_leaves_while_another_runs_is_sent_by_that_one(
    make, chart, looks_often, tmp_path, keyring
):
    log = looks_often
    ending = Spool(SpoolFolder(tmp_path / "spool", log.destination), "ending")
    batch = Sealer(keyring, bytes(16)).seal(0, Flags.NONE, b"any")
    ending.store([batch])
    probe = make(chart)
    chart.go(1)
    assert probe.flush(20)
    assert batch not in log.stored
    ending.leave()
    eventually(lambda: chart.go(1) or files(tmp_path) == [])
    assert log.stored.count(batch) == 1


def test_a_file_that_cannot_be_taken_over_is_not_tried_at_every_look(
    make, chart, looks_often, tmp_path, caplog
):
    caplog.set_level(logging.INFO, "farscope")
    ending = Spool(SpoolFolder(tmp_path / "spool", looks_often.destination), "ending")
    ending.store([b"something"])
    ending.leave()
    (path,) = files(tmp_path)
    path.unlink()
    path.mkdir()
    probe = make(chart)
    for _ in range(5):
        chart.go(1)
        assert probe.flush(20)
        eventually(lambda: not any("orphans" in thread.name for thread in threading.enumerate()))
    told = [record for record in caplog.records if "the spool is tried again later" in record.message]
    assert len(told) == 1


def test_nothing_left_behind_is_sent_while_its_probe_lives(make, chart, log, tmp_path, kit):
    log.error = AWAY
    first = make(chart)
    chart.go(10)
    eventually(lambda: first.stats.spooled == 10)
    other = kit.SmallChart(2, "other")
    second = make(other)
    other.go(1)
    eventually(lambda: second.stats.spooled == 1)
    assert len(files(tmp_path)) == 2
    log.error = None
    assert first.flush(20)
    assert second.flush(20)
    assert len(log.stored) == len(set(log.stored))


def test_a_full_spool_drops_the_oldest_and_declares_them(make, chart, log, kit):
    log.error = AWAY
    probe = make(chart, bounds=Bounds(max_batches=10))
    for number in range(1, 31):
        chart.go(10)
        eventually(lambda number=number: probe.stats.pending - probe.stats.spooled == 0 and number)
        assert kit.whole(probe.stats)
    log.error = None
    assert probe.flush(20)
    lost = probe.stats.dropped
    assert set(lost) == {"spool_full"}
    assert probe.stats.stored + lost["spool_full"] == 300
    opened = kit.open_all(log.stored, log.keyring)
    declared = {
        number
        for batch in opened.batches
        for first, count, reason in batch.drops
        if reason == "spool_full"
        for number in range(first, first + count)
    }
    assert declared | set(opened.numbers) == set(range(300))
    assert len(declared) == lost["spool_full"]


def test_a_disk_that_takes_nothing_leaves_the_probe_as_it_is_without_a_spool(make, chart, log, tmp_path, kit):
    (tmp_path / "spool").write_text("in the way")
    log.error = AWAY
    probe = make(chart)
    chart.go(10)
    eventually(lambda: probe.stats.retries > 1)
    assert (probe.stats.pending, probe.stats.spooled) == (10, 0)
    log.error = None
    assert probe.flush(20)
    assert probe.stats.stored == 10


def test_a_disk_that_takes_nothing_is_told_of_once_each_time_the_log_is_away(
    make, chart, log, tmp_path, caplog
):
    (tmp_path / "spool").write_text("in the way")
    probe = make(chart)
    for times in (1, 2):
        tried = probe.stats.retries
        log.error = AWAY
        chart.go(10)
        eventually(lambda tried=tried: probe.stats.retries > tried + 3)
        log.error = None
        assert probe.flush(20)
        told = [record for record in caplog.records if "nothing can be put into the spool" in record.message]
        assert len(told) == times
        assert probe.id[:8] in told[-1].message


def test_the_account_is_exact_at_every_instant_of_a_run_with_faults(make, chart, log, kit):
    chance = random.Random(3)  # noqa: S311 - a run that can be repeated
    probe = make(chart, bounds=Bounds(max_batches=30))
    for _ in range(100):
        log.error = chance.choice([None, AWAY, AWAY])
        chart.go(chance.randrange(50))
        stats = probe.stats
        assert kit.whole(stats)
        assert 0 <= stats.spooled <= stats.pending
        probe.flush(chance.choice([0.0, 0.01, 0.1]))
        assert kit.whole(probe.stats)
    log.error = None
    assert probe.flush(20)
    probe.close()
    stats = probe.stats
    assert (stats.pending, stats.spooled) == (0, 0)
    assert stats.emitted == chart.number == stats.stored + sum(stats.dropped.values())
    assert len(set(kit.open_all(log.stored, log.keyring).numbers)) == stats.stored


def test_the_log_is_told_about_once_when_it_goes_and_once_when_it_is_back(make, chart, log, caplog):
    caplog.set_level(logging.WARNING, "farscope")
    log.error = AWAY
    probe = make(chart)
    for _ in range(5):
        chart.go(10)
        probe.flush(0.02)
    log.error = None
    assert probe.flush(20)

    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

    eventually(lambda: len(told()) == 2)
    assert "steps wait in the spool: away" in told()[0]
    assert "stores again" in told()[1]


def test_a_spoilt_row_is_dropped_and_declared_and_the_others_are_sent(make, chart, log, tmp_path, kit):
    log.error = AWAY
    probe = make(chart)
    for number in range(1, 6):
        chart.go(10)
        eventually(lambda number=number: probe.stats.spooled == 10 * number)
    (path,) = files(tmp_path)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE batch SET data = zeroblob(100) WHERE id = (SELECT max(id) FROM batch)")
    other.close()
    log.error = None
    assert probe.flush(20)
    assert probe.stats.dropped == {"spool_spoilt": 10}
    assert probe.stats.stored == 40


def test_a_spool_is_for_logs_on_a_network_and_can_be_switched_off(chart, tmp_path, monkeypatch, keyring):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with broadcast(chart, url=f"sqlite:{tmp_path / 'log'}", key=keyring):
        chart.go(1)
    assert not (tmp_path / "state").exists()
    for spool, there in ((False, False), (None, False), (tmp_path / "here", True), (True, True)):
        probe = broadcast(chart, url="amqp://guest@127.0.0.1:1/", key=keyring, spool=spool)
        chart.go(10)
        probe.close(0.5)
        assert (probe.stats.spooled == 10) == there
        assert (probe.stats.dropped == {"closing": 10}) != there
    assert len(list((tmp_path / "here").glob("*/*.fslog"))) == 1
    assert len(list((tmp_path / "state").glob("farscope/spool/*/*.fslog"))) == 1
