"""The live model of the page: one thread takes steps from the scope, other threads query the result."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Final, Self

from farscope.records.step import ChartKey, Step
from farscope.scope.chart import ChartView
from farscope.scope.notice import Notice
from farscope.scope.ordering.clock_offsets import FAR_NS, NEAR_AGAIN_NS
from farscope.scope.scope import Scope
from farscope.scope.stats import ScopeStats
from farscope.views.web.chart_summary import ChartSummary, PictureRoom
from farscope.views.web.history import DEFAULT_WEIGHT, RECORDING_WEIGHT, History
from farscope.views.web.time_travel import Past, Recorded

ROUND_S: Final = 0.02
"""Time between two rounds: steps are taken in batches, which costs less than taking them one by one."""

ROUND_STEPS: Final = 4_096
"""Maximum number of steps taken in a round, so that queries wait only a few milliseconds."""

BREATH_S: Final = 0.001
"""Pause in seconds after an incomplete round: without it, other threads would not get the lock."""

VIEW_S: Final = 0.1
"""Time between two updates of what the scope knows of each chart: alive, silent, lost."""

TICK_S: Final = 1.0
"""Time that one point of a sparkline stands for."""

MAX_NOTICES: Final = 200
"""Notices kept for pages that are opened later; at the limit, the oldest are forgotten."""


class LiveModel:
    """Follows a scope on a separate thread, from entering the block to leaving it.

    Hold ``lock`` while reading ``rows``, ``history``, ``stats`` or ``notices``. Times of machines
    whose clocks are off by more than a second are corrected, as in ``farscope watch``.
    """

    def __init__(self, scope: Scope, limit: int | None = None, *, recorded: Recorded | None = None) -> None:
        """Nothing is read yet.

        Args:
            scope: an entered scope, whose steps are taken only here.
            limit: maximum weight of the history; None for a suitable default.
            recorded: the recording that the scope reads; None if it reads a log.
        """
        self.recorded = recorded
        self.opened = False
        """Whether any moment of the recording can be queried."""
        self.finished = False
        """Whether a recording has been read to its end."""
        if limit is None:
            limit = DEFAULT_WEIGHT if recorded is None else RECORDING_WEIGHT
        self.lock = RLock()
        self.history = History(limit)
        self.rows: dict[int, ChartSummary] = {}
        """Charts by their numbers."""
        self.read_ns: int | None = None
        """How far a recording has been read; None before its first step."""
        self.stats: ScopeStats = scope.stats
        self.revision = 0
        """Increases whenever something shown on a page changes."""
        self.epoch = 0
        """Increases whenever a chart was removed, so that pages reload everything."""
        self.notices: deque[tuple[int, int, Notice]] = deque(maxlen=MAX_NOTICES)
        """(revision, nanoseconds since the epoch by this machine's clock, notice), oldest first."""
        self.failure: Exception | None = None
        """The error that ended the following, if any."""
        self._scope = scope
        self._room = PictureRoom()
        self._numbers: dict[ChartKey, int] = {}
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
        if self.recorded is not None:
            self.recorded.give_up()
        self._thread.join()

    def resolved(self, step: Step) -> Step:
        """Return a step with its cause in another process, if that became known after it was received."""
        return self._scope.resolved(step)

    def row(self, key: ChartKey) -> ChartSummary | None:
        """Return the summary of a chart, or None if it is not followed; hold ``lock``."""
        number = self._numbers.get(key)
        return None if number is None else self.rows[number]

    def key(self, number: int) -> ChartKey | None:
        """Return the key of the chart with a number, or None; hold ``lock``."""
        row = self.rows.get(number)
        return None if row is None else row.view.id.key

    def past(self, time_ns: int) -> Past:
        """Return the data for a moment; do not hold ``lock``, since it may have to be searched for.

        Raises:
            LogUnavailable: the disk that holds the recording failed.
        """
        if self.recorded is not None and self.opened and not self._remembers(time_ns):
            return self.recorded.past(time_ns)
        return Past(self.history, self._scope.lives, {})

    def near(self, time_ns: int, keys: Sequence[ChartKey], *, forward: bool) -> int | None:
        """Return when the next or previous step of some charts ended; of all charts if none is named."""
        if self.recorded is not None and self.opened and not self._remembers(time_ns):
            return self.recorded.near(time_ns, keys, forward=forward)
        with self.lock:
            history, wanted = self.history, keys or tuple(self.history.charts)
            return history.next_after(time_ns, wanted) if forward else history.last_before(time_ns, wanted)

    def _remembers(self, time_ns: int) -> bool:
        """Return whether the history holds everything about a moment of a recording."""
        with self.lock:
            return self.finished and time_ns >= self.history.whole_from_ns

    def _run(self) -> None:
        try:
            # However long opening takes, no step leaves the scope untaken.
            with self._scope.taking():
                if self.recorded is not None:
                    self._open(self.recorded)
                while not self._ending.is_set():
                    began_s = time.monotonic()
                    full = self._round()
                    left_s = began_s + ROUND_S - time.monotonic()
                    self._ending.wait(BREATH_S if full else max(BREATH_S, left_s))
        except Exception as error:  # noqa: BLE001 - reported to every page, and raised where the server runs
            self.failure = error
            with self.lock:
                self.revision += 1

    def _open(self, recorded: Recorded) -> None:
        views = recorded.open()
        with self.lock:
            self.revision += 1
            for probe, correction_ns in recorded.corrections.items():
                self.history.correct(probe, correction_ns, was_set=False)
            for view in views:
                self._update_chart(view, self.revision, kept=True)
            self.opened = True

    def _round(self) -> bool:
        """Take the available steps; return whether there may be more."""
        ended = self._scope.ended
        steps = self._scope.take(0.0, ROUND_STEPS)
        now_s = time.monotonic()
        # The page gets the end together with the final account, not with one that is up to VIEW_S old.
        finishing = ended and not self.finished and not self._scope.untaken
        with self.lock:
            self._follow_clocks(
                {
                    probe: step.time_ns - self._scope.corrected_ns(step)
                    for probe, step in {step.chart.probe: step for step in steps}.items()
                }
            )
            if finishing or now_s - self._viewed_s >= VIEW_S or self._has_strangers(steps):
                self._viewed_s = now_s
                self._update_charts()
            if steps:
                self._add_steps(steps)
            if finishing:
                self.finished = True
                self.revision += 1
            if now_s - self._ticked_s >= TICK_S:
                self._ticked_s += TICK_S * int((now_s - self._ticked_s) / TICK_S)
                self._tick()
        return self._scope.untaken > 0

    def _has_strangers(self, steps: Sequence[Step]) -> bool:
        return any((step.chart.probe, step.chart.serial) not in self._numbers for step in steps)

    def _add_steps(self, steps: Sequence[Step]) -> None:
        charts: defaultdict[tuple[str, int], list[Step]] = defaultdict(list)
        for step in steps:
            charts[step.chart.probe, step.chart.serial].append(step)
        self.revision += 1
        now_ns = time.time_ns()
        for key, its in charts.items():
            number = self._numbers.get(ChartKey(*key))
            # The scope has forgotten this chart in the meantime.
            if number is None:
                continue
            row = self.rows[number]
            correction_ns = self.history.corrections.get(key[0], 0)
            row.add_steps(its, now_ns, correction_ns)
            row.revision = self.revision
            self.history.extend(its[0].chart, its)
            self.read_ns = max(self.read_ns or 0, row.activity.last_ns)

    def _follow_clocks(self, corrections: Mapping[str, int]) -> None:
        """Apply new clock corrections of some probes; those of a recording are known from the start."""
        if self.recorded is not None:
            return
        for probe, correction_ns in corrections.items():
            before_ns = self.history.corrections.get(probe, 0)
            # A clock that is off by about a second must not switch between corrected and uncorrected.
            least_ns = NEAR_AGAIN_NS if before_ns else FAR_NS
            known_ns = correction_ns if abs(correction_ns) > least_ns else 0
            if known_ns != before_ns:
                self._correct(probe, known_ns, known_ns - before_ns)

    def _correct(self, probe: str, correction_ns: int, change_ns: int) -> None:
        life = self._scope.lives.get(probe)
        was_set = life is not None and life.was_set(change_ns)
        self.history.correct(probe, correction_ns, was_set=was_set)
        if was_set:
            return
        moved = [row for row in self.rows.values() if row.view.id.probe == probe and row.activity.last_ns]
        for row in moved:
            row.activity.shift(-change_ns)
        if moved and abs(change_ns) > FAR_NS:
            # Everything that pages have drawn has moved.
            self.epoch += 1

    def _update_chart(self, view: ChartView, revision: int, *, kept: bool = False) -> bool:
        """Update a chart from the scope's data; if it changed, mark it with ``revision`` and return true."""
        key = view.id.key
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._next_number
            self._next_number += 1
            correction_ns = self.history.corrections.get(key.probe, 0)
            self.rows[number] = ChartSummary(number, view, correction_ns, kept=kept, room=self._room)
        elif not self.rows[number].update(view):
            return False
        self.rows[number].revision = revision
        return True

    def _update_charts(self) -> None:
        views, revision, now_ns = self._scope.charts, self.revision + 1, time.time_ns()
        changed = [self._update_chart(view, revision) for view in views]
        present = {view.id.key for view in views}
        gone = {
            key for key, number in self._numbers.items() if key not in present and not self.rows[number].kept
        }
        if gone:
            self._forget(gone)
        self._follow_clocks({probe: life.correction_ns for probe, life in self._scope.lives.items()})
        notices = [(revision, notice.time_ns or now_ns, notice) for notice in self._scope.notices()]
        self.notices.extend(notices)
        stats = self._scope.stats
        if any(changed) or gone or notices or stats != self.stats:
            self.revision = revision
        self.stats = stats

    def _forget(self, keys: set[ChartKey]) -> None:
        for key in keys:
            self.rows.pop(self._numbers.pop(key)).give_back()
            self.history.remove(key)
        if self.recorded is None:
            probes = {key.probe for key in self._numbers}
            for probe in set(self.history.corrections) - probes:
                del self.history.corrections[probe]
        self.epoch += 1

    def _tick(self) -> None:
        self.revision += 1
        now_ns = time.time_ns()
        for row in self.rows.values():
            if row.tick(now_ns):
                row.spark_revision = row.revision = self.revision
