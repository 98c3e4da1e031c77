"""The data shown for each chart in the table, updated step by step."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from farscope.records.shape import Shape, StepKind
from farscope.records.step import NANOSECONDS, ChartId, RawStep
from farscope.records.weight import own_bytes, texts_bytes
from farscope.scope.chart import ChartView
from farscope.scope.labels import spellings
from farscope.scope.ordering.clock_offsets import FAR_NS
from farscope.scope.rings import Rings

SPARK_S: Final = 12
"""Seconds of a chart's recent past that its spark line shows."""

RATE_S: Final = 3
"""Whole seconds a rate is the mean of: fewer flicker, more lag behind."""

RECENT: Final = 50
"""Newest steps kept of each chart, to be shown when it is chosen."""

RECENT_BYTES: Final = 48 << 20
"""Bytes that they take at most; at the limit those of the charts that take most are forgotten first."""


ENDED: Final = "ended"
"""Status of a chart that was heard up to a recording's end and said no goodbye: more is not known."""


class ChartKey(NamedTuple):
    """Tells a chart from every other, whatever it is called."""

    probe: str
    serial: int


class ChartRow(NamedTuple):
    """A chart at one moment; its texts come from the network and are escaped where they are drawn."""

    key: ChartKey
    label: str
    """Tells it from every other chart."""
    name: str
    """What tells it from others of its process: its name, or the label where that would not do."""
    host: str
    """Where it runs: host and process."""
    status: str
    """The scope's word for it, or ``ENDED``."""
    state: str
    in_state_ns: int | None
    """Time since the state was entered, or until the chart ended; None where that is not known."""
    rate: float
    """Steps a second."""
    spark: tuple[int, ...]
    """Steps in each of the last ``SPARK_S`` seconds, oldest first."""
    event: str
    """Signal of the last step."""
    failed: bool
    """Whether the last step was given up because a handler raised."""
    queued: int
    deferred: int
    lost: int
    steps: int
    recent: tuple[RawStep, ...]
    """Its newest steps, oldest first."""
    unknown: bool = False
    """Whether nothing is known of what it did after its last step."""


class Last(NamedTuple):
    """What a row tells of a chart's last step."""

    state: str
    event: str
    failed: bool
    queued: int
    deferred: int


class Recent(deque[RawStep]):
    """The newest steps of a chart; what a row tells of the last one is known also when it was forgotten."""

    def __init__(self) -> None:
        super().__init__(maxlen=RECENT)
        self._forgotten: Last | None = None

    @property
    def last(self) -> Last | None:
        """What the last step was; None before the first."""
        return _last(self[-1]) if self else self._forgotten

    def held(self) -> Iterable[RawStep]:
        """Return the steps."""
        return self

    def own_bytes(self) -> int:
        """Return what they take by themselves."""
        return sum(map(own_bytes, self))

    def shrink(self, limit_bytes: int) -> None:
        """Forget the oldest, so that the others take no more by themselves."""
        size = self.own_bytes()
        while size > limit_bytes:
            gone = self.popleft()
            size -= own_bytes(gone)
            self._forgotten = _last(gone)


def _last(step: RawStep) -> Last:
    shape = step[2]
    return Last(shape.end, shape.signal, shape.kind is StepKind.FAILED, step[5], step[6])


