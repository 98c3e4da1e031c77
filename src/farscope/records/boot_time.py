"""A monotonic clock that keeps running while the machine sleeps."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

boot_time_ns: Callable[[], int]
"""Return nanoseconds that never decrease and include time spent asleep."""

if sys.platform == "win32":
    boot_time_ns = time.monotonic_ns
else:
    # On Linux and macOS the clock of time.monotonic() stops while the machine sleeps. Measured with it, a
    # laptop that wakes up would seem to have had its wall clock changed, and silences would seem short.
    boot_time_ns = partial(time.clock_gettime_ns, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
