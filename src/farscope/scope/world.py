"""The world as a scope knows it: probes, their charts, and what became of them. Pure: no I/O, no clock."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from farscope.records.step import NANOSECONDS, ChartId, RawStep
from farscope.scope.accounting import PATIENCE_NS, Ledger, Posted
from farscope.scope.chart import Chart, ChartView, Status, by_chart
from farscope.scope.intake import MAX_PROBES, Accepted
from farscope.scope.labels import Labels, spellings
from farscope.scope.liveness import SILENT_AFTER_NS, Life, Pulse, PulseRoom
from farscope.scope.lookup import ambiguous, candidates, meant, unknown
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.ordering.clock_offsets import Clocks
from farscope.scope.rings import Rings
from farscope.scope.unknown import Unknown, Why
from farscope.wire.batch import Batch
from farscope.wire.envelope import Flags

SETTLE_NS = 2_500_000_000
"""How long a scope must have been reading what is new before it tells that a probe fell silent: while it
reads the past, or just after an outage, a probe's next heartbeat may be about to come."""

LATELY_NS = 2_500_000_000
"""A probe says something every second, or every two where its program has chosen so. One that was heard so
lately when the reading ended was running then; of any other nobody knows."""

OVERDUE_NS = 1_300_000_000
"""One that has said nothing for so long is late, unless it is one of every two seconds: whoever ends the
reading then waits for it until ``LATELY_NS`` tells."""

LOOK_BACK_NS = 500_000_000
"""How far the past is read from one look to the next for who has fallen silent in it."""

MAX_GAPS_DATED = 256
"""Newest gaps of a probe of which it is remembered when they showed; others are dated by its last batch."""

MAX_CHARTS = 4_096
"""Charts followed at a time. At the limit the one unheard for longest is forgotten."""

MAX_CHART_BYTES = 64 << 20
"""Bytes that their names and structures take at most; the same happens at this limit."""


class Key(NamedTuple):
    """Tells a chart from every other, whatever it is called."""

    probe: str
    serial: int


@dataclass(slots=True)
class _Probe:
    id: str
    place: str
    """``host:pid``, which machines that were set up alike may share."""
    started_ns: int
    """By its machine's clock."""
    ledger: Ledger
    heard_ns: int
    closed: bool = False
    silent: bool = False
    silence_told: bool = False
    left: Why | None = None
    """Why nothing is known of it behind the end of the reading, if it has not fallen silent before."""
    sent_ns: int = 0
    """When it was last heard, or made its last step known, by its machine's clock."""
    past_ns: int | None = None
    """How far the past was read when it was heard in it, by the clock of the past."""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """The first number of each gap as it showed, and when that was, by its machine's clock."""
    charts: dict[int, Key] = field(default_factory=dict)
    pulse: Pulse = field(default_factory=Pulse)


class _News:
    """When what a batch tells came to be so, by the clock of its machine."""

    def __init__(self, probe: str, batch: Batch) -> None:
        self.probe = probe
        self._batch = batch
        ended_ns = [step[3] + step[4] for step in (*batch.steps[:1], *batch.steps[-1:])]
        self.first_ns = min([batch.sent_ns, *ended_ns])
        """Before its steps."""
        self.last_ns = max([batch.sent_ns, *ended_ns])
        """Behind its steps."""

    def first_of(self, serial: int) -> int:
        """Return when a chart's first step in it ended; if it made none, when the batch was sent."""
        first = self.first_step(serial)
        return self._batch.sent_ns if first is None else first[3] + first[4]

    def first_step(self, serial: int) -> RawStep | None:
        """Return a chart's first step in it."""
        return next((step for step in self._batch.steps if step[0][3] == serial), None)


