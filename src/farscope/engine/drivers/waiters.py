"""Coroutines that wait, each on its own event loop, for a condition in a chart."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from farscope.errors import ChartError


class Waiters:
    """The coroutines that wait for one condition; they may be on any loop, and released from any thread.

    A waiter registers before it checks the condition once more, and waiters are released after the condition
    has changed, so no waiter misses a change.
    """

    __slots__ = ("futures",)

    def __init__(self) -> None:
        self.futures: deque[asyncio.Future[None]] = deque()
        """One future per waiter, oldest first."""

    async def wait_while(self, holds: Callable[[], bool]) -> None:
        """Wait until ``holds`` returns false; it is called again whenever the waiters are released."""
        while holds():
            future = asyncio.get_running_loop().create_future()
            self.futures.append(future)
            try:
                if holds():
                    await future
            finally:
                # If it is no longer in the queue, it was released.
                with contextlib.suppress(ValueError):
                    self.futures.remove(future)

    def release(self) -> None:
        """Release all current waiters."""
        while self.futures:
            try:
                future = self.futures.popleft()
            except IndexError:
                return
            # Waiters on a loop that has been closed no longer wait.
            with contextlib.suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_finish, future)


def refuse_waiting_for_itself(task: asyncio.Task[None] | None, name: str) -> None:
    """Raise ``ChartError`` in the task of the chart called ``name``: it would wait for itself forever."""
    if task is not None and asyncio.current_task() is task:
        raise ChartError(
            f"a handler of chart {name} would wait for the end of its own step",
            "a step ends with its handler: post an event for what is to be done after it",
        )


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
