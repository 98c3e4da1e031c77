"""Thread pools shared by many charts, and the driver of a chart that runs on one."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import time
import weakref
from queue import SimpleQueue
from typing import Any, Self

from farscope.engine.core.core import Core
from farscope.engine.drivers.at_exit import hold
from farscope.engine.drivers.self_driven import SelfDriver
from farscope.engine.latch import wait_for_end
from farscope.engine.options import OnError
from farscope.engine.ports import ChartPort
from farscope.errors import ChartError, ForeignProcess, UsageError

TURN_STEPS = 32
"""Maximum number of steps a chart runs before the next chart has its turn."""

CLOSE_TIMEOUT_S = 5.0
"""How long ``close`` waits for running steps; a handler that takes longer continues after ``close``
returns."""

_log = logging.getLogger("farscope")
_numbers = itertools.count(1)


_Ready = SimpleQueue[ChartPort | None]


class Runner:
    """A pool of threads that run many charts: ``ActiveObject("door", runner=runner)``.

    A chart with pending events waits for its turn, runs at most ``turn_steps`` steps, and then yields to the
    others. Steps of one chart never run concurrently, but may run on different threads. A handler that blocks
    occupies its thread, and so holds up a share of all charts.

    All methods may be called from any thread. The threads are daemons; they start with the first chart and
    end with ``close``, at the end of a ``with`` block, or when the runner is freed.

    Args:
        threads: number of threads.
        turn_steps: maximum number of steps a chart runs in one turn.

    Raises:
        UsageError: ``threads`` or ``turn_steps`` is less than 1.
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
        self._charts: set[ChartPort] = set()
        self._closed = False
        self._ready: _Ready = SimpleQueue()
        self._threads = self._new_threads()
        self._begun = threading.Lock()
        """Held from the moment the threads begin to be started."""

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self._count} threads, {len(self._charts)} charts"
        return f"<Runner {self._number}: {state}>"

    @property
    def threads(self) -> tuple[threading.Thread, ...]:
        """The threads of the pool; empty before the first chart."""
        return self._threads if self._begun.locked() else ()

    @property
    def a_thread(self) -> threading.Thread:
        """One of the threads, which may not have started yet."""
        return self._threads[0]

    @property
    def charts(self) -> int:
        """Number of running charts."""
        return len(self._charts)

    def adopt(self, chart: ChartPort) -> None:
        """Run ``chart`` from now on.

        Raises:
            ChartError: the runner was closed.
            ForeignProcess: in a forked child, while the runner's threads are the parent's.
        """
        if self._pid != os.getpid() and not self._begun.locked():
            self._pid, self._threads = os.getpid(), self._new_threads()
        self._refuse_elsewhere()
        self._charts.add(chart)
        # ``close`` sets its flag before it reads the charts: either it sees this chart, or its flag is seen
        # here.
        if self._closed:
            self._charts.discard(chart)
            raise ChartError("the runner was closed", "make a new Runner, and close it after its charts")
        if self._begun.acquire(blocking=False):
            self._begin(chart)

    def _begin(self, chart: ChartPort) -> None:
        begun = 0
        try:
            for thread in self._threads:
                thread.start()
                begun += 1
        except BaseException:
            # The system cannot start more threads.
            self._charts.discard(chart)
            _dismiss(self._ready, begun)
            self._ready, self._threads = SimpleQueue(), self._new_threads()
            self._begun.release()
            raise
        # The threads refer to the queue, not to the runner, so that an unreferenced runner can end them.
        weakref.finalize(self, _dismiss, self._ready, self._count)

    def ready(self, chart: ChartPort) -> None:
        """Schedule a turn for ``chart``; at most one may be pending at a time."""
        self._ready.put(chart)

    def release(self, chart: ChartPort) -> None:
        """Release a chart that has ended."""
        self._charts.discard(chart)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """End all charts after their running steps, then the threads; return whether this was in time.

        Closing again has no effect. From inside a handler it does not wait.

        Raises:
            ForeignProcess: in a forked child, while the runner's threads are the parent's; it does not wait
            there.
        """
        self._refuse_elsewhere()
        closed, self._closed = self._closed, True
        charts = list(self._charts)
        deadline = time.monotonic() + timeout_s
        for chart in charts:
            chart.halt()
        late = sum(not chart.join(max(0.0, deadline - time.monotonic())) for chart in charts)
        threads = self.threads
        is_own = threading.current_thread() in threads
        if late and not is_own:
            _log.warning("%d charts of %r did not end their steps within %s seconds", late, self, timeout_s)
        if not closed:
            _dismiss(self._ready, len(threads))
        if not is_own:
            for thread in threads:
                wait_for_end(thread, deadline)
        return not late and not any(thread.is_alive() for thread in threads)

    def __enter__(self) -> Self:
        """Begin a block that calls ``close`` at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        # A forked child that also leaves the block has nothing to end.
        with contextlib.suppress(ForeignProcess):
            self.close()

    def _refuse_elsewhere(self) -> None:
        if self._begun.locked() and self._pid != os.getpid():
            raise ForeignProcess(
                f"the threads of {self!r} are those of process {self._pid}, and this process is a fork of it",
                "make a new Runner after the fork, in each process that uses one",
                pid=self._pid,
            )

    def _new_threads(self) -> tuple[threading.Thread, ...]:
        return tuple(
            threading.Thread(
                target=_work,
                args=(self._ready, self._turn_steps),
                name=f"farscope runner {self._number}, thread {number}",
                daemon=True,
            )
            for number in range(1, self._count + 1)
        )


def _work(ready: _Ready, turn_steps: int) -> None:
    while True:
        chart = ready.get()
        if chart is None:
            return
        try:
            again = chart.take_turn(turn_steps)
        except BaseException:  # noqa: BLE001 - whatever it is, the other charts need the thread
            again = False
            _log.exception("%r could not end in order", chart)
        if again:
            ready.put(chart)
        # A thread that waits for work must not keep alive a chart that waits for its next event.
        del chart


def _dismiss(ready: _Ready, count: int) -> None:
    for _ in range(count):
        ready.put(None)


class PoolDriver(SelfDriver):
    """Runs a chart in turns on the threads of a ``Runner``."""

    __slots__ = ("_runner", "_turn")

    def __init__(self, chart: Any, on_error: OnError, runner: Runner) -> None:
        super().__init__(chart, on_error)
        self._runner = runner
        self._turn = threading.Lock()
        """Held while a turn is pending or running, and before the start."""
        self._turn.acquire()

    def start(self, chart: Any, core: Core, initial_state: Any) -> None:
        """Start the chart on the caller's thread, then give it its first turn."""
        self.refuse_elsewhere()
        runner = self._runner
        if not core.has_started:
            runner.adopt(chart)
        try:
            core.start(chart, initial_state)
        except BaseException:
            if not core.has_started:
                runner.release(chart)
            raise
        self.note_start(core, runner.a_thread)
        hold(chart)
        if self._is_wanted_again(core):
            runner.ready(chart)

    def join(self, core: Core, timeout_s: float | None) -> bool:
        """Wait for the chart's end, unless on a thread of its runner; return whether it has ended."""
        if self.thread is None:
            return core.stop_asked
        self.refuse_elsewhere()
        return self.over.is_open if self._is_driven_here() else self.over.wait(timeout_s)

    def take_turn(self, chart: Any, core: Core, steps: int) -> bool:
        """Run at most ``steps`` waiting steps; return whether more are waiting."""
        self.thread = threading.current_thread()
        core.mailbox.asleep = False
        try:
            if self.work(chart, core, steps):
                return self._is_wanted_again(core)
        except BaseException as error:  # noqa: BLE001 - whatever it is, watchers are notified
            self.break_down(chart, core, error)
        if self.halted:
            self.leave(chart, core)
            return False
        return True

    def _is_wanted_again(self, core: Core) -> bool:
        """Release the chart between turns; acquire it again if there is already something to do."""
        if core.due and (core.algorithm.pending or core.algorithm.is_finished):
            return True
        # No event is missed: a poster puts its event in the queue before it checks whether the chart sleeps.
        core.mailbox.asleep = True
        self._turn.release()
        return bool(core.queue or self.halted) and self._turn.acquire(blocking=False)

    def _ring(self) -> None:
        if self._turn.acquire(blocking=False):
            chart = self.chart()
            if chart is not None:
                self._runner.ready(chart)

    def _is_driven_here(self) -> bool:
        here = threading.current_thread()
        return here is self.thread or here in self._runner.threads

    def _release(self, chart: Any) -> None:
        self._runner.release(chart)
