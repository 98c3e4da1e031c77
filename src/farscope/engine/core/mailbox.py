"""The mailbox of a chart: its queue, and the events that were deferred."""

from __future__ import annotations

from collections import deque
from threading import get_ident
from time import time_ns
from typing import Any, Protocol

from farscope.engine.core.open_step import OpenStep
from farscope.engine.core.recorder import Recorder
from farscope.engine.event import Event, StateEvent
from farscope.engine.timers.schedule import MIN_PERIOD_S, Clock
from farscope.engine.timers.timed_posts import TimedPosts
from farscope.errors import ChartError, ChartStopped, ForeignProcess, QueueFull
from farscope.records.carried_cause import carried_causes, cause_of_post, current_cause
from farscope.records.current_step import StepContext, running
from farscope.records.facts import FactKind
from farscope.records.step import Cause
from farscope.records.tally import Tally

RAISED = "raised"
DROPPED = "dropped"

CLOSED = -1
"""Capacity of a mailbox in which nothing has room."""

Posted = tuple[Event, Cause | None, int]
"""A queued event, the step that posted it, and the time of the post in nanoseconds since the epoch. Items of
timed posts have a claim as a fourth field: see ``TimedPosts``. Unpacking such an item as a plain one raises
``ValueError``, so taking plain items from the queue needs no check."""

PLAIN_FIELDS = 3
"""Number of fields of an item without a claim."""

Origin = tuple[Cause | None, int]
"""Where an event comes from that is not posted by its sender itself: the step that caused it, and the claim
of a timed post, or 0."""

FIFO = int(FactKind.POST_FIFO)
LIFO = int(FactKind.POST_LIFO)
"""To which end of the queue an event goes, and the kind of fact that a chart's own post leaves."""

_DEFER = int(FactKind.DEFER)
_RECALL = int(FactKind.RECALL)
_REFUSED_POST = int(FactKind.REFUSED_POST)


class MailboxDriver(Protocol):
    """The driver of a chart, as the chart's mailbox sees it."""

    failure: BaseException | None
    """The handler's error that ended the chart; None if there was none."""

    def wake(self) -> None:
        """Run the chart: an event was put into the mailbox of a chart that was asleep."""

    def refuse_elsewhere(self) -> None:
        """Raise ``ForeignProcess`` if another process runs the chart; never if its caller drives it."""

    def ended(self, name: str) -> ChartStopped:
        """Return the error for using the chart of that name after its end."""


class Breakdown(Event):
    """A placeholder for an event that could not be queued: the chart fails when it takes it."""

    __slots__ = ("error",)

    def __init__(self, e: Event, error: BaseException) -> None:
        self.signal_name = e.signal_name
        self.payload = e.payload
        self.error = error

    @property
    def signal(self) -> int:  # type: ignore[override]
        """Raise the error, on the chart's own thread and in the order of the queue."""
        raise self.error


