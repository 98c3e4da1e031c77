"""The thread that reads a log for a scope; the only place where the scope's state changes."""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from threading import Event, Lock, Thread, current_thread

from farscope.errors import LogRefused, LogUnavailable
from farscope.logs.base import Entry, LogReader, Unread, unread_of
from farscope.records.boot_time import boot_time_ns
from farscope.records.heartbeat import HEARTBEAT_NS, LATELY_NS, MAX_AWAIT_NS, OVERDUE_NS, SETTLE_NS
from farscope.records.step import NANOSECONDS, ChartId, RawStep, Step
from farscope.scope.chart import ChartView
from farscope.scope.foreign_chart import ForeignHsm
from farscope.scope.inbox import Inbox
from farscope.scope.intake import Accepted, EntryIntake, Refusal, Refused, RejectionReporter
from farscope.scope.liveness import Liveness
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.ordering.claimed_causes import after_their_causes
from farscope.scope.ordering.clock_offsets import ClockOffsets
from farscope.scope.ordering.reorder_buffer import Now, ReorderBuffer
from farscope.scope.reading import Reading
from farscope.scope.stats import ScopeStats
from farscope.scope.timeline import Timeline
from farscope.scope.tokens import Tokens
from farscope.scope.unknown import Unknown, Why, of_part
from farscope.scope.world import World

READ_WAIT_S = 0.25
"""Longest wait for the next batch, and so the longest interval between checks for silent probes."""

READ_LIMIT = 64
"""Batches read at a time; at most a megabyte each, so this bounds the unopened data in memory."""

GATHER_S = 0.01
"""How long live reading pauses before it reads again while several probes are heard: small batches that are
read together cost a fraction of what they cost one by one. Their steps wait for each other ten times as long
anyway, so they appear at most this much later; those of a single probe are read at once."""

TOGETHER = 32
"""Batches processed before the steps that are due are handed out, or fewer with ``STEPS_TOGETHER`` steps."""

STEPS_TOGETHER = 256

LOOK_NS = 100_000_000
"""Shortest interval between two examinations of all probes, for silences and gaps, and between two questions
whether the log has more while it is read faster than it grows. Each takes as long as several batches."""

HELD_UP_NS = 2 * HEARTBEAT_NS
"""The log is read every ``READ_WAIT_S``. After a pause this long, this machine was asleep, or this process
was stopped or too busy: what is in the log by then is treated and ordered as the past."""

FIRST_DELAY_S = 0.2
MAX_DELAY_S = 1.0
"""Longest pause before retrying a log that could not be read: pauses double up to this, with jitter. A
network log adds its own retry pauses; both determine how soon its return is noticed."""

MAX_NOTICES = 4_096
"""Notices kept until they are fetched; at the limit the oldest are discarded, but all counts are kept."""

LAST_READ_S = 0.5
"""How long a collector stopped during live reading keeps reading what is already in the log; a log that grows
faster than that, or whose batches take long to process, is not read to its end."""

LATE_WAIT_S = min(LATELY_NS - OVERDUE_NS, MAX_AWAIT_NS) / NANOSECONDS
"""Longest wait of a stopped collector for late probes, however slow their heartbeats are; it does not wait
for healthy ones."""

LATE_READ_S = 0.1
"""Longest interval between checks whether they are still late."""

CLOSE_WAIT_S = 5.0
"""How long closing waits for the thread; one that the log blocks for longer ends with the process."""


