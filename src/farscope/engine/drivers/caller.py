"""The driver of a chart whose caller says when it runs a step."""

from __future__ import annotations

import threading
from typing import Any, ClassVar, Final

from farscope.engine.core.core import Core
from farscope.errors import ChartError, ChartStopped, Invariant


class CallerDriver:
    """Runs nothing by itself: the start runs on the caller's thread, and so does each step.

    Other drivers are derived from this one. A driver refers to its chart weakly, or not at all: the chart
    passes itself.
    """

    __slots__ = ()

    awaits: ClassVar[bool] = False
    """Whether handlers and tasks may be coroutine functions."""
    thread: threading.Thread | None = None
    """The thread that runs the steps; None before the start, and always if the caller runs them."""
    failure: BaseException | None = None
    """The handler's error that ended the chart; None if there was none."""

    def start(self, chart: Any, core: Core, initial_state: Any) -> None:
        """Start the chart; raises the errors of its start."""
        core.start(chart, initial_state)
        if core.due:
            core.follow_up(chart)

    def at_rest(self, core: Core) -> bool:
        """Return whether no step runs and no event waits."""
        return core.at_rest

    def stop(self, chart: Any, core: Core, timeout_s: float) -> BaseException | None:  # noqa: ARG002 - for charts with a thread
        """End the chart; return the error that ended it earlier."""
        core.stop(chart)
        return None

    def halt(self, chart: Any, core: Core) -> None:
        """End the chart after the running step, without waiting for it."""
        core.stop(chart)

    def join(self, core: Core, timeout_s: float | None) -> bool:  # noqa: ARG002 - for charts with a thread
        """Wait for the chart's end; return whether it has ended."""
        return core.stop_asked

    def take_turn(self, chart: Any, core: Core, steps: int) -> bool:  # noqa: ARG002 - for pools
        """Run at most ``steps`` waiting steps, for a pool of threads; return whether more are waiting."""
        raise Invariant(f"chart {core.name} does not run on a pool of threads, but was given {steps} steps")

    def run_coroutine(self, coroutine: Any, name: str, bring: Any) -> Any:  # noqa: ARG002 - for event loops
        """Run the task of a state beside the chart, on an event loop."""
        coroutine.close()
        raise Invariant(f"{name} is a coroutine, and no event loop runs the chart")

    def wake(self) -> None:
        """Do nothing: a chart whose caller drives it never sleeps."""

    def refuse_elsewhere(self) -> None:
        """Do nothing: such a chart runs in whichever process its caller is."""

    def leave_behind(self, core: Core) -> None:
        """Do nothing, in a forked child: its copy of the chart is as good as the original."""

    def ended(self, name: str) -> ChartStopped:
        """Return the error for using the chart of that name after its end."""
        return ChartStopped(f"chart {name} was stopped", "make and start a new chart")

    def refuse_caller(self, name: str) -> ChartError:
        """Return the error for running steps of a chart that runs by itself."""
        self.refuse_elsewhere()
        return ChartError(
            f"chart {name} runs on its own thread",
            "post the event, or make a Factory with threaded=False to drive it yourself",
        )


CALLER: Final = CallerDriver()
"""The driver of all charts whose callers drive them: it has no state."""
