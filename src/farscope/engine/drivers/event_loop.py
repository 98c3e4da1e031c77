"""The driver of a chart that runs on an event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any, ClassVar, NoReturn

from farscope.engine.core.core import DIRECT, START, Core
from farscope.engine.core.life import Life
from farscope.engine.core.mailbox import FIFO, checked
from farscope.engine.drivers.at_exit import hold
from farscope.engine.drivers.awaiting import AwaitingSteps, pause
from farscope.engine.drivers.loop_task import LoopTask, Outcome
from farscope.engine.drivers.self_driven import SelfDriver
from farscope.engine.drivers.waiters import Waiters, refuse_waiting_for_itself
from farscope.engine.event import Event
from farscope.engine.options import OnError
from farscope.engine.timers.loop_clock import LoopClock
from farscope.errors import AlreadyStarted, ChartError, ChartStopped, NotStarted
from farscope.records.carried_cause import context_without_cause, current_cause
from farscope.records.step import Cause

TURN_STEPS = 64
"""Steps a chart runs before others on the loop have a turn, if its handlers never wait themselves."""

GOES_OUTWARDS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)
"""Errors that end a chart immediately, whether raised by a handler or in a ``with`` block; raised by a
handler, they also leave the task."""

_log = logging.getLogger("farscope")


class EventLoopDriver(SelfDriver):
    """Runs a chart in a task of the event loop on which it is started.

    Args:
        chart: the chart, which must not be started.
        core: its core, whose steps may pause from now on.
        on_error: what happens to the chart when a handler raises.
        clock: the clock of its timed posts, which follows the loop if it can.
    """

    run_by: ClassVar[str] = "an event loop"
    awaits: ClassVar[bool] = True

    __slots__ = (
        "_loop",
        "_ring_set",
        "_room",
        "_settling",
        "_started",
        "_steps",
        "_tasks",
        "follower",
        "task",
    )

    def __init__(self, chart: Any, core: Core, on_error: OnError, clock: object) -> None:
        super().__init__(chart, on_error)
        core.algorithm.pause = pause
        self._steps = AwaitingSteps()
        self.follower = clock if isinstance(clock, LoopClock) else None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.task: asyncio.Task[None] | None = None
        """The task that runs the chart; None before the start."""
        self._ring_set = asyncio.Event()
        """Set when something is posted to a chart that waits for events."""
        self._started = asyncio.Event()
        """Set when the start has finished, whether it succeeded or failed."""
        self._room = Waiters()
        """Coroutines that wait for room in the queue."""
        self._tasks: set[asyncio.Task[Any]] = set()
        """Tasks of states that have not ended."""
        self._settling = Waiters()
        """Coroutines that wait until the chart is at rest."""

    def start(self, chart: Any, core: Core, initial_state: Any) -> None:
        """Begin the start on the running loop, and return at once."""
        self.refuse_elsewhere()
        if self.task is not None:
            raise AlreadyStarted(f"chart {core.name} was started before", "make a new chart for a new start")
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise ChartError(
                f"chart {core.name} needs an event loop, and none runs here", "start it in a coroutine"
            ) from error
        if self.follower is not None:
            self.follower.follow(self._loop)
        self.note_start(core, threading.current_thread())
        life = self._run_through(chart, core, initial_state, current_cause())
        self.task = self._loop.create_task(life, name=core.name, context=context_without_cause())
        self.task.add_done_callback(lambda task: self._finish(chart, core, task))
        hold(chart)

    async def started(self, core: Core) -> None:
        """Wait until the start has finished, and raise its error if it failed."""
        self.refuse_elsewhere()
        if self.task is None:
            raise NotStarted(f"chart {core.name} was not started", "call chart.start_at(STATE) first")
        refuse_waiting_for_itself(self.task, core.name)
        await self._started.wait()
        if not core.has_started and self.failure is not None:
            raise self.failure

    async def post(self, core: Core, e: Event) -> None:
        """Put ``e`` at the end of the queue, waiting for room if necessary."""
        checked(e)
        self.refuse_elsewhere()

        def has_no_room() -> bool:
            full = len(core.queue) >= core.mailbox.capacity
            return full and not (core.stop_asked or self._steps.going_on)

        if has_no_room():
            await self._room.wait_while(has_no_room)
        core.mailbox.put(e, FIFO, None)

    async def settled(self, core: Core) -> None:
        """Wait until no step runs and no event waits, or until the chart has ended."""
        self.refuse_elsewhere()
        refuse_waiting_for_itself(self.task, core.name)
        await self._settling.wait_while(lambda: not self.at_rest(core))

    async def close(self, chart: Any, core: Core, timeout_s: float) -> BaseException | None:
        """End the chart after the running step, and wait for it; after ``timeout_s`` cancel the step."""
        self.refuse_elsewhere()
        home = self._loop
        if home is not None and home is not asyncio.get_running_loop() and not home.is_closed():
            there = asyncio.run_coroutine_threadsafe(self.close(chart, core, timeout_s), home)
            return await asyncio.wrap_future(there)
        task = self.task
        self.stop(chart, core, timeout_s)
        if task is not None and task is not asyncio.current_task() and not core.stop_asked:
            try:
                _, late = await asyncio.wait((task,), timeout=timeout_s)
            except asyncio.CancelledError:
                task.cancel()
                raise
            if late:
                _log.warning("chart %s did not end its step within %s seconds", core.name, timeout_s)
                await self.give_up(chart, core)
        await self._wait_for_tasks(timeout_s)
        return self.failure

    async def _wait_for_tasks(self, timeout_s: float) -> None:
        """Wait until the tasks of states, which were cancelled with the chart, have ended."""
        mine = asyncio.current_task()
        others = [task for task in self._tasks if task is not mine]
        if others:
            _, late = await asyncio.wait(others, timeout=timeout_s)
            for task in late:
                _log.warning("%s did not end within %s seconds", task.get_name(), timeout_s)

    async def give_up(self, chart: Any, core: Core) -> None:
        """End the chart and cancel its step, because a cancelled caller cannot wait for it."""
        self.stop(chart, core, 0)
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()
            await asyncio.wait((self.task,))

    def run_coroutine(self, coroutine: Coroutine[Any, Any, Any], name: str, bring: Outcome) -> LoopTask:
        """Run the task of a state beside the chart."""
        return LoopTask(coroutine, name, bring, self._tasks)

    def halt(self, chart: Any, core: Core) -> None:
        """End the chart after the running step, without waiting for it."""
        try:
            super().halt(chart, core)
        except ChartStopped:
            # A closed loop also ends the chart.
            return

    def join(self, core: Core, timeout_s: float | None) -> bool:
        """Wait for the chart's end, unless on the loop's thread; return whether it has ended."""
        self.refuse_elsewhere()
        if self.task is None or self._is_driven_here():
            return core.stop_asked
        return self.over.wait(timeout_s)

    def refuse_caller(self, name: str) -> ChartError:
        """Return the error for running steps of a chart that runs by itself."""
        self.refuse_elsewhere()
        return ChartError(f"chart {name} runs on an event loop", "post the event")

    def wake(self) -> None:
        """Let the chart's task go on, or warn if it is never started."""
        self.refuse_elsewhere()
        if self.thread is None:
            self._note_post_before_start()
        loop = self._loop
        if loop is None or (self._is_driven_here() and not loop.is_closed()):
            self._ring_set.set()
            return
        try:
            loop.call_soon_threadsafe(self._ring_set.set)
        except RuntimeError as error:
            self._be_abandoned(error)

    def _be_abandoned(self, error: RuntimeError) -> NoReturn:
        """End the chart, whose closed loop will never resume its step."""
        self.halted = True
        core, chart = self._own_core(), self.chart()
        self.leave(chart, core)
        core.end(chart)
        raise ChartStopped(
            f"the event loop of chart {core.name} is closed", "end charts before their loop ends"
        ) from error

    async def _run_through(self, chart: Any, core: Core, initial_state: Any, cause: Cause | None) -> None:
        try:
            core.prepare(chart, initial_state)
            await self._steps.run(chart, core, (START, cause, DIRECT))
            core.started(chart)
            self._started.set()
            await self._take_events(chart, core)
        except GOES_OUTWARDS as error:
            self.failure = self.failure if core.has_started else error
            raise
        except BaseException as error:  # noqa: BLE001 - raised to the callers that wait for the start
            if core.has_started and core.life not in (Life.STOPPING, Life.ENDED):
                self.break_down(chart, core, error)
            self.failure = self.failure or error

    def _finish(self, chart: Any, core: Core, task: asyncio.Task[None]) -> None:
        """End the chart together with its task, which may have been cancelled before it even began."""
        if not task.cancelled():
            # Retrieved so that asyncio does not report an error again that has already left the loop.
            task.exception()
        elif not core.has_started and self.failure is None:
            self.failure = asyncio.CancelledError()
        try:
            self.leave(chart, core)
        finally:
            self._started.set()
            self._room.release()
            self._settling.release()

    async def _take_events(self, chart: Any, core: Core) -> None:
        waiting = self._room.futures
        made = 0
        if core.due:
            await self._complete_start(chart, core)
        while not self.halted:
            if made == TURN_STEPS:
                # Before an event is taken, because it can be cancelled until its step begins.
                made = 0
                await asyncio.sleep(0)
                continue
            item = core.mailbox.take()
            if item is None:
                await self._sleep(chart, core)
                made = 0
                continue
            if waiting:
                self._room.release()
            made += 1
            try:
                await self._steps.run(chart, core, item)
                if core.due:
                    await self._steps.follow_up(chart, core)
            except BaseException as error:
                if core.life in (Life.STOPPING, Life.ENDED):
                    # The chart ended without its loop; an unfinished step is discarded.
                    raise
                if not self.goes_on(chart, core, item[0], error):
                    self.failure = error
                    if isinstance(error, GOES_OUTWARDS):
                        raise
                    return

    async def _complete_start(self, chart: Any, core: Core) -> None:
        """Process completions that follow from the start."""
        try:
            await self._steps.follow_up(chart, core)
        except BaseException as error:
            if isinstance(error, GOES_OUTWARDS) or not self.goes_on(chart, core, START, error):
                self.failure = error
                self.halted = True
            if isinstance(error, GOES_OUTWARDS):
                raise

    async def _sleep(self, chart: Any, core: Core) -> None:
        """Wait until something is posted or the chart must end."""
        self.check_intact(chart, core)
        self._ring_set.clear()
        core.mailbox.asleep = True
        if not core.queue and not self.halted:
            self._settling.release()
            await self._ring_set.wait()
        core.mailbox.asleep = False
