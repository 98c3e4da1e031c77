"""Steps whose handlers may be awaitable: ordinary steps that can pause and resume."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextvars import Token
from threading import get_ident
from time import time_ns
from types import coroutine
from typing import Any, NoReturn, TypeVar

from farscope.engine.core.breakdown import Attempt, failed, forgotten, unrecorded
from farscope.engine.core.cached_walk import CachedWalk
from farscope.engine.core.completions import completions
from farscope.engine.core.core import START, Core
from farscope.engine.core.handlers import Call
from farscope.engine.core.life import Life
from farscope.engine.core.mailbox import Posted
from farscope.engine.core.step_cache import Branches, CacheNode, Rest
from farscope.engine.event import Event
from farscope.errors import Invariant
from farscope.records.carried_cause import CarriedCause, carry, carry_no_longer
from farscope.records.current_step import enter_step, leave_step, running

_Result = TypeVar("_Result")


class Paused(BaseException):
    """A handler's answer must be awaited; the step then resumes from where it is."""

    def __init__(self, answer: Awaitable[Any], place: CacheNode, target: object) -> None:
        super().__init__(answer, place, target)
        self.answer = answer
        self.place = place
        self.target = target
        """The target that the handler wrote before it returned the answer."""


class AwaitingSteps:
    """Runs the steps of one chart as its core does, and waits where a handler waits.

    A step is followed until a handler returns an awaitable instead of a status. There the step pauses. When
    the answer is known, the step is followed again from that place, as if the handler had returned the answer
    immediately. The cached steps are the same either way.
    """

    __slots__ = ("_recorded", "going_on")

    def __init__(self) -> None:
        self._recorded = False
        """Whether the running step is recorded."""
        self.going_on = False
        """Whether one of the chart's own handlers is running now, rather than waiting."""

    async def run(self, chart: Any, core: Core, item: Posted) -> None:
        """Run one step about ``item``, or the start, which must have been prepared."""
        e, cause, posted_ns = item
        starts = e is START
        if core.life is not (Life.STARTING if starts else Life.RESTING):
            raise Invariant(f"chart {core.name} began a step while it could not")
        if not starts:
            core.life = Life.STEPPING
        self._recorded = recorded = core.observers.wanted
        core.context.caused = cause
        if recorded and core.step.refused:
            core.step.note_refused()
        begin_ns = time_ns()
        attempt = Attempt(e, begin_ns, posted_ns, cause)
        try:
            if recorded and starts:
                core.algorithm.announce()
            algorithm = core.algorithm
            shape, algorithm.leaf, algorithm.roots, texts = await self._follow(chart, core, e)
        except BaseException as error:
            if core.life in (Life.STOPPING, Life.ENDED):
                # The watchers have been notified of the chart's end.
                raise
            # After a failed start there is no state in which a step could begin.
            core.life = Life.NEW if starts else Life.RESTING
            blamed = failed(core, chart, error, attempt) if recorded else forgotten(core, chart, error)
            raise blamed  # noqa: B904 - it is that error, or has it as its cause
        core.life = Life.RESTING
        if recorded:
            try:
                texts_taken = core.step.take_texts(texts) if core.step.texts else ()
                core.recorder.record(shape, begin_ns, posted_ns, cause, texts_taken, chart, e)
            except BaseException as error:  # noqa: BLE001 - re-raised
                if starts:
                    core.algorithm.rewind()
                    core.life = Life.NEW
                blamed = unrecorded(core, chart, error, attempt)
                raise blamed  # noqa: B904 - same

    async def follow_up(self, chart: Any, core: Core) -> None:
        """Process completions as the core does, and end the chart if it has finished."""
        failure: BaseException | None = None
        core.completing = True
        try:
            for item in completions(core):
                place = core.algorithm.leaf
                try:
                    await self.run(chart, core, item)
                except BaseException as error:
                    core.algorithm.skip_completion(place)
                    if not isinstance(error, Exception):
                        raise
                    failure = failure or error
        finally:
            core.completing = False
        core.end_if_finished(chart)
        if failure is not None:
            core.failed_number = core.context.number
            raise failure

    async def _follow(self, chart: Any, core: Core, e: Event) -> Rest:
        """Follow a step to its end, resuming after each pause as if the handler had answered immediately."""
        algorithm = core.algorithm
        roots: Branches = algorithm.roots
        while True:
            try:
                return self._slice(core, algorithm.follow, chart, e, roots)
            except Paused as paused:
                # The error itself is not kept: its traceback refers to this frame, and so to the chart.
                given, place, target = paused.answer, paused.place, paused.target
            algorithm.stay(place, target)
            answer = await self._within(core, given)
            algorithm.resume()
            roots = {e.signal: (_giving(answer, algorithm.temp.fun), None, place)}

    def _slice(self, core: Core, act: Callable[..., _Result], *arguments: Any) -> _Result:
        """Call ``act`` as part of the running step."""
        ident = get_ident()
        outer = enter_step(ident, core.context) if self._recorded else running.get(ident)
        self.going_on = True
        try:
            return act(*arguments)
        finally:
            self.going_on = False
            leave_step(ident, outer)

    @coroutine
    def _within(self, core: Core, answer: Awaitable[Any]) -> Generator[Any, Any, Any]:
        """Await ``answer``; only the code that runs between its waits belongs to the step."""
        awaiting = _awaited(answer)
        act: Callable[[Any], Any] = awaiting.send
        argument: Any = None
        # For the tasks that the handler starts, which run between its own slices, or after the step.
        carried = self._carry_to_tasks(core)
        try:
            while True:
                try:
                    waits_for = self._slice(core, act, argument)
                except StopIteration as stop:
                    return stop.value
                try:
                    act, argument = awaiting.send, (yield waits_for)
                except BaseException as error:  # noqa: BLE001 - a cancellation, mostly: it belongs to the handler
                    act, argument = awaiting.throw, error
        finally:
            if carried is not None:
                carry_no_longer(carried)

    def _carry_to_tasks(self, core: Core) -> Token[CarriedCause | None] | None:
        if not self._recorded:
            return None
        context = core.context
        return carry(CarriedCause(context.cause(), context, get_ident()))


def pause(algorithm: CachedWalk, _chart: Any, answer: Any) -> NoReturn:
    """Leave a step at a handler whose answer must be awaited."""
    if algorithm.place is None:
        raise Invariant("an answer has to be awaited, and no handler gave it")
    raise Paused(answer, algorithm.place, algorithm.temp.fun)


def _giving(answer: object, target: object) -> Call:
    """Return a handler that returns ``answer`` immediately."""

    def give(chart: Any, _e: Event) -> Any:
        chart._core.temp.fun = target  # noqa: SLF001 - as handlers do
        return answer

    return give


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer
