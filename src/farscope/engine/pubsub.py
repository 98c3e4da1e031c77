"""Publish and subscribe between the charts of a process."""

from __future__ import annotations

import weakref
from typing import NamedTuple

from farscope.engine.event import Event
from farscope.engine.ports import ChartPort
from farscope.errors import ChartStopped, ForeignProcess, QueueFull
from farscope.records.step import Cause

PRIORITY = 1000
"""Default priority of a published event."""


class Subscription(NamedTuple):
    """The subscription of one chart to one signal."""

    subscriber: weakref.ref[ChartPort]
    lifo: bool


Subscriptions = dict[int, Subscription]
"""Subscriptions by the identity of the chart, in the order of subscribing; those of a chart that is freed are
removed."""

_NOBODY: Subscriptions = {}


class Fabric:
    """The publish/subscribe registry: delivers published events on the publisher's thread.

    Charts use a shared fabric of the process unless they are given another, which keeps two assemblies in one
    process, or two tests, separate. Charts are held weakly, and a stopped chart is removed, so a fabric never
    has to be reset.

    All methods may be called at any moment: from any thread, and by a finalizer or a signal handler in the
    middle of any of them. Every change is a single operation on a dict, and every reader copies the dict in a
    single operation.
    """

    def __init__(self) -> None:
        self._by_signal: dict[int, Subscriptions] = {}
        """Subscriptions by signal; a signal that once had a subscription keeps its entry, possibly empty."""

    @property
    def subscriptions(self) -> int:
        """Number of subscriptions: one for each chart and signal."""
        return sum(map(len, list(self._by_signal.values())))

    def subscribe(self, subscriber: ChartPort, signal: int, *, lifo: bool = False) -> None:
        """Deliver events of ``signal`` to ``subscriber`` from now on.

        Subscribing again changes the end of the queue to which they go, and keeps the position in the order.
        """
        table = self._by_signal.setdefault(signal, {})
        key = id(subscriber)
        # The callback runs before the identity can be reused by another chart.
        reference = weakref.ref(subscriber, lambda _: table.pop(key, None))
        table[key] = Subscription(reference, lifo)

    def unsubscribe(self, subscriber: ChartPort, signal: int) -> bool:
        """End the subscription to ``signal``; return whether there was one."""
        return self._by_signal.get(signal, {}).pop(id(subscriber), None) is not None

    def forget(self, subscriber: ChartPort) -> None:
        """End all subscriptions of ``subscriber``."""
        key = id(subscriber)
        for table in list(self._by_signal.values()):
            table.pop(key, None)

    def subscribed(self, subscriber: ChartPort, signal: int, *, lifo: bool | None = None) -> bool:
        """Return whether ``subscriber`` receives events of ``signal``, at the given end if one is given."""
        known = self._by_signal.get(signal, _NOBODY).get(id(subscriber))
        return known is not None and lifo in (None, known.lifo)

    def subscriptions_of(self, subscriber: ChartPort) -> list[tuple[int, bool]]:
        """Return the signals that ``subscriber`` receives, each with whether it goes to the queue's front."""
        key = id(subscriber)
        pairs = ((signal, table.get(key)) for signal, table in list(self._by_signal.items()))
        return [(signal, known.lifo) for signal, known in pairs if known is not None]

    def clear(self) -> None:
        """End all subscriptions of all charts."""
        for table in list(self._by_signal.values()):
            table.clear()

    def publish(self, e: Event, cause: Cause | None = None) -> None:
        """Deliver ``e`` to all subscribers of its signal, in the order in which they subscribed.

        Raises:
            QueueFull: subscribers whose policy is to raise had no room; all others have received it.
            ForeignProcess: subscribers run in the process that this one was forked from; all others have
                received it.
        """
        refused: list[QueueFull] = []
        foreign: list[ForeignProcess] = []
        names: list[str] = []
        for reference, lifo in list(self._by_signal.get(e.signal, _NOBODY).values()):
            subscriber = reference()
            if subscriber is None:
                continue
            try:
                subscriber.deliver(e, cause, lifo=lifo)
            except QueueFull as error:
                refused.append(error)
                names.append(subscriber.name)
            except ForeignProcess as error:
                foreign.append(error)
            except ChartStopped:
                # The chart is just ending, and its subscriptions end with it.
                continue
        if foreign:
            raise foreign[0]
        if refused:
            raise QueueFull(
                f"no room for {e.signal_name} in the queues of {', '.join(names)}",
                "a subscriber is slower than those who publish; let it drop events: on_full='drop'",
                capacity=max(error.capacity for error in refused),
            ) from refused[0]


process_fabric = Fabric()
"""The fabric of every chart that is not given another one."""
