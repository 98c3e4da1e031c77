"""``farscope replay``: play back a recording at its original pace."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import click

from farscope.cli.interrupts import LOOK_S, Over, check_opened, ending, unless_reader_gone
from farscope.cli.options import key_option, spy_option, values_option
from farscope.cli.playback_speed import SPEED, Pace
from farscope.cli.progress import Progress
from farscope.cli.selecting import EVERYTHING, report_unmatched, selection_options
from farscope.cli.step_printer import Show, StepFormatter, StepPrinter, unseen_steps
from farscope.cli.style import report, report_now
from farscope.cli.timespec import Recorded
from farscope.errors import LogError, LogUnavailable, UsageError
from farscope.logs.base import Entry, LogWriter
from farscope.logs.recording.log import FOREVER_NS, RecordingLog
from farscope.logs.url import open_log, redacted
from farscope.records.step import NANOSECONDS, Step, local_time
from farscope.scope.notice import ABOUT_THE_LOG, Notice, NoticeInterleaver
from farscope.scope.scope import Scope
from farscope.scope.since import START
from farscope.scope.stats import ScopeStats
from farscope.scope.unknown import of_part
from farscope.views.humanize import number, span_text
from farscope.views.matching import Matching
from farscope.views.selection import Selection
from farscope.views.text import escape, stats_line, unknown_parts
from farscope.views.timestamps import by_one_clock

EARLY_NS: Final = 5 * NANOSECONDS
"""TimeSpan read before ``--from``: the clocks of steps may be ahead of the log's clock by this much."""

LATE_NS: Final = 60 * NANOSECONDS
"""TimeSpan read after ``--to``: steps stored later than this after they happened are not found."""

_PARTLY: Final = (
    "only part of the recording is in the log: whoever reads that log from its start counts the steps before "
    "that part as missing, and the steps after it as unknown"
)

READ_LIMIT: Final = 64
APPEND_S: Final = 5.0
RETRY_S: Final = 1.0
"""Seconds before a failed append is retried."""


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """The part to replay: from ``from_ns`` to before ``to_ns``, in nanoseconds since the epoch."""

    from_ns: int
    to_ns: int

    def has(self, time_ns: int) -> bool:
        """Return whether a time is in it."""
        return self.from_ns <= time_ns < self.to_ns


@click.command()
@click.argument("file")
@click.argument("url", required=False)
@click.option(
    "--speed",
    type=SPEED,
    default="1x",
    show_default=True,
    metavar="FACTOR",
    help="Playback speed: 2x, 0.5x, or max.",
)
@click.option(
    "--from",
    "from_text",
    metavar="TIME",
    help="Start time, such as 13:14:26, or an offset from the start, such as 30s.",
)
@click.option("--to", "to_text", metavar="TIME", help="End time, in the same forms.")
@spy_option
@values_option
@selection_options
@key_option()
def replay(
    file: str,
    url: str | None,
    *,
    speed: float,
    from_text: str | None,
    to_text: str | None,
    spy: bool,
    values: bool,
    selection: Selection,
    key: Path | None,
) -> None:
    """Play back a recording at its original pace.

    With FILE alone, its steps are shown like those of watch, each when it is due. With a URL, its batches
    are appended to that log for others to watch; they stay sealed, so no key is needed, and keep the times
    of the recording.

    Notices, such as losses, appear where they happened. Ctrl-C stops the playback.
    """
    recording = open_log(file)
    if not isinstance(recording, RecordingLog):
        raise UsageError(
            f"{redacted(file)} is a log, and a recording can be replayed", "farscope watch shows a log"
        )
    if url is not None and (spy or values or selection != EVERYTHING or key is not None):
        raise UsageError(
            "--spy, --values, --key and the options that choose steps are for showing them here",
            "leave them out, or leave the URL out",
        )
    recorded = Recorded(*recording.span_ns())
    span = _span(recorded, from_text, to_text)
    if note := recorded.note_if_outside(span.from_ns, span.to_ns):
        report(note)
    if url is None:
        _show(recording, span, speed, key=key, spy=spy, values=values, selection=selection)
    else:
        _append(
            recording,
            span,
            speed,
            url,
            partly=span.from_ns > recorded.begin_ns or span.to_ns <= recorded.end_ns,
        )


def _span(recorded: Recorded, from_text: str | None, to_text: str | None) -> TimeSpan:
    from_ns, last_ns = recorded.window_ns(from_text, to_text)
    return TimeSpan(from_ns or 0, FOREVER_NS if last_ns is None else last_ns + 1)


def _show(
    recording: RecordingLog,
    span: TimeSpan,
    speed: float,
    *,
    key: Path | None,
    spy: bool,
    values: bool,
    selection: Selection,
) -> None:
    part = recording.part(max(0, span.from_ns - EARLY_NS), min(FOREVER_NS, span.to_ns + LATE_NS))
    # However slow the playback or the reader: steps not shown yet stay in the recording.
    with Scope(part, key=key) as scope, scope.taking(), ending() as over:
        report(f"replaying {escape(recording.url)}; Ctrl-C ends")
        matching = Matching(selection)
        printer = StepPrinter(scope, matching, StepFormatter(selection, spy=spy, values=values))
        try:
            items = Part(scope, span, matching).items()
            _play(items, Pace(speed), printer.show, unless_reader_gone(over))
            matching.know(view.id for view in scope.charts)
            _know_all(recording, key, matching, over)
        finally:
            report_unmatched(matching, unseen_steps(selection, spy=spy))
            report(_account(printer.shown, scope.stats))
        check_opened(scope)


