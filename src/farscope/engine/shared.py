"""Attributes shared between threads: a chart's own, its caller's and those of other charts."""

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
    """A class attribute that is safe to use from any thread.

    ::

        class Counter(ActiveObject):
            hits = Shared(int)
            names = Shared(list[str])

        counter.hits = 5             # a single read or write needs nothing more
        with locked(counter):        # operations that belong together go in a block
            counter.hits += 1
            counter.names.append("x")

    While one thread is in such a block, other threads that read or write any shared attribute of the same
    object wait until the block ends. The contents of a value, such as the items of a list, are only safe
    inside a block.

    Args:
        make: called without arguments, at the first use in each object, to create the value.
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
                # A finalizer that runs while the value is created may have created one, which is then kept.
                values.setdefault(self._name, self._make())
            value: _Value = values[self._name]
            return value

    def __set__(self, owner: object, value: _Value) -> None:
        with locked(owner):
            owner.__dict__[self._name] = value


def locked(owner: Any) -> AbstractContextManager[Any]:
    """Return the reentrant lock of an object's shared attributes, for use in a ``with`` block.

    Posting inside the block is safe, because it never waits for another chart. Waiting for a chart is not
    safe.

    A finalizer or a signal handler runs on the thread it interrupts, which may be inside such a block: it
    must not touch the data that the block protects, and should post an event instead.
    """
    lock: AbstractContextManager[Any] | None = owner.__dict__.get(_lock_name)
    if lock is None:
        # If two threads get here first at the same time, both receive the lock that is kept.
        lock = owner.__dict__.setdefault(_lock_name, threading.RLock())
    return lock


def _use_other_locks() -> None:
    # The parent's locks may be held by a thread that does not exist here and cannot release them.
    global _lock_name  # noqa: PLW0603 - of all locks of this process
    _lock_name = f"{_LOCK}_{os.getpid()}"


at_fork(in_child=_use_other_locks)
