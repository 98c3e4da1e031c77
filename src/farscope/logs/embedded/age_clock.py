"""The clock for retention by age, which does not trust a wall clock that was recently set.

A clock that jumps forward makes everything look old, and files that retention removes because of that are
lost even if the clock is corrected later. All programs that use a folder therefore share a note in it: the
wall clock time at some time of the machine's steady clock, which cannot be set. If both clocks have advanced
equally since then, the wall clock is trusted; otherwise nothing is removed by age until the wall clock has
run steadily for a day.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from farscope.logs.embedded.file import open_regular, read_at
from farscope.logs.embedded.format import ForeignFormat
from farscope.records.boot_time import boot_time_ns

NOTE: Final = ".retention"
"""The name of the note in the folder."""

STARTED_NS: Final = 3_600 * 10**9
"""How long after the machine starts its wall clock is trusted: until then it may not have been set."""

SET_NS: Final = 24 * 3_600 * 10**9
"""How long after it was set a wall clock is trusted again."""

TOLERANCE_NS: Final = 60 * 10**9
DRIFT: Final = 1000
"""Clocks that differ by up to a minute plus a thousandth of the elapsed time count as running steadily."""

RENEW_NS: Final = 3_600 * 10**9
"""A note older than this is renewed, so that slow drift does not accumulate."""

Clock = Callable[[], int]
_NOTE: Final = struct.Struct(">16sQQQQ")
_CRC: Final = struct.Struct(">I")


class Note(NamedTuple):
    """The state shared by the programs that use a folder."""

    boot: bytes
    """Identifies the boot of the machine: the steady clock restarts with each."""
    wall_ns: int
    steady_ns: int
    trusted_from_ns: int
    """Steady clock time from which the wall clock is trusted."""
    checked_ns: int
    """Steady clock time of the last retention check of the folder by any program."""


class AgeClock:
    """Provides the time by which ages in ``folder`` are judged. Not thread-safe."""

    def __init__(self, folder: Path, wall: Clock = time.time_ns, steady: Clock = boot_time_ns) -> None:
        self._path = folder / NOTE
        self._wall = wall
        self.steady_ns = steady
        self._boot = _boot()
        self._note: Note | None = None

    def checked_within(self, span_ns: int) -> bool:
        """Return whether any program has checked retention in the folder within the last ``span_ns``."""
        note = self._read()
        return (
            note is not None and note.boot == self._boot and 0 <= self.steady_ns() - note.checked_ns < span_ns
        )

    def record_check(self) -> int | None:
        """Record a retention check; return the time, or None while the clock is not trusted."""
        wall_ns, now_ns = self._wall(), self.steady_ns()
        note = self._read()
        if note is None or note.boot != self._boot or note.steady_ns > now_ns:
            note = Note(self._boot, wall_ns, now_ns, now_ns + STARTED_NS, now_ns)
        else:
            passed_ns = now_ns - note.steady_ns
            if abs(wall_ns - note.wall_ns - passed_ns) > TOLERANCE_NS + passed_ns // DRIFT:
                note = Note(self._boot, wall_ns, now_ns, now_ns + SET_NS, now_ns)
            elif passed_ns > RENEW_NS:
                note = note._replace(wall_ns=wall_ns, steady_ns=now_ns)
        self._write(note._replace(checked_ns=now_ns))
        return wall_ns if now_ns >= note.trusted_from_ns else None

    def _read(self) -> Note | None:
        """Return the note in the folder, or else the one in memory; None if there is neither."""
        with suppress(OSError, ForeignFormat):
            descriptor = open_regular(self._path)
            try:
                data = read_at(descriptor, 0, _NOTE.size + _CRC.size)
            finally:
                os.close(descriptor)
            if len(data) == _NOTE.size + _CRC.size and _CRC.unpack_from(data, _NOTE.size)[0] == crc32(
                data[: _NOTE.size]
            ):
                return Note(*_NOTE.unpack_from(data))
        return self._note

    def _write(self, note: Note) -> None:
        """Write the note in place: a new file each time would make every reader scan the folder."""
        self._note = note
        data = _NOTE.pack(*note)
        with suppress(OSError, ForeignFormat):
            descriptor = open_regular(self._path, os.O_WRONLY | os.O_CREAT)
            try:
                os.write(descriptor, data + _CRC.pack(crc32(data)))
            finally:
                os.close(descriptor)


def _boot() -> bytes:
    """Return an identifier of the current boot; if unknown, one that differs in each process."""
    with suppress(OSError):
        return sha256(Path("/proc/sys/kernel/random/boot_id").read_bytes()).digest()[:16]
    return _OF_THIS_PROCESS


_OF_THIS_PROCESS: Final = os.urandom(16)
