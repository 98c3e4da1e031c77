"""Moments of a recording, compared with a reading of the whole recording."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farscope.logs.base import Entry
from farscope.logs.recording.log import RecordingLog
from farscope.records.step import NANOSECONDS, ChartId
from farscope.records.structure import ChartStructure, StateInfo
from farscope.scope.playback.time_index import LATEST_NS, TimeIndex
from farscope.scope.playback.yielding_log import YieldingLog
from farscope.scope.scope import Scope
from farscope.wire.keyring import Keyring, new_key_text
from support.recorded_probe import BEGIN_NS, RecordedProbe, in_true_order, recording

KEYRING = Keyring.from_text(new_key_text())
S = NANOSECONDS
STRUCTURE = ChartStructure((StateInfo("a"), StateInfo("b")))


def Producer(charts: int = 2, **more) -> RecordedProbe:  # noqa: N802 - it makes one, as its class does
    return RecordedProbe(KEYRING, charts, structure=STRUCTURE, **more)


@pytest.fixture
def record(tmp_path) -> Callable[[list[Entry]], RecordingLog]:
    return lambda entries: recording(tmp_path / f"{os.urandom(4).hex()}.farscope", entries)


def run(
    producer: Producer, seconds: int, *, begin_s: float = 0, spool: tuple[int, int] = (0, 0)
) -> Iterator[Entry]:
    """One step every 0.1 s, a batch a second, all charts in every fifth; those of ``spool`` stored late."""
    for second in range(seconds):
        now_ns = BEGIN_NS + int((begin_s + second) * S)
        for tenth in range(10):
            number = second * 10 + tenth
            chart = number % 3 % len(producer.charts)
            producer.step(now_ns + tenth * S // 10, chart, f"s{number}")
        sent_ns = now_ns + S
        stored_ns = BEGIN_NS + int((begin_s + spool[1]) * S) if spool[0] <= second < spool[1] else sent_ns
        yield producer.send(sent_ns, all_charts=second % 5 == 0, stored_ns=stored_ns)


def state_in(around, chart: ChartId, time_ns: int) -> tuple[str, int]:
    """The state and step number of a chart at a moment of its own clock, by what is reported around it."""
    key = chart.key
    steps = around.steps.get(key, [])
    before = [step for step in steps if step[3] <= time_ns]
    if before:
        return before[-1][2].end, before[-1][1]
    if steps:
        return steps[0][2].start, steps[0][1] - 1
    return around.announced[key].state or "top", around.announced[key].number


def truth(log: RecordingLog, chart: ChartId, time_ns: int) -> tuple[str, int]:
    with Scope(log, KEYRING) as scope:
        steps = [step for step in scope if step.chart == chart and step.time_ns <= time_ns]
    return (steps[-1].end, steps[-1].number) if steps else ("top", 0)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 40 * S), st.integers(1, 7))
def test_every_chart_is_reported_as_it_was_at_any_moment(record, offset_ns, charts):
    producer = Producer(charts)
    log = record(list(run(producer, 40)))
    time_ns = BEGIN_NS + offset_ns
    with TimeIndex(log, KEYRING) as time_index:
        around = time_index.snapshot(time_ns)
        assert around.from_ns <= time_ns <= around.to_ns
        for chart in producer.charts:
            if chart.key in around.announced:
                assert state_in(around, chart, time_ns) == truth(log, chart, time_ns)
            else:
                assert truth(log, chart, time_ns) == ("top", 0)


def test_what_is_reported_around_a_moment_holds_over_the_whole_span_it_names(record):
    producer = Producer(3)
    log = record(list(run(producer, 40)))
    with TimeIndex(log, KEYRING) as time_index:
        around = time_index.snapshot(BEGIN_NS + 22 * S)
        assert around.to_ns - around.from_ns >= S
        for time_ns in range(around.from_ns, min(around.to_ns, BEGIN_NS + 40 * S), S // 4):
            for chart in producer.charts:
                assert state_in(around, chart, time_ns) == truth(log, chart, time_ns)


def test_only_what_lies_around_the_moment_is_opened(record):
    log = record(list(run(Producer(3), 400)))
    with TimeIndex(log, KEYRING) as time_index:
        around = time_index.snapshot(BEGIN_NS + 300 * S)
        assert sum(map(len, around.steps.values())) < 120


def test_a_chart_that_has_done_nothing_for_long_is_reported_by_the_last_announcement(record):
    producer = Producer(2)
    producer.step(BEGIN_NS, 1, "asleep")
    entries = [producer.send(BEGIN_NS, all_charts=True)]
    for second in range(1, 100):
        producer.step(BEGIN_NS + second * S, 0, f"s{second}")
        now_ns = BEGIN_NS + second * S + S // 2
        entries.append(producer.send(now_ns, all_charts=second % 5 == 0))
    with TimeIndex(record(entries), KEYRING) as time_index:
        around = time_index.snapshot(BEGIN_NS + 83 * S)
        assert state_in(around, producer.charts[1], BEGIN_NS + 83 * S) == ("asleep", 1)


def test_steps_that_waited_in_a_spool_are_found_where_they_happened(record):
    late, other = Producer(2, host="late"), Producer(2, host="punctual")
    entries = sorted([*run(late, 60, spool=(10, 50)), *run(other, 60)], key=lambda entry: entry.stored_ns)
    log = record(entries)
    with TimeIndex(log, KEYRING) as time_index:
        for second in (12, 30, 49):
            time_ns = BEGIN_NS + second * S + S // 3
            around = time_index.snapshot(time_ns)
            for chart in late.charts:
                assert state_in(around, chart, time_ns) == truth(log, chart, time_ns)


def test_a_machine_with_another_clock_is_found_at_the_same_moment(record):
    right, ahead = Producer(2, host="right"), Producer(2, host="ahead", ahead_ns=3_600 * S)
    entries = [(right, entry) for entry in run(right, 60)]
    entries += [(ahead, entry) for entry in run(ahead, 60, begin_s=0.5)]
    log = record(in_true_order(entries))
    with TimeIndex(log, KEYRING) as time_index:
        correction_ns = time_index.headers.corrections[ahead.id.hex()]
        assert abs(correction_ns - 3_600 * S) < S
        assert time_index.headers.end_ns - time_index.headers.begin_ns < 62 * S
        around = time_index.snapshot(BEGIN_NS + 40 * S)
        for producer, offset_ns in ((right, 0), (ahead, correction_ns)):
            for chart in producer.charts:
                own_ns = BEGIN_NS + 40 * S + offset_ns
                assert state_in(around, chart, own_ns) == truth(log, chart, own_ns)


def test_who_was_heard_when_is_reported(record):
    gone, stays = Producer(1, host="gone"), Producer(1, host="stays")
    entries = [*run(gone, 20)]
    entries.append(gone.send(BEGIN_NS + 21 * S, all_charts=True, goodbye=True))
    entries = sorted([*entries, *run(stays, 60)], key=lambda entry: entry.stored_ns)
    with TimeIndex(record(entries), KEYRING) as time_index:
        asked = {
            10: ("alive", "alive"),
            22: ("closed", "alive"),
            50: ("closed", "alive"),
            70: ("closed", "silent"),
        }
        for second, expected in asked.items():
            time_ns = BEGIN_NS + second * S
            lives = time_index.snapshot(time_ns).lives
            assert tuple(lives[each.id.hex()].status(1, time_ns) for each in (gone, stays)) == expected


def test_a_chart_that_was_added_again_is_reported_as_living(record):
    producer = Producer(1)
    entries = [*run(producer, 3)]
    producer.stopped.add(producer.charts[0].serial)
    entries.append(producer.send(BEGIN_NS + 4 * S, all_charts=True))
    producer.stopped.clear()
    entries += run(producer, 3, begin_s=5)
    with TimeIndex(record(entries), KEYRING) as time_index:
        time_ns = BEGIN_NS + 8 * S
        assert time_index.snapshot(time_ns).lives[producer.id.hex()].status(1, time_ns) == "alive"


def test_before_a_probe_began_nothing_is_reported_of_it(record):
    first, second = Producer(1, host="first"), Producer(1, host="second")
    log = record([*run(first, 30), *run(second, 30, begin_s=30)])
    with TimeIndex(log, KEYRING) as time_index:
        around = time_index.snapshot(BEGIN_NS + 10 * S)
        assert {key.probe for key in around.announced} == {first.id.hex()}
        assert around.to_ns < BEGIN_NS + 31 * S
        assert around.from_ns <= BEGIN_NS + 10 * S
        assert time_index.snapshot(BEGIN_NS - 100 * S).announced == {}


def test_every_chart_is_presented_with_its_structure_and_last_state(record):
    one, other = Producer(3, host="one"), Producer(3, host="other")
    entries = [*run(one, 12), *run(other, 12, begin_s=20)]
    with TimeIndex(record(entries), KEYRING) as time_index:
        views = time_index.charts()
    assert {view.id for view in views} == {*one.charts, *other.charts}
    assert all(view.structure == STRUCTURE for view in views)
    assert {view.id.name: view.state for view in views}["one 2"] == one.states[2]


def test_the_next_and_the_last_batch_with_steps_are_found(record):
    producer = Producer(1)
    entries = []
    for second in range(100):
        now_ns = BEGIN_NS + second * S
        if second in (10, 90):
            producer.step(now_ns, 0, f"s{second}")
        entries.append(producer.send(now_ns, all_charts=True))
    probe = producer.id.hex()
    with TimeIndex(record(entries), KEYRING) as time_index:
        assert time_index.next_busy([probe], BEGIN_NS + 50 * S, forward=True) == BEGIN_NS + 90 * S
        assert time_index.next_busy([probe], BEGIN_NS + 50 * S, forward=False) == BEGIN_NS + 10 * S
        assert time_index.next_busy([probe, "nobody"], BEGIN_NS + 91 * S, forward=True) is None
        assert time_index.next_busy([], BEGIN_NS, forward=True) is None


def test_what_cannot_be_opened_tells_nothing_and_does_no_harm(record):
    log = record(
        [*run(Producer(2), 10), Entry(b"no batch at all", BEGIN_NS + 3 * S), Entry(b"", (1 << 64) - 1)]
    )
    with TimeIndex(log, Keyring.from_text(new_key_text())) as time_index:
        assert time_index.charts() == []
        around = time_index.snapshot(BEGIN_NS + 5 * S)
        assert (around.announced, around.steps) == ({}, {})


def test_an_empty_recording_has_no_moments(record):
    with TimeIndex(record([]), KEYRING) as time_index:
        assert (time_index.headers.begin_ns, time_index.headers.end_ns, time_index.charts()) == (0, 0, [])
        assert time_index.snapshot(BEGIN_NS).to_ns == LATEST_NS


def test_since_leaves_out_what_was_stored_before(record):
    log = record(list(run(Producer(1), 60)))
    with TimeIndex(log, KEYRING, since="10s") as time_index:
        assert time_index.headers.end_ns - time_index.headers.begin_ns == 10 * S


@pytest.mark.parametrize("ask", [TimeIndex.charts, lambda time_index: time_index.snapshot(BEGIN_NS)])
def test_what_is_looked_for_in_a_large_recording_is_given_up_on_request(record, ask):
    log = record([entry for _ in range(9) for entry in run(Producer(1), 9)])
    with TimeIndex(log, KEYRING) as time_index:
        read, entry = [], time_index._file.entry

        def give_up_after(number: int) -> Entry | None:
            read.append(number)
            time_index.cancel()
            return entry(number)

        time_index._file.entry = give_up_after
        ask(time_index)
        assert len(read) == 1


def test_headers_are_not_looked_through_for_who_has_given_up(record):
    with TimeIndex(record(list(run(Producer(1), 9))), KEYRING) as time_index:
        time_index.cancel()
        assert time_index.headers.probes == {}
        assert time_index.charts() == []


def test_reading_through_stands_still_while_somebody_asks_and_loses_nothing(record):
    log = record(list(run(Producer(3), 50)))
    with TimeIndex(log, KEYRING) as time_index, closing(YieldingLog(log, time_index).reader(0)) as reader:
        asked, done = threading.Event(), threading.Event()

        def ask() -> None:
            with time_index.lock:
                asked.set()
                done.wait()

        asking = threading.Thread(target=ask)
        asking.start()
        asked.wait()
        assert reader.read(0.0) == []
        assert not reader.caught_up
        done.set()
        asking.join()
        read = []
        while not reader.caught_up:
            read += reader.read(0.0)
        assert len(read) == 50
        with Scope(YieldingLog(log, time_index), KEYRING) as scope:
            assert sum(1 for _ in scope) == 500
