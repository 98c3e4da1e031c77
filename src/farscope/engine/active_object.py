"""The active object: a chart that takes events from its queue by itself."""

from __future__ import annotations

from typing import Any, Final, Unpack
from uuid import NAMESPACE_DNS, uuid5

from farscope.engine.drivers.pool import PoolDriver, Runner
from farscope.engine.drivers.thread import ThreadDriver
from farscope.engine.hsm import STOP_TIMEOUT_S, Hsm, drive
from farscope.engine.options import ChartOptions, OnError

MADE_UP_CHARACTERS: Final = 5
"""Length of the name generated from the first state for a chart without a name; charts that start in the same
state share it."""


class ActiveObject(Hsm):
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

    __slots__ = ()

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
        self._core.make_up_name = name_from
        drive_itself(self, on_error, runner)

    def start_at(self, initial_state: Any) -> None:
        """Start the chart in ``initial_state``, then its thread; raises the errors of ``Hsm.start_at``."""
        super().start_at(initial_state)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:
        """End the chart after the running step; events still waiting are not handled.

        Returns when the chart has ended, or after ``timeout_s`` seconds; when called from a handler of this
        chart, or of any chart of the same runner, returns immediately. Stopping again has no effect.

        Returns:
            The handler's error that ended the chart earlier, or None.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent; it does not wait there.
        """
        return super().stop(timeout_s)


def drive_itself(chart: Hsm, on_error: OnError, runner: Runner | None) -> None:
    """Let a chart that is not started run by itself: on a runner, or on its own thread."""
    if runner is None:
        drive(chart, ThreadDriver(chart, on_error), asleep=True)
    else:
        drive(chart, PoolDriver(chart, on_error, runner), asleep=True)


def name_from(state: str) -> str:
    """Return the name of a chart without one that starts in the state of that name."""
    return str(uuid5(NAMESPACE_DNS, state))[:MADE_UP_CHARACTERS]
