"""One order for the steps of many machines, with any clocks and delays."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.heartbeat import COMPANY_NS
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, RawStep
from farscope.scope.accounting import Posted, ReceivedAccount
from farscope.scope.intake import Accepted
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.ordering.clock_offsets import SAME_CLOCK_NS, ClockOffsets
from farscope.scope.ordering.merge import HELD_STEPS
from farscope.scope.ordering.reorder_buffer import PAST_HOLD_NS, WINDOW_S, Now, ReorderBuffer
from farscope.wire.batch import Batch, ChartEntry
from farscope.wire.envelope import Flags, Header

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
BEGIN = 1_000_000 * SECOND
GATHERED_NS = 15 * MILLISECOND
"""How long steps gather in a probe before they are sent."""
SHAPE = Shape(StepKind.TRANSITION, "B", "c1", "c2", (Fact(FactKind.OFFER, "c1"),))


def step_of(probe: str, number: int, time_ns: int, *, serial: int = 1) -> RawStep:
    return (ChartId("chart", "far", 7, serial, probe), number, SHAPE, time_ns, 5, 0, 0, 0, None, (), ())


def accepted(
    probe: bytes,
    host: str,
    sent_ns: int,
    steps: list[RawStep],
    number: int = 0,
    *,
    charts: tuple[ChartEntry, ...] = (),
) -> Accepted:
    batch = Batch(
        host=host,
        pid=7,
        started_ns=0,
        sent_ns=sent_ns,
        next_number=0,
        numbers=[0] * len(steps),
        steps=steps,
        charts=charts,
    )
    header = Header(0, Flags.NONE, bytes(8), probe, number)
    return Accepted(header, batch, Posted(steps, {}, ()), ReceivedAccount(from_start=True))


class Arrival(NamedTuple):
    """A batch as it comes out of the log."""

    at_ns: int
    accepted: Accepted
    stored_ns: int
    """By the machine's clock, as logs stamp it."""


@dataclass
class Machine:
    """One probe with a few charts; all times true, except those it writes."""

    number: int
    offset_ns: int = 0
    drift_ppm: int = 0
    delays_ms: tuple[int, ...] = (0,)
    """How long batches are on their way, in turn."""
    charts: int = 2
    host: str = ""
    true_ns: dict[tuple[int, int], int] = field(default_factory=dict)
    """True time of each step, by serial and number."""
    sent_batches: int = 0

    @property
    def probe(self) -> bytes:
        return bytes([self.number] * 16)

    def clock(self, at_ns: int) -> int:
        return at_ns + self.offset_ns + (at_ns - BEGIN) * self.drift_ppm // 1_000_000

    def batches(self, random: Random, length_s: int, pace_ms: int, begin_s: float = 0) -> Iterator[Arrival]:
        """Yield what arrives: at least a heartbeat a second, steps whenever chance has it."""
        begin = BEGIN + int(begin_s * SECOND)
        sent = begin + random.randrange(1000) * MILLISECOND
        end = begin + length_s * SECOND
        numbers = [
            max((number for one, number in self.true_ns if one == serial), default=0)
            for serial in range(1, self.charts + 1)
        ]
        before = turn = 0
        while sent < end:
            steps = []
            for at in sorted(sent - random.randrange(GATHERED_NS) for _ in range(random.randrange(4))):
                serial = random.randrange(self.charts)
                numbers[serial] += 1
                self.true_ns[serial + 1, numbers[serial]] = at
                steps.append(step_of(self.probe.hex(), numbers[serial], self.clock(at), serial=serial + 1))
            stored = sent + MILLISECOND // 10
            before = max(before, stored + self.delays_ms[turn % len(self.delays_ms)] * MILLISECOND)
            turn += 1
            yield Arrival(
                before,
                accepted(
                    self.probe, self.host or f"host{self.number}", self.clock(sent), steps, self.sent_batches
                ),
                self.clock(stored),
            )
            self.sent_batches += 1
            sent += GATHERED_NS + random.randrange(pace_ms) * MILLISECOND


