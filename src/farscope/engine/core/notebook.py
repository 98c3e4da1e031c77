"""The facts that handlers write while they run, and the record made from them at the end of the step."""

from __future__ import annotations

from collections import deque
from time import time_ns
from typing import Any

from farscope.engine.core.algorithm import MAX_FACTS, Made
from farscope.engine.core.current_step import per_thread
from farscope.engine.core.recorder import RING_STEPS, Brief, Recorder
from farscope.engine.definition.states import top
from farscope.engine.event import TRAN, Event
from farscope.records.facts import FactKind
from farscope.records.shape import Shape
from farscope.records.step import Cause, RawStep

MAX_TEXT = 4_000
"""Maximum number of characters kept of a free text or traceback; a note says how much of a longer one is
missing."""

_CUT = int(FactKind.CUT)
_SCRIBBLE = int(FactKind.SCRIBBLE)
_ASIDE: Made = (_SCRIBBLE, "", "")
"""Stands, among the refused posts, for scribbles made outside a step."""

Posted = tuple[Event, Cause | None, int]
"""A queued event, the step that posted it, and the time of the post in nanoseconds since the epoch. Items of
timed posts have a claim as a fourth field: see ``TimedPosts``. Unpacking such an item as a plain one raises
``ValueError``, so taking plain items from the queue needs no check."""

PLAIN_FIELDS = 3
"""Number of fields of an item without a claim."""


class Temp:
    """The destination that a handler writes: ``fun`` is a target, or the parent of the handler's state."""

    __slots__ = ("fun",)

    def __init__(self) -> None:
        self.fun: Any = None


