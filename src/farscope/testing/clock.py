"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading
import time
import weakref

from farscope.engine.core.current_step import per_thread
from farscope.engine.hsm import Hsm
from farscope.engine.timers.schedule import NANOSECONDS, Schedule, Served, Timer
from farscope.errors import UsageError
from farscope.testing.waiting import PATIENCE_S

LOOK_S = 0.0002
"""Pause between two looks at charts that are still busy: about what a few steps take."""


class VirtualClock:
    """Give it to charts, ``Factory("door", clock=clock)``, and ``advance`` it: no test sleeps.

    Timed posts are made on the thread that advances the clock, in the order in which they are due, and
    between two of them the clock waits until all charts that run by it are at rest. So a run has one
    outcome, also when charts with threads of their own set new timers in their handlers.
    """

    def __init__(self) -> None:
        self._advancing = threading.RLock()
        """Held while a timer fires: of several threads that advance the clock one goes after the other."""
        self._schedule = Schedule()
        self._now_ns = 0
        self._charts: dict[int, weakref.ref[Served]] = {}
        """By identity; a chart that is freed takes itself out, at whatever moment."""

    @property
    def now(self) -> float:
        """Seconds since the clock's beginning."""
        return self._now_ns / NANOSECONDS

    @property
    def pending(self) -> int:
        """How many timers are still to fire."""
        return len(self._schedule)

    def advance(self, seconds: float) -> int:
        """Let ``seconds`` pass, and return how many timed posts became due.

        Charts that their caller drives are driven here, so what their handlers raise is raised here.

        Raises:
            UsageError: time would run backwards, a handler moves the clock its own chart waits for, or a
                chart on an event loop has something to do, and this is the loop's thread.
            AssertionError: a chart with a thread did not come to rest in ``PATIENCE_S`` seconds.
        """
        if seconds < 0:
            raise UsageError(f"a clock cannot advance by {seconds!r} seconds", "time runs forwards only")
        if per_thread.cell.here is not None:
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
        """Return when all charts that run by this clock are at rest; time stands still."""
        deadline = time.monotonic() + PATIENCE_S
        before: object = None
        # A look at one chart after the other can miss an event that goes round behind it. If none has
        # made a step between two looks that found all of them at rest, they were all at rest at once.
        while (now := self._steps_made()) is None or now != before:
            if time.monotonic() >= deadline:
                raise AssertionError(f"some of {sorted(map(repr, self._served()))} did not come to rest")
            if now is None:
                time.sleep(LOOK_S)
            before = now

    def serve(self, chart: Served) -> None:
        """Wait for ``chart`` from now on, as long as anybody holds it."""
        charts, key = self._charts, id(chart)
        charts[key] = weakref.ref(chart, lambda _: charts.pop(key, None))

    def now_ns(self) -> int:
        """Return the nanoseconds since the clock's beginning."""
        return self._now_ns

    def add(self, timer: Timer, first_ns: int) -> None:
        """Have ``timer`` fire when the clock is advanced to ``first_ns``."""
        self._schedule.add(timer, first_ns)

    def remove(self, timer: Timer) -> None:
        """Have ``timer`` fire no more."""
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

    def _served(self) -> list[Served]:
        alive = (reference() for reference in list(self._charts.values()))
        return [chart for chart in alive if chart is not None]

    def _steps_made(self) -> dict[int, int] | None:
        """Return how many steps each chart has made; None if one is not at rest."""
        made: dict[int, int] = {}
        for chart in self._served():
            if isinstance(chart, Hsm) and not (Hsm.threaded.__get__(chart) or chart.at_rest):
                chart.complete_circuit()
            if not chart.at_rest:
                if getattr(chart, "_thread", None) is threading.current_thread():
                    raise UsageError(
                        f"{chart!r} makes its steps on this thread, which the clock would hold up",
                        "advance it from another thread: await asyncio.to_thread(clock.advance, seconds)",
                    )
                return None
            made[id(chart)] = chart.steps_made
        return made