def log_of(machines: list[Machine], random: Random, length_s: int, pace_ms: int = 400) -> list[Arrival]:
    """Return everything in the order of arriving, which is the order of the log."""
    arrivals = [each for machine in machines for each in machine.batches(random, length_s, pace_ms)]
    return sorted(arrivals, key=lambda each: each.at_ns)


class View:
    """An ordering that is fed a log, and what came out of it, when."""

    def __init__(self, window_s: float = WINDOW_S, host: str = "here") -> None:
        self.clocks = ClockOffsets(host, delay_ns=int(WINDOW_S * SECOND))
        self.ordering = ReorderBuffer(self.clocks, window_s)
        self.out: list[RawStep] = []
        self.out_at: list[int] = []
        self.reported = []

    def watch(self, log: list[Arrival], *, several: bool = True) -> None:
        """Read each batch when it arrives, and look whenever a step's time has come."""
        self.watch_on(log, several=several)
        self._keep(self.ordering.pop_all(), log[-1].at_ns if log else 0)

    def watch_on(self, log: list[Arrival], *, several: bool = True) -> None:
        """The same for a log that goes on."""
        for each in log:
            self._wait_until(each.at_ns, several=several)
            now = Now(each.at_ns, each.at_ns)
            self.reported += self.ordering.put(each.accepted, each.stored_ns, now, live=True)
            self._take(now, several=several)

    def read_past(self, log: list[Arrival], *, pace_ns: int = 0) -> None:
        """Read everything long after, a batch each ``pace_ns``."""
        now = Now(BEGIN + 10**6 * SECOND, 5 * SECOND)
        for each in log:
            now = Now(now.wall_ns + pace_ns, now.monotonic_ns + pace_ns)
            self.reported += self.ordering.put(each.accepted, each.stored_ns, now, live=False)
            self._keep(self.ordering.pop_due(now, live=False, several=True), now.wall_ns)
        self._keep(self.ordering.pop_all(), now.wall_ns)

    def read_past_and_on(self, log: list[Arrival], until_ns: int) -> None:
        """Read what was stored until then at once, and the rest when it arrives."""
        now = Now(until_ns, until_ns)
        for each in log:
            if each.at_ns <= until_ns:
                self.reported += self.ordering.put(each.accepted, each.stored_ns, now, live=False)
                self._keep(self.ordering.pop_due(now, live=False, several=True), now.wall_ns)
        self._keep(self.ordering.reach_end(now), until_ns)
        self.watch([each for each in log if each.at_ns > until_ns])

    def watch_but_sleep(self, log: list[Arrival], from_ns: int, until_ns: int) -> None:
        """Read each batch when it arrives, except that those of a while are found all at once behind it."""
        self.watch_on([each for each in log if each.at_ns <= from_ns])
        now = Now(until_ns, until_ns)
        for each in log:
            if from_ns < each.at_ns <= until_ns:
                self.reported += self.ordering.put(each.accepted, each.stored_ns, now, live=False)
                self._keep(self.ordering.pop_due(now, live=False, several=True), until_ns)
        self._keep(self.ordering.reach_end(now), until_ns)
        self.watch([each for each in log if each.at_ns > until_ns])

    def corrected_ns(self, step: RawStep) -> int:
        return step[3] - self.ordering.correction_ns(step[0], step[1])

    def _wait_until(self, at_ns: int, *, several: bool) -> None:
        reached = self.out_at[-1] if self.out_at else 0
        while len(self.ordering):
            now = Now(max(reached, at_ns - SECOND), max(reached, at_ns - SECOND))
            wait_s = self.ordering.wait_s(now, live=True)
            assert wait_s is not None
            due = now.wall_ns + int(wait_s * SECOND) + 1
            if due >= at_ns:
                return
            self._take(Now(due, due), several=several)
            reached = due

    def _take(self, now: Now, *, several: bool) -> None:
        self._keep(self.ordering.pop_due(now, live=True, several=several), now.wall_ns)

    def _keep(self, steps, at_ns: int) -> None:
        self.out += steps
        self.out_at += [at_ns] * len(steps)


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same again for a seed


