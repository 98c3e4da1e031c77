"""Fork hooks, for systems that fork."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

WIPED_ON_FORK = 18
"""Linux's ``MADV_WIPEONFORK``: such memory is zeroed in a child. Python has no constant for it."""

_in_child: list[Callable[[], object]] = []
_pid = os.getpid()
_late = False


def _nothing() -> None:
    """Do nothing."""


def at_fork(
    *,
    before: Callable[[], object] = _nothing,
    in_parent: Callable[[], object] = _nothing,
    in_child: Callable[[], object] = _nothing,
) -> None:
    """Register permanent fork hooks; has no effect on Windows, which does not fork.

    After a fork unknown to Python, such as one by a server written in C, only ``in_child`` is called, when
    ``notice_fork`` is called.

    Args:
        before: called before the fork, in reverse order of registration.
        in_parent: called after the fork in the parent process, in order of registration.
        in_child: called after the fork in the child process, whose only thread is the one that forked.
    """
    if sys.platform != "win32":
        os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)
        _in_child.append(in_child)


def notice_fork() -> bool:
    """Run the child hooks if this process was forked without Python's knowledge; return whether it was.

    Costs one system call, and may be called from anywhere.
    """
    global _pid, _late  # noqa: PLW0603 - what the module is about
    pid = os.getpid()
    if pid == _pid:
        return False
    _pid = pid
    _late = True
    for put_right in _in_child:
        # A hook that releases a lock ``before`` would have taken finds it free here, or frees it.
        with contextlib.suppress(RuntimeError):
            put_right()
    _late = False
    return True


def noticed_late() -> bool:
    """Return whether ``in_child`` is being called by ``notice_fork``, possibly long after the fork."""
    return _late


def began_ns() -> int:
    """Return this process's start in nanoseconds since the epoch, never too late a time; 0 if unknown."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            stat = Path("/proc/self/stat").read_bytes()
            ticks = int(stat[stat.rindex(b")") + 2 :].split()[19])
            age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
            return time.time_ns() - int(age_s * 1_000_000_000)
    return 0


class Flag(Protocol):
    """True while ``value`` is 1."""

    value: int

    def __bool__(self) -> bool:
        """Return whether the flag is set."""


class ComparedFlag:
    """A flag that is set in one process only: checking it costs a system call for the process id."""

    __slots__ = ("_pid",)

    def __init__(self) -> None:
        self._pid = 0

    @property
    def value(self) -> int:
        """1 if the flag is set, else 0."""
        return int(self._pid == os.getpid())

    @value.setter
    def value(self, on: int) -> None:
        self._pid = os.getpid() if on else 0

    def __bool__(self) -> bool:
        return self._pid == os.getpid()


def unset_by_forks() -> Flag:
    """Return an unset flag that is also unset in every forked child, however it was forked.

    On Linux 4.14 or later it is a byte of memory that the system clears in children, and checking it is as
    cheap as an attribute access; elsewhere it compares process ids.
    """
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError):
            import ctypes  # noqa: PLC0415 - needed where something is broadcast only
            import mmap  # noqa: PLC0415 - same

            memory = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            memory.madvise(WIPED_ON_FORK)
            return cast("Flag", ctypes.c_uint8.from_buffer(memory))
    return ComparedFlag()


def _record_pid() -> None:
    global _pid  # noqa: PLW0603 - same
    _pid = os.getpid()


at_fork(in_child=_record_pid)
