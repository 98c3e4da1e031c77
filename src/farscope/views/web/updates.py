"""Frames: everything that changed since the previous frame of a page, however long ago that was.

Nothing is queued for a page. Each frame is made from the current state when the page is ready for it; a page
on a slow connection gets fewer but larger frames.
"""

from __future__ import annotations

import time
from typing import Final

from farscope.scope.stats import ScopeStats
from farscope.views.text import notice_line, unknown_parts
from farscope.views.web.chart_summary import Row
from farscope.views.web.history import key_of
from farscope.views.web.live_model import Hub
from farscope.views.web.serialize import (
    ROW_FIELDS,
    STEP_FIELDS,
    Plain,
    plain_chart,
    plain_moves,
    plain_row,
    plain_step,
    plain_structure,
)

FRAME_S: Final = 0.05
"""Shortest time between two frames; what happens meanwhile is merged."""

OPEN_STEPS: Final = 50
"""Newest steps of an open chart in a frame at most."""

MAX_OPEN: Final = 8
"""Charts a page may have open at a time; further ones are not followed step by step."""


class Frames:
    """The frames of one page. Not thread-safe.

    Args:
        hub: what is known.
        origin_ns: what times are counted from, in nanoseconds since the epoch.
        opened: numbers of the charts whose steps and arrows the page wants.
    """

    def __init__(self, hub: Hub, origin_ns: int, opened: tuple[int, ...] = ()) -> None:
        self._hub = hub
        self._origin_ns = origin_ns
        self._opened = opened[:MAX_OPEN]
        self._epoch = -1
        self._revision = -1
        self._introduced: dict[int, str] = {}
        self._arrows: dict[int, dict[tuple[Plain, ...], Plain]] = {}
        self._structures: dict[int, Plain] = {}
        self._last: dict[int, int] = {}

    def next(self) -> dict[str, Plain] | None:
        """Return what changed since the last call, or None if nothing did."""
        hub = self._hub
        if hub.revision == self._revision:
            return None
        with hub.lock:
            frame: dict[str, Plain] = {"now": time.time_ns() - self._origin_ns}
            if hub.epoch != self._epoch:
                self._begin(frame)
            changed = [row for row in hub.rows.values() if row.revision > self._revision]
            frame["new"] = [plain_chart(row) for row in changed if self._introduce(row)]
            recorded = hub.recorded is not None
            frame["rows"] = [plain_row(row, self._origin_ns, recorded=recorded) for row in changed]
            frame["sparks"] = [
                [row.number, row.spark] for row in changed if row.spark_revision > self._revision
            ]
            frame["notices"] = [
                {"at": at_ns - self._origin_ns, "kind": notice.kind.value, "text": notice_line(notice)}
                for revision, at_ns, notice in hub.notices
                if revision > self._revision
            ]
            frame["open"] = {
                str(number): self._detail(hub.rows[number]) for number in self._opened if number in hub.rows
            }
            frame["account"] = plain_account(hub, self._origin_ns)
            self._revision = hub.revision
        return frame

    def _begin(self, frame: dict[str, Plain]) -> None:
        self._epoch = self._hub.epoch
        self._revision = -1
        for memory in (self._introduced, self._arrows, self._structures, self._last):
            memory.clear()
        frame["begin"] = {
            "origin_ms": self._origin_ns // 1_000_000,
            "row_fields": ROW_FIELDS,
            "step_fields": STEP_FIELDS,
        }

    def _introduce(self, row: Row) -> bool:
        if self._introduced.get(row.number) == row.view.label:
            return False
        self._introduced[row.number] = row.view.label
        return True

    def _detail(self, row: Row) -> dict[str, Plain]:
        """Return what changed of an open chart: its states if they did, arrows with new counts, new steps."""
        detail: dict[str, Plain] = {}
        structure = plain_structure(row)
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
        track = self._hub.history.tracks.get(key_of(row.view.id))
        seen = self._last.get(row.number, 0)
        steps = [] if track is None else track.newest_after(seen, OPEN_STEPS)
        if track is not None:
            self._last[row.number] = track.forgotten + len(track)
        detail["steps"] = [plain_step(step, self._origin_ns) for step in steps]
        detail["uncounted"] = row.uncounted
        return detail


def plain_account(hub: Hub, origin_ns: int) -> dict[str, Plain]:
    """Return what was received, lost and forgotten; hold the hub's lock."""
    stats: ScopeStats = hub.stats
    first_ns = hub.history.first_ns
    span = None
    if hub.recorded is not None and hub.opened:
        first_ns = hub.recorded.first_ns
        span = [first_ns - origin_ns, hub.recorded.last_ns - origin_ns]
    read_ns = None if hub.finished else hub.read_ns
    return {
        "received": stats.received,
        "lost": stats.lost,
        "missing": stats.missing,
        "dropped": dict(stats.dropped),
        "refused": dict(stats.refused),
        "unknown": unknown_parts(stats.unknown),
        "waiting": stats.waiting,
        "recorded": hub.recorded is not None,
        "span": span,
        "read": None if read_ns is None else read_ns - origin_ns,
        "finished": hub.finished,
        "remembered": len(hub.history),
        "forgotten": hub.history.forgotten,
        "first": None if first_ns is None else first_ns - origin_ns,
        "failure": "" if hub.failure is None else str(hub.failure),
    }
