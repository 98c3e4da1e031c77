"""The clock that charts run by: one thread for all timers of the process."""

from __future__ import annotations

import logging
import threading
import time

from farscope.engine.schedule import NANOSECONDS, Schedule, Served, Timer
from farscope.records.forks import at_fork

LINGER_S = 0.1
"""How long the thread stays when no timer is left: a chart that sets one timer after another would
otherwise start a thread for each."""

THREAD_NAME = "farscope timers"

_log = logging.getLogger("farscope")


class ThreadClock:
    """A clock that follows the machine's monotonic one; its thread lives only while timers do.

    The thread is a daemon and calls nothing but what timers are for: the posts they make. Setting the
    machine's date changes nothing. After a fork the child has no timers: they are the parent's.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._forget()

    def serve(self, chart: Served) -> None:
        """Do nothing: this clock waits for no chart."""

    def now_ns(self) -> int:
        """Return the machine's monotonic time in nanoseconds."""
        return time.monotonic_ns()

    def add(self, timer: Timer, first_ns: int) -> None:
        """Have ``timer`` fire at ``first_ns``, and then in step with it."""
        with self._changed:
            next_ns = self._schedule.next_ns()
            self._schedule.add(timer, first_ns)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
                self._thread.start()
            elif next_ns is None or first_ns < next_ns:
                self._changed.notify()

    def remove(self, timer: Timer) -> None:
        """Have ``timer`` fire no more; one that fires at this moment is waited for."""
        with self._changed:
            self._schedule.remove(timer)
            if not self._schedule:
                self._changed.notify()

    def _run(self) -> None:
        lingered = False
        # The lock is taken anew for each timer, so that a thread that sets one need not wait for thousands.
        while True:
            with self._changed:
                taken = self._schedule.take(time.monotonic_ns())
                if taken is not None:
                    _fire(taken[0])
                    lingered = False
                    continue
                next_ns = self._schedule.next_ns()
                if next_ns is not None:
                    self._changed.wait((next_ns - time.monotonic_ns()) / NANOSECONDS)
                    lingered = False
                elif lingered:
                    self._thread = None
                    return
                else:
                    self._changed.wait(LINGER_S)
                    lingered = True

    def _forget(self) -> None:
        # Re-entrant: the garbage collector may run a user's finalizer that stops a chart, anywhere.
        self._changed = threading.Condition(threading.RLock())
        self._schedule = Schedule()
        self._thread = None


def _fire(timer: Timer) -> None:
    try:
        timer.fire(timer)
    except Exception:  # noqa: BLE001 - whatever it is, it is reported
        # All other timers of the process run on this thread too.
        _log.exception("timer %d raised", timer.number)


process_clock = ThreadClock()
"""The clock of every chart that is given no other. It has nothing to reset: timers end with their charts."""

at_fork(in_child=process_clock._forget)  # noqa: SLF001 - the module's own clock