class World:
    """Follows every chart that was heard of. Used by one thread at a time.

    Times called ``now_ns`` are of any clock that does not go back.
    """

    def __init__(self, clocks: Clocks | None = None) -> None:
        """``clocks``: what is known of the probes' clocks; somebody else keeps it up to date."""
        self.forgotten = 0
        """Charts forgotten at a limit."""
        self._left_open = 0
        """Those of them that were neither stopped nor closed, so that nobody knows what they did then; and
        probes forgotten without having been closed that had no such chart."""
        self.at_end = False
        """Whether all there was to read was applied; somebody else keeps it up to date."""
        self._clocks = clocks
        self._probes: dict[str, _Probe] = {}
        self._charts: dict[Key, Chart] = {}
        self._bytes = 0
        self._rings = Rings(lambda: (chart.foreign for chart in self._charts.values()))
        self._pulses = PulseRoom()
        self._labels = Labels()
        self._places: Counter[str] = Counter()
        self._speaking: dict[str, _Probe] = {}
        """Probes that are not known to have fallen silent in the past, the one unheard for longest first."""
        self._past_ns = self._heard_since_ns = self._looked_back_ns = 0
        """How far the past was read; since when somebody was heard in it all the time; when that was last
        used."""

    def apply(
        self, accepted: Accepted, now_ns: int, age_ns: int = 0, past_ns: int | None = None
    ) -> list[Notice]:
        """Take an accepted batch; return what there is to tell, dated by the clock of its machine.

        Args:
            accepted: from the intake.
            now_ns: when it was read.
            age_ns: for how long it had been stored by then, when the past is read; 0 when it is new.
            past_ns: how far the past was read, by a clock of its own; None when it is not read.
        """
        header, batch, posted = accepted.header, accepted.batch, accepted.posted
        probe = self._heard(accepted, now_ns - age_ns)
        news = _News(probe.id, batch)
        probe.sent_ns, probe.past_ns = news.last_ns, past_ns
        self._speaking.pop(probe.id, None)
        self._speaking[probe.id] = probe
        notices = list(self._hear(probe, now_ns, news, in_past=past_ns is not None))
        goodbye = bool(header.flags & Flags.GOODBYE)
        probe.pulse.hear(batch.sent_ns, goodbye=goodbye)
        for entry in batch.charts:
            notices += self._present(
                probe, ChartId(entry.name, batch.host, batch.pid, entry.serial, probe.id), news
            )
            chart = self._charts[Key(probe.id, entry.serial)]
            was_stopped, before_bytes = chart.stopped, chart.structure_bytes
            first = news.first_step(entry.serial) if chart.stopped else None
            chart.take_entry(entry, header.number, first, ended=goodbye)
            self._bytes += chart.structure_bytes - before_bytes
            if chart.stopped and not was_stopped:
                probe.pulse.stop(entry.serial, batch.sent_ns)
                notices.append(self._about(NoticeKind.STOPPED, chart.id, news.last_ns))
            elif was_stopped and not chart.stopped:
                probe.pulse.go_on(entry.serial)
                notices.append(self._about(NoticeKind.APPEARED, chart.id, news.first_of(entry.serial)))
        more = 0
        for serial, steps in by_chart(posted.steps, alone=len(batch.charts) == 1):
            more += self._charts[Key(probe.id, serial)].take_steps(steps)
        self._rings.note(more, batch.extra_bytes, batch.renewed)
        while self._bytes > MAX_CHART_BYTES and len(self._charts) > 1:
            self._forget_chart(next(iter(self._charts)))
        notices += self._about_numbers(probe, posted, news.last_ns)
        self._date_gaps(probe)
        if goodbye and not probe.closed:
            probe.closed = True
            notices += self._about_charts(probe, NoticeKind.CLOSED, news.last_ns)
        if past_ns is not None:
            notices += self._look_back(past_ns)
        return notices

    def tick(self, now_ns: int, listening_since_ns: int | None) -> list[Notice]:
        """Tell what has become of probes that say nothing, and which gaps have waited in vain.

        Args:
            now_ns: the present.
            listening_since_ns: since when everything that was stored was read at once; None while the
                past is still being read or the log cannot be: then nobody is called silent.
        """
        notices: list[Notice] = []
        for probe in self._probes.values():
            if listening_since_ns is not None and not probe.closed:
                notices += self._listen(probe, now_ns, listening_since_ns)
            if probe.ledger.missing:
                notices += self._missing(probe, now_ns, PATIENCE_NS)
        return notices

    def reach_end(self, now_ns: int, *, for_good: bool) -> None:
        """Take note that all there is was read: what a silent probe owes is missing from now on.

        Args:
            now_ns: the present.
            for_good: nothing will ever follow, as behind the end of a recording; then this goes for every
                probe. Otherwise one heard lately may be between two batches, and still owes.
        """
        for probe in self._probes.values():
            if for_good or now_ns - probe.heard_ns >= SILENT_AFTER_NS:
                probe.ledger.expect_announced(now_ns)

    def settle(self, now_ns: int) -> list[Notice]:
        """Tell every gap that was not told yet: nothing more will be read."""
        return [notice for probe in self._probes.values() for notice in self._missing(probe, now_ns, 0)]

    def end(self, now_ns: int, *, for_good: bool) -> None:
        """Take note that the reading is over, once it is: who said no goodbye can have gone on.

        Args:
            now_ns: the present.
            for_good: nothing will ever follow, as behind the end of a recording; otherwise a probe heard
                within ``LATELY_NS`` is running, and what it does next is not of this account.
        """
        for probe in self._probes.values():
            if for_good or now_ns - probe.heard_ns >= LATELY_NS:
                lately = now_ns - probe.heard_ns < SILENT_AFTER_NS
                probe.left = Why.NO_GOODBYE if for_good and lately else Why.SILENT

    def awaits(self, now_ns: int) -> bool:
        """Tell whether a probe is late and may be running: its next word tells, or its silence."""
        return any(
            OVERDUE_NS <= now_ns - probe.heard_ns < LATELY_NS and not probe.closed
            for probe in self._probes.values()
        )

    def unknown(self) -> list[Unknown]:
        """Return of whom nothing is known behind their last step: who fell silent, or was when all ended."""
        found: list[Unknown] = []
        for probe in self._probes.values():
            why = self._why_unknown(probe)
            if why is None:
                continue
            charts = [chart for key in probe.charts.values() if not (chart := self._charts[key]).stopped]
            found += [
                Unknown(
                    why=why,
                    subject=self._labels.of(chart.id),
                    after=chart.number,
                    chart=chart.id,
                    probe=probe.id,
                )
                for chart in charts
            ]
            if not charts:
                # Its next chart may have made steps that nobody had heard of.
                found.append(Unknown(why=why, subject=self._label_of(probe), probe=probe.id))
        if self._left_open:
            found.append(Unknown(why=Why.FORGOTTEN, count=self._left_open))
        return found

    def several_speak(self, now_ns: int) -> bool:
        """Tell whether more than one probe was heard lately and did not say goodbye."""
        speaking = 0
        for probe in reversed(self._probes.values()):
            if now_ns - probe.heard_ns >= SILENT_AFTER_NS:
                return False
            speaking += not probe.closed
            if speaking > 1:
                return True
        return False

    def charts(self) -> list[ChartView]:
        """Return every chart, by name, host, process and serial."""
        return [self._view(chart) for chart in sorted(self._charts.values(), key=lambda chart: chart.id)]

    def lives(self) -> dict[str, Life]:
        """Return the life of every probe that is followed, by its id."""
        correct = self._clocks.correction_ns if self._clocks else lambda _: 0
        return {probe.id: probe.pulse.life(correct(probe.id)) for probe in self._probes.values()}

    def label(self, chart: ChartId) -> str:
        """Return the label of a chart at present; of one never seen, or forgotten, the longest there is."""
        known = self._charts.get(Key(chart.probe, chart.serial))
        return self._labels.of(known.id) if known else spellings(chart)[-1]

    def find(self, chart: str | ChartId) -> Chart:
        """Return the chart of that name, label, ``name@host``, or id.

        Of several that share the name, the only one alive is meant, if there is just one; if none is alive
        and they are successive runs on one host, the newest.

        Raises:
            UnknownChart: none answers to it.
            AmbiguousChart: several do.
        """
        if isinstance(chart, ChartId):
            known = self._charts.get(Key(chart.probe, chart.serial))
            found = [known] if known else []
        else:
            found = meant(
                candidates(chart, self._charts.values()), alive=self._is_alive, began_ns=self._began_ns
            )
        if len(found) == 1:
            return found[0]
        answering = found or self._charts.values()
        labels = tuple(sorted(self._labels.of(one.id) for one in answering))
        raise ambiguous(str(chart), labels) if found else unknown(str(chart), labels)

    def _heard(self, accepted: Accepted, heard_ns: int) -> _Probe:
        probe_id = accepted.header.probe.hex()
        probe = self._probes.pop(probe_id, None)
        if probe is None:
            if len(self._probes) >= MAX_PROBES:
                self._forget_probe(next(iter(self._probes)))
            place = f"{accepted.batch.host}:{accepted.batch.pid}"
            pulse = Pulse(self._pulses)
            probe = _Probe(probe_id, place, accepted.batch.started_ns, accepted.ledger, heard_ns, pulse=pulse)
            self._places[place] += 1
        probe.ledger = accepted.ledger
        probe.heard_ns = max(probe.heard_ns, heard_ns)
        self._probes[probe_id] = probe
        return probe

    def _hear(self, probe: _Probe, now_ns: int, news: _News, *, in_past: bool) -> Iterator[Notice]:
        probe.silent = now_ns - probe.heard_ns >= SILENT_AFTER_NS
        if probe.silence_told and (in_past or not probe.silent):
            probe.silence_told = False
            yield from self._about_charts(probe, NoticeKind.SPOKE_AGAIN, news.first_ns)

    def _look_back(self, past_ns: int) -> Iterator[Notice]:
        """Tell who has fallen silent in the past while others were heard all the time."""
        if not 0 <= past_ns - self._past_ns < SETTLE_NS:
            # Nobody was heard: then it was the log that was away, or nobody wrote to it.
            self._heard_since_ns = self._looked_back_ns = past_ns
        self._past_ns = past_ns
        if past_ns - self._looked_back_ns < LOOK_BACK_NS:
            return
        self._looked_back_ns = past_ns
        while self._speaking:
            probe = next(iter(self._speaking.values()))
            if past_ns - max(probe.past_ns or 0, self._heard_since_ns) < SILENT_AFTER_NS:
                return
            del self._speaking[probe.id]
            if not (probe.closed or probe.silence_told):
                probe.silence_told = True
                yield from self._about_charts(probe, NoticeKind.FELL_SILENT, probe.sent_ns + SILENT_AFTER_NS)

    def _listen(self, probe: _Probe, now_ns: int, listening_since_ns: int) -> Iterator[Notice]:
        if now_ns - probe.heard_ns < SILENT_AFTER_NS or now_ns - listening_since_ns < SETTLE_NS:
            return
        probe.silent = True
        if not probe.silence_told:
            probe.silence_told = True
            probe.ledger.expect_announced(now_ns)
            yield from self._about_charts(probe, NoticeKind.FELL_SILENT, probe.sent_ns + SILENT_AFTER_NS)
            yield from self._missing(probe, now_ns, 0)

    def _about_numbers(self, probe: _Probe, posted: Posted, time_ns: int) -> Iterator[Notice]:
        subject = self._label_of(probe)
        for reason, count in posted.dropped.items():
            yield Notice(
                kind=NoticeKind.DROPPED,
                subject=subject,
                detail=reason,
                count=count,
                probe=probe.id,
                time_ns=time_ns,
            )
        for span in posted.found:
            yield Notice(kind=NoticeKind.FOUND, subject=subject, span=span, probe=probe.id, time_ns=time_ns)

    def _about_charts(self, probe: _Probe, kind: NoticeKind, time_ns: int) -> Iterator[Notice]:
        for key in probe.charts.values():
            chart = self._charts[key]
            if not chart.stopped:
                yield self._about(kind, chart.id, time_ns, chart.number)

    def _about(self, kind: NoticeKind, chart: ChartId, time_ns: int, count: int = 0) -> Notice:
        subject = self._labels.of(chart)
        return Notice(
            kind=kind, subject=subject, count=count, chart=chart, probe=chart.probe, time_ns=time_ns
        )

    def _present(self, probe: _Probe, chart_id: ChartId, news: _News) -> Iterator[Notice]:
        """Make sure the chart is known, by its present name, and counted as heard last."""
        key = Key(probe.id, chart_id.serial)
        chart = self._charts.pop(key, None)
        appeared = chart is None
        if chart is None:
            while len(self._charts) >= MAX_CHARTS:
                self._forget_chart(next(iter(self._charts)))
            chart = Chart(chart_id)
            self._bytes += chart.bytes
            self._labels.add(chart_id)
        elif chart.id != chart_id:
            self._labels.remove(chart.id)
            self._labels.add(chart_id)
            self._bytes -= chart.bytes
            chart.id = chart_id
            self._bytes += chart.bytes
        self._charts[key] = chart
        probe.charts[chart_id.serial] = key
        if appeared:
            yield self._about(NoticeKind.APPEARED, chart_id, news.first_of(chart_id.serial))

    def _forget_probe(self, probe_id: str) -> None:
        left_open = self._left_open
        for key in list(self._probes[probe_id].charts.values()):
            self._forget_chart(key)
        probe = self._probes.pop(probe_id)
        self._left_open += left_open == self._left_open and not probe.closed
        probe.pulse.forget()
        self._places[probe.place] -= 1
        if not self._places[probe.place]:
            del self._places[probe.place]
        self._speaking.pop(probe_id, None)

    def _forget_chart(self, key: Key) -> None:
        chart = self._charts.pop(key)
        self._bytes -= chart.bytes
        self._labels.remove(chart.id)
        del self._probes[key.probe].charts[key.serial]
        self.forgotten += 1
        self._left_open += not (chart.stopped or self._probes[key.probe].closed)

    def _missing(self, probe: _Probe, now_ns: int, patience_ns: int) -> Iterator[Notice]:
        self._date_gaps(probe)
        for span in probe.ledger.tell(now_ns, patience_ns=patience_ns):
            known = bisect_right(probe.gaps, span.first, key=lambda gap: gap[0])
            yield Notice(
                kind=NoticeKind.MISSING,
                subject=self._label_of(probe),
                count=span.size,
                span=span,
                probe=probe.id,
                time_ns=probe.gaps[known - 1][1] if known else probe.sent_ns,
            )

    def _date_gaps(self, probe: _Probe) -> None:
        """Take note of when gaps showed that were not there before."""
        if not probe.ledger.missing:
            return
        last = probe.gaps[-1][0] if probe.gaps else -1
        probe.gaps += [(gap.first, probe.sent_ns) for gap in probe.ledger.gaps() if gap.first > last]
        del probe.gaps[:-MAX_GAPS_DATED]

    def _label_of(self, probe: _Probe) -> str:
        return probe.place if self._places[probe.place] <= 1 else f"{probe.place}/{probe.id[:8]}"

    def _why_unknown(self, probe: _Probe) -> Why | None:
        if probe.closed:
            return None
        # In a past that is still being read, who has been silent by now may speak in what follows.
        silent = probe.silence_told or (probe.silent and self.at_end)
        return Why.SILENT if silent else probe.left

    def _status(self, chart: Chart) -> Status:
        probe = self._probes[chart.id.probe]
        if chart.stopped:
            return "stopped"
        if probe.closed:
            return "closed"
        return "silent" if probe.silent else "alive"

    def _is_alive(self, chart: Chart) -> bool:
        return self._status(chart) == "alive"

    def _began_ns(self, chart: Chart) -> int:
        return self._probes[chart.id.probe].started_ns

    def _view(self, chart: Chart) -> ChartView:
        probe = self._probes[chart.id.probe]
        offset_ns = self._clocks.offset_ns(probe.id) if self._clocks else None
        return ChartView(
            id=chart.id,
            name=chart.id.name,
            host=chart.id.host,
            pid=chart.id.pid,
            label=self._labels.of(chart.id),
            state=chart.state,
            status=self._status(chart),
            steps=chart.steps,
            # A chart leaves numbers out while it is not broadcast: only what its probe lost is lost.
            lost=min(chart.lost, probe.ledger.lost),
            last_number=chart.number,
            last_ns=chart.last_ns,
            structure=chart.structure,
            ended_ns=probe.pulse.ended_ns(chart.id.serial),
            clock_offset_s=None if offset_ns is None else offset_ns / NANOSECONDS,
            unknown=None if chart.stopped else self._why_unknown(probe),
        )
