import threading
import time

import pytest

from farscope.engine import Event, Hsm, return_status, signals, spy_on
from farscope.errors import (
    AmbiguousChart,
    BadUrl,
    LogRefused,
    LogUnavailable,
    NoKey,
    ScopeError,
    UnknownChart,
    UsageError,
)
from farscope.logs.base import Entry
from farscope.logs.url import open_log
from farscope.probe.broadcast import broadcast
from farscope.records.step import Step
from farscope.records.text import spy_text
from farscope.scope.inbox import Inbox
from farscope.scope.notice import NoticeKind
from farscope.scope.scope import Scope
from farscope.wire.keyring import Keyring, new_key_text

LONG_S = 30.0


@pytest.fixture
def url(tmp_path):
    return f"sqlite:{tmp_path / 'log'}"


@pytest.fixture
def writer_of(url):
    writers = []

    def make(probe):
        writer = open_log(url).writer(probe.id.hex())
        writers.append(writer)
        return lambda *batches: writer.append(batches, LONG_S)

    yield make
    for writer in writers:
        writer.close()


def take_all(scope: Scope, count: int) -> list[Step]:
    steps: list[Step] = []
    deadline = time.monotonic() + LONG_S
    while len(steps) < count and time.monotonic() < deadline:
        steps += scope.take(LONG_S, count)
    return steps


def received(count):
    return lambda scope: scope.stats.received >= count


def test_two_scopes_each_have_every_step_of_both_charts_in_order(url, keyring, hand_probe, writer_of):
    one, two = hand_probe("one"), hand_probe("two")
    with Scope(url, keyring) as first, Scope(url, keyring) as second:
        append_one, append_two = writer_of(one), writer_of(two)
        for _ in range(20):
            append_one(one.send(7))
            append_two(two.send(5), two.send(5))
        append_one(one.goodbye())
        for scope in (first, second):
            steps = take_all(scope, 340)
            for name, count in (("one", 140), ("two", 200)):
                assert [step.number for step in steps if step.chart.name == name] == list(range(1, count + 1))
            assert scope.wait_for(lambda scope: scope.stats.batches == 61, LONG_S)
            stats = scope.stats
            assert (stats.received, stats.lost, stats.duplicated, stats.probes) == (340, 0, 0, 2)
            assert {chart.label: chart.status for chart in scope.charts} == {"one": "closed", "two": "alive"}


def test_a_foreign_chart_shows_state_status_values_and_service_as_they_are_now(url, keyring):
    chart = Hsm("lamp")
    chart.start_at(idle)
    with Scope(url, keyring) as scope:
        with broadcast(
            chart, url=url, key=keyring, service="hall", values=lambda _, e: {"signal": e.signal_name}
        ):
            chart.dispatch(Event("SWITCH"))
            assert scope.wait_for(lambda scope: "lamp" in scope and scope["lamp"].values, LONG_S)
            lamp = scope["lamp"]
            assert (lamp.state, lamp.states, lamp.status) == ("idle", ("idle",), "alive")
            assert (lamp.service, lamp.values) == ("hall", {"signal": "SWITCH"})
        assert scope.wait_for(lambda _: lamp.status == "closed", LONG_S)


def test_a_foreign_chart_shows_the_spy_and_trace_of_its_steps(url, keyring, hand_probe, writer_of):
    probe = hand_probe()
    batch = probe.batch(2)
    with Scope(url, keyring) as scope:
        assert "producer" not in scope
        writer_of(probe)(probe.seal(batch))
        assert scope.wait_for(received(2), LONG_S)
        assert "producer" in scope
        steps = [Step._make(step) for step in batch.steps]
        assert scope["producer"].spy() == spy_text(steps)
        assert scope["producer"].trace() == "\n" + "".join(f"{step.trace()}\n" for step in steps)
        with pytest.raises(UnknownChart):
            scope["consumer"]