def identity(step: RawStep) -> tuple[str, int, int]:
    return step[0].probe, step[0].serial, step[1]


def assert_all_there_and_charts_in_order(view: View, log: list[Arrival]) -> None:
    sent = [identity(step) for each in log for step in each.accepted.posted.steps]
    assert Counter(map(identity, view.out)) == Counter(sent)
    reached: dict[tuple[str, int], int] = {}
    for probe, serial, number in map(identity, view.out):
        assert number == reached.get((probe, serial), 0) + 1
        reached[probe, serial] = number


def disorder(view: View, machines: list[Machine], *, after_ns: int = 0) -> int:
    """Return by how much the step most out of place was made before one of another probe in front of it."""
    true = {machine.probe.hex(): machine.true_ns for machine in machines}
    latest: dict[str, int] = {}
    worst = 0
    for step in view.out:
        probe, serial, number = identity(step)
        at = true[probe][serial, number]
        if at < BEGIN + after_ns:
            continue
        others = [time for other, time in latest.items() if other != probe]
        worst = max([worst, *(time - at for time in others)])
        latest[probe] = max(at, latest.get(probe, at))
    return worst


def behind(times: list[int]) -> int:
    """Return how many of the times are behind a later one."""
    return sum(time < latest for time, latest in zip(times, accumulate(times, max), strict=True))


def assert_in_order_except_late(view: View) -> None:
    assert behind([view.corrected_ns(step) for step in view.out]) == view.ordering.late


FAR = st.integers(1_500, 3_600_000).flatmap(lambda ms: st.sampled_from([ms, -ms]))
NEAR = st.integers(-4, 4)
# Now and then a batch is as quick as can be; the others differ by less than the window.
DELAYS = st.lists(st.integers(0, 80), max_size=6).map(lambda more: (0, *more))
SEEDS = st.integers(0, 2**32)
NO_DRIFT = st.just(0)
runs = settings(deadline=None, max_examples=40)


def machines_of(offsets, delays, drifts=NO_DRIFT):
    one = st.tuples(offsets, delays, drifts)
    return st.lists(one, min_size=2, max_size=4).map(
        lambda drawn: [
            Machine(number, offset * MILLISECOND, drift, delay)
            for number, (offset, delay, drift) in enumerate(drawn)
        ]
    )


@runs
@given(machines_of(FAR, DELAYS), SEEDS)
def test_steps_of_machines_whose_clocks_are_far_off_come_in_true_order(machines, seed):
    log = log_of(machines, chance(seed), 12)
    view = View()
    view.watch(log)
    assert_all_there_and_charts_in_order(view, log)
    # What remains is how long after it was sent the quickest batch arrived.
    assert disorder(view, machines, after_ns=6 * SECOND) <= 2 * MILLISECOND


@runs
@given(machines_of(NEAR, st.lists(st.integers(0, 80), min_size=1, max_size=6).map(tuple)), SEEDS)
def test_steps_of_machines_whose_clocks_agree_come_by_their_times(machines, seed):
    log = log_of(machines, chance(seed), 6)
    view = View()
    view.watch(log)
    assert_all_there_and_charts_in_order(view, log)
    assert disorder(view, machines) <= 2 * SAME_CLOCK_NS


@runs
@given(
    machines_of(
        st.one_of(FAR, NEAR, st.integers(-1_500, 1_500)),
        st.tuples(st.integers(0, 300), st.lists(st.integers(0, 90), min_size=1, max_size=6)).map(
            lambda drawn: tuple(drawn[0] + more for more in drawn[1])
        ),
        st.integers(-200, 200),
    ),
    SEEDS,
)
def test_no_step_is_further_out_of_place_than_delays_explain(machines, seed):
    log = log_of(machines, chance(seed), 10)
    view = View()
    view.watch(log)
    assert_all_there_and_charts_in_order(view, log)
    slowest = max(max(machine.delays_ms) for machine in machines) * MILLISECOND
    bound = slowest + int(WINDOW_S * SECOND) + SAME_CLOCK_NS + 5 * MILLISECOND
    assert disorder(view, machines, after_ns=5 * SECOND) <= bound


