"""Coroutines that wait, each on its own event loop, for something to come about in a chart."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from farscope.errors import ChartError


class Waiters:
    """Those who wait for one thing; they may be on any loops, and be let go from any thread.

    Who waits says so before it looks once more, and who brings the thing about lets go of all behind
    that: so nobody waits for what has come already.
    """

    __slots__ = ("futures",)

    def __init__(self) -> None:
        self.futures: deque[asyncio.Future[None]] = deque()
        """One for each who waits, the first first."""

    async def wait_while(self, holds: Callable[[], bool]) -> None:
        """Wait until ``holds`` says no; it is asked anew each time all are let go."""
        while holds():
            future = asyncio.get_running_loop().create_future()
            self.futures.append(future)
            try:
                if holds():
                    await future
            finally:
                # If it is not there any more, it was let go.
                with contextlib.suppress(ValueError):
                    self.futures.remove(future)

    def release(self) -> None:
        """Let all go who wait now."""
        while self.futures:
            try:
                future = self.futures.popleft()
            except IndexError:
                return
            # Those who waited on a loop that is closed by now wait no more.
            with contextlib.suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_finish, future)


def refuse_waiting_for_itself(task: asyncio.Task[None] | None, name: str) -> None:
    """Raise ``ChartError`` in the task of the chart called ``name``: it would wait for itself for ever."""
    if task is not None and asyncio.current_task() is task:
        raise ChartError(
            f"a handler of chart {name} would wait for the end of its own step",
            "a step ends with its handler: post an event for what is to be done after it",
        )


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
