"""Charts on an event loop: the same steps, with handlers that may be coroutine functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, Self, Unpack

from farscope.engine.core.family import dependents
from farscope.engine.core.life import Life
from farscope.engine.definition.declared import Chart, Declaration
from farscope.engine.drivers.event_loop import GOES_OUTWARDS, EventLoopDriver
from farscope.engine.drivers.options import ActiveOptions
from farscope.engine.event import Event
from farscope.engine.hsm import STOP_TIMEOUT_S, drive
from farscope.engine.timers.loop_clock import LoopClock


class AsyncChart(Chart):
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

    _declaration = Declaration(may_await=True)
    _driver: EventLoopDriver

    __slots__ = ()

    def __init__(
        self, name: str | None = None, instrumented: bool | None = True, **options: Unpack[ActiveOptions]
    ) -> None:
        clock = options.setdefault("clock", LoopClock())
        on_error = options.pop("on_error", "stop")
        super().__init__(name, instrumented, threaded=False, **options)
        drive(self, EventLoopDriver(self, self._core, on_error, clock), asleep=True)

    def start_at(self, initial_state: Any = None) -> None:
        """Start the chart on the running loop, in ``initial_state`` or where its class says.

        Returns immediately; ``await chart.started()`` waits for the result.

        Raises:
            ChartError: no event loop is running.
            AlreadyStarted: it was started before.
            ForeignProcess: it was started in the process that this one was forked from.
        """
        super().start_at(initial_state)

    async def started(self) -> None:
        """Wait until the start has finished, and raise its error if it failed.

        Raises:
            ChartError: called from one of the chart's own handlers.
        """
        await self._driver.started(self._core)

    async def post(self, e: Event) -> None:
        """Put ``e`` at the end of the queue, waiting for room if necessary.

        A handler cannot wait for its own chart's queue: there this is the same as ``post_fifo``.

        Raises:
            ChartStopped: after the end.
            ForeignProcess: in a forked child, while the chart's loop is the parent's.
        """
        await self._driver.post(self._core, e)

    async def settled(self) -> None:
        """Wait until no step runs and no event waits, or until the chart has ended.

        Raises:
            ChartError: called from one of the chart's own handlers.
        """
        await self._driver.settled(self._core)

    async def aclose(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:
        """End the chart after the running step, and wait for it; after ``timeout_s`` cancel the step.

        If this call is cancelled, the step is cancelled too.

        Returns:
            The handler's error that ended the chart earlier, or None.

        Raises:
            ForeignProcess: in a forked child, while the chart's loop is the parent's; it does not wait there.
        """
        children = dependents(self._core)
        deadline = time.monotonic() + timeout_s
        failure = await self._driver.close(self, self._core, timeout_s)
        if children and self._core.life is Life.ENDED:
            await _ended(children, deadline)
        return failure

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:
        """End the chart after the running step; on the loop's thread, without waiting for it.

        From another thread it returns when the chart has ended, or after ``timeout_s`` seconds. If the loop
        was closed without ending the chart, the chart ends here.

        Returns:
            The handler's error that ended the chart earlier, or None.

        Raises:
            ForeignProcess: in a forked child, while the chart's loop is the parent's; it does not wait there.
        """
        return super().stop(timeout_s)

    def halt(self) -> None:
        """End the chart after the running step, like ``stop``, but without waiting for it."""
        super().halt()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait up to ``timeout_s`` seconds until the chart has ended; return whether it has.

        On the loop's thread it returns immediately; use ``await chart.aclose()`` there.

        Raises:
            ForeignProcess: in a forked child, while the chart's loop is the parent's.
        """
        return super().join(timeout_s)

    async def __aenter__(self) -> Self:
        """Start the chart where its class says, unless already started, and wait for the start to finish.

        If this is cancelled, the start is cancelled too, because no block follows whose end could end the
        chart.
        """
        if self._driver.task is None:
            self.start_at()
        try:
            await self.started()
        except asyncio.CancelledError:
            await self._driver.give_up(self, self._core)
            raise
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self._driver.is_elsewhere():
            return
        if isinstance(error, GOES_OUTWARDS):
            await self._driver.give_up(self, self._core)
        else:
            await self.aclose()


async def _ended(children: Iterable[Any], deadline: float) -> None:
    """Wait until children that were asked to end have ended, or until a monotonic deadline."""
    for child in children:
        left_s = max(0.0, deadline - time.monotonic())
        if isinstance(child, AsyncChart):
            await child.aclose(left_s)
        else:
            await asyncio.to_thread(child.join, left_s)
