"""A probe's registry of its charts, from which any batch can introduce them."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from farscope.probe.log_facts import with_logs_from
from farscope.records.configuration import Configuration, leaves_of
from farscope.records.sink import NO_LOGS
from farscope.records.step import CHART, MAX_VALUES, TEXTS, VALUES, ChartId, ChartRef, RawStep, Value
from farscope.records.structure import AnyChartStatus, ChartStatus, ChartStructure
from farscope.wire.batch import ChartEntry

STOPPED_KEPT = 256
"""Stopped charts that a probe still introduces to late joiners; beyond this, the first is forgotten."""
UNSENT_KEPT = 4_096
"""Stops waiting to be sent, as while the log is unreachable; beyond this, the oldest is never sent."""
CHANGES_KEPT = 100_000
"""Starts and stops the pump has not processed yet, for example while a log hangs. Beyond this, the oldest are
forgotten: such a chart is known only by its steps, without its structure."""


class _Change(NamedTuple):
    """A change reported for a chart."""

    serial: int
    name: str
    structure: ChartStructure | None = None
    states: tuple[str, ...] = ()
    number: int = 0
    stopped_at: int | None = None
    status: AnyChartStatus = ChartStatus.RUNNING
    parent: ChartRef | None = None
    log_level: int = NO_LOGS


@dataclass(slots=True)
class _Known:
    name: str
    structure: ChartStructure | None = None
    states: tuple[str, ...] = ()
    number: int = 0
    stopped_at: int | None = None
    status: AnyChartStatus = ChartStatus.RUNNING
    parent: ChartRef | None = None
    values: dict[str, Value] = field(default_factory=dict)
    log_level: int = NO_LOGS
    """The lowest level of the log records that are sent; its steps may have more, for another probe."""
    dormant: bool = False
    """Known from before a fork, with no sign of life in this process yet."""


class ChartDirectory:
    """The charts of one probe by serial.

    ``announce`` and ``stopped`` may be called from any thread, and from a finaliser that interrupts any other
    method: they only append to a queue, which is atomic. All other methods belong to the pump's thread.
    """

    def __init__(self) -> None:
        self._pending: deque[_Change] = deque(maxlen=CHANGES_KEPT)
        self._known: dict[int, _Known] = {}
        self._changed: set[int] = set()
        self._forgettable: OrderedDict[int, None] = OrderedDict()
        """Charts to be forgotten eventually, oldest first: stopped, or never announced."""

    def reset(self) -> None:
        """Keep all known charts, but announce each only after it shows a sign of life; for a forked child."""
        self.apply_changes()
        self._changed = set()
        for known in self._known.values():
            known.dormant = True

    def announce(
        self,
        chart: ChartId,
        structure: ChartStructure,
        state: Configuration,
        number: int,
        parent: ChartRef | None = None,
        *,
        log_level: int = NO_LOGS,
    ) -> None:
        """Record what a chart announces, see ``Sink.announce``, and mark it as alive (again).

        ``log_level`` is the lowest level of the log records that are sent with its steps.
        """
        states = leaves_of(state) if state else ()
        change = _Change(
            chart.serial, chart.name, structure, states, number, parent=parent, log_level=log_level
        )
        self._pending.append(change)

    def stopped(self, chart: ChartId, next_number: int, status: AnyChartStatus = ChartStatus.STOPPED) -> None:
        """Record that a chart ended, and how, when the probe's next number was ``next_number``."""
        self._pending.append(_Change(chart.serial, chart.name, stopped_at=next_number, status=status))

    def apply_changes(self) -> None:
        """Apply queued changes; each stays queued until fully applied, since a fork may happen any time."""
        pending = self._pending
        while pending:
            self._apply(pending[0])
            pending.popleft()

    def _apply(self, change: _Change) -> None:
        serial = change.serial
        known = self._known.setdefault(serial, _Known(change.name))
        known.name = change.name
        known.dormant = False
        known.stopped_at, known.status = change.stopped_at, change.status
        self._changed.add(serial)
        self._forgettable.pop(serial, None)
        if change.stopped_at is not None:
            self._make_forgettable(serial)
            return
        known.structure, known.parent = change.structure, change.parent
        known.log_level = change.log_level
        if change.number >= known.number:
            known.states, known.number = change.states, change.number

    def _make_forgettable(self, serial: int) -> None:
        """Queue a chart to be forgotten."""
        self._forgettable[serial] = None
        self._trim()

    def _trim(self) -> None:
        while len(self._forgettable) > STOPPED_KEPT:
            first = next(iter(self._forgettable))
            if first in self._changed and len(self._forgettable) <= UNSENT_KEPT:
                return
            self._forget(first)

    def _forget(self, serial: int) -> None:
        self._forgettable.pop(serial, None)
        self._known.pop(serial, None)
        self._changed.discard(serial)

    def note_steps(self, steps: Collection[RawStep]) -> set[int]:
        """Update states and step numbers from ``steps``; return the serials of their charts."""
        self.apply_changes()
        last = {step[CHART].serial: step for step in steps}
        for serial, (chart, number, shape, *_) in last.items():
            known = self._known.get(serial)
            if known is None:
                known = self._known[serial] = _Known(chart.name)
                self._make_forgettable(serial)
            if known.dormant:
                known.dormant = False
                self._changed.add(serial)
            known.name = chart.name
            if number >= known.number:
                known.states, known.number = shape.end_states, number
        return set(last)

    def keep_changed_values(self, steps: list[RawStep]) -> None:
        """Reduce the values of steps, in place, to those that differ from the chart's values before.

        Charts leave all their values with each step: if steps are dropped, the next ones still say what is.
        Every step that is sent must be passed here once, in order.
        """
        for place, step in enumerate(steps):
            if step[VALUES]:
                values = self._known_of(step[CHART]).values
                changed = tuple([pair for pair in step[VALUES] if _differs(pair, values)])
                values.update(changed)
                while len(values) > MAX_VALUES:
                    del values[next(iter(values))]
                if len(changed) < len(step[VALUES]):
                    steps[place] = (*step[:VALUES], changed)

    def keep_wanted_logs(self, steps: list[RawStep]) -> None:
        """Remove, in place, the log records that other probes want of a chart, but this one does not."""
        for place, step in enumerate(steps):
            if step[TEXTS]:
                steps[place] = with_logs_from(step, self._known_of(step[CHART]).log_level)

    def _known_of(self, chart: ChartId) -> _Known:
        self.apply_changes()
        known = self._known.get(chart.serial)
        if known is None:
            known = self._known[chart.serial] = _Known(chart.name)
            self._make_forgettable(chart.serial)
        return known

    def short_entries(self, serials: Iterable[int], head: int) -> list[ChartEntry]:
        """Return short entries, without structures, for the given charts."""
        return [self._entry(serial, head)._replace(structure=None) for serial in sorted(serials)]

    def all_entries(self, head: int) -> list[ChartEntry]:
        """Return an entry with structure for every live chart; this includes all pending changes."""
        self.apply_changes()
        entries = [self._entry(serial, head) for serial in sorted(self._known) if self._is_active(serial)]
        self._mark_sent([serial for serial in self._changed if self._ready(serial, head)])
        return entries

    def changes(self, head: int) -> list[ChartEntry]:
        """Return entries of charts announced or stopped since the last call.

        All steps with numbers below ``head`` were sent: a stop is held back until the chart's last step was.
        """
        self.apply_changes()
        ready = sorted(serial for serial in self._changed if self._ready(serial, head))
        entries = [self._entry(serial, head) for serial in ready]
        self._mark_sent(ready)
        return entries

    def _mark_sent(self, serials: Iterable[int]) -> None:
        self._changed.difference_update(serials)
        self._trim()

    def has_changes(self) -> bool:
        """Whether there are changes not yet returned by ``changes``."""
        return bool(self._pending or self._changed)

    def _is_active(self, serial: int) -> bool:
        return not self._known[serial].dormant

    def _ready(self, serial: int, head: int) -> bool:
        stopped_at = self._known[serial].stopped_at
        return stopped_at is None or stopped_at <= head

    def _entry(self, serial: int, head: int) -> ChartEntry:
        known = self._known.get(serial) or _Known("")
        stopped = known.stopped_at is not None and known.stopped_at <= head
        status = known.status if stopped else ChartStatus.RUNNING
        values = tuple(known.values.items())
        return ChartEntry(
            serial, known.name, known.states, known.number, status, known.structure, known.parent, values
        )


def _differs(pair: tuple[str, Value], values: dict[str, Value]) -> bool:
    name, value = pair
    known = values.get(name)
    # 1, 1.0 and True are equal, and shown differently; what is not a number does not equal itself.
    if known.__class__ is not value.__class__:
        return True
    return known != value and (known == known or value == value)  # noqa: PLR0124 - not a number
