"""Steps of a chart whose handlers may be awaitable: ordinary steps that can pause and resume."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from time import time_ns
from types import coroutine
from typing import Any, NoReturn

from farscope.engine.breakdown import failed, forgotten, unrecorded
from farscope.engine.core.current_step import per_thread
from farscope.engine.core.step_cache import Branches, Place, Rest
from farscope.engine.core.step_runner import START
from farscope.engine.definition.declared import Chart
from farscope.engine.definition.handlers import Call
from farscope.engine.event import Event
from farscope.errors import Invariant
from farscope.records.step import Cause


class Paused(BaseException):
    """A handler's answer must be awaited; the step then resumes from where it is."""

    def __init__(self, answer: Awaitable[Any], place: Place, target: object) -> None:
        super().__init__(answer, place, target)
        self.answer = answer
        self.place = place
        self.target = target
        """The target that the handler wrote before it returned the answer."""


class AwaitingStepper(Chart):
    """The part of an ``AsyncChart`` that runs steps.

    ``Stepper`` follows a step until a handler returns an awaitable instead of a status. There the step
    pauses. When the answer is known, the step is followed again from that place, as if the handler had
    returned the answer immediately. The cached steps are the same either way.
    """

    __slots__ = ("_going_on", "_recorded")

    def __init__(self, name: str | None, instrumented: bool | None, **options: Any) -> None:
        super().__init__(name, instrumented, **options)
        self._going_on = False
        """Whether one of the chart's own handlers is running now, rather than waiting."""
        self._recorded = False
        """Whether the running step is recorded."""

    async def _make(self, e: Event, roots: Branches | None, cause: Cause | None, posted_ns: int) -> None:
        """Run one step about ``e``, as ``Stepper`` does, and wait where a handler waits."""
        if roots is None:
            raise Invariant(f"chart {self._name} began a step while it could not")
        self._roots = None
        self._recorded = recorded = self._observers.wanted
        if recorded and self._refused:
            self._note_refused()
        begin_ns = time_ns()
        posted = posted_ns, cause
        try:
            if recorded and e is START:
                self._announce()
            shape, self._leaf, after, texts = await self._follow_on(e, roots)
        except BaseException as error:
            if self._is_over:
                # The watchers have been notified of the chart's end.
                raise
            # After a failed start there is no state in which a step could begin.
            self._roots = None if self._leaf is None else roots
            blamed = failed(self, e, error, begin_ns, posted) if recorded else forgotten(self, error)
            raise blamed  # noqa: B904 - it is that error, or has it as its cause
        self._roots = after
        if recorded:
            try:
                self._record(shape, begin_ns, *posted, self._take_texts(texts) if self._texts else ())
            except BaseException as error:  # noqa: BLE001 - re-raised
                if e is START:
                    self._leaf = self._roots = None
                blamed = unrecorded(self, e, error, begin_ns, posted)
                raise blamed  # noqa: B904 - same

    async def _follow_on(self, e: Event, branches: Branches) -> Rest:
        """Follow a step to its end, resuming after each pause as if the handler had answered immediately."""
        while True:
            try:
                rest: Rest = self._slice(self._follow, e, branches)
            except Paused as paused:
                # The error itself is not kept: its traceback refers to this frame, and so to the chart.
                given, place, target = paused.answer, paused.place, paused.target
            else:
                return rest
            # Leaving a step clears its place; here the step is only paused.
            self._place, self._temp.fun = place, target
            answer = await self._within(given)
            if self._walk is not None:
                # The step is walked again, using what has been cached of it so far.
                self._walk.give_up()
                self._walk = None
            branches = {e.signal: (_giving(answer, self._temp.fun), None, place)}

    def _pause(self, answer: Any) -> NoReturn:
        if self._place is None:
            raise Invariant("an answer has to be awaited, and no handler gave it")
        raise Paused(answer, self._place, self._temp.fun)

    def _slice(self, act: Any, *arguments: Any) -> Any:
        """Call ``act`` as part of the running step."""
        cell = per_thread.cell
        outer = cell.here
        if self._recorded:
            cell.here = self._here
            self._here.outer = outer
        self._going_on = True
        try:
            return act(*arguments)
        finally:
            self._going_on = False
            cell.here = outer

    @coroutine
    def _within(self, answer: Awaitable[Any]) -> Generator[Any, Any, Any]:
        """Await ``answer``; only the code that runs between its waits belongs to the step."""
        awaiting = _awaited(answer)
        act, argument = awaiting.send, None
        while True:
            try:
                waits_for = self._slice(act, argument)
            except StopIteration as stop:
                return stop.value
            try:
                act, argument = awaiting.send, (yield waits_for)
            except BaseException as error:  # noqa: BLE001 - a cancellation, mostly: it belongs to the handler
                act, argument = awaiting.throw, error


def _giving(answer: object, target: object) -> Call:
    """Return a handler that returns ``answer`` immediately."""

    def give(chart: Any, _e: Event) -> Any:
        chart._temp.fun = target  # noqa: SLF001 - as handlers do
        return answer

    return give


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer
