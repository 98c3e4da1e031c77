"""``farscope inspect``: show the contents of a recording or log without a key."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import click

from farscope.cli.interrupts import LOOK_S, Over, ending
from farscope.cli.nothing_there import check_log_exists
from farscope.cli.outage import OutageTimer
from farscope.cli.progress import Progress
from farscope.cli.style import say
from farscope.errors import LogUnavailable
from farscope.logs.base import Entry, Log
from farscope.logs.recording.file import RecordingFile
from farscope.logs.recording.format import VERSION
from farscope.logs.recording.log import RecordingLog
from farscope.logs.url import open_log
from farscope.scope.header_survey import HeaderSurvey
from farscope.views.humanize import number, size_text
from farscope.views.inspection import Container, is_whole, survey_dict, survey_lines

READ_LIMIT = 64

EXIT_NOT_WHOLE = 1
"""Something is missing, torn, changed, or not a batch."""


@click.command()
@click.argument("where", required=False, metavar="[FILE|URL]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with everything.")
def inspect(where: str | None, *, as_json: bool) -> int:
    """Show what a recording or a log contains, without a key.

    Lists the probes, the keys they sealed with, the number and times of their batches, the batches that are
    missing, and whether a recording is complete. Names, hosts and steps are sealed and not shown. Nothing
    here is proven: without the key, a forged header looks like a real one.

    The exit code is 1 if anything is missing, torn or changed, and 0 otherwise.
    """
    log = open_log(where)
    survey = HeaderSurvey()
    container: Container | None = None
    present_ns: int | None = None
    if isinstance(log, RecordingLog):
        container = _look_at_file(log, survey)
    else:
        with ending() as over, Progress() as progress:
            for entry in _present(log, survey, over):
                survey.add(*entry)
                progress.update(lambda: f"{number(survey.batches, 'batch')}, {size_text(survey.bytes)}")
            present_ns = time.time_ns()
    if as_json:
        say(json.dumps(survey_dict(log.url, survey, container, present_ns)))
    else:
        say("\n".join(survey_lines(log.url, survey, container, present_ns)))
    return 0 if is_whole(survey, container) else EXIT_NOT_WHOLE


def _look_at_file(log: RecordingLog, survey: HeaderSurvey) -> Container:
    with RecordingFile(log.path) as file, ending() as over, Progress() as progress:
        unsound = 0
        for number in range(len(file.frames)):
            if over():
                raise KeyboardInterrupt
            entry = file.entry(number)
            unsound += not file.is_sound(number)
            if entry is not None:
                survey.add(*entry)
            progress.update(partial("{:,} of {:,} batches".format, number, len(file.frames)))
        return Container(file.size, VERSION, file.indexed, file.torn, file.frames.damaged, unsound)


def _present(log: Log, survey: HeaderSurvey, over: Over) -> Iterator[Entry]:
    """Yield the present content of the log; entries that arrive meanwhile may be included.

    Raises:
        LogUnavailable: it cannot be reached, or was unavailable for too long.
        LogRefused: there is no log.
    """
    check_log_exists(log)
    outage = OutageTimer()
    with closing(log.reader(0)) as reader:
        while not reader.caught_up:
            if over():
                raise KeyboardInterrupt
            try:
                entries = reader.read(LOOK_S, READ_LIMIT)
            except LogUnavailable as error:
                outage.lost(error.message, refused=error.refused)
                outage.check()
                time.sleep(LOOK_S)
            else:
                outage.found()
                survey.record_unread(reader)
                yield from entries
