"""Where the present thread is: inside which chart's step, if in any.

It decides which posts are a chart's own doing and leave a fact, and which step is the cause of an
event. It is per thread, not per context: a context may be copied into another thread, where no step
of the first one runs.
"""

from __future__ import annotations

import threading
from typing import Any

from farscope.records.fork_hooks import at_fork
from farscope.records.step import Cause


class Here:
    """A chart's place in the process; belongs to one chart and does not keep it alive."""

    __slots__ = ("number", "outer", "serial")

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.number = 0
        """Of the last step that was recorded; the next one, which may run now, has the number after it."""
        self.outer: Here | None = None
        """Whose step began the one that runs now, or the last one, on the same thread."""

    def cause(self) -> Cause:
        """Name the step that runs now as the cause of a post."""
        return tuple.__new__(Cause, (self.serial, self.number + 1))

    def holds(self, inner: Here | None) -> bool:
        """Tell whether this place's step is ``inner``'s, or began it: a region's, inside its chart's."""
        while inner is not None and inner is not self:
            inner = inner.outer
        return inner is not None


class Cell:
    """What one thread is doing: ``here`` is set while it runs a recorded step.

    A chart keeps at hand the cell of the thread that used it last, and asks its ``owner``, a lock that
    this thread holds for ever, whether that is the present one: ``_is_owned``, as threading.Condition
    does. Getting a thread's local attribute takes three times as long.
    """

    __slots__ = ("here", "owner")

    def __init__(self) -> None:
        self.here: Here | None = None
        self.owner: Any = threading.RLock()
        self.owner.acquire()


class _PerThread(threading.local):
    cell: Cell

    def __getattr__(self, name: str) -> Any:
        # Not made by ``__init__``: a finalizer that runs in the middle of it would find no cell.
        if name != "cell":
            raise AttributeError(name)
        # A thread that gets the number of one that is gone gets its cell as well: that is its own then,
        # whoever has kept it.
        self.cell = _cells.setdefault(threading.get_ident(), Cell())
        return self.cell


_cells: dict[int, Cell] = {}

per_thread = _PerThread()
"""Its ``cell`` belongs to the thread that asks."""


def _forget_others() -> None:
    for cell in list(_cells.values()):
        if not cell.owner._is_owned():  # noqa: SLF001 - see Cell
            cell.here = None


# What the parent's other threads were in the middle of, no thread of the child is.
at_fork(in_child=_forget_others)
