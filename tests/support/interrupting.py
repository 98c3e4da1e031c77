"""Interrupting a call between any two of its instructions, as a finalizer or a signal handler may."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class Interruption:
    """Calls ``interrupt`` once, on the same thread, in the middle of ``act``.

    The garbage collector and signals run a program's finalizers and handlers between two instructions of
    whatever runs. A test that counts them through reaches every such place, where waiting for chance
    reaches few.
    """

    def __init__(self, place: int, interrupt: Callable[[], object]) -> None:
        self._left = place
        self._interrupt = interrupt
        self.came = False
        """Whether ``act`` had as many instructions as that."""
        self._error: BaseException | None = None
        # One object for as long as it is used: the interpreter does not hold it while it calls it.
        self._tracer = self._trace

    def during(self, act: Callable[[], object]) -> None:
        """Call ``act``, and before its instruction of that number, counted from 0, ``interrupt``.

        Instructions of everything that ``act`` calls count, as far as it is written in Python. Raises what
        either of the two raises.
        """
        before, collects = sys.gettrace(), gc.isenabled()
        # What the collector calls, like the callbacks of hypothesis, would count as instructions of ``act``.
        gc.disable()
        sys.settrace(self._tracer)
        try:
            act()
        finally:
            sys.settrace(before)
            if collects:
                gc.enable()
        if self._error is not None:
            raise self._error

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if self.came:
            return None
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        if event == "opcode":
            if self._left == 0:
                self.came = True
                self._call()
                return None
            self._left -= 1
        return self._tracer

    def _call(self) -> None:
        try:
            self._interrupt()
        except BaseException as error:  # noqa: BLE001 - it must not be taken for an error of what is interrupted
            self._error = error


Interrupting = Callable[[Callable[[], object], Callable[[], object]], bool]
"""Calls the first function, interrupted by the second, and returns whether it came to that."""


def interrupted_everywhere(run: Callable[[Interrupting], object]) -> int:
    """Call ``run`` again and again, each time with a function that interrupts one instruction further on.

    ``run`` makes all it needs anew, calls that function once with what is to be interrupted and what
    interrupts it, and looks at what came of it. Returns how many places there were.
    """
    place = 0
    came = True

    def interrupting(act: Callable[[], object], interrupt: Callable[[], object]) -> bool:
        nonlocal came
        interruption = Interruption(place, interrupt)
        interruption.during(act)
        came = interruption.came
        return came

    while True:
        run(interrupting)
        if not came:
            return place
        place += 1
