"""The active object: a chart with a thread of its own that takes events from its queue."""

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
"""Length of the name that a chart without one gets from its first state; charts that start alike share it."""

_log = logging.getLogger("farscope")


class ActiveObject(Startable):
    """A chart that runs on its own thread: post events to it, from anywhere.

    The start itself runs on the caller's thread, so that its errors reach the caller; every step
    after it runs on the chart's thread, which is a daemon named after the chart.

    Events may be posted before the start and wait for it; that it never came is logged when the chart goes.

    Args:
        name: what the chart is called in traces; if it is None, five characters made from the name of the
            state it is started at, the same ones every time.
        instrumented: whether it records its steps; may be changed at any time.
        on_error: what comes of the chart when a handler raises: ``"stop"`` ends it; ``"continue"`` lets it go
            on in the state it rested in; or a function that is called with the chart, the event and the
            error, on the chart's thread, and returns one of the two. The failed step is recorded either way,
            with its traceback. What is no ``Exception``, like ``SystemExit``, always ends the chart.
        runner: whose threads run the chart, together with other charts; a thread of its own if it is None.
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
        """With a thread of its own: free while it rings for that. With a runner: held while a turn is wanted
        or taken."""
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
        """What a handler raised and so ended the chart; None if nothing did."""
        return self._failure

    @property
    def at_rest(self) -> bool:
        """Whether no step runs and nothing waits; true as well before the start and after the end."""
        if self._thread is None or self._stopped:
            return super().at_rest
        self._refuse_elsewhere()
        return not self._queue and self._idle

    @gives_way
    def thread(self) -> threading.Thread | None:
        """The chart's own thread, or the one of its runner that ran it last.

        None before the start, and for a chart driven by its caller.
        """
        return self._thread

    def start_at(self, initial_state: Any) -> None:
        """Start the chart in ``initial_state``, then its thread; raises what ``Hsm.start_at`` raises."""
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
                # The system has no thread for it: nobody would react to anything.
                self._stopping = True
                self._leave()
                raise

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:
        """End the chart after the step that runs; events that still wait are not reacted to.

        From outside it returns when the chart has ended, or after ``timeout_s``; from inside one of its
        handlers, or of any chart of the same runner, at once. Stopping twice changes nothing.

        Returns:
            What a handler raised and so ended the chart before, or None.

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
        """End the chart after the step that runs, as ``stop`` does, without waiting for it."""
        self._refuse_elsewhere()
        self._stopping = True
        self._timed.cancel_all()
        self._fabric.forget(self)
        self._wake()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the chart has ended, at most ``timeout_s`` seconds; return whether it has.

        From inside one of its handlers, or of any chart of the same runner, it does not wait.
        ``failure`` tells whether a handler's error ended it.

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
            # The chart has ended, and its own thread is at its last instructions.
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
        """Make at most so many steps of those that wait, for the runner; return whether more wait."""
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
        """Let go of the chart between turns; take hold of it again if there is something to do already."""
        # Nothing is lost: a poster puts its event in the queue before it asks whether the chart is idle.
        self._idle = True
        self._bell.release()
        return bool(self._queue or self._stopping) and self._bell.acquire(blocking=False)

    def _is_driven_here(self) -> bool:
        here = threading.current_thread()
        return here is self._thread or (self._runner is not None and here in self._runner.threads)

    def _leave_behind(self) -> None:
        """Take note, in a forked child, that the chart goes on in the parent: here it refuses to be used."""
        # If it was a handler of this chart that forked, this ends it with that handler.
        self._stopping = True
        super()._leave_behind()

    def _leave(self) -> None:
        """End, whatever fails meanwhile: nobody is to wait for a chart that runs no more."""
        try:
            super().stop()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
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
        """End because of an error in the engine, outside any step."""
        broke_down(self, error)
        self._leave()

    def _goes_on(self, e: Event, error: BaseException) -> bool:
        """Decide, after a handler raised and its step was recorded, whether the chart goes on."""
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
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who watch are told
            broke_down(self, error)
        try:
            self._leave()
        except BaseException:  # noqa: BLE001 - same
            _log.exception("chart %s could not end in order", self._name)
        finally:
            # The frames of a traceback lead to this one, whose locals nobody else can clear.
            del self

    @staticmethod
    def _free(error: BaseException | None) -> None:
        """Take from an error what the frames of its traceback hold: they hold the chart."""
        while error is not None:
            traceback.clear_frames(error.__traceback__)
            error = error.__cause__ or error.__context__

    def _loop(self) -> None:
        # No wake-up is lost: this thread says that it is idle before it looks at the queue once
        # more, and a poster puts its event there before it asks whether anybody is idle. So either
        # this thread sees the event, or the poster sees an idle thread and rings.
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
            # It rings already, and the thread has not heard it yet: one ring is enough.
            return
