"""Charts that run by themselves: held until they end, and ended with the program."""

from __future__ import annotations

import atexit
import contextlib
import time
from typing import Protocol

from farscope.errors import ForeignProcess
from farscope.records.fork_hooks import at_fork

EXIT_TIMEOUT_S = 1.0
"""How long the interpreter's exit waits for all charts together to end the steps that run; a step that takes
longer is cut off where it is."""


class Running(Protocol):
    """A chart with a thread, a runner or an event loop."""

    def halt(self) -> None:
        """End after the step that runs."""

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; return whether it has come."""

    def _leave_behind(self) -> None:
        """Take note, in a forked child, that it runs in the parent."""


_running: set[Running] = set()


def hold(chart: Running) -> None:
    """Hold a chart that begins to run, whoever else does; an event loop, for one, holds its tasks weakly."""
    _running.add(chart)


def let_go(chart: Running) -> None:
    """Hold a chart no longer: it has ended."""
    _running.discard(chart)


def _end_all() -> None:
    # A daemon thread that is cut off while it holds a lock, say that of standard output, can hang or
    # crash the interpreter's exit; so charts are let end their steps first.
    charts = []
    for chart in list(_running):
        # After a fork that nobody reported, charts of the parent are among them.
        with contextlib.suppress(ForeignProcess):
            chart.halt()
            charts.append(chart)
    deadline = time.monotonic() + EXIT_TIMEOUT_S
    for chart in charts:
        chart.join(max(0.0, deadline - time.monotonic()))


def _leave_all_behind() -> None:
    # Their threads are the parent's.
    for chart in list(_running):
        chart._leave_behind()  # noqa: SLF001 - a chart from here
    _running.clear()


atexit.register(_end_all)
at_fork(in_child=_leave_all_behind)
