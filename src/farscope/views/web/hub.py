"""Where steps become what the page shows: one thread takes them from the scope, everybody else asks."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Final, Self

from farscope.records.step import RawStep
from farscope.scope.notice import Notice
from farscope.scope.scope import Scope
from farscope.scope.stats import ScopeStats
from farscope.views.web.history import DEFAULT_WEIGHT, History, Key, key_of
from farscope.views.web.row import Row

ROUND_S: Final = 0.02
"""Time between two rounds: what comes meanwhile is taken at once, which costs less than step by step."""

ROUND_STEPS: Final = 4_096
"""Steps taken in a round at most, so that nobody who asks waits for longer than some milliseconds."""

BREATH_S: Final = 0.001
"""Pause after a round that left steps behind: a lock given back and taken at once would be nobody else's."""

VIEW_S: Final = 0.1
"""Time between two looks at what the scope says of the charts as a whole: alive, silent, lost."""

TICK_S: Final = 1.0
"""What one point of a spark line stands for."""

MAX_NOTICES: Final = 200
"""Notices kept for pages that are opened later; at the limit the oldest go."""


class Hub:
    """Follows a scope on a thread of its own, from entering the block to leaving it.

    Whoever reads ``rows``, ``history``, ``stats`` or ``notices`` holds ``lock`` meanwhile.
    """

    def __init__(self, scope: Scope, limit: int = DEFAULT_WEIGHT, *, recorded: bool = False) -> None:
        self.recorded = recorded
        """Whether the scope reads a recording, in which nothing new will happen."""
        self.lock = RLock()
        self.history = History(limit)
        self.rows: dict[int, Row] = {}
        """Charts by their numbers."""
        self.stats: ScopeStats = scope.stats
        self.revision = 0
        """Rises whenever something changed that a page shows."""
        self.epoch = 0
        """Rises whenever a chart was forgotten, so that pages begin anew."""
        self.notices: deque[tuple[int, int, Notice]] = deque(maxlen=MAX_NOTICES)
        """(revision, nanoseconds since the epoch by this machine's clock, notice), oldest first."""
        self.failure: Exception | None = None
        """What ended the following, if it was not leaving the block."""
        self._scope = scope
        self._numbers: dict[Key, int] = {}
        self._next_number = 1
        self._ending = Event()
        self._viewed_s = self._ticked_s = time.monotonic()
        self._thread = Thread(target=self._run, name="farscope-web", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def row(self, key: Key) -> Row | None:
        """Return the row of a chart, or None if it is not followed; hold ``lock``."""
        number = self._numbers.get(key)
        return None if number is None else self.rows[number]

    def key(self, number: int) -> Key | None:
        """Return the key of a chart the page calls ``number``; hold ``lock``."""
        row = self.rows.get(number)
        return None if row is None else key_of(row.view.id)

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                began_s = time.monotonic()
                full = self._round()
                left_s = began_s + ROUND_S - time.monotonic()
                self._ending.wait(BREATH_S if full else max(BREATH_S, left_s))
        except Exception as error:  # noqa: BLE001 - told to every page, and raised where the server runs
            self.failure = error
            with self.lock:
                self.revision += 1

    def _round(self) -> bool:
        """Take what there is; return whether more may wait."""
        steps = self._scope.take(0.0, ROUND_STEPS)
        now_s = time.monotonic()
        with self.lock:
            if now_s - self._viewed_s >= VIEW_S or self._has_strangers(steps):
                self._viewed_s = now_s
                self._look()
            if steps:
                self._take(steps)
            if now_s - self._ticked_s >= TICK_S:
                self._ticked_s += TICK_S * int((now_s - self._ticked_s) / TICK_S)
                self._tick()
        return len(steps) == ROUND_STEPS

    def _has_strangers(self, steps: Sequence[RawStep]) -> bool:
        return any((step[0][4], step[0][3]) not in self._numbers for step in steps)

    def _take(self, steps: Sequence[RawStep]) -> None:
        charts: defaultdict[tuple[str, int], list[RawStep]] = defaultdict(list)
        for step in steps:
            charts[step[0][4], step[0][3]].append(step)
        self.revision += 1
        now_ns = time.time_ns()
        for key, its in charts.items():
            number = self._numbers.get(Key(*key))
            # A chart the scope has forgotten meanwhile is forgotten here too.
            if number is None:
                continue
            row = self.rows[number]
            row.take_steps(its, now_ns)
            row.revision = self.revision
            self.history.extend(its[0][0], its)

    def _look(self) -> None:
        views = self._scope.charts
        self.revision += 1
        changed = False
        present: set[Key] = set()
        for view in views:
            key = key_of(view.id)
            present.add(key)
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = self._next_number
                self._next_number += 1
                self.rows[number] = Row(number, view)
            elif not self.rows[number].take_view(view):
                continue
            self.rows[number].revision = self.revision
            changed = True
        if len(present) < len(self._numbers):
            self._forget(set(self._numbers) - present)
            changed = True
        now_ns = time.time_ns()
        told = [(self.revision, now_ns, notice) for notice in self._scope.notices()]
        self.notices.extend(told)
        stats = self._scope.stats
        if not (changed or told or stats != self.stats):
            self.revision -= 1
        self.stats = stats

    def _forget(self, keys: set[Key]) -> None:
        for key in keys:
            del self.rows[self._numbers.pop(key)]
            self.history.remove(key)
        self.epoch += 1

    def _tick(self) -> None:
        self.revision += 1
        now_ns = time.time_ns()
        for row in self.rows.values():
            if row.tick(now_ns):
                row.spark_revision = row.revision = self.revision
