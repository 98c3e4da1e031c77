"""Orderly shutdown on SIGTERM and SIGHUP, which would otherwise end a program without cleanup."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Final

from farscope.probe.lifecycle import close_all
from farscope.records.fork_hooks import at_fork

SIGNALS: Final = ("SIGTERM", "SIGHUP")
"""Names, since not every system has both. SIGINT needs no handling: it becomes a KeyboardInterrupt."""

EXIT_BASE: Final = 128
"""Plus the signal's number: exit code of a process the signal cannot kill, such as a container's first."""

_pid = 0


def close_on_signals() -> None:
    """Close all probes when one of ``SIGNALS`` ends the program, which still dies of the signal.

    Takes effect only on the main thread, and only for a signal that is neither handled nor ignored. A
    handler installed later replaces this one.
    """
    global _pid  # noqa: PLW0603 - whose handlers they are
    if threading.current_thread() is not threading.main_thread():
        return
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and _is_default(number):
            _pid = os.getpid()
            signal.signal(number, _close_and_die)


def _is_default(number: int) -> bool:
    """Return whether a signal has no handler, not even one set in C, known to Python only as of its start."""
    if signal.getsignal(number) is not signal.SIG_DFL:
        return False
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            status = Path("/proc/self/status").read_text()
            masks = [
                line.split()[1] for line in status.splitlines() if line.startswith(("SigCgt:", "SigIgn:"))
            ]
            return not any(int(mask, 16) >> (number - 1) & 1 for mask in masks)
    return True


def _close_and_die(number: int, frame: FrameType | None) -> None:
    """Close all probes, then die as usual; a second signal ends the process at once."""
    del frame
    signal.signal(number, signal.SIG_DFL)
    if os.getpid() == _pid:
        close_all()
    os.kill(os.getpid(), number)
    # Still alive: the first process of a container, to which default actions do not apply.
    os._exit(EXIT_BASE + number)


def restore_signals() -> None:
    """Undo ``close_on_signals`` on the main thread; elsewhere the handlers stay, with nothing to close."""
    if threading.current_thread() is not threading.main_thread():
        return
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _close_and_die:
            signal.signal(number, signal.SIG_DFL)


if sys.platform != "win32":
    # A child dies as usual, unless it broadcasts itself.
    at_fork(in_child=restore_signals)
