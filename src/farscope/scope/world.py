"""A scope's knowledge of probes, their charts and their fate. Pure: no I/O, no clock."""

from __future__ import annotations

from functools import partial

from farscope.records.heartbeat import (
    LATELY_NS,
    OVERDUE_NS,
    SETTLE_NS,
    SILENT_AFTER_NS,
    scaled,
    silent_after_ns,
)
from farscope.records.step import NANOSECONDS, ChartId, ChartKey, ChartRef
from farscope.scope.accounting import PATIENCE_NS, Posted
from farscope.scope.chart import Chart, ChartView, Status, by_chart, word_for
from farscope.scope.intake import MAX_PROBES, Accepted
from farscope.scope.labels import Labels, ProbeLabels, ambiguous, candidates, meant, spellings, unknown
from farscope.scope.liveness import Liveness, LivenessBudget, LivenessTracker
from farscope.scope.notice import Notice, NoticeKind, end_of
from farscope.scope.ordering.clock_offsets import ClockOffsets
from farscope.scope.rings import Rings
from farscope.scope.tracked_probe import BatchTimes, TrackedProbe
from farscope.scope.unknown import Unknown, Why

LOOK_BACK_NS = 500_000_000
"""How far the past is read between two checks for probes that fell silent in it."""

MAX_GAPS_DATED = 256
"""Newest gaps of a probe whose time of appearance is kept; others are dated by its last batch."""

MAX_CHARTS = 4_096
"""Charts tracked at a time. At the limit the one unheard for longest is forgotten."""

MAX_CHART_BYTES = 64 << 20
"""Most bytes their names and structures may take; the same happens at this limit."""


