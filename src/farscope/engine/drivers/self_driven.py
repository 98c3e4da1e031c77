"""The common part of all drivers of charts that run by themselves."""

from __future__ import annotations

import logging
import os
import threading
import traceback
import weakref
from typing import Any, ClassVar

from farscope.engine.core.breakdown import broke_down, end_plainly, report_once
from farscope.engine.core.core import START, Core
from farscope.engine.core.life import Life
from farscope.engine.core.reserved import is_intact, mended
from farscope.engine.drivers.at_exit import let_go
from farscope.engine.drivers.caller import CallerDriver
from farscope.engine.event import Event
from farscope.engine.latch import Latch
from farscope.engine.options import OnError, checked_on_error
from farscope.errors import ChartStopped, ForeignProcess, Invariant

AFTER_THE_FORK = (
    "start charts after the fork, in the process that uses them; to make them before it does no harm"
)

_log = logging.getLogger("farscope")


class SelfDriver(CallerDriver):
    """Runs a chart until its end, or until its error policy says so.

    It warns about posts never handled because the chart was not started. The chart runs only in the process
    that started it: a copy in a forked child refuses to be used.
    """

    run_by: ClassVar[str] = "a thread"
    """Names what runs the chart, for messages."""

    __slots__ = (
        "_home_pid",
        "_is_left",
        "_unstarted",
        "chart",
        "failure",
        "halted",
        "on_error",
        "over",
        "thread",
    )

    def __init__(self, chart: Any, on_error: OnError) -> None:
        self.thread = None
        self.failure = None
        self.chart: weakref.ref[Any] = weakref.ref(chart)
        self.on_error = checked_on_error(on_error)
        self.halted = False
        """Whether the chart is to end after the running step; until then it accepts posts."""
        self.over = Latch()
        """Opened when the chart has ended."""
        self._home_pid = 0
        """Id of the process in which the chart was started."""
        self._is_left = False
        """Whether the chart has ended in this process, so that a fork of it may use what is left."""
        self._unstarted: list[weakref.finalize[..., Any]] = []
        """Finalizers that report posts to a chart that is never started. One is created at the first post; a
        finalizer that posts at that moment creates another."""

    def at_rest(self, core: Core) -> bool:
        """Return whether no step runs and no event waits."""
        self.refuse_elsewhere()
        if self.thread is None or core.stop_asked:
            return core.at_rest
        return not core.queue and core.mailbox.asleep

    def stop(self, chart: Any, core: Core, timeout_s: float) -> BaseException | None:
        """End the chart after the running step, and wait for it; return the error that ended it earlier."""
        if self.thread is None:
            self.halted = True
            core.stop(chart)
            self._cancel_warning()
            return self.failure
        self.halt(chart, core)
        if not self.join(core, timeout_s) and not self._is_driven_here():
            _log.warning("chart %s did not end its step within %s seconds", core.name, timeout_s)
        return self.failure

    def halt(self, chart: Any, core: Core) -> None:
        """End the chart after the running step, without waiting for it."""
        self.refuse_elsewhere()
        self.halted = True
        core.mailbox.timed.cancel_all()
        core.fabric.forget(chart)
        core.mailbox.asleep = False
        self.wake()

    def wake(self) -> None:
        """Run the chart, or warn if it is never started."""
        if self.thread is None:
            self._note_post_before_start()
            return
        self.refuse_elsewhere()
        self._ring()

    def ended(self, name: str) -> ChartStopped:
        """Return the error for using the chart of that name after its end."""
        if self.failure is None:
            return super().ended(name)
        return ChartStopped(
            f"chart {name} was ended by what a handler raised: {self.failure!r}",
            "chart.failure has it, with its traceback; on_error='continue' lets a chart go on",
        )

    def is_elsewhere(self) -> bool:
        """Return whether the chart runs in the process that this one was forked from."""
        return self.thread is not None and self._home_pid != os.getpid() and not self._is_left

    def refuse_elsewhere(self) -> None:
        """Raise ``ForeignProcess`` if another process runs the chart."""
        if not self.is_elsewhere():
            return
        core = self._own_core()
        # The fork may have been one that does not run fork hooks.
        self.leave_behind(core)
        raise ForeignProcess(
            f"chart {core.name} is run by {self.run_by} of process {self._home_pid}, "
            "and this process is a fork of it that has none",
            AFTER_THE_FORK,
            pid=self._home_pid,
        )

    def leave_behind(self, core: Core) -> None:
        """Mark the chart, in a forked child, as running in the parent: here it refuses to be used."""
        # If a handler of this chart forked, this ends the child's copy with that handler.
        self.halted = True
        # Nothing has room, so that every post reaches the place where it is refused, without a check on the
        # hot path.
        core.mailbox.leave_behind()

    def note_start(self, core: Core, thread: threading.Thread) -> None:
        """Note that ``thread`` runs the chart from now on."""
        core.mailbox.asleep = False
        self._home_pid = os.getpid()
        self.thread = thread
        core.is_self_driven = True
        self._cancel_warning()

    def work(self, chart: Any, core: Core, steps: int) -> bool:
        """Run at most ``steps`` waiting steps; return whether none is left, and the chart may sleep."""
        take, run = core.mailbox.take, core.run
        if core.due:
            self._follow_up(chart, core)
        for _ in range(steps):
            if self.halted:
                return False
            item = take()
            if item is None:
                self.check_intact(chart, core)
                return True
            try:
                run(chart, item)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the policy decides
                if not self.goes_on(chart, core, item[0], error):
                    self.failure = error
                    self.halted = True
        return False

    def _follow_up(self, chart: Any, core: Core) -> None:
        """Process completions that follow from the start, because no other step has done so."""
        try:
            core.follow_up(chart)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the policy decides
            if not self.goes_on(chart, core, START, error):
                self.failure = error
                self.halted = True

    def check_intact(self, chart: Any, core: Core) -> None:
        """Raise the error about a name of the engine's that a handler took in a step that was cached."""
        if not is_intact(chart, core.algorithm):
            raise mended(chart, core) or Invariant("a chart's core, driver or methods were replaced")

    def goes_on(self, chart: Any, core: Core, e: Event, error: BaseException) -> bool:
        """Return whether the chart continues after a failed step; ensure that the failure is reported."""
        try:
            report_once(core, e.signal_name, error)
            return self._decide(chart, core, e, error)
        except BaseException as broken:  # noqa: BLE001 - whatever it is, the chart ends rather than its thread
            _log.error(
                "chart %s stops: the handling of a failed step failed as well", core.name, exc_info=broken
            )
            return False

    def break_down(self, chart: Any, core: Core, error: BaseException) -> None:
        """Record an error between steps as a failed step and as the cause of the chart's end."""
        self.halted = True
        self.failure = self.failure or broke_down(core, chart, error)

    def leave(self, chart: Any, core: Core) -> None:
        """End the chart even if something fails, so that nothing waits for a chart that no longer runs."""
        # A task that was cancelled, or a program that was interrupted, is not a failure of the chart.
        core.failed = isinstance(self.failure, Exception)
        try:
            core.stop(chart)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is reported
            self.break_down(chart, core, error)
            core.failed = True
            core.stop_asked = True
            if core.life not in (Life.STOPPING, Life.ENDED):
                core.end(chart)
        finally:
            self._is_left = True
            end_plainly(core)
            let_go(chart)
            _free(self.failure)
            self._release(chart)
            self.over.open()

    def _ring(self) -> None:
        """Wake what runs the chart."""

    def _release(self, chart: Any) -> None:
        """Release what ran the chart."""

    def _is_driven_here(self) -> bool:
        return threading.current_thread() is self.thread

    def _decide(self, chart: Any, core: Core, e: Event, error: BaseException) -> bool:
        """Decide whether the chart continues after a handler raised and its step was recorded."""
        policy = self.on_error
        if callable(policy) and isinstance(error, Exception):
            try:
                policy = policy(chart, e, error)
            except BaseException as another:  # noqa: BLE001 - it ends the chart as the first error would
                _log.error("on_error of chart %s raised", core.name, exc_info=another)
            else:
                if policy == "continue":
                    return True
        goes_on = policy == "continue" and isinstance(error, Exception)
        what = "goes on" if goes_on else "stops"
        _log.error("chart %s %s: a handler raised", core.name, what, exc_info=error)
        return goes_on

    def _own_core(self) -> Core:
        chart = self.chart()
        if chart is None:
            raise Invariant("the driver of a chart that is gone is used")
        return chart._core  # type: ignore[no-any-return]  # noqa: SLF001 - the driver's own chart

    def _note_post_before_start(self) -> None:
        chart = self.chart()
        if not self._unstarted and chart is not None:
            name = chart._core.name  # noqa: SLF001 - the driver's own chart
            self._unstarted.append(weakref.finalize(chart, _warn, name, os.getpid()))
        if self.thread or self.halted:
            # Another thread started or stopped it in the meantime, perhaps before there was a warning to
            # cancel.
            self._cancel_warning()

    def _cancel_warning(self) -> None:
        for warning in list(self._unstarted):
            warning.detach()


def _warn(name: str, pid: int) -> None:
    # A forked child has copies of its parent's charts, which only the parent reports.
    if pid == os.getpid():
        _log.warning(
            "chart %s was never started: nobody reacted to what was posted to it (call chart.start_at)", name
        )


def _free(error: BaseException | None) -> None:
    """Clear the frames of an error's traceback, which keep the chart alive."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
