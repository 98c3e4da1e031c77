"""Interruptions of the probe: errors of signal handlers, steps of finalizers."""

from __future__ import annotations

import contextlib
import gc
import random
import signal
import sys
from collections.abc import Iterator

import pytest

from farscope import Event, Factory
from farscope.logs.url import open_log
from farscope.probe.broadcast import broadcast
from farscope.probe.outbox import OUTBOX_TEXT, Outbox
from farscope.probe.pump import Life

ALARMS = 150
"""Times a test is struck."""


CHANCE = random.Random(5)  # noqa: S311 - no secret


class Late(Exception):
    pass


def late(*_):
    raise Late


@contextlib.contextmanager
def alarm_handled_by(handler) -> Iterator[None]:
    """Lend SIGALRM, which watches over the tests' own time."""
    left, former = signal.setitimer(signal.ITIMER_REAL, 0), signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
        signal.setitimer(signal.ITIMER_REAL, *left)


@contextlib.contextmanager
def eager_collector() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(3, 2, 2)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.collect()


def struck(work, monkeypatch) -> int:
    """Do ``work`` again and again, each time until an alarm's handler raises somewhere in it."""
    strikes = 0
    armed = True

    def strike(*_):
        nonlocal armed
        if armed:
            armed = False
            raise Late

    def swallowed(lost):
        # In a weak reference's callback, say: there the interpreter itself keeps errors from the program.
        nonlocal armed
        assert lost.exc_type is Late
        armed = True

    monkeypatch.setattr(sys, "unraisablehook", swallowed)
    with alarm_handled_by(strike):
        while strikes < ALARMS:
            try:
                signal.setitimer(signal.ITIMER_REAL, CHANCE.uniform(0.0002, 0.002), 0.002)
                armed = True
                while True:
                    work()
            except Late:
                strikes += 1
    return strikes


@pytest.fixture
def url(request):
    return f"memory:{request.node.name}"


@pytest.fixture
def door():
    chart = Factory("door", threaded=False)
    chart.create("shut").catch("PUSH", lambda chart, _: chart.trans("open"))
    chart.create("open").catch("PUSH", talk)
    chart.nest("shut", parent=None).nest("open", parent=None)
    return chart


def talk(chart, _event):
    chart.scribble("ajar")
    return chart.trans("shut")


@pytest.mark.parametrize(
    "options", [{}, {"capacity": 20}, {"capacity": 20, "drop": "oldest"}], ids=["room", "newest", "oldest"]
)
def test_an_error_raised_by_a_signal_handler_reaches_the_program_and_each_step_is_counted_once(
    request, door, keyring, kit, options
):
    url, monkeypatch = (request.getfixturevalue(name) for name in ("url", "monkeypatch"))
    push = Event("PUSH")
    with broadcast(door, url=url, key=keyring, **options) as probe:
        door.start_at("shut")
        assert struck(lambda: door.dispatch(push), monkeypatch) == ALARMS
        before = probe.stats
        assert before.emitted == door.steps_made
        assert kit.whole(before)
        for _ in range(10):
            door.dispatch(push)
        assert probe.stats.emitted == before.emitted + 10
        assert probe.flush()
    assert kit.whole(probe.stats)
    assert probe.stats.pending == 0
    opened = kit.open_all(
        [entry.data for entry in open_log(url).reader(since_ns=0).read(0, limit=10**6)], keyring
    )
    declared = [
        number
        for batch in opened.batches
        for first, count, _ in batch.drops
        for number in range(first, first + count)
    ]
    assert sorted(opened.numbers + declared) == list(range(probe.stats.emitted))


def test_charts_added_and_removed_while_alarms_strike_are_broadcast_or_not_as_was_said_last(
    url, keyring, kit, monkeypatch
):
    chart = kit.SmallChart()
    with broadcast(url=url, key=keyring) as probe:

        def add_and_remove():
            probe.add(chart)
            probe.remove(chart)

        struck(add_and_remove, monkeypatch)
        probe.add(chart)
        assert len(chart.sinks) == 1
        before = probe.stats.emitted
        chart.go(3)
        assert probe.stats.emitted == before + 3
        probe.remove(chart)
        assert chart.sinks == []
        assert probe._watched == {}


