"""Notices: what a person should be told about charts, probes and the log, besides the steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique

from farscope.records.step import ChartId
from farscope.scope.gaps import Span


@unique
class NoticeKind(StrEnum):
    """What a notice is about."""

    APPEARED = "appeared"
    """A chart was seen for the first time, or again after it had stopped."""
    STOPPED = "stopped"
    """A chart was stopped by its program, or is not broadcast any more."""
    CLOSED = "closed"
    """A chart's probe said goodbye."""
    FELL_SILENT = "fell silent"
    """A chart's probe is not heard any more and did not say goodbye; ``count`` is the chart's last step."""
    SPOKE_AGAIN = "spoke again"
    """A chart that had fallen silent is heard again."""
    MISSING = "missing"
    """Steps of a probe with the numbers ``span`` were made and did not arrive."""
    FOUND = "found"
    """Steps told as missing arrived after all."""
    DROPPED = "dropped"
    """A probe declared ``count`` steps as dropped; ``detail`` is its reason."""
    REFUSED = "refused"
    """Something in the log was not taken; ``detail`` is why, ``count`` how often for that reason so far."""
    CLOCK_OFF = "clock off"
    """A machine's clock is off by more than a second; ``detail`` is by how much, and against which clock."""
    CLOCK_RIGHT = "clock right"
    """A machine's clock that was off is right again, to within half a second."""
    OLD = "old"
    """What a machine sends is ``detail`` old by its clock: an old run that was stored once more, perhaps."""
    LOG_UNAVAILABLE = "log unavailable"
    """The log cannot be read at the moment; the scope keeps trying."""
    LOG_AVAILABLE = "log available"
    """The log can be read again."""
    LOG_REFUSED = "log refused"
    """The log cannot be read until somebody changes something; the scope has given up."""
    LOG_CUT = "log cut"
    """Retention removed ``count`` batches before they could be read."""


INTRODUCING = frozenset({NoticeKind.APPEARED, NoticeKind.SPOKE_AGAIN})
"""Kinds of notice that stand before the steps that came with them; all others stand behind."""


ABOUT_THE_LOG = frozenset(
    {NoticeKind.LOG_UNAVAILABLE, NoticeKind.LOG_AVAILABLE, NoticeKind.LOG_REFUSED, NoticeKind.LOG_CUT}
)
"""Kinds of notice about the reading itself: they are dated when it came to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell; plain text from the network, to be escaped before it is shown."""

    kind: NoticeKind
    subject: str = ""
    """Label of the chart or probe, or name of the machine concerned; empty where it is the log."""
    detail: str = ""
    count: int = 0
    span: Span | None = None
    """Numbers of a probe's steps, both ends included."""
    chart: ChartId | None = field(default=None, compare=False)
    """The chart ``subject`` names; None where the subject is none."""
    probe: str = field(default="", compare=False)
    """The id of the probe it is about; empty where it is about none."""
    time_ns: int | None = field(default=None, compare=False)
    """When it came to be so, in nanoseconds since the epoch, by the clock that steps of the probe are shown
    by: its machine's, or the scope's where that is off by more than a second."""
    place: int = field(default=0, compare=False)
    """How many steps the scope has handed out before it."""
