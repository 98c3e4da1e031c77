"""Retention in the embedded log: by age, and by the size of the whole folder.

Every writer checks the folder from time to time during an append. It removes whole files, oldest first:
those of writers that are gone, and its own earlier files, but never files of another live writer, which
removes them itself. The folder thus stays within ``max_bytes`` without any coordinator, with one
exception: a suspended writer keeps its share until it resumes.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from farscope.logs.embedded.age_clock import AgeClock
from farscope.logs.embedded.file import writer_is_alive
from farscope.logs.embedded.format import SUFFIX, FileName

_log = logging.getLogger("farscope")

DEFAULT_MAX_BYTES: Final = 1024**3
"""1 GiB for the whole folder; above this size, the oldest batches are removed."""

DEFAULT_MAX_AGE_NS: Final = 7 * 86_400 * 10**9
"""Seven days; older batches are removed."""

MIN_MAX_BYTES: Final = 256 * 1024
"""Smaller limits are raised to this one: a writer's newest file alone would exceed them."""

HEADROOM: Final = 0.8
"""Removal starts at this fraction of ``max_bytes``; the rest is room for batches that arrive meanwhile."""

MAX_CHECK_BYTES: Final = 8 * 1024 * 1024
CHECK_NS: Final = 10 * 10**9
"""A writer checks the folder after storing this many bytes, or when no program has done so for this long."""

STRAY_NS: Final = 3_600 * 10**9
"""A file left half-created by a writer that was killed is removed after an hour."""

FILES_PER_SHARE: Final = 16
MIN_FILE_BYTES: Final = 16 * 1024
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
"""A writer starts a new file when the current one reaches this fraction of its share of the folder, within
these bounds, so that removing the oldest file loses only a small part of what the writer has stored."""

