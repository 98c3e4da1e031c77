"""The run-to-completion step: walks what is remembered, learns what is not, and leaves one record."""

from __future__ import annotations

import traceback
from collections import deque
from time import time_ns
from typing import Any

from farscope.engine.event import IGNORED, TRAN, Event
from farscope.engine.here import Here, present
from farscope.engine.memo import Branches, Memo, Place, Rest, key_of, outcome_of
from farscope.engine.recorder import Recorder
from farscope.engine.states import State, States
from farscope.engine.walk import MAX_FACTS, START_SIGNAL, TOP, Made, Walk
from farscope.errors import AlreadyStarted, ChartError, ChartStopped, Invariant, NotStarted
from farscope.records.facts import FactKind
from farscope.records.shape import Shape
from farscope.records.step import Cause, RawStep

MAX_TEXT = 4_000
"""Characters kept of one free text or traceback; of a longer one a note says how much is missing."""

DIRECT = -1
"""Stands for the time of posting of an event that was dispatched directly."""

_CUT = int(FactKind.CUT)
_SCRIBBLE = int(FactKind.SCRIBBLE)

_START = Event(START_SIGNAL)

Posted = tuple[Event, Cause | None, int]
"""An event in a queue: with the step that posted it, and when, in nanoseconds since the epoch."""


class Temp:
    """What a handler writes where it wants to go: ``fun`` is a target, or the state around its own."""

    __slots__ = ("fun",)

    def __init__(self) -> None:
        self.fun: Any = None


