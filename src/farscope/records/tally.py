"""A lock-free counter."""

from __future__ import annotations

import sys
from operator import length_hint


class Tally:
    """An exact counter that any thread, finalizer or signal handler may increment at any moment.

    An increment takes one item from an iterator, and a read asks how many are left: each is a single call
    that cannot be interrupted. Reading, incrementing and writing back a number can be interrupted in between,
    and a lock that guards it could be requested twice by one thread.
    """

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = iter(range(sys.maxsize))

    def add(self) -> None:
        """Increment the count by one."""
        next(self._left)

    @property
    def value(self) -> int:
        """The current count."""
        return sys.maxsize - length_hint(self._left)
