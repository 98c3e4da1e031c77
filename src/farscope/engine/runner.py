"""Threads that many charts share."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
import weakref
from queue import SimpleQueue
from typing import Protocol, Self

from farscope.errors import ChartError, UsageError

TURN_STEPS = 32
"""Steps a chart makes at most before the next chart has its turn."""

CLOSE_TIMEOUT_S = 5.0
"""How long ``close`` waits for the steps that run; a handler that takes longer goes on without the caller."""

_log = logging.getLogger("farscope")
_numbers = itertools.count(1)


class Sharer(Protocol):
    """A chart, as its runner sees it."""

    def take_turn(self, steps: int) -> bool:
        """Make at most so many steps; return whether another turn is wanted."""

    def halt(self) -> None:
        """End after the step that runs."""

    def _perish(self, error: BaseException) -> None:
        """End because of an error in the engine."""

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; return whether it has come."""


_Ready = SimpleQueue[Sharer | None]


class Runner:
    """A few threads that run many charts: ``ActiveObject("door", runner=runner)``.

    A chart that has something to do waits for its turn, makes at most ``turn_steps`` steps, and lets
    the others have theirs. Steps of one chart never run at once, though one may run on another
    thread than the last. A handler that blocks holds up its thread, and so a share of all charts.

    All methods may be called from any thread. The threads are daemons; they begin with the first
    chart and end with ``close``, with the block of a ``with``, or with the runner itself.

    Args:
        threads: how many threads there are.
        turn_steps: steps a chart makes at most in a turn.

    Raises:
        UsageError: there would be no threads, or no steps.
    """

    def __init__(self, threads: int = 4, *, turn_steps: int = TURN_STEPS) -> None:
        if threads < 1 or turn_steps < 1:
            raise UsageError(
                f"a runner cannot have {threads!r} threads and turns of {turn_steps!r} steps",
                "give at least 1 of each",
            )
        self._number = next(_numbers)
        self._pid = os.getpid()
        self._count = threads
        self._turn_steps = turn_steps
        self._lock = threading.Lock()
        self._ended = threading.Condition()
        self._charts: set[Sharer] = set()
        self._threads: tuple[threading.Thread, ...] = ()
        self._closed = False
        self._ready: _Ready = SimpleQueue()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self._count} threads, {len(self._charts)} charts"
        return f"<Runner {self._number}: {state}>"

    @property
    def threads(self) -> tuple[threading.Thread, ...]:
        """The threads; none before the first chart and after the end."""
        return self._threads

    @property
    def charts(self) -> int:
        """How many charts run."""
        return len(self._charts)

    def adopt(self, chart: Sharer) -> None:
        """Run ``chart`` from now on.

        Raises:
            ChartError: the runner was closed, or is another process's.
        """
        with self._lock:
            if self._closed:
                raise ChartError("the runner was closed", "make a new Runner, and close it after its charts")
            if self._pid != os.getpid():
                raise ChartError("the runner is the parent process's", "make a new Runner after the fork")
            self._charts.add(chart)
            if not self._threads:
                self._threads = tuple(self._new_thread(number) for number in range(1, self._count + 1))
                # The threads hold the queue and not the runner, so that one nobody holds can end them.
                weakref.finalize(self, _dismiss, self._ready, self._count)

    def ready(self, chart: Sharer) -> None:
        """Give ``chart`` a turn; only one may be wanted at a time."""
        self._ready.put(chart)

    def release(self, chart: Sharer) -> None:
        """Take note of the end of a chart."""
        with self._lock:
            self._charts.discard(chart)
        with self._ended:
            self._ended.notify_all()

    def wait_until_gone(self, chart: Sharer, timeout_s: float | None) -> bool:
        """Wait for the end of a chart, at most ``timeout_s`` seconds; return whether it has come.

        On one of the runner's own threads it does not wait: they might all wait for one another.
        """
        if threading.current_thread() in self._threads:
            return chart not in self._charts
        with self._ended:
            return self._ended.wait_for(lambda: chart not in self._charts, timeout_s)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """End all charts after the steps that run, then the threads; return whether that was in time.

        Closing twice changes nothing. From inside a handler it does not wait.
        """
        with self._lock:
            closed, self._closed = self._closed, True
            charts = tuple(self._charts)
        deadline = time.monotonic() + timeout_s
        for chart in charts:
            chart.halt()
        late = sum(not chart.join(max(0.0, deadline - time.monotonic())) for chart in charts)
        threads = self._threads
        if late and threading.current_thread() not in threads:
            _log.warning("%d charts of %r did not end their steps within %s seconds", late, self, timeout_s)
        if not closed:
            _dismiss(self._ready, len(threads))
        if threading.current_thread() not in threads:
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        return not late and not any(thread.is_alive() for thread in threads)

    def __enter__(self) -> Self:
        """Begin a block that ends with ``close``."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_thread(self, number: int) -> threading.Thread:
        thread = threading.Thread(
            target=_work,
            args=(self._ready, self._turn_steps),
            name=f"farscope runner {self._number}, thread {number}",
            daemon=True,
        )
        thread.start()
        return thread


def _work(ready: _Ready, turn_steps: int) -> None:
    while True:
        chart = ready.get()
        if chart is None:
            return
        try:
            again = chart.take_turn(turn_steps)
        except BaseException as error:  # noqa: BLE001 - whatever it is, all other charts need the thread
            again = False
            _end(chart, error)
        if again:
            ready.put(chart)
        # A chart that waits for its next event must not be held by a thread that waits for work.
        del chart


def _end(chart: Sharer, error: BaseException) -> None:
    try:
        chart._perish(error)  # noqa: SLF001 - of a chart, to its runner
    except BaseException:  # noqa: BLE001 - same
        _log.exception("%r could not end in order", chart)


def _dismiss(ready: _Ready, count: int) -> None:
    for _ in range(count):
        ready.put(None)
