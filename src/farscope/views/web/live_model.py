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
"""Time between two rounds: what comes meanwhile is taken at once, which costs less than step by step."""

ROUND_STEPS: Final = 4_096
"""Maximum number of steps taken in a round, so that queries wait only a few milliseconds."""

BREATH_S: Final = 0.001
"""Pause in seconds after an incomplete round: without it, other threads would not get the lock."""

VIEW_S: Final = 0.1
"""Time between two looks at what the scope says of the charts as a whole: alive, silent, lost."""

TICK_S: Final = 1.0
"""What one point of a spark line stands for."""

MAX_NOTICES: Final = 200
"""Notices kept for pages that are opened later; at the limit the oldest go."""


class LiveModel:
    """Follows a scope on a separate thread, from entering the block to leaving it.

    Hold ``lock`` while reading ``rows``, ``history``, ``stats`` or ``notices``. Times of machines
    whose clocks are off by more than a second are corrected, as in ``farscope watch``.
    """

    def __init__(self, scope: Scope, limit: int | None = None, *, recorded: Recorded | None = None) -> None:
        """Nothing is read yet.

        Args:
            scope: an entered scope, whose steps are taken only here.
            limit: weight of what is remembered; None is what suits.
            recorded: the recording that the scope reads; None where it reads a log.
        """
        self.recorded = recorded
        self.opened = False
        """Whether any moment of the recording can be asked about."""
        self.finished = False
        """Whether a recording was read to its end."""
        if limit is None:
            limit = DEFAULT_WEIGHT if recorded is None else RECORDING_WEIGHT
        self.lock = RLock()
        self.history = History(limit)
        self.rows: dict[int, ChartSummary] = {}
        """Charts by their numbers."""
        self.read_ns: int | None = None
        """How far a recording was read; None before its first step."""
        self.stats: ScopeStats = scope.stats
        self.revision = 0
        """Increases whenever something shown on a page changes."""
        self.epoch = 0
        """Increases whenever a chart was removed, so that pages reload everything."""
        self.notices: deque[tuple[int, int, Notice]] = deque(maxlen=MAX_NOTICES)
        """(revision, nanoseconds since the epoch by this machine's clock, notice), oldest first."""
        self.failure: Exception | None = None
        """What ended the following, if it was not leaving the block."""
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

    def row(self, key: ChartKey) -> ChartSummary | None:
        """Return the row of a chart, or None if it is not followed; hold ``lock``."""
        number = self._numbers.get(key)
        return None if number is None else self.rows[number]

    def key(self, number: int) -> ChartKey | None:
        """Return the key of a chart the page calls ``number``; hold ``lock``."""
        row = self.rows.get(number)
        return None if row is None else row.view.id.key

    def past(self, time_ns: int) -> Past:
        """Return what can be told of a moment; do not hold ``lock``, since it may have to be looked for.

        Raises:
            LogUnavailable: the disk that the recording is on fails.
        """
        if self.recorded is not None and self.opened and not self._remembers(time_ns):
            return self.recorded.past(time_ns)
        return Past(self.history, self._scope.lives, {})

    def near(self, time_ns: int, keys: Sequence[ChartKey], *, forward: bool) -> int | None:
        """Return when the next step of some charts ended, or the last one; of all charts if none is named."""
        if self.recorded is not None and self.opened and not self._remembers(time_ns):
            return self.recorded.near(time_ns, keys, forward=forward)
        with self.lock:
            history, wanted = self.history, keys or tuple(self.history.charts)
            return history.next_after(time_ns, wanted) if forward else history.last_before(time_ns, wanted)

    def _remembers(self, time_ns: int) -> bool:
        """Whether everything about a moment of a recording is in the history."""
        with self.lock:
            return self.finished and time_ns >= self.history.whole_from_ns

    def _run(self) -> None:
        try:
            # However long the first look takes, no step leaves the scope untaken.
            with self._scope.taking():
                if self.recorded is not None:
                    self._open(self.recorded)
                while not self._ending.is_set():
                    began_s = time.monotonic()
                    full = self._round()
                    left_s = began_s + ROUND_S - time.monotonic()
                    self._ending.wait(BREATH_S if full else max(BREATH_S, left_s))
        except Exception as error:  # noqa: BLE001 - told to every page, and raised where the server runs
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
                self._see(view, kept=True)
            self.opened = True

    def _round(self) -> bool:
        """Take what there is; return whether more may wait."""
        ended = self._scope.ended
        steps = self._scope.take(0.0, ROUND_STEPS)
        now_s = time.monotonic()
        # Together with the end the page gets the final account, not one of up to VIEW_S ago.
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
                self._look()
            if steps:
                self._take(steps)
            if finishing:
                self.finished = True
                self.revision += 1
            if now_s - self._ticked_s >= TICK_S:
                self._ticked_s += TICK_S * int((now_s - self._ticked_s) / TICK_S)
                self._tick()
        return self._scope.untaken > 0

    def _has_strangers(self, steps: Sequence[Step]) -> bool:
        return any((step.chart.probe, step.chart.serial) not in self._numbers for step in steps)

    def _take(self, steps: Sequence[Step]) -> None:
        charts: defaultdict[tuple[str, int], list[Step]] = defaultdict(list)
        for step in steps:
            charts[step.chart.probe, step.chart.serial].append(step)
        self.revision += 1
        now_ns = time.time_ns()
        for key, its in charts.items():
            number = self._numbers.get(ChartKey(*key))
            # A chart the scope has forgotten meanwhile is forgotten here too.
            if number is None:
                continue
            row = self.rows[number]
            correction_ns = self.history.corrections.get(key[0], 0)
            row.add_steps(its, now_ns, correction_ns)
            row.revision = self.revision
            self.history.extend(its[0].chart, its)
            self.read_ns = max(self.read_ns or 0, row.activity.last_ns)

    def _follow_clocks(self, corrections: Mapping[str, int]) -> None:
        """Take what is known by now of some probes' clocks; a recording's are known from the beginning."""
        if self.recorded is not None:
            return
        for probe, correction_ns in corrections.items():
            before_ns = self.history.corrections.get(probe, 0)
            # One that is about a second off is not shown now corrected and now not.
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
            # What pages have drawn stands elsewhere now.
            self.epoch += 1

    def _see(self, view: ChartView, *, kept: bool = False) -> bool:
        """Take what the scope says of a chart; return whether anything is new."""
        key = view.id.key
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._next_number
            self._next_number += 1
            correction_ns = self.history.corrections.get(key.probe, 0)
            self.rows[number] = ChartSummary(number, view, correction_ns, kept=kept, room=self._room)
        elif not self.rows[number].update(view):
            return False
        self.rows[number].revision = self.revision
        return True

    def _look(self) -> None:
        views = self._scope.charts
        self.revision += 1
        changed = False
        present: set[ChartKey] = set()
        for view in views:
            present.add(view.id.key)
            changed = self._see(view) or changed
        gone = {
            key for key, number in self._numbers.items() if key not in present and not self.rows[number].kept
        }
        if gone:
            self._forget(gone)
            changed = True
        self._follow_clocks({probe: life.correction_ns for probe, life in self._scope.lives.items()})
        now_ns = time.time_ns()
        told = [(self.revision, notice.time_ns or now_ns, notice) for notice in self._scope.notices()]
        self.notices.extend(told)
        stats = self._scope.stats
        if not (changed or told or stats != self.stats):
            self.revision -= 1
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
