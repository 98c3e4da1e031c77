"""Publish and subscribe between the charts of a process."""

from __future__ import annotations

import threading
import weakref
from typing import NamedTuple, Protocol

from farscope.engine.breakdown import undelivered
from farscope.engine.event import Event
from farscope.errors import ChartStopped, QueueFull
from farscope.records.forks import at_fork
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


class Fabric:
    """Knows who subscribed to what, and delivers what is published, on the publisher's thread.

    Charts use one fabric of the process unless they are given another, so that two assemblies in
    one process, or two tests, need not hear each other. Charts are held weakly, and a chart that
    stops is forgotten: a fabric has nothing to reset. All methods may be called from any thread.
    """

    def __init__(self) -> None:
        # Re-entrant: the garbage collector may find a dead chart while this very thread holds it.
        self._lock = threading.RLock()
        self._by_signal: dict[int, tuple[Subscription, ...]] = {}

    def subscribe(self, subscriber: Subscriber, signal: int, *, lifo: bool = False) -> None:
        """Deliver events of ``signal`` to ``subscriber`` from now on.

        Subscribing again changes to which end of the queue they go, and keeps the place in the order.
        """
        new = Subscription(weakref.ref(subscriber), lifo)
        with self._lock:
            known = self._by_signal.get(signal, ())
            if any(old.subscriber() is subscriber for old in known):
                changed = (new if old.subscriber() is subscriber else old for old in known)
                self._by_signal[signal] = tuple(changed)
            else:
                self._by_signal[signal] = (*(old for old in known if old.subscriber() is not None), new)

    def unsubscribe(self, subscriber: Subscriber, signal: int) -> bool:
        """Deliver no more events of ``signal``; return whether there was a subscription."""
        with self._lock:
            known = self._by_signal.get(signal, ())
            kept = tuple(old for old in known if old.subscriber() not in (None, subscriber))
            if kept:
                self._by_signal[signal] = kept
            else:
                self._by_signal.pop(signal, None)
            return any(old.subscriber() is subscriber for old in known)

    def forget(self, subscriber: Subscriber) -> None:
        """End all subscriptions of ``subscriber``."""
        with self._lock:
            for signal in tuple(self._by_signal):
                self.unsubscribe(subscriber, signal)

    def subscribed(self, subscriber: Subscriber, signal: int) -> bool:
        """Tell whether ``subscriber`` gets events of ``signal``."""
        return any(known.subscriber() is subscriber for known in self._by_signal.get(signal, ()))

    def publish(self, e: Event, cause: Cause | None = None) -> None:
        """Deliver ``e`` to all who subscribed to its signal, in the order in which they subscribed.

        Raises:
            QueueFull: those subscribers whose policy is to raise had no room; all others have got it.
        """
        refused: list[QueueFull] = []
        names: list[str] = []
        # A tuple that is replaced, never changed: no lock is held while subscribers are woken.
        for reference, lifo in self._by_signal.get(e.signal, ()):
            subscriber = reference()
            if subscriber is None:
                continue
            try:
                subscriber.deliver(e, cause, lifo=lifo)
            except QueueFull as error:
                refused.append(error)
                names.append(subscriber.name)
            except ChartStopped:
                # It ends at this moment, and with it its subscriptions.
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, all others get the event
                undelivered(subscriber, e, error)
        if refused:
            raise QueueFull(
                f"no room for {e.signal_name} in the queues of {', '.join(names)}",
                "a subscriber is slower than those who publish; let it drop events: on_full='drop'",
                capacity=max(error.capacity for error in refused),
            ) from refused[0]


process_fabric = Fabric()
"""The fabric of every chart that is given no other."""

_lock = process_fabric._lock  # noqa: SLF001 - the module's own fabric
# Else a child forked while another thread subscribes would find it held for ever.
at_fork(before=_lock.acquire, in_parent=_lock.release, in_child=_lock.release)
