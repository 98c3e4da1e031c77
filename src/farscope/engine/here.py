"""Where the present thread is: inside which chart's step, if in any.

A context variable holds it, so that a thread, and later a coroutine, has its own. It is left set
when a step is over, because a chart mostly makes its next step where it made the last one:
``number`` alone, 0 between steps, says whether a step runs.
"""

from __future__ import annotations

from contextvars import ContextVar

from farscope.records.step import Cause


class Here:
    """A chart's place in the process; belongs to one chart and does not keep it alive."""

    __slots__ = ("number", "serial")

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.number = 0
        """Number of the recorded step that runs now; 0 while none does."""

    def cause(self) -> Cause:
        """Name the step that runs now as the cause of a post."""
        return tuple.__new__(Cause, (self.serial, self.number))


NOWHERE = Here(0)

present: ContextVar[Here] = ContextVar("farscope_here", default=NOWHERE)
