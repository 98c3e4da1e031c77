"""The sink port: the one window through which charts are seen."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from farscope.records.step import ChartId, RawStep
from farscope.records.structure import ChartStructure


class Sink(Protocol):
    """Takes what charts do. Every method is called on the chart's own thread and must not block.

    A sink that raises is detached and reported; it never breaks the chart. An error that a signal handler
    of the program raises while a sink is at work is the program's: it is raised to it, the sink stays,
    and of what it may not have taken in, an announcement or a stop is repeated.
    """

    def step(self, step: RawStep) -> None:
        """Take one finished step: a plain tuple with the fields of ``Step``."""

    def announce(self, chart: ChartId, structure: ChartStructure, state: str, number: int) -> None:
        """Take a chart's structure, its present state and the number of its last step.

        Called when the sink is attached to a running chart, when a chart starts, and when more of
        a chart's structure has become known.
        """

    def stopped(self, chart: ChartId) -> None:
        """Take note that the chart was stopped and will make no more steps."""


@runtime_checkable
class LastingSink(Sink, Protocol):
    """A sink that cannot fail by itself: whatever comes out of it has struck the program, and it stays."""

    def step_again(self, step: RawStep, error: BaseException) -> None:
        """Take a step once more, unless it had been taken when ``error`` struck."""


class Observable(Protocol):
    """Whatever can be watched: the engine's charts, and charts of other libraries through adapters."""

    def attach(self, sink: Sink) -> None:
        """Hand every further step to ``sink``; attaching twice changes nothing."""

    def detach(self, sink: Sink) -> None:
        """Stop handing steps to ``sink``; detaching what is not attached changes nothing."""
