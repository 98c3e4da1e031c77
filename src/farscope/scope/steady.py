"""A clock that does not go back and goes on while the machine sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial


def _clock() -> Callable[[], int]:
    # On Linux and macOS the clock behind time.monotonic() stands still while the machine sleeps. By that one
    # a laptop that wakes would seem to have had its wall clock set, and silence to have been short.
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        if hasattr(time, name):
            return partial(time.clock_gettime_ns, getattr(time, name))
    return time.monotonic_ns


steady_ns = _clock()
"""Return nanoseconds that only ever grow, by the time that has passed also in sleep."""
