"""A count that needs no lock."""

from __future__ import annotations

import sys
from operator import length_hint


class Tally:
    """Counts what any thread, finalizer or signal handler may add at any moment, exactly.

    An addition takes one item from an iterator and a reading asks how many are left: each is a single call
    that nothing can interrupt. A number that is read, increased and written back can be interrupted in
    between, and a lock that guards it can be asked for twice by one thread.
    """

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = iter(range(sys.maxsize))

    def add(self) -> None:
        """Count one more."""
        next(self._left)

    @property
    def value(self) -> int:
        """How many were counted."""
        return sys.maxsize - length_hint(self._left)
