"""Child processes of the demo: started together, read line by line, and always terminated."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from queue import Empty, Queue
from types import TracebackType
from typing import NamedTuple, Self

from farscope.errors import FarscopeError, Invariant

ENDING_S = 3.0
"""Time a child may take to terminate, in seconds; after that it is killed."""


class ChildLine(NamedTuple):
    """A line a child printed; None when it has printed its last."""

    name: str
    line: str | None


class ChildProcesses(AbstractContextManager["ChildProcesses"]):
    """Runs Python modules as child processes and reads their output in order of arrival.

    Leaving the block ends every running child. Each child has its own process group, so that Ctrl-C reaches
    it only through this class. Used by one thread.
    """

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[str]] = {}
        self._listeners: list[threading.Thread] = []
        self._said: Queue[ChildLine] = Queue()

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start ``python -m module arguments`` under a name."""
        child = subprocess.Popen(  # noqa: S603 - our own modules, run by our own interpreter
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace"},
            process_group=0,
        )
        self._children[name] = child
        listener = threading.Thread(
            target=self._listen, args=(name, child), name=f"hears {name}", daemon=True
        )
        listener.start()
        self._listeners.append(listener)

    def hear(self, deadline: float) -> ChildLine:
        """Return the next line any child prints.

        Raises:
            FarscopeError: no child printed anything until ``deadline``, on the monotonic clock.
        """
        try:
            return self._said.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            silent = ", ".join(name for name, child in self._children.items() if child.poll() is None)
            raise FarscopeError(
                f"nothing more came from {silent or 'the processes of the demo'}",
                "the machine may be very busy: try again, and please report it if that does not help",
            ) from None

    def end_input(self, name: str) -> None:
        """Close a child's standard input, which is the signal to continue."""
        stdin = self._children[name].stdin
        if stdin is None:
            raise Invariant("a child was started without a pipe to its standard input")
        stdin.close()

    def exit_code(self, name: str) -> int:
        """Wait for a child to end and return its exit code; negative for a signal."""
        return self._children[name].wait(ENDING_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            try:
                child.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for listener in self._listeners:
            listener.join()
        for child in self._children.values():
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def _listen(self, name: str, child: subprocess.Popen[str]) -> None:
        for line in child.stdout or ():
            self._said.put(ChildLine(name, line.rstrip("\n")))
        self._said.put(ChildLine(name, None))
