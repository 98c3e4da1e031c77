"""Conclusions from the end of a log's past."""

from __future__ import annotations

import threading
import time

import pytest

from farscope.errors import LogUnavailable
from farscope.logs.base import Entry, Unread
from farscope.scope import collector
from farscope.scope.collector import READ_LIMIT
from farscope.scope.notice import NoticeKind
from farscope.scope.ordering.reorder_buffer import Now
from farscope.scope.scope import Scope
from farscope.scope.timeline import Timeline
from farscope.scope.unknown import Why
from farscope.scope.world import World
from farscope.testing.waiting import eventually

SECOND_NS = 10**9
LONG_S = 30.0


class PastLog:
    """A log that holds batches of some age, and nothing else; it is away for the first so many reads."""

    url = "past:"
    shared = False

    def __init__(self, *batches: tuple[float, bytes], away: int = 0) -> None:
        now_ns = time.time_ns()
        self._entries = [Entry(data, now_ns - int(age_s * SECOND_NS)) for age_s, data in batches]
        self._away = away
        self._woken = threading.Event()
        self.caught_up = False
        self.cut = 0
        self.position = {}

    def reader(self, _since_ns=None, _position=None) -> PastLog:
        return self

    def read(self, timeout_s: float, _limit: int = 256) -> list[Entry]:
        if self._away:
            self._away -= 1
            raise LogUnavailable("away")
        if not self._entries:
            self._woken.wait(timeout_s)
        entries, self._entries = self._entries, []
        self.caught_up = True
        return entries

    def go_away(self) -> None:
        """Be away from now on."""
        self._away = 1_000_000
        self._woken.set()

    def store(self, batch: bytes) -> None:
        """Store a batch now."""
        self._entries.append(Entry(batch, time.time_ns()))

    def interrupt(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._woken.set()


class ClosedLid(PastLog):
    """A log whose reader sleeps for a minute behind the first batches; others wait when it wakes."""

    def __init__(self, clock: TurnedClock, before: list[bytes], after: list[bytes]) -> None:
        super().__init__()
        self._clock, self._after = clock, after
        self._entries = [Entry(data, clock.ns) for data in before]
        self.read_all = threading.Event()

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        entries, self._entries = self._entries[:limit], self._entries[limit:]
        self.caught_up = not self._entries
        if not entries and self._after:
            self._clock.ns += 60 * SECOND_NS
            self._entries = [Entry(data, self._clock.ns) for data in self._after]
            self._after = []
        elif not entries:
            self.read_all.set()
            self._woken.wait(timeout_s)
        return entries


class TurnedClock:
    """Both clocks of the machine, which count sleep."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ns = 3_602 * SECOND_NS
        monkeypatch.setattr(collector, "_now", lambda: Now(self.ns, self.ns))
        monkeypatch.setattr(collector, "boot_time_ns", lambda: self.ns)


class BusyLog(PastLog):
    """A log to which more is added than anybody reads, once its reader has reached its end."""

    def __init__(self, *batches: bytes) -> None:
        super().__init__(*((0, batch) for batch in batches[:1]))
        self._more = list(batches[1:])
        self.grow = threading.Event()

    def read(self, timeout_s: float, _limit: int = 256) -> list[Entry]:
        if self.grow.is_set() and len(self._more) > 1:
            self._entries = [Entry(self._more.pop(0), time.time_ns())]
        entries, self._entries = self._entries, []
        if not entries:
            self._woken.wait(min(timeout_s, 0.01))
        self.caught_up = not (self.grow.is_set() and self._more)
        return entries


class ListenedLog(PastLog):
    """A log in which, once its reader is to end, somebody speaks at the third look, if ``late`` is given."""

    def __init__(self, *batches: tuple[float, bytes], late: bytes | None = None) -> None:
        super().__init__(*batches)
        self._late = late
        self._ending = False
        self._looks = 0

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        self._looks += self._ending
        if self._looks == 3 and self._late is not None:
            self.store(self._late)
        return super().read(timeout_s, limit)

    def interrupt(self) -> None:
        self._ending = True


class PartedLog(PastLog):
    """A log with parts that cannot be read."""

    unread = (Unread("a.db", "no such file"), Unread("b.db", "malformed", opened=True))


@pytest.fixture
def owing(hand_probe):
    """Batches of a probe that announced three steps more than it stored."""
    probe = hand_probe()
    steps = probe.send(5)
    probe.lose(3)
    return steps, probe.send()


def test_who_has_caught_up_has_counted_what_a_killed_producer_announced(keyring, owing):
    with Scope(PastLog(*((60, batch) for batch in owing)), keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
        assert (scope.stats.received, scope.stats.missing) == (5, 3)


def test_a_producer_between_two_batches_has_lost_nothing_not_even_at_the_close(keyring, owing):
    with Scope(PastLog(*((0, batch) for batch in owing)), keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
        assert scope.stats.missing == 0
    assert (scope.stats.received, scope.stats.missing) == (5, 0)


def test_a_log_that_was_away_gives_its_probes_time_to_speak_again(keyring, owing):
    with Scope(PastLog(*((60, batch) for batch in owing), away=1), keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
        assert scope.stats.missing == 0
        assert scope.wait_for(lambda scope: scope.stats.missing == 3, LONG_S)


def test_nobody_is_called_silent_by_a_machine_that_slept_itself(keyring, hand_probe, monkeypatch):
    probes = [hand_probe(), hand_probe()]
    before = [probe.send(1) for probe in probes]
    after = [probe.send(1) for probe in probes for _ in range(2 * READ_LIMIT)]
    log = ClosedLid(TurnedClock(monkeypatch), before, after)
    with Scope(log, keyring) as scope:
        assert log.read_all.wait(LONG_S)
        assert scope.stats.received == len(before) + len(after)
        kinds = {notice.kind for notice in scope.notices()}
    assert kinds == {NoticeKind.APPEARED}


def test_who_falls_behind_again_and_is_closed_then_has_not_read_to_the_end(keyring, hand_probe):
    probe = hand_probe()
    log = BusyLog(*(probe.send(1) for _ in range(4)))
    with Scope(log, keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
        log.grow.set()
        assert scope.wait_for(lambda scope: not scope.caught_up, LONG_S)
        assert scope.reached_end
    assert not scope.caught_up
    assert Why.NOT_READ in {unknown.why for unknown in scope.stats.unknown}


def test_who_is_closed_with_the_log_away_has_not_read_to_the_end(keyring, hand_probe):
    log = PastLog((0, hand_probe().send(3)))
    with Scope(log, keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
        log.go_away()
        assert scope.wait_for(lambda scope: not scope.caught_up, LONG_S)
    assert Why.NOT_READ in {unknown.why for unknown in scope.stats.unknown}


def test_what_is_stored_before_the_close_is_read_and_not_called_unread(keyring, hand_probe):
    probe = hand_probe()
    log = PastLog((0, probe.send(3)))
    with Scope(log, keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
        log.store(probe.send(4))
    assert scope.caught_up
    assert scope.stats.received == 7


def test_who_is_closed_while_batches_take_long_to_take_in_does_not_wait_for_those_in_hand(
    keyring, hand_probe, monkeypatch
):
    monkeypatch.setattr(collector, "LAST_READ_S", 0.0)
    taking, closing = threading.Event(), threading.Event()
    apply = World.apply

    def slow(*args, **kwargs):
        taking.set()
        closing.wait(LONG_S)
        return apply(*args, **kwargs)

    monkeypatch.setattr(World, "apply", slow)
    probe = hand_probe()
    log = PastLog(*((0, probe.send(1)) for _ in range(READ_LIMIT)))
    log.interrupt = closing.set
    with Scope(log, keyring, "start") as scope:
        assert taking.wait(LONG_S)
    assert scope.stats.received == 1
    assert Why.NOT_READ in {unknown.why for unknown in scope.stats.unknown}


def test_a_producer_heard_long_before_the_close_is_unknown_after_its_last_step(keyring, hand_probe):
    polite = hand_probe("polite")
    batches = (4.5, hand_probe("dead").send(7)), (4.5, polite.send(2)), (4.5, polite.goodbye())
    with Scope(PastLog(*batches), keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
    (unknown,) = scope.stats.unknown
    assert (unknown.subject, unknown.after, unknown.why) == ("dead", 7, Why.SILENT)
    assert scope.stats.lost == 0


def test_a_producer_late_at_the_close_is_unknown_after_its_last_step_if_it_says_nothing_more(
    keyring, hand_probe
):
    with Scope(ListenedLog((1.5, hand_probe("dead").send(7))), keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
    (unknown,) = scope.stats.unknown
    assert (unknown.subject, unknown.after, unknown.why) == ("dead", 7, Why.SILENT)


def test_a_producer_late_at_the_close_is_waited_for_and_known_if_it_speaks(keyring, hand_probe):
    probe = hand_probe()
    log = ListenedLog((1.5, probe.send(7)), late=probe.send(2))
    with Scope(log, keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
    assert scope.stats.unknown == ()
    assert scope.stats.received == 9


def test_parts_of_a_log_that_cannot_be_read_are_unknown_though_the_rest_is_read(keyring, hand_probe):
    with Scope(PartedLog((0, hand_probe().send(1))), keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
        reported = [(unknown.why, unknown.subject, unknown.detail) for unknown in scope.stats.unknown]
    assert reported == [(Why.NOT_OPENED, "a.db", "no such file"), (Why.UNREADABLE, "b.db", "malformed")]


def test_a_batch_that_cannot_be_opened_is_unknown_and_one_that_came_again_is_not(keyring, hand_probe):
    batch = hand_probe().send(1)
    spoilt = batch[:-1] + bytes([batch[-1] ^ 1])
    with Scope(PastLog((0, spoilt), (0, batch), (0, batch)), keyring, "start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
        stats = scope.stats
    (unknown,) = (each for each in stats.unknown if each.why is Why.UNREADABLE)
    assert (unknown.subject, unknown.count, unknown.detail) == ("", 1, "tampered")
    assert unknown.as_dict() in stats.as_dict()["unknown"]


def test_a_reader_that_breaks_is_reported_as_a_failure_of_the_account(keyring):
    class Broken(PastLog):
        def read(self, _timeout_s: float, _limit: int = 256) -> list[Entry]:
            raise OSError("gone")

    scope = Scope(Broken(), keyring)
    with pytest.raises(OSError, match="gone"), scope:
        assert scope.wait_for(lambda scope: scope.ended, LONG_S)
    (unknown,) = scope.stats.unknown
    assert (unknown.why, unknown.detail) == (Why.FAILED, "OSError: gone")


def test_of_a_log_that_does_not_let_go_nobody_knows_whether_it_was_read_to_the_end(keyring, monkeypatch):
    monkeypatch.setattr(collector, "CLOSE_WAIT_S", 0.0)
    released = threading.Event()

    class Clinging(PastLog):
        def read(self, _timeout_s: float, _limit: int = 256) -> list[Entry]:
            if self.caught_up:
                released.wait(LONG_S)
            self.caught_up = True
            return []

    scope = Scope(Clinging(), keyring)
    with scope:
        assert scope.wait_for(lambda scope: scope.caught_up, LONG_S)
    assert not scope.caught_up
    assert [unknown.why for unknown in scope.stats.unknown] == [Why.NOT_READ]
    released.set()
    eventually(lambda: scope.ended)


class Questioned(PastLog):
    """Remembers after reads of how many batches it was asked whether there are more."""

    def __init__(self, *batches: tuple[float, bytes]) -> None:
        self.asked_after: list[int] = []
        self._read = 0
        super().__init__(*batches)

    @property
    def caught_up(self) -> bool:
        self.asked_after.append(self._read)
        return not self._entries

    @caught_up.setter
    def caught_up(self, _value: bool) -> None:
        """Follows from what is stored."""

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        entries = super().read(min(timeout_s, 0.02), limit)
        self._read = len(entries)
        return entries


def test_a_log_that_is_read_as_it_grows_is_not_asked_after_every_batch(keyring, hand_probe, monkeypatch):
    monkeypatch.setattr(collector, "LOOK_NS", 10**18)
    probe = hand_probe()
    log = Questioned()
    with Scope(log, keyring) as scope:
        assert scope.wait_for(lambda _: scope.caught_up, LONG_S)
        for number in range(5):
            log.store(probe.send(1))
            assert scope.wait_for(lambda _, number=number: scope.stats.received > number, LONG_S)
            assert scope.caught_up
        during = list(log.asked_after)
    assert set(during) == {0}


def test_batches_are_gathered_only_where_their_steps_wait_for_those_of_others(
    keyring, hand_probe, monkeypatch
):
    waited: list[float | None] = []

    class Noted(threading.Event):
        def wait(self, timeout=None):
            waited.append(timeout)
            return super().wait(timeout)

    monkeypatch.setattr(collector, "Event", Noted)
    one, other = hand_probe("one"), hand_probe("other")
    log = Questioned()
    with Scope(log, keyring) as scope:
        log.store(one.send(1))
        assert scope.wait_for(lambda _: scope.stats.received == 1, LONG_S)
        log.store(one.send(1))
        assert scope.wait_for(lambda _: scope.stats.received == 2, LONG_S)
        assert collector.GATHER_S not in waited
        log.store(other.send(1))
        log.store(one.send(1))
        eventually(lambda: collector.GATHER_S in waited)
    assert scope.stats.received == 4


def test_a_step_on_its_way_to_the_consumer_is_counted_as_waiting(keyring, hand_probe, monkeypatch):
    seen = []

    class LookedAt(Timeline):
        def extend(self, steps):
            stats = scope.stats
            seen.append((stats.received, stats.waiting))
            super().extend(steps)

    monkeypatch.setattr("farscope.scope.scope.Timeline", LookedAt)
    scope = Scope(PastLog((60, hand_probe().send(3))), keyring, "start")
    with scope:
        assert scope.wait_for(lambda scope: scope.stats.waiting == 3 and seen, LONG_S)
    assert set(seen) == {(3, 3)}
