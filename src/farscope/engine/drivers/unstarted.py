"""Charts that run by themselves: posts before the start, and copies of charts in a forked child."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import Any, ClassVar, Unpack

from farscope.engine.hsm import Hsm
from farscope.engine.latch import Latch
from farscope.engine.options import ChartOptions
from farscope.errors import ForeignProcess
from farscope.records.sink import Sink

AFTER_THE_FORK = (
    "start charts after the fork, in the process that uses them; to make them before it does no harm"
)

_log = logging.getLogger("farscope")


class Startable(Hsm):
    """The part of a self-running chart that warns about posts never handled because it was not started.

    The chart runs only in the process that started it: a copy in a forked child refuses to be used.
    """

    _run_by: ClassVar[str] = "a thread"

    __slots__ = ("_home_pid", "_over", "_unstarted")

    def __init__(self, name: str | None, instrumented: bool | None, **options: Unpack[ChartOptions]) -> None:
        super().__init__(name, instrumented, **options)
        self._home_pid = 0
        """Id of the process in which the chart was started."""
        self._over = Latch()
        """Opened when the chart has ended."""
        self._unstarted: list[weakref.finalize[..., Any]] = []
        """Finalizers that report posts to a chart that is never started. One is created at the first post; a
        finalizer that posts at that moment creates another."""
        self._idle = True

    @property
    def at_rest(self) -> bool:
        """Whether no step runs and no event waits; also true before the start and after the end.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        self._refuse_elsewhere()
        return super().at_rest

    def attach(self, sink: Sink) -> None:
        """Pass every further step to ``sink``; attaching it again has no effect.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        self._refuse_elsewhere()
        super().attach(sink)

    def _leave_behind(self) -> None:
        """Mark the chart, in a forked child, as running in the parent: here it refuses to be used."""
        # Nothing has room, so that every post reaches the place where it is refused, without a check on the
        # hot path.
        self._capacity = -1
        self._idle = False
        self._queue.clear()

    def _note_start(self, thread: threading.Thread) -> None:
        self._idle = False
        self._home_pid = os.getpid()
        self._thread = thread
        self._let_off()

    def _note_post_before_start(self) -> None:
        if not self._unstarted:
            self._unstarted.append(weakref.finalize(self, _tell, self._name, os.getpid()))
        if self._thread or self._stopped:
            # Another thread started or stopped it in the meantime, perhaps before there was a warning to
            # cancel.
            self._let_off()

    def _let_off(self) -> None:
        """Cancel the warning: the chart was started or stopped."""
        for teller in list(self._unstarted):
            teller.detach()

    def _is_elsewhere(self) -> bool:
        return self._thread is not None and self._home_pid != os.getpid() and not self._stopped

    def _refuse_elsewhere(self) -> None:
        if self._is_elsewhere():
            # The fork may have been one that does not run fork hooks.
            self._leave_behind()
            raise ForeignProcess(
                f"chart {self._name} is run by {self._run_by} of process {self._home_pid}, "
                "and this process is a fork of it that has none",
                AFTER_THE_FORK,
                pid=self._home_pid,
            )


def _tell(name: str, pid: int) -> None:
    # A forked child has copies of its parent's charts, which only the parent reports.
    if pid == os.getpid():
        _log.warning(
            "chart %s was never started: nobody reacted to what was posted to it (call chart.start_at)", name
        )
