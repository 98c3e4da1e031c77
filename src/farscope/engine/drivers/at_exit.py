"""The registry of charts that run by themselves: kept alive until they end, and ended at exit."""

from __future__ import annotations

import atexit
import contextlib
import time

from farscope.engine.ports import ChartPort
from farscope.errors import ForeignProcess
from farscope.records.fork_hooks import at_fork

EXIT_TIMEOUT_S = 1.0
"""How long the interpreter's exit waits, in total, for the running steps of all charts to end; a step that
takes longer is cut off."""


_running: set[ChartPort] = set()


def hold(chart: ChartPort) -> None:
    """Keep a chart alive while it runs; an event loop, for example, holds its tasks only weakly."""
    _running.add(chart)


def let_go(chart: ChartPort) -> None:
    """Release a chart that has ended."""
    _running.discard(chart)


def _end_all() -> None:
    # A daemon thread that is cut off while it holds a lock, such as that of standard output, can hang or
    # crash the interpreter's exit, so charts may finish their steps first.
    charts = []
    for chart in list(_running):
        # After a fork without fork hooks, charts of the parent are among them.
        with contextlib.suppress(ForeignProcess):
            chart.halt()
            charts.append(chart)
    deadline = time.monotonic() + EXIT_TIMEOUT_S
    for chart in charts:
        chart.join(max(0.0, deadline - time.monotonic()))


def _leave_all_behind() -> None:
    # Their threads are the parent's.
    for chart in list(_running):
        chart._driver.leave_behind(chart._core)  # noqa: SLF001 - a chart from here
    _running.clear()


atexit.register(_end_all)
at_fork(in_child=_leave_all_behind)
