"""Checks on a spool: how much is waiting, for which destination, and which program will send it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from farscope.logs.diagnostics import Check, ok, warn
from farscope.probe.spool.directory import destination_of, spool_files
from farscope.probe.spool.sqlite import connect_reading, writer_lives


class Amount(NamedTuple):
    """Amount of data left by some programs that is waiting for one destination."""

    probes: frozenset[str] = frozenset()
    batches: int = 0
    bytes: int = 0
    unreadable: int = 0
    """Number of unreadable files, whose contents are not counted."""

    def __add__(self, other: object) -> Amount:
        if not isinstance(other, Amount):
            return NotImplemented
        return Amount(
            self.probes | other.probes,
            self.batches + other.batches,
            self.bytes + other.bytes,
            self.unreadable + other.unreadable,
        )

    def __str__(self) -> str:
        text = f"{_count(self.batches, 'batch', 'batches')}, {_count(self.bytes, 'byte', 'bytes')}"
        unreadable = f" and {_count(self.unreadable, 'file', 'files')} that cannot be read"
        return text + unreadable if self.unreadable else text


def examine_spool(root: Path) -> Iterator[Check]:
    """Check the folders of all destinations under ``root``, read-only. Yields nothing if none is waiting."""
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir())
    except FileNotFoundError:
        return
    except OSError as error:
        yield warn("spool", f"{root} cannot be read: {error.strerror}", f"chmod u+rwx {root}")
        return
    for folder in folders:
        yield from _examine_folder(folder)


def nothing_waits(root: Path) -> Check:
    """Return the check result for an empty spool."""
    return ok("spool", f"nothing waits in {root}")


def _examine_folder(folder: Path) -> Iterator[Check]:
    destination = destination_of(folder)
    place = f"for {destination}" if destination else f"in {folder}"
    amounts = {True: Amount(), False: Amount()}
    for name, path in spool_files(folder):
        lives = writer_lives(path)
        amounts[lives] += _amount(name.stream.rpartition("-")[0], path, lives=lives)
    running, gone = amounts[True], amounts[False]
    if running.probes:
        what = f"{running} of {_programs(running)} wait {place}"
        yield warn(
            "spool", what, "they are sent once the log takes them; the lines for its address tell more"
        )
    if gone.probes:
        what = f"{gone} left by {_programs(gone)} no longer running wait {place}"
        yield warn("spool", what, f"{_remedy(destination)}; if that place is gone for good, delete {folder}")


def _remedy(destination: str | None) -> str:
    if destination:
        return "any program of yours that broadcasts there sends them, whichever user it logs in as"
    return "run a program that broadcasts to the very address they had, with all its settings"


def _amount(probe: str, path: Path, *, lives: bool) -> Amount:
    try:
        with closing(connect_reading(path, lives=lives)) as connection:
            row = connection.execute("SELECT count(*), coalesce(sum(length(data)), 0) FROM batch").fetchone()
    except (sqlite3.Error, OSError):
        # It may also have just been sent and removed.
        return Amount(frozenset({probe}), unreadable=1) if path.exists() else Amount()
    batches, size = row
    return Amount(frozenset({probe}), batches, size) if batches else Amount()


def _programs(amount: Amount) -> str:
    return _count(len(amount.probes), "program", "programs")


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
