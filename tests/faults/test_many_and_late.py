"""Many producers and scopes at once, scopes that come late, scopes that stand still."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from farscope import Event, Factory, Scope, broadcast
from farscope.testing.waiting import eventually
from farscope.wire.keys import new_key_file
from support.account_check import table
from support.broker import Broker
from support.crew import Producers, Report, Watchers, made_by, verdict_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

SOAK = [pytest.mark.soak, pytest.mark.timeout(1800)]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key_file(tmp_path / "key")
    return tmp_path / "key"


def lamp() -> Factory:
    chart = Factory("lamp", threaded=False)
    chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on"))
    chart.create("on").catch("PRESS", lambda chart, _: chart.trans("off"))
    chart.nest("off", parent=None).nest("on", parent=None)
    return chart


@pytest.mark.parametrize("steps", [200_000, pytest.param(1_000_000, marks=SOAK)])
def test_a_late_scope_reads_all_that_was_stored_before(
    fresh_log_url: Callable[..., str], key: Path, tmp_path: Path, steps: int
):
    url, chart, press = fresh_log_url(), lamp(), Event("PRESS")
    with broadcast(chart, url=url, key=key, spool=tmp_path / "spool", capacity=steps) as probe:
        chart.start_at("off")
        for _ in range(steps - 1):
            chart.dispatch(press)
        assert probe.flush(60), probe.stats
    assert probe.stats.stored == steps
    with Scope(url, key, since="start") as scope:
        expected = 1
        while expected <= steps and (taken := scope.take(30, 10_000)):
            numbers = [step.number for step in taken]
            assert numbers == list(range(expected, expected + len(taken)))
            expected += len(taken)
        assert expected == steps + 1
        assert (scope.stats.received, scope.stats.lost, scope.stats.cut) == (steps, 0, 0)


def standing(broker: Broker) -> tuple[int, int]:
    """Return how many connections and queues the broker has."""
    connections = broker.control("list_connections", "pid").split()
    queues = broker.control("list_queues", "name").split()
    return len(connections), len(queues)


def whole(done: dict[str, Report], scopes: list[Report]) -> None:
    """Require that every scope had everything, once and in order."""
    verdicts = {f"scope {n}": verdict_of(done, scope) for n, scope in enumerate(scopes, 1)}
    print(table(verdicts))
    assert all(report["dropped"] == report["pending"] == 0 for report in done.values()), done
    for verdict, scope in zip(verdicts.values(), scopes, strict=True):
        assert verdict.sound
        assert verdict.ok == verdict.attempted == verdict.acknowledged
        assert (scope["missing"], scope["cut"]) == (0, 0)
        assert all(len(runs) == 1 for runs in scope["runs"].values())


class Size(NamedTuple):
    processes: int
    each: int
    seconds: float


@pytest.mark.parametrize("size", [Size(2, 5, 3.0), pytest.param(Size(10, 1, 60.0), marks=SOAK)])
def test_ten_producers_and_ten_scopes_all_have_everything_and_leave_nothing_behind(
    broker: Broker, fresh_log_url: Callable[..., str], key: Path, tmp_path: Path, size: Size
):
    url = fresh_log_url()
    with Scope(url, key):
        pass
    before = standing(broker)
    names = [[f"producer{n}-{m}" for m in range(size.each)] for n in range(size.processes)]
    with ExitStack() as stack:
        watchers = [stack.enter_context(Watchers(url, key, scopes=size.each)) for _ in range(size.processes)]
        producers = [
            stack.enter_context(Producers(url, key, tmp_path / "spool", group, steps_a_second=100.0))
            for group in names
        ]
        everybody = [name for group in names for name in group]
        eventually(lambda: all(watcher.saw_after(0, everybody) for watcher in watchers), 60)
        threading.Event().wait(size.seconds)
        done = {name: report for member in producers for name, report in member.stop().items()}
        scopes = [report for watcher in watchers for report in watcher.stop(made_by(done))]
    assert (len(done), len(scopes)) == (10, 10)
    whole(done, scopes)
    eventually(lambda: standing(broker) == before, 30, what="the broker's connections and queues as before")


@pytest.mark.parametrize("seconds", [2.0, pytest.param(60.0, marks=SOAK)])
def test_a_scope_that_was_frozen_slows_nobody_and_has_everything(
    fresh_log_url: Callable[..., str], key: Path, tmp_path: Path, seconds: float
):
    done, frozen, lively = freeze_a_scope(fresh_log_url(), key, tmp_path, seconds)
    whole(done, [frozen, lively])


@pytest.mark.parametrize("seconds", [4.0, pytest.param(60.0, marks=SOAK)])
def test_a_scope_that_was_frozen_for_too_long_reports_exactly_the_gap_that_retention_cut(
    fresh_log_url: Callable[..., str], key: Path, tmp_path: Path, seconds: float
):
    url = fresh_log_url(max_bytes=40_000, segment_bytes=8_000, prefetch=4)
    done, frozen, lively = freeze_a_scope(url, key, tmp_path, seconds)
    for scope in (frozen, lively):
        told_of_each_gap(done, scope)
    assert frozen["missing"] > 0
    assert frozen["cut"] > 0


def told_of_each_gap(done: dict[str, Report], scope: Report) -> None:
    """Require that a scope had all but what it told to be missing.

    A log this short cuts whoever stands still for half a second, which on a busy machine may also be the
    scope that nobody froze: what it promises either way is to tell the gap, to the step.
    """
    verdict = verdict_of(done, scope)
    print(table({"scope": verdict}), scope["missing"], scope["cut"], scope["notices"])
    assert all(report["dropped"] == report["pending"] == 0 for report in done.values()), done
    assert (verdict.unexpected, verdict.duplicated) == (0, 0)
    told: dict[str, set[int]] = {}
    for kind, probe, _, _, span in scope["notices"]:
        if kind == "missing":
            told.setdefault(probe, set()).update(range(span[0], span[1] + 1))
    assert sum(map(len, told.values())) == scope["missing"]
    not_had = (numbers_not_had(report["emitted"], scope["runs"][name]) for name, report in done.items())
    assert sorted(map(sorted, told.values())) == sorted(sorted(numbers) for numbers in not_had if numbers)


def numbers_not_had(emitted: int, runs: list[list[int]]) -> set[int]:
    """Return what a probe emitted and a scope did not have, as the probe counts.

    The start is 0, and count 0 is 1. The start scribbles nothing and is in no run: it is taken as had
    unless count 0 is missing as well.
    """
    had = {number for first, last in runs for number in range(first + 1, last + 2)}
    if 1 in had:
        had.add(0)
    return set(range(emitted)) - had


def freeze_a_scope(
    url: str, key: Path, tmp_path: Path, seconds: float
) -> tuple[dict[str, Report], Report, Report]:
    """Freeze one of two scopes for so long; return the producers', its own, and the other one's accounts."""
    names = ("north", "south")
    with (
        Watchers(url, key) as frozen,
        Watchers(url, key) as lively,
        Producers(url, key, tmp_path / "spool", names) as producers,
    ):
        eventually(lambda: all(watcher.saw_after(0, names) for watcher in (frozen, lively)), 60)
        os.kill(frozen.pid, signal.SIGSTOP)
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                moment_ns, stored = time.time_ns(), producers.stored
                eventually(
                    lambda m=moment_ns: lively.saw_after(m, names), 60, what="the other scope to go on"
                )
                eventually(lambda s=stored: producers.stored > s, 60, what="the producers to go on")
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
        moment_ns = time.time_ns()
        eventually(lambda: frozen.saw_after(moment_ns, names), 60, what="the woken scope to be up to date")
        done = producers.stop()
        reports = [watcher.stop(made_by(done))[0] for watcher in (frozen, lively)]
    return done, *reports
