from __future__ import annotations

import threading

from farscope.probe.clock import SystemClock, Wakeup


def test_a_ring_before_the_wait_is_not_lost():
    wakeup = Wakeup()
    wakeup.set()
    assert wakeup.wait(0)


def test_rings_that_nobody_heard_count_as_one():
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    assert wakeup.wait(0)
    assert not wakeup.wait(0)


def test_a_ring_wakes_the_thread_that_waits():
    wakeup = Wakeup()
    heard = []
    thread = threading.Thread(target=lambda: heard.append(wakeup.wait(30)))
    thread.start()
    wakeup.set()
    thread.join()
    assert heard == [True]


def test_a_wait_into_the_past_returns_at_once():
    assert not Wakeup().wait(-1)


def test_the_systems_clock_answers():
    clock = SystemClock()
    assert clock.monotonic_s() <= clock.monotonic_s()
    assert clock.wall_ns() > 1_600_000_000 * 10**9
    assert 0 <= clock.random() < 1
    assert not clock.wait(Wakeup(), 0)
