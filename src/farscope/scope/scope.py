"""The scope: what every chart that broadcasts to a log is doing, live and from its past."""

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
from farscope.scope.liveness import Life
from farscope.scope.notice import Notice
from farscope.scope.ordering.clock_offsets import Clocks
from farscope.scope.ordering.reorder_buffer import WINDOW_S
from farscope.scope.since import Since
from farscope.scope.stats import ScopeStats
from farscope.scope.timeline import Timeline
from farscope.wire.keys import Keyring
from farscope.wire.registry import WIRES

MAX_WINDOW_S = 60.0
"""Beyond this a window holds more steps than fit, and people wait for what they came to see."""

CHUNK = 1_024
"""Steps an iteration takes from the buffer at a time; what it does not use goes back."""

_step = cast("Callable[[RawStep], Step]", partial(tuple.__new__, Step))  # half the price of Step._make


class Scope:
    """Watches all charts that broadcast to one log.

    Use it in a ``with`` block::

        with Scope("sqlite:/var/lib/charts") as scope:
            for step in scope:
                print(step.trace() or step.spy())

    It collects in the background from entering on. Iterating and ``take`` hand out each step once, by time
    over all machines, and a chart's own steps always in their order; ``charts``, ``scope["name"]``, ``stats``
    and ``notices`` can be asked at any time, by any thread, also after the end.

    Steps nobody has taken wait in a bounded buffer. When it is full, a scope somebody is taking from
    stops reading until there is room: the log keeps the rest and nobody else is held up. One that is only
    asked lets the oldest go; ``stats.unread`` counts them.

    A recording is read as any log, and ends: iterating ends by itself when all of it was handed out.
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
        """Nothing is touched before the ``with`` block is entered.

        Args:
            url: address of the log or recording, or a log; None is ``FARSCOPE_URL``, else the embedded log.
            key: key or key file; None is what ``FARSCOPE_KEY_FILE`` or ``FARSCOPE_KEY`` say, else the
                user's own key file.
            since: None reads from now on; ``"start"`` from the oldest batch; ``"10m"``, a number of
                seconds or a timedelta from that long ago; a datetime (local time if it has no zone). A
                recording is read from its start where None is said, and spans count back from its end.
            wire: form of what travels: ``batches``, or the miros example's ``lines``, which have no past.
            window_s: how long a step waits for earlier ones of other machines, in seconds, so that iterating
                goes by time over all charts; with one probe alive nothing waits. 0 is the order of the log.

        Raises:
            UsageError: a wire nobody knows, or a window that makes no sense.
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
            KeyringError: there is no key to read it with.
            UsageError: ``since`` cannot be understood, or lines have no past.
            ScopeError: entered for the second time.
        """
        if self._running is not None:
            raise ScopeError("a scope can be entered once only", "make another one")
        feed = open_feed(self._url, self._key, self._since, self._wire)
        self._running = Collector(
            feed.reader,
            feed.intake,
            self._inbox,
            self._timeline,
            Clocks(feed.host, int(WINDOW_S * NANOSECONDS), one_machine=feed.one_machine),
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
        """Close; an error that ended the collecting and that nobody has seen is raised."""
        self.close()
        if error is None and not self._failure_raised:
            self._raise_failure()

    def close(self) -> None:
        """Stop collecting. May be called from any thread, and twice.

        Iterations elsewhere end after the steps that were already received.
        """
        if self._running is not None:
            self._running.stop()

    def __iter__(self) -> Iterator[Step]:
        """Yield steps as they come, until the scope is closed or a recording has ended.

        Raises:
            LogRefused: the log cannot be read any more; after the steps that were received before.
        """
        self._collector()
        with self._inbox.iterating():
            while chunk := self._inbox.take(CHUNK, None):
                try:
                    while chunk:
                        yield _step(chunk.popleft())
                finally:
                    self._inbox.put_back(chunk)
        self._raise_failure()

    def take(self, timeout_s: float, limit: int = CHUNK) -> list[Step]:
        """Return the steps that wait, at most ``limit``; wait up to ``timeout_s`` seconds for the first one.

        It returns as soon as there are any, also while most of the past that ``since`` names is still unread:
        call ``catch_up`` before where all of it is needed, and take again for what else waits.
        Of steps with very long texts fewer are returned, so that they fit into memory.

        Raises:
            LogRefused: the log cannot be read any more, and no steps wait.
        """
        self._collector()
        taken = self._inbox.take(limit, timeout_s)
        if not taken and self._inbox.ended:
            self._raise_failure()
        return list(map(_step, taken))

    @property
    def untaken(self) -> int:
        """How many steps ``take`` could return at once; others may be received and still be put in order."""
        return len(self._inbox)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Count as somebody who takes for as long as the block lasts, however long no ``take`` comes.

        A full buffer then always makes the scope stop reading, and no step leaves it untaken.
        """
        self._collector()
        with self._inbox.iterating():
            yield

    def wait_for(self, predicate: Callable[[Self], bool], timeout_s: float) -> bool:
        """Wait until ``predicate(scope)`` holds; return whether it does. Takes no steps.

        It is called on this thread, at first at once, then whenever something arrived.

        Raises:
            LogRefused: the log cannot be read any more, and the predicate does not hold.
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
        """Wait until all that the log held when the scope was entered was read; return whether it was.

        From then on ``charts`` and ``scope["name"]`` know all of the past that ``since`` names. No steps
        are taken.

        Raises:
            LogRefused: the log cannot be read any more, and its end was not reached.
        """
        return self.wait_for(lambda scope: scope.reached_end, timeout_s)

    @property
    def charts(self) -> list[ChartView]:
        """Every chart seen, as it is at this moment."""
        return self._collector().charts()

    @property
    def lives(self) -> dict[str, Life]:
        """When each probe was heard and what became of it, by its id, as far as it was read."""
        return self._collector().lives()

    @property
    def stats(self) -> ScopeStats:
        """The account of everything read so far."""
        return self._collector().stats()

    @property
    def foreign_keys(self) -> list[str]:
        """Fingerprints, in order, of the keys we do not hold that sealed batches in the log."""
        return self._collector().foreign_keys()

    @property
    def timeline(self) -> Timeline:
        """The recent steps of all charts, whether or not they were taken."""
        return self._timeline

    @property
    def caught_up(self) -> bool:
        """Whether everything the log held when it was looked at last has been received.

        False again while the scope is behind, or the log cannot be read, and for good if it was closed then:
        it ended before the log's end. Received steps may still wait to be taken, ``stats.waiting`` of them.
        What a probe that is silent by then had announced and the log does not hold is counted in
        ``stats.missing``.
        """
        return self._collector().caught_up

    @property
    def reached_end(self) -> bool:
        """Whether everything the log held when the scope was entered has been received; stays true."""
        return self._collector().reached_end

    @property
    def ended(self) -> bool:
        """Whether nothing more can be taken: the scope was closed or its log has ended, and all was taken."""
        self._collector()
        return self._inbox.ended and not len(self._inbox)

    def notices(self) -> list[Notice]:
        """Return what there is to tell since the last call, oldest first: charts, gaps, refusals."""
        return self._collector().notices()

    def label(self, chart: ChartId) -> str:
        """Return what tells a chart from all others at present: its name, if nobody shares it."""
        return self._collector().label(chart)

    def corrected_ns(self, step: Step) -> int:
        """Return when a step began by this machine's clock, as that was known when it was handed out.

        In nanoseconds since the epoch. It is ``step.time_ns`` where the chart's clock is taken as right. With
        ``step.duration_ns`` added it is when the step ended, and steps come in the order of that, each behind
        the one that caused it, except those counted in ``stats.late`` and those that ``ran_ahead``.
        """
        return step.time_ns - self._collector().correction_ns(step.chart, step.number)

    def ran_ahead(self, step: Step) -> bool:
        """Tell whether a step was handed out before the one that caused it, which was still running then.

        That is so where a handler posts an event and works on for longer than steps wait for each other.
        """
        return step.cause is not None and self._collector().ran_ahead(step.chart, step.number)

    def __getitem__(self, chart: str | ChartId) -> ForeignHsm:
        """Return the spy and trace of a chart, by name, label, ``name@host`` or id.

        Of several that share a name, the only one alive is meant, if there is just one; if none is alive
        and they are successive runs on one host, the newest.

        Raises:
            UnknownChart: none answers to it.
            AmbiguousChart: several do; the error lists their labels.
        """
        return self._collector().foreign(chart)

    def __contains__(self, chart: object) -> bool:
        """Tell whether a chart of that name, label or id was seen."""
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
