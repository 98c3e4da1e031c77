"""A recording keeps every promise a log makes to its readers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from uuid import uuid4

import pytest

from farscope.errors import LogRefused
from farscope.logs.base import Entry
from farscope.logs.recording.log import RecordingLog
from farscope.logs.recording.writer import RecordingWriter
from farscope.testing.log_conformance import CHECKS, Check, LogUnderTest


class Recorded(RecordingLog):
    """A recording with a recorder at work, whose writers stamp as a log does."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.recorder = RecordingWriter(path)
        self.lock = Lock()

    def writer(self, name: str) -> Stamping:
        del name
        return Stamping(self)


class Stamping:
    def __init__(self, log: Recorded) -> None:
        self._log = log
        self._closed = False

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        del timeout_s
        if self._closed:
            raise LogRefused("this writer was closed")
        with self._log.lock:
            self._log.recorder.append([Entry(data, time.time_ns()) for data in batches])

    def close(self, timeout_s: float = 2.0) -> None:
        del timeout_s
        self._closed = True

    def interrupt(self) -> None: ...


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_recording_log_conforms(check: Check, tmp_path: Path):
    logs: list[Recorded] = []

    def make_log() -> Recorded:
        logs.append(Recorded(tmp_path / f"{uuid4().hex}.farscope"))
        return logs[-1]

    try:
        check(LogUnderTest(make_log))
    finally:
        for log in logs:
            log.recorder.close()