@runs
@given(machines_of(FAR, DELAYS), SEEDS)
def test_nothing_is_held_for_longer_than_the_window(machines, seed):
    log = log_of(machines, chance(seed), 6)
    view = View()
    view.watch(log)
    arrived = {identity(step): each.at_ns for each in log for step in each.accepted.posted.steps}
    held = [at - arrived[identity(step)] for step, at in zip(view.out, view.out_at, strict=True)]
    assert max(held) <= WINDOW_S * SECOND + 2


@runs
@given(machines_of(st.one_of(FAR, NEAR), DELAYS), SEEDS)
def test_a_probe_that_has_been_alone_for_a_while_waits_for_nobody(machines, seed):
    log = log_of(machines[:1], chance(seed), 4)
    view = View()
    view.watch(log, several=False)
    assert view.out == [step for each in log for step in each.accepted.posted.steps]
    arrived = {identity(step): each.at_ns for each in log for step in each.accepted.posted.steps}
    begun = log[0].at_ns + COMPANY_NS
    for step, at_ns in zip(view.out, view.out_at, strict=True):
        if arrived[identity(step)] >= begun:
            assert at_ns == arrived[identity(step)]
    assert view.ordering.late == 0


def test_what_programs_that_are_started_together_do_first_comes_in_order():
    view = View()
    early, later = step_of("00" * 16, 1, BEGIN), step_of("01" * 16, 1, BEGIN - MILLISECOND)
    now = Now(BEGIN + 20 * MILLISECOND, 20 * MILLISECOND)
    view.reported += view.ordering.put(accepted(bytes(16), "far", BEGIN, [early]), BEGIN, now, live=True)
    assert view.ordering.pop_due(now, live=True, several=False) == []
    now = Now(BEGIN + 30 * MILLISECOND, 30 * MILLISECOND)
    view.reported += view.ordering.put(
        accepted(bytes([1] * 16), "far", BEGIN, [later]), BEGIN, now, live=True
    )
    now = Now(BEGIN + 200 * MILLISECOND, 200 * MILLISECOND)
    assert view.ordering.pop_due(now, live=True, several=True) == [later, early]
    assert view.ordering.late == 0


DELAYED = st.lists(st.integers(0, 80), min_size=1, max_size=6).map(tuple)
CLOSE_TO_EACH_OTHER = st.sampled_from([6_000, 6_300, 6_600, 7_200])
PACES = st.sampled_from([0, 10 * MILLISECOND, 200 * MILLISECOND])
"""How fast the past is read: all of it is held to its end, part of it, or next to nothing."""


@runs
@given(machines_of(NEAR, DELAYED), SEEDS, PACES)
def test_the_past_of_machines_whose_clocks_agree_comes_by_its_times(machines, seed, pace_ns):
    log = log_of(machines, chance(seed), 12)
    view = View()
    view.read_past(log, pace_ns=pace_ns)
    assert_all_there_and_charts_in_order(view, log)
    assert disorder(view, machines) <= 2 * SAME_CLOCK_NS
    assert view.reported == []


@runs
@given(machines_of(st.one_of(FAR.map(lambda ms: 4 * ms), CLOSE_TO_EACH_OTHER), DELAYS), SEEDS)
def test_the_past_of_machines_whose_clocks_are_far_off_comes_in_true_order(machines, seed):
    log = log_of(machines, chance(seed), 20)
    view = View()
    view.read_past(log)
    assert_all_there_and_charts_in_order(view, log)
    assert_in_order_except_late(view)
    # What is told apart by the order of the log is in order, up to the longest way of a batch.
    assert disorder(view, machines) <= 100 * MILLISECOND


