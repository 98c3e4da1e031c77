"""The registry of live probes in this process: handles exit and forks."""

from __future__ import annotations

import atexit
import os
import sys
import time
from threading import get_ident
from typing import Any, Protocol

from farscope.records.fork_hooks import at_fork, began_ns, notice_fork, noticed_late


class OpenProbe(Protocol):
    """The interface of a probe that the registry uses."""

    def begin_closing(self, timeout_s: float) -> None:
        """Start closing, without waiting."""

    def ended(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` until all is stored and goodbye is said; return whether it is."""

    def interrupt(self) -> None:
        """Interrupt the log's current operation."""

    def close(self, timeout_s: float) -> None:
        """Close within ``timeout_s``."""

    def pause_for_fork(self, timeout_s: float) -> bool:
        """Keep the pump out of log and sealing code; return False if it did not leave that code in time."""

    def resume_after_fork(self) -> None:
        """Undo one ``pause_for_fork`` that returned True."""

    def restart_in_child(self, since_ns: int | None) -> None:
        """Continue in a forked child as a new probe, keeping steps from ``since_ns`` on if it is given."""

    def send_waiting(self) -> None:
        """Send the steps a child made before its fork was noticed."""


EXIT_S = 2.0
"""Maximum delay of a program's exit, for all probes together."""
GOODBYE_SHARE = 0.25
"""Share of a closing timeout reserved for interrupting a hanging attempt and saying goodbye."""
FORK_S = 0.5
"""Maximum delay of a fork, for all probes together; a log that hangs for longer does not stop the fork."""
LAST = -100
"""Finalizer priority in multiprocessing children: run after the user's finalizers."""

# Keeps otherwise unreferenced probes alive; a dict because its single operations need no lock.
_open_probes: dict[int, OpenProbe] = {}
# Keyed by thread, since two may fork at once.
_paused: dict[int, list[OpenProbe]] = {}
_hooked_pid = 0


def register(probe: OpenProbe) -> None:
    """Keep a probe alive until it is closed, at the latest when the process ends."""
    look_for_fork()
    _open_probes[id(probe)] = probe
    hook_children()


def unregister(probe: OpenProbe) -> None:
    """Release a closed probe."""
    _open_probes.pop(id(probe), None)


def any_open() -> bool:
    """Return whether any probe is still open."""
    return bool(_open_probes)


def close_all(timeout_s: float = EXIT_S) -> None:
    """Close all probes within ``timeout_s`` in total: they are flushed, and interrupted, in parallel."""
    look_for_fork()
    probes = list(_open_probes.values())
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
    """Make a process that ends without ``atexit`` close its probes too; takes effect once per process."""
    global _hooked_pid  # noqa: PLW0603 - what was done once in this process
    if _hooked_pid == os.getpid():
        return
    for package in ("multiprocessing", "billiard"):
        # Celery uses the second in place of the first.
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
    """Close probes before a worker of a billiard pool ends with ``os._exit``, which skips finalizers."""
    end = worker._do_exit  # noqa: SLF001 - there is nothing public on this way out

    def close_and_end(*args: Any, **kwargs: Any) -> None:
        close_all()
        end(*args, **kwargs)

    worker._do_exit = close_and_end  # noqa: SLF001 - same


def is_about_to_fork() -> bool:
    """Return whether this is the uWSGI master process, which loads a program and then forks its workers.

    Nothing keeps libraries idle during such a fork, so a probe avoids using any before its first step.
    """
    number = getattr(sys.modules.get("uwsgi"), "worker_id", None)
    return number is not None and number() == 0


def look_for_fork() -> None:
    """Let probes continue in this process if it was forked without Python's knowledge."""
    if notice_fork():
        # Only after all other fork hooks: a log then gives up the open files, which are its parent's.
        for probe in list(_open_probes.values()):
            probe.send_waiting()


def _before_fork() -> None:
    # Libraries used by a log or a seal, such as SQLite and OpenSSL, have locks that are not reset in a
    # child: if forked while a pump is inside one, the child would hang at its own first use of it.
    end_s = time.monotonic() + FORK_S
    _paused[get_ident()] = [
        probe
        for probe in list(_open_probes.values())
        if probe.pause_for_fork(max(0.0, end_s - time.monotonic()))
    ]


def _after_fork_in_parent() -> None:
    for probe in _paused.pop(get_ident(), []):
        probe.resume_after_fork()


def _after_fork_in_child() -> None:
    _paused.clear()
    since_ns = began_ns() if noticed_late() else None
    for probe in list(_open_probes.values()):
        probe.restart_in_child(since_ns)


# Registered when this module is loaded, which is early: handlers run in reverse order, and the program's
# own may still make steps. By then all non-daemon threads have ended; the pumps, being daemons, have not.
atexit.register(close_all)
at_fork(before=_before_fork, in_parent=_after_fork_in_parent, in_child=_after_fork_in_child)
