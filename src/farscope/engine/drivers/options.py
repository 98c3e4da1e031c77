"""Constructor options of charts that run by themselves."""

from __future__ import annotations

from typing import cast

from farscope.engine.drivers.pool import Runner
from farscope.engine.options import ChartOptions, OnError, checked_on_error


class ActiveOptions(ChartOptions, total=False):
    """The options of a chart that runs by itself, given by keyword."""

    on_error: OnError
    """What happens to the chart when a handler raises; see ``ActiveObject``."""
    runner: Runner | None
    """The thread pool that runs the chart, together with other charts."""


def split_options(options: ActiveOptions) -> tuple[Runner | None, OnError, ChartOptions]:
    """Return the runner, the error policy, and the options that every chart has.

    Raises:
        UsageError: the policy is invalid.
    """
    others = options.copy()
    runner = others.pop("runner", None)
    on_error = checked_on_error(others.pop("on_error", "stop"))
    return runner, on_error, cast("ChartOptions", others)
