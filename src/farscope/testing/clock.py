"""A virtual clock that advances only when a test tells it to."""

from __future__ import annotations

import threading
import time
import weakref

from farscope.engine.hsm import Hsm
from farscope.engine.ports import ChartPort
from farscope.engine.timers.schedule import Schedule, Timer
from farscope.errors import UsageError
from farscope.records.current_step import current_step
from farscope.records.step import NANOSECONDS
from farscope.testing.waiting import PATIENCE_S

LOOK_S = 0.0002
"""Pause between two checks of charts that are still busy, in seconds: about the duration of a few steps."""


class VirtualClock:
    """A clock for tests: pass it to charts, ``Factory("door", clock=clock)``, and ``advance`` it.

    No test has to sleep. Timed posts are made on the thread that advances the clock, in the order in which
    they are due. After each post, the clock waits until all charts that use it are idle. A run is therefore
    deterministic, even if charts with their own threads set new timers in their handlers.
    """

    def __init__(self) -> None:
        self._advancing = threading.RLock()
        """Held while a timer fires, so that threads advancing the clock take turns."""
        self._schedule = Schedule()
        self._now_ns = 0
        self._charts: dict[int, weakref.ref[ChartPort]] = {}
        """Charts by identity; a freed chart removes itself, at any time."""

    @property
    def now(self) -> float:
        """Seconds since the clock was created."""
        return self._now_ns / NANOSECONDS

    @property
    def pending(self) -> int:
        """Number of timers that have yet to fire."""
        return len(self._schedule)

    def advance(self, seconds: float) -> int:
        """Advance the clock by ``seconds``, and return how many timed posts became due.

        Charts driven by their caller are driven here, so exceptions from their handlers are raised here.

        Raises:
            UsageError: ``seconds`` is negative, a handler advances the clock its own chart waits for, or a
                chart on an event loop has pending work and this is called on the loop's thread.
            AssertionError: a chart with a thread did not become idle within ``PATIENCE_S`` seconds.
        """
        if seconds < 0:
            raise UsageError(f"a clock cannot advance by {seconds!r} seconds", "time runs forwards only")
        if current_step() is not None:
            raise UsageError(
                "a handler cannot advance the clock: it would wait for its own step to end",
                "advance the clock from the test",
            )
        end_ns = self._now_ns + round(seconds * NANOSECONDS)
        fired = 0
        self.settle()
        while self._fire_next(end_ns):
            fired += 1
            self.settle()
        return fired

    def settle(self) -> None:
        """Wait until all charts that use this clock are idle, without advancing the time."""
        deadline = time.monotonic() + PATIENCE_S
        before: object = None
        # Checking charts one after the other can miss an event posted to a chart already checked. If two
        # checks find all charts idle and no chart made a step in between, all were idle at the same time.
        while (now := self._steps_made()) is None or now != before:
            if time.monotonic() >= deadline:
                raise AssertionError(f"some of {sorted(map(repr, self._served()))} did not come to rest")
            if now is None:
                time.sleep(LOOK_S)
            before = now

    def serve(self, chart: ChartPort) -> None:
        """Wait for ``chart`` from now on, as long as it is referenced."""
        charts, key = self._charts, id(chart)
        charts[key] = weakref.ref(chart, lambda _: charts.pop(key, None))

    def now_ns(self) -> int:
        """Return the nanoseconds since the clock was created."""
        return self._now_ns

    def add(self, timer: Timer, first_ns: int) -> None:
        """Schedule ``timer`` to fire when the clock is advanced to ``first_ns``."""
        self._schedule.add(timer, first_ns)

    def remove(self, timer: Timer) -> None:
        """Cancel ``timer``."""
        self._schedule.remove(timer)

    def _fire_next(self, end_ns: int) -> bool:
        with self._advancing:
            taken = self._schedule.take(end_ns)
            if taken is None:
                self._now_ns = end_ns
                return False
            timer, self._now_ns = taken
            timer.fire(timer)
            return True

    def _served(self) -> list[ChartPort]:
        alive = (reference() for reference in list(self._charts.values()))
        return [chart for chart in alive if chart is not None]

    def _steps_made(self) -> dict[int, int] | None:
        """Return how many steps each chart has made; None if any chart is not idle."""
        made: dict[int, int] = {}
        for chart in self._served():
            if isinstance(chart, Hsm) and not (Hsm.threaded.__get__(chart) or chart.at_rest):
                chart.complete_circuit()
            if not chart.at_rest:
                if isinstance(chart, Hsm) and Hsm.thread.__get__(chart) is threading.current_thread():
                    raise UsageError(
                        f"{chart!r} makes its steps on this thread, which the clock would hold up",
                        "advance it from another thread: await asyncio.to_thread(clock.advance, seconds)",
                    )
                return None
            made[id(chart)] = chart.steps_made
        return made