def _account(shown: int, stats: ScopeStats) -> str:
    """Return the number of steps shown, and the account of everything that was read, as one line."""
    if shown == stats.received:
        return stats_line(stats)
    return f"shown {number(shown, 'step')}; of all that was read: {stats_line(stats)}"


Timed = tuple[int | None, Step | Notice]
"""An item to show, and when it is due; None for at once."""


class Part:
    """The steps and notices of a scope within a time span, in order."""

    def __init__(self, scope: Scope, span: TimeSpan, matching: Matching) -> None:
        self._scope = scope
        self._span = span
        self._matching = matching
        self._in_place = NoticeInterleaver(scope.notices)

    def items(self) -> Iterator[Timed | None]:
        """Yield steps and notices with the times of their lines, and None after each round."""
        while not self._scope.ended:
            yield from self._among(self._scope.take(LOOK_S))
            yield None
        yield from self._among(())

    def _among(self, steps: Iterable[Step]) -> Iterator[Timed]:
        for item in self._in_place.interleave(steps):
            if isinstance(item, Notice):
                yield from self._notice(item)
                continue
            time_ns = by_one_clock(item, self._scope.corrected_ns).ended_ns
            if self._span.has(time_ns):
                yield time_ns, item
            else:
                self._matching.pass_over(item)

    def _notice(self, notice: Notice) -> Iterator[Timed]:
        # Notices about the file itself are due at once.
        if notice.kind in ABOUT_THE_LOG or notice.time_ns is None:
            yield None, notice
        elif self._span.has(notice.time_ns):
            yield notice.time_ns, notice


def _know_all(recording: RecordingLog, key: Path | None, matching: Matching, over: Over) -> None:
    """Search the whole recording for requested charts that are not in the part that was shown.

    Only this distinguishes a chart without steps in that part from one that does not exist.
    """
    if not matching.unknown_charts:
        return
    with Progress() as progress, Scope(recording, key=key, since=START) as scope, scope.taking():
        while matching.unknown_charts and not scope.ended and not over():
            for step in scope.take(LOOK_S):
                matching.pass_over(step)
            progress.update(lambda: f"looking for {escape(', '.join(matching.unknown_charts))}")
        matching.know(view.id for view in scope.charts)


def _play(items: Iterable[Timed | None], pace: Pace, show: Show, over: Over) -> None:
    """Show steps and notices when they are due, those due together at once."""
    due: list[Step | Notice] = []
    for timed in items:
        if timed is None or (timed[0] is not None and pace.left_s(timed[0]) > 0):
            show(due)
            due = []
        if timed is None:
            if over():
                return
        elif timed[0] is None or pace.wait_for(timed[0], over):
            due.append(timed[1])
        else:
            return
    show(due)


def _append(recording: RecordingLog, span: TimeSpan, speed: float, url: str, *, partly: bool) -> None:
    log = open_log(url)
    part = recording.part(span.from_ns, span.to_ns)
    pace, written, whole = Pace(speed), 0, False
    begin_ns, end_ns = part.span_ns()
    with closing(log.writer(os.urandom(16).hex())) as writer, closing(part.reader(0)) as reader:
        report(f"replaying {escape(recording.url)} into {escape(log.url)}; Ctrl-C ends")
        try:
            with ending() as over, Progress() as progress:
                while not over() and (entries := reader.read(0.0, READ_LIMIT)):
                    for together in _due(entries, pace, over):
                        batches = [entry.data for entry in together]
                        written += _store(writer, batches, progress, over, let_in=written > 0)
                        progress.update(partial(_how_far, begin_ns, together[-1].stored_ns, end_ns))
                whole = not over()
        finally:
            unread = list(map(of_part, reader.unread))
            parts = [f"replayed {number(written, 'batch')}", *unknown_parts(unread)]
            report(", ".join(parts) + ("" if whole else "; ended before the recording's end was reached"))
            if written and partly:
                report(_PARTLY)


def _due(entries: Iterable[Entry], pace: Pace, over: Over) -> Iterator[list[Entry]]:
    """Yield entries when they are due, those due together at once."""
    due: list[Entry] = []
    for entry in entries:
        if due and pace.left_s(entry.stored_ns) > 0:
            yield due
            due = []
        if not pace.wait_for(entry.stored_ns, over):
            return
        due.append(entry)
    if due:
        yield due


def _store(writer: LogWriter, batches: list[bytes], progress: Progress, over: Over, *, let_in: bool) -> int:
    """Append until the log has stored the batches, or it is over; return how many were stored.

    ``let_in``: the log has stored something before, so that it waits out a refusal like an outage.
    """
    while True:
        try:
            writer.append(batches, APPEND_S)
        except LogError as error:
            if not (let_in or isinstance(error, LogUnavailable)):
                raise
            progress.clear()
            report_now(f"log unavailable: {escape(error.message)}", alarming=True)
            retry_s = time.monotonic() + RETRY_S
            while time.monotonic() < retry_s:
                if over():
                    return 0
                time.sleep(LOOK_S)
        else:
            return len(batches)


def _how_far(begin_ns: int, at_ns: int, end_ns: int) -> str:
    return f"{local_time(at_ns)}, {span_text(at_ns - begin_ns)} of {span_text(end_ns - begin_ns)}"