@runs
@given(
    machines_of(st.one_of(FAR.map(lambda ms: 4 * ms), CLOSE_TO_EACH_OTHER), DELAYS),
    SEEDS,
    st.integers(10, 100),
)
def test_a_past_too_long_to_be_held_comes_in_true_order_once_the_clocks_are_known(machines, seed, pace_ms):
    log = log_of(machines, chance(seed), 20)
    view = View()
    view.read_past(log, pace_ns=pace_ms * MILLISECOND)
    assert_all_there_and_charts_in_order(view, log)
    assert_in_order_except_late(view)
    assert disorder(view, machines, after_ns=5 * SECOND) <= 400 * MILLISECOND


@runs
@given(
    machines_of(
        st.one_of(FAR, NEAR, st.integers(-1_500, 1_500)),
        st.tuples(st.integers(0, 600), st.lists(st.integers(0, 90), min_size=1, max_size=6)).map(
            lambda drawn: tuple(drawn[0] + more for more in drawn[1])
        ),
        st.integers(-200, 200),
    ),
    SEEDS,
)
def test_no_step_of_the_past_is_further_out_of_place_than_delays_explain(machines, seed):
    log = log_of(machines, chance(seed), 20)
    view = View()
    view.read_past(log)
    assert_all_there_and_charts_in_order(view, log)
    slowest = max(max(machine.delays_ms) for machine in machines) * MILLISECOND
    assert disorder(view, machines) <= slowest + int(WINDOW_S * SECOND) + 20 * MILLISECOND


def test_in_the_past_machines_are_put_in_order_though_they_differ_by_less_than_a_second():
    machines = [Machine(0, 6_000 * MILLISECOND), Machine(1, 6_600 * MILLISECOND)]
    log = log_of(machines, chance(11), 20)
    view = View()
    view.read_past(log)
    assert disorder(view, machines) <= GATHERED_NS
    corrections = {view.clocks.correction_ns(machine.probe.hex()) for machine in machines}
    assert 500 * MILLISECOND <= max(corrections) - min(corrections) <= 700 * MILLISECOND


@runs
@given(
    machines_of(
        st.one_of(FAR, NEAR, st.integers(-1_500, 1_500)),
        st.lists(st.integers(0, 700), min_size=1, max_size=6).map(tuple),
        st.integers(-200, 200),
    ),
    SEEDS,
    st.integers(0, 5),
)
def test_steps_come_in_order_of_their_corrected_times_except_those_counted_as_late(machines, seed, past_s):
    log = log_of(machines, chance(seed), 6)
    view = View()
    if past_s:
        view.read_past_and_on(log, BEGIN + past_s * SECOND)
    else:
        view.watch(log)
    assert_all_there_and_charts_in_order(view, log)
    if not past_s or view.clocks.past_ahead_ns == 0:
        assert_in_order_except_late(view)


@runs
@given(machines_of(NEAR, DELAYS), SEEDS, st.integers(4_000, 9_000), st.integers(2_000, 8_000))
def test_what_a_sleeper_finds_when_it_wakes_comes_in_order(machines, seed, from_ms, for_ms):
    log = log_of(machines, chance(seed), 20)
    view = View()
    from_ns = BEGIN + from_ms * MILLISECOND
    view.watch_but_sleep(log, from_ns, from_ns + for_ms * MILLISECOND)
    assert_all_there_and_charts_in_order(view, log)
    assert_in_order_except_late(view)
    assert disorder(view, machines, after_ns=(3 * SECOND)) <= 100 * MILLISECOND


@runs
@given(machines_of(NEAR, st.just((1,))), SEEDS)
def test_where_every_batch_arrives_within_the_window_no_step_is_late(machines, seed):
    log = log_of(machines, chance(seed), 6)
    view = View()
    view.watch(log)
    assert view.ordering.late == 0
    assert behind([step[3] for step in view.out]) == 0


@runs
@given(
    FAR.map(lambda ms: max(ms, -500_000)),
    DELAYS,
    SEEDS,
    st.integers(1, 6),
    st.sampled_from(["here", "there"]),
)
def test_the_first_step_read_from_the_past_of_a_machine_that_is_alive_is_corrected(
    off_ms, delays, seed, past_s, host
):
    right = Machine(0, delays_ms=delays, host=host)
    off = Machine(1, off_ms * MILLISECOND, delays_ms=delays)
    log = log_of([right, off], chance(seed), 10)
    view = View()
    view.read_past_and_on(log, BEGIN + past_s * SECOND)
    assert_all_there_and_charts_in_order(view, log)
    true = {machine.probe.hex(): machine.true_ns for machine in (right, off)}
    for step in view.out:
        probe, serial, number = identity(step)
        late = view.corrected_ns(step) - true[probe][serial, number]
        assert -SAME_CLOCK_NS <= late <= 100 * MILLISECOND


