"""The run-to-completion step: follows what is remembered, learns what is not, and leaves one record."""

from __future__ import annotations

import traceback
from inspect import isawaitable, iscoroutine
from time import time_ns
from typing import Any, NoReturn

from farscope.engine.event import TRAN, Event
from farscope.engine.here import per_thread
from farscope.engine.memo import Branches, Memo, Place, Rest, key_of, outcome_of
from farscope.engine.notebook import Notebook, bounded
from farscope.engine.recorder import RING_STEPS
from farscope.engine.reserved import refuse_taken_in
from farscope.engine.states import State, States
from farscope.engine.walk import START_SIGNAL, TOP, Walk
from farscope.errors import AlreadyStarted, ChartError, ChartStopped, Invariant, NoStatus, NotStarted
from farscope.records.step import Cause

DIRECT = 0
"""Stands for the time of posting of an event that never waited, or was posted unrecorded."""

DISPATCHER = Cause(0, 0)
"""Stands for the cause of an event that was dispatched directly: the step, if any, that dispatched it."""

START = Event(START_SIGNAL)
"""The event of the first step."""


class Stepper(Notebook):
    """The part of a chart that makes steps. Only one thread at a time may make steps of a chart."""

    __slots__ = ("_goal", "_memo", "_place", "_roots", "_states", "_stopped", "_walk")

    def __init__(self, name: str | None, *, instrumented: bool, ring_size: int = RING_STEPS) -> None:
        super().__init__(name, instrumented=instrumented, ring_size=ring_size)
        self._states = States()
        self._memo = Memo()
        self._roots: Branches | None = None
        """What is remembered of steps from the resting state. None when no step may begin: before
        the start, while one runs, and after the end."""
        self._goal: State | None = None
        """Where the start leads, while it is made."""
        self._stopped = False
        self._place: Place | None = None
        """Where in the memory the handler stands that runs now."""
        self._walk: Walk | None = None
        """The walk of a step that leaves what is remembered."""

    def _run(self, e: Event, cause: Cause | None, posted_ns: int) -> None:
        """Make one step about ``e``."""
        roots = self._roots
        if roots is None or self._stopped:
            raise self._not_ready()
        if not self._recording:
            self._follow(e, roots)
            return
        here = self._here
        cell = per_thread.cell
        outer = cell.here
        if cause is DISPATCHER:
            cause = None if outer is None else outer.cause()
        cell.here = here
        here.outer = outer
        here.number = self._number + 1
        if self._refused:
            self._note_refused()
        begin_ns = time_ns()
        try:
            shape, _, _, texts = self._follow(e, roots)
        except BaseException as error:
            walk = self._replayed(e)
            cell.here = outer
            here.number = 0
            self._fail(walk, error, begin_ns, (posted_ns, cause))
            raise
        cell.here = outer
        here.number = 0
        self._record(shape, begin_ns, posted_ns, cause, self._take_texts(texts) if self._texts else ())
        if self._stopped:
            self._end()  # type: ignore[unreachable]  # a handler may have stopped the chart

    def _follow(self, e: Event, roots: Branches) -> Rest:
        """Call what is to be called about ``e``, and rest where that leads."""
        self._roots = None
        temp = self.temp
        made = self._made
        rest: Any
        status = key = None
        try:
            try:
                call, rest, branches, self._place = roots[e.signal]
            except KeyError:
                call = rest = None
            while call is not None:
                # Until the end is reached, ``rest`` is the inner event, or None for the step's own.
                status = call(self, e if rest is None else rest)
                key = temp.fun if status == TRAN else status
                if made:
                    key = (key, tuple(made))
                    made.clear()
                try:
                    call, rest, branches, self._place = branches[key]
                except (KeyError, TypeError):
                    rest = None
                    break
            if rest is None:
                # Not inside the except: what a handler raises would be told as raised about the lookup.
                rest = self._explore(e, roots, status, key)
        except BaseException:
            self._roots = roots
            if not self._here.number:
                self._forget_failed()
            raise
        end: Rest = rest
        _, leaf, self._roots, _ = end
        self._leaf = leaf
        temp.fun = leaf.fn
        return end

    def _explore(self, e: Event, roots: Branches, status: object, key: Any) -> Rest:
        """Go on where nothing is remembered: at a root, or behind ``key`` at the present place."""
        place = self._place
        if type(status) is not int and isawaitable(status):
            self._made += key[1] if type(key) is tuple else ()
            self._pause(status)
        walk = self._walk = self._begun(e)
        if place is None:
            return self._walk_on(walk, e, roots, e.signal, ())
        for known in place.keys:
            walk.tell(*outcome_of(known))
        made = key[1] if type(key) is tuple else ()
        walk.tell(status, key[0] if made else key, made)
        return self._walk_on(walk, e, place.branches, key, (*place.keys, key))

    def _walk_on(self, walk: Walk, e: Event, branches: Branches, key: Any, keys: tuple[Any, ...]) -> Rest:
        """Follow ``walk`` to its end with real calls, and remember what comes of them."""
        temp, known = self.temp, self._states.known
        while walk.asked is not None:
            call, inner, self._place = self._memo.ask(branches, key, walk.asked, e, keys)
            branches = self._place.branches
            temp.fun = None
            status = call(self, e if inner is None else inner)
            if type(status) is not int and isawaitable(status):
                self._pause(status)
            made = tuple(self._made)
            self._made.clear()
            key = key_of(status, temp.fun, made)
            keys = (*keys, key)
            walk.tell(status, temp.fun, made)
        if walk.end is None:
            raise Invariant("a walk asks for nothing and has no end")
        self._walk = self._place = None
        if self._states.known != known:
            self._announce()
        return self._memo.rest(branches, key, walk.end)

    def _start(self, target: Any) -> None:
        """Make the first step: enter ``target`` and rest where its initial transitions lead."""
        self._prepare_start(target)
        here = self._here
        cell = per_thread.cell
        outer = cell.here
        if self._recording:
            cell.here = here
            here.outer = outer
            here.number = self._number + 1
        recorded = here.number
        cause = outer.cause() if outer is not None else None
        begin_ns = time_ns()
        try:
            shape, _, _, texts = self._follow(START, self._states.starts_at(self._goal))
        except BaseException as error:
            cell.here = outer
            self._fail_start(error, begin_ns, cause)
            raise
        cell.here = outer
        here.number = 0
        self._goal = None
        if recorded:
            self._record(shape, begin_ns, DIRECT, cause, self._take_texts(texts))
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
        if self._recording:
            self._announce()

    def _fail_start(self, error: BaseException, begin_ns: int, cause: Cause | None) -> None:
        recorded = self._here.number
        walk = self._replayed(START)
        self._here.number = 0
        self._roots = None
        if recorded:
            self._fail(walk, error, begin_ns, (DIRECT, cause))
        self._forget_failed()
        self._goal = None

    def _begun(self, e: Event) -> Walk:
        """Return the walk of the step about ``e``, begun."""
        leaf, goal = self._leaf, self._goal
        if leaf is not None:
            walk = Walk(self._resolve, e.signal, e.signal_name, leaf.name)
            walk.begin(leaf)
        elif goal is not None:
            walk = Walk(self._resolve, 0, START_SIGNAL, TOP)
            walk.begin_start(goal)
        else:
            raise Invariant("a step began in no state")
        return walk

    def _pause(self, answer: Any) -> NoReturn:
        """Leave the step for an answer that has to be awaited: here, where nobody can, it is an error."""
        if iscoroutine(answer):
            answer.close()
        name = self._place.state.name if self._place else TOP
        raise NoStatus(
            f"a handler of state {name} has to be awaited, but chart {self._name} runs on no event loop",
            "make an AsyncChart for coroutine handlers",
            state=name,
        )

    def _resolve(self, target: object, asker: str) -> State:
        made, texts = len(self._made), len(self._texts)
        state = self._states.resolve(self, target, asker)
        # What functions do when they are asked for their parents happens once: it is no part of a step.
        del self._made[made:]
        del self._texts[texts:]
        return state

    def _replayed(self, e: Event) -> Walk:
        """Return the walk of the step that failed, as far as it came."""
        if self._walk is not None:
            return self._walk
        walk = self._begun(e)
        if self._place is not None:
            for known in self._place.keys:
                walk.tell(*outcome_of(known))
        return walk

    def _fail(
        self, walk: Walk, error: BaseException, begin_ns: int, posted: tuple[int, Cause | None]
    ) -> None:
        """Record the step that ``error`` ended; the chart rests where it rested before."""
        walk.add(tuple(self._made))
        shape = self._memo.interned(walk.failed())
        walk.give_up()
        text = "".join(traceback.format_exception(error))
        texts = (*self._take_texts(len(self._texts)), bounded(text, tail=True))
        self._forget_failed()
        self._record(shape, begin_ns, *posted, texts)
        if self._stopped:
            self._end()

    def _forget_failed(self) -> None:
        if self._walk is not None:
            self._walk.give_up()
        self._walk = self._place = None
        self._made.clear()
        self._texts.clear()
        if self._leaf is not None:
            self.temp.fun = self._leaf.fn

    def _end(self) -> None:
        """Tell those who watch that the chart was stopped, and let go of what only steps need.

        What a chart of methods remembers of its states leads back to the chart: if it stayed, only
        the garbage collector could free the chart.
        """
        self._say_stopped()
        self._queue.clear()
        self._deferred.clear()
        self._roots = None
        self._memo = Memo()
        self._states.release(self)
        if self._leaf is not None:
            self.temp.fun = self._leaf.fn

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
