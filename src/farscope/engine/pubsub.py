"""Publish and subscribe between the charts of a process."""

from __future__ import annotations

import weakref
from typing import NamedTuple, Protocol

from farscope.engine.breakdown import undelivered
from farscope.engine.event import Event
from farscope.errors import ChartStopped, ForeignProcess, QueueFull
from farscope.records.step import Cause

PRIORITY = 1000
"""The priority of an event that is published without one."""


class Subscriber(Protocol):
    """What a fabric delivers to."""

    @property
    def name(self) -> str:
        """Name of the chart, for messages."""

    def deliver(self, e: Event, cause: Cause | None, *, lifo: bool) -> None:
        """Take an event; raises ``QueueFull`` or ``ChartStopped``."""


class Subscription(NamedTuple):
    """One chart's wish for one signal."""

    subscriber: weakref.ref[Subscriber]
    lifo: bool


Subscriptions = dict[int, Subscription]
"""By the identity of the chart, in the order in which they subscribed; a chart that is freed takes its own
out."""

_NOBODY: Subscriptions = {}


class Fabric:
    """Knows who subscribed to what, and delivers what is published, on the publisher's thread.

    Charts use one fabric of the process unless they are given another, so that two assemblies in
    one process, or two tests, need not hear each other. Charts are held weakly, and a chart that
    stops is forgotten: a fabric has nothing to reset.

    All methods may be called at any moment: from any thread, and by a finalizer or a signal handler in the
    middle of any of them. Every change is a single operation on a dict, and whoever reads one copies it in
    one go.
    """

    def __init__(self) -> None:
        self._by_signal: dict[int, Subscriptions] = {}
        """A signal that was subscribed to once keeps its place here, possibly with nothing in it."""

    @property
    def subscriptions(self) -> int:
        """How many there are: one for each chart and signal."""
        return sum(map(len, list(self._by_signal.values())))

    def subscribe(self, subscriber: Subscriber, signal: int, *, lifo: bool = False) -> None:
        """Deliver events of ``signal`` to ``subscriber`` from now on.

        Subscribing again changes to which end of the queue they go, and keeps the place in the order.
        """
        table = self._by_signal.setdefault(signal, {})
        key = id(subscriber)
        # It is called before the identity can be another chart's.
        reference = weakref.ref(subscriber, lambda _: table.pop(key, None))
        table[key] = Subscription(reference, lifo)

    def unsubscribe(self, subscriber: Subscriber, signal: int) -> bool:
        """Deliver no more events of ``signal``; return whether there was a subscription."""
        return self._by_signal.get(signal, {}).pop(id(subscriber), None) is not None

    def forget(self, subscriber: Subscriber) -> None:
        """End all subscriptions of ``subscriber``."""
        key = id(subscriber)
        for table in list(self._by_signal.values()):
            table.pop(key, None)

    def subscribed(self, subscriber: Subscriber, signal: int, *, lifo: bool | None = None) -> bool:
        """Tell whether ``subscriber`` gets events of ``signal``, at the given end if one is given."""
        known = self._by_signal.get(signal, _NOBODY).get(id(subscriber))
        return known is not None and lifo in (None, known.lifo)

    def clear(self) -> None:
        """End all subscriptions of all charts."""
        for table in list(self._by_signal.values()):
            table.clear()

    def publish(self, e: Event, cause: Cause | None = None) -> None:
        """Deliver ``e`` to all who subscribed to its signal, in the order in which they subscribed.

        Raises:
            QueueFull: those subscribers whose policy is to raise had no room; all others have got it.
            ForeignProcess: subscribers run in the process that this one was forked from; all others have
            got it.
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
                # It ends at this moment, and with it its subscriptions.
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, all others get the event
                undelivered(subscriber, e, error)
        if foreign:
            raise foreign[0]
        if refused:
            raise QueueFull(
                f"no room for {e.signal_name} in the queues of {', '.join(names)}",
                "a subscriber is slower than those who publish; let it drop events: on_full='drop'",
                capacity=max(error.capacity for error in refused),
            ) from refused[0]


process_fabric = Fabric()
"""The fabric of every chart that is given no other."""
