"""``farscope record``: copy the sealed batches of a log to a file."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import click

from farscope.cli.interrupts import LOOK_S, Over, ending, until
from farscope.cli.nothing_there import check_log_exists
from farscope.cli.options import for_option, since_option
from farscope.cli.outage import GIVE_UP_S, NEVER_S, OutageTimer
from farscope.cli.progress import Progress
from farscope.cli.style import report
from farscope.errors import LogUnavailable, UsageError
from farscope.logs.base import Entry, Log, LogReader, end_of
from farscope.logs.recording.format import SUFFIX
from farscope.logs.recording.writer import RecordingWriter
from farscope.logs.url import open_log, redacted
from farscope.scope.header_survey import HeaderSurvey
from farscope.scope.since import START, since_ns
from farscope.scope.unknown import Unknown, Why
from farscope.views.humanize import number, size_text, span_text
from farscope.views.text import ending_parts, escape, unknown_parts

READ_LIMIT: Final = 64
"""Number of batches read at a time; at 1 MB each at most, this bounds memory use."""

LAST_LOOK_S: Final = 0.5
"""How long a recorder that is stopped continues to copy batches that are already there, in seconds."""

RETRY_S: Final = 1.0
"""Seconds before an unreadable log is tried again."""

_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("url", required=False)
@since_option
@for_option()
@click.option(
    "--snapshot",
    is_flag=True,
    help="Record what the log holds now, from the start unless --since is given, and stop.",
)
def record(file: Path, url: str | None, *, since: str | None, for_s: float | None, snapshot: bool) -> None:
    """Record everything that is broadcast into one file, still sealed.

    FILE is a new file; its name should end in .farscope. URL is the log to record. The default is
    FARSCOPE_URL, or else the log in your state folder.

    No key is needed, because nothing is opened: readers of the recording need the key that the charts
    broadcast with. For the same reason charts cannot be selected here; watch, sequence and export select
    them from the recording. Ctrl-C stops recording; what was recorded is kept, however it ends.
    """
    if _ADDRESS.match(str(file)):
        raise UsageError(
            f"{redacted(str(file))} is an address, and a recording is a file",
            f"farscope record run{SUFFIX} {redacted(str(file))}",
        )
    log = open_log(url)
    end_ns = end_of(log)
    finite = end_ns is not None
    present_ns = time.time_ns() if end_ns is None else end_ns
    start_ns = since_ns(START if since is None and (snapshot or finite) else since, present_ns)
    if snapshot:
        check_log_exists(log)
    with closing(log.reader(start_ns)) as reader, ending() as ended:
        writer = RecordingWriter(file)
        copy = Copy(reader, writer, OutageTimer(GIVE_UP_S if snapshot else NEVER_S))
        try:
            with writer:
                report(f"recording {escape(log.url)} into {escape(str(file))}; Ctrl-C ends")
                if not (found := log.exists()):
                    report(f"nothing to record yet: {found.what}; waiting for it")
                copy.run(until(for_s, ended), to_present_end=snapshot or finite)
        finally:
            # After closing, so that the reported size includes the index.
            report(copy.account(log))


class Copy:
    """Copies what a reader returns into a recording."""

    def __init__(self, reader: LogReader, writer: RecordingWriter, outage: OutageTimer) -> None:
        self._reader = reader
        self._writer = writer
        self._survey = HeaderSurvey()
        self._began_s = time.monotonic()
        self._outage = outage
        self._at_end = False
        """Whether the recording held everything in the log at the last read."""
        self._live = False
        """Whether the end of the log was reached since it could be read last."""

    def run(self, over: Over, *, to_present_end: bool) -> None:
        """Copy until it is over, or until the present end of the log if that is wanted.

        Raises:
            LogRefused: the log cannot be read any more.
            LogUnavailable: the recording cannot be written, or the log was unavailable for too long.
        """
        with Progress() as progress:
            while not over():
                entries = self._read(progress, over)
                self._take(entries)
                progress.update(self._how_far)
                if to_present_end and self._at_end:
                    return
            if self._live:
                self._look_once_more()

    def account(self, log: Log) -> str:
        """Return what was recorded, as one line."""
        survey, keys = self._survey, self._survey.keys
        parts = [
            f"recorded {number(len(self._writer), 'batch')} of {number(len(survey.probes), 'probe')}",
            size_text(self._writer.size),
        ]
        if keys:
            parts.append(f"to be opened with the key {' or '.join(keys)}")
        if survey.missing:
            parts.append(f"missing {number(survey.missing, 'batch')}")
        unknown = survey.unknown()
        parts += unknown_parts(unknown)
        if survey.further:
            parts.append(f"{number(survey.further, 'batch')} of further probes")
        if survey.strangers:
            parts.append(f"{number(survey.strangers.total(), 'entry')} that cannot be read as a batch")
        if survey.cut:
            parts.append(f"{number(survey.cut, 'batch')} removed from {escape(log.url)} before")
        if self._writer.left_out:
            parts.append(f"left out {number(self._writer.left_out, 'entry')} too long for a batch")
        if not self._at_end:
            unknown.append(Unknown(why=Why.NOT_READ))
        return "; ".join([", ".join(parts), *ending_parts(unknown)])

    def _take(self, entries: list[Entry]) -> None:
        self._writer.append(entries)
        for data, stored_ns in entries:
            self._survey.add(data, stored_ns)
        self._survey.record_unread(self._reader)
        self._at_end = self._reader.caught_up
        self._live = self._live or self._at_end

    def _look_once_more(self) -> None:
        """Check, after the recording was stopped, whether it ends where the log does."""
        deadline = time.monotonic() + LAST_LOOK_S
        late = False
        while not late:
            late = time.monotonic() >= deadline
            try:
                self._take(self._reader.read(0.0, READ_LIMIT))
            except LogUnavailable:
                self._at_end = False
                return
            if self._at_end:
                return

    def _read(self, progress: Progress, over: Callable[[], bool]) -> list[Entry]:
        try:
            entries = self._reader.read(LOOK_S, READ_LIMIT)
        except LogUnavailable as error:
            progress.clear()
            self._at_end = self._live = False
            self._outage.lost(error.message, refused=error.refused)
            self._outage.check()
            retry_s = time.monotonic() + RETRY_S
            while time.monotonic() < retry_s and not over():
                time.sleep(LOOK_S)
            return []
        self._outage.found()
        return entries

    def _how_far(self) -> str:
        span = span_text(int((time.monotonic() - self._began_s) * 1e9))
        return f"{number(len(self._writer), 'batch')}, {size_text(self._writer.size)}, {span}"
