"""Notices: events worth reporting about charts, probes and the log, in addition to the steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final

from farscope.records.kinds import UnknownKind
from farscope.records.step import ChartId, ChartKey, Step
from farscope.records.structure import AnyChartStatus, ChartStatus
from farscope.scope.gaps import NumberRange


@unique
class NoticeKind(StrEnum):
    """The event that a notice reports."""

    APPEARED = "appeared"
    """A chart was seen for the first time, or again after it had stopped."""
    STOPPED = "stopped"
    """A chart was stopped by its program; ``detail`` is how it ended instead if a later release defined
    that."""
    FINISHED = "finished"
    """A chart reached its final state."""
    FAILED = "failed"
    """One of its own errors ended a chart."""
    UNOBSERVED = "unobserved"
    """A chart is no longer broadcast, and may go on."""
    CLOSED = "closed"
    """A chart's probe said goodbye."""
    FELL_SILENT = "fell silent"
    """A chart's probe is no longer heard and did not say goodbye; ``count`` is the chart's last step."""
    SPOKE_AGAIN = "spoke again"
    """A chart that had fallen silent is heard again."""
    MISSING = "missing"
    """Steps of a probe with the numbers ``span`` were made and did not arrive."""
    FOUND = "found"
    """Steps reported as missing arrived after all."""
    DROPPED = "dropped"
    """A probe declared ``count`` steps as dropped; ``detail`` is its reason."""
    REFUSED = "refused"
    """An entry of the log was rejected; ``detail`` is the reason, ``count`` how often it has occurred so
    far."""
    CLOCK_OFF = "clock off"
    """A machine's clock is off by more than a second; ``detail`` says by how much and relative to which
    clock."""
    CLOCK_RIGHT = "clock right"
    """A machine's clock that was off is right again, to within half a second."""
    OLD = "old"
    """The steps a machine sends are ``detail`` old by its clock, perhaps an old run that was stored again."""
    LOG_UNAVAILABLE = "log unavailable"
    """The log cannot be read at the moment; the scope keeps trying."""
    LOG_AVAILABLE = "log available"
    """The log can be read again."""
    LOG_REFUSED = "log refused"
    """The log cannot be read until someone fixes the cause; the scope has given up."""
    LOG_CUT = "log cut"
    """Retention removed ``count`` batches before they could be read."""


_ENDS: Final[dict[int, NoticeKind]] = {
    ChartStatus.FINISHED: NoticeKind.FINISHED,
    ChartStatus.FAILED: NoticeKind.FAILED,
    ChartStatus.UNOBSERVED: NoticeKind.UNOBSERVED,
}

INTRODUCING = frozenset({NoticeKind.APPEARED, NoticeKind.SPOKE_AGAIN})
"""Kinds of notice that are placed before the steps they arrived with; all others are placed after them."""


ABOUT_THE_LOG = frozenset(
    {NoticeKind.LOG_UNAVAILABLE, NoticeKind.LOG_AVAILABLE, NoticeKind.LOG_REFUSED, NoticeKind.LOG_CUT}
)
"""Kinds of notice about the reading itself, dated by the moment the scope noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice; its texts come from the network and must be escaped before they are shown."""

    kind: NoticeKind
    subject: str = ""
    """Label of the chart or probe, or name of the machine concerned; empty where it is the log."""
    detail: str = ""
    count: int = 0
    span: NumberRange | None = None
    """Numbers of a probe's steps, both ends included."""
    chart: ChartId | None = field(default=None, compare=False)
    """The chart that ``subject`` names; None if it names something else."""
    parent: ChartKey | None = field(default=None, compare=False)
    """The chart that contains ``chart``, if any."""
    probe: str = field(default="", compare=False)
    """Id of the probe concerned; empty if there is none."""
    time_ns: int | None = field(default=None, compare=False)
    """When it happened, in nanoseconds since the epoch, by the clock used to show the probe's steps: that of
    its machine, or the scope's if the machine's is off by more than a second."""
    place: int = field(default=0, compare=False)
    """Number of steps the scope handed out before it."""


def end_of(status: AnyChartStatus) -> tuple[NoticeKind, str]:
    """Return the kind and the detail of the notice about a chart that ended with a status."""
    detail = status.name.lower() if isinstance(status, UnknownKind) else ""
    return _ENDS.get(status, NoticeKind.STOPPED), detail


class NoticeInterleaver:
    """Places notices among steps. Used by one thread, which must take all steps of the scope."""

    def __init__(self, ask: Callable[[], list[Notice]]) -> None:
        """``ask`` returns the notices since its last call, as ``Scope.notices`` does."""
        self._ask = ask
        self._held: deque[Notice] = deque()
        self._taken = 0

    def interleave(self, steps: Iterable[Step]) -> list[Step | Notice]:
        """Return the next steps, which must be all that were taken, with each notice in its place."""
        self._held.extend(self._ask())
        placed: list[Step | Notice] = []
        for step in steps:
            placed += self._due()
            self._taken += 1
            placed.append(step)
        placed += self._due()
        return placed

    def _due(self) -> list[Notice]:
        due: list[Notice] = []
        while self._held and self._held[0].place <= self._taken:
            due.append(self._held.popleft())
        return due
