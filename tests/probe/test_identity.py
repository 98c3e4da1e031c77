"""emitted = stored + dropped by reason + pending, at every instant of any run."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.errors import BatchTooLarge, LogRefused, LogUnavailable

FAULTS = [LogUnavailable("away"), LogRefused("no right"), OSError("odd")]

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(1, 60)),
        st.tuples(st.just("turn"), st.lists(st.sampled_from(FAULTS), max_size=3)),
        st.tuples(st.just("rest"), st.none()),
        st.tuples(st.just("stop"), st.none()),
    ),
    max_size=25,
)


class Watched:
    """A probe without a thread, looked at in every wait and every attempt to store."""

    def __init__(self, kit, capacity: int, policy: str, seed: int) -> None:
        self.kit = kit
        self.bench = kit.Bench(capacity, policy, batch_steps=7)
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.offered = 0
        self.looks = 0
        self.bench.transport.on_send = self.meddle
        self.bench.clock.while_waiting = self.meddle
        self.bench.transport.refuse = self.refuse

    def refuse(self, batch):
        self.look()
        unlucky = any(number % 41 == 40 for number in batch.numbers)
        return BatchTooLarge("too large") if len(batch.steps) > 5 or unlucky else None

    def offer(self, count: int) -> None:
        self.bench.offer(count)
        self.offered += count

    def meddle(self) -> None:
        self.offer(self.random.randrange(4))
        self.look()

    def look(self) -> None:
        stats = self.bench.outbox.stats()
        assert stats.emitted == self.offered
        assert self.kit.whole(stats)
        assert min(stats.stored, stats.pending, *stats.dropped.values(), 0) >= 0
        self.looks += 1


@settings(max_examples=200, deadline=None)
@given(
    actions=ACTIONS,
    capacity=st.integers(1, 80),
    policy=st.sampled_from(["newest", "oldest"]),
    seed=st.integers(0, 2**32),
)
def test_every_step_is_stored_dropped_or_pending_at_every_instant(kit, actions, capacity, policy, seed):
    watched = Watched(kit, capacity, policy, seed)
    bench = watched.bench
    for action, argument in actions:
        if action == "offer":
            watched.offer(argument)
        elif action == "turn":
            bench.transport.outcomes = list(argument)
            bench.pump.turn()
        elif action == "rest":
            bench.pump.rest()
        else:
            bench.directory.stopped(bench.chart.id, bench.outbox.next_number)
        watched.look()
    bench.transport.outcomes = []
    bench.pump.begin_closing(60, 1)
    bench.pump.run()
    watched.offer(2)
    watched.look()
    assert watched.looks > 1
    told = bench.transport.numbers + [
        number for first, count, _ in bench.transport.drops for number in range(first, first + count)
    ]
    after_goodbye = bench.outbox.stats().emitted - bench.transport.stored[-1][0].next_number
    assert sorted(told) == list(range(watched.offered - after_goodbye))
    assert bench.outbox.stats().stored == len(bench.transport.numbers)


@pytest.mark.parametrize("flush_s", [0.0, 0.3, 5.0])
def test_a_scope_is_told_of_every_number_however_soon_the_probe_has_to_leave(kit, flush_s):
    bench = kit.Bench(capacity=50)
    bench.offer(70)
    failures = iter([LogUnavailable("away")] * 2)
    bench.transport.fails = lambda batch: next(failures, None) if batch.numbers else None
    bench.pump.begin_closing(flush_s, 1)
    bench.pump.run()
    declared = sum(count for _, count, _ in bench.transport.drops)
    assert declared + len(bench.transport.numbers) == bench.transport.stored[-1][0].next_number == 70
    assert kit.whole(bench.outbox.stats())
