"""Attributes that several threads read and change: a chart's own, its caller's, other charts'."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, Self, TypeVar, overload

from farscope.records.fork_hooks import at_fork

_Value = TypeVar("_Value")

_LOCK = "_shared_lock"
_lock_name = _LOCK


class Shared(Generic[_Value]):
    """Make an attribute of a class safe to use from any thread.

    ::

        class Counter(ActiveObject):
            hits = Shared(int)
            names = Shared(list[str])

        counter.hits = 5             # one read or one write needs nothing more
        with locked(counter):        # what belongs together is put in a block
            counter.hits += 1
            counter.names.append("x")

    While one thread is in such a block, all others that read or write any shared attribute of the same
    object wait for its end. What is inside a value, like the items of a list, is only safe in a block.

    Args:
        make: called without arguments for the value of each new object, at its first use.
    """

    def __init__(self, make: Callable[[], _Value]) -> None:
        self._make = make
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: object, kind: type) -> _Value: ...
    def __get__(self, owner: object | None, kind: type) -> _Value | Self:
        if owner is None:
            return self
        with locked(owner):
            values = owner.__dict__
            if self._name not in values:
                # A finalizer that runs while the value is made may have made one, which then stays.
                values.setdefault(self._name, self._make())
            value: _Value = values[self._name]
            return value

    def __set__(self, owner: object, value: _Value) -> None:
        with locked(owner):
            owner.__dict__[self._name] = value


def locked(owner: Any) -> AbstractContextManager[Any]:
    """Return the lock of an object's shared attributes, for a ``with`` block; a thread may nest such blocks.

    Posting inside the block is safe: it never waits for another chart. Waiting for one is not.

    A finalizer or a signal handler runs on whatever thread it interrupts, which may be one that is in such a
    block: it must leave what the block is about alone, and post an event instead.
    """
    lock: AbstractContextManager[Any] | None = owner.__dict__.get(_lock_name)
    if lock is None:
        # Of two threads that come here first, both get the lock that is kept.
        lock = owner.__dict__.setdefault(_lock_name, threading.RLock())
    return lock


def _use_other_locks() -> None:
    # The parent's may be held by a thread that is not here to let go.
    global _lock_name  # noqa: PLW0603 - of all locks of this process
    _lock_name = f"{_LOCK}_{os.getpid()}"


at_fork(in_child=_use_other_locks)
