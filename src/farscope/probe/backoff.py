"""Retries while a log does not store: when to try again, and what to log about it."""

from __future__ import annotations

import logging

from farscope.errors import LogRefused, LogUnavailable
from farscope.probe.clock import Clock

LOGGER = logging.getLogger("farscope")

FIRST_BACK_OFF_S = 0.1
"""Upper bound of the first wait; doubled after each further failure."""
LONGEST_BACK_OFF_S = 2.0
"""Upper bound of any wait, however long the log has been unreachable. Its return is therefore noticed soon:
within ten seconds, including the time that an attempt in progress may take."""
REFUSED_BACK_OFF_S = 5.0
"""Minimum upper bound of the wait after a refusal, which only ends when somebody intervenes."""
LEAST_BACK_OFF_S = 0.01
"""Lower bound of any wait, so that jitter never leads to a busy loop."""


class BackOff:
    """Retry state of one probe whose log fails; used only by the pump's thread.

    Waits are drawn uniformly between zero and the current upper bound ("full jitter"), so that a hundred
    probes that lost the same broker do not all return at once. The start and the end of a loss are logged
    once each.
    """

    def __init__(self, clock: Clock, who: str) -> None:
        """``who`` names the probe and its log in log messages; it contains no password."""
        self._clock = clock
        self._who = who
        self._failures = 0
        self._since_s = 0.0
        self._dropped_before = 0
        self._dropped = 0
        self._dropped_at_start = 0
        self._losing = False

    def failed(self, error: Exception, dropped: int) -> float:
        """Record a failed attempt; return the number of seconds to wait before the next one.

        ``dropped`` is the number of steps the probe has dropped so far.
        """
        if not self._failures:
            self._since_s = self._clock.monotonic_s()
            self._dropped_before = dropped
            self._report(error)
        upper = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * (1 << min(self._failures, 16)))
        if not isinstance(error, LogUnavailable):
            upper = max(upper, REFUSED_BACK_OFF_S)
        self._failures += 1
        return max(LEAST_BACK_OFF_S, upper * self._clock.random())

    def succeeded(self, dropped: int) -> None:
        """Record that the log has stored a batch."""
        if not self._failures:
            return
        LOGGER.warning(
            "%s: stores again after %.1f s and %d failed attempts; %d steps were dropped meanwhile",
            self._who,
            self._clock.monotonic_s() - self._since_s,
            self._failures,
            dropped - self._dropped_before,
        )
        self._failures = 0

    def watch_drops(self, dropped: int) -> None:
        """Log when the probe starts and stops dropping steps; ``dropped`` is the total so far."""
        if dropped > self._dropped and not self._losing:
            self._losing = True
            self._dropped_at_start = self._dropped
            LOGGER.warning("%s: steps are being dropped, %d so far", self._who, dropped)
        elif self._losing and dropped == self._dropped and not self._failures:
            self._losing = False
            LOGGER.warning(
                "%s: no steps are dropped any more; %d were", self._who, dropped - self._dropped_at_start
            )
        self._dropped = dropped

    def _report(self, error: Exception) -> None:
        if isinstance(error, LogUnavailable):
            LOGGER.warning("%s: cannot store at the moment, steps wait: %s", self._who, error)
        elif isinstance(error, LogRefused):
            LOGGER.error("%s: the log refuses to store, steps wait: %s", self._who, error)
        else:
            LOGGER.error("%s: the log failed, steps wait", self._who, exc_info=error)
