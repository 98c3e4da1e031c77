"""The content of a batch, before encoding and after decoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from farscope.records.configuration import text_of
from farscope.records.step import ChartRef, RawStep, Value
from farscope.records.structure import AnyChartStatus, ChartStatus, ChartStructure, has_ended
from farscope.records.weight import STEP_BYTES


class ChartEntry(NamedTuple):
    """A chart's description in a batch, which lets late joiners learn about the chart from any batch."""

    serial: int
    """Number of the chart in its process, from 1."""
    name: str
    states: tuple[str, ...] = ()
    """The chart's active leaf states; empty if it has not started yet, or has finished."""
    number: int = 0
    """Number of the chart's last step; 0 if there is none."""
    status: AnyChartStatus = ChartStatus.RUNNING
    structure: ChartStructure | None = None
    """Only included in announcement batches."""
    parent: ChartRef | None = None
    """The chart that created it; None if that was not a chart."""
    values: tuple[tuple[str, Value], ...] = ()
    """All current values, after step ``number``."""

    @property
    def stopped(self) -> bool:
        """Whether the chart makes no more steps that would be seen."""
        return has_ended(self.status)

    @property
    def state(self) -> str:
        """Text of its configuration; empty if it has not started yet."""
        return text_of(self.states) if self.states or self.number else ""


class Drop(NamedTuple):
    """Steps declared lost by the probe: its numbers ``first`` to ``first + count - 1``."""

    first: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which is not used on a loss
    reason: str


class TokenEntry(NamedTuple):
    """A token that a step handed out, by which other processes name it as a cause."""

    serial: int
    """Serial of the step's chart."""
    number: int
    span_id: str
    """The span id in the token, as 16 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Steps of one probe, with everything a reader needs to understand them.

    A batch must be consistent, or encoding it raises ``Invariant``: it has as many numbers as steps, the
    numbers are strictly ascending, ``next_number`` is above every number and every drop, and each chart that
    made a step has a chart entry. Decoded batches are always consistent.
    """

    host: str
    pid: int
    started_ns: int
    """When the probe started, in nanoseconds since the epoch by its machine's clock."""
    sent_ns: int
    """When the batch was encoded, by the same clock."""
    next_number: int
    """The number the probe will give its next step; reveals a loss at the end."""
    service: str = ""
    """Name of the process that runs the charts; empty if unknown."""
    writer: str = ""
    """The library that wrote the batch, with its version, such as ``farscope 0.1.0``; empty if unknown."""
    heartbeat_ns: int = 0
    """Longest time between two batches of the probe while it runs; 0 if unknown."""
    charts: tuple[ChartEntry, ...] = ()
    numbers: list[int]
    """The probe number of each step."""
    steps: list[RawStep]
    """Each step's chart is identified by its serial; name, service, host and pid come from the entry and the
    batch."""
    drops: tuple[Drop, ...] = ()
    tokens: tuple[TokenEntry, ...] = ()
    """Tokens handed out since the previous batch, whichever batch has the steps."""
    claims: bool = field(default=False, compare=False)
    """Whether any step has a cause that rests on a token; set by the decoder."""
    skipped: tuple[str, ...] = field(default=(), compare=False)
    """Names of the sections of the batch that this release does not know, and did not read."""
    extra_bytes: int = field(default=0, compare=False)
    """Memory of texts, and of shapes and charts not seen before, in bytes, on top of the steps themselves."""
    renewed: int = field(default=0, compare=False)
    """How often the decoder has cleared its known shapes; older steps may hold separate copies of a shape."""

    @property
    def step_bytes(self) -> int:
        """Average memory per step, in bytes."""
        return STEP_BYTES + -(-self.extra_bytes // max(1, len(self.steps)))
