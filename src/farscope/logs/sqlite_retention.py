"""What the embedded log removes: by age, and by the size of the whole folder.

Every writer looks after the folder now and then, in its own append. It removes whole files of writers
that are gone, oldest first, and from its own file the oldest rows; never anything of a writer that lives,
which does the same for its own. So the folder stays within ``max_bytes`` without anybody in charge, with
one exception: a writer that is suspended keeps its share until it goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from farscope.logs.sqlite_file import PAGE_BYTES, SUFFIX, FileName, remove_file, wal_bytes, writer_lives

DEFAULT_MAX_BYTES: Final = 1024**3
"""1 GiB for the whole folder; beyond it the oldest batches are removed."""

DEFAULT_MAX_AGE_NS: Final = 7 * 86_400 * 10**9
"""Seven days; what was stored earlier is removed."""

MIN_MAX_BYTES: Final = 256 * 1024
"""A smaller bound is taken as this one: SQLite's own pages would fill it."""

HEADROOM: Final = 0.8
"""Removing starts at this part of ``max_bytes``; free pages, WAL and what comes meanwhile need the rest."""

MAX_CHECK_BYTES: Final = 8 * 1024 * 1024
CHECK_NS: Final = 10 * 10**9
"""A writer looks after the folder after so many bytes or so long, whichever comes first."""

ORPHAN_NS: Final = 3_600 * 10**9
"""What a writer killed while making its file left (half a file, a lock without one) goes after an hour."""


@dataclass(frozen=True, slots=True)
class KeepWithin:
    """The bounds of a folder."""

    max_bytes: int = DEFAULT_MAX_BYTES
    max_age_ns: int = DEFAULT_MAX_AGE_NS
    check_ns: int = CHECK_NS

    @property
    def check_bytes(self) -> int:
        """After how many bytes of its own a writer looks after the folder."""
        return min(MAX_CHECK_BYTES, self.max_bytes // 128)


class Own(NamedTuple):
    """The file of the writer that looks after the folder."""

    path: Path
    connection: sqlite3.Connection


class GoneFile(NamedTuple):
    """A file whose writer is gone."""

    path: Path
    bytes: int
    newest_ns: int


class Plan(NamedTuple):
    """What to remove: whole files, and so many bytes of our own oldest rows."""

    files: tuple[GoneFile, ...]
    own_excess: int


def plan(
    *,
    gone: Sequence[GoneFile],
    own_bytes: int,
    own_oldest_ns: int,
    others_bytes: Sequence[int],
    keep: KeepWithin,
    now_ns: int,
) -> Plan:
    """Decide what to remove; the oldest goes first, whoever wrote it.

    ``others_bytes`` are the sizes of the files of other living writers. Each living writer may keep an
    equal share of the folder, however much the others have, and more while nobody needs it.
    """
    allowed = int(keep.max_bytes * HEADROOM)
    share = allowed // (1 + len(others_bytes))
    oldest_first = sorted(gone, key=lambda file: file.newest_ns)
    removed = [file for file in oldest_first if file.newest_ns < now_ns - keep.max_age_ns]
    left = oldest_first[len(removed) :]
    excess = sum(file.bytes for file in left) + own_bytes + sum(others_bytes) - allowed
    # Files of the gone that are more recent than our oldest rows may push us down to half our share:
    # a short run must not lose all of its history to one that goes on and on.
    spare = max(0, own_bytes - share // 2)
    for file in left:
        if excess <= 0 or (file.newest_ns >= own_oldest_ns and excess <= spare):
            break
        removed.append(file)
        excess -= file.bytes
    if len(removed) == len(gone):
        spare = max(0, own_bytes - share)
    return Plan(tuple(removed), max(0, min(excess, spare)))


def retain(folder: Path, own: Own, keep: KeepWithin, now_ns: int) -> None:
    """Look after ``folder``; raises ``OSError`` or ``sqlite3.Error`` when that fails."""
    gone, others = _survey(folder, own.path, now_ns)
    row = own.connection.execute("SELECT stored_ns FROM batch ORDER BY id LIMIT 1").fetchone()
    todo = plan(
        gone=gone,
        own_bytes=_used_bytes(own),
        own_oldest_ns=row[0] if row else now_ns,
        others_bytes=others,
        keep=keep,
        now_ns=now_ns,
    )
    for file in todo.files:
        remove_file(file.path)
    _trim(own.connection, todo.own_excess, now_ns - keep.max_age_ns)
    _shrink(own, keep)


def _survey(folder: Path, own: Path, now_ns: int) -> tuple[list[GoneFile], list[int]]:
    """Return the files of writers that are gone, and the sizes of those of others that live."""
    gone: list[GoneFile] = []
    others: list[int] = []
    paths = list(folder.iterdir())
    names = {path.name for path in paths}
    for path in paths:
        base = path.name.partition(SUFFIX)[0] + SUFFIX
        if path == own or FileName.parse(base) is None:
            continue
        if path.name != base:
            if base not in names:
                _remove_orphan(path, now_ns)
            continue
        size, newest_ns = _size_and_newest(path)
        if writer_lives(path):
            others.append(size)
        else:
            gone.append(GoneFile(path, size, newest_ns))
    return gone, others


def _size_and_newest(path: Path) -> tuple[int, int]:
    size = newest_ns = 0
    for name in (path.name, path.name + "-wal"):
        try:
            stat = path.with_name(name).stat()
        except FileNotFoundError:
            continue
        size += stat.st_size
        newest_ns = max(newest_ns, stat.st_mtime_ns)
    return size, newest_ns


def _remove_orphan(path: Path, now_ns: int) -> None:
    try:
        if path.stat().st_mtime_ns < now_ns - ORPHAN_NS:
            path.unlink()
    except FileNotFoundError:
        return


def _used_bytes(own: Own) -> int:
    pages: int = own.connection.execute("PRAGMA page_count").fetchone()[0]
    free: int = own.connection.execute("PRAGMA freelist_count").fetchone()[0]
    return (pages - free) * PAGE_BYTES + wal_bytes(own.path)


def _trim(connection: sqlite3.Connection, excess: int, oldest_ns: int) -> None:
    """Remove the oldest rows, ``excess`` bytes of them and those before ``oldest_ns``; never the newest."""
    last = 0
    freed = 0
    rows = connection.execute(
        "SELECT id, stored_ns, length(data) FROM batch WHERE id < (SELECT max(id) FROM batch) ORDER BY id"
    )
    for row_id, stored_ns, size in rows:
        if freed >= excess and stored_ns >= oldest_ns:
            break
        last = row_id
        freed += -(-size // PAGE_BYTES) * PAGE_BYTES
    rows.close()
    if last:
        connection.execute("DELETE FROM batch WHERE id <= ?", (last,))


def _shrink(own: Own, keep: KeepWithin) -> None:
    """Give free pages back when there are many; a few are left for the next rows."""
    free: int = own.connection.execute("PRAGMA freelist_count").fetchone()[0]
    surplus = free - (keep.check_bytes * 2) // PAGE_BYTES
    if surplus > 0:
        # Not ``execute``, which would stop at the first of the empty rows this makes, one a page.
        own.connection.executescript(f"PRAGMA incremental_vacuum({surplus})")
