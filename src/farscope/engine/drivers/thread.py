"""The active object: a chart whose own thread takes events from its queue."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from typing import Any, Final, Unpack
from uuid import NAMESPACE_DNS, uuid5

from farscope.engine.breakdown import broke_down, end_plainly, goes_on
from farscope.engine.core.reserved import gives_way, is_intact, mended
from farscope.engine.definition.states import State
from farscope.engine.drivers.at_exit import hold, let_go
from farscope.engine.drivers.pool import Runner
from farscope.engine.drivers.unstarted import Startable
from farscope.engine.event import Event
from farscope.engine.hsm import STOP_TIMEOUT_S
from farscope.engine.latch import LAST_BREATH_S, wait_for_end
from farscope.engine.options import ChartOptions, OnError, checked_on_error
from farscope.errors import ChartStopped, Invariant

MADE_UP_CHARACTERS: Final = 5
"""Length of the name generated from the first state for a chart without a name; charts that start in the same
state share it."""

_log = logging.getLogger("farscope")


class ActiveObject(Startable):
    """A chart that runs on its own thread; events may be posted to it from anywhere.

    The start itself runs on the caller's thread, so that its errors reach the caller; all later steps run on
    the chart's thread, which is a daemon named after the chart.

    Events posted before the start wait for it; if the chart is freed without having been started, this is
    logged.

    Args:
        name: name of the chart in traces; if None, five characters derived from the name of the initial
            state, always the same ones.
        instrumented: whether it records its steps; may be changed at any time.
        on_error: what happens to the chart when a handler raises: ``"stop"`` ends it; ``"continue"`` lets it
            continue in the state in which it rested; or a function that is called with the chart, the event
            and the error, on the chart's thread, and returns one of the two. In all cases the failed step is
            recorded, with its traceback. An error that is not an ``Exception``, such as ``SystemExit``,
            always ends the chart.
        runner: the thread pool that runs the chart, together with other charts; if None, the chart has its
            own thread.
        options: see ``ChartOptions``.
    """

    __slots__ = ("_bell", "_failure", "_on_error", "_runner", "_stopping", "_threaded")

    def __init__(
        self,
        name: str | None = None,
        instrumented: bool | None = True,
        *,
        on_error: OnError = "stop",
        runner: Runner | None = None,
        **options: Unpack[ChartOptions],
    ) -> None:
        super().__init__(name, instrumented, **options)
        self._on_error = checked_on_error(on_error)
        self._runner = runner
        self._threaded = True
        self._stopping = False
        self._failure: BaseException | None = None
        self._bell = threading.Lock()
        """Wakes the chart's own thread when it is unlocked. With a runner: held while a turn is pending or
        running."""
        self._bell.acquire()

    def _name_after(self, goal: State) -> str:
        return str(uuid5(NAMESPACE_DNS, goal.name))[:MADE_UP_CHARACTERS]

    def _ended(self) -> ChartStopped:
        if self._failure is None:
            return super()._ended()
        return ChartStopped(
            f"chart {self._name} was ended by what a handler raised: {self._failure!r}",
            "chart.failure has it, with its traceback; on_error='continue' lets a chart go on",
        )

    @gives_way
    def failure(self) -> BaseException | None:
        """The handler's error that ended the chart; None if there was none."""
        return self._failure

    @property
    def at_rest(self) -> bool:
        """Whether no step runs and no event waits; also true before the start and after the end."""
        if self._thread is None or self._stopped:
            return super().at_rest
        self._refuse_elsewhere()
        return not self._queue and self._idle

    @gives_way
    def thread(self) -> threading.Thread | None:
        """The chart's own thread, or the thread of its runner that ran it last.

        None before the start, and for a chart driven by its caller.
        """
        return self._thread

    def start_at(self, initial_state: Any) -> None:
        """Start the chart in ``initial_state``, then its thread; raises the errors of ``Hsm.start_at``."""
        self._refuse_elsewhere()
        if self._runner is not None:
            self._start_shared(initial_state, self._runner)
            return
        super().start_at(initial_state)
        if self._threaded:
            thread = threading.Thread(target=self._live_on, name=self._name, daemon=True)
            self._note_start(thread)
            hold(self)
            try:
                thread.start()
            except BaseException:
                # The system cannot start a thread: no event would ever be handled.
                self._stopping = True
                self._leave()
                raise

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:
        """End the chart after the running step; events still waiting are not handled.

        Returns when the chart has ended, or after ``timeout_s`` seconds; when called from a handler of this
        chart, or of any chart of the same runner, returns immediately. Stopping again has no effect.

        Returns:
            The handler's error that ended the chart earlier, or None.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent; it does not wait there.
        """
        if self._thread is None:
            self._stopping = True
            super().stop()
            self._let_off()
            return self._failure
        self.halt()
        if not self.join(timeout_s) and not self._is_driven_here():
            _log.warning("chart %s did not end its step within %s seconds", self._name, timeout_s)
        return self._failure

    def halt(self) -> None:
        """End the chart after the running step, like ``stop``, but without waiting for it."""
        self._refuse_elsewhere()
        self._stopping = True
        self._timed.cancel_all()
        self._fabric.forget(self)
        self._wake()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait up to ``timeout_s`` seconds until the chart has ended; return whether it has.

        When called from a handler of this chart, or of any chart of the same runner, it does not wait.
        ``failure`` shows whether a handler's error ended the chart.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        thread = self._thread
        if thread is None:
            return self._stopped
        self._refuse_elsewhere()
        if self._is_driven_here():
            return self._over.is_open
        if not self._over.wait(timeout_s):
            return False
        if self._runner is None:
            # The chart has ended, and its own thread is executing its last instructions.
            wait_for_end(thread, time.monotonic() + LAST_BREATH_S)
        return True

    def _start_shared(self, initial_state: Any, runner: Runner) -> None:
        if self._leaf is None:
            runner.adopt(self)
        try:
            super().start_at(initial_state)
        except BaseException:
            if self._leaf is None:
                runner.release(self)
            raise
        self._note_start(runner.a_thread)
        hold(self)
        if self._is_wanted_again():
            runner.ready(self)

    def take_turn(self, steps: int) -> bool:
        """Run at most ``steps`` waiting steps, for the runner; return whether more are waiting."""
        self._thread = threading.current_thread()
        self._idle = False
        queue = self._queue
        for _ in range(steps):
            if self._stopping:
                break
            try:
                item = e, cause, posted_ns = queue.popleft()
            except IndexError:
                if not is_intact(self):
                    raise mended(self) or Invariant("a chart's queue is not its own") from None
                return self._is_wanted_again()
            except ValueError:
                timed = self._redeemed(item)
                if timed is None:
                    continue
                e, cause, posted_ns = timed
            try:
                self._run(e, cause, posted_ns)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the policy decides
                if not goes_on(self, e, error):
                    self._failure = error
                    self._stopping = True
        if self._stopping:
            self._leave()
            return False
        return True

    def _is_wanted_again(self) -> bool:
        """Release the chart between turns; acquire it again if there is already something to do."""
        # No event is missed: a poster puts its event in the queue before it checks whether the chart is idle.
        self._idle = True
        self._bell.release()
        return bool(self._queue or self._stopping) and self._bell.acquire(blocking=False)

    def _is_driven_here(self) -> bool:
        here = threading.current_thread()
        return here is self._thread or (self._runner is not None and here in self._runner.threads)

    def _leave_behind(self) -> None:
        """Mark the chart, in a forked child, as running in the parent: here it refuses to be used."""
        # If a handler of this chart forked, this ends the child's copy with that handler.
        self._stopping = True
        super()._leave_behind()

    def _leave(self) -> None:
        """End the chart even if something fails, so that nothing waits for a chart that no longer runs."""
        try:
            super().stop()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is reported
            broke_down(self, error)
            self._stopped = True
            if not self._is_over:
                self._end()
        finally:
            end_plainly(self)
            let_go(self)
            self._free(self._failure)
            if self._runner is not None:
                self._runner.release(self)
            self._over.open()

    def _perish(self, error: BaseException) -> None:
        """End the chart because of an error in the engine, outside any step."""
        broke_down(self, error)
        self._leave()

    def _goes_on(self, e: Event, error: BaseException) -> bool:
        """Decide whether the chart continues after a handler raised and its step was recorded."""
        policy = self._on_error
        if callable(policy) and isinstance(error, Exception):
            try:
                policy = policy(self, e, error)
            except BaseException as another:  # noqa: BLE001 - it ends the chart as the first error would
                _log.error("on_error of chart %s raised", self._name, exc_info=another)
            else:
                if policy == "continue":
                    return True
        goes_on = policy == "continue" and isinstance(error, Exception)
        what = "goes on" if goes_on else "stops"
        _log.error("chart %s %s: a handler raised", self._name, what, exc_info=error)
        return goes_on

    def _live_on(self) -> None:
        try:
            self._loop()
        except BaseException as error:  # noqa: BLE001 - whatever it is, watchers are notified
            broke_down(self, error)
        try:
            self._leave()
        except BaseException:  # noqa: BLE001 - same
            _log.exception("chart %s could not end in order", self._name)
        finally:
            # The frames of a traceback refer to this one, whose locals can only be cleared here.
            del self

    @staticmethod
    def _free(error: BaseException | None) -> None:
        """Clear the frames of an error's traceback, which keep the chart alive."""
        while error is not None:
            traceback.clear_frames(error.__traceback__)
            error = error.__cause__ or error.__context__

    def _loop(self) -> None:
        # No wake-up is lost: this thread sets the idle flag before it checks the queue once more, and a
        # poster queues its event before it checks the idle flag. So either this thread sees the event, or the
        # poster sees an idle thread and wakes it.
        queue = self._queue
        while not self._stopping:
            try:
                item = e, cause, posted_ns = queue.popleft()
            except IndexError:
                if not is_intact(self):
                    raise mended(self) or Invariant("a chart's queue is not its own") from None
                self._idle = True
                if not queue and not self._stopping:
                    self._bell.acquire()
                self._idle = False
                continue
            except ValueError:
                timed = self._redeemed(item)
                if timed is None:
                    continue
                e, cause, posted_ns = timed
            try:
                self._run(e, cause, posted_ns)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the policy decides
                if not goes_on(self, e, error):
                    self._failure = error
                    return

    def _wake(self) -> None:
        self._idle = False
        if self._thread is None:
            self._note_post_before_start()
            return
        self._refuse_elsewhere()
        if self._runner is not None:
            if self._bell.acquire(blocking=False):
                self._runner.ready(self)
            return
        try:
            self._bell.release()
        except RuntimeError:
            # A wake-up is already pending: one is enough.
            return
