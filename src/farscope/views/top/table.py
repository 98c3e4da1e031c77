"""The data shown for each chart in the table, updated step by step."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from farscope.records.shape import StepKind
from farscope.records.step import (
    CHART,
    NANOSECONDS,
    PROBE,
    SERIAL,
    SHAPE,
    TEXTS,
    ChartId,
    ChartKey,
    RawStep,
    Value,
)
from farscope.records.structure import has_ended
from farscope.records.weight import own_bytes, texts_bytes
from farscope.scope.chart import ChartView
from farscope.scope.labels import spellings
from farscope.scope.ordering.clock_offsets import FAR_NS
from farscope.scope.rings import Rings
from farscope.views.chart_activity import ENDED, ChartActivity

SPARK_S: Final = 12
"""Seconds that a chart's sparkline shows."""

RATE_S: Final = 3
"""Whole seconds over which a rate is averaged: fewer flicker, more lag."""

RECENT: Final = 50
"""Newest steps kept of each chart, to be shown when it is selected."""

RECENT_BYTES: Final = 48 << 20
"""Maximum size of these steps in bytes; at the limit, the charts with the most forget their oldest."""


class ChartRow(NamedTuple):
    """A chart at one moment; its texts come from the network and are escaped where they are drawn."""

    key: ChartKey
    label: str
    """Distinguishes it from every other chart."""
    name: str
    """Distinguishes it within its process: its name, or the label if the name is not unique."""
    host: str
    """Name of its process; host and process number if it has none."""
    status: str
    """The scope's word for it, or ``ENDED``."""
    state: str
    in_state_ns: int | None
    """Time since the state was entered, or until the chart ended; None if it is not known."""
    rate: float
    """Steps per second."""
    spark: tuple[int, ...]
    """Steps in each of the last ``SPARK_S`` seconds, oldest first."""
    event: str
    """Signal of the last step."""
    failed: bool
    """Whether the last step failed because a handler raised."""
    queued: int
    deferred: int
    lost: int
    steps: int
    recent: tuple[RawStep, ...]
    """Its newest steps, oldest first."""
    unknown: bool = False
    """Whether it is unknown what the chart did after its last step."""
    over: bool = False
    """Whether it makes no more steps: it ended, or its probe said goodbye."""
    states: tuple[str, ...] = ()
    """The active leaf states of ``state``."""
    values: tuple[tuple[str, Value], ...] = ()
    """The values that its program shows, by name."""
    parent: str = ""
    """Label of the chart that created it; empty if there is none."""
    library: str = ""
    """The library that runs it; empty if unknown."""


class Recent(deque[RawStep]):
    """The newest steps of a chart."""

    def __init__(self) -> None:
        super().__init__(maxlen=RECENT)

    def held(self) -> Iterable[RawStep]:
        """Return the steps."""
        return self

    def own_bytes(self) -> int:
        """Return their own memory use in bytes."""
        return sum(map(own_bytes, self))

    def shrink(self, limit_bytes: int) -> None:
        """Forget the oldest steps until the own memory use of the rest is at most ``limit_bytes``."""
        size = self.own_bytes()
        while size > limit_bytes:
            size -= own_bytes(self.popleft())


