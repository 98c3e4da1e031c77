"""The limits of an account: points after which steps may have been made but nothing is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any

from farscope.logs.base import Unread
from farscope.records.step import ChartId


@unique
class Why(StrEnum):
    """Why nothing is known about what followed."""

    SILENT = "silent"
    """The chart's probe is no longer heard and said no goodbye: what it had not sent is lost with it."""
    NO_GOODBYE = "no goodbye"
    """The input ends and the probe was heard up to that end: it is unknown whether it went on."""
    NOT_READ = "not read to the end"
    """The log holds more, or may hold more, than was read."""
    NOT_OPENED = "could not be opened"
    """A part of the log, such as a file, could not be opened: nothing of it was read."""
    UNREADABLE = "unreadable"
    """A part of the log could not be read past some point, or was not a batch that can be opened."""
    FORGOTTEN = "forgotten"
    """More charts or probes were heard than can be tracked at a time: the account of some was given up."""
    NOT_NUMBERED = "not numbered"
    """The wire format carries no numbers, as is true of the lines format, so losses cannot be detected."""
    FAILED = "failed"
    """The reader or recorder itself failed: nothing is known about what came after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A subject of which nothing is known after some point; plain text, to be escaped by views."""

    why: Why
    subject: str = ""
    """Label of the chart or probe, or name of the file; empty for the log as a whole."""
    after: int | None = None
    """Number of the last known step, if there is one."""
    batch: int | None = None
    """Number of the last known batch, if steps are sealed and have not been counted."""
    chart: ChartId | None = field(default=None, compare=False)
    """The chart that ``subject`` names, if it is a chart."""
    probe: str = ""
    """Id of the probe, if the subject is a chart or a probe."""
    count: int = 1
    """How many charts, files or batches this stands for; more than one if they are not listed
    individually."""
    detail: str = ""
    """Further details, as one line for users."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields in plain types under stable names."""
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
    """Return the ``Unknown`` for a part of a log that a reader could not read."""
    why = Why.UNREADABLE if part.opened else Why.NOT_OPENED
    return Unknown(why=why, subject=part.name, detail=part.detail)
