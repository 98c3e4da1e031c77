"""The data of a chart in the page's list, updated step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from farscope.records.shape import Shape
from farscope.records.step import NANOSECONDS, RawStep
from farscope.records.weight import SHARED_BYTES
from farscope.scope.chart import ChartView
from farscope.views.statechart.model import Statechart
from farscope.views.statechart.transitions_seen import moves

SPARK: Final = 40
"""Seconds of a chart's recent past that its spark line shows."""

MAX_ARROWS: Final = 2_000
"""Different arrows that are counted of a chart; more of them make no picture any more, and what is done
beyond these is counted as ``uncounted``."""

PICTURE_BYTES: Final = 32 << 20
"""Bytes that the names in the pictures of all charts take at most; what is done beyond is ``uncounted``."""

UNCOUNTED: Final = 1_024
"""Steps that wait to be counted in the picture at most: counting many at once costs far less."""


class PictureRoom:
    """What the pictures of all charts take together. Not thread-safe."""

    def __init__(self, limit: int = PICTURE_BYTES) -> None:
        self.left = limit


class ChartSummary:
    """One chart as the page knows it. Not thread-safe.

    Times are in nanoseconds since the epoch by one clock for all charts; 0 means not yet.
    """

    def __init__(
        self,
        number: int,
        view: ChartView,
        correction_ns: int = 0,
        *,
        kept: bool = False,
        room: PictureRoom | None = None,
    ) -> None:
        self.number = number
        """What the page calls the chart; never used again for another one."""
        self.view = view
        self.kept = kept
        """Whether it stays whatever the scope follows, with its label and structure: a recording's chart is
        known as its end tells it while the scope may not have come to it."""
        self.state = view.state
        self.since_ns = 0
        """When the state was last entered."""
        self.event = ""
        """Signal of the last step."""
        self.outcome = 0
        """Kind of the last step."""
        self.last_ns = view.last_ns - correction_ns if view.last_ns else 0
        self.queued = 0
        self.rate = 0
        """Steps in the last whole second."""
        self.spark = [0] * SPARK
        """Steps in each of the last whole seconds."""
        self.revision = 0
        """When anything above changed."""
        self.spark_revision = 0
        self._picture = Statechart()
        self._shapes: list[Shape] = []
        self.uncounted = 0
        """Steps left out of the picture at ``MAX_ARROWS``."""
        self._number = 0
        self._seconds: Counter[int] = Counter()
        self._drawn = 0
        self._room = room or PictureRoom()
        self._shape_bytes = 0
        self._large: set[int] = set()
        if view.structure is not None:
            self._picture.add_structure(view.structure)

    @property
    def picture(self) -> Statechart:
        """States and arrows, with every step taken so far."""
        self._count_all()
        return self._picture

    def take_steps(self, steps: Sequence[RawStep], now_ns: int, correction_ns: int = 0) -> None:
        """Take new steps of the chart, at least one, in their order.

        ``now_ns`` is our present, and ``correction_ns`` what to take off the steps' times.
        """
        last = steps[-1]
        self._number = last[1]
        # By their own times, so that a past that is read at once is no burst; a clock that is ahead of ours
        # must not count into seconds to come.
        now_s = now_ns // NANOSECONDS
        first_s, last_s = (
            (_ended_ns(steps[0]) - correction_ns) // NANOSECONDS,
            (_ended_ns(last) - correction_ns) // NANOSECONDS,
        )
        if first_s == last_s:
            self._seconds[min(last_s, now_s)] += len(steps)
        else:
            self._seconds.update(
                [min((_ended_ns(step) - correction_ns) // NANOSECONDS, now_s) for step in steps]
            )
        self.state = last[2].end
        self.event = last[2].signal
        self.outcome = int(last[2].kind)
        self.last_ns = _ended_ns(last) - correction_ns
        self.queued = last[5]
        for step in reversed(steps):
            if step[2].traced:
                self.since_ns = _ended_ns(step) - correction_ns
                break
        self._shapes.extend([step[2] for step in steps])
        if len(self._shapes) >= UNCOUNTED:
            self._count_all()

    def move(self, by_ns: int) -> None:
        """Shift all times of the chart by ``by_ns``, after a better estimate of its clock."""
        self.since_ns += by_ns if self.since_ns else 0
        self.last_ns += by_ns if self.last_ns else 0

    def take_view(self, view: ChartView) -> bool:
        """Take what the scope says of the chart as a whole; return whether anything changed."""
        before = self.view
        if self.kept:
            structure = view.structure or before.structure
            view = replace(view, label=before.label, structure=structure)
        if view == before:
            return False
        self.view = view
        if view.structure is not None and view.structure != before.structure:
            self._picture.add_structure(view.structure)
        # Announcements may be ahead of the steps that wait to be taken.
        if view.last_number > self._number:
            self.state = view.state
        return True

    def tick(self, now_ns: int) -> bool:
        """Update the sparkline up to the last whole second; return whether it changed."""
        end = now_ns // NANOSECONDS
        for second in [second for second in self._seconds if second < end - SPARK]:
            del self._seconds[second]
        spark = [self._seconds[second] for second in range(end - SPARK, end)]
        changed = spark != self.spark
        self.spark, self.rate = spark, spark[-1]
        return changed

    def _count_all(self) -> None:
        # Most steps share a few shape objects: asking for each object once spares hashing every step.
        shapes = {id(shape): shape for shape in self._shapes}
        for key, count in Counter(map(id, self._shapes)).items():
            self._count(shapes[key], count)
        self._shapes.clear()

    def _count(self, shape: Shape, count: int) -> None:
        known = self._draws(shape)
        # Another shape of an arrow that is drawn already brings few names, unless it is large.
        if not known or (shape.size > SHARED_BYTES and hash(shape) not in self._large):
            if self._room.left < shape.size or (not known and self._drawn >= MAX_ARROWS):
                self.uncounted += count
                return
            self._room.left -= shape.size
            self._shape_bytes += shape.size
            self._large.add(hash(shape))
        self._picture.add_shape(shape, count)
        self._drawn = len(self._picture.seen) + len(self._picture.hooked) + len(self._picture.failed)

    def give_back(self) -> None:
        """Release the memory of the picture, because the chart is removed."""
        self._room.left += self._shape_bytes
        self._shape_bytes = 0

    def _draws(self, shape: Shape) -> bool:
        seen = moves(shape)
        picture, signal = self._picture, shape.signal
        return (
            (seen.source, seen.target, signal) in picture.seen
            or (seen.source, signal) in picture.hooked
            or (seen.failed, signal) in picture.failed
        )


def _ended_ns(step: RawStep) -> int:
    return step[3] + step[4]
