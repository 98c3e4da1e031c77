from __future__ import annotations

import gc
import itertools
import threading

import pytest

from farscope.probe.outbox import OUTBOX_TEXT, Outbox


def nobody() -> None:
    """Wakes no pump."""


def taken(outbox: Outbox, limit: int = 10**6):
    chunk = outbox.dequeue(limit)
    return (chunk.numbers, [step[1] for step in chunk.steps], list(chunk.drops)) if chunk else None


def fill(outbox: Outbox, chart, count: int) -> None:
    for _ in range(count):
        outbox.offer(chart.step())


def test_steps_come_out_in_order_with_numbers_from_zero(chart):
    outbox = Outbox(nobody)
    fill(outbox, chart, 5)
    assert outbox.next_number == 5
    assert taken(outbox, 3) == ([0, 1, 2], [1, 2, 3], [])
    assert taken(outbox, 3) == ([3, 4], [4, 5], [])
    assert taken(outbox) is None


def test_a_full_outbox_refuses_the_newest_and_says_which_numbers_that_were(chart):
    outbox = Outbox(nobody, 3)
    fill(outbox, chart, 5)
    assert outbox.stats().dropped == {"outbox_full": 2}
    assert taken(outbox, 2) == ([0, 1], [1, 2], [])
    fill(outbox, chart, 1)
    assert taken(outbox) == ([2, 5], [3, 6], [(3, 2, "outbox_full")])


def test_a_full_outbox_may_give_up_the_oldest_instead(chart):
    outbox = Outbox(nobody, 3, "oldest")
    fill(outbox, chart, 5)
    assert outbox.stats().dropped == {"outbox_full": 2}
    assert taken(outbox) == ([2, 3, 4], [3, 4, 5], [(0, 2, "outbox_full")])


@pytest.mark.parametrize("policy", ["newest", "oldest"])
def test_however_much_is_offered_the_outbox_stays_bounded(chart, policy):
    outbox = Outbox(nobody, 10, policy)
    for _ in range(20):
        fill(outbox, chart, 100)
        outbox.dequeue(3)
    assert outbox.backlog <= 11
    assert outbox.next_number == 2000


@pytest.mark.parametrize(("policy", "left"), [("newest", [1, 2, 3]), ("oldest", [2, 3, 4])])
def test_free_text_is_bounded_too(chart, policy, left):
    outbox = Outbox(nobody, 100, policy)
    long = ("x" * (OUTBOX_TEXT // 2),)
    for texts in (long, long, (), long):
        outbox.offer(chart.step(texts))
    chunk = outbox.dequeue(10)
    assert [step[1] for step in chunk.steps] == left
    outbox.offer(chart.step(long))
    assert len(outbox.dequeue(10).steps) == 1


@pytest.mark.parametrize("policy", ["newest", "oldest"])
def test_a_text_that_can_never_fit_is_dropped(chart, policy, kit):
    outbox = Outbox(nobody, 100, policy)
    outbox.offer(chart.step(("x" * (OUTBOX_TEXT + 1),)))
    assert outbox.stats().dropped == {"outbox_full": 1}
    assert kit.whole(outbox.stats())


def test_a_sleeping_pump_is_woken_by_the_first_step_and_by_no_other(chart):
    rings = itertools.count()
    outbox = Outbox(lambda: next(rings))
    assert outbox.try_to_sleep()
    fill(outbox, chart, 3)
    assert next(rings) == 1


def test_a_pump_does_not_fall_asleep_over_work(chart):
    outbox = Outbox(nobody)
    fill(outbox, chart, 1)
    assert not outbox.try_to_sleep()
    outbox.dequeue(1)
    assert outbox.try_to_sleep()


def test_a_retired_outbox_drops_what_it_holds_and_what_comes(chart):
    outbox = Outbox(nobody)
    fill(outbox, chart, 3)
    outbox.dequeue(1)
    outbox.retire("closing")
    fill(outbox, chart, 2)
    stats = outbox.stats()
    assert (stats.emitted, stats.pending, stats.dropped) == (5, 0, {"closing": 5})
    assert outbox.retired


def test_a_step_that_slipped_into_a_retired_outbox_is_dropped_all_the_same(chart):
    outbox = Outbox(nobody)
    queue = outbox._queue
    outbox.retire("closing")
    queue.append(chart.step())  # a chart that had looked before, and left its step after
    assert outbox.stats().dropped == {"closing": 1}


def test_a_reset_outbox_begins_anew(chart):
    outbox = Outbox(nobody, 1)
    fill(outbox, chart, 3)
    outbox.retire("closing")
    outbox.reset(asleep=True)
    fill(outbox, chart, 1)
    stats = outbox.stats()
    assert (stats.emitted, stats.pending, stats.dropped) == (1, 1, {})


def test_numbers_are_accounted_for_only_when_their_losses_were_declared(chart):
    outbox = Outbox(nobody, 2)
    fill(outbox, chart, 3)
    assert not outbox.accounted(1)
    chunk = outbox.dequeue(2)
    assert not outbox.accounted(1)
    outbox.account.confirm(chunk, 1)
    assert outbox.accounted(2)
    assert not outbox.accounted(3)
    outbox.account.confirm(outbox.dequeue(2), 1)
    assert outbox.accounted(3)


@pytest.mark.parametrize("policy", ["newest", "oldest"])
def test_a_step_offered_in_the_middle_of_the_bookkeeping_is_no_deadlock(chart, policy, kit):
    outbox = Outbox(nobody, 2, policy)
    with outbox.lock:
        fill(outbox, chart, 5)
    assert outbox.stats().emitted == 5
    assert kit.whole(outbox.stats())


@pytest.mark.parametrize("policy", ["newest", "oldest"])
def test_finalisers_that_offer_steps_wherever_they_strike_are_counted(chart, policy, kit):
    outbox = Outbox(nobody, 20, policy)
    struck = itertools.count()

    class Loop:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            next(struck)
            outbox.offer(chart.step())

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for _ in range(300):
            Loop()
            fill(outbox, chart, 1)
            assert kit.whole(outbox.stats())
            outbox.dequeue(1)
    finally:
        gc.set_threshold(*before)
        gc.collect()
    assert outbox.stats().emitted == 300 + next(struck)
    assert kit.whole(outbox.stats())


@pytest.mark.parametrize("policy", ["newest", "oldest"])
def test_many_threads_offer_and_every_step_is_taken_or_declared_in_each_threads_order(kit, policy):
    outbox = Outbox(nobody, 200, policy)
    charts = [kit.SmallChart(serial) for serial in range(1, 5)]
    threads = [threading.Thread(target=fill, args=(outbox, chart, 5_000)) for chart in charts]
    for thread in threads:
        thread.start()
    steps, accounted = [], []
    while any(thread.is_alive() for thread in threads) or outbox.backlog or outbox.account.undeclared:
        chunk = outbox.dequeue(150)
        if chunk is None:
            continue
        steps += chunk.steps
        accounted += chunk.numbers
        for first, count, _ in chunk.drops:
            accounted += range(first, first + count)
        assert kit.whole(outbox.stats())
        outbox.account.confirm(chunk, 0)
    for thread in threads:
        thread.join()
    assert sorted(accounted) == list(range(20_000))
    for chart in charts:
        mine = [step[1] for step in steps if step[0] is chart.id]
        assert mine == sorted(set(mine))
    stats = outbox.stats()
    assert (stats.emitted, stats.pending) == (20_000, 0)
    assert stats.stored == len(steps)
