"""Whether there is a log at the address somebody gave, for verbs that read what is there and end."""

from __future__ import annotations

from pathlib import Path

from farscope.cli.style import tell
from farscope.errors import LogRefused
from farscope.logs.base import Log
from farscope.logs.embedded.errors import from_os
from farscope.logs.embedded.file_name import SUFFIX
from farscope.logs.embedded.log import FolderLog
from farscope.views.text import escape

_HINT = "check the address; a log is made by the first program that calls broadcast(chart, url=...) with it"


def check_place(log: Log) -> None:
    """Make sure that there is a log, so that a mistyped address does not look like one that is empty.

    Raises:
        LogRefused: no program has broadcast there, or what it left was removed.
        LogUnavailable: it cannot be reached.
    """
    if isinstance(log, FolderLog):
        if why := why_no_log(log.folder):
            raise LogRefused(f"there is no log in {log.folder}: {why}", _HINT)
    elif log.shared:
        # Who reads from a time on waits for a broker that is away; who reads from now on is told.
        log.reader().close()


def tell_if_none(log: Log | None) -> None:
    """Say on standard error that there is no log, for verbs that waited for one as long as they were to.

    Raises:
        LogRefused, LogUnavailable: its place cannot be looked into.
    """
    if isinstance(log, FolderLog) and (why := why_no_log(log.folder)):
        tell(f"there is no log in {escape(str(log.folder))}: {why}", alarming=True)


def why_no_log(folder: Path) -> str:
    """Return why there is no embedded log in ``folder``; empty if there is one.

    Raises:
        LogRefused, LogUnavailable: it cannot be looked into.
    """
    try:
        there = any(path.name.endswith(SUFFIX) for path in folder.iterdir())
    except FileNotFoundError:
        return "the folder does not exist"
    except OSError as error:
        raise from_os(error, folder, reading=True) from error
    return "" if there else "no program has broadcast there, or what it left was removed"
