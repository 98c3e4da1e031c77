"""Probes with different heartbeats and wrong clocks: who is silent, and how long others wait for them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.heartbeat import COMPANY_NS, HEARTBEAT_NS, MAX_AWAIT_NS, SETTLE_NS, silent_after_ns
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.scope.accounting import Posted, ReceivedAccount
from farscope.scope.intake import Accepted
from farscope.scope.notice import NoticeKind
from farscope.scope.ordering.clock_offsets import ClockOffsets
from farscope.scope.ordering.reorder_buffer import WINDOW_S, Now, ReorderBuffer
from farscope.scope.world import World
from farscope.wire.batch import Batch, ChartEntry
from farscope.wire.envelope import Flags, Header

SECOND = 1_000_000_000
BEGIN = 1_000_000 * SECOND
TICK_NS = HEARTBEAT_NS // 4
SHAPE = Shape(StepKind.TRANSITION, "B", "c1", "c2", (Fact(FactKind.OFFER, "c1"),))


@dataclass
class Speaker:
    """A probe that is heard at least at half of its rate until it dies; times are true."""

    number: int
    heartbeat_ns: int
    offset_ns: int
    beats: int
    """Number of batches before it dies."""
    late: tuple[float, ...]
    """How much longer than its heartbeat each pause is, in turn, as a factor."""

    @property
    def probe(self) -> bytes:
        return bytes([self.number] * 16)

    def times(self) -> list[int]:
        at_ns, times = BEGIN + self.number * SECOND // 10, []
        for turn in range(self.beats):
            times.append(at_ns)
            at_ns += int(self.heartbeat_ns * self.late[turn % len(self.late)])
        return times

    def batch(self, number: int, at_ns: int, account: ReceivedAccount) -> Accepted:
        time_ns = at_ns + self.offset_ns
        chart = ChartId(f"chart {self.number}", "far", self.number, 1, self.probe.hex())
        step = (chart, number + 1, SHAPE, time_ns, 5, 0, 0, 0, None, (), ())
        batch = Batch(
            host=f"host {self.number}",
            pid=self.number,
            started_ns=BEGIN + self.offset_ns,
            sent_ns=time_ns,
            next_number=number + 1,
            heartbeat_ns=self.heartbeat_ns,
            charts=(ChartEntry(1, chart.name, ("c2",), number + 1),),
            numbers=[number],
            steps=[step],
        )
        header = Header(0, Flags.NONE, bytes(8), self.probe, number)
        return Accepted(header, batch, Posted([step], {}, ()), account)


HEARTBEATS_NS = st.sampled_from([HEARTBEAT_NS // 5, HEARTBEAT_NS, 3 * HEARTBEAT_NS, 20 * HEARTBEAT_NS])
SPEAKERS = st.lists(
    st.builds(
        Speaker,
        st.just(0),
        HEARTBEATS_NS,
        st.sampled_from([0, -40 * SECOND, 7 * SECOND, 3_600 * SECOND]),
        st.integers(1, 8),
        st.lists(st.floats(0.2, 1.9), min_size=1, max_size=4).map(tuple),
    ),
    min_size=1,
    max_size=4,
)


def numbered(speakers: list[Speaker]) -> list[Speaker]:
    for number, speaker in enumerate(speakers, start=1):
        speaker.number = number
    return speakers


def arrivals(speakers: list[Speaker]) -> list[tuple[int, int, int]]:
    """Return the true time, the speaker and the number of each batch, in order."""
    streams = (
        [(at_ns, place, number) for number, at_ns in enumerate(speaker.times())]
        for place, speaker in enumerate(speakers)
    )
    return list(heapq.merge(*streams))


@settings(deadline=None, max_examples=60)
@given(SPEAKERS)
def test_a_probe_is_silent_after_its_own_multiple_and_never_before(speakers):
    numbered(speakers)
    world, accounts = World(), [ReceivedAccount(from_start=True) for _ in speakers]
    fell: dict[str, list[int]] = {speaker.probe.hex(): [] for speaker in speakers}
    last_ns = {speaker.probe.hex(): speaker.times()[-1] for speaker in speakers}
    end_ns = max(
        last_ns[speaker.probe.hex()] + silent_after_ns(speaker.heartbeat_ns) + 2 * TICK_NS
        for speaker in speakers
    )
    queue, now_ns = arrivals(speakers), BEGIN
    while now_ns <= end_ns:
        while queue and queue[0][0] <= now_ns:
            at_ns, place, number = queue.pop(0)
            world.apply(speakers[place].batch(number, at_ns, accounts[place]), at_ns)
        for notice in world.tick(now_ns, BEGIN - 100 * SETTLE_NS):
            assert notice.kind is NoticeKind.FELL_SILENT
            fell[notice.probe].append(now_ns)
        now_ns += TICK_NS
    for speaker in speakers:
        (when_ns,) = fell[speaker.probe.hex()]
        quiet_ns = when_ns - last_ns[speaker.probe.hex()]
        assert 0 <= quiet_ns - silent_after_ns(speaker.heartbeat_ns) <= TICK_NS
    assert {chart.status for chart in world.charts()} == {"silent"}


@settings(deadline=None, max_examples=60)
@given(SPEAKERS, st.booleans())
def test_no_step_waits_longer_than_the_bound_for_any_probe_however_slow(speakers, live):
    numbered(speakers)
    buffer = ReorderBuffer(ClockOffsets("here", int(WINDOW_S * SECOND)), WINDOW_S)
    accounts = [ReceivedAccount(from_start=True) for _ in speakers]
    queue = arrivals(speakers)
    if live:
        waits = 0
        for (at_ns, place, number), after in zip(queue, [*queue[1:], None], strict=True):
            buffer.put(
                speakers[place].batch(number, at_ns, accounts[place]), at_ns, Now(at_ns, at_ns), live=True
            )
            then_ns = at_ns + COMPANY_NS
            if after is None or after[0] > then_ns:
                buffer.pop_due(Now(then_ns, then_ns), live=True, several=True)
                waits += len(buffer)
        assert waits == 0
        return
    read_ns = queue[-1][0] + SECOND // 100
    for at_ns, place, number in queue:
        batch = speakers[place].batch(number, at_ns, accounts[place])
        buffer.put(batch, at_ns + speakers[place].offset_ns, Now(read_ns, read_ns), live=False)
    handed_out = len(buffer.reach_end(Now(read_ns, read_ns)))
    if len(speakers) == 1 and speakers[0].heartbeat_ns >= MAX_AWAIT_NS:
        assert handed_out == len(queue)
    then_ns = read_ns + MAX_AWAIT_NS
    handed_out += len(buffer.pop_due(Now(then_ns, then_ns), live=True, several=True))
    assert handed_out == len(queue)