def test_a_scope_that_has_caught_up_knows_charts_far_behind_the_first_steps(
    url, keyring, hand_probe, writer_of
):
    busy, late = hand_probe("busy"), hand_probe("late")
    writer_of(busy)(*(busy.send(50) for _ in range(100)))
    writer_of(late)(late.send(2))
    with Scope(url, keyring, since="start") as scope:
        assert scope.catch_up(LONG_S)
        assert scope["late"].trace()
        assert scope.stats.received == 5_002
        assert scope.stats.waiting == 5_002
        assert scope.catch_up(0)


def test_iterating_blocks_until_another_thread_closes_and_hands_out_what_had_come(
    url, keyring, hand_probe, writer_of
):
    probe = hand_probe()
    steps = []
    with Scope(url, keyring) as scope:
        reading = threading.Thread(target=lambda: steps.extend(scope))
        reading.start()
        writer_of(probe)(probe.send(5))
        assert scope.wait_for(received(5), LONG_S)
        scope.close()
        reading.join(LONG_S)
        assert not reading.is_alive()
    assert [step.number for step in steps] == [1, 2, 3, 4, 5]
    assert isinstance(steps[0], Step)


def test_a_scope_can_be_closed_from_within_its_own_iteration(url, keyring, hand_probe, writer_of):
    probe = hand_probe()
    with Scope(url, keyring) as scope:
        writer_of(probe)(probe.send(3))
        for step in scope:
            if step.number == 3:
                scope.close()


def test_what_one_iteration_left_the_next_one_finds(url, keyring, hand_probe, writer_of):
    probe = hand_probe()
    with Scope(url, keyring) as scope:
        writer_of(probe)(probe.send(5))
        for step in scope:
            if step.number == 2:
                break
        assert [step.number for step in take_all(scope, 3)] == [3, 4, 5]


def test_a_late_scope_begins_now_or_at_the_start_or_in_between(url, keyring, hand_probe, writer_of):
    probe = hand_probe()
    append = writer_of(probe)
    append(probe.send(10))
    with (
        Scope(url, keyring) as now,
        Scope(url, keyring, since="start") as start,
        Scope(url, keyring, since="10m") as lately,
    ):
        append(probe.send(5))
        assert [step.number for step in take_all(now, 5)] == [11, 12, 13, 14, 15]
        assert len(take_all(start, 15)) == 15
        assert len(take_all(lately, 15)) == 15
        assert [scope.stats.lost for scope in (now, start, lately)] == [0, 0, 0]


def test_another_key_reads_nothing_and_is_reported_once_by_its_fingerprint(
    url, keyring, hand_probe, writer_of
):
    probe = hand_probe()
    append = writer_of(probe)
    with Scope(url, Keyring.from_text(new_key_text())) as scope:
        append(probe.send(1), probe.send(1), probe.send(1))
        assert scope.wait_for(lambda scope: scope.stats.refused == {"wrong key": 3}, LONG_S)
        (notice,) = scope.notices()
        assert notice.kind is NoticeKind.REFUSED
        assert f"sealed with another key (fingerprint {keyring.keys[0].fingerprint})" in notice.detail
        assert scope.charts == []
        assert scope.take(0) == []


def test_flipped_batches_are_counted_and_the_rest_is_read(url, keyring, hand_probe, writer_of):
    probe = hand_probe()
    data = probe.send(1)
    flipped = [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in range(len(data))]
    with Scope(url, keyring) as scope:
        writer_of(probe)(*flipped, data)
        assert take_all(scope, 1)[0].number == 1
        assert sum(scope.stats.refused.values()) == len(data)
        assert len(scope.notices()) < 20


def test_a_batch_stored_twice_is_had_once(url, keyring, hand_probe, writer_of):
    probe = hand_probe()
    data = probe.send(4)
    with Scope(url, keyring) as scope:
        writer_of(probe)(data, data, probe.send(1))
        assert [step.number for step in take_all(scope, 5)] == [1, 2, 3, 4, 5]
        assert (scope.stats.duplicated, scope.stats.repeated) == (4, 1)


