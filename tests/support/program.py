"""Programs under test: started, heard, signalled and never left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from farscope.testing.waiting import PATIENCE_S, eventually


class Program(AbstractContextManager["Program"]):
    """A Python program in a process group of its own, whose outputs can be looked at while it runs.

    Leaving the block kills it if it still runs. Not thread-safe.

    Args:
        arguments: what stands behind ``python`` on the command line.
        env: its whole environment; None hands on ours.
        folder: its working directory.
    """

    def __init__(
        self, *arguments: str, env: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        self._outputs = TemporaryDirectory(prefix="farscope-program-")
        self._out, self._err = (Path(self._outputs.name, name) for name in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                env=env,
                cwd=folder,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def out(self) -> str:
        """What it has printed on standard output so far."""
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        """What it has printed on standard error so far."""
        return self._err.read_text(errors="replace")

    def wait_out(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until standard output contains ``text``; raises AssertionError at the deadline."""
        self._wait_for(lambda: text in self.out, text, timeout_s)

    def wait_err(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until standard error contains ``text``; raises AssertionError at the deadline."""
        self._wait_for(lambda: text in self.err, text, timeout_s)

    def _wait_for(self, arrived: Callable[[], bool], text: str, timeout_s: float) -> None:
        try:
            eventually(arrived, timeout_s)
        except AssertionError:
            told = f"{text!r} did not come within {timeout_s:g} s; output {self.out!r}, errors {self.err!r}"
            raise AssertionError(told) from None

    def type_in(self, text: str) -> None:
        """Write ``text`` to its standard input."""
        if self._process.stdin is not None:
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()

    def end_input(self) -> None:
        """Let it see the end of its standard input."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it without a chance to say goodbye, as ``kill -9`` does, and wait until it has ended."""
        self._process.kill()
        self._process.wait()

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end and return its exit code; negative for a signal."""
        return self._process.wait(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.end_input()
        self._outputs.cleanup()