class Stepper(Recorder):
    """The part of a chart that makes steps. Only one thread at a time may make steps of a chart."""

    __slots__ = (
        "_deferred",
        "_made",
        "_memo",
        "_place",
        "_queue",
        "_roots",
        "_states",
        "_stopped",
        "_texts",
        "_walk",
        "temp",
    )

    def __init__(self, name: str | None, *, instrumented: bool) -> None:
        super().__init__(name, instrumented=instrumented)
        self.temp = Temp()
        self._states = States(self)
        self._memo = Memo()
        self._roots: dict[int, Any] | None = None
        """Roots of the steps from the resting state; None when no step may begin: before the start,
        while one runs, and after the end."""
        self._stopped = False
        self._made: list[Made] = []
        self._texts: list[str] = []
        self._walk: Walk | None = None
        self._place: Place | None = None
        self._queue: deque[Posted] = deque()
        self._deferred: deque[Event] = deque()

    def top(self, *_: Any) -> int:
        """The outside of all states: what an outermost state function names as its parent."""
        return IGNORED

    def trans(self, state: Any) -> int:
        """Make ``state`` the target of a transition; the handler returns what this returns."""
        self.temp.fun = state
        return TRAN

    def scribble(self, text: object) -> None:
        """Leave a free text in the step that runs now. Outside a step, or unrecorded, it leaves nothing."""
        if self._here.number:
            words = str(text)
            if self._note(_SCRIBBLE, ""):
                self._texts.append(bounded(words))

    def _note(self, kind: int, name: str, detail: str = "") -> bool:
        """Leave a fact made by the handler that runs now; return whether it was kept."""
        made = self._made
        if len(made) < MAX_FACTS:
            made.append((kind, name, detail))
            return True
        if len(made) == MAX_FACTS:
            made.append((_CUT, "", "0"))
        made[MAX_FACTS] = (_CUT, "", str(int(made[MAX_FACTS][2]) + 1))
        return False

    def _run(self, e: Event, cause: Cause | None, posted_ns: int) -> None:
        """Make one step about ``e``."""
        roots = self._roots
        if roots is None:
            raise self._not_ready()
        if not self._recording:
            self._follow(e, roots)
            return
        here = self._here
        outer = present.get()
        if outer is not here:
            present.set(here)
            if outer.number and posted_ns == DIRECT:
                cause = outer.cause()
        number = here.number = self._number + 1
        begin_ns = time_ns()
        try:
            shape, _, _, texts = self._follow(e, roots)
        except BaseException as error:
            self._fail(self._replayed(e), error, begin_ns, posted_ns, cause)
            self._leave(outer)
            raise
        duration_ns = time_ns() - begin_ns
        here.number = 0
        if outer.number:
            present.set(outer)
        step: RawStep = (
            self._id,
            number,
            shape,
            begin_ns,
            # The wall clock may be set back at any moment.
            max(0, duration_ns),
            len(self._queue),
            len(self._deferred),
            begin_ns - posted_ns if 0 < posted_ns < begin_ns else 0,
            cause,
            self._take_texts(texts) if self._texts else (),
        )
        self._number = number
        self._steps.append(step)
        if shape.traced:
            self._traces += 1
            self._traced.append(step)
        if self._observers:
            self._tell(step)

    def _follow(self, e: Event, roots: Branches) -> Rest:
        """Call what is to be called about ``e``, and rest where that leads."""
        self._roots = None
        temp = self.temp
        made = self._made
        place: Place | None = None
        rest: Any
        try:
            try:
                call, rest, branches, place = roots[e.signal]
            except KeyError:
                call, rest = None, self._explore(e, roots, None, None, None)
            while call is not None:
                # Until the end is reached, ``rest`` is the inner event, or None for the step's own.
                status = call(self, e if rest is None else rest)
                key = temp.fun if status == TRAN else status
                if made:
                    key = (key, tuple(made))
                    made.clear()
                try:
                    call, rest, branches, place = branches[key]
                except (KeyError, TypeError):
                    rest = self._explore(e, roots, place, status, key)
                    break
        except BaseException:
            self._roots = roots
            self._place = place
            raise
        end: Rest = rest
        _, leaf, self._roots, _ = end
        self._leaf = leaf
        temp.fun = leaf.fn
        return end

    def _explore(self, e: Event, roots: Branches, place: Place | None, status: object, key: Any) -> Rest:
        """Go on where nothing is remembered: behind ``key`` at ``place``, or at a root if that is None."""
        leaf = self._leaf
        if leaf is None:
            raise Invariant("a step began in no state")
        walk = self._walk = self._new_walk(e.signal, e.signal_name)
        walk.begin(leaf)
        if place is None:
            return self._walk_on(walk, e, roots, e.signal, ())
        for known in place.keys:
            walk.tell(*outcome_of(known))
        made = key[1] if type(key) is tuple else ()
        walk.tell(status, key[0] if made else key, made)
        return self._walk_on(walk, e, place.branches, key, (*place.keys, key))

    def _walk_on(self, walk: Walk, e: Event, branches: Branches, key: Any, keys: tuple[Any, ...]) -> Rest:
        """Follow ``walk`` to its end with real calls, and remember what comes of them."""
        temp = self.temp
        known = self._states.known
        while walk.asked is not None:
            call, inner, below = self._memo.ask(branches, key, walk.asked, e, keys)
            temp.fun = None
            status = call(self, e if inner is None else inner)
            made = tuple(self._made)
            self._made.clear()
            walk.tell(status, temp.fun if status == TRAN else None, made)
            branches, key = below, key_of(status, temp.fun, made)
            keys = (*keys, key)
        if walk.end is None:
            raise Invariant("a walk asks for nothing and has no end")
        self._walk = None
        if self._states.known != known:
            self._announce()
        return self._memo.rest(branches, key, walk.end)

    def _start(self, target: Any) -> None:
        """Make the first step: enter ``target`` and rest where its initial transitions lead."""
        if self._leaf is not None or self._stopped:
            raise AlreadyStarted(f"chart {self._name} was started before", "make a new chart for a new start")
        recording = self._recording
        here = self._here
        outer = present.get()
        self._id = self._make_id()
        state = self._resolve(target, f"the start of chart {self._name}")
        begin_ns = time_ns()
        if recording:
            self._announce()
            present.set(here)
            here.number = self._number + 1
        walk = self._walk = self._new_walk(0, START_SIGNAL)
        cause = outer.cause() if outer.number else None
        try:
            walk.begin_start(state)
            rest = self._walk_on(walk, _START, {}, START_SIGNAL, ())
        except BaseException as error:
            self._walk = None
            if recording:
                self._fail(walk, error, begin_ns, DIRECT, cause)
                self._leave(outer)
            raise
        shape, self._leaf, self._roots, texts = rest
        self.temp.fun = self._leaf.fn
        if recording:
            self._leave(outer)
            self._record(shape, begin_ns, DIRECT, cause, self._take_texts(texts))

    def _new_walk(self, signal: int, signal_name: str) -> Walk:
        leaf = self._leaf
        return Walk(self._resolve, signal, signal_name, leaf.name if leaf else TOP)

    def _resolve(self, target: object, asker: str) -> State:
        texts = len(self._texts)
        state = self._states.resolve(self, target, asker)
        # What functions do when they are asked for their parents happens once, so it is no part of a step.
        self._made.clear()
        del self._texts[texts:]
        return state

    def _replayed(self, e: Event) -> Walk:
        """Return the walk of the step that failed, as far as it came."""
        walk, self._walk = self._walk, None
        place, self._place = self._place, None
        if walk is not None:
            return walk
        walk = self._new_walk(e.signal, e.signal_name)
        if self._leaf is not None and place is not None:
            walk.begin(self._leaf)
            for known in place.keys:
                walk.tell(*outcome_of(known))
        return walk

    def _fail(
        self, walk: Walk, error: BaseException, begin_ns: int, posted_ns: int, cause: Cause | None
    ) -> None:
        """Record the step that ``error`` ended; the chart rests where it rested before."""
        walk.add(tuple(self._made))
        self._made.clear()
        if self._leaf is not None:
            self.temp.fun = self._leaf.fn
        at = walk.asked.state.name if walk.asked else TOP
        shape = self._memo.interned(walk.failed(at))
        text = "".join(traceback.format_exception(error))
        texts = (*self._take_texts(len(self._texts)), bounded(text, tail=True))
        self._record(shape, begin_ns, posted_ns, cause, texts)

    def _record(
        self, shape: Shape, begin_ns: int, posted_ns: int, cause: Cause | None, texts: tuple[str, ...]
    ) -> None:
        """Record a step that is not remembered; ``_run`` does the same for those that are, inline."""
        self._number += 1
        step: RawStep = (
            self._id,
            self._number,
            shape,
            begin_ns,
            max(0, time_ns() - begin_ns),
            len(self._queue),
            len(self._deferred),
            max(0, begin_ns - posted_ns) if posted_ns > 0 else 0,
            cause,
            texts,
        )
        self._steps.append(step)
        if shape.traced:
            self._traces += 1
            self._traced.append(step)
        if self._observers:
            self._tell(step)

    def _leave(self, outer: Here) -> None:
        self._here.number = 0
        if outer.number:
            present.set(outer)

    def _take_texts(self, count: int) -> tuple[str, ...]:
        texts = tuple(self._texts[:count])
        self._texts.clear()
        return texts

    def _not_ready(self) -> ChartError:
        if self._stopped:
            return ChartStopped(f"chart {self._name} was stopped", "make and start a new chart")
        if self._leaf is None:
            return NotStarted(f"chart {self._name} was not started", "call chart.start_at(STATE) first")
        return ChartError(
            f"chart {self._name} is in the middle of a step",
            "a step runs to its end before the next begins: post the event instead of dispatching it",
            state=self._leaf.name,
        )


def bounded(text: str, *, tail: bool = False) -> str:
    """Return ``text`` cut to ``MAX_TEXT`` characters: its beginning, or its end with ``tail``."""
    missing = len(text) - MAX_TEXT
    if missing <= 0:
        return text
    note = f"... ({missing} characters not kept)"
    return f"{note}\n{text[-MAX_TEXT:]}" if tail else f"{text[:MAX_TEXT]}{note}"
