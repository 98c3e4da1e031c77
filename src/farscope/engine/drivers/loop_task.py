"""Tasks of states that are coroutines: they run beside the chart on its event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from farscope.records.carried_cause import context_for_task

Outcome = Callable[[object, BaseException | None], None]
"""Receives the result of a task, or its error."""


class LoopTask:
    """The coroutine of a state's task, on the running event loop.

    Args:
        coroutine: not started yet.
        name: name of the asyncio task.
        bring: receives the outcome, on the loop's thread; not if the task was cancelled by ``cancel``.
        tasks: holds the asyncio task until it has ended.
    """

    __slots__ = ("_bring", "_cancelled", "_loop", "_task", "_tasks")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        name: str,
        bring: Outcome,
        tasks: set[asyncio.Task[Any]],
    ) -> None:
        self._bring = bring
        self._cancelled = False
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(coroutine, name=name, context=context_for_task())
        tasks.add(self._task)
        self._task.add_done_callback(self._done)

    def cancel(self) -> None:
        """Cancel the task; may be called on any thread."""
        self._cancelled = True
        # A closed loop runs no tasks.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._task.cancel)

    def is_alive(self) -> bool:
        """Return whether the coroutine still runs."""
        return not self._task.done()

    def is_late(self) -> bool:
        """Return False: it occupies no thread."""
        return False

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            if not self._cancelled:
                self._bring(None, asyncio.CancelledError())
            return
        error = task.exception()
        if error is None:
            self._bring(task.result(), None)
        else:
            self._bring(None, error)