def test_asking_and_flushing_while_alarms_strike_leaves_the_probe_whole(
    chart, url, keyring, kit, monkeypatch
):
    with broadcast(chart, url=url, key=keyring) as probe:

        def ask():
            chart.go(1)
            assert kit.whole(probe.stats)
            probe.flush(0.001)

        struck(ask, monkeypatch)
        assert probe.flush()
        assert probe.stats.pending == 0


def test_a_program_that_is_struck_while_it_closes_a_probe_can_close_it_again(chart, url, keyring, kit):
    strikes = 0
    with alarm_handled_by(late):
        while strikes < 20:
            probe = broadcast(chart, url=url, key=keyring)
            chart.go(5)
            try:
                signal.setitimer(signal.ITIMER_REAL, CHANCE.uniform(0.00005, 0.002))
                probe.close()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Late:
                strikes += 1
                probe.close()
            assert (probe.stats.stored, probe.stats.pending) == (5, 0)
            assert chart.sinks == []


def test_a_step_that_wakes_the_pump_is_left_although_an_error_strikes_there(chart):
    def wake():
        signal.raise_signal(signal.SIGALRM)

    outbox = Outbox(wake)
    outbox.try_to_sleep()
    with alarm_handled_by(late):
        for _ in range(3):
            with pytest.raises(Late):
                outbox.offer(chart.step())
    assert outbox.stats().emitted == 3


@pytest.mark.parametrize("policy", ["newest", "oldest"])
def test_steps_made_by_finalizers_and_signal_handlers_in_the_middle_of_others_are_counted(chart, policy, kit):
    outbox = Outbox(lambda: None, 20, policy)
    texts = [(), ("word",), ("x" * (OUTBOX_TEXT // 3),), ("x" * (OUTBOX_TEXT + 1),)]
    made = []

    def offer():
        outbox.offer(chart.step(CHANCE.choice(texts)))
        made.append(None)

    class Loop:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            offer()
            assert kit.whole(outbox.stats())

    accounted = []

    def take():
        chunk = outbox.dequeue(7)
        if chunk is not None:
            accounted.extend(chunk.numbers)
            accounted.extend(n for first, count, _ in chunk.drops for n in range(first, first + count))
            outbox.account.confirm(chunk, 0)

    with alarm_handled_by(lambda *_: offer()), eager_collector():
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for turn in range(2_000):
            Loop()
            offer()
            assert kit.whole(outbox.stats())
            if turn % 9 == 0:
                take()
    while outbox.backlog or outbox.account.undeclared:
        take()
    assert outbox.stats().emitted == len(made)
    assert sorted(accounted) == list(range(len(made)))
    assert outbox._text == 0


def test_charts_that_come_go_and_are_collected_while_signals_arrive_hang_nothing(url, keyring, kit):
    with broadcast(url=url, key=keyring, capacity=50, drop="oldest") as probe:
        made = []

        class Loop(kit.SmallChart):
            def __init__(self) -> None:
                super().__init__(len(made) + 1)
                made.append(0)
                self.me = self

            def __del__(self) -> None:
                use(probe)

        def use(probe):
            chart = kit.SmallChart(1_000_000 + len(made))
            probe.add(chart)
            chart.go(1)
            probe.stats, probe.flush(0)
            probe.remove(chart)
            made.append(1)

        with alarm_handled_by(lambda *_: use(probe)), eager_collector():
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            for _ in range(300):
                chart = Loop()
                probe.add(chart)
                chart.go(2)
                made.append(2)
                del chart
        gc.collect()
        assert probe.flush()
        assert kit.whole(probe.stats)
        assert probe.stats.emitted == sum(made)
        assert probe._watched == {}


def test_a_signal_handler_may_close_the_probe_whatever_the_program_was_doing(door, url, keyring, kit):
    for _ in range(20):
        door = kit.SmallChart()
        probe = broadcast(door, url=url, key=keyring, capacity=10)
        with alarm_handled_by(lambda *_, probe=probe: probe.close()):
            signal.setitimer(signal.ITIMER_REAL, CHANCE.uniform(0.0001, 0.003))
            while door.sinks:
                door.go(1)
                assert kit.whole(probe.stats)
                probe.flush(0.0001)
        assert (probe.stats.pending, probe._pump.life) == (0, Life.ENDED)
