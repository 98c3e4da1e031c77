"""Tasks that belong to a state: a coroutine on the chart's event loop, or a function on a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from inspect import isawaitable, iscoroutine
from typing import Any, Protocol

from farscope.engine.core.handlers import name_of, takes
from farscope.engine.latch import Latch
from farscope.errors import ChartError

MAX_LATE_THREADS = 4
"""Maximum number of threads per chart whose tasks were cancelled and still run. Beyond it, no other task is
started on a thread; the chart receives that as the task's error."""

Outcome = Callable[[object, BaseException | None], None]
"""Receives the result of a task, or its error."""


class Cancellation:
    """Whether a task is to end, because the chart has left the state to which it belongs, or was stopped.

    All methods may be called from any thread. A task that runs on a thread is passed one, and must check it
    now and then: nothing else ends the thread.
    """

    __slots__ = ("_latch",)

    def __init__(self) -> None:
        self._latch = Latch()

    def is_set(self) -> bool:
        """Return whether the task is to end."""
        return self._latch.is_open

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait up to ``timeout_s`` seconds until the task is to end; return whether it is."""
        return self._latch.wait(timeout_s)

    def set(self) -> None:
        """Let the task end."""
        self._latch.open()


class Run(Protocol):
    """A task that has been started."""

    def cancel(self) -> None:
        """Let it end; has no effect if it has ended."""

    def is_alive(self) -> bool:
        """Return whether it still runs."""

    def is_late(self) -> bool:
        """Return whether it was cancelled and still occupies a thread."""


class _Kind(Protocol):
    """A task as it was declared: see ``stays.Work``."""

    @property
    def function(self) -> Callable[..., Any]: ...
    @property
    def awaits(self) -> bool: ...


def start(chart: Any, state: str, work: _Kind, bring: Outcome, others: list[Run]) -> Run:
    """Start the task of a state, pass its outcome to ``bring``, and add it to the chart's ``others``."""
    others[:] = [run for run in others if run.is_alive()]
    run: Run
    if work.awaits:
        run = chart._driver.run_coroutine(work.function(chart), f"{chart._core.name}: task of {state}", bring)  # noqa: SLF001 - a chart's own
    else:
        late = sum(run.is_late() for run in others)
        run = ThreadRun(chart, state, work.function, bring, late)
    others.append(run)
    return run


def _has_to_be_awaited(function: Callable[..., Any], result: object) -> ChartError:
    if iscoroutine(result):
        result.close()
    return ChartError(
        f"the result of {name_of(function)}, a task on a thread, has to be awaited",
        "make it a coroutine function of an AsyncChart, without a decorator that hides this",
    )


class ThreadRun:
    """A task on a daemon thread."""

    __slots__ = ("_cancellation", "_running", "thread")

    def __init__(
        self, chart: Any, state: str, function: Callable[..., Any], bring: Outcome, late: int
    ) -> None:
        """``late`` is the number of threads of other tasks that were cancelled and still run."""
        self._cancellation = Cancellation()
        name = chart._core.name  # noqa: SLF001 - a chart's own
        self.thread = threading.Thread(
            target=self._live, args=(chart, function, bring), name=f"{name}: task of {state}", daemon=True
        )
        if late >= MAX_LATE_THREADS:
            error = ChartError(
                f"{late} cancelled tasks of chart {name} still run, so that of state {state} was not started",
                "let a task check its cancellation, and return when it is set",
                state=state,
            )
            bring(None, error)
            return
        try:
            self.thread.start()
        except RuntimeError as error:
            # The system cannot start a thread.
            bring(None, error)

    def cancel(self) -> None:
        """Ask the task to end; its thread goes on until it does."""
        self._cancellation.set()

    def is_alive(self) -> bool:
        """Return whether the thread still runs."""
        return self.thread.is_alive()

    def is_late(self) -> bool:
        """Return whether the task was cancelled and its thread still runs."""
        return self._cancellation.is_set() and self.thread.is_alive()

    def _live(self, chart: Any, function: Callable[..., Any], bring: Outcome) -> None:
        try:
            result = function(chart, self._cancellation) if takes(function, 2) else function(chart)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the chart receives it
            bring(None, error)
        else:
            if isawaitable(result):
                bring(None, _has_to_be_awaited(function, result))
            else:
                bring(result, None)
