"""Charts on an event loop: the same steps, with handlers that may be coroutine functions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import Any, ClassVar, Self, Unpack

from farscope.engine.breakdown import broke_down, goes_on
from farscope.engine.core.current_step import per_thread
from farscope.engine.core.mailbox import checked
from farscope.engine.core.reserved import is_intact, mended
from farscope.engine.core.step_runner import DIRECT, START
from farscope.engine.drivers.at_exit import hold
from farscope.engine.drivers.awaiting import AwaitingStepper
from farscope.engine.drivers.waiters import Waiters, refuse_waiting_for_itself
from farscope.engine.event import Event
from farscope.engine.hsm import STOP_TIMEOUT_S, Hsm
from farscope.engine.options import ActiveOptions
from farscope.engine.timers.loop_clock import LoopClock
from farscope.errors import AlreadyStarted, ChartError, ChartStopped, Invariant, NotStarted
from farscope.records.step import Cause

TURN_STEPS = 64
"""Steps a chart runs before others on the loop have a turn, if its handlers never wait themselves."""

_GOES_OUTWARDS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)
"""Errors that end a chart immediately, whether raised by a handler or in a ``with`` block; raised by a
handler, they also leave the task."""

_log = logging.getLogger("farscope")


class AsyncChart(AwaitingStepper):
    """A chart that runs on the event loop on which it is started; handlers may be coroutine functions.

    ::

        async with Fetcher("fetcher") as chart:
            await chart.post(Event("GET", payload=url))
            await chart.settled()

    It is declared like a ``Chart``, built by parts like a ``Factory``, or of flat functions. While a
    handler waits, other tasks run, but no other step of the chart begins. Events may be posted from any
    thread. Timed posts follow the loop's clock.

    Args:
        name: name of the chart in traces; if None, its class's name and a number.
        instrumented: whether it records its steps; may be changed at any time.
        options: see ``ActiveOptions``.
    """

    _may_await: ClassVar[bool] = True
    _run_by: ClassVar[str] = "an event loop"

    __slots__ = ("_event_loop", "_follower", "_ring", "_room", "_settling", "_started", "_task")

    def __init__(
        self, name: str | None = None, instrumented: bool | None = True, **options: Unpack[ActiveOptions]
    ) -> None:
        clock = options.setdefault("clock", LoopClock())
        super().__init__(name, instrumented, threaded=False, **options)
        self._follower = clock if isinstance(clock, LoopClock) else None
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ring = asyncio.Event()
        """Set when something is posted to a chart that waits for events."""
        self._started = asyncio.Event()
        """Set when the start has finished, whether it succeeded or failed."""
        self._room = Waiters()
        """Coroutines that wait for room in the queue."""
        self._settling = Waiters()
        """Coroutines that wait until the chart is at rest."""
        self._idle = True

    def start_at(self, initial_state: Any = None) -> None:
        """Start the chart on the running loop, in ``initial_state`` or where its class says.

        Returns immediately; ``await chart.started()`` waits for the result.

        Raises:
            ChartError: no event loop is running.
            AlreadyStarted: it was started before.
            ForeignProcess: it was started in the process that this one was forked from.
        """
        self._refuse_elsewhere()
        if self._task is not None:
            raise AlreadyStarted(f"chart {self._name} was started before", "make a new chart for a new start")
        try:
            self._event_loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise ChartError(
                f"chart {self._name} needs an event loop, and none runs here", "start it in a coroutine"
            ) from error
        if self._follower is not None:
            self._follower.follow(self._event_loop)
        self._note_start(threading.current_thread())
        outer = per_thread.cell.here
        life = self._run_through(initial_state, None if outer is None else outer.cause())
        self._task = self._event_loop.create_task(life, name=self._name)
        self._task.add_done_callback(self._finish)
        hold(self)

    async def started(self) -> None:
        """Wait until the start has finished, and raise its error if it failed.

        Raises:
            ChartError: called from one of the chart's own handlers.
        """
        self._refuse_elsewhere()
        if self._task is None:
            raise NotStarted(f"chart {self._name} was not started", "call chart.start_at(STATE) first")
        refuse_waiting_for_itself(self._task, self._name)
        await self._started.wait()
        if self._leaf is None and self._failure is not None:
            raise self._failure

    async def post(self, e: Event) -> None:
        """Put ``e`` at the end of the queue, waiting for room if necessary.

        A handler cannot wait for its own chart's queue: there this is the same as ``post_fifo``.

        Raises:
            ChartStopped: after the end.
            ForeignProcess: in a forked child, while the chart's loop is the parent's.
        """
        checked(e)
        self._refuse_elsewhere()
        if self._has_no_room():
            await self._room.wait_while(self._has_no_room)
        self.post_fifo(e)

    async def settled(self) -> None:
        """Wait until no step runs and no event waits, or until the chart has ended.

        Raises:
            ChartError: called from one of the chart's own handlers.
        """
        self._refuse_elsewhere()
        refuse_waiting_for_itself(self._task, self._name)
        await self._settling.wait_while(lambda: not self.at_rest)

    async def aclose(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:
        """End the chart after the running step, and wait for it; after ``timeout_s`` cancel the step.

        If this call is cancelled, the step is cancelled too.

        Returns:
            The handler's error that ended the chart earlier, or None.

        Raises:
            ForeignProcess: in a forked child, while the chart's loop is the parent's; it does not wait there.
        """
        self._refuse_elsewhere()
        home = self._event_loop
        if home is not None and home is not asyncio.get_running_loop() and not home.is_closed():
            there = asyncio.run_coroutine_threadsafe(self.aclose(timeout_s), home)
            return await asyncio.wrap_future(there)
        task = self._task
        self.stop()
        if task is not None and task is not asyncio.current_task() and not self._stopped:
            try:
                _, late = await asyncio.wait((task,), timeout=timeout_s)
            except asyncio.CancelledError:
                task.cancel()
                raise
            if late:
                _log.warning("chart %s did not end its step within %s seconds", self._name, timeout_s)
                await self._give_up()
        return self._failure

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:
        """End the chart after the running step; on the loop's thread, without waiting for it.

        From another thread it returns when the chart has ended, or after ``timeout_s`` seconds. If the loop
        was closed without ending the chart, the chart ends here.

        Returns:
            The handler's error that ended the chart earlier, or None.

        Raises:
            ForeignProcess: in a forked child, while the chart's loop is the parent's; it does not wait there.
        """
        self._refuse_elsewhere()
        self._stopping = True
        if self._task is None:
            Hsm.stop(self)
            self._let_off()
        else:
            self.halt()
            if not self.join(timeout_s) and threading.current_thread() is not self._thread:
                _log.warning("chart %s did not end its step within %s seconds", self._name, timeout_s)
        return self._failure

    def halt(self) -> None:
        """End the chart after the running step, like ``stop``, but without waiting for it."""
        # A closed loop also ends the chart.
        with contextlib.suppress(ChartStopped):
            super().halt()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait up to ``timeout_s`` seconds until the chart has ended; return whether it has.

        On the loop's thread it returns immediately; use ``await chart.aclose()`` there.

        Raises:
            ForeignProcess: in a forked child, while the chart's loop is the parent's.
        """
        self._refuse_elsewhere()
        if self._task is None or threading.current_thread() is self._thread:
            return self._stopped
        return self._over.wait(timeout_s)

    async def __aenter__(self) -> Self:
        """Start the chart where its class says, unless already started, and wait for the start to finish.

        If this is cancelled, the start is cancelled too, because no block follows whose end could end the
        chart.
        """
        if self._task is None:
            self.start_at()
        try:
            await self.started()
        except asyncio.CancelledError:
            await self._give_up()
            raise
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self._is_elsewhere():
            return
        if isinstance(error, _GOES_OUTWARDS):
            await self._give_up()
        else:
            await self.aclose()

    async def _give_up(self) -> None:
        """End the chart and cancel its step, because a cancelled caller cannot wait for it."""
        self.stop()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run_through(self, initial_state: Any, cause: Cause | None) -> None:
        try:
            self._prepare_start(initial_state)
            await self._make(START, self._states.starts_at(self._goal), cause, DIRECT)
            self._goal = None
            self._started.set()
            await self._take_events()
        except _GOES_OUTWARDS as error:
            self._failure = error if self._leaf is None else self._failure
            raise
        except BaseException as error:  # noqa: BLE001 - raised to the callers that wait for the start
            if self._leaf is not None and not self._is_over:
                broke_down(self, error)
            self._failure = self._failure or error

    def _finish(self, task: asyncio.Task[None]) -> None:
        """End the chart together with its task, which may have been cancelled before it even began."""
        if not task.cancelled():
            # Retrieved so that asyncio does not report an error again that has already left the loop.
            task.exception()
        elif self._leaf is None and self._failure is None:
            self._failure = asyncio.CancelledError()
        try:
            self._leave()
        finally:
            self._started.set()
            self._room.release()
            self._settling.release()

    async def _take_events(self) -> None:
        queue = self._queue
        waiting = self._room.futures
        made = 0
        while not self._stopping:
            if made == TURN_STEPS:
                # Before an event is taken, because it can be cancelled until its step begins.
                made = 0
                await asyncio.sleep(0)
                continue
            try:
                item = e, cause, posted_ns = queue.popleft()
            except IndexError:
                await self._sleep()
                made = 0
                continue
            except ValueError:
                timed = self._redeemed(item)
                if timed is None:
                    continue
                e, cause, posted_ns = timed
            if waiting:
                self._room.release()
            made += 1
            try:
                await self._make(e, self._roots, cause, posted_ns)
            except BaseException as error:
                if self._is_over:
                    # The chart ended without its loop; an unfinished step is discarded.
                    raise
                if not goes_on(self, e, error):
                    self._failure = error
                    if isinstance(error, _GOES_OUTWARDS):
                        raise
                    return

    async def _sleep(self) -> None:
        """Wait until something is posted or the chart must end."""
        if not is_intact(self):
            raise mended(self) or Invariant("a chart's queue is not its own")
        self._ring.clear()
        self._idle = True
        if not self._queue and not self._stopping:
            self._settling.release()
            await self._ring.wait()
        self._idle = False

    def _has_no_room(self) -> bool:
        return len(self._queue) >= self._capacity and not (self._stopped or self._going_on)

    def _self_driven(self) -> ChartError:
        self._refuse_elsewhere()
        return ChartError(f"chart {self._name} runs on an event loop", "post the event")

    def _wake(self) -> None:
        self._idle = False
        self._refuse_elsewhere()
        loop = self._event_loop
        if self._thread is None:
            self._note_post_before_start()
        if loop is None or (threading.current_thread() is self._thread and not loop.is_closed()):
            self._ring.set()
            return
        try:
            loop.call_soon_threadsafe(self._ring.set)
        except RuntimeError as error:
            # The loop abandoned the chart, and its step will never be resumed.
            self._stopping = True
            self._leave()
            self._end()
            raise ChartStopped(
                f"the event loop of chart {self._name} is closed", "end charts before their loop ends"
            ) from error
