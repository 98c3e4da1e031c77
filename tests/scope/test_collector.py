"""What the end of a log's past proves."""

from __future__ import annotations

import threading
import time

import pytest

from farscope.errors import LogUnavailable
from farscope.logs.base import Entry
from farscope.scope import collector
from farscope.scope.collector import READ_LIMIT
from farscope.scope.notice import NoticeKind
from farscope.scope.ordering import Now
from farscope.scope.scope import Scope

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
        entries, self._entries = self._entries, []
        if not entries:
            self._woken.wait(timeout_s)
        self.caught_up = True
        return entries

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
        monkeypatch.setattr(collector, "steady_ns", lambda: self.ns)


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
