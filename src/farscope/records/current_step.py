"""The step context of the current thread: which chart's step it is running, if any.

It determines which posts come from the chart itself and leave a fact, and which step is the cause of an
event, whichever libraries the charts are of. It is kept per thread, not per context, because a context may be
copied into another thread, where no step of the first thread runs.
"""

from __future__ import annotations

from threading import get_ident

from farscope.records.fork_hooks import at_fork
from farscope.records.step import Cause


class StepContext:
    """The step context of one chart; it does not keep the chart alive."""

    __slots__ = ("number", "outer", "serial")

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.number = 0
        """Number of the last recorded step; the next step, which may be running now, has the following
        number."""
        self.outer: StepContext | None = None
        """The context whose step began the running step, or the last one, on the same thread."""

    def cause(self) -> Cause:
        """Return the running step as the cause of a post."""
        return tuple.__new__(Cause, (self.serial, self.number + 1, "", "", "", False))

    def holds(self, inner: StepContext | None) -> bool:
        """Return whether this step is ``inner``'s or encloses it, as a chart's step encloses a region's."""
        while inner is not None and inner is not self:
            inner = inner.outer
        return inner is not None

    def is_current(self) -> bool:
        """Return whether the caller is inside a recorded step of this chart, or of a chart that it drives."""
        return self.holds(thread_slot().step)


class ThreadSlot:
    """The slot of one thread: ``step`` is set while the thread runs a recorded step.

    A chart caches the slot of the thread that used it last. Comparing ``ident`` with the identifier of the
    calling thread costs less than looking the slot up.
    """

    __slots__ = ("ident", "step")

    def __init__(self, ident: int) -> None:
        self.ident = ident
        self.step: StepContext | None = None


_slots: dict[int, ThreadSlot] = {}


def thread_slot() -> ThreadSlot:
    """Return the slot of the calling thread."""
    # Thread identifiers are reused: a new thread inherits the slot of the dead thread with its identifier,
    # even if a chart still caches that slot. A finalizer that runs in the middle of this finds the same slot,
    # because only the first one is kept.
    ident = get_ident()
    return _slots.get(ident) or _slots.setdefault(ident, ThreadSlot(ident))


def current_cause() -> Cause | None:
    """Return the step that the calling thread runs, as the cause of a post; None outside any step."""
    step = thread_slot().step
    return None if step is None else step.cause()


def _forget_others() -> None:
    mine = get_ident()
    for ident, slot in list(_slots.items()):
        if ident != mine:
            slot.step = None


# The steps that the parent's other threads were running do not run in the child.
at_fork(in_child=_forget_others)
