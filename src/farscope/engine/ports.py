"""A chart as its neighbours see it: the fabric, the clocks, the pool of threads and the registry at exit."""

from __future__ import annotations

from typing import Any, Protocol

from farscope.engine.event import Event
from farscope.records.step import Cause


class ChartPort(Protocol):
    """A chart with any driver."""

    @property
    def name(self) -> str:
        """Name of the chart, for messages."""

    @property
    def at_rest(self) -> bool:
        """Whether no step runs and no event waits."""

    @property
    def steps_made(self) -> int:
        """Number of steps it has recorded."""

    @property
    def _core(self) -> Any:
        """Its parts."""

    @property
    def _driver(self) -> Any:
        """Runs its steps."""

    def deliver(self, e: Event, cause: Cause | None, *, lifo: bool) -> None:
        """Receive a published event; raises ``QueueFull``, ``ChartStopped`` or ``ForeignProcess``."""

    def take_turn(self, steps: int) -> bool:
        """Run at most ``steps`` steps, for a pool of threads; return whether another turn is needed."""

    def halt(self) -> None:
        """End after the running step."""

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the chart's end; return whether it has ended."""
