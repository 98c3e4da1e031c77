"""Where the present thread is: inside which chart's step, if in any.

It decides which posts are a chart's own doing and leave a fact, and which step is the cause of an
event. It is per thread, not per context: a context may be copied into another thread, where no step
of the first one runs.
"""

from __future__ import annotations

import threading

from farscope.records.step import Cause


class Here:
    """A chart's place in the process; belongs to one chart and does not keep it alive."""

    __slots__ = ("number", "outer", "serial")

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.number = 0
        """Number of the recorded step that runs now; 0 while none does."""
        self.outer: Here | None = None
        """Whose step began the one that runs now, or the last one, on the same thread."""

    def cause(self) -> Cause:
        """Name the step that runs now as the cause of a post."""
        return tuple.__new__(Cause, (self.serial, self.number))

    def holds(self, inner: Here | None) -> bool:
        """Tell whether this place's step is ``inner``'s, or began it: a region's, inside its chart's."""
        while inner is not None and inner is not self:
            inner = inner.outer
        return inner is not None


class Cell:
    """What one thread is doing: ``here`` is set while it runs a recorded step."""

    __slots__ = ("here",)

    def __init__(self) -> None:
        self.here: Here | None = None


class _PerThread(threading.local):
    def __init__(self) -> None:
        self.cell = Cell()


per_thread = _PerThread()
"""Its ``cell`` belongs to the thread that asks. A cell can be kept at hand through a step: writing it
is several times cheaper than writing a thread's local attribute."""
