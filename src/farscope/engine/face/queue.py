"""Posting to a chart: its queue, deferred events, and timed posts."""

from __future__ import annotations

from typing import overload

from farscope.engine.core.mailbox import FIFO, LIFO
from farscope.engine.event import Event
from farscope.engine.face.chart_face import ChartFace
from farscope.records.step import Cause


@overload
def post_fifo(self: ChartFace, e: Event) -> None: ...
@overload
def post_fifo(
    self: ChartFace, e: Event, period: float, times: int | None = None, deferred: bool | None = None
) -> int: ...
def post_fifo(
    self: ChartFace,
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
        return self._core.mailbox.arm(e, period, times, deferred, lifo=False)
    self._core.mailbox.put(e, FIFO, None)
    return None


@overload
def post_lifo(self: ChartFace, e: Event) -> None: ...
@overload
def post_lifo(
    self: ChartFace, e: Event, period: float, times: int | None = None, deferred: bool | None = None
) -> int: ...
def post_lifo(
    self: ChartFace,
    e: Event,
    period: float | None = None,
    times: int | None = None,
    deferred: bool | None = None,
) -> int | None:
    """Put ``e`` at the front of the queue; otherwise the same as ``post_fifo``."""
    if period is not None:
        return self._core.mailbox.arm(e, period, times, deferred, lifo=True)
    self._core.mailbox.put(e, LIFO, None)
    return None


def deliver(self: ChartFace, e: Event, cause: Cause | None, *, lifo: bool = False) -> None:
    """Put ``e`` in the queue on behalf of a fabric, without recording a fact of a post.

    Raises:
        QueueFull: there is no room, and the chart raises rather than drops.
        ChartStopped: after the end.
        ForeignProcess: in a forked child, while the chart runs in the parent.
    """
    self._core.mailbox.deliver(e, (cause, 0), lifo=lifo)


def defer(self: ChartFace, e: Event) -> None:
    """Set ``e`` aside until ``recall``.

    A deferred event of a timed post counts as handled: cancelling no longer affects it.

    Raises:
        QueueFull: the maximum number of events, the queue's size, is already deferred, and the chart
            raises rather than drops.
    """
    self._core.mailbox.defer(e)


def recall(self: ChartFace) -> Event | None:
    """Post the event that was deferred first, and return it.

    None if there is none, or if a chart that drops has no room for it; the event then stays deferred.

    Raises:
        QueueFull: there is no room, and the chart raises rather than drops.
        ChartStopped: after the end.
    """
    return self._core.mailbox.recall()


def cancel_event(self: ChartFace, uuid: int) -> bool:
    """Cancel the timed posts whose id is ``uuid``: no more of their events are handled.

    This includes events already waiting in the queue, which free their room. An event that a handler has
    set aside with ``defer`` counts as handled and stays deferred.

    Returns:
        Whether anything was cancelled: a future post, or an event waiting in the queue. False if the last
        event was handled, or its handler is running, or there is no such id.

    Raises:
        ForeignProcess: in a forked child, while the chart runs in the parent.
    """
    return self._core.mailbox.cancel(uuid)


def cancel_events(self: ChartFace, e: Event) -> int:
    """Cancel all timed posts of a signal, as ``cancel_event`` does; return the number of ids."""
    return self._core.mailbox.cancel_all_of(e)
