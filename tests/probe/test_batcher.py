from __future__ import annotations

import pytest

from farscope.errors import BatchTooLarge, Invariant
from farscope.records.structure import ChartStructure, StateInfo
from farscope.wire.envelope import Flags


def too_large_over(steps: int):
    return lambda batch: BatchTooLarge("too large") if len(batch.steps) > steps else None


def test_a_batch_says_where_it_comes_from_and_what_comes_next(bench):
    bench.introduce()
    bench.offer(3)
    [batch] = bench.batcher.steps(2)
    batch, flags = batch.payload
    assert (batch.host, batch.pid, batch.numbers, batch.next_number) == ("here", 1, [0, 1], 3)
    assert batch.started_ns == batch.sent_ns == bench.clock.wall_ns()
    assert [(entry.state, entry.number, entry.structure) for entry in batch.charts] == [("outer", 2, None)]
    assert flags == Flags.NONE


def test_nothing_to_say_makes_no_batch(bench):
    assert bench.batcher.steps(10) == []


def test_too_large_batches_are_cut_and_keep_their_order(bench):
    bench.transport.refuse = too_large_over(3)
    bench.offer(10)
    outgoing = bench.batcher.steps(10)
    assert [number for batch in outgoing for number in batch.chunk.numbers] == list(range(10))
    assert max(len(batch.chunk.steps) for batch in outgoing) <= 3
    assert bench.outbox.stats().pending == 10


@pytest.mark.parametrize(
    ("error", "reason"), [(BatchTooLarge("too large"), "too_large"), (Invariant("odd"), "unencodable")]
)
def test_one_step_that_cannot_travel_is_dropped_and_holds_up_no_other(bench, error, reason, caplog):
    bench.transport.refuse = lambda batch: error if 4 in batch.numbers else None
    bench.offer(7)
    outgoing = bench.batcher.steps(10)
    assert [number for batch in outgoing for number in batch.chunk.numbers] == [0, 1, 2, 3, 5, 6]
    assert bench.outbox.stats().dropped == {reason: 1}
    assert str(error.message) in bench.outbox.stats().last_error
    [declared] = bench.batcher.steps(10)
    assert declared.chunk.drops == ((4, 1, reason),)
    assert declared.payload[1] == Flags.HEARTBEAT
    assert len(caplog.messages) == (reason == "unencodable")


def test_too_many_charts_are_announced_in_several_batches(bench, kit):
    for serial in range(1, 11):
        bench.introduce(kit.SmallChart(serial))
    bench.transport.refuse = lambda batch: BatchTooLarge("too large") if len(batch.charts) > 3 else None
    outgoing = bench.batcher.announcement(bench.directory.all_entries(0), Flags.HEARTBEAT)
    announced = [entry.serial for batch in outgoing for entry in batch.payload[0].charts]
    assert announced == list(range(1, 11))
    assert all(batch.payload[1] == Flags.HEARTBEAT | Flags.ANNOUNCE for batch in outgoing)


def test_a_structure_that_cannot_travel_is_left_out_and_reported(bench, chart, caplog):
    huge = ChartStructure(tuple(StateInfo(f"s{number}") for number in range(10)))
    bench.directory.announce(chart.id, huge, "s1", 0)
    bench.transport.refuse = lambda batch: (
        BatchTooLarge("too large") if any(entry.structure for entry in batch.charts) else None
    )
    [batch] = bench.batcher.announcement(bench.directory.all_entries(0), Flags.HEARTBEAT)
    [entry] = batch.payload[0].charts
    assert (entry.state, entry.structure) == ("s1", None)
    assert "too large to be announced" in caplog.text


def test_the_last_words_carry_every_chart_and_every_loss(bench):
    bench.introduce()
    bench.offer(2)
    bench.outbox.retire("closing")
    [batch] = bench.batcher.goodbye()
    batch, flags = batch.payload
    assert flags == Flags.GOODBYE | Flags.HEARTBEAT | Flags.ANNOUNCE
    assert batch.drops == ((0, 2, "closing"),)
    assert batch.next_number == 2
    assert [entry.name for entry in batch.charts] == ["chart"]


def test_last_words_that_are_too_many_leave_out_structures_and_then_charts(bench):
    bench.introduce()
    bench.transport.refuse = lambda batch: (
        BatchTooLarge("too large") if any(entry.structure for entry in batch.charts) else None
    )
    [batch] = bench.batcher.goodbye()
    assert [entry.structure for entry in batch.payload[0].charts] == [None]
    bench.transport.refuse = lambda batch: BatchTooLarge("too large") if batch.charts else None
    [batch] = bench.batcher.goodbye()
    assert batch.payload[0].charts == ()
