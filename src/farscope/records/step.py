"""Steps: everything a chart did for one event, and the unit of recording."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from farscope.records.facts import Fact
from farscope.records.shape import Shape, StepKind

NANOSECONDS = 1_000_000_000


class ChartKey(NamedTuple):
    """Identifies a chart for as long as its probe runs, even if its name changes."""

    probe: str
    serial: int


class ChartId(NamedTuple):
    """Identifies a chart uniquely, even among charts with the same name elsewhere."""

    name: str
    host: str
    pid: int
    serial: int
    """Number of the chart in its process, from 1."""
    probe: str = ""
    """Hex of the probe that broadcast the chart; empty for a chart of this process."""

    @property
    def label(self) -> str:
        """``name@host:pid``, for use where the name alone is ambiguous."""
        return f"{self.name}@{self.host}:{self.pid}"

    @property
    def key(self) -> ChartKey:
        """The part of the identity that never changes."""
        return ChartKey(self.probe, self.serial)


class Cause(NamedTuple):
    """The step that posted an event: its chart's serial in the same process, and its number."""

    serial: int
    number: int


class Step(NamedTuple):
    """One run-to-completion step.

    The engine appends plain tuples with the same fields; ``Step._make`` turns one into a ``Step``.
    """

    chart: ChartId
    number: int
    """Number of the step in its chart, from 1."""
    shape: Shape
    time_ns: int
    """When the step began, in nanoseconds since the epoch by the clock of its machine."""
    duration_ns: int
    queued: int
    """Events waiting in the chart's queue when the step ended."""
    deferred: int
    """Deferred events when the step ended."""
    waited_ns: int = 0
    """How long the event was in the queue; 0 if it was dispatched directly."""
    cause: Cause | None = None
    """The step whose handler posted the event; None if it came from outside any chart."""
    texts: tuple[str, ...] = ()
    """Free texts, in the order of the facts that carry one."""

    @property
    def kind(self) -> StepKind:
        """The outcome of the event."""
        return self.shape.kind

    @property
    def signal(self) -> str:
        """Name of the event's signal; ``start_at`` for the first step."""
        return self.shape.signal

    @property
    def start(self) -> str:
        """The chart's state before the step; ``top`` for the first step."""
        return self.shape.start

    @property
    def end(self) -> str:
        """The chart's state after the step."""
        return self.shape.end

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Everything that happened, in order."""
        return self.shape.facts

    @property
    def ended_ns(self) -> int:
        """When the step ended, in nanoseconds since the epoch; gives the time of its lines and its order."""
        return self.time_ns + self.duration_ns

    @property
    def time(self) -> datetime:
        """When the step began, as an aware UTC datetime with microseconds."""
        return utc_time(self.time_ns)

    def spy(self) -> list[str]:
        """Return the step's spy lines, including the closing queue line."""
        return [*self.shape.lines(self.texts), f"<- Queued:({self.queued}) Deferred:({self.deferred})"]

    def trace(self) -> str | None:
        """Return the step's trace line without a newline, or None if it has none."""
        shape = self.shape
        if not shape.traced:
            return None
        head = f"[{local_time(self.ended_ns)}] [{self.chart.name}]"
        return f"{head} e->{shape.signal}() {shape.start}->{shape.end}"


RawStep = tuple[ChartId, int, Shape, int, int, int, int, int, Cause | None, tuple[str, ...]]
"""The fields of a ``Step`` as the engine appends them: building a plain tuple is several times cheaper."""

CHART: Final = 0
NUMBER: Final = 1
SHAPE: Final = 2
TIME_NS: Final = 3
DURATION_NS: Final = 4
QUEUED: Final = 5
DEFERRED: Final = 6
CAUSE: Final = 8
TEXTS: Final = 9
"""Places of the fields in a ``RawStep``, which has no attributes."""

SERIAL: Final = 3
PROBE: Final = 4
"""Places of fields in a ``ChartId``, for loops over every step: reading an attribute takes twice as long."""


def utc_time(time_ns: int) -> datetime:
    """Return nanoseconds since the epoch as an aware UTC datetime with microseconds."""
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)


def local_time(time_ns: int) -> str:
    """Format nanoseconds since the epoch as ``YYYY-mm-dd HH:MM:SS.ffffff`` in local time."""
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    moment = datetime.fromtimestamp(seconds)  # noqa: DTZ006 - the trace's text is in local time
    return f"{moment:%Y-%m-%d %H:%M:%S}.{nanoseconds // 1000:06d}"