class Notebook(Recorder):
    """The part of a chart that its handlers write to."""

    _is_over: bool

    temp: Any
    """For flat state functions, which write their target or their parent to ``temp.fun``. A chart whose class
    or handlers use the name ``temp`` for something else works normally, but without flat functions."""

    __slots__ = (
        "_asides",
        "_asides_cut",
        "_deferred",
        "_made",
        "_queue",
        "_refused",
        "_temp",
        "_texts",
        "temp",
    )

    def __init__(self, name: str | None, *, instrumented: bool | None, ring_size: int = RING_STEPS) -> None:
        super().__init__(name, instrumented=instrumented, ring_size=ring_size)
        self._temp = Temp()
        # Not assigned: that would hide an attribute that a user's class calls temp.
        vars(Notebook)["temp"].__set__(self, self._temp)
        self._made: list[Made] = []
        self._texts: list[str] = []
        self._queue: deque[Posted] = deque()
        self._deferred: deque[Event] = deque()
        self._refused: dict[Made, None] = {}
        """Posts from outside that found no room since the last step, each kind once. Both poster and chart
        change it only by single operations, which cannot be interrupted."""
        self._asides: list[str] = []
        self._asides_cut = 0
        """Scribbles made since the last step, outside a step, and the number beyond ``MAX_FACTS`` that were
        dropped."""

    top = top

    def trans(self, state: Any) -> int:
        """Make ``state`` the target of a transition; the handler must return the result of this call."""
        self._temp.fun = state
        return TRAN

    def scribble(self, text: object) -> None:
        """Add a free text to the running step; outside a step, to the next one that calls a handler.

        A chart that is not recorded keeps nothing.
        """
        if not self._inside():
            self._put_aside(bounded(str(text)))
        elif self._note(_SCRIBBLE, ""):
            self._texts.append(bounded(str(text)))

    def _inside(self) -> bool:
        """Return whether the caller is inside a recorded step of this chart, or of a chart that it drives."""
        mine, here = self._here, per_thread.cell.here
        return here is mine or mine.holds(here)

    def _note(self, kind: int, name: str, detail: str = "") -> bool:
        """Record a fact made by the running handler; return whether it was kept."""
        made = self._made
        if len(made) < MAX_FACTS:
            made.append((kind, name, detail))
            return True
        self._cut(1)
        return False

    def _cut(self, count: int) -> None:
        """Record the fact that ``count`` facts were not kept."""
        made = self._made
        if len(made) > MAX_FACTS:
            made[MAX_FACTS] = (_CUT, "", str(int(made[MAX_FACTS][2]) + count))
        else:
            made.append((_CUT, "", str(count)))

    def _put_aside(self, text: str) -> None:
        """Keep a text for the next step; may be called from any thread."""
        if not self._observers.wanted or self._is_over:
            return
        if len(self._asides) < MAX_FACTS:
            self._asides.append(text)
        else:
            self._asides_cut += 1
        self._refused[_ASIDE] = None

    def _note_refused(self) -> None:
        """Record facts for posts that were refused since the last step, and for scribbles outside a step."""
        refused = self._refused
        for fact in list(refused):
            # Removed first: if the same post is refused again now, it belongs to the next step.
            refused.pop(fact, None)
            if fact is _ASIDE:
                self._note_asides()
            else:
                self._note(*fact)

    def _note_asides(self) -> None:
        while self._asides:
            text = self._asides.pop(0)
            if self._note(_SCRIBBLE, ""):
                self._texts.append(text)
        if self._asides_cut:
            self._cut(self._asides_cut)
            self._asides_cut = 0

    def _take_made(self) -> tuple[Made, ...]:
        """Take the facts that handlers have recorded so far."""
        # ``tuple(made)`` would read freed memory if a finalizer that runs while it allocates (CPython 3.11)
        # posts and so adds another fact. This first builds a list that nothing else refers to.
        made = (*self._made,)
        del self._made[: len(made)]
        return made

    def _take_texts(self, count: int) -> tuple[str, ...]:
        texts = (*self._texts[:count],)
        # A fact recorded after the last ones were taken belongs to the next step, and so does its text.
        later = sum(fact[0] == _SCRIBBLE for fact in self._made) if self._made else 0
        del self._texts[: len(self._texts) - later]
        return texts

    def _record(
        self, shape: Shape, begin_ns: int, posted_ns: int, cause: Cause | None, texts: tuple[str, ...]
    ) -> None:
        """Append the finished step to the rings, and show it to the watchers."""
        here = self._here
        number = here.number + 1
        observers = self._observers
        receivers = observers.receivers
        kept: Brief | RawStep
        if receivers:
            duration_ns = time_ns() - begin_ns
            waited_ns = begin_ns - posted_ns if posted_ns else 0
            if duration_ns < 0 or waited_ns < 0:
                # The wall clock may be set back at any time.
                duration_ns, waited_ns = max(0, duration_ns), max(0, waited_ns)
            kept = step = (
                self._id,
                number,
                shape,
                begin_ns,
                duration_ns,
                len(self._queue),
                len(self._deferred),
                waited_ns,
                cause,
                texts,
            )
        else:
            kept = (
                number,
                shape,
                posted_ns,
                begin_ns,
                time_ns(),
                len(self._queue),
                len(self._deferred),
                cause,
                texts,
            )
        try:
            # Nothing may come between these two: an error raised by a signal handler leaves both done or
            # neither.
            here.number = number
            self._steps.append(kept)
            if shape.traced:
                self._traces += 1
                self._traced.append(kept)
            if receivers:
                observers.report(step, receivers)
        except BaseException as error:
            # The step is in the ring: the error is the program's, or an observer's in a strict program.
            self._live.raised = id(error)
            if receivers and observers.was_not_reported(error):
                observers.report(step, receivers)
            raise


def bounded(text: str, *, tail: bool = False) -> str:
    """Return ``text`` cut to ``MAX_TEXT`` characters: its beginning, or its end with ``tail``."""
    missing = len(text) - MAX_TEXT
    if missing <= 0:
        return text
    note = f"... ({missing} characters not kept)"
    return f"{note}\n{text[-MAX_TEXT:]}" if tail else f"{text[:MAX_TEXT]}{note}"
