"""A log that does not store: when to try again, and what to say about it."""

from __future__ import annotations

import logging

from farscope.errors import LogRefused, LogUnavailable
from farscope.probe.clock import Clock

LOGGER = logging.getLogger("farscope")

FIRST_BACK_OFF_S = 0.1
"""Upper end of the first wait; doubled by every failure that follows."""
LONGEST_BACK_OFF_S = 2.0
"""No wait is longer, however long a log has been away: one that is back is soon noticed, and with the
seconds that an attempt under way may take, within ten."""
REFUSED_BACK_OFF_S = 5.0
"""Least upper end of the wait after a refusal, which mends itself only when a person does something."""
LEAST_BACK_OFF_S = 0.01
"""No wait is shorter, so that even the luckiest jitter is no busy loop."""


class Trouble:
    """One probe's trouble with its log; used by the pump's thread alone.

    Waits are drawn evenly from zero to the present upper end ("full jitter"): a hundred probes that
    lost one broker do not come back at one instant. The start and the end of a loss are logged once each.
    """

    def __init__(self, clock: Clock, who: str) -> None:
        """``who`` names probe and log in what is logged; no password in it."""
        self._clock = clock
        self._who = who
        self._failures = 0
        self._since_s = 0.0
        self._dropped_before = 0
        self._dropped = 0
        self._dropped_at_start = 0
        self._losing = False

    def failed(self, error: Exception, dropped: int) -> float:
        """Take note of a failed attempt; return how many seconds to wait before the next.

        ``dropped`` is how many steps the probe has dropped so far.
        """
        if not self._failures:
            self._since_s = self._clock.monotonic_s()
            self._dropped_before = dropped
            self._report(error)
        upper = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * (1 << min(self._failures, 16)))
        if not isinstance(error, LogUnavailable):
            upper = max(upper, REFUSED_BACK_OFF_S)
        self._failures += 1
        return max(LEAST_BACK_OFF_S, upper * self._clock.chance())

    def over(self, dropped: int) -> None:
        """Take note that the log has stored."""
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

    def watch(self, dropped: int) -> None:
        """Tell when steps begin to be dropped, and when that is over; ``dropped`` is how many were so far."""
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