def test_a_gap_is_reported_and_counted(url, keyring, hand_probe, writer_of):
    probe = hand_probe()
    append = writer_of(probe)
    with Scope(url, keyring) as scope:
        append(probe.send(2))
        probe.send(256)
        append(probe.send(2))
        assert scope.wait_for(lambda scope: scope.stats.missing == 256, LONG_S)
    reported = [notice.span for notice in scope.notices() if notice.kind is NoticeKind.MISSING]
    assert reported == [(2, 257)]
    assert scope.charts[0].lost == 256


def test_labels_follow_the_charts_there_are(url, keyring, hand_probe, writer_of):
    one, two = hand_probe(pid=1), hand_probe(pid=2)
    with Scope(url, keyring) as scope:
        writer_of(one)(one.send(1))
        assert scope.wait_for(received(1), LONG_S)
        assert scope.label(one.chart()) == "producer"
        writer_of(two)(two.send(1))
        assert scope.wait_for(received(2), LONG_S)
        assert scope.label(one.chart()) == "producer@far:1"
        with pytest.raises(AmbiguousChart):
            scope["producer"]
        assert "producer" in scope
        assert 3 not in scope


def test_nobody_taking_does_not_stop_what_is_known(url, keyring, hand_probe, writer_of, monkeypatch):
    monkeypatch.setattr("farscope.scope.scope.Inbox", lambda: Inbox(limit=10))
    probe = hand_probe()
    with Scope(url, keyring) as scope:
        writer_of(probe)(*(probe.send(6) for _ in range(10)))
        assert scope.wait_for(lambda scope: scope.stats.unread == 50, LONG_S)
        assert scope.charts[0].last_number == 60
        assert [step.number for step in scope.take(0)] == list(range(51, 61))


def test_a_slow_iteration_gets_everything(url, keyring, hand_probe, writer_of, monkeypatch):
    monkeypatch.setattr("farscope.scope.scope.Inbox", lambda: Inbox(limit=10))
    probe = hand_probe()
    with Scope(url, keyring) as scope:
        assert scope.take(0) == []
        writer_of(probe)(*(probe.send(6) for _ in range(50)))
        numbers = []
        for step in scope:
            numbers.append(step.number)
            if len(numbers) == 300:
                break
        assert numbers == list(range(1, 301))
        assert scope.stats.unread == 0


def test_who_is_taking_gets_everything_however_long_no_take_comes(
    url, keyring, hand_probe, writer_of, monkeypatch
):
    monkeypatch.setattr("farscope.scope.scope.Inbox", lambda: Inbox(limit=10))
    monkeypatch.setattr("farscope.scope.inbox.CONSUMER_PATIENCE_S", 0.0)
    probe = hand_probe()
    with Scope(url, keyring) as scope, scope.taking():
        writer_of(probe)(*(probe.send(6) for _ in range(50)))
        assert scope.wait_for(lambda scope: scope.stats.waiting >= 10, LONG_S)
        assert [step.number for step in take_all(scope, 300)] == list(range(1, 301))
        assert scope.stats.unread == 0


def test_a_wait_that_is_not_fulfilled_says_so(url, keyring):
    with Scope(url, keyring) as scope:
        assert not scope.wait_for(received(1), 0.01)
        scope.close()
        assert not scope.wait_for(received(1), LONG_S)
        assert scope.take(LONG_S) == []


def test_what_was_known_can_be_asked_after_the_end(url, keyring, hand_probe, writer_of):
    probe = hand_probe()
    with Scope(url, keyring) as scope:
        writer_of(probe)(probe.send(3))
        assert scope.wait_for(received(3), LONG_S)
    assert scope.stats.received == 3
    assert scope.charts[0].name == "producer"
    assert len(scope.timeline.steps()) == 3
    assert [step.number for step in scope.take(0)] == [1, 2, 3]


def test_a_scope_outside_a_with_block_says_what_to_do(url, keyring):
    scope = Scope(url, keyring)
    with pytest.raises(ScopeError, match="with"):
        next(iter(scope))
    scope.close()
    with scope, pytest.raises(ScopeError, match="once"):
        scope.__enter__()


