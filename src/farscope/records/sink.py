"""The sink port: the single interface for observing charts."""

from __future__ import annotations

import sys
from typing import Any, Final, Protocol, runtime_checkable

from farscope.records.configuration import Configuration
from farscope.records.step import ChartId, ChartRef, RawStep
from farscope.records.structure import AnyChartStatus, ChartStatus, ChartStructure

NO_LOGS: Final = sys.maxsize
"""The ``log_level`` of a sink that wants no log records."""


class Sink(Protocol):
    """Receives the activity of charts. Every method is called on the chart's thread and must not block.

    A sink that raises is detached and reported; it never breaks the chart. An error raised by one of the
    program's signal handlers while a sink is running belongs to the program: it propagates to the program,
    the sink stays attached, and an announcement or stop that the sink may have missed is repeated.
    """

    def step(self, step: RawStep) -> None:
        """Receive a finished step: a plain tuple with the fields of ``Step``."""

    def announce(
        self,
        chart: ChartId,
        structure: ChartStructure,
        state: Configuration,
        number: int,
        parent: ChartRef | None = None,
    ) -> None:
        """Receive a chart's structure, configuration, last step number, and the chart that created it.

        Called when the sink is attached to a running chart, when a chart starts, and when more of a chart's
        structure becomes known. ``state`` is empty before the first step.
        """

    def stopped(self, chart: ChartId, status: AnyChartStatus = ChartStatus.STOPPED) -> None:
        """Receive the news that the chart will make no more steps; ``status`` says why."""


@runtime_checkable
class LastingSink(Sink, Protocol):
    """A sink that cannot fail by itself: an error raised from it comes from outside, so it stays attached."""

    def step_again(self, step: RawStep, error: BaseException) -> None:
        """Receive a step again, unless it had been accepted when ``error`` struck."""


class SubjectSink(Sink, Protocol):
    """A sink that needs more than the record of a step: the chart itself, and the event of the step."""

    subject: tuple[Any, Any] | None
    """The chart and the event of the step that is reported next; set before each step."""


class LogSink(Sink, Protocol):
    """A sink that wants the log records that are made inside steps, as facts of these steps."""

    log_level: int
    """The lowest level of the records it wants, as ``logging`` numbers them; ``NO_LOGS`` for none."""
