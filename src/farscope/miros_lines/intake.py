"""The intake for miros lines: tokens in, steps out, as far as lines allow. Pure, like ``scope.intake``.

A trace line names its chart, a spy line does not. While only one chart is active, all spy lines belong to it,
and its steps are reassembled from trace and spy. With several active charts, spy lines cannot be attributed:
trace lines become steps of their charts without facts, and spy lines become steps of a chart named
``UNKNOWN``.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field
from sys import getsizeof

from farscope.errors import Invariant, Malformed, WireError
from farscope.miros_lines.spy_parser import Closing, SpyGroup, closing
from farscope.miros_lines.tokens import TRACE, LineOpener, unmarked
from farscope.records.configuration import leaves_of
from farscope.records.shape import Shape
from farscope.records.step import NANOSECONDS, TEXTS, TIME_NS, ChartId, RawStep, Step
from farscope.records.trace_parser import TraceReader
from farscope.records.weight import STEP_BYTES, texts_bytes
from farscope.scope.accounting import ReceivedAccount
from farscope.scope.intake import Accepted, Refusal, Refused, Totals
from farscope.wire.batch import Batch, ChartEntry
from farscope.wire.envelope import KEY_ID_BYTES, PROBE_BYTES, Flags, Header

UNKNOWN = "lines"
"""Name of the chart under which spy lines that cannot be attributed are shown."""
HOST = "lines"
"""Host name used for every chart, since the format does not include one."""

HOLD_NS = 300_000_000
"""How long a trace line and its spy lines wait for each other: they arrive through different queues."""
SET_BACK_NS = 2_000_000_000
"""A time this much earlier than the previous one, more than waiting and rounding to seconds explain, shows
that the clock was set back."""
ACTIVE_NS = 600_000_000_000
"""A chart counts as active for ten minutes after its last trace line."""
MAX_GROUP = 10_000
"""Most spy lines without a queue line; at this many they are treated as a step."""
MAX_GROUP_BYTES = 4 << 20
"""Most bytes of such lines; the same happens at this limit."""
MAX_HELD = 1_000
"""Most trace lines, and steps without a trace line, that wait; beyond it the oldest are passed on as they
are."""
MAX_HELD_BYTES = 16 << 20
"""Most bytes they may take; the same happens at this limit."""
MEASURE_EVERY = 8
"""How many more must be waiting before their size is measured again."""
MAX_SHAPE_BYTES = 16 << 20
"""Most bytes the kept shapes may take; see ``MAX_SHAPES``."""
MAX_CHARTS = 1_024
"""Most charts that are distinguished; the lines of further ones are shown under ``UNKNOWN``."""
TICK = b""
"""Passed in place of a line, it requests the step of a line whose other half has not arrived in time."""
MAX_SHAPES = 4_096
"""Shapes kept so that equal steps share one; at the limit all are forgotten and collected again."""


@dataclass(slots=True)
class _Chart:
    id: ChartId
    probe: bytes
    account: ReceivedAccount = field(default_factory=lambda: ReceivedAccount(from_start=True))
    number: int = 0
    state: str = ""
    last_ns: int = 0
    sent_ns: int = 0
    """Decreases only if the clock was set back, not if lines overtook each other."""
    traced_ns: int | None = None


@dataclass(slots=True)
class _Held:
    """A trace line or a group of spy lines that waits for its other half."""

    since_ns: int
    sealed_s: int
    trace: Step | None = None
    group: SpyGroup | None = None

    @property
    def bytes(self) -> int:
        """Upper bound of its memory use."""
        lines = 0 if self.trace is None else self.trace.shape.size
        if self.group is not None:
            lines += sum(map(getsizeof, (name for fact in self.group.facts for name in fact[1:])))
            lines += texts_bytes(self.group.texts)
        return STEP_BYTES + lines


class LinesIntake:
    """Opens lines and turns them into steps; used by one thread at a time.

    ``accepted`` counts steps; missing or repeated lines cannot be detected.
    """

    numbered = False

    def __init__(self, opener: LineOpener) -> None:
        self.accepted = 0
        """Steps made from lines."""
        self.repeated = 0
        """Always 0: the format cannot show repetition."""
        self.refused: Counter[Refusal] = Counter()
        self.skipped: Counter[str] = Counter()
        """Lines rejected, by reason."""
        self._opener = opener
        self._reader = TraceReader()
        self._charts: dict[str, _Chart] = {}
        self._lines: list[str] = []
        self._line_bytes = 0
        self._shape_bytes = 0
        self._fresh_bytes = 0
        self._traces: deque[_Held] = deque()
        self._groups: deque[_Held] = deque()
        self._shapes: dict[Shape, Shape] = {}

    @property
    def probes(self) -> int:
        """Charts heard so far: each counts as a separate probe."""
        return len(self._charts)

    def totals(self) -> Totals:
        """Return the sums over all charts."""
        totals = Totals()
        for chart in self._charts.values():
            totals.add(chart.account)
        return totals

    def receive(self, data: bytes, now_ns: int) -> Accepted | Refused | None:
        """Process a line encoded by ``marked``; return what it completes, if anything.

        Bytes that cannot be processed are an outcome, never an exception.
        """
        if data == TICK:
            return self._pass_on_overdue(now_ns)
        line = unmarked(data)
        try:
            text, sealed_s = self._opener.open(line.token)
        except WireError as error:
            return self._refuse(error)
        if line.exchange == TRACE:
            return self._take_trace(text, _Held(now_ns, sealed_s))
        return self._take_spy(text, _Held(now_ns, sealed_s))

    @property
    def waiting(self) -> int:
        """Number of waiting trace lines and steps without a trace line."""
        return len(self._traces) + len(self._groups)

    def _pass_on_overdue(self, now_ns: int) -> Accepted | None:
        for held in (self._traces, self._groups):
            if held and (now_ns - held[0].since_ns >= HOLD_NS or len(held) > MAX_HELD):
                return self._step(held.popleft(), now_ns)
        return None

    def _refuse(self, error: WireError) -> Refused:
        reason = Refusal.MALFORMED if isinstance(error, Malformed) else Refusal.WRONG_KEY
        self.refused[reason] += 1
        return Refused(reason, error.message)

    def _take_trace(self, text: str, held: _Held) -> Accepted | Refused | None:
        held.trace = trace = self._reader.read(text.strip())
        if trace is None:
            return self._refuse(Malformed("a trace line that is none"))
        chart = self._chart(trace.chart.name)
        chart.traced_ns = held.since_ns
        if self._only_active_chart(held.since_ns) is None:
            return self._step(held, held.since_ns)
        if self._groups and (group := self._groups[0].group) and group.fits(trace):
            self._groups.popleft()
            held.group = group
            return self._step(held, held.since_ns)
        self._traces.append(held)
        return self._step_of_too_many(self._traces, held.since_ns)

    def _take_spy(self, text: str, held: _Held) -> Accepted | None:
        end = closing(text)
        if end is None:
            self._lines.append(text)
            self._line_bytes += getsizeof(text)
            if len(self._lines) < MAX_GROUP and self._line_bytes < MAX_GROUP_BYTES:
                return None
        lines, self._lines, self._line_bytes = self._lines, [], 0
        held.group = group = SpyGroup.of(lines, end or Closing(0, 0))
        if self._only_active_chart(held.since_ns) is not None and self._traces:
            waiting = self._traces[0].trace
            if waiting is not None and group.fits(waiting):
                held.trace = self._traces.popleft().trace
                return self._step(held, held.since_ns)
        if group.moves and not self._several_active(held.since_ns):
            self._groups.append(held)
            return self._step_of_too_many(self._groups, held.since_ns)
        return self._step(held, held.since_ns)

    def _step_of_too_many(self, held: deque[_Held], now_ns: int) -> Accepted | None:
        """Return the step of the oldest waiting line if all take too much memory; checked periodically."""
        if len(held) % MEASURE_EVERY == 0 and sum(each.bytes for each in held) > MAX_HELD_BYTES:
            return self._step(held.popleft(), now_ns)
        return None

    def _active_charts(self, now_ns: int) -> list[_Chart]:
        return [
            chart
            for chart in self._charts.values()
            if chart.traced_ns is not None and now_ns - chart.traced_ns < ACTIVE_NS
        ]

    def _several_active(self, now_ns: int) -> bool:
        return len(self._active_charts(now_ns)) > 1

    def _only_active_chart(self, now_ns: int) -> _Chart | None:
        """Return the only active chart; None if there are several or none."""
        around = self._active_charts(now_ns)
        return around[0] if len(around) == 1 else None

    def _chart(self, name: str) -> _Chart:
        chart = self._charts.get(name)
        if chart is None:
            if len(self._charts) >= MAX_CHARTS and name != UNKNOWN:
                return self._chart(UNKNOWN)
            probe = hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()[:PROBE_BYTES]
            chart = self._charts[name] = _Chart(ChartId(name, HOST, 0, 1, probe.hex()), probe)
        return chart

    def _step(self, held: _Held, now_ns: int) -> Accepted:
        """Make a step from the parts that have arrived."""
        trace, group = held.trace, held.group
        if trace is not None:
            chart = self._chart(trace.chart.name)
        else:
            chart = self._only_active_chart(now_ns) or self._chart(UNKNOWN)
        if group is not None:
            shape = self._shared(group.shape(trace, chart.state))
            queued, deferred, texts = group.queued, group.deferred, group.texts
        elif trace is not None:
            shape, queued, deferred, texts = self._shared(trace.shape), 0, 0, ()
        else:
            raise Invariant("a line was held that is neither trace nor spy")
        time_ns = trace.time_ns if trace is not None else max(chart.last_ns, held.sealed_s * NANOSECONDS)
        chart.number += 1
        chart.state = shape.end
        chart.last_ns = time_ns
        step = (chart.id, chart.number, shape, time_ns, 0, queued, deferred, 0, None, texts, ())
        return self._accept(chart, step, now_ns)

    def _shared(self, shape: Shape) -> Shape:
        known = self._shapes.get(shape)
        if known is not None:
            return known
        self._fresh_bytes += shape.size
        self._shape_bytes += shape.size
        if len(self._shapes) >= MAX_SHAPES or self._shape_bytes > MAX_SHAPE_BYTES:
            self._shapes.clear()
            self._shape_bytes = shape.size
        self._shapes[shape] = shape
        return shape

    def _accept(self, chart: _Chart, step: RawStep, now_ns: int) -> Accepted:
        self.accepted += 1
        number = chart.number - 1
        set_back = step[TIME_NS] < chart.sent_ns - SET_BACK_NS
        chart.sent_ns = step[TIME_NS] if set_back else max(step[TIME_NS], chart.sent_ns)
        batch = Batch(
            host=HOST,
            pid=0,
            started_ns=0,
            sent_ns=chart.sent_ns,
            next_number=number + 1,
            charts=(
                ChartEntry(
                    chart.id.serial,
                    chart.id.name,
                    leaves_of(chart.state) if chart.state else (),
                    chart.number,
                ),
            ),
            numbers=[number],
            steps=[step],
            extra_bytes=self._fresh_bytes + texts_bytes(step[TEXTS]),
        )
        self._fresh_bytes = 0
        header = Header(0, Flags.NONE, bytes(KEY_ID_BYTES), chart.probe, number)
        return Accepted(header, batch, chart.account.post(batch, now_ns), chart.account)
