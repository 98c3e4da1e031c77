"""Data for queries about a moment: the whole history, or only the steps around that moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from farscope.records.step import CHART, ChartKey, Step
from farscope.scope.chart import ChartView
from farscope.scope.liveness import Liveness
from farscope.scope.playback.header_index import LATEST_NS
from farscope.scope.playback.time_index import AnnouncedState, Snapshot, TimeIndex
from farscope.views.web.history import History

KEPT: Final = 3
"""Surroundings cached, so that the queries of a page about one moment cost one search; a few MB each."""

AROUND_WEIGHT: Final = 300_000
"""Weight of the history around a moment, some 12 MB; see ``DEFAULT_WEIGHT``."""

LOOKS: Final = 8
"""Places searched for the next step of a chart, which may be far from its probe's next one."""


class Past(NamedTuple):
    """The data available for a moment."""

    history: History
    lives: Mapping[str, Liveness]
    """The liveness of each probe, by its id."""
    rests: Mapping[ChartKey, AnnouncedState]
    """The states of charts without steps around the moment; empty if the history is complete."""
    from_ns: int = -LATEST_NS
    to_ns: int = LATEST_NS
    """Start of the span in which the history is complete; ``to_ns`` is its end."""
    whole: bool = True
    """Whether the history reaches back to the start."""


class Recorded:
    """A recording, any moment of which can be queried at once. Thread-safe after ``open``."""

    def __init__(self, seek: TimeIndex) -> None:
        self._seek = seek
        self._kept: deque[Past] = deque(maxlen=KEPT)
        self.first_ns = self.last_ns = 0
        """When its first step was made and its last batch stored, in nanoseconds since the epoch."""

    def open(self) -> list[ChartView]:
        """Index the recording; return every chart as it was last presented.

        Raises:
            LogUnavailable: the disk fails.
        """
        self.last_ns = self._seek.headers.end_ns
        begin_ns = self._seek.headers.begin_ns
        earliest = self._past(self._seek.snapshot(begin_ns)).history.first_ns
        self.first_ns = begin_ns if earliest is None else min(begin_ns, earliest)
        return self._seek.charts()

    def give_up(self) -> None:
        """Abort the current search; answers may be incomplete from now on."""
        self._seek.cancel()

    @property
    def corrections(self) -> Mapping[str, int]:
        """Subtracted from the times of each probe, in nanoseconds."""
        return self._seek.headers.corrections

    def past(self, time_ns: int) -> Past:
        """Return the data around a moment.

        Raises:
            LogUnavailable: the disk fails.
        """
        # One query after the other; reading through the recording waits.
        with self._seek.lock:
            for past in self._kept:
                if past.from_ns <= time_ns <= past.to_ns:
                    return past
            past = self._past(self._seek.snapshot(time_ns))
            self._kept.appendleft(past)
            return past

    def near(self, time_ns: int, keys: Iterable[ChartKey], *, forward: bool) -> int | None:
        """Return when the next step of some charts after a moment, or the last before it, ended.

        Of all charts if none is named. If none is found at ``LOOKS`` places, returns how far was searched.
        """
        keys = tuple(keys)
        probes = {key.probe for key in keys} or set(self.corrections)
        at_ns = time_ns
        for _ in range(LOOKS):
            past = self.past(at_ns)
            history, wanted = past.history, keys or tuple(past.history.charts)
            found = history.next_after(time_ns, wanted) if forward else history.last_before(time_ns, wanted)
            if found is not None and past.from_ns <= found <= past.to_ns:
                return found
            edge_ns = past.to_ns + 1 if forward else past.from_ns
            busy_ns = self._seek.next_busy(probes, edge_ns, forward=forward)
            if busy_ns is None:
                return found
            at_ns = busy_ns
        return at_ns

    def newest(self, key: ChartKey, limit: int, from_ns: int, to_ns: int) -> list[Step]:
        """Return the newest steps of a chart between two moments, ends included; oldest first.

        Fewer than ``limit`` if they are not found at ``LOOKS`` places.
        """
        found: list[Step] = []
        at_ns = to_ns
        for _ in range(LOOKS):
            past = self.past(at_ns)
            stored = past.history.charts.get(key)
            if stored is not None:
                # The first batch around one place may be the last around another.
                first = found[0].number if found else None
                its = stored.newest(limit, from_ns, to_ns)
                found = [step for step in its if first is None or step.number < first] + found
            busy_ns = self._seek.next_busy([key.probe], past.from_ns, forward=False)
            if busy_ns is None or len(found) >= limit or busy_ns < from_ns:
                break
            at_ns = busy_ns
        return found[-limit:]

    def _past(self, around: Snapshot) -> Past:
        history = History(AROUND_WEIGHT)
        for probe, correction_ns in self.corrections.items():
            history.correct(probe, correction_ns, was_set=False)
        for steps in around.steps.values():
            history.extend(steps[-1][CHART], steps)
        rests = {rest.chart.key: rest for rest in around.announced.values()}
        return Past(history, around.lives, rests, around.from_ns, around.to_ns, whole=False)
