"""The step context of the current thread: which chart's step it is running, if any.

It determines which posts come from the chart itself and leave a fact, and which step is the cause of an
event. It is kept per thread, not per context, because a context may be copied into another thread, where no
step of the first thread runs.
"""

from __future__ import annotations

import threading
from typing import Any

from farscope.records.fork_hooks import at_fork
from farscope.records.step import Cause


class Here:
    """The step context of one chart; it does not keep the chart alive."""

    __slots__ = ("number", "outer", "serial")

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.number = 0
        """Number of the last recorded step; the next step, which may be running now, has the following
        number."""
        self.outer: Here | None = None
        """The context whose step began the running step, or the last one, on the same thread."""

    def cause(self) -> Cause:
        """Return the running step as the cause of a post."""
        return tuple.__new__(Cause, (self.serial, self.number + 1))

    def holds(self, inner: Here | None) -> bool:
        """Return whether this step is ``inner``'s or encloses it, as a chart's step encloses a region's."""
        while inner is not None and inner is not self:
            inner = inner.outer
        return inner is not None


class Cell:
    """The slot of one thread: ``here`` is set while the thread runs a recorded step.

    A chart caches the cell of the thread that used it last. To check that this is the current thread, it
    calls ``_is_owned``, as threading.Condition does, on the cell's ``owner``, a lock that its thread holds
    forever. Reading a thread-local attribute takes three times as long.
    """

    __slots__ = ("here", "owner")

    def __init__(self) -> None:
        self.here: Here | None = None
        self.owner: Any = threading.RLock()
        self.owner.acquire()


class _PerThread(threading.local):
    cell: Cell

    def __getattr__(self, name: str) -> Any:
        # Not created in ``__init__``: a finalizer that runs in the middle of it would find no cell.
        if name != "cell":
            raise AttributeError(name)
        # Thread ids are reused: a new thread inherits the cell of the dead thread with its id, even if a
        # chart still caches that cell.
        self.cell = _cells.setdefault(threading.get_ident(), Cell())
        return self.cell


_cells: dict[int, Cell] = {}

per_thread = _PerThread()
"""Thread-local: ``cell`` is that of the calling thread."""


def _forget_others() -> None:
    for cell in list(_cells.values()):
        if not cell.owner._is_owned():  # noqa: SLF001 - see Cell
            cell.here = None


# The steps that the parent's other threads were running do not run in the child.
at_fork(in_child=_forget_others)
