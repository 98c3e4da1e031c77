"""Publish and subscribe, as methods of a chart."""

from __future__ import annotations

from typing import Literal

from farscope.engine.core.mailbox import checked
from farscope.engine.event import Event, Signal, signal_of, signals
from farscope.engine.face.chart_face import ChartFace
from farscope.engine.pubsub import PRIORITY
from farscope.errors import ChartError
from farscope.records.carried_cause import current_cause
from farscope.records.facts import FactKind

_SUBSCRIBE = int(FactKind.SUBSCRIBE)
_PUBLISH = int(FactKind.PUBLISH)

QueueType = Literal["fifo", "lifo"]


def subscribe(self: ChartFace, event_or_signal: Event | Signal, queue_type: QueueType = "fifo") -> None:
    """Subscribe to a signal: published events are put at the end of the queue, or at its front.

    Subscribing again changes which end is used. Works before and after the start, from any thread. The
    subscription ends with the chart.

    Raises:
        ChartStopped: after the end.
        ForeignProcess: in a forked child, while the chart runs in the parent.
        ChartError: ``queue_type`` is neither ``"fifo"`` nor ``"lifo"``, or the signal does not exist.
    """
    if queue_type not in ("fifo", "lifo"):
        raise ChartError(f"queue_type cannot be {queue_type!r}", "give 'fifo' or 'lifo'")
    signal = signal_of(event_or_signal)
    core = self._core
    core.mailbox.refuse_ended()
    lifo = queue_type == "lifo"
    if core.context.is_current() and not core.fabric.subscribed(self, signal, lifo=lifo):
        core.step.note(_SUBSCRIBE, signals.name_for_signal(signal), queue_type)
    core.fabric.subscribe(self, signal, lifo=lifo)
    if core.stop_asked:
        # Another thread has stopped the chart in the meantime.
        core.fabric.forget(self)


def subscribed(self: ChartFace, event_or_signal: Event | Signal, queue_type: QueueType | None = None) -> bool:
    """Return whether the chart is subscribed to a signal, with this ``queue_type`` if one is given."""
    lifo = None if queue_type is None else queue_type == "lifo"
    return self._core.fabric.subscribed(self, signal_of(event_or_signal), lifo=lifo)


def unsubscribe(self: ChartFace, event_or_signal: Event | Signal) -> bool:
    """End the subscription to a signal; return whether the chart was subscribed."""
    return self._core.fabric.unsubscribe(self, signal_of(event_or_signal))


def publish(self: ChartFace, event: Event, priority: int = PRIORITY) -> None:
    """Put ``event`` in the queues of all charts that subscribed to its signal, before this returns.

    A full queue does not keep other subscribers from receiving it. No events wait between charts, so
    ``priority`` has nothing to reorder: it is shown in the spy and does not change the order.

    Raises:
        QueueFull: subscribers that raise rather than drop had no room; all others have received it.
        ChartStopped: after the end.
        ForeignProcess: in a forked child, while the chart or a subscriber runs in the parent; all others
            have received it.
    """
    checked(event)
    core = self._core
    core.mailbox.refuse_ended()
    if core.context.is_current():
        core.step.note(_PUBLISH, event.signal_name, str(priority))
    core.fabric.publish(event, current_cause())