class Collector:
    """Reads batches, processes them, and answers queries about the result; public methods are thread-safe."""

    def __init__(
        self,
        reader: LogReader,
        intake: EntryIntake,
        inbox: Inbox,
        timeline: Timeline,
        clocks: ClockOffsets,
        *,
        window_s: float,
        from_now: bool,
        until_ns: int | None = None,
        goes_on: bool = False,
    ) -> None:
        """Store the arguments; nothing is read yet.

        Args:
            until_ns: for a log that ends, when its newest batch was stored; reading stops there.
            goes_on: whether a log that ends is part of something longer, so that steps owed at its end may be
                in the rest.
        """
        self.failure: Exception | None = None
        """The error that ended the reading; None if ``stop`` did."""
        self._reader = reader
        self._intake = intake
        self._inbox = inbox
        self._timeline = timeline
        self._reorder_buffer = ReorderBuffer(clocks, window_s)
        self._world = World(clocks)
        self._tokens = Tokens()
        self._lock = Lock()
        self._in_hand = 0
        """Steps that have left the reorder buffer and are not in the inbox yet."""
        self._stopping = Event()
        self._process_until_s = math.inf
        """Monotonic time after which batches read are no longer processed; set before ``_stopping`` is."""
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)
        self._rejections = RejectionReporter()
        self._reading = Reading(until_ns, goes_on)
        if from_now:
            self._reading.go_live(boot_time_ns())
        self._gathers = window_s >= 5 * GATHER_S
        self._several = False
        """Whether more than one probe was heard recently."""
        self._looked_ns = self._asked_ns = 0
        self._cut = 0
        self._unread: tuple[Unread, ...] = ()
        self._reported: set[str] = set()
        """Error messages already reported since the log was lost."""
        self._thread = Thread(target=self._run, name="farscope-scope", daemon=True)

    @property
    def caught_up(self) -> bool:
        """Whether everything in the log at the last read, or at the end of the reading, was processed."""
        return self._reading.caught_up

    @property
    def reached_end(self) -> bool:
        """Whether the end of the log was reached at least once, with everything before it processed."""
        return self._reading.reached_end

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and wait up to ``CLOSE_WAIT_S`` for the thread; stopping twice has no effect."""
        if not self._stopping.is_set():
            self._process_until_s = time.monotonic() + LAST_READ_S
        self._stopping.set()
        self._reader.interrupt()
        if self._thread is not current_thread():
            self._thread.join(CLOSE_WAIT_S)
            if self._thread.is_alive():
                # The thread is blocked in the log, so the rest of the log is unknown.
                self._fall_behind()

    def charts(self) -> list[ChartView]:
        """Return every tracked chart."""
        with self._lock:
            return self._world.charts()

    def lives(self) -> dict[str, Liveness]:
        """Return the life of every probe, by its id."""
        with self._lock:
            return self._world.lives()

    def foreign(self, chart: str | ChartId) -> ForeignHsm:
        """Return the foreign chart; raises ``UnknownChart`` or ``AmbiguousChart``."""
        with self._lock:
            found = self._world.find(chart)
            found.foreign.look_with(partial(self.view, found.id))
            return found.foreign

    def view(self, chart: ChartId) -> ChartView:
        """Return a tracked chart; raises ``UnknownChart``."""
        with self._lock:
            return self._world.view(chart)

    def label(self, chart: ChartId) -> str:
        """Return a chart's current label."""
        with self._lock:
            return self._world.label(chart)

    def correction_ns(self, chart: ChartId, number: int) -> int:
        """Return what to subtract from the time of a step to convert it to the scope's clock."""
        with self._lock:
            return self._reorder_buffer.correction_ns(chart, number)

    def resolved(self, step: Step) -> Step:
        """Return a step with the step that caused it if that is known only now, else the step itself."""
        with self._lock:
            known = self._tokens.resolved(step)
        return step if known is step else Step._make(known)

    def ran_ahead(self, chart: ChartId, number: int) -> bool:
        """Return whether a step was handed out while the one that caused it was still running."""
        with self._lock:
            return self._reorder_buffer.ran_ahead(chart, number)

    def notices(self) -> list[Notice]:
        """Return the notices since the last call."""
        with self._lock:
            notices = list(self._notices)
            self._notices.clear()
            return notices

    def foreign_keys(self) -> list[str]:
        """Return the fingerprints of keys that sealed batches here but that this scope does not hold."""
        with self._lock:
            return self._rejections.fingerprints

    def stats(self) -> ScopeStats:
        """Return a snapshot of the account."""
        with self._lock:
            totals = self._intake.totals()
            return ScopeStats(
                received=totals.received,
                duplicated=totals.duplicated,
                missing=totals.missing,
                dropped=dict(totals.dropped),
                refused={str(reason): count for reason, count in self._intake.refused.items()},
                skipped=dict(self._intake.skipped),
                probes=self._intake.probes,
                batches=self._intake.accepted,
                repeated=self._intake.repeated,
                waiting=len(self._inbox) + len(self._reorder_buffer) + self._in_hand,
                unread=self._inbox.unread,
                cut=self._cut,
                late=self._reorder_buffer.late,
                unknown=tuple(self._unknown()),
            )

    def _unknown(self) -> Iterable[Unknown]:
        """Yield what cannot be known; call with the lock held."""
        failure = self.failure
        if failure is not None and not isinstance(failure, LogRefused):
            yield Unknown(why=Why.FAILED, detail=f"{type(failure).__name__}: {failure}")
        elif not self.caught_up:
            yield Unknown(why=Why.NOT_READ, detail="" if failure is None else failure.message)
        if not self._intake.numbered:
            yield Unknown(why=Why.NOT_NUMBERED)
        yield from self._world.unknown()
        yield from map(of_part, self._unread)
        for reason, count in self._intake.refused.items():
            if reason is not Refusal.REPLAYED:
                yield Unknown(why=Why.UNREADABLE, count=count, detail=str(reason))

    def _run(self) -> None:
        try:
            self._collect()
        except LogRefused as error:
            self.failure = error
            self._report([Notice(kind=NoticeKind.LOG_REFUSED, detail=error.message)])
        except Exception as error:  # noqa: BLE001 - raised where steps are taken or the scope is closed
            self.failure = error
        finally:
            if self.failure is not None:
                self._fall_behind()
            now = _now()
            with self._lock:
                self._count_owed(now.monotonic_ns)
                if self.caught_up:
                    self._world.end(now.monotonic_ns, for_good=self._reading.for_good)
                self._reorder_buffer.add_notices(self._world.settle(now.monotonic_ns), now)
            self._hand_out_all()
            self._inbox.end()

    def _collect(self) -> None:
        with closing(self._reader):
            self._read_on()

    def _read_on(self) -> None:
        looked_ns = boot_time_ns()
        while not self._stopping.is_set() and not self._reading.finished:
            try:
                entries = self._reader.read(self._wait_s(), READ_LIMIT)
            except LogUnavailable as error:
                self._log_lost(error)
                continue
            self._log_found()
            before_ns, looked_ns = looked_ns, boot_time_ns()
            if looked_ns - before_ns >= HELD_UP_NS:
                self._reading.fall_back()
            if not self._process_all(entries):
                return
            if self._may_gather(len(entries)):
                self._stopping.wait(GATHER_S)
        self._read_remaining()

    def _may_gather(self, read: int) -> bool:
        """Return whether the next batches may be read a little later, after a read of that many."""
        if not (self._gathers and self._several and self._reading.live) or self._reading.ends:
            return False
        return read < READ_LIMIT and (read > 0 or len(self._reorder_buffer) > 0)

    def _process_all(self, entries: Sequence[Entry]) -> bool:
        """Process the entries read; return False if reading was stopped before all were processed.

        Anyone who holds the key can make batches that each take seconds to account for.
        """
        batches = steps = 0
        for entry in entries:
            self._wait_for_room()
            if self._stopping.is_set() and (
                time.monotonic() >= self._process_until_s or not self._inbox.wait_for_room(0.0)
            ):
                self._fall_behind()
                return False
            batches, steps = batches + 1, steps + self._process(entry)
            if batches >= TOGETHER or steps >= STEPS_TOGETHER:
                batches = steps = 0
                self._hand_out_due()
        self._tick(len(entries))
        self._hand_out_due()
        return True

    def _read_remaining(self) -> None:
        """After a stop, find out whether the reading ends where the log does."""
        self._process_until_s = time.monotonic() + LAST_READ_S
        while not self._reading.ends and self._reading.live:
            try:
                entries = self._reader.read(0.0, READ_LIMIT)
            except LogUnavailable:
                self._fall_behind()
                return
            late = time.monotonic() >= self._process_until_s
            if not self._process_all(entries) or self.caught_up or late:
                break
        self._wait_for_the_late()

    def _wait_for_the_late(self) -> None:
        """After everything was read, find out whether late probes are still running."""
        deadline = time.monotonic() + LATE_WAIT_S
        self._process_until_s = deadline + LAST_READ_S
        while self.caught_up and not self._reading.ends and self._world.awaits(_now().monotonic_ns):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            try:
                entries = self._reader.read(min(LATE_READ_S, left_s), READ_LIMIT)
            except LogUnavailable:
                self._fall_behind()
                return
            if not self._process_all(entries):
                return

    def _fall_behind(self) -> None:
        """Record that the log holds more than was processed."""
        self._reading.fall_behind()
        self._world.at_end = False

    def _process(self, entry: Entry) -> int:
        """Process an entry; return how many new steps it had."""
        now, live = _now(), self._reading.live
        # In a log that ends, a probe heard at its end is alive.
        present_ns = now.wall_ns if self._reading.until_ns is None else self._reading.until_ns
        age_ns = 0 if live else max(0, present_ns - entry.stored_ns)
        with self._lock:
            outcome = self._intake.receive(entry.data, now.monotonic_ns)
            if isinstance(outcome, Accepted):
                self._note_tokens(outcome)
                notices = self._reorder_buffer.put(outcome, entry.stored_ns, now, live=live)
                past_ns = None if live else self._reorder_buffer.past_ns
                self._reorder_buffer.add_notices(
                    notices + self._world.apply(outcome, now.monotonic_ns, age_ns, past_ns), now
                )
            elif isinstance(outcome, Refused):
                rejections = self._rejections.report(outcome, self._intake.refused[outcome.reason])
                at_ns = now.wall_ns if live else entry.stored_ns
                self._reorder_buffer.add_notices(
                    [replace(notice, time_ns=at_ns) for notice in rejections], now
                )
        return len(outcome.posted.steps) if isinstance(outcome, Accepted) else 0

    def _note_tokens(self, accepted: Accepted) -> None:
        batch = accepted.batch
        self._tokens.claims = self._tokens.claims or batch.claims
        if batch.tokens:
            self._tokens.add(accepted.header.probe.hex(), batch.tokens)

    def _wait_s(self) -> float:
        if self._reading.ends:
            return 0.0
        wait_s = self._reorder_buffer.wait_s(_now(), live=self._reading.live)
        return READ_WAIT_S if wait_s is None else min(READ_WAIT_S, wait_s)

    def _hand_out_due(self) -> None:
        now, live = _now(), self._reading.live
        with self._lock:
            self._several = self._world.several_alive(now.monotonic_ns)
            steps = self._reorder_buffer.pop_due(now, live=live, several=self._several)
            self._in_hand = len(steps)
            self._notices.extend(self._reorder_buffer.pop_notices())
        self._hand_out(steps)

    def _hand_out_all(self) -> None:
        with self._lock:
            steps = self._reorder_buffer.pop_all()
            self._in_hand = len(steps)
            self._notices.extend(self._reorder_buffer.pop_notices())
        self._hand_out(steps)

    def _hand_out(self, steps: Sequence[RawStep]) -> None:
        if steps:
            with self._lock:
                known = self._tokens.resolved_all(steps)
            steps = steps if known is steps else after_their_causes(known)
            self._timeline.extend(steps)
            with self._lock:
                self._inbox.put(steps)
                self._in_hand = 0

    def _tick(self, read: int) -> None:
        """Look around after a read of that many batches."""
        now_ns = boot_time_ns()
        at_end = self._is_at_end(read, now_ns)
        if at_end and not self._reading.live:
            self._reading.go_live(now_ns)
            with self._lock:
                steps = self._reorder_buffer.reach_end(_now())
                self._in_hand = len(steps)
                self._notices.extend(self._reorder_buffer.pop_notices())
                # Before ``caught_up`` becomes true, since callers then take the account for complete.
                self._count_owed(now_ns)
            self._hand_out(steps)
        self._world.at_end = at_end
        self._reading.end_read(at_end=at_end)
        self._unread = unread_of(self._reader)
        cut = self._reader.cut
        with self._lock:
            if cut > self._cut:
                self._add_log_notices([Notice(kind=NoticeKind.LOG_CUT, count=cut - self._cut)])
                self._cut = cut
            if now_ns - self._looked_ns >= LOOK_NS:
                self._looked_ns = now_ns
                notices = self._world.tick(now_ns, self._reading.live_since_ns)
                self._reorder_buffer.add_notices(notices, _now())
        self._inbox.touch()

    def _is_at_end(self, read: int, now_ns: int) -> bool:
        """Return whether everything in the log was read, after a read of that many batches.

        To ask a broker takes a round trip. While its batches are read as they come, it is asked now and then.
        """
        recent = now_ns - self._asked_ns < LOOK_NS and not self._stopping.is_set()
        if recent and self._reading.live and self._reading.caught_up and 0 < read < READ_LIMIT:
            return True
        self._asked_ns = now_ns
        return self._reader.caught_up

    def _count_owed(self, now_ns: int) -> None:
        """Count what silent probes owe, if everything was read; call with the lock held.

        While a log is unavailable its probes cannot be heard, so they get time to speak again.
        """
        if self._reading.is_settled(now_ns, SETTLE_NS):
            since_ns = self._reading.live_since_ns if self._reading.was_lost else None
            self._world.reach_end(now_ns, since_ns, for_good=self._reading.for_good)

    def _wait_for_room(self) -> None:
        while not self._inbox.wait_for_room(READ_WAIT_S):
            self._reading.fall_back()
            self._fall_behind()
            if self._stopping.is_set():
                return

    def _log_lost(self, error: LogUnavailable) -> None:
        self._reading.lose()
        self._fall_behind()
        self._hand_out_all()
        # While waiting for a broker to return, report each problem that needs fixing there once.
        if self._reading.failures == 1 or (error.refused and error.message not in self._reported):
            self._reported.add(error.message)
            self._report([Notice(kind=NoticeKind.LOG_UNAVAILABLE, detail=error.message)])
        delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** min(self._reading.failures - 1, 10))
        self._stopping.wait(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter is no secret

    def _log_found(self) -> None:
        if self._reading.find():
            self._reported.clear()
            self._report([Notice(kind=NoticeKind.LOG_AVAILABLE)])

    def _report(self, notices: list[Notice]) -> None:
        with self._lock:
            self._add_log_notices(notices)
        self._inbox.touch()

    def _add_log_notices(self, notices: list[Notice]) -> None:
        """Add notices about the log, dated now; call with the lock held."""
        at_ns, place = time.time_ns(), self._reorder_buffer.handed_out
        self._notices.extend(replace(notice, time_ns=at_ns, place=place) for notice in notices)


def _now() -> Now:
    return Now(time.time_ns(), boot_time_ns())
