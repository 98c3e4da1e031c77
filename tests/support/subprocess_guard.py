"""Processes that cannot outlive the program that started them, even if that is killed.

A ``Keeper`` is a process of its own that starts others when told to, through a pipe. When the pipe
ends, because the ``Keeper`` was closed or because its program died, it kills all it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from farscope.errors import FarscopeError, Invariant
from farscope.testing.waiting import eventually
from support.processes import descendants, lives

END_TIMEOUT_S: Final = 20.0
"""How long a process may take over an orderly end before it is killed."""


class Keeper:
    """Starts and ends processes; used by one thread."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, words: Sequence[str | Path], environment: Mapping[str, str], output: Path) -> int:
        """Start a program with its output appended to ``output``, and return its process number.

        Raises:
            FarscopeError: it cannot be started.
        """
        pid = self._ask(
            {"start": [str(word) for word in words], "env": dict(environment), "output": str(output)}
        )
        if not isinstance(pid, int):
            raise FarscopeError(f"{words[0]} cannot be started: {pid}")
        return pid

    def running(self, pid: int) -> bool:
        """Whether a process it started still runs."""
        return self._ask({"running": pid}) is True

    def end(self, pid: int, *, orderly: bool) -> None:
        """End a process (SIGTERM if ``orderly``, else SIGKILL) and wait for its end and its descendants'."""
        self._ask({"end": pid, "orderly": orderly})

    def close(self) -> None:
        """Kill whatever still runs; closing twice changes nothing."""
        self._process.communicate()

    def _ask(self, question: dict[str, object]) -> object:
        if self._process.stdin is None or self._process.stdout is None:
            raise Invariant("a keeper without its pipes")
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


class _Kept:
    """What the keeper's own process does."""

    def __init__(self) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def serve(self, questions: IO[str], answers: IO[str]) -> None:
        try:
            for line in questions:
                answers.write(json.dumps(self._answer(json.loads(line))) + "\n")
                answers.flush()
        finally:
            for pid in list(self._processes):
                self._end(pid, orderly=False)

    def _answer(self, question: dict[str, object]) -> object:
        if isinstance(words := question.get("start"), list):
            return self._start(words, question["env"], question["output"])
        if isinstance(pid := question.get("running"), int):
            return pid in self._processes and self._processes[pid].poll() is None
        if isinstance(pid := question.get("end"), int):
            self._end(pid, orderly=bool(question["orderly"]))
        return None

    def _start(self, words: list[str], environment: object, output: object) -> object:
        if not isinstance(environment, dict):
            raise Invariant("a keeper was given no environment")
        with Path(str(output)).open("ab") as file:
            try:
                process = subprocess.Popen(
                    words, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
                )
            except OSError as error:
                return str(error)
        self._processes[process.pid] = process
        return process.pid

    def _end(self, pid: int, *, orderly: bool) -> None:
        process = self._processes.pop(pid, None)
        if process is None:
            return
        helpers = descendants(pid)
        if orderly and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_TIMEOUT_S)
        process.kill()
        process.wait()
        # Helpers notice by themselves that the one they served has gone.
        eventually(lambda: not any(map(lives, helpers)), what=f"the end of the helpers of process {pid}")


if __name__ == "__main__":
    _Kept().serve(sys.stdin, sys.stdout)
