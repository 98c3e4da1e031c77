"""The probes that live in this process: what happens to them at its exit and at a fork."""

from __future__ import annotations

import atexit
import os
import sys
import time
from threading import get_ident
from typing import Any, Protocol

from farscope.records.fork_hooks import at_fork, began_ns, notice_fork, noticed_late


class Living(Protocol):
    """What the registry asks of a probe."""

    def begin_closing(self, timeout_s: float) -> None:
        """Start to close, without waiting."""

    def ended(self, timeout_s: float) -> bool:
        """Wait until all is stored and goodbye is said."""

    def interrupt(self) -> None:
        """Make the log end what it is at."""

    def close(self, timeout_s: float) -> None:
        """Close within ``timeout_s``."""

    def hold_still(self, timeout_s: float) -> bool:
        """Keep the pump out of the code of its log and its seals; False if it did not come out in time."""

    def go_on(self) -> None:
        """Undo one ``hold_still`` that returned True."""

    def born_again(self, since_ns: int | None) -> None:
        """Go on in a forked child as a new probe, with steps from ``since_ns`` on if it is given."""

    def send_waiting(self) -> None:
        """Send what a child whose fork was noticed late had left by then."""


EXIT_S = 2.0
"""How long all probes together may hold up the exit of a program."""
GOODBYE_SHARE = 0.25
"""The part of any time for closing that is kept for ending a hanging attempt and saying goodbye."""
FORK_S = 0.5
"""How long all probes together may hold up a fork; a log that hangs for longer does not stop the fork."""
LAST = -100
"""Priority among what ends a child of multiprocessing: after the user's own."""

# Keeps probes alive that nobody else holds; a dict because its single operations need no lock.
_living: dict[int, Living] = {}
# By thread, since two may fork at once.
_held: dict[int, list[Living]] = {}
_hooked_pid = 0


def enlist(probe: Living) -> None:
    """Keep a probe until it is closed, closed at the latest by the end of the process."""
    look_for_fork()
    _living[id(probe)] = probe
    hook_children()


def dismiss(probe: Living) -> None:
    """Let go of a probe that was closed."""
    _living.pop(id(probe), None)


def any_lives() -> bool:
    """Return whether there is a probe that is not closed."""
    return bool(_living)


def close_all(timeout_s: float = EXIT_S) -> None:
    """Close every probe, all of them within ``timeout_s``: they flush, and are interrupted, side by side."""
    look_for_fork()
    probes = list(_living.values())
    flushed_s = time.monotonic() + timeout_s * (1 - GOODBYE_SHARE)
    end_s = time.monotonic() + timeout_s
    for probe in probes:
        probe.begin_closing(timeout_s)
    unfinished = [probe for probe in probes if not probe.ended(max(0.0, flushed_s - time.monotonic()))]
    for probe in unfinished:
        probe.interrupt()
    for probe in probes:
        probe.close(max(0.0, end_s - time.monotonic()))


def hook_children() -> None:
    """See to it that a process which ends without ``atexit`` closes its probes too, once in each process."""
    global _hooked_pid  # noqa: PLW0603 - what was done once in this process
    if _hooked_pid == os.getpid():
        return
    for package in ("multiprocessing", "billiard"):
        # The second is what Celery has instead of the first.
        process, util = (sys.modules.get(f"{package}.{name}") for name in ("process", "util"))
        if process is not None and util is not None and _is_child(process):
            _hooked_pid = os.getpid()
            util.Finalize(None, close_all, exitpriority=LAST)
    worker = getattr(sys.modules.get("billiard.pool"), "Worker", None)
    if _hooked_pid == os.getpid() and hasattr(worker, "_do_exit"):
        _close_before(worker)


def _is_child(process: Any) -> bool:
    if hasattr(process, "parent_process"):
        return process.parent_process() is not None
    return process.current_process()._parent_pid is not None  # noqa: SLF001 - billiard has no other way to ask


def _close_before(worker: Any) -> None:
    """Close probes before a worker of billiard's pool ends by ``os._exit``, which skips finalizers."""
    end = worker._do_exit  # noqa: SLF001 - there is nothing public on this way out

    def close_and_end(*args: Any, **kwargs: Any) -> None:
        close_all()
        end(*args, **kwargs)

    worker._do_exit = close_and_end  # noqa: SLF001 - same


def is_about_to_fork() -> bool:
    """Return whether this process is that of uWSGI which loads a program and then forks its workers.

    Nothing keeps libraries still during such a fork, so a probe rather has none in use before its first step.
    """
    number = getattr(sys.modules.get("uwsgi"), "worker_id", None)
    return number is not None and number() == 0


def look_for_fork() -> None:
    """Let probes go on in this process if it was forked without Python's knowledge."""
    if notice_fork():
        # Not before all else was put right: a log gives up the files that are open then, its parent's.
        for probe in list(_living.values()):
            probe.send_waiting()


def _before_fork() -> None:
    # Libraries below a log or a seal, as SQLite and OpenSSL, have locks nobody renews in a child: forked
    # while a pump is in there, the child would wait for ever at its own first use of the library.
    end_s = time.monotonic() + FORK_S
    _held[get_ident()] = [
        probe for probe in list(_living.values()) if probe.hold_still(max(0.0, end_s - time.monotonic()))
    ]


def _after_fork_in_parent() -> None:
    for probe in _held.pop(get_ident(), []):
        probe.go_on()


def _after_fork_in_child() -> None:
    _held.clear()
    since_ns = began_ns() if noticed_late() else None
    for probe in list(_living.values()):
        probe.born_again(since_ns)


# Registered when this module is loaded, which is early: the last registered runs first, and the program's
# own handlers may still make steps. By then threads that are no daemons have ended; the pumps have not.
atexit.register(close_all)
at_fork(before=_before_fork, in_parent=_after_fork_in_parent, in_child=_after_fork_in_child)
