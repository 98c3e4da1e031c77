"""The part of a chart that receives events: a queue, and the events that were deferred."""

from __future__ import annotations

from time import time_ns
from typing import Any, Unpack, overload

from farscope.engine.core.current_step import per_thread
from farscope.engine.core.notebook import PLAIN_FIELDS, Posted
from farscope.engine.core.recorder import RING_STEPS
from farscope.engine.core.reserved import gives_way
from farscope.engine.core.step_runner import Stepper
from farscope.engine.event import Event
from farscope.engine.options import (
    QUEUE_CAPACITY,
    ChartOptions,
    checked_queue_size,
    checked_ring_size,
    drops,
    refuse_unknown,
)
from farscope.engine.pubsub import Fabric, process_fabric
from farscope.engine.tally import Tally
from farscope.engine.timers.schedule import MIN_PERIOD_S
from farscope.engine.timers.thread_clock import process_clock
from farscope.engine.timers.timed_posts import TimedPosts
from farscope.errors import ChartError, QueueFull
from farscope.records.facts import FactKind
from farscope.records.step import Cause

RAISED = "raised"
DROPPED = "dropped"

_POST_FIFO = int(FactKind.POST_FIFO)
_POST_LIFO = int(FactKind.POST_LIFO)
_DEFER = int(FactKind.DEFER)
_RECALL = int(FactKind.RECALL)
_REFUSED_POST = int(FactKind.REFUSED_POST)


