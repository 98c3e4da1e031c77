"""Posts to a chart that runs by itself and is not started: they wait, and if it never is, that is told."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import Any, Unpack

from farscope.engine.hsm import Hsm
from farscope.engine.options import ChartOptions

_log = logging.getLogger("farscope")


class Startable(Hsm):
    """The part of a chart with a thread, a runner or a loop that minds what is posted before its start."""

    __slots__ = ("_unstarted",)

    def __init__(self, name: str | None, instrumented: bool, **options: Unpack[ChartOptions]) -> None:
        super().__init__(name, instrumented, **options)
        self._unstarted: weakref.finalize[..., Any] | None = None
        """Tells of posts to a chart that is never started; made with the first of them."""
        self._idle = True

    def _note_start(self, thread: threading.Thread) -> None:
        self._idle = False
        self._thread = thread
        self._let_off()

    def _note_post_before_start(self) -> None:
        self._unstarted = weakref.finalize(self, _tell, self._name, os.getpid())
        if self._thread or self._stopped:
            # Another thread did that meanwhile, perhaps before there was anything to let off.
            self._let_off()

    def _let_off(self) -> None:
        """Tell nothing: the chart was started, or stopped."""
        if self._unstarted is not None:
            self._unstarted.detach()


def _tell(name: str, pid: int) -> None:
    # A forked child has copies of its parent's charts; they are the parent's to tell of.
    if pid == os.getpid():
        _log.warning(
            "chart %s was never started: nobody reacted to what was posted to it (call chart.start_at)", name
        )
