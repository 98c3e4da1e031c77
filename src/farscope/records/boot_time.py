"""A clock that does not go back and goes on while the machine sleeps."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

steady_ns: Callable[[], int]
"""Return nanoseconds that only ever grow, by the time that has passed also in sleep."""

if sys.platform == "win32":
    steady_ns = time.monotonic_ns
else:
    # On Linux and macOS the clock behind time.monotonic() stands still while the machine sleeps. By that one
    # a laptop that wakes would seem to have had its wall clock set, and silence to have been short.
    steady_ns = partial(time.clock_gettime_ns, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
