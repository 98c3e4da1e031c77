"""Frames: everything that changed since the previous frame of a page, however long ago that was.

Nothing is queued for a page. Each frame is made from the current state when the page is ready for it; a page
on a slow connection gets fewer but larger frames.
"""

from __future__ import annotations

import time
from typing import Final

from farscope.scope.stats import ScopeStats
from farscope.views.text import notice_line, unknown_parts
from farscope.views.web.chart_summary import ChartSummary
from farscope.views.web.live_model import LiveModel
from farscope.views.web.serialize import (
    ROW_FIELDS,
    STEP_FIELDS,
    Plain,
    plain_chart,
    plain_last,
    plain_leaves,
    plain_moves,
    plain_row,
    plain_step,
    plain_structure,
)

FRAME_S: Final = 0.05
"""Shortest time between two frames; changes in between are merged."""

OPEN_STEPS: Final = 50
"""Maximum number of steps of an open chart in a frame, the newest."""

MAX_OPEN: Final = 8
"""Maximum number of charts a page may have open; further ones are not followed step by step."""


class PageUpdates:
    """The frames of one page. Not thread-safe.

    Args:
        model: the data.
        origin_ns: the origin of all times, in nanoseconds since the epoch.
        opened: numbers of the charts whose steps and arrows the page wants.
    """

    def __init__(self, model: LiveModel, origin_ns: int, opened: tuple[int, ...] = ()) -> None:
        self._model = model
        self._origin_ns = origin_ns
        self._opened = opened[:MAX_OPEN]
        self._epoch = -1
        self._revision = -1
        self._introduced: dict[int, tuple[object, ...]] = {}
        self._arrows: dict[int, dict[tuple[Plain, ...], Plain]] = {}
        self._leaves: dict[int, dict[tuple[Plain, ...], Plain]] = {}
        self._structures: dict[int, Plain] = {}
        self._last: dict[int, int] = {}

    def next(self) -> dict[str, Plain] | None:
        """Return what changed since the last call, or None if nothing did."""
        model = self._model
        if model.revision == self._revision:
            return None
        with model.lock:
            frame: dict[str, Plain] = {"now": time.time_ns() - self._origin_ns}
            if model.epoch != self._epoch:
                self._begin(frame)
            changed = [row for row in model.rows.values() if row.revision > self._revision]
            frame["new"] = [plain_chart(row) for row in changed if self._introduce(row)]
            recorded = model.recorded is not None
            frame["rows"] = [plain_row(row, self._origin_ns, recorded=recorded) for row in changed]
            frame["sparks"] = [
                [row.number, row.spark] for row in changed if row.spark_revision > self._revision
            ]
            frame["notices"] = [
                {"at": at_ns - self._origin_ns, "kind": notice.kind.value, "text": notice_line(notice)}
                for revision, at_ns, notice in model.notices
                if revision > self._revision
            ]
            frame["open"] = {
                str(number): self._detail(model.rows[number])
                for number in self._opened
                if number in model.rows
            }
            frame["account"] = plain_account(model, self._origin_ns)
            self._revision = model.revision
        return frame

    def _begin(self, frame: dict[str, Plain]) -> None:
        self._epoch = self._model.epoch
        self._revision = -1
        for memory in (self._introduced, self._arrows, self._leaves, self._structures, self._last):
            memory.clear()
        frame["begin"] = {
            "origin_ms": self._origin_ns // 1_000_000,
            "row_fields": ROW_FIELDS,
            "step_fields": STEP_FIELDS,
        }

    def _introduce(self, row: ChartSummary) -> bool:
        view = row.view
        identity = (view.label, view.parent_label, view.library, row.regions, tuple(row.activity.values))
        if self._introduced.get(row.number) == identity:
            return False
        self._introduced[row.number] = identity
        return True

    def _detail(self, row: ChartSummary) -> dict[str, Plain]:
        """Return the changes of an open chart: its states if changed, arrows with new counts, new steps."""
        detail: dict[str, Plain] = {}
        structure = plain_structure(row.picture, row.view.structure)
        if structure != self._structures.get(row.number):
            self._structures[row.number] = detail["structure"] = structure
        arrows = self._arrows.setdefault(row.number, {})
        moved = []
        for move in plain_moves(row.picture):
            source, target, signal, count, *outcome = move
            if arrows.get((source, target, signal, *outcome)) != count:
                arrows[source, target, signal, *outcome] = count
                moved.append(move)
        detail["moves"] = moved
        leaves = self._leaves.setdefault(row.number, {})
        detail["leaves"] = [
            taken for taken in plain_leaves(row.picture) if leaves.get(tuple(taken[:4])) != taken[4]
        ]
        leaves.update({tuple(taken[:4]): taken[4] for taken in detail["leaves"]})
        detail["active"] = row.active
        stored = self._model.history.charts.get(row.view.id.key)
        seen = self._last.get(row.number, 0)
        steps = [] if stored is None else stored.newest_after(seen, OPEN_STEPS)
        if stored is not None:
            self._last[row.number] = stored.forgotten + len(stored)
        detail["steps"] = [plain_step(step, self._origin_ns) for step in steps]
        detail["last"] = plain_last(row.picture, steps[-1].shape if steps else None)
        detail["uncounted"] = row.uncounted
        return detail


def plain_account(model: LiveModel, origin_ns: int) -> dict[str, Plain]:
    """Return the account of steps received, lost and forgotten; hold the model's lock."""
    stats: ScopeStats = model.stats
    first_ns = model.history.first_ns
    span = None
    if model.recorded is not None and model.opened:
        first_ns = model.recorded.first_ns
        span = [first_ns - origin_ns, model.recorded.last_ns - origin_ns]
    read_ns = None if model.finished else model.read_ns
    return {
        "received": stats.received,
        "lost": stats.lost,
        "missing": stats.missing,
        "dropped": dict(stats.dropped),
        "refused": dict(stats.refused),
        "unknown": unknown_parts(stats.unknown),
        "waiting": stats.waiting,
        "recorded": model.recorded is not None,
        "span": span,
        "read": None if read_ns is None else read_ns - origin_ns,
        "finished": model.finished,
        "remembered": len(model.history),
        "forgotten": model.history.forgotten,
        "first": None if first_ns is None else first_ns - origin_ns,
        "failure": "" if model.failure is None else str(model.failure),
    }