FILES_PER_AGE: Final = 16
"""A writer also starts a new file after this fraction of ``max_age``; batches may outlive it by as much."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The size and age limits of a folder."""

    max_bytes: int = DEFAULT_MAX_BYTES
    max_age_ns: int = DEFAULT_MAX_AGE_NS
    check_ns: int = CHECK_NS

    @property
    def check_bytes(self) -> int:
        """Number of bytes stored by a writer after which it checks the folder."""
        return min(MAX_CHECK_BYTES, self.max_bytes // 128)

    @property
    def file_age_ns(self) -> int:
        """How long a writer uses one file, in nanoseconds."""
        return self.max_age_ns // FILES_PER_AGE

    def file_bytes(self, living: int) -> int:
        """Return the file size at which a writer, one of ``living`` writers, starts a new file."""
        share = int(self.max_bytes * HEADROOM) // living
        return min(MAX_FILE_BYTES, max(MIN_FILE_BYTES, share // FILES_PER_SHARE))


class CompleteFile(NamedTuple):
    """A complete file of the writer that checks the folder."""

    path: Path
    bytes: int
    newest_ns: int


class FoundFile(NamedTuple):
    """A log file found in the folder."""

    path: Path
    bytes: int
    newest_ns: int


class Plan(NamedTuple):
    """The data to remove: whole files of others, and a number of bytes from the writer's own oldest files."""

    files: tuple[FoundFile, ...]
    own_excess: int


def plan(
    *,
    orphaned: Sequence[FoundFile],
    own_bytes: int,
    own_oldest_ns: int,
    others_bytes: Sequence[int],
    limits: Limits,
    now_ns: int | None,
) -> Plan:
    """Decide what to remove; the oldest files go first, regardless of their writer.

    ``others_bytes`` are the sizes held by other live writers. Each live writer may keep an equal share of
    the folder, however much the others hold, and more while space is free. Without ``now_ns``, nothing is
    removed by age.
    """
    allowed = int(limits.max_bytes * HEADROOM)
    share = allowed // (1 + len(others_bytes))
    oldest_first = sorted(orphaned, key=lambda file: file.newest_ns)
    removed = [
        file for file in oldest_first if now_ns is not None and file.newest_ns < now_ns - limits.max_age_ns
    ]
    left = oldest_first[len(removed) :]
    excess = sum(file.bytes for file in left) + own_bytes + sum(others_bytes) - allowed
    # Files of dead writers that are newer than our oldest file may reduce us to half our share:
    # a short run must not lose its whole history to one that runs indefinitely.
    spare = max(0, own_bytes - share // 2)
    for file in left:
        if excess <= 0 or (file.newest_ns >= own_oldest_ns and excess <= spare):
            break
        removed.append(file)
        excess -= file.bytes
    if len(removed) == len(orphaned):
        spare = max(0, own_bytes - share)
    return Plan(tuple(removed), max(0, min(excess, spare)))


class FolderContents(NamedTuple):
    """The log files found in a folder."""

    files: dict[str, list[FoundFile]]
    """Files by stream, oldest first."""
    strays: list[Path]
    """Half-created files, and companion files whose log file is gone."""

    @property
    def bytes(self) -> int:
        """Total size of all files."""
        return sum(file.bytes for files in self.files.values() for file in files)

    def any_older_than(self, time_ns: int) -> bool:
        """Return whether any file was last written before ``time_ns``."""
        return any(files[0].newest_ns < time_ns for files in self.files.values())


class Retention:
    """Applies retention to a folder on behalf of one of its writers. Not thread-safe."""

    def __init__(self, folder: Path, stream: str, limits: Limits, age_clock: AgeClock) -> None:
        self.file_bytes = limits.file_bytes(1)
        """Target size of the writer's files; depends on the number of writers."""
        self._folder = folder
        self._stream = stream
        self._limits = limits
        self._age_clock = age_clock
        self._stored = 0
        self._asked_ns: int | None = None

    def is_due(self, stored: int) -> bool:
        """Record that ``stored`` bytes were stored; return whether a retention check is due.

        All programs that use a folder share these checks, so that starting one does not scan every file.
        """
        self._stored += stored
        if self._stored >= self._limits.check_bytes:
            return True
        now_ns = self._age_clock.steady_ns()
        if self._asked_ns is not None and now_ns - self._asked_ns < self._limits.check_ns:
            return False
        self._asked_ns = now_ns
        return not self._age_clock.checked_within(self._limits.check_ns)

    def enforce(self, complete: Sequence[CompleteFile], current: Path) -> list[CompleteFile]:
        """Remove files that are too old or exceed the limit; return the rest of ``complete``.

        Raises ``OSError``.

        Args:
            past: the writer's complete files, oldest first.
            current: the file being written.
        """
        self._stored = 0
        now_ns = self._age_clock.record_check()
        found = list_files(self._folder)
        for path in found.strays:
            if _is_abandoned(path):
                _remove(path)
        too_old_ns = 0 if now_ns is None else now_ns - self._limits.max_age_ns
        left = [file for file in complete if file.newest_ns >= too_old_ns or not _remove(file.path)]
        if found.bytes <= self._limits.max_bytes * HEADROOM and not found.any_older_than(too_old_ns):
            return left
        own = found.files.pop(self._stream, [])
        orphaned, others = _split_by_liveness(found)
        self.file_bytes = self._limits.file_bytes(1 + len(others))
        todo = plan(
            orphaned=orphaned,
            own_bytes=sum(file.bytes for file in own),
            own_oldest_ns=left[0].newest_ns if left else own[-1].newest_ns if own else 0,
            others_bytes=others,
            limits=self._limits,
            now_ns=now_ns,
        )
        for file in todo.files:
            _remove(file.path)
        return _remove_oldest(left, todo.own_excess, current)


def list_files(folder: Path) -> FolderContents:
    """List the log files in ``folder`` without opening them; raises ``OSError``."""
    with os.scandir(folder) as entries:
        names = {entry.name: entry for entry in entries}
    files: dict[str, list[tuple[FileName, FoundFile]]] = {}
    strays: list[Path] = []
    for text, entry in names.items():
        base, suffix, rest = text.partition(SUFFIX)
        name = FileName.parse(base + suffix)
        if name is None:
            continue
        if rest:
            if base + suffix not in names:
                strays.append(folder / text)
            continue
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(found.st_mode):
            file = FoundFile(folder / text, found.st_size, found.st_mtime_ns)
            files.setdefault(name.stream, []).append((name, file))
    return FolderContents(
        {stream: [file for _, file in sorted(each)] for stream, each in files.items()}, strays
    )


def _is_abandoned(path: Path) -> bool:
    """Return whether a half-created file is abandoned; a very recent one may not be locked yet."""
    try:
        changed_ns = path.lstat().st_mtime_ns
    except OSError:
        return False
    return changed_ns < time.time_ns() - STRAY_NS and not writer_is_alive(path)


def _split_by_liveness(found: FolderContents) -> tuple[list[FoundFile], list[int]]:
    """Return the files of dead writers, and the total size of the files of each other live writer."""
    orphaned: list[FoundFile] = []
    others: list[int] = []
    for files in found.files.values():
        if writer_is_alive(files[-1].path):
            others.append(sum(file.bytes for file in files))
        else:
            orphaned += files
    return orphaned, others


def _remove_oldest(complete: list[CompleteFile], excess: int, current: Path) -> list[CompleteFile]:
    """Remove the oldest files of ``complete`` until ``excess`` bytes are freed; return the rest."""
    at = 0
    while excess > 0 and at < len(complete) and complete[at].path != current:
        if not _remove(complete[at].path):
            break
        excess -= complete[at].bytes
        at += 1
    return complete[at:]


def _remove(path: Path) -> bool:
    """Remove a file and return True, or False if it belongs to another user and may not be removed."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError as error:
        _log.debug("the log file %s is not ours to remove: %s", path, error)
        return False
    return True
