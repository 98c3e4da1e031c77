"""The driver of a chart that runs on its own thread."""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import Any

from farscope.engine.core.core import Core
from farscope.engine.drivers.at_exit import hold
from farscope.engine.drivers.self_driven import SelfDriver
from farscope.engine.latch import LAST_BREATH_S, wait_for_end
from farscope.engine.options import OnError

_log = logging.getLogger("farscope")


class ThreadDriver(SelfDriver):
    """Runs a chart on a daemon thread named after it, which ends with the chart.

    The start itself runs on the caller's thread, so that its errors reach the caller.
    """

    __slots__ = ("_bell",)

    def __init__(self, chart: Any, on_error: OnError) -> None:
        super().__init__(chart, on_error)
        self._bell = threading.Lock()
        """Wakes the thread when it is unlocked."""
        self._bell.acquire()

    def start(self, chart: Any, core: Core, initial_state: Any) -> None:
        """Start the chart, then its thread."""
        self.refuse_elsewhere()
        core.start(chart, initial_state)
        thread = threading.Thread(target=self._live, args=(chart, core), name=core.name, daemon=True)
        self.note_start(core, thread)
        hold(chart)
        try:
            thread.start()
        except BaseException:
            # The system cannot start a thread: no event would ever be handled.
            self.halted = True
            self.leave(chart, core)
            raise

    def join(self, core: Core, timeout_s: float | None) -> bool:
        """Wait for the chart's end, unless on its own thread; return whether it has ended."""
        thread = self.thread
        if thread is None:
            return core.stop_asked
        self.refuse_elsewhere()
        if self._is_driven_here():
            return self.over.is_open
        if not self.over.wait(timeout_s):
            return False
        # The chart has ended, and its own thread is executing its last instructions.
        wait_for_end(thread, time.monotonic() + LAST_BREATH_S)
        return True

    def _live(self, chart: Any, core: Core) -> None:
        # No wake-up is lost: this thread says that it sleeps before it checks the queue once more, and a
        # poster queues its event before it checks whether the thread sleeps. So either this thread sees the
        # event, or the poster sees a sleeping thread and wakes it.
        mailbox = core.mailbox
        try:
            while not self.halted:
                if self.work(chart, core, sys.maxsize):
                    mailbox.asleep = True
                    if not mailbox.queue and not self.halted:
                        self._bell.acquire()
                    mailbox.asleep = False
        except BaseException as error:  # noqa: BLE001 - whatever it is, watchers are notified
            self.break_down(chart, core, error)
        try:
            self.leave(chart, core)
        except BaseException:  # noqa: BLE001 - same
            _log.exception("chart %s could not end in order", core.name)
        finally:
            # The frames of a traceback refer to this one, whose locals can only be cleared here.
            del self, chart, core, mailbox

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            # A wake-up is already pending: one is enough.
            return