def test_arguments_that_make_no_sense_are_refused_at_once(url, keyring, tmp_path):
    with pytest.raises(UsageError):
        Scope(url, keyring, wire="smoke")
    for bad, error in (
        (Scope(url, keyring, since="yesterday"), UsageError),
        (Scope("nonsense:x", keyring), BadUrl),
        (Scope(url, tmp_path / "no-key"), NoKey),
    ):
        with pytest.raises(error):
            bad.__enter__()


class BrittleLog:
    """A log whose reader does what the test says, one item a read: raise it, or return it as entries."""

    url = "brittle:"
    shared = False
    caught_up = True
    cut = 0
    closed = False

    def __init__(self, *script) -> None:
        self.script = list(script)
        self.done = threading.Event()

    def reader(self, *_where):
        return self

    def read(self, timeout_s, _limit):
        if not self.script:
            self.done.wait(timeout_s)
            return []
        item = self.script.pop(0)
        if isinstance(item, Exception):
            raise item
        return [Entry(data, time.time_ns()) for data in item]

    def close(self):
        self.closed = True

    def interrupt(self):
        self.done.set()


def test_a_log_that_is_away_is_reported_once_and_read_on_when_it_is_back(keyring, hand_probe):
    away = LogUnavailable("the broker does not answer")
    log = BrittleLog(away, away, [hand_probe().send(2)])
    with Scope(log, keyring) as scope:
        assert len(take_all(scope, 2)) == 2
    reported = [notice.kind for notice in scope.notices()]
    assert reported[:2] == [NoticeKind.LOG_UNAVAILABLE, NoticeKind.LOG_AVAILABLE]
    assert reported.count(NoticeKind.LOG_UNAVAILABLE) == 1
    assert log.closed


def test_a_log_that_refuses_ends_the_iteration_with_its_error_after_the_steps_that_came(keyring, hand_probe):
    log = BrittleLog([hand_probe().send(2)], LogRefused("the password is wrong"))
    steps = []
    with Scope(log, keyring) as scope:
        with pytest.raises(LogRefused, match="password"):
            steps.extend(step for step in scope)
        with pytest.raises(LogRefused):
            scope.take(LONG_S)
        with pytest.raises(LogRefused):
            scope.wait_for(received(3), LONG_S)
        assert scope.wait_for(received(2), LONG_S)
    assert NoticeKind.LOG_REFUSED in [notice.kind for notice in scope.notices()]


def test_an_error_nobody_saw_is_raised_on_leaving(keyring):
    scope = Scope(BrittleLog(ZeroDivisionError()), keyring).__enter__()
    while not scope._inbox.ended:
        scope._inbox.wait_beyond(scope._inbox.version, LONG_S)
    with pytest.raises(ZeroDivisionError):
        scope.__exit__(None, None, None)


def test_what_retention_cut_is_reported_and_counted(keyring):
    log = BrittleLog()
    log.cut = 3
    with Scope(log, keyring) as scope:
        assert scope.wait_for(lambda scope: scope.stats.cut == 3, LONG_S)
        assert [(n.kind, n.count) for n in scope.notices()] == [(NoticeKind.LOG_CUT, 3)]


@spy_on
def idle(chart, event):
    if event.signal in {signals.A, signals.B, signals.UNSEEN}:
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER


def test_a_chart_removed_and_added_again_is_seen_as_unobserved_and_then_alive(url, keyring):
    chart = Hsm(name="producer")
    chart.start_at(idle)
    with broadcast(chart, url=url, key=keyring) as probe, Scope(url, key=keyring, since="start") as scope:
        chart.dispatch(Event(signal="A"))
        probe.remove(chart)
        assert scope.wait_for(lambda _: [view.status for view in scope.charts] == ["unobserved"], LONG_S)
        chart.dispatch(Event(signal="UNSEEN"))
        probe.add(chart)
        chart.dispatch(Event(signal="B"))
        assert scope.wait_for(lambda _: [view.status for view in scope.charts] == ["alive"], LONG_S)
        assert scope.wait_for(lambda _: scope.stats.received == 2, LONG_S)
        assert scope.charts[0].lost == 0
