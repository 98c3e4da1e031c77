"""What handlers write while they run, and the record that is made of it when the step is over."""

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
"""Characters kept of one free text or traceback; of a longer one a note says how much is missing."""

_CUT = int(FactKind.CUT)
_SCRIBBLE = int(FactKind.SCRIBBLE)
_ASIDE: Made = (_SCRIBBLE, "", "")
"""Stands among the refused posts for scribbles that were made outside a step."""

Posted = tuple[Event, Cause | None, int]
"""An event in a queue: with the step that posted it, and when, in nanoseconds since the epoch.

Those of timed posts have a claim behind that: see ``TimedPosts``. Taken for a plain one, such an item raises
``ValueError``, so who takes a plain one from the queue pays nothing for that."""

PLAIN_FIELDS = 3
"""How many fields one without a claim has."""


class Temp:
    """What a handler writes where it wants to go: ``fun`` is a target, or the state around its own."""

    __slots__ = ("fun",)

    def __init__(self) -> None:
        self.fun: Any = None


class Notebook(Recorder):
    """The part of a chart that its handlers write to."""

    _is_over: bool

    temp: Any
    """For flat state functions, which write where they lead or what is around them to ``temp.fun``. A chart
    whose class or handlers call something else ``temp`` runs like any other, without flat functions."""

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
        # Not assigned: that would hide what a class of the user's calls temp.
        vars(Notebook)["temp"].__set__(self, self._temp)
        self._made: list[Made] = []
        self._texts: list[str] = []
        self._queue: deque[Posted] = deque()
        self._deferred: deque[Event] = deque()
        self._refused: dict[Made, None] = {}
        """Posts from outside that found no room since the last step, each kind once. Poster and chart both
        change it by single operations, which nothing interrupts."""
        self._asides: list[str] = []
        self._asides_cut = 0
        """Scribbles since the last step, outside it, and how many beyond ``MAX_FACTS`` were not kept."""

    top = top

    def trans(self, state: Any) -> int:
        """Make ``state`` the target of a transition; the handler returns what this returns."""
        self._temp.fun = state
        return TRAN

    def scribble(self, text: object) -> None:
        """Leave a free text in the step that runs now; outside a step, in the next one that calls a handler.

        A chart that is not recorded keeps nothing.
        """
        if not self._inside():
            self._put_aside(bounded(str(text)))
        elif self._note(_SCRIBBLE, ""):
            self._texts.append(bounded(str(text)))

    def _inside(self) -> bool:
        """Tell whether the caller is inside a recorded step of this chart, or of a chart that it drives."""
        mine, here = self._here, per_thread.cell.here
        return here is mine or mine.holds(here)

    def _note(self, kind: int, name: str, detail: str = "") -> bool:
        """Leave a fact made by the handler that runs now; return whether it was kept."""
        made = self._made
        if len(made) < MAX_FACTS:
            made.append((kind, name, detail))
            return True
        self._cut(1)
        return False

    def _cut(self, count: int) -> None:
        """Leave the fact that so many were not kept."""
        made = self._made
        if len(made) > MAX_FACTS:
            made[MAX_FACTS] = (_CUT, "", str(int(made[MAX_FACTS][2]) + count))
        else:
            made.append((_CUT, "", str(count)))

    def _put_aside(self, text: str) -> None:
        """Keep a text for the next step; may be called from any thread."""
        if not self._recording or self._is_over:
            return
        if len(self._asides) < MAX_FACTS:
            self._asides.append(text)
        else:
            self._asides_cut += 1
        self._refused[_ASIDE] = None

    def _note_refused(self) -> None:
        """Leave the facts of posts that were refused since the last step, and of scribbles outside one."""
        refused = self._refused
        for fact in list(refused):
            # Taken out first: if the same comes once more now, it is the next step's.
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
        """Take the facts that handlers have made so far."""
        # ``tuple(made)`` would read freed memory if a finalizer that runs while it allocates (CPython 3.11)
        # posts and so leaves another fact. This builds a list first, which nobody else knows.
        made = (*self._made,)
        del self._made[: len(made)]
        return made

    def _take_texts(self, count: int) -> tuple[str, ...]:
        texts = (*self._texts[:count],)
        # A fact that came since the last ones were taken is the next step's, and so is its text.
        later = sum(fact[0] == _SCRIBBLE for fact in self._made) if self._made else 0
        del self._texts[: len(self._texts) - later]
        return texts

    def _record(
        self, shape: Shape, begin_ns: int, posted_ns: int, cause: Cause | None, texts: tuple[str, ...]
    ) -> None:
        """Append the step that is over now to the rings, and show it to those who watch."""
        here = self._here
        number = here.number + 1
        observers = self._observers
        kept: Brief | RawStep
        if observers:
            duration_ns = time_ns() - begin_ns
            waited_ns = begin_ns - posted_ns if posted_ns else 0
            if duration_ns < 0 or waited_ns < 0:
                # The wall clock may be set back at any moment.
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
            # Nothing comes between these two: an error that a signal handler raises leaves both or none.
            here.number = number
            self._steps.append(kept)
            if shape.traced:
                self._traces += 1
                self._traced.append(kept)
            if observers:
                self._tell(step, observers)
        except BaseException as error:
            # It is in the ring: what struck is the program's, or an observer's in a strict program.
            self._live.raised = id(error)
            if observers and self._was_not_told(error):
                self._tell(step, observers)
            raise


def bounded(text: str, *, tail: bool = False) -> str:
    """Return ``text`` cut to ``MAX_TEXT`` characters: its beginning, or its end with ``tail``."""
    missing = len(text) - MAX_TEXT
    if missing <= 0:
        return text
    note = f"... ({missing} characters not kept)"
    return f"{note}\n{text[-MAX_TEXT:]}" if tail else f"{text[:MAX_TEXT]}{note}"
