"""The scope: a live and historical view of every chart that broadcasts to a log."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Self, cast

from farscope.errors import ScopeError, UnknownChart, UsageError
from farscope.logs.base import Log
from farscope.records.step import NANOSECONDS, ChartId, RawStep, Step
from farscope.scope.chart import ChartView
from farscope.scope.collector import Collector
from farscope.scope.feed import open_feed
from farscope.scope.foreign_chart import ForeignHsm
from farscope.scope.inbox import SLICE_S, Inbox
from farscope.scope.liveness import Liveness
from farscope.scope.notice import Notice
from farscope.scope.ordering.clock_offsets import ClockOffsets
from farscope.scope.ordering.reorder_buffer import WINDOW_S
from farscope.scope.since import Since
from farscope.scope.stats import ScopeStats
from farscope.scope.timeline import Timeline
from farscope.wire.keys import Keyring
from farscope.wire.registry import WIRES

MAX_WINDOW_S = 60.0
"""Largest window accepted: a longer one would hold more steps than the buffers can, and delay the display."""

CHUNK = 1_024
"""Steps an iteration takes from the buffer at a time; unused ones are put back."""

_step = cast("Callable[[RawStep], Step]", partial(tuple.__new__, Step))  # half the price of Step._make


class Scope:
    """Watches all charts that broadcast to one log.

    Use it in a ``with`` block::

        with Scope("sqlite:/var/lib/charts") as scope:
            for step in scope:
                print(step.trace() or step.spy())

    It collects in the background from the moment the block is entered. Iterating and ``take`` hand out each
    step once, ordered by time across all machines; the steps of one chart always keep their order.
    ``charts``, ``scope["name"]``, ``stats`` and ``notices`` may be used at any time, from any thread, even
    after the end.

    Steps that have not been taken wait in a bounded buffer. When it is full, a scope with an active consumer
    stops reading until there is room: the log keeps the rest and nobody else is held up. A scope without a
    consumer discards the oldest steps; ``stats.unread`` counts them.

    A recording is read like any log, but it ends: iteration stops once all of it has been handed out.
    """

    def __init__(
        self,
        url: str | Log | None = None,
        key: Keyring | str | bytes | os.PathLike[str] | None = None,
        since: Since = None,
        *,
        wire: str = "batches",
        window_s: float = WINDOW_S,
    ) -> None:
        """Store the arguments; nothing is opened until the ``with`` block is entered.

        Args:
            url: address of the log or recording, or a log; None means ``FARSCOPE_URL``, or else the embedded
                log.
            key: key or key file; None means ``FARSCOPE_KEY_FILE`` or ``FARSCOPE_KEY``, or else the user's own
                key file.
            since: where to start reading: None is now; ``"start"`` is the oldest batch; ``"10m"``, a number
                of seconds or a timedelta is that long ago; a datetime is that moment (local time if it has no
                zone). A recording is read from its start if this is None, and durations count back from its
                end.
            wire: wire format: ``batches``, or ``lines`` as in the miros example, which has no past.
            window_s: how long a step waits for earlier ones from other machines, in seconds, so that all
                charts can be iterated in order of time; with only one live probe nothing waits. 0 keeps the
                order of the log.

        Raises:
            UsageError: the wire format is unknown, or the window is out of range.
        """
        if not 0 <= window_s <= MAX_WINDOW_S:
            raise UsageError(
                f"window_s must be 0 to {MAX_WINDOW_S:g} seconds, got {window_s}",
                "leave it out for the default",
            )
        if wire not in WIRES:
            raise UsageError(f"unknown wire format {wire!r}", f"one of: {', '.join(WIRES)}")
        self._url = url
        self._key = key
        self._since = since
        self._wire = wire
        self._window_s = window_s
        self._inbox = Inbox()
        self._timeline = Timeline()
        self._running: Collector | None = None
        self._failure_raised = False

    def __enter__(self) -> Self:
        """Start collecting.

        Raises:
            BadUrl, LogUnavailable, LogRefused: the log cannot be read.
            KeyringError: there is no key to open the batches with.
            UsageError: ``since`` is invalid, or asks for the past of the lines format.
            ScopeError: the scope was entered before.
        """
        if self._running is not None:
            raise ScopeError("a scope can be entered once only", "make another one")
        feed = open_feed(self._url, self._key, self._since, self._wire)
        self._running = Collector(
            feed.reader,
            feed.intake,
            self._inbox,
            self._timeline,
            ClockOffsets(feed.host, int(WINDOW_S * NANOSECONDS), one_machine=feed.one_machine),
            window_s=self._window_s,
            from_now=feed.from_now,
            until_ns=feed.until_ns,
            goes_on=feed.goes_on,
        )
        self._running.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the scope; raise the error that ended collecting, unless it was already raised."""
        self.close()
        if error is None and not self._failure_raised:
            self._raise_failure()

    def close(self) -> None:
        """Stop collecting. May be called from any thread, and twice.

        Iterations in other threads end after the steps already received.
        """
        if self._running is not None:
            self._running.stop()

    def __iter__(self) -> Iterator[Step]:
        """Yield steps as they arrive, until the scope is closed or the recording ends.

        Raises:
            LogRefused: the log can no longer be read; raised after the steps already received.
        """
        self._collector()
        with self._inbox.iterating():
            while chunk := self._inbox.get(CHUNK, None):
                try:
                    while chunk:
                        yield _step(chunk.popleft())
                finally:
                    self._inbox.put_back(chunk)
        self._raise_failure()

    def take(self, timeout_s: float, limit: int = CHUNK) -> list[Step]:
        """Return at most ``limit`` waiting steps; wait up to ``timeout_s`` seconds for the first one.

        Returns as soon as there are any, even while most of the past selected by ``since`` is still unread:
        call ``catch_up`` first if you need all of it, and call ``take`` again for the remaining steps. Fewer
        steps are returned if their texts are very long, so that they fit into memory.

        Raises:
            LogRefused: the log can no longer be read, and no steps are waiting.
        """
        self._collector()
        taken = self._inbox.get(limit, timeout_s)
        if not taken and self._inbox.ended:
            self._raise_failure()
        return list(map(_step, taken))

    @property
    def untaken(self) -> int:
        """Steps ``take`` could return at once; others may have arrived but are not in order yet."""
        return len(self._inbox)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Count as an active consumer for the whole block, however long the pauses between calls of ``take``.

        While the block lasts, a full buffer makes the scope stop reading, and no step is discarded.
        """
        self._collector()
        with self._inbox.iterating():
            yield

    def wait_for(self, predicate: Callable[[Self], bool], timeout_s: float) -> bool:
        """Wait until ``predicate(scope)`` is true; return whether it became true. Takes no steps.

        The predicate is called on the calling thread: once immediately, then whenever something has arrived.

        Raises:
            LogRefused: the log can no longer be read, and the predicate is not true.
        """
        self._collector()
        deadline = time.monotonic() + timeout_s
        while True:
            version, ended = self._inbox.version, self._inbox.ended
            if predicate(self):
                return True
            if ended:
                self._raise_failure()
                return False
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._inbox.wait_beyond(version, min(SLICE_S, left))

    def catch_up(self, timeout_s: float) -> bool:
        """Wait until everything in the log when the scope was entered has been read; return whether it has.

        After that, ``charts`` and ``scope["name"]`` cover all of the past selected by ``since``. No steps are
        taken.

        Raises:
            LogRefused: the log can no longer be read, and its end was not reached.
        """
        return self.wait_for(lambda scope: scope.reached_end, timeout_s)

    @property
    def charts(self) -> list[ChartView]:
        """Every chart seen so far, in its current state."""
        return self._collector().charts()

    @property
    def lives(self) -> dict[str, Liveness]:
        """Liveness of each probe by its id, as far as read: when it was heard and how it ended."""
        return self._collector().lives()

    @property
    def stats(self) -> ScopeStats:
        """The account of everything read so far."""
        return self._collector().stats()

    @property
    def foreign_keys(self) -> list[str]:
        """Sorted fingerprints of keys that sealed batches in the log but that this scope does not hold."""
        return self._collector().foreign_keys()

    @property
    def timeline(self) -> Timeline:
        """The recent steps of all charts, whether or not they have been taken."""
        return self._timeline

    @property
    def caught_up(self) -> bool:
        """Whether everything in the log at the last look has been received.

        Becomes false again while the scope is behind or the log cannot be read, and stays false if the scope
        is closed in that state, before the end of the log. Received steps may still be waiting to be taken;
        ``stats.waiting`` counts them. Steps that a probe announced before it fell silent, but that are not in
        the log, are counted in ``stats.missing``.
        """
        return self._collector().caught_up

    @property
    def reached_end(self) -> bool:
        """Whether everything in the log when the scope was entered has been received; stays true."""
        return self._collector().reached_end

    @property
    def ended(self) -> bool:
        """Whether nothing is left to take: the scope was closed or its log ended, and all was taken."""
        self._collector()
        return self._inbox.ended and not len(self._inbox)

    def notices(self) -> list[Notice]:
        """Return the notices since the last call, oldest first: charts, gaps, refusals."""
        return self._collector().notices()

    def label(self, chart: ChartId) -> str:
        """Return the current unique label of a chart: its name, if no other chart shares it."""
        return self._collector().label(chart)

    def corrected_ns(self, step: Step) -> int:
        """Return when a step began by this machine's clock, as estimated when the step was handed out.

        In nanoseconds since the epoch. Equal to ``step.time_ns`` if the chart's clock is considered right.
        Adding ``step.duration_ns`` gives the time the step ended. Steps are handed out in order of that end
        time, each after the step that caused it, except those counted in ``stats.late`` and those that
        ``ran_ahead``.
        """
        return step.time_ns - self._collector().correction_ns(step.chart, step.number)

    def resolved(self, step: Step) -> Step:
        """Return a step whose cause in another process has become known since it was handed out.

        A step is handed out with its cause, if that was known by then: ``step.cause`` has its probe, serial
        and number, and ``claimed`` is true, because it rests on a token. The token becomes known when the
        other probe sends its next batch, so an effect may be handed out before. If nothing more has become
        known, this returns the step itself.
        """
        cause = step.cause
        return self._collector().resolved(step) if cause is not None and cause.span_id else step

    def ran_ahead(self, step: Step) -> bool:
        """Return whether a step was handed out before the step that caused it, which was still running.

        This happens if a handler posts an event and then keeps working for longer than steps wait for each
        other.
        """
        return step.cause is not None and self._collector().ran_ahead(step.chart, step.number)

    def __getitem__(self, chart: str | ChartId) -> ForeignHsm:
        """Return the spy and trace of a chart, by name, label, ``name@host`` or id.

        If several charts share the name, the only one alive is returned; if none is alive and they are
        successive runs on one host, the newest is.

        Raises:
            UnknownChart: no chart matches.
            AmbiguousChart: several charts match; the error lists their labels.
        """
        return self._collector().foreign(chart)

    def __contains__(self, chart: object) -> bool:
        """Return whether a chart with that name, label or id was seen."""
        if not isinstance(chart, str | ChartId):
            return False
        try:
            self._collector().foreign(chart)
        except UnknownChart:
            return False
        except ScopeError:
            return True
        return True

    def _collector(self) -> Collector:
        if self._running is None:
            raise ScopeError(
                "the scope was not entered", "use it in a with block: `with Scope(...) as scope:`"
            )
        return self._running

    def _raise_failure(self) -> None:
        failure = self._collector().failure
        if failure is not None:
            self._failure_raised = True
            raise failure
