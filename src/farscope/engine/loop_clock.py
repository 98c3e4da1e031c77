"""The clock of charts that run on an event loop: timers are the loop's own."""

from __future__ import annotations

import asyncio
import threading

from farscope.engine.schedule import NANOSECONDS, Schedule, Served, Timer
from farscope.errors import ChartError


class LoopClock:
    """A clock that follows an event loop's time and fires on the loop's thread.

    It belongs to the loop that its first chart is started on, or that runs when it is used before. A loop
    with a time of its own, as tests have them, has its charts' timers along.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._schedule = Schedule()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop it belongs to.

        Raises:
            ChartError: it belongs to none yet, and none runs here.
        """
        if self._loop is None:
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError as error:
                raise ChartError(
                    "no event loop runs here that could make timed posts",
                    "start the chart, or post from a coroutine",
                ) from error
        return self._loop

    def follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to ``loop``, unless it belongs to one already."""
        if self._loop is None:
            self._loop = loop

    def serve(self, chart: Served) -> None:
        """Take note of a chart: nothing is needed for it."""

    def now_ns(self) -> int:
        """Return the loop's time in nanoseconds."""
        return round(self.loop.time() * NANOSECONDS)

    def add(self, timer: Timer, first_ns: int) -> None:
        """Have ``timer`` fire at ``first_ns``, and then in step with it.

        Raises:
            ChartError: the loop was closed: nothing will fire any more.
        """
        if self.loop.is_closed():
            raise ChartError(
                "the event loop that would make timed posts is closed", "end charts before their loop ends"
            )
        with self._lock:
            next_ns = self._schedule.next_ns()
            self._schedule.add(timer, first_ns)
            if next_ns is None or first_ns < next_ns:
                self.loop.call_soon_threadsafe(self._set_alarm)

    def remove(self, timer: Timer) -> None:
        """Have ``timer`` fire no more; one that fires at this moment is waited for."""
        with self._lock:
            self._schedule.remove(timer)

    def _set_alarm(self) -> None:
        with self._lock:
            if self._alarm is not None:
                self._alarm.cancel()
                self._alarm = None
            next_ns = self._schedule.next_ns()
            if next_ns is not None:
                self._alarm = self.loop.call_at(next_ns / NANOSECONDS, self._fire_due)

    def _fire_due(self) -> None:
        # The lock is taken anew for each timer, so that a thread that sets one need not wait for thousands.
        now_ns = self.now_ns()
        while True:
            with self._lock:
                taken = self._schedule.take(now_ns)
                if taken is None:
                    break
                taken[0].fire(taken[0])
        self._set_alarm()
