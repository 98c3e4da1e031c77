"""The step context of the current thread: which chart's step it is running, if any.

It determines which posts come from the chart itself and leave a fact, and which step is the cause of an
event, whichever libraries the charts are of. It is kept per thread, not per context, because a context may be
copied into another thread, where no step of the first thread runs. ``carried_cause`` has what contexts carry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import get_ident
from typing import Final, Protocol

from farscope.records.fork_hooks import at_fork
from farscope.records.sink import Sink
from farscope.records.step import Cause

_NO_SINKS: Final[Mapping[int, Sink]] = {}


class StepOwner(Protocol):
    """A chart, as seen by code that is called inside its steps."""

    @property
    def name(self) -> str:
        """The chart's name."""

    @property
    def log_level(self) -> int:
        """The lowest level of the log records to add to its steps; ``NO_LOGS`` for none."""

    def acting_state(self) -> str:
        """Return the name of the state whose code is running."""

    def add_log(self, logger: str, level: str, text: str) -> None:
        """Add a log record to the running step, as a fact."""


class StepContext:
    """The step context of one chart; it does not keep the chart alive."""

    __slots__ = ("caused", "number", "outer", "owner", "serial", "sinks")

    def __init__(self, serial: int, sinks: Mapping[int, Sink] = _NO_SINKS) -> None:
        self.serial = serial
        self.sinks = sinks
        """The sinks attached to the chart, which make its steps known elsewhere."""
        self.caused: Cause | None = None
        """The cause of the running step, or of the last one."""
        self.number = 0
        """Number of the last recorded step; the next step, which may be running now, has the following
        number."""
        self.owner: Callable[[], StepOwner | None] = _nobody
        """Returns the chart whose steps these are, if it still exists."""
        self.outer: StepContext | None = None
        """The context whose step began the running step, or the last one, on the same thread."""

    def cause(self) -> Cause:
        """Return the running step as the cause of a post, in the trace of its own cause."""
        caused = self.caused
        if caused is None:
            return tuple.__new__(Cause, (self.serial, self.number + 1, "", "", "", False, None))
        _, _, _, trace_id, _, _, root = caused
        fields = (self.serial, self.number + 1, "", trace_id, "", False, root or caused)
        return tuple.__new__(Cause, fields)

    def holds(self, inner: StepContext | None) -> bool:
        """Return whether this step is ``inner``'s or encloses it, as a chart's step encloses a region's."""
        while inner is not None and inner is not self:
            inner = inner.outer
        return inner is not None

    def is_current(self) -> bool:
        """Return whether the caller is inside a recorded step of this chart, or of a chart that it drives."""
        return self.holds(current_step())


def _nobody() -> None:
    """Return the owner of steps that belong to no chart."""


running: Final[dict[int, StepContext]] = {}
"""The context of the recorded step that each thread runs, by thread identifier; threads that run none have no
entry. Each change is a single operation, so nothing can interrupt it."""


def current_step() -> StepContext | None:
    """Return the context of the recorded step that the calling thread runs; None outside any step."""
    # Usually nothing runs, and then the thread need not be identified.
    return running.get(get_ident()) if running else None


def enter_step(ident: int, context: StepContext) -> StepContext | None:
    """Note that the calling thread, which has that identifier, runs a step; return what it ran before."""
    outer = running.get(ident)
    running[ident] = context
    context.outer = outer
    return outer


def leave_step(ident: int, outer: StepContext | None) -> None:
    """Note that the calling thread runs again what ``enter_step`` returned."""
    if outer is None:
        running.pop(ident, None)
    else:
        running[ident] = outer


def _forget_others() -> None:
    mine = get_ident()
    for ident in list(running):
        if ident != mine:
            running.pop(ident, None)


# The steps that the parent's other threads were running do not run in the child.
at_fork(in_child=_forget_others)
