"""The logs that need no server keep every promise of ``farscope.logs.base``."""

from pathlib import Path
from uuid import uuid4

import pytest

from farscope.logs.embedded.log import FolderLog
from farscope.logs.memory import MemoryLog, forget
from farscope.testing.log_conformance import CHECKS, Check, LogUnderTest, PromiseBroken, check_log


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_memory_log_conforms(check: Check):
    names = []

    def make_log() -> MemoryLog:
        names.append(f"conformance-{uuid4().hex}")
        return MemoryLog(names[-1])

    try:
        check(LogUnderTest(make_log))
    finally:
        for name in names:
            forget(name)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_sqlite_log_conforms(check: Check, tmp_path: Path):
    check(LogUnderTest(lambda: FolderLog(tmp_path / uuid4().hex)))


def test_check_log_names_the_promise_that_is_broken(tmp_path: Path):
    class Forgetful(FolderLog):
        def writer(self, name: str):
            writer = super().writer(name)
            append = writer.append
            writer.append = lambda batches, timeout_s: append(list(batches)[:1], timeout_s)
            return writer

    with pytest.raises(
        PromiseBroken, match="stored_batches_are_read_in_order: expected batches of one writer"
    ):
        check_log(lambda: Forgetful(tmp_path / uuid4().hex), patience_s=0.5)
