"""The active object: a chart with a thread of its own that takes events from its queue."""

from __future__ import annotations

import logging
import threading
from typing import Any

from farscope.engine.hsm import STOP_TIMEOUT_S, Hsm

_log = logging.getLogger("farscope")


class ActiveObject(Hsm):
    """A chart that runs on its own thread: post events to it, from anywhere.

    The start itself runs on the caller's thread, so that its errors reach the caller; every step
    after it runs on the chart's thread, which is a daemon named after the chart.

    Args:
        name: what the chart is called in traces; a short name is made up if it is None.
        instrumented: whether it records its steps; may be changed at any time.
    """

    __slots__ = ("_bell", "_failure", "_stopping", "_threaded")

    def __init__(self, name: str | None = None, instrumented: bool = True) -> None:
        super().__init__(name, instrumented)
        self._threaded = True
        self._stopping = False
        self._failure: BaseException | None = None
        self._bell = threading.Lock()
        self._bell.acquire()

    @property
    def failure(self) -> BaseException | None:
        """What a handler raised and so ended the chart; None if nothing did."""
        return self._failure

    @property
    def thread(self) -> threading.Thread | None:
        """The chart's own thread; None before the start, and for a chart driven by its caller."""
        return self._thread

    def start_at(self, initial_state: Any) -> None:
        """Start the chart in ``initial_state``, then its thread; raises what ``Hsm.start_at`` raises."""
        super().start_at(initial_state)
        if self._threaded:
            self._thread = threading.Thread(target=self._live_on, name=self._name, daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:
        """End the chart after the step that runs; events that still wait are not reacted to.

        From outside it returns when the chart's thread has ended, or after ``timeout_s``; from inside
        a handler it returns at once. Stopping twice changes nothing.

        Returns:
            What a handler raised and so ended the chart before, or None.
        """
        self._stopping = True
        thread = self._thread
        if thread is None:
            super().stop()
            return self._failure
        self._wake()
        if not self.join(timeout_s) and thread is not threading.current_thread():
            _log.warning("chart %s did not end its step within %s seconds", self._name, timeout_s)
        return self._failure

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the chart has ended, at most ``timeout_s`` seconds; return whether it has.

        From inside one of the chart's own handlers it returns False at once. ``failure`` tells
        whether a handler's error ended it.
        """
        thread = self._thread
        if thread is None:
            return self._stopped
        if thread is threading.current_thread():
            return False
        thread.join(timeout_s)
        return not thread.is_alive()

    def on_failure(self, error: BaseException) -> bool:
        """Decide, after a handler raised, whether the chart goes on in the state it rested in.

        Called on the chart's thread; the step was recorded before. This one reports the error through
        ``logging`` and ends the chart.
        """
        _log.error("chart %s stops: a handler raised", self._name, exc_info=error)
        return False

    def _live_on(self) -> None:
        try:
            self._loop()
        finally:
            super().stop()

    def _loop(self) -> None:
        # No wake-up is lost: this thread says that it is idle before it looks at the queue once
        # more, and a poster puts its event there before it asks whether anybody is idle. So either
        # this thread sees the event, or the poster sees an idle thread and rings.
        queue = self._queue
        while not self._stopping:
            try:
                e, cause, posted_ns = queue.popleft()
            except IndexError:
                self._idle = True
                if not queue and not self._stopping:
                    self._bell.acquire()
                self._idle = False
                continue
            try:
                self._run(e, cause, posted_ns)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the policy decides
                if not self.on_failure(error):
                    self._failure = error
                    return

    def _wake(self) -> None:
        self._idle = False
        try:
            self._bell.release()
        except RuntimeError:
            # It rings already, and the thread has not heard it yet: one ring is enough.
            return
