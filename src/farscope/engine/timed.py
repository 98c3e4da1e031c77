"""The timed posts of one chart."""

from __future__ import annotations

import weakref
from typing import Protocol

from farscope.engine.breakdown import undelivered
from farscope.engine.event import Event
from farscope.engine.here import per_thread
from farscope.engine.schedule import Clock, Served, Timer
from farscope.errors import ChartStopped, QueueFull
from farscope.records.step import Cause


class Addressee(Served, Protocol):
    """What timed posts are posted to."""

    def deliver(self, e: Event, cause: Cause | None, *, lifo: bool) -> None:
        """Take an event; raises ``QueueFull`` or ``ChartStopped``."""


class TimedPosts:
    """Timed posts that are still to come, by id. May be used from any thread.

    The chart is held weakly: one that nobody holds any more gets no more posts, and goes.
    """

    __slots__ = ("_chart", "_clock", "_pending")

    def __init__(self, chart: Addressee, clock: Clock) -> None:
        self._chart = weakref.ref(chart)
        self._clock = clock
        self._pending: dict[int, tuple[Timer, int]] = {}
        clock.serve(chart)

    def __len__(self) -> int:
        return len(self._pending)

    def arm(self, e: Event, period_s: float, times: int | None, deferred: bool | None, *, lifo: bool) -> int:
        """Post ``e`` in step with the clock, and return the id to cancel it by.

        The step that arms it, if any, is the cause of each post.
        """
        here = per_thread.cell.here
        cause = None if here is None else here.cause()
        reference, pending = self._chart, self._pending

        def fire(timer: Timer) -> None:
            chart = reference()
            if chart is None:
                clock.remove(timer)
                return
            if not timer.live:
                pending.pop(timer.number, None)
            try:
                chart.deliver(e, cause, lifo=lifo)
            except QueueFull:
                # There is no poster to raise it to; the chart has counted it and tells its watchers.
                return
            except ChartStopped:
                clock.remove(timer)
            except Exception as error:  # noqa: BLE001 - whatever it is, the chart fails and not the clock
                undelivered(chart, e, error)

        clock = self._clock
        timer = Timer(fire, period_s, times or 0)
        begin_ns = clock.now_ns()
        if deferred is False:
            timer.count()
            chart = reference()
            if chart is not None:
                chart.deliver(e, cause, lifo=lifo)
        if timer.live:
            pending[timer.number] = timer, e.signal
            clock.add(timer, begin_ns + timer.period_ns)
        return timer.number

    def cancel(self, number: int) -> bool:
        """End the timed post of that id; return whether anything was still to come of it."""
        timer, _ = self._pending.pop(number, (None, 0))
        if timer is None:
            return False
        self._clock.remove(timer)
        return True

    def cancel_signal(self, signal: int) -> int:
        """End all timed posts of a signal; return how many there were."""
        return sum(self.cancel(number) for number, (_, its) in tuple(self._pending.items()) if its == signal)

    def cancel_all(self) -> None:
        """End all of them."""
        for number in tuple(self._pending):
            self.cancel(number)