class _Chart:
    """One chart that is followed."""

    def __init__(self, chart: ChartId) -> None:
        self.id = chart
        self.activity = ChartActivity()
        self.steps = 0
        self.recent = Recent()
        self._offset_ns = 0

    def add_steps(self, steps: Sequence[RawStep], now_ns: int, oldest_ns: int | None) -> None:
        self.activity.add_steps(steps, now_ns, self._offset_ns, oldest_ns=oldest_ns)
        self.steps += len(steps)
        self.recent.extend(steps)

    def update(self, view: ChartView) -> None:
        self.id = view.id
        self.activity.update(view)
        offset_ns = int((view.clock_offset_s or 0.0) * NANOSECONDS)
        self._offset_ns = offset_ns if abs(offset_ns) > FAR_NS else 0

    def row(self, now_ns: int, *, ends: bool) -> ChartRow:
        activity, view = self.activity, self.activity.view
        label = view.label if view else self.id.name
        status = view.status if view else "alive"
        spark = activity.steps_per_second(now_ns, SPARK_S)
        return ChartRow(
            key=self.id.key,
            label=label,
            # Host and process have a column of their own.
            name=label if label in spellings(self.id)[-2:] else self.id.name,
            host=self.id.service or f"{self.id.host}:{self.id.pid}",
            status=ENDED if ends and status == "alive" else status,
            state=activity.state,
            in_state_ns=self._in_state_ns(status, now_ns),
            rate=sum(spark[-RATE_S:]) / RATE_S,
            spark=tuple(spark),
            event=activity.event,
            failed=activity.outcome == StepKind.FAILED,
            queued=activity.queued,
            deferred=activity.deferred,
            lost=view.lost if view else 0,
            unknown=view is not None and view.unknown is not None,
            steps=self.steps,
            recent=tuple(self.recent),
            over=view is not None and (has_ended(view.condition) or status == "closed"),
            states=activity.states,
            values=tuple(activity.values.items()),
            parent=view.parent_label if view else "",
            library=view.library if view else "",
        )

    def _in_state_ns(self, status: str, now_ns: int) -> int | None:
        """Return the time in the state until now, or until the chart ended; None if it is not known."""
        view, since_ns = self.activity.view, self.activity.since_ns
        if not since_ns or status == "silent":
            return None
        until_ns = now_ns if view is None or view.ended_ns is None else view.ended_ns - self._offset_ns
        return max(0, until_ns - since_ns)


class Table:
    """Follows all charts. Not thread-safe. Times are in nanoseconds since the epoch."""

    def __init__(self, *, ends: bool = False) -> None:
        """``ends``: a recording is followed, in which no chart is alive any more."""
        self._ends = ends
        self._charts: dict[ChartKey, _Chart] = {}
        self._rings = Rings(lambda: (chart.recent for chart in self._charts.values()), RECENT_BYTES)
        self._has_strangers = False

    def __len__(self) -> int:
        return len(self._charts)

    @property
    def has_strangers(self) -> bool:
        """Whether there are steps of charts that no call of ``update`` has included yet."""
        return self._has_strangers

    def add_steps(self, steps: Sequence[RawStep], now_ns: int, *, live: bool = False) -> None:
        """Add new steps, those of each chart in their order.

        ``now_ns`` is the present. Steps that are ``live`` have just happened, whatever their clock says.
        """
        oldest_ns = now_ns - SPARK_S * NANOSECONDS if live else None
        by_chart: defaultdict[tuple[str, int], list[RawStep]] = defaultdict(list)
        for step in steps:
            by_chart[step[CHART][PROBE], step[CHART][SERIAL]].append(step)
        more = 0
        for (probe, serial), added in by_chart.items():
            key = ChartKey(probe, serial)
            chart = self._charts.get(key)
            if chart is None:
                chart = self._charts[key] = _Chart(added[0][CHART])
                self._has_strangers = True
            more -= len(chart.recent)
            chart.add_steps(added, now_ns, oldest_ns)
            more += len(chart.recent)
        shapes = {id(step[SHAPE]): step[SHAPE] for step in steps}
        extra = sum(shape.size for shape in shapes.values())
        self._rings.add(more, extra + sum(texts_bytes(step[TEXTS]) for step in steps if step[TEXTS]), 0)

    def update(self, views: Sequence[ChartView]) -> None:
        """Take the scope's latest data about all charts; those that are not included are forgotten."""
        charts: dict[ChartKey, _Chart] = {}
        for view in views:
            key = view.id.key
            chart = charts[key] = self._charts.get(key) or _Chart(view.id)
            chart.update(view)
        self._charts = charts
        self._has_strangers = False

    def rows(self, now_ns: int) -> list[ChartRow]:
        """Return all charts as they are now, in no order; what is returned does not change later."""
        return [chart.row(now_ns, ends=self._ends) for chart in self._charts.values()]
