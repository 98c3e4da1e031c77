"""Steps: everything a chart did for one event, and the unit of recording."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeAlias

from farscope.records.facts import Fact
from farscope.records.shape import AnyStepKind, Shape

NANOSECONDS = 1_000_000_000
"""Nanoseconds in a second."""


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
    service: str = ""
    """Name of the process that runs the chart; empty if unknown."""

    @property
    def label(self) -> str:
        """``name@host:pid``, for use where the name alone is ambiguous."""
        return f"{self.name}@{self.host}:{self.pid}"

    @property
    def key(self) -> ChartKey:
        """The part of the identity that never changes."""
        return ChartKey(self.probe, self.serial)


ROOT: Final = 6
"""Place in a ``Cause`` of the field that is not sent."""


class Cause(NamedTuple):
    """The step, or the span outside any chart, that posted an event.

    A step of the same process has a serial and a number. A step elsewhere has its probe too. What a trace
    context from outside named has no serial, only ``trace_id`` and ``span_id``; the span may turn out to be a
    step, see ``farscope.records.trace_context``.
    """

    serial: int = 0
    """Serial of the chart that made the step, from 1; 0 if only the span is known."""
    number: int = 0
    """Number of the step in its chart."""
    probe: str = ""
    """Hex of the probe that broadcast the step; empty if it is that of the caused step."""
    trace_id: str = ""
    """32 hex digits of the W3C trace to which the cause belongs; empty for that of the chain's first step."""
    span_id: str = ""
    """16 hex digits of the span, if that is all that is known."""
    claimed: bool = False
    """Whether this rests on a token that anyone can make up."""
    root: Cause | None = None
    """The first step of the chain that leads to this step, if that is another one; known only in the process
    where the chain runs, not sent, and not compared."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and self[:ROOT] == other[:ROOT]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:ROOT])

    @property
    def is_local(self) -> bool:
        """Whether it is a step of the same process."""
        return bool(self.serial) and not self.probe


class ChartRef(NamedTuple):
    """Refers to another chart: by its serial, and by its probe if that is another one."""

    serial: int
    probe: str = ""
    """Hex of its probe; empty if it is the same."""


Value: TypeAlias = int | float | str | bool
"""A value that a program shows with a step."""

MAX_VALUES = 16
"""Maximum number of values of a step, and of a chart; the rest are left out."""


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
    values: tuple[tuple[str, Value], ...] = ()
    """The values that the step changed, by name; empty unless the program shows values."""

    @property
    def kind(self) -> AnyStepKind:
        """The outcome of the event."""
        return self.shape.kind

    @property
    def signal(self) -> str:
        """Name of the event's signal; ``start_at`` for the first step."""
        return self.shape.signal

    @property
    def start(self) -> str:
        """Text of the configuration before the step: ``door``, ``door | fan``; ``top`` for the first step."""
        return self.shape.start

    @property
    def end(self) -> str:
        """Text of the configuration after the step; ``top`` if the chart has finished."""
        return self.shape.end

    @property
    def start_states(self) -> tuple[str, ...]:
        """The active leaf states before the step, in document order; empty for the first step."""
        return self.shape.start_states

    @property
    def end_states(self) -> tuple[str, ...]:
        """The active leaf states after the step, in document order; empty if the chart has finished."""
        return self.shape.end_states

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


RawStep = tuple[
    ChartId,
    int,
    Shape,
    int,
    int,
    int,
    int,
    int,
    Cause | None,
    tuple[str, ...],
    tuple[tuple[str, Value], ...],
]
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
VALUES: Final = 10
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
