"""Coroutines that wait, each on its own event loop, for something to come about in a chart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from farscope.errors import ChartError


class Waiters:
    """Those who wait for one thing; they may be on any loops, and be let go from any thread.

    Who waits says so before it looks once more, and who brings the thing about lets go of all behind
    that: so nobody waits for what has come already.
    """

    __slots__ = ("futures",)

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[None]] = []
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
                if future in self.futures:
                    self.futures.remove(future)

    def release(self) -> None:
        """Let all go who wait now."""
        while self.futures:
            future = self.futures.pop(0)
            loop = future.get_loop()
            # Those who waited on a loop that is closed by now wait no more.
            if not (future.done() or loop.is_closed()):
                loop.call_soon_threadsafe(_finish, future)


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
