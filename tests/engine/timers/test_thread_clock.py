"""The clock of the process: real time, one thread, and none when nothing is pending."""

from __future__ import annotations

import os
import threading

import pytest

from farscope.engine.timers.schedule import Timer
from farscope.engine.timers.thread_clock import THREAD_NAME, ThreadClock
from farscope.testing.waiting import eventually

SOON_S = 20.0


@pytest.fixture
def clock():
    return ThreadClock()


def clock_threads():
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_ten_thousand_timers_fire_from_one_thread_each_as_often_as_told(clock):
    fired = {}
    threads = set()

    def fire(timer):
        threads.add(threading.current_thread())
        fired[timer.number] = fired.get(timer.number, 0) + 1

    begin_ns = clock.now_ns()
    timers = [Timer(fire, 0.001 + number % 7 / 1000, times=2) for number in range(10_000)]
    for timer in timers:
        clock.add(timer, begin_ns + timer.period_ns)
    eventually(lambda: not any(timer.live for timer in timers), SOON_S)
    assert fired == {timer.number: 2 for timer in timers}
    assert len(threads) == 1


def test_the_thread_ends_when_nothing_is_pending_and_comes_back_when_something_is(clock):
    for _ in range(2):
        fired = threading.Event()
        clock.add(Timer(lambda _timer, fired=fired: fired.set(), 1.0, times=1), clock.now_ns())
        assert fired.wait(SOON_S)
        eventually(lambda: not clock_threads(), SOON_S)


def test_a_timer_far_away_does_not_hold_up_one_that_is_added_later_and_due_sooner(clock):
    far = Timer(lambda _timer: None, 3_600.0)
    clock.add(far, clock.now_ns() + far.period_ns)
    fired = threading.Event()
    clock.add(Timer(lambda _timer: fired.set(), 1.0, times=1), clock.now_ns() + 1_000_000)
    assert fired.wait(SOON_S)
    clock.remove(far)
    eventually(lambda: not clock_threads(), SOON_S)


@pytest.mark.parametrize("_round", range(5))
def test_a_removed_timer_begins_to_fire_no_more_and_its_thread_ends(clock, _round):
    removed, first = threading.Event(), threading.Event()
    late = []

    def fire(_timer):
        begun_late = removed.is_set()
        first.set()
        late.append(begun_late)

    timer = Timer(fire, 0.0001)
    clock.add(timer, clock.now_ns())
    assert first.wait(SOON_S)
    clock.remove(timer)
    before = len(late)
    eventually(lambda: not clock_threads(), SOON_S)
    removed.set()
    # One may have fired at that very moment.
    assert len(late) - before <= 1


def test_a_clock_without_a_thread_to_be_had_forgets_that_timer_and_tries_again(clock, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    lost = Timer(lambda _timer: None, 1.0, times=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            clock.add(lost, clock.now_ns())
    assert not lost.live
    fired = threading.Event()
    clock.add(Timer(lambda _timer: fired.set(), 1.0, times=1), clock.now_ns())
    assert fired.wait(SOON_S)
    eventually(lambda: not clock_threads(), SOON_S)


def test_a_timer_that_raises_is_reported_and_the_others_go_on(clock, caplog):
    fired = threading.Event()

    def fail(_timer):
        raise RuntimeError("spring broke")

    clock.add(Timer(fail, 1.0, times=1), clock.now_ns())
    clock.add(Timer(lambda _timer: fired.set(), 1.0, times=1), clock.now_ns() + 1)
    assert fired.wait(SOON_S)
    assert "spring broke" in caplog.text


def test_a_forked_child_has_no_timers_of_its_parent_and_can_set_its_own():
    from farscope.engine.timers.thread_clock import process_clock

    far = Timer(lambda _timer: None, 3_600.0)
    process_clock.add(far, process_clock.now_ns() + far.period_ns)
    pid = os.fork()
    if pid == 0:
        fired = threading.Event()
        empty = len(process_clock._schedule) == 0
        process_clock.add(Timer(lambda _timer: fired.set(), 1.0, times=1), process_clock.now_ns())
        os._exit(0 if empty and fired.wait(SOON_S) else 1)
    _, status = os.waitpid(pid, 0)
    process_clock.remove(far)
    assert status == 0