class Mailbox:
    """Queue and deferred events of a chart.

    Posting is safe at any moment: from any thread, and from a finalizer or a signal handler in the middle of
    another post. Concurrent posters may each exceed the queue's size by one event.

    Args:
        step: receives the facts of posts that the chart makes itself.
        recorder: says whether the time of a post is needed, and the chart's name.
        events: the queue and the deferred events, both empty.
        size: maximum number of events in the queue, and of deferred events.
        drops: whether posts beyond that are dropped rather than raised.
        clock: makes the timed posts.
    """

    __slots__ = (
        "__weakref__",
        "_context",
        "_observers",
        "_recorder",
        "_step",
        "asleep",
        "capacity",
        "deferred",
        "driver",
        "drops",
        "queue",
        "rejected",
        "size",
        "timed",
    )

    driver: MailboxDriver

    def __init__(
        self,
        step: OpenStep,
        recorder: Recorder,
        events: tuple[deque[Posted], deque[Event]],
        *,
        size: int,
        drops: bool,
        clock: Clock,
    ) -> None:
        self.queue, self.deferred = events
        self.size = size
        self.capacity = size
        """The queue's size; ``CLOSED`` once the chart has been stopped."""
        self.drops = drops
        self.rejected = Tally()
        """Counts posts that found no room."""
        self.timed = TimedPosts(self, clock)
        self.asleep = False
        """Whether the driver waits for the next post, or does not run the chart yet."""
        self._step = step
        self._context: StepContext = step.context
        self._observers = recorder.observers
        self._recorder = recorder

    def put(self, e: Event, way: int, origin: Origin | None) -> None:
        """Put ``e`` at the end of the queue, or at its front, as ``way`` says: ``FIFO`` or ``LIFO``.

        Without an ``origin`` the caller is the sender: its step is the cause, and if that is a step of this
        chart, it leaves a fact.

        Raises:
            QueueFull, ChartStopped, ForeignProcess: it is not put there.
        """
        if e.__class__ is not Event:
            checked(e)
        queue = self.queue
        if len(queue) >= self.capacity and (self.capacity < 0 or e.__class__ is not StateEvent):
            self._refuse(e, origin)
            return
        item: Any
        if origin is not None:
            cause, claim = origin
            item = (e, cause, time_ns() if cause or self._observers.wanted else 0)
            if claim:
                item = (*item, claim)
        elif running or carried_causes:
            item = self._posted(e, way)
        else:
            item = (e, None, time_ns() if self._observers.wanted else 0)
        if way is FIFO:
            queue.append(item)
        else:
            queue.appendleft(item)
        if self.asleep:
            self.asleep = False
            self.driver.wake()

    def _posted(self, e: Event, way: int) -> Posted:
        """Return the item for a post that may have a cause; one made by this chart leaves a fact."""
        step = running.get(get_ident())
        if step is None:
            cause = cause_of_post(None) if carried_causes else None
            return e, cause, time_ns() if self._observers.wanted else 0
        if step is self._context or (step.outer and self._context.holds(step)):
            self._step.note(way, e.signal_name)
        return e, cause_of_post(step) if carried_causes else step.cause(), time_ns()

    def deliver(self, e: Event, origin: Origin, *, lifo: bool) -> None:
        """Put ``e`` in the queue on behalf of a fabric or a clock, whose other receivers go on.

        If that fails in an unforeseen way, the chart fails about ``e``, in the order of its queue.

        Raises:
            QueueFull, ChartStopped, ForeignProcess: as ``put`` does.
        """
        try:
            self.put(e, LIFO if lifo else FIFO, origin)
        except (QueueFull, ChartStopped, ForeignProcess):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the chart fails, not the fabric or the clock
            self.queue.append((Breakdown(e, error), None, 0))
            self.asleep = False
            self.driver.wake()

    def take(self) -> Posted | None:
        """Take the next event from the queue; None if there is none."""
        while True:
            try:
                item = self.queue.popleft()
            except IndexError:
                return None
            if len(item) == PLAIN_FIELDS:
                return item
            timed = self.redeemed(item)
            if timed is not None:
                return timed

    def redeemed(self, item: Any) -> Posted | None:
        """Return an item posted by a clock, without its claim; None if it was cancelled."""
        e, cause, posted_ns, claim = item
        return (e, cause, posted_ns) if self.timed.redeem(claim) else None

    def drop_cancelled(self) -> None:
        """Remove from the queue the timed posts whose claims were withdrawn, so that they free their room."""
        queue = self.queue
        item: Any
        for item in list(queue):
            if len(item) > PLAIN_FIELDS and not self.timed.is_waiting(item[-1]):
                try:
                    queue.remove(item)
                except (ValueError, IndexError):
                    # It was taken in the meantime, or the queue changed during the search: its step will not
                    # run anyway.
                    continue

    def defer(self, e: Event) -> None:
        """Set ``e`` aside; raises ``QueueFull`` beyond the queue's size, unless the chart drops."""
        checked(e)
        if len(self.deferred) >= self.size:
            self._refuse(e)
            return
        if self._context.is_current():
            self._step.note(_DEFER, e.signal_name)
        self.deferred.append(e)

    def recall(self) -> Event | None:
        """Post the event that was deferred first, and return it; None if there is none, or no room for it."""
        if not self.deferred:
            return None
        e = self.deferred[0]
        if len(self.queue) >= self.capacity:
            self._refuse(e)
            return None
        if self._context.is_current():
            self._step.note(_RECALL, e.signal_name)
        self.put(e, FIFO, None)
        return self.deferred.popleft()

    def arm(self, e: Event, period: float, times: int | None, deferred: bool | None, *, lifo: bool) -> int:
        """Post ``e`` periodically; return the id for cancelling it."""
        checked(e)
        self.refuse_ended()
        if period == 0 and times:
            # A limited number of posts as soon as possible makes sense; an unlimited one does not.
            period = MIN_PERIOD_S
        number = self.timed.arm(e, current_cause(), period, times, deferred, lifo=lifo)
        if self.capacity < 0:
            # Another thread has stopped the chart, perhaps before this post could be cancelled with the rest.
            self.timed.cancel(number)
        return number

    def cancel(self, uuid: int) -> bool:
        """Cancel the timed posts with that id; return whether anything was cancelled."""
        self.driver.refuse_elsewhere()
        return self.timed.cancel(uuid)

    def cancel_all_of(self, e: Event) -> int:
        """Cancel all timed posts of a signal; return the number of ids."""
        checked(e)
        self.driver.refuse_elsewhere()
        return self.timed.cancel_signal(e.signal)

    def close(self) -> None:
        """Refuse all further posts, and cancel those to come."""
        self.capacity = CLOSED
        self.timed.cancel_all()

    def leave_behind(self) -> None:
        """Refuse all further posts, in a forked child, because the chart runs in the parent."""
        self.capacity = CLOSED
        self.asleep = False
        self.queue.clear()

    def clear(self) -> None:
        """Discard all events."""
        self.queue.clear()
        self.deferred.clear()

    def refuse_ended(self) -> None:
        """Raise ``ChartStopped`` after the end, and ``ForeignProcess`` if another process runs the chart."""
        self.driver.refuse_elsewhere()
        if self.capacity < 0:
            raise self.driver.ended(self._recorder.id.name)

    def _refuse(self, e: Event, origin: Origin | None = None) -> None:
        """Count a post that finds no room and record it as a fact, then raise if that is the policy."""
        self.refuse_ended()
        if origin is not None:
            self.timed.redeem(origin[1])
        fact = (_REFUSED_POST, e.signal_name, DROPPED if self.drops else RAISED)
        self.rejected.add()
        if self._context.is_current():
            self._step.note(*fact)
        else:
            # One fact per signal: a flood of them would bury everything else the step did.
            self._step.refused[fact] = None
        if not self.drops:
            raise QueueFull(
                f"no room for {e.signal_name} in the queue of chart {self._recorder.id.name}: "
                f"{self.size} events wait",
                "the chart is slower than those who post to it, or two charts post to each other without end",
                capacity=self.size,
            )


def checked(e: object) -> None:
    """Raise ``ChartError`` if ``e`` is not an event."""
    if not isinstance(e, Event):
        raise ChartError(f"{e!r} is not an event", "write Event(signal=signals.NAME)")
