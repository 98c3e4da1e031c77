"""A log in a plain directory: a batch is a file named by its place, modified when it was stored."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from farscope.errors import LogRefused
from farscope.logs.base import Entry, Position, Presence
from farscope.logs.diagnostics import Check, fail, ok


class FilesLog:
    shared = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.url = f"files:{self.folder}"

    def exists(self) -> Presence:
        there = self.folder.is_dir()
        return Presence(there, str(self.folder), "" if there else "nobody has made the directory")

    def examine(self) -> Iterator[Check]:
        if self.folder.is_file():
            return iter([fail("directory", f"{self.folder} is a file", "name another one in the address")])
        return iter([ok("directory", f"{self.folder} holds {self.end()} batches")])

    def end(self) -> int:
        return sum(1 for _ in self.folder.glob("*.batch"))

    def writer(self, name: str) -> FilesWriter:
        return FilesWriter(self, self.folder / f"{name}-{os.urandom(4).hex()}.part")

    def reader(self, since_ns: int | None = None, position: Position | None = None) -> FilesReader:
        if position is not None:
            return FilesReader(self, position["place"], position["since_ns"])
        return FilesReader(self, self.end() if since_ns is None else 0, since_ns or 0)


class FilesWriter:
    def __init__(self, log: FilesLog, draft: Path) -> None:
        self._log, self._draft, self._closed = log, draft, False

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:  # noqa: ARG002 - never waits
        if self._closed:
            raise LogRefused("this writer was closed", "make another with log.writer(name)")
        self._log.folder.mkdir(parents=True, exist_ok=True)
        for batch in batches:
            self._draft.write_bytes(batch)
            self._store(self._log.end())
            self._draft.unlink()

    def _store(self, place: int) -> None:
        os.utime(self._draft, ns=(time.time_ns(),) * 2)
        try:
            os.link(self._draft, self._log.folder / f"{place}.batch")
        except FileExistsError:  # another writer was faster
            self._store(place + 1)

    def close(self, timeout_s: float = 2.0) -> None:  # noqa: ARG002 - never waits
        self._closed = True

    def interrupt(self) -> None: ...


class FilesReader:
    def __init__(self, log: FilesLog, place: int, since_ns: int) -> None:
        self._log, self._place, self._since_ns = log, place, since_ns
        self._closed, self.caught_up, self.cut, self._woken = False, False, 0, threading.Event()

    @property
    def position(self) -> Position:
        return {"place": self._place, "since_ns": self._since_ns}

    def read(self, timeout_s: float, limit: int = 256) -> list[Entry]:
        if self._closed:
            raise LogRefused("this reader was closed", "make another with log.reader()")
        deadline = time.monotonic() + timeout_s
        found: list[Entry] = []
        while True:
            while (path := self._log.folder / f"{self._place}.batch").exists() and len(found) < limit:
                if (stored_ns := path.stat().st_mtime_ns) >= self._since_ns:
                    found.append(Entry(path.read_bytes(), stored_ns))
                self._place += 1
            self.caught_up = not path.exists()
            if found or limit <= 0 or time.monotonic() >= deadline:
                return found
            if self._woken.wait(0.01):
                self._woken.clear()
                deadline = 0.0

    def close(self) -> None:
        self._closed = True

    def interrupt(self) -> None:
        self._woken.set()
