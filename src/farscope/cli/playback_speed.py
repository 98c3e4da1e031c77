"""The pace of a replay."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Final

import click

from farscope.cli.interrupts import LOOK_S, Over
from farscope.records.step import NANOSECONDS

MAX: Final = "max"
"""The word for playback at maximum speed."""


class Speed(click.ParamType[float]):
    """A speed such as ``2x``, ``0.5`` or ``max``; becomes a factor, infinite for ``max``."""

    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the factor, or fail with examples of valid ones."""
        text = str(value).strip().lower()
        if text == MAX:
            return inf
        try:
            factor = float(text.removesuffix("x"))
        except ValueError:
            factor = 0.0
        if not 0 < factor < inf:
            self.fail(f"invalid speed {value!r}; write 2x, 0.5x or {MAX}", param, ctx)
        return factor


SPEED = Speed()


class Pace:
    """Determines when an item with a given time is due; the first item is due at once.

    ``clock`` returns monotonic seconds.
    """

    def __init__(self, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._clock = clock
        self._origin: tuple[int, float] | None = None

    def left_s(self, time_ns: int) -> float:
        """Return the seconds until an item is due; 0 if it is due, or is earlier than the first item."""
        now_s = self._clock()
        if self._origin is None:
            self._origin = (time_ns, now_s)
        first_ns, began_s = self._origin
        return max(0.0, began_s + (time_ns - first_ns) / NANOSECONDS / self._speed - now_s)

    def wait_for(self, time_ns: int, over: Over) -> bool:
        """Wait until an item is due, or until ``over()`` is true; return whether it is due."""
        while (left_s := self.left_s(time_ns)) > 0:
            if over():
                return False
            time.sleep(min(LOOK_S, left_s))
        return True