class World:
    """Tracks every chart heard of. Used by one thread at a time.

    ``now_ns`` may be from any monotonic clock.
    """

    def __init__(self, clocks: ClockOffsets | None = None) -> None:
        """``clocks`` is what is known about the probes' clocks; the caller keeps it up to date."""
        self.forgotten = 0
        """Charts forgotten at one of the limits."""
        self._left_open = 0
        """Forgotten charts that were neither stopped nor closed, so that what they did afterwards is unknown,
        plus forgotten probes that were not closed and had no such chart."""
        self.at_end = False
        """Whether everything readable was applied; the caller keeps it up to date."""
        self._clocks = clocks
        self._probes: dict[str, TrackedProbe] = {}
        self._charts: dict[ChartKey, Chart] = {}
        self._bytes = 0
        self._rings = Rings(lambda: (chart.foreign for chart in self._charts.values()))
        self._liveness_budget = LivenessBudget()
        self._labels = Labels()
        self._probe_labels = ProbeLabels()
        self._speaking: dict[str, TrackedProbe] = {}
        """Probes not known to have fallen silent in the past, the one unheard for longest first."""
        self._past_ns = self._heard_since_ns = self._looked_back_ns = 0
        """How far the past was read; since when probes were heard in it without interruption; the last
        check."""

    def apply(
        self, accepted: Accepted, now_ns: int, age_ns: int = 0, past_ns: int | None = None
    ) -> list[Notice]:
        """Apply an accepted batch; return the notices, dated by the clock of its machine.

        Args:
            accepted: from the intake.
            now_ns: when it was read.
            age_ns: how long it had been stored by then if the past is being read; 0 if it is new.
            past_ns: how far the past was read, by the clock of the past; None if the past is not being read.
        """
        header, batch, posted = accepted.header, accepted.batch, accepted.posted
        probe = self._register_probe(accepted, now_ns - age_ns)
        times = BatchTimes(probe.id, batch)
        probe.sent_ns, probe.past_ns = times.last_ns, past_ns
        self._speaking.pop(probe.id, None)
        self._speaking[probe.id] = probe
        notices = self._end_silence(probe, now_ns, times, in_past=past_ns is not None)
        goodbye = header.is_goodbye
        probe.liveness.add_batch(batch.sent_ns, goodbye=goodbye)
        for entry in batch.charts:
            notices += self._register_chart(
                probe,
                ChartId(entry.name, batch.host, batch.pid, entry.serial, probe.id, batch.service),
                times,
                entry.parent,
            )
            chart = self._charts[ChartKey(probe.id, entry.serial)]
            was_stopped, before_bytes = chart.stopped, chart.structure_bytes
            first = times.first_step(entry.serial) if chart.stopped else None
            chart.apply_entry(entry, header.number, first, ended=goodbye)
            self._bytes += chart.structure_bytes - before_bytes
            if chart.stopped and not was_stopped:
                probe.liveness.stop(entry.serial, batch.sent_ns, entry.status)
                kind, detail = end_of(entry.status)
                notices.append(self._about(kind, chart.id, times.last_ns, detail=detail))
            elif was_stopped and not chart.stopped:
                probe.liveness.resume(entry.serial)
                notices.append(self._about(NoticeKind.APPEARED, chart.id, times.first_of(entry.serial)))
        more = 0
        for serial, steps in by_chart(posted.steps, alone=len(batch.charts) == 1):
            more += self._charts[ChartKey(probe.id, serial)].add_steps(steps)
        self._rings.add(more, batch.extra_bytes, batch.renewed)
        while self._bytes > MAX_CHART_BYTES and len(self._charts) > 1:
            self._forget_chart(next(iter(self._charts)))
        notices += self._about_numbers(probe, posted, times.last_ns)
        self._date_gaps(probe)
        if goodbye and not probe.closed:
            probe.closed = True
            notices += self._about_charts(probe, NoticeKind.CLOSED, times.last_ns)
        if past_ns is not None:
            notices += self._look_back(past_ns)
        return notices

    def tick(self, now_ns: int, listening_since_ns: int | None) -> list[Notice]:
        """Return notices about silent probes and about gaps that were not filled in time.

        Args:
            now_ns: the present.
            listening_since_ns: since when batches have been read as soon as they were stored; None while the
                past is still being read or the log is unavailable: no probe is called silent then.
        """
        notices: list[Notice] = []
        for probe in self._probes.values():
            if listening_since_ns is not None and not probe.closed:
                notices += self._check_silence(probe, now_ns, listening_since_ns)
            if probe.account.missing:
                notices += self._report_missing(probe, now_ns, PATIENCE_NS)
        return notices

    def reach_end(self, now_ns: int, heard_since_ns: int | None = None, *, for_good: bool) -> None:
        """Record that everything was read: what a silent probe owes is missing from now on.

        Args:
            now_ns: the present.
            heard_since_ns: when an outage of the log ended; a probe whose heartbeat may not have been due
                since then still owes.
            for_good: nothing will ever follow, as after the end of a recording; this then applies to every
                probe. Otherwise a probe heard recently may be between two batches, and still owes.
        """
        for probe in self._probes.values():
            settle_ns = scaled(SETTLE_NS, probe.heartbeat_ns)
            settled = heard_since_ns is None or now_ns - heard_since_ns >= settle_ns
            if for_good or (settled and probe.quiet_beyond(SILENT_AFTER_NS, now_ns)):
                probe.account.expect_announced(now_ns)

    def settle(self, now_ns: int) -> list[Notice]:
        """Return notices for all gaps not reported yet: nothing more will be read."""
        return [
            notice for probe in self._probes.values() for notice in self._report_missing(probe, now_ns, 0)
        ]

    def end(self, now_ns: int, *, for_good: bool) -> None:
        """Record the end of the reading: probes that said no goodbye may have gone on.

        Args:
            now_ns: the present.
            for_good: nothing will ever follow, as after the end of a recording; otherwise a probe heard
                within ``LATELY_NS``, scaled to its heartbeat, is running, and what it does next is not part
                of this account.
        """
        for probe in self._probes.values():
            if for_good or probe.quiet_beyond(LATELY_NS, now_ns):
                lately = now_ns - probe.heard_ns < probe.silent_after_ns
                probe.left = Why.NO_GOODBYE if for_good and lately else Why.SILENT

    def awaits(self, now_ns: int) -> bool:
        """Return whether a late probe may still be running; its next batch, or further silence, decides."""
        return any(
            probe.quiet_beyond(OVERDUE_NS, now_ns)
            and not (probe.quiet_beyond(LATELY_NS, now_ns) or probe.closed)
            for probe in self._probes.values()
        )

    def unknown(self) -> list[Unknown]:
        """Return charts and probes of unknown fate after their last step: silent, or cut off by the end."""
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
                # Its next chart may have made steps that were never announced.
                found.append(Unknown(why=why, subject=self._label_of(probe), probe=probe.id))
        if self._left_open:
            found.append(Unknown(why=Why.FORGOTTEN, count=self._left_open))
        return found

    def several_alive(self, now_ns: int) -> bool:
        """Return whether more than one probe was heard recently and did not say goodbye."""
        speaking = 0
        for probe in reversed(self._probes.values()):
            if now_ns - probe.heard_ns >= probe.silent_after_ns:
                continue
            speaking += not probe.closed
            if speaking > 1:
                return True
        return False

    def charts(self) -> list[ChartView]:
        """Return every chart, sorted by name, host, process and serial."""
        return [self._view(chart) for chart in sorted(self._charts.values(), key=lambda chart: chart.id)]

    def view(self, chart: ChartId) -> ChartView:
        """Return one chart; raises ``UnknownChart`` if it was never heard or is forgotten."""
        return self._view(self.find(chart))

    def lives(self) -> dict[str, Liveness]:
        """Return the life of every tracked probe, by its id."""
        correct = self._clocks.correction_ns if self._clocks else lambda _: 0
        return {probe.id: probe.liveness.liveness(correct(probe.id)) for probe in self._probes.values()}

    def label(self, chart: ChartId) -> str:
        """Return the current label of a chart; the longest form if it was never seen or is forgotten."""
        known = self._charts.get(chart.key)
        return self._labels.of(known.id) if known else spellings(chart)[-1]

    def find(self, chart: str | ChartId) -> Chart:
        """Return the chart with that name, label, ``name@host``, or id.

        If several charts share the name, the only one alive is returned; if none is alive and they are
        successive runs on one host, the newest is.

        Raises:
            UnknownChart: no chart matches.
            AmbiguousChart: several charts match.
        """
        if isinstance(chart, ChartId):
            known = self._charts.get(chart.key)
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

    def _register_probe(self, accepted: Accepted, heard_ns: int) -> TrackedProbe:
        probe_id = accepted.header.probe.hex()
        probe = self._probes.pop(probe_id, None)
        if probe is None:
            if len(self._probes) >= MAX_PROBES:
                self._forget_probe(next(iter(self._probes)))
            batch, liveness = accepted.batch, LivenessTracker(self._liveness_budget)
            names = probe_id, batch.service, f"{batch.host}:{batch.pid}"
            probe = TrackedProbe(*names, batch.started_ns, accepted.account, heard_ns, liveness=liveness)
            self._probe_labels.add(probe.service, probe.place)
        probe.account = accepted.account
        probe.heartbeat_ns = accepted.batch.heartbeat_ns
        probe.liveness.silent_after_ns = silent_after_ns(probe.heartbeat_ns)
        probe.heard_ns = max(probe.heard_ns, heard_ns)
        self._probes[probe_id] = probe
        return probe

    def _end_silence(
        self, probe: TrackedProbe, now_ns: int, times: BatchTimes, *, in_past: bool
    ) -> list[Notice]:
        """Record that a probe is heard; return the notices if it had been reported as silent."""
        probe.silent = now_ns - probe.heard_ns >= probe.silent_after_ns
        if not probe.silence_reported or (probe.silent and not in_past):
            return []
        probe.silence_reported = False
        return self._about_charts(probe, NoticeKind.SPOKE_AGAIN, times.first_ns)

    def _look_back(self, past_ns: int) -> list[Notice]:
        """Return notices about probes that fell silent in the past while others kept being heard."""
        unheard_ns = past_ns - self._past_ns
        if unheard_ns < 0 or (unheard_ns >= SETTLE_NS and unheard_ns >= self._longest_pause_ns()):
            # No probe was heard: the log was unavailable, or nothing was written to it.
            self._heard_since_ns = self._looked_back_ns = past_ns
        self._past_ns = past_ns
        notices: list[Notice] = []
        if past_ns - self._looked_back_ns < LOOK_BACK_NS:
            return notices
        self._looked_back_ns = past_ns
        for probe in list(self._speaking.values()):
            unheard_ns = past_ns - max(probe.past_ns or 0, self._heard_since_ns)
            if unheard_ns < SILENT_AFTER_NS:
                break
            if unheard_ns < probe.silent_after_ns:
                continue
            del self._speaking[probe.id]
            if not (probe.closed or probe.silence_reported):
                probe.silence_reported = True
                notices += self._about_charts(
                    probe, NoticeKind.FELL_SILENT, probe.sent_ns + probe.silent_after_ns
                )
        return notices

    def _longest_pause_ns(self) -> int:
        """Return for how long the past may be empty although the probes that speak in it are running."""
        beats = (probe.heartbeat_ns for probe in self._speaking.values() if not probe.closed)
        return scaled(SETTLE_NS, min(beats, default=0))

    def _check_silence(self, probe: TrackedProbe, now_ns: int, listening_since_ns: int) -> list[Notice]:
        """Return the notices about a probe that has been silent for long enough to be reported."""
        listened_ns = now_ns - listening_since_ns
        if not probe.quiet_beyond(SILENT_AFTER_NS, now_ns) or listened_ns < scaled(
            SETTLE_NS, probe.heartbeat_ns
        ):
            return []
        probe.silent = True
        if probe.silence_reported:
            return []
        probe.silence_reported = True
        probe.account.expect_announced(now_ns)
        notices = self._about_charts(probe, NoticeKind.FELL_SILENT, probe.sent_ns + probe.silent_after_ns)
        return notices + self._report_missing(probe, now_ns, 0)

    def _about_numbers(self, probe: TrackedProbe, posted: Posted, time_ns: int) -> list[Notice]:
        about = partial(Notice, subject=self._label_of(probe), probe=probe.id, time_ns=time_ns)
        return [
            *(
                about(kind=NoticeKind.DROPPED, detail=reason, count=count)
                for reason, count in posted.dropped.items()
            ),
            *(about(kind=NoticeKind.FOUND, span=span) for span in posted.found),
        ]

    def _about_charts(self, probe: TrackedProbe, kind: NoticeKind, time_ns: int) -> list[Notice]:
        charts = (self._charts[key] for key in probe.charts.values())
        return [self._about(kind, chart.id, time_ns, chart.number) for chart in charts if not chart.stopped]

    def _about(
        self, kind: NoticeKind, chart: ChartId, time_ns: int, count: int = 0, detail: str = ""
    ) -> Notice:
        about = partial(Notice, kind=kind, subject=self._labels.of(chart), count=count, detail=detail)
        known = self._charts.get(chart.key)
        parent = None if known is None else known.parent_key
        return about(chart=chart, parent=parent, probe=chart.probe, time_ns=time_ns)

    def _register_chart(
        self, probe: TrackedProbe, chart_id: ChartId, times: BatchTimes, parent: ChartRef | None
    ) -> list[Notice]:
        """Make the chart the most recently heard, under its current name; return a notice if it is new."""
        key = ChartKey(probe.id, chart_id.serial)
        chart = self._charts.pop(key, None)
        notices: list[Notice] = []
        if chart is None:
            while len(self._charts) >= MAX_CHARTS:
                self._forget_chart(next(iter(self._charts)))
            self._charts[key] = chart = Chart(chart_id, parent=parent)
            self._bytes += chart.bytes
            self._labels.add(chart_id)
            notices.append(self._about(NoticeKind.APPEARED, chart_id, times.first_of(chart_id.serial)))
        elif chart.id != chart_id:
            self._labels.remove(chart.id)
            self._labels.add(chart_id)
            self._bytes -= chart.bytes
            chart.id = chart_id
            self._bytes += chart.bytes
        self._charts[key] = chart
        probe.charts[chart_id.serial] = key
        return notices

    def _forget_probe(self, probe_id: str) -> None:
        left_open = self._left_open
        for key in list(self._probes[probe_id].charts.values()):
            self._forget_chart(key)
        probe = self._probes.pop(probe_id)
        self._left_open += left_open == self._left_open and not probe.closed
        probe.liveness.forget()
        self._probe_labels.remove(probe.service, probe.place)
        self._speaking.pop(probe_id, None)

    def _forget_chart(self, key: ChartKey) -> None:
        chart = self._charts.pop(key)
        self._bytes -= chart.bytes
        self._labels.remove(chart.id)
        del self._probes[key.probe].charts[key.serial]
        self.forgotten += 1
        self._left_open += not (chart.stopped or self._probes[key.probe].closed)

    def _report_missing(self, probe: TrackedProbe, now_ns: int, patience_ns: int) -> list[Notice]:
        """Return notices about gaps still open after ``patience_ns``, each gap once."""
        self._date_gaps(probe)
        return [
            Notice(
                kind=NoticeKind.MISSING,
                subject=self._label_of(probe),
                count=span.size,
                span=span,
                probe=probe.id,
                time_ns=probe.gap_ns(span.first),
            )
            for span in probe.account.report_gaps(now_ns, patience_ns=patience_ns)
        ]

    def _date_gaps(self, probe: TrackedProbe) -> None:
        """Record when new gaps appeared."""
        if not probe.account.missing:
            return
        last = probe.gaps[-1][0] if probe.gaps else -1
        probe.gaps += [(gap.first, probe.sent_ns) for gap in probe.account.gaps() if gap.first > last]
        del probe.gaps[:-MAX_GAPS_DATED]

    def _label_of(self, probe: TrackedProbe) -> str:
        return self._probe_labels.of(probe.id, probe.service, probe.place)

    def _why_unknown(self, probe: TrackedProbe) -> Why | None:
        if probe.closed:
            return None
        # While the past is still being read, a probe silent so far may be heard later in it.
        silent = probe.silence_reported or (probe.silent and self.at_end)
        return Why.SILENT if silent else probe.left

    def _status(self, chart: Chart) -> Status:
        probe = self._probes[chart.id.probe]
        if chart.stopped:
            return word_for(chart.condition)
        if probe.closed:
            return "closed"
        return "silent" if probe.silent else word_for(chart.condition)

    def _is_alive(self, chart: Chart) -> bool:
        probe = self._probes[chart.id.probe]
        return not (chart.stopped or probe.closed or probe.silent)

    def _parent(self, chart: Chart) -> tuple[ChartKey | None, str]:
        """Return the chart that created another one, and its label if it is known."""
        key = chart.parent_key
        known = None if key is None else self._charts.get(key)
        return key, self._labels.of(known.id) if known else ""

    def _began_ns(self, chart: Chart) -> int:
        return self._probes[chart.id.probe].started_ns

    def _view(self, chart: Chart) -> ChartView:
        probe = self._probes[chart.id.probe]
        offset_ns = self._clocks.offset_ns(probe.id) if self._clocks else None
        parent, parent_label = self._parent(chart)
        return ChartView(
            id=chart.id,
            name=chart.id.name,
            host=chart.id.host,
            pid=chart.id.pid,
            label=self._labels.of(chart.id),
            state=chart.state,
            status=self._status(chart),
            steps=chart.steps,
            # A chart skips numbers while it is not broadcast: only what its probe lost counts as lost.
            lost=min(chart.lost, probe.account.lost),
            last_number=chart.number,
            last_ns=chart.last_ns,
            structure=chart.structure,
            ended_ns=probe.liveness.ended_ns(chart.id.serial),
            clock_offset_s=None if offset_ns is None else offset_ns / NANOSECONDS,
            unknown=None if chart.stopped else self._why_unknown(probe),
            states=chart.states,
            values=tuple(chart.values.items()),
            parent=parent,
            parent_label=parent_label,
            condition=chart.condition,
        )