class Mailbox(Stepper):
    """Queue and deferred events of a chart.

    Posting is safe at any moment: from any thread, and from a finalizer or a signal handler in the middle of
    another post. Concurrent posters may each exceed the queue's size by one event.
    """

    __slots__ = ("_capacity", "_drops", "_fabric", "_idle", "_poster", "_queue_size", "_rejected", "_timed")

    def __init__(self, name: str | None, instrumented: bool | None, **options: Unpack[ChartOptions]) -> None:
        refuse_unknown(options)
        super().__init__(
            name, instrumented=instrumented, ring_size=checked_ring_size(options.get("ring_size", RING_STEPS))
        )
        self._queue_size = checked_queue_size(options.get("queue_size", QUEUE_CAPACITY))
        self._capacity = self._queue_size
        """The queue's size, but negative once the chart has been stopped, so that nothing has room."""
        self._drops = drops(options.get("on_full", "raise"))
        self._rejected = Tally()
        self._fabric: Fabric = options.get("fabric", process_fabric)
        self._timed = TimedPosts(self, options.get("clock", process_clock))
        self._poster = per_thread.cell
        """The cell of the thread that posted last."""
        self._idle = False
        """Whether the chart's own thread sleeps until something is posted, or does not exist yet."""

    @property
    def at_rest(self) -> bool:
        """Whether no step runs and no event waits; also true before the start and after the end."""
        return self._stopped or self._leaf is None or (self._roots is not None and not self._queue)

    @gives_way
    def rejected(self) -> int:
        """Number of posts that found no room, whether or not this was raised to their posters."""
        return self._rejected.value

    @overload
    def post_fifo(self, e: Event) -> None: ...
    @overload
    def post_fifo(
        self, e: Event, period: float, times: int | None = None, deferred: bool | None = None
    ) -> int: ...
    def post_fifo(
        self,
        e: Event,
        period: float | None = None,
        times: int | None = None,
        deferred: bool | None = None,
    ) -> int | None:
        """Put ``e`` at the end of the queue: now, or periodically if a period is given.

        Args:
            e: the event to post; the same object each time.
            period: seconds between posts; no post is skipped, and lateness does not accumulate. With
                ``times``, 0 means as soon as possible.
            times: total number of posts; 0 or None for no limit. Has no meaning without a period.
            deferred: whether the first post also waits one period; it does unless this is False.

        Returns:
            None for an immediate post; for timed posts an id for ``cancel_event``.

        Raises:
            QueueFull: there is no room now, and the chart raises rather than drops.
            ChartStopped: after the end.
            ForeignProcess: in a forked child, while the chart's thread or loop is the parent's.
            ChartError: ``e`` is not an event, or the period or the number of posts is invalid.
        """
        if period is not None:
            return self._arm(e, period, times, deferred, lifo=False)
        if e.__class__ is not Event:
            checked(e)
        queue = self._queue
        if len(queue) >= self._capacity:
            self._refuse(e)
            return None
        cell = self._poster
        if not cell.owner._is_owned():  # noqa: SLF001 - see Cell
            cell = self._poster = per_thread.cell
        here = cell.here
        if here is None:
            queue.append((e, None, time_ns() if self._observers.wanted else 0))
        else:
            if here is self._here or (here.outer and self._here.holds(here)):
                self._note(_POST_FIFO, e.signal_name)
            queue.append((e, here.cause(), time_ns()))
        if self._idle:
            self._wake()
        return None

    @overload
    def post_lifo(self, e: Event) -> None: ...
    @overload
    def post_lifo(
        self, e: Event, period: float, times: int | None = None, deferred: bool | None = None
    ) -> int: ...
    def post_lifo(
        self,
        e: Event,
        period: float | None = None,
        times: int | None = None,
        deferred: bool | None = None,
    ) -> int | None:
        """Put ``e`` at the front of the queue; otherwise the same as ``post_fifo``."""
        if period is not None:
            return self._arm(e, period, times, deferred, lifo=True)
        if e.__class__ is not Event:
            checked(e)
        queue = self._queue
        if len(queue) >= self._capacity:
            self._refuse(e)
            return None
        cell = self._poster
        if not cell.owner._is_owned():  # noqa: SLF001 - see Cell
            cell = self._poster = per_thread.cell
        here = cell.here
        if here is None:
            queue.appendleft((e, None, time_ns() if self._observers.wanted else 0))
        else:
            if here is self._here or (here.outer and self._here.holds(here)):
                self._note(_POST_LIFO, e.signal_name)
            queue.appendleft((e, here.cause(), time_ns()))
        if self._idle:
            self._wake()
        return None

    def deliver(self, e: Event, cause: Cause | None, *, lifo: bool = False) -> None:
        """Put ``e`` in the queue on behalf of a fabric, without recording a fact of a post.

        Raises:
            QueueFull: there is no room, and the chart raises rather than drops.
            ChartStopped: after the end.
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        if self._has_room_for(e):
            self._put((e, cause, time_ns() if cause or self._observers.wanted else 0), lifo=lifo)

    def _deliver_timed(self, e: Event, cause: Cause | None, claim: int, *, lifo: bool = False) -> None:
        """Put ``e`` in the queue on behalf of a clock; its claim is redeemed when its step begins.

        Raises:
            QueueFull, ChartStopped, ForeignProcess: as ``deliver`` does.
        """
        if self._has_room_for(e):
            item: Any = (e, cause, time_ns() if cause or self._observers.wanted else 0, claim)
            self._put(item, lifo=lifo)
        else:
            self._timed.redeem(claim)

    def _drop_cancelled(self) -> None:
        """Remove from the queue the timed posts whose claims were withdrawn, so that they free their room."""
        queue = self._queue
        item: Any
        for item in list(queue):
            if len(item) > PLAIN_FIELDS and not self._timed.is_waiting(item[-1]):
                try:
                    queue.remove(item)
                except (ValueError, IndexError):
                    # It was taken in the meantime, or the queue changed during the search: its step will not
                    # run anyway.
                    continue

    def _has_room_for(self, e: Event) -> bool:
        if len(self._queue) < self._capacity:
            return True
        self._refuse(e)
        return False

    def _put(self, item: Posted, *, lifo: bool) -> None:
        if lifo:
            self._queue.appendleft(item)
        else:
            self._queue.append(item)
        if self._idle:
            self._wake()

    def _redeemed(self, item: Any) -> Posted | None:
        """Return an item posted by a clock, without its claim; None if it was cancelled."""
        e, cause, posted_ns, claim = item
        return (e, cause, posted_ns) if self._timed.redeem(claim) else None

    def defer(self, e: Event) -> None:
        """Set ``e`` aside until ``recall``.

        A deferred event of a timed post counts as handled: cancelling no longer affects it.

        Raises:
            QueueFull: the maximum number of events, the queue's size, is already deferred, and the chart
                raises rather than drops.
        """
        checked(e)
        if len(self._deferred) >= self._queue_size:
            self._refuse(e)
            return
        if self._inside():
            self._note(_DEFER, e.signal_name)
        self._deferred.append(e)

    def recall(self) -> Event | None:
        """Post the event that was deferred first, and return it.

        None if there is none, or if a chart that drops has no room for it; the event then stays deferred.

        Raises:
            QueueFull: there is no room, and the chart raises rather than drops.
            ChartStopped: after the end.
        """
        if not self._deferred:
            return None
        e = self._deferred[0]
        if len(self._queue) >= self._capacity:
            self._refuse(e)
            return None
        if self._inside():
            self._note(_RECALL, e.signal_name)
        self.post_fifo(e)
        return self._deferred.popleft()

    def cancel_event(self, uuid: int) -> bool:
        """Cancel the timed posts whose id is ``uuid``: no more of their events are handled.

        This includes events already waiting in the queue, which free their room. An event that a handler has
        set aside with ``defer`` counts as handled and stays deferred.

        Returns:
            Whether anything was cancelled: a future post, or an event waiting in the queue. False if the last
            event was handled, or its handler is running, or there is no such id.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        self._refuse_elsewhere()
        return self._timed.cancel(uuid)

    def cancel_events(self, e: Event) -> int:
        """Cancel all timed posts of a signal, as ``cancel_event`` does; return the number of ids."""
        checked(e)
        self._refuse_elsewhere()
        return self._timed.cancel_signal(e.signal)

    def _arm(self, e: Event, period: float, times: int | None, deferred: bool | None, *, lifo: bool) -> int:
        checked(e)
        self._refuse_elsewhere()
        if self._stopped:
            raise self._ended()
        if period == 0 and times:
            # A limited number of posts as soon as possible makes sense; an unlimited one does not.
            period = MIN_PERIOD_S
        number = self._timed.arm(e, period, times, deferred, lifo=lifo)
        if self._stopped:
            # Another thread has stopped the chart, perhaps before this post could be cancelled with the rest.
            self._timed.cancel(number)  # type: ignore[unreachable]
        return number

    def _refuse(self, e: Event) -> None:
        """Count a post that finds no room and record it as a fact, then raise if that is the policy."""
        self._refuse_elsewhere()
        if self._stopped:
            raise self._ended()
        fact = (_REFUSED_POST, e.signal_name, DROPPED if self._drops else RAISED)
        self._rejected.add()
        if self._inside():
            self._note(*fact)
        else:
            # One fact per signal: a flood of them would bury everything else the step did.
            self._refused[fact] = None
        if not self._drops:
            raise QueueFull(
                f"no room for {e.signal_name} in the queue of chart {self._name}: "
                f"{self._queue_size} events wait",
                "the chart is slower than those who post to it, or two charts post to each other without end",
                capacity=self._queue_size,
            )

    def _wake(self) -> None:
        """Wake the chart's own thread; a chart without one is never idle."""

    def _refuse_elsewhere(self) -> None:
        """Raise ``ForeignProcess`` if another process runs the chart; never if its caller drives it."""


def checked(e: object) -> None:
    """Raise ``ChartError`` if ``e`` is not an event."""
    if not isinstance(e, Event):
        raise ChartError(f"{e!r} is not an event", "write Event(signal=signals.NAME)")
