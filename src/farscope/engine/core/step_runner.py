"""The run-to-completion step: follows the step cache, extends it where needed, and leaves one record."""

from __future__ import annotations

import traceback
from time import time_ns
from typing import Any

from farscope.engine.breakdown import failed, forgotten, unrecorded
from farscope.engine.core.algorithm import START_SIGNAL, Made, Walk
from farscope.engine.core.current_step import per_thread
from farscope.engine.core.notebook import bounded
from farscope.engine.core.recorder import RING_STEPS
from farscope.engine.core.reserved import held_by, refuse_taken_in
from farscope.engine.core.slow_path import Walker
from farscope.engine.core.step_cache import Branches, Memo, Rest
from farscope.engine.event import TRAN, Event
from farscope.errors import AlreadyStarted, ChartError, ChartStopped, NotStarted
from farscope.records.step import Cause

DIRECT = 0
"""Stands for the posting time of an event that never waited, or whose post was not recorded."""

REFUSED_BY_THE_END: Made = (0, "", "")
"""Marks a stopped chart, among its refused posts."""

START = Event(START_SIGNAL)
"""The event of the first step."""


class Stepper(Walker):
    """The part of a chart that runs steps. Only one thread at a time may run steps of a chart."""

    __slots__ = ("_cell", "_is_over", "_roots", "_stopped", "_told_number")

    def __init__(self, name: str | None, *, instrumented: bool | None, ring_size: int = RING_STEPS) -> None:
        super().__init__(name, instrumented=instrumented, ring_size=ring_size)
        self._roots: Branches | None = None
        """The cached steps from the resting state. None when no step may begin: before the start, while a
        step runs, and after the end."""
        self._stopped = False
        self._is_over = False
        """Whether watchers have been notified of the stop, possibly during the last step."""
        self._cell = per_thread.cell
        """The cell of the thread that ran the last step."""
        self._told_number = 0
        """Number of the last step that was recorded as failed."""

    def _run(self, e: Event, cause: Cause | None, posted_ns: int) -> None:
        """Run one step about ``e``."""
        if not self._observers.wanted:
            self._run_unrecorded(e)
            return
        here = self._here
        cell = self._cell
        if not cell.owner._is_owned():  # noqa: SLF001 - see Cell
            cell = self._cell = per_thread.cell
        begin_ns = time_ns()
        outer = cell.here
        roots = self._roots
        if roots is None:
            raise self._not_ready()
        # Nothing may come between here and the try: whatever is raised, thread and chart are restored.
        self._roots = None
        cell.here = here
        here.outer = outer
        try:
            if self._refused:
                self._note_refused()
            shape, self._leaf, after, texts = self._follow(e, roots)
        except BaseException as error:  # noqa: BLE001 - re-raised
            cell.here = outer
            blamed = error
            try:
                if not self._is_over:
                    blamed = failed(self, e, error, begin_ns, (posted_ns, cause))
            finally:
                self._be_ready(roots)
            raise blamed  # noqa: B904 - it is that error, or has it as its cause
        cell.here = outer
        # Nor may anything come between these two.
        try:
            self._record(shape, begin_ns, posted_ns, cause, self._take_texts(texts) if self._texts else ())
        except BaseException as error:  # noqa: BLE001 - re-raised
            try:
                blamed = unrecorded(self, e, error, begin_ns, (posted_ns, cause))
            finally:
                self._be_ready(after)
            raise blamed  # noqa: B904 - same
        self._roots = after
        if self._stopped:
            self._end()

    def _run_unrecorded(self, e: Event) -> None:
        roots = self._roots
        if roots is None:
            raise self._not_ready()
        self._roots = None
        if self._is_over:
            raise self._ended()
        try:
            _, self._leaf, self._roots, _ = self._follow(e, roots)
        except BaseException as error:  # noqa: BLE001 - re-raised
            try:
                blamed = forgotten(self, error)
            finally:
                self._be_ready(roots)
            raise blamed  # noqa: B904 - it is that error, or has it as its cause
        if self._stopped:
            self._end()

    def _note_refused(self) -> None:
        if self._is_over:
            # The chart was stopped when this step was about to begin.
            raise self._ended()
        super()._note_refused()

    def _be_ready(self, roots: Branches) -> None:
        """Get ready for the next step, which begins at ``roots``, or for the end if the chart was stopped."""
        self._roots = roots
        if self._stopped:
            self._end()

    def _follow(self, e: Event, roots: Branches) -> Rest:
        """Call the handlers for ``e``; the caller sets the state in which the chart then rests."""
        temp = self._temp
        made = self._made
        rest: Any
        status: Any
        try:
            call, rest, place = roots[e.signal]
        except KeyError:
            call = rest = None
        while call is not None:
            self._place = place
            # Otherwise a handler that names no target would reuse the target of the handler before it.
            temp.fun = place.fn
            # Until the end is reached, ``rest`` is the inner event, or None for the step's own event.
            status = call(self, e if rest is None else rest)
            try:
                if made:
                    # Not by ``tuple(made)``: see ``_take_made``.
                    facts = (*made,)
                    key = status, temp.fun if status == TRAN else None, facts
                    call, rest, place = place.told[key]
                    # Not all of them: a finalizer that posts may have added another one in the meantime.
                    del made[: len(facts)]
                elif status is TRAN:
                    call, rest, place = place.targets[temp.fun]
                else:
                    call, rest, place = place.answers[status]
            except (KeyError, TypeError):
                rest = None
                break
        if rest is None:
            # Not inside the except: a handler's error would be reported as raised while handling the
            # lookup's.
            rest = self._explore(e, roots) if self._place is None else self._learn(e, status)
            place = rest[1].fn
        self._place = None
        # After the last node this is the state in which the chart rests.
        temp.fun = place
        return rest  # type: ignore[no-any-return]

    def _start(self, target: Any) -> None:
        """Run the first step: enter ``target`` and rest where its initial transitions lead."""
        self._prepare_start(target)
        here = self._here
        cell = per_thread.cell
        outer = cell.here
        recorded = self._observers.wanted
        cause = outer.cause() if outer is not None else None
        begin_ns = time_ns()
        if recorded:
            cell.here = here
            here.outer = outer
        try:
            if recorded:
                self._announce()
            if recorded and self._refused:
                self._note_refused()
            shape, self._leaf, after, texts = self._follow(START, self._states.starts_at(self._goal))
        except BaseException as error:  # noqa: BLE001 - re-raised
            cell.here = outer
            blamed = self._fail_start(error, begin_ns if recorded else 0, cause)
            raise blamed  # noqa: B904 - it is that error, or has it as its cause
        cell.here = outer
        roots: Branches | None = after
        try:
            if recorded:
                self._record(shape, begin_ns, DIRECT, cause, self._take_texts(texts))
        except BaseException as error:  # noqa: BLE001 - re-raised
            self._leaf = roots = None
            blamed = unrecorded(self, START, error, begin_ns, (DIRECT, cause))
            raise blamed  # noqa: B904 - same
        finally:
            self._roots = roots
            self._goal = None
            if self._stopped:
                self._end()

    def _prepare_start(self, target: Any) -> None:
        if self._goal is not None or self._stopped or self._leaf is not None:
            raise AlreadyStarted(f"chart {self._name} was started before", "make a new chart for a new start")
        refuse_taken_in(self)
        goal = self._resolve(target, f"the start of chart {self._name}")
        if not self._is_named:
            self._name = self._name_after(goal)
        self._id = self._make_id()
        self._goal = goal
        self._held = held_by(self)

    def _fail_start(self, error: BaseException, begin_ns: int, cause: Cause | None) -> BaseException:
        """Record that the start failed, if ``begin_ns`` says when it began; return the error to raise."""
        posted = (DIRECT, cause)
        blamed = failed(self, START, error, begin_ns, posted) if begin_ns else forgotten(self, error)
        self._roots = None
        self._goal = None
        if self._stopped:
            self._end()
        return blamed

    def _fail(
        self, walk: Walk, error: BaseException, begin_ns: int, posted: tuple[int, Cause | None]
    ) -> None:
        """Record the step that ``error`` ended; the chart stays in the state in which it rested before.

        Exits and entries already made are not undone; the record and a note on the error say so.
        """
        undone = walk.left_undone()
        if undone:
            error.add_note(undone)
        walk.add(self._take_made())
        shape = self._memo.interned(walk.failed())
        walk.give_up()
        text = "".join(traceback.format_exception(error))
        texts = (*self._take_texts(len(self._texts)), bounded(text, tail=True))
        self._forget_failed()
        self._record(shape, begin_ns, *posted, texts)

    def _end(self) -> None:
        """Notify watchers that the chart was stopped, and release what only steps need.

        The cached states of a chart of methods refer back to the chart: if they stayed, only the garbage
        collector could free the chart.
        """
        self._roots = None
        if self._is_over:
            return
        self._is_over = True
        self._held = None
        self._report_end()
        # A step that was about to begin notices it there, without a separate check.
        self._refused[REFUSED_BY_THE_END] = None
        self._queue.clear()
        self._deferred.clear()
        self._memo = Memo()
        self._states.release(self)
        if self._leaf is not None:
            self._temp.fun = self._leaf.fn

    def _is_busy(self) -> bool:
        """Return whether a step is running, including the first one."""
        return self._goal is not None or (self._leaf is not None and self._roots is None)

    def _ended(self) -> ChartStopped:
        return ChartStopped(f"chart {self._name} was stopped", "make and start a new chart")

    def _not_ready(self) -> ChartError:
        if self._stopped:
            return self._ended()
        if self._leaf is None:
            return NotStarted(f"chart {self._name} was not started", "call chart.start_at(STATE) first")
        return ChartError(
            f"chart {self._name} is in the middle of a step",
            "a step runs to its end before the next begins: post the event instead of dispatching it",
            state=self._leaf.name,
        )