@runs
@given(
    st.integers(1_000, 3_600_000),
    st.sampled_from([0, 40 * SECOND, -40 * SECOND]),
    DELAYED,
    SEEDS,
    st.booleans(),
)
def test_a_clock_that_is_set_back_is_followed_at_once(back_ms, offset_ns, delays, seed, live):
    steady, set_back = Machine(0, delays_ms=delays), Machine(1, offset_ns, delays_ms=delays)
    random = chance(seed)
    before = list(set_back.batches(random, 8, 200))
    set_back.offset_ns -= back_ms * MILLISECOND
    after = list(set_back.batches(random, 8, 200, begin_s=8.5))
    log = [*steady.batches(random, 16, 200), *before, *after]
    log.sort(key=lambda each: each.at_ns)
    view = View()
    if live:
        view.watch(log)
    else:
        view.read_past(log)
    assert_all_there_and_charts_in_order(view, log)
    assert_in_order_except_late(view)
    # A batch that says it was sent before its predecessor is the proof; less than that shows nothing at once.
    proven = after[0].accepted.batch.sent_ns < before[-1].accepted.batch.sent_ns
    allowed_ms = 200 if proven else back_ms + 200
    assert (
        disorder(view, [steady, set_back], after_ns=0 if not live else 3 * SECOND) <= allowed_ms * MILLISECOND
    )


def test_the_time_a_batch_waited_in_a_spool_is_not_taken_for_a_clock_that_is_off():
    machines = [Machine(0), Machine(1)]
    log = log_of(machines, chance(1), 10)
    spooled = [
        each._replace(
            accepted=accepted(
                bytes([1] * 16),
                "host1",
                each.accepted.batch.sent_ns - 600 * SECOND,
                each.accepted.batch.steps,
            )
        )
        if each.accepted.header.probe == machines[1].probe
        else each
        for each in log
    ]
    view = View()
    view.read_past(spooled)
    assert view.reported == []
    assert disorder(view, machines) == 0


def test_a_clock_that_is_off_is_reported_once_and_by_how_much():
    machines = [
        Machine(0),
        Machine(1, 40 * SECOND, delays_ms=(100, 120)),
        Machine(2, 40 * SECOND, host="host1"),
    ]
    view = View()
    view.watch(log_of(machines, chance(2), 20))
    (notice,) = view.reported
    assert (notice.kind, notice.subject) == (NoticeKind.CLOCK_OFF, "host1")
    assert notice.detail in ("39.9 s ahead of this machine's", "40.0 s ahead of this machine's")
    for machine, low in ((machines[1], 39.89), (machines[2], 39.99)):
        assert low <= (view.clocks.offset_ns(machine.probe.hex()) or 0) / SECOND <= 40.0


def test_machines_that_share_a_name_are_told_apart_when_one_of_their_clocks_is_off():
    machines = [Machine(0, host="twin"), Machine(1, 40 * SECOND, host="twin")]
    view = View()
    view.watch(log_of(machines, chance(8), 10))
    (notice,) = view.reported
    assert notice.subject == "twin/01010101"


def test_a_clock_that_was_set_right_is_reported_as_right():
    machine = Machine(0, -40 * SECOND)
    log = log_of([machine], chance(3), 8)
    set_right = Machine(0)
    later = log_of([set_right], chance(4), 8)
    view = View()
    view.watch(
        log
        + [
            each._replace(
                at_ns=each.at_ns + 8 * SECOND,
                accepted=accepted(machine.probe, "host0", each.accepted.batch.sent_ns + 8 * SECOND, []),
            )
            for each in later
        ]
    )
    assert [(notice.kind, notice.detail) for notice in view.reported] == [
        (NoticeKind.CLOCK_OFF, "40.0 s behind this machine's"),
        (NoticeKind.CLOCK_RIGHT, ""),
    ]


