"""The clock of charts that run on an event loop, based on the loop's timers."""

from __future__ import annotations

import asyncio
import contextlib
import os

from farscope.engine.ports import ChartPort
from farscope.engine.timers.schedule import Schedule, Timer, fire
from farscope.errors import ChartError, ForeignProcess, Invariant
from farscope.records.step import NANOSECONDS


class LoopClock:
    """A clock that follows an event loop's time and fires on the loop's thread.

    It belongs to the loop on which its first chart is started, or to the running loop if it is used before
    that. With a custom loop clock (as in tests), timers follow that clock.

    Only the loop's own callbacks process the schedule; adding or removing a timer only leaves a note there,
    so it may be done at any moment, from any thread.
    """

    def __init__(self) -> None:
        self._schedule = Schedule()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        """Id of the process to which the loop belongs."""
        self._alarm: asyncio.TimerHandle | None = None
        self._called = False
        """Whether the loop has been asked to check the timers and has not done so yet."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop to which the clock belongs.

        Raises:
            ChartError: it does not belong to a loop yet, and none is running.
            ForeignProcess: in a forked child, while the loop is the parent's.
        """
        if self._loop is None:
            try:
                self.follow(asyncio.get_running_loop())
            except RuntimeError as error:
                raise ChartError(
                    "no event loop runs here that could make timed posts",
                    "start the chart, or post from a coroutine",
                ) from error
        return self._own()

    def follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind the clock to ``loop``, unless it already belongs to a loop.

        Raises:
            ForeignProcess: in a forked child, while the loop it belongs to is the parent's.
        """
        if self._loop is None:
            self._pid = os.getpid()
            self._loop = loop
        self._own()

    def _own(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise Invariant("a clock has taken a loop, and has none")
        if self._pid != os.getpid():
            raise ForeignProcess(
                f"the event loop of this clock runs in process {self._pid}, and this process is a fork of it",
                "make a LoopClock after the fork, in each process that uses one",
                pid=self._pid,
            )
        return self._loop

    def serve(self, chart: ChartPort) -> None:
        """Do nothing: this clock needs nothing for a chart."""

    def now_ns(self) -> int:
        """Return the loop's time in nanoseconds."""
        return round(self.loop.time() * NANOSECONDS)

    def add(self, timer: Timer, first_ns: int) -> None:
        """Make ``timer`` fire at ``first_ns``, and then periodically from that time.

        Raises:
            ChartError: the loop was closed, so no timer will fire any more.
        """
        loop = self.loop
        self._schedule.add(timer, first_ns)
        try:
            self._call(loop)
        except RuntimeError as error:
            self._schedule.remove(timer)
            raise ChartError(
                "the event loop that would make timed posts is closed", "end charts before their loop ends"
            ) from error

    def remove(self, timer: Timer) -> None:
        """Stop ``timer`` from firing again; a call in progress continues."""
        if self._schedule.remove(timer) and self._loop is not None and self._pid == os.getpid():
            # A closed loop needs no clean-up.
            with contextlib.suppress(RuntimeError):
                self._call(self._loop)

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask the loop to check the timers; raise ``RuntimeError`` if it is closed."""
        if not self._called or loop.is_closed():
            self._called = True
            loop.call_soon_threadsafe(self._set_alarm)

    def _set_alarm(self) -> None:
        # Reset first, so that a timer added from here on triggers another call.
        self._called = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        next_ns = self._schedule.next_ns()
        if next_ns is not None:
            self._alarm = self.loop.call_at(next_ns / NANOSECONDS, self._fire_due)

    def _fire_due(self) -> None:
        now_ns = self.now_ns()
        while (taken := self._schedule.take(now_ns)) is not None:
            fire(taken[0])
        self._set_alarm()
