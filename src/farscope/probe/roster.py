"""What a probe knows of its charts, so that any batch can introduce them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from threading import RLock

from farscope.records.step import ChartId, RawStep
from farscope.records.structure import ChartStructure
from farscope.wire.batch import ChartEntry

STOPPED_KEPT = 256
"""Stopped charts a probe goes on telling late joiners about; beyond, it forgets the one stopped first."""


@dataclass(slots=True)
class _Known:
    name: str
    structure: ChartStructure | None = None
    state: str = ""
    number: int = 0
    stopped_at: int | None = None
    dormant: bool = False
    """Known from before a fork, and not seen to live in this process."""


class Roster:
    """The charts of one probe by serial; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._known: dict[int, _Known] = {}
        self._changed: set[int] = set()
        self._stopped: OrderedDict[int, None] = OrderedDict()

    def reset(self) -> None:
        """Keep what is known of the charts but announce none before it shows life; for a forked child."""
        self._lock = RLock()
        self._changed = set()
        for known in self._known.values():
            known.dormant = True

    def announce(self, chart: ChartId, structure: ChartStructure, state: str, number: int) -> None:
        """Take a chart's structure, present state and last step number; it lives (again)."""
        with self._lock:
            known = self._known.setdefault(chart.serial, _Known(chart.name))
            known.name = chart.name
            known.structure = structure
            known.dormant = False
            known.stopped_at = None
            self._stopped.pop(chart.serial, None)
            if number >= known.number:
                known.state, known.number = state, number
            self._changed.add(chart.serial)

    def stopped(self, chart: ChartId, next_number: int) -> None:
        """Take note that a chart was stopped when the probe's next number was ``next_number``."""
        with self._lock:
            known = self._known.setdefault(chart.serial, _Known(chart.name))
            known.stopped_at = next_number
            known.dormant = False
            self._changed.add(chart.serial)
            self._stopped[chart.serial] = None
            while len(self._stopped) > STOPPED_KEPT:
                oldest, _ = self._stopped.popitem(last=False)
                self._known.pop(oldest, None)
                self._changed.discard(oldest)

    def follow(self, steps: Iterable[RawStep]) -> set[int]:
        """Bring states and numbers up to the last of ``steps``; return the serials of their charts."""
        last = {step[0][3]: step for step in steps}
        with self._lock:
            for serial, (chart, number, shape, *_) in last.items():
                known = self._known.setdefault(serial, _Known(chart.name))
                if known.dormant:
                    known.dormant = False
                    self._changed.add(serial)
                known.name = chart.name
                if number >= known.number:
                    known.state, known.number = shape.end, number
        return set(last)

    def mentioned(self, serials: Iterable[int], head: int) -> list[ChartEntry]:
        """Return short entries, without structures, of the charts given."""
        with self._lock:
            return [self._entry(serial, head)._replace(structure=None) for serial in sorted(serials)]

    def everything(self, head: int) -> list[ChartEntry]:
        """Return an entry, with its structure, of every chart that shows life; all changes are in them."""
        with self._lock:
            self._changed = {serial for serial in self._changed if not self._ready(serial, head)}
            return [self._entry(serial, head) for serial in sorted(self._known) if self._lives(serial)]

    def changes(self, head: int) -> list[ChartEntry]:
        """Return entries of charts announced or stopped since these were last asked for.

        ``head`` is the number below which every step was sent: a stop waits for the chart's last step.
        """
        with self._lock:
            ready = {serial for serial in self._changed if self._ready(serial, head)}
            self._changed -= ready
            return [self._entry(serial, head) for serial in sorted(ready)]

    def has_changes(self) -> bool:
        """Whether there are changes nobody asked for yet."""
        return bool(self._changed)

    def _lives(self, serial: int) -> bool:
        return not self._known[serial].dormant

    def _ready(self, serial: int, head: int) -> bool:
        stopped_at = self._known[serial].stopped_at
        return stopped_at is None or stopped_at <= head

    def _entry(self, serial: int, head: int) -> ChartEntry:
        known = self._known.get(serial) or _Known("")
        stopped = known.stopped_at is not None and known.stopped_at <= head
        return ChartEntry(serial, known.name, known.state, known.number, stopped, known.structure)