def test_in_the_past_a_clock_is_reported_to_differ_from_the_first_one_heard():
    machines = [Machine(0), Machine(1, 40 * SECOND)]
    log = log_of(machines, chance(5), 20)
    view = View()
    view.read_past(log)
    first = log[0].accepted.header.probe == machines[0].probe
    (notice,) = view.reported
    assert notice.kind is NoticeKind.CLOCK_OFF
    assert notice.subject == ("host1" if first else "host0")
    assert notice.detail.endswith(" ahead of the first machine's" if first else " behind the first machine's")
    assert 39.5 <= float(notice.detail.split()[0]) <= 40.5


def test_programs_of_this_machine_go_by_its_clock_however_slow_they_are_heard():
    machines = [Machine(0, host="here", delays_ms=(400,)), Machine(1, delays_ms=(400,))]
    view = View()
    view.watch(log_of(machines, chance(6), 6))
    assert view.clocks.correction_ns(machines[0].probe.hex()) == 0
    assert view.clocks.correction_ns(machines[1].probe.hex()) <= -400 * MILLISECOND


def test_a_step_that_comes_too_late_is_handed_out_at_once_and_counted():
    view = View()
    steps = {
        number: step_of(bytes([number] * 16).hex(), 1, BEGIN + after_ms * MILLISECOND)
        for number, after_ms in ((0, 50), (1, 10))
    }
    for number, at_ms in ((0, 60), (1, 400)):
        at = BEGIN + at_ms * MILLISECOND
        batch = accepted(bytes([number] * 16), "here", at - MILLISECOND, [steps[number]])
        view.watch([Arrival(at, batch, at)])
    assert view.out == [steps[0], steps[1]]
    assert view.ordering.late == 1


def test_what_lies_just_before_the_end_of_the_past_waits_until_its_clock_is_known():
    machines = [Machine(0), Machine(1, 40 * SECOND)]
    log = log_of(machines, chance(9), 3)
    view = View()
    now = Now(log[3].at_ns, log[3].at_ns)
    for each in log[:4]:
        view.reported += view.ordering.put(each.accepted, each.stored_ns, now, live=False)
    assert view.ordering.reach_end(now) == ()
    view.watch(log[4:])
    assert_all_there_and_charts_in_order(view, log)
    assert disorder(view, machines) == 0
    assert view.ordering.late == 0


def test_a_probe_that_never_speaks_again_is_not_waited_for_at_the_end_of_the_past():
    view = View()
    log = log_of([Machine(0), Machine(1, 40 * SECOND)], chance(9), 3)
    now = Now(log[3].at_ns, log[3].at_ns)
    for each in log[:4]:
        view.reported += view.ordering.put(each.accepted, each.stored_ns, now, live=False)
    count = len(view.ordering)
    assert view.ordering.reach_end(now) == ()
    wait_s = view.ordering.wait_s(now, live=True)
    assert wait_s is not None
    later = now.monotonic_ns + int(wait_s * SECOND)
    assert len(view.ordering.pop_due(Now(now.wall_ns, later), live=True, several=True)) == count


def test_without_a_window_everything_comes_in_the_order_of_the_log():
    machines = [Machine(0), Machine(1, delays_ms=(90,))]
    log = log_of(machines, chance(7), 3)
    view = View(window_s=0)
    view.watch(log)
    assert view.out == [step for each in log for step in each.accepted.posted.steps]


