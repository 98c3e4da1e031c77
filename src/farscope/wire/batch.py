"""What a batch says, before it is encoded and after it was decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from farscope.records.step import RawStep
from farscope.records.structure import ChartStructure
from farscope.records.weight import STEP_BYTES


class ChartEntry(NamedTuple):
    """A chart as a batch presents it, so that a late joiner knows the chart from any one batch."""

    serial: int
    """Number of the chart in its process, from 1."""
    name: str
    state: str
    """State the chart rests in now; empty if it did not start yet."""
    number: int
    """Number of the chart's last step; 0 if there was none."""
    stopped: bool = False
    """Whether the chart was stopped and will make no more steps."""
    structure: ChartStructure | None = None
    """Carried by announcing batches only."""


class Drop(NamedTuple):
    """Steps the probe declares lost: its numbers ``first`` to ``first + count - 1``."""

    first: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody asks of a loss
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Steps of one probe, with everything a reader needs to understand them.

    A batch must hold together, or encoding it raises ``Invariant``: as many numbers as steps, the
    numbers rising strictly, ``next_number`` above every number and every drop, and a chart entry for
    each chart that made a step. Decoded batches always do.
    """

    host: str
    pid: int
    started_ns: int
    """When the probe began, in nanoseconds since the epoch by its machine's clock."""
    sent_ns: int
    """When the batch was encoded, by the same clock."""
    next_number: int
    """The probe number the next step will get, so that a loss at the end shows."""
    charts: tuple[ChartEntry, ...] = ()
    numbers: list[int]
    """The probe number of each step."""
    steps: list[RawStep]
    """The chart of each is known by its serial; name, host and pid are those of the entry and the batch."""
    drops: tuple[Drop, ...] = ()
    extra_bytes: int = field(default=0, compare=False)
    """What the steps take in memory besides themselves: texts, and shapes and charts not met before."""
    renewed: int = field(default=0, compare=False)
    """How often the decoder has forgotten the shapes it had met; older steps may hold shapes of their own."""

    @property
    def step_bytes(self) -> int:
        """What each of the steps takes in memory, on average."""
        return STEP_BYTES + -(-self.extra_bytes // max(1, len(self.steps)))
