"""What an account cannot tell: where knowledge ends while steps may have gone on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any

from farscope.logs.base import Unread
from farscope.records.step import ChartId


@unique
class Why(StrEnum):
    """Why nothing is known of what followed."""

    SILENT = "silent"
    """The chart's probe is not heard any more and said no goodbye: what it had not sent is lost with it."""
    NO_GOODBYE = "no goodbye"
    """What is read ends, and the probe was heard up to that end: nobody knows whether it went on."""
    NOT_READ = "not read to the end"
    """The log holds more, or may hold more, than was read."""
    NOT_OPENED = "could not be opened"
    """A part of the log, such as a file, could not be opened: nothing of it was read."""
    UNREADABLE = "unreadable"
    """A part of the log could not be read on from some place, or was no batch that can be opened."""
    FORGOTTEN = "forgotten"
    """More charts or probes were heard than are followed at a time: the account of some was given up."""
    NOT_NUMBERED = "not numbered"
    """What is read carries no numbers, as the lines format does, so that losses do not show."""
    FAILED = "failed"
    """What reads or records failed itself: nothing is known of what came after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """One thing of which the account knows nothing beyond some point; plain text, to be escaped by views."""

    why: Why
    subject: str = ""
    """Label of the chart or probe, or name of the file; empty where it is the log as a whole."""
    after: int | None = None
    """Number of the last step known, where that can be told."""
    batch: int | None = None
    """Number of the last batch known, where steps are sealed and nobody has counted them."""
    chart: ChartId | None = field(default=None, compare=False)
    """The chart ``subject`` names, if it is a chart."""
    probe: str = ""
    """The id of the probe, if it is a chart or a probe."""
    count: int = 1
    """How many charts, files or batches this stands for; more than one where they are not told one by one."""
    detail: str = ""
    """What is known besides, as one line for people."""

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain types under stable names."""
        return {
            "why": self.why.value,
            "subject": self.subject,
            "after": self.after,
            "batch": self.batch,
            "probe": self.probe,
            "serial": None if self.chart is None else self.chart.serial,
            "count": self.count,
            "detail": self.detail,
        }


def of_part(part: Unread) -> Unknown:
    """Return what is unknown because of a part of a log that a reader could not read."""
    why = Why.UNREADABLE if part.opened else Why.NOT_OPENED
    return Unknown(why=why, subject=part.name, detail=part.detail)