def test_of_the_past_no_more_is_held_than_there_is_room_for_and_none_for_long():
    view = View()
    now = Now(BEGIN, 0)
    for number in range(2):
        steps = [step_of(bytes([number] * 16).hex(), n + 1, BEGIN + n) for n in range(HELD_STEPS)]
        view.reported += view.ordering.put(
            accepted(bytes([number] * 16), "far", BEGIN, steps), BEGIN, now, live=False
        )
        view._keep(view.ordering.pop_due(now, live=False, several=True), 0)
        assert len(view.ordering) == HELD_STEPS
    later = Now(BEGIN, PAST_HOLD_NS)
    assert view.ordering.wait_s(later, live=False) == 0
    view._keep(view.ordering.pop_due(later, live=False, several=True), 0)
    assert len(view.ordering) == 0
    assert len(view.out) == 2 * HELD_STEPS


def test_a_probe_alone_waits_only_while_an_effect_waits_for_its_cause():
    view, probe = View(), bytes(16)
    entries = tuple(ChartEntry(serial, "chart", ("c1",)) for serial in (1, 2, 3))
    begun = BEGIN + 2 * COMPANY_NS

    def read(ms: int, *steps: RawStep) -> list[RawStep]:
        now = Now(begun + ms * MILLISECOND, begun + ms * MILLISECOND)
        batch = accepted(probe, "here", now.wall_ns, list(steps), ms, charts=entries)
        view.reported += view.ordering.put(batch, now.wall_ns, now, live=True)
        return list(view.ordering.pop_due(now, live=True, several=False))

    read(-2 * COMPANY_NS // MILLISECOND)
    alone = step_of(probe.hex(), 1, begun, serial=3)
    assert read(0, alone) == [alone]
    effect = (*step_of(probe.hex(), 1, begun + 5 * MILLISECOND, serial=2)[:8], Cause(1, 1), (), ())
    other = step_of(probe.hex(), 2, begun + 6 * MILLISECOND, serial=3)
    assert read(10, effect, other) == []
    cause = step_of(probe.hex(), 1, begun + 19 * MILLISECOND)
    assert read(20, cause) == [other, cause, effect]
    held = (*step_of(probe.hex(), 2, begun + 30 * MILLISECOND, serial=2)[:8], Cause(1, 2), (), ())
    assert read(31, held) == []
    assert read(140) == [held]
    assert view.ordering.ran_ahead(held[0], 2)
    assert view.ordering.late == 0


@runs
@given(machines_of(NEAR, st.just((1,))), SEEDS, st.lists(st.tuples(st.integers(0, 4_000), st.booleans())))
def test_notices_stand_between_the_steps_before_and_behind_their_time(machines, seed, drawn):
    log = log_of(machines, chance(seed), 4)
    view = View()
    now = Now(BEGIN + 10**6 * SECOND, 5 * SECOND)
    for each in log:
        view.reported += view.ordering.put(each.accepted, each.stored_ns, now, live=False)
    notices = [
        Notice(
            kind=NoticeKind.APPEARED if introduces else NoticeKind.STOPPED,
            time_ns=BEGIN + ms * MILLISECOND,
            probe=machines[0].probe.hex(),
        )
        for ms, introduces in drawn
    ]
    view.ordering.add_notices(notices, now)
    out = list(view.ordering.pop_all())
    placed = view.ordering.pop_notices()
    assert len(placed) == len(notices)
    assert [notice.place for notice in placed] == sorted(notice.place for notice in placed)
    ended_ns = [step[3] + step[4] for step in out]
    for notice in placed:
        before = bisect_left if notice.kind is NoticeKind.APPEARED else bisect_right
        assert notice.place == before(ended_ns, notice.time_ns)


def test_a_notice_does_not_wait_longer_than_steps_do():
    view = View()
    now = Now(BEGIN, 0)
    view.ordering.add_notices([Notice(kind=NoticeKind.STOPPED, time_ns=BEGIN, probe="aa")], now)
    assert view.ordering.pop_due(now, live=True, several=True) == []
    assert view.ordering.pop_notices() == []
    wait_s = view.ordering.wait_s(now, live=True)
    assert wait_s == WINDOW_S
    later = Now(BEGIN + int(WINDOW_S * SECOND), int(WINDOW_S * SECOND))
    assert view.ordering.pop_due(later, live=True, several=True) == []
    assert [notice.kind for notice in view.ordering.pop_notices()] == [NoticeKind.STOPPED]