class _Chart:
    """One chart as it is followed."""

    def __init__(self, chart: ChartId) -> None:
        self.id = chart
        self.view: ChartView | None = None
        self.offset_ns = 0
        self.number = 0
        self.steps = 0
        self.since_ns = 0
        self.seconds: Counter[int] = Counter()
        self.recent = Recent()

    def take_view(self, view: ChartView) -> None:
        self.id, self.view = view.id, view
        offset_ns = int((view.clock_offset_s or 0.0) * NANOSECONDS)
        self.offset_ns = offset_ns if abs(offset_ns) > FAR_NS else 0

    def row(self, now_ns: int, *, ends: bool) -> ChartRow:
        view, last = self.view, self.recent.last
        label = view.label if view else self.id.name
        state = last.state if last else ""
        # Announcements may be ahead of the steps that wait to be taken.
        if view is not None and view.last_number > self.number:
            state = view.state
        status = view.status if view else "alive"
        second = now_ns // NANOSECONDS
        for old in [each for each in self.seconds if each < second - SPARK_S]:
            del self.seconds[old]
        spark = tuple(self.seconds[each] for each in range(second - SPARK_S, second))
        return ChartRow(
            key=ChartKey(self.id.probe, self.id.serial),
            label=label,
            # Host and process stand in a column of their own.
            name=label if label in spellings(self.id)[2:] else self.id.name,
            host=f"{self.id.host}:{self.id.pid}",
            status=ENDED if ends and status == "alive" else status,
            state=state,
            in_state_ns=self._in_state_ns(status, now_ns),
            rate=sum(spark[-RATE_S:]) / RATE_S,
            spark=spark,
            event=last.event if last else "",
            failed=last is not None and last.failed,
            queued=last.queued if last else 0,
            deferred=last.deferred if last else 0,
            lost=view.lost if view else 0,
            unknown=view is not None and view.unknown is not None,
            steps=self.steps,
            recent=tuple(self.recent),
        )

    def _in_state_ns(self, status: str, now_ns: int) -> int | None:
        """Return for how long it has been, or was until its end, in its state; None where nobody knows."""
        if not self.since_ns or status == "silent":
            return None
        ended_ns = self.view.ended_ns if self.view else None
        until_ns = now_ns if ended_ns is None else ended_ns - self.offset_ns
        return max(0, until_ns - self.since_ns)


class Table:
    """Follows all charts. Not thread-safe. Times are in nanoseconds since the epoch."""

    def __init__(self, *, ends: bool = False) -> None:
        """``ends``: what is followed is a recording, in which nothing is alive any more."""
        self._ends = ends
        self._charts: dict[ChartKey, _Chart] = {}
        self._rings = Rings(lambda: (chart.recent for chart in self._charts.values()), RECENT_BYTES)
        self._has_strangers = False

    def __len__(self) -> int:
        return len(self._charts)

    @property
    def has_strangers(self) -> bool:
        """Whether charts made steps that were in no list of ``look`` yet."""
        return self._has_strangers

    def take(self, steps: Sequence[RawStep], now_ns: int, *, live: bool = False) -> None:
        """Take new steps, those of a chart in their order.

        ``now_ns`` is the present. Steps that are ``live`` have just happened, whatever their clock says.
        """
        now_s, charts = now_ns // NANOSECONDS, self._charts
        oldest_ns = now_ns - SPARK_S * NANOSECONDS if live else 0
        more = 0
        shapes: dict[int, Shape] = {}
        for step in steps:
            chart = charts.get((step[0][4], step[0][3]))  # type: ignore[call-overload]  # equal to a Key
            if chart is None:
                chart = charts[ChartKey(step[0][4], step[0][3])] = _Chart(step[0])
                self._has_strangers = True
            time_ns = step[3] + step[4] - chart.offset_ns
            if time_ns < oldest_ns:
                time_ns = now_ns
            # A clock that is ahead of ours must not count into seconds to come.
            chart.seconds[min(time_ns // NANOSECONDS, now_s)] += 1
            more += len(chart.recent) < RECENT
            chart.recent.append(step)
            shapes[id(step[2])] = step[2]
            chart.steps += 1
            chart.number = step[1]
            if step[2].traced:
                chart.since_ns = time_ns

        extra = sum(shape.size for shape in shapes.values())
        self._rings.note(more, extra + sum(texts_bytes(step[9]) for step in steps if step[9]), 0)

    def look(self, views: Sequence[ChartView]) -> None:
        """Take what the scope says of all charts; those it does not speak of any more are forgotten."""
        charts: dict[ChartKey, _Chart] = {}
        for view in views:
            key = ChartKey(view.id.probe, view.id.serial)
            chart = charts[key] = self._charts.get(key) or _Chart(view.id)
            chart.take_view(view)
        self._charts = charts
        self._has_strangers = False

    def rows(self, now_ns: int) -> list[ChartRow]:
        """Return all charts as they are now, in no order; what is returned does not change any more."""
        return [chart.row(now_ns, ends=self._ends) for chart in self._charts.values()]
