"""The default clock of charts: one thread for all timers of the process."""

from __future__ import annotations

import contextlib
import os
import threading
import time

from farscope.engine.ports import ChartPort
from farscope.engine.timers.schedule import Schedule, Timer, fire
from farscope.records.fork_hooks import at_fork
from farscope.records.step import NANOSECONDS

LINGER_S = 0.1
"""How long the thread stays alive when no timer is left; otherwise a chart that sets one timer after another
would start a thread for each."""

THREAD_NAME = "farscope timers"

_NEVER_NS = 1 << 63
"""A time later than any due time."""


class ThreadClock:
    """A clock that follows the machine's monotonic clock; its thread exists only while timers do.

    The thread is a daemon and calls only the timers' actions, which post events. Setting the machine's date
    has no effect. After a fork the child has no timers, because they belong to the parent.
    """

    def __init__(self) -> None:
        self._forget()

    def serve(self, chart: ChartPort) -> None:
        """Do nothing: this clock does not wait for charts."""

    def now_ns(self) -> int:
        """Return the machine's monotonic time in nanoseconds."""
        return time.monotonic_ns()

    def add(self, timer: Timer, first_ns: int) -> None:
        """Make ``timer`` fire at ``first_ns``, and then periodically from that time."""
        if self._pid != os.getpid():
            # This process was forked without running fork hooks.
            self._forget()
        self._schedule.add(timer, first_ns)
        if self._claim.acquire(blocking=False):
            self._begin(timer)
        elif first_ns < self._sleeps_until_ns:
            self._ring()

    def remove(self, timer: Timer) -> None:
        """Stop ``timer`` from firing again; a call in progress continues."""
        if self._schedule.remove(timer):
            self._ring()

    def _begin(self, timer: Timer) -> None:
        try:
            threading.Thread(target=self._run, name=THREAD_NAME, daemon=True).start()
        except BaseException:
            self._claim.release()
            self._schedule.remove(timer)
            raise

    def _ring(self) -> None:
        # If a wake-up is already pending, one is enough.
        with contextlib.suppress(RuntimeError):
            self._bell.release()

    def _run(self) -> None:
        schedule, claim = self._schedule, self._claim
        lingered = False
        while True:
            taken = schedule.take(time.monotonic_ns())
            if taken is not None:
                fire(taken[0])
                lingered = False
                continue
            next_ns = schedule.next_ns()
            if next_ns is None and lingered:
                claim.release()
                # A timer added before this point could not start another thread.
                if not (schedule.has_new and claim.acquire(blocking=False)):
                    return
            lingered = next_ns is None
            self._sleep_until(next_ns)

    def _sleep_until(self, next_ns: int | None) -> None:
        """Sleep until a timer is due or the thread is woken; without a timer, wait ``LINGER_S``."""
        # A timer is added before the caller checks how long this thread sleeps. So either the caller wakes
        # it, or the timer is seen here.
        self._sleeps_until_ns = _NEVER_NS if next_ns is None else next_ns
        if not self._schedule.has_new:
            left_s = LINGER_S if next_ns is None else (next_ns - time.monotonic_ns()) / NANOSECONDS
            self._bell.acquire(timeout=max(0.0, left_s))
        self._sleeps_until_ns = 0

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._schedule = Schedule()
        self._claim = threading.Lock()
        """Held by the caller that starts the thread, and then by the thread until its end."""
        self._bell = threading.Lock()
        """Unlocked to wake the thread."""
        self._bell.acquire()
        self._sleeps_until_ns = 0
        """Time until which the thread sleeps; 0 while it is awake."""


process_clock = ThreadClock()
"""The clock of every chart that is not given another one. It never has to be reset: timers end with their
charts."""

at_fork(in_child=process_clock._forget)  # noqa: SLF001 - the module's own clock
