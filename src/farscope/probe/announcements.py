"""What a probe knows of its charts, so that any batch can introduce them."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from farscope.records.step import ChartId, RawStep
from farscope.records.structure import ChartStructure
from farscope.wire.batch import ChartEntry

STOPPED_KEPT = 256
"""Stopped charts a probe goes on introducing to late joiners; beyond, it forgets the one stopped first."""
UNSAID_KEPT = 4_096
"""Stopped charts whose stop waits to be sent, as while the log is away; beyond, the first never is."""
NEWS_KEPT = 100_000
"""Starts and stops that the pump has not seen, as while a log hangs; beyond, the first are forgotten: such a
chart is known by its steps alone, without its structure."""


class _News(NamedTuple):
    """Something that became known of a chart."""

    serial: int
    name: str
    structure: ChartStructure | None = None
    state: str = ""
    number: int = 0
    stopped_at: int | None = None


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
    """The charts of one probe by serial.

    ``announce`` and ``stopped`` may be called from anywhere, a finaliser in the middle of any other method
    included: they add to a queue, which is atomic. All else belongs to the pump's thread.
    """

    def __init__(self) -> None:
        self._news: deque[_News] = deque(maxlen=NEWS_KEPT)
        self._known: dict[int, _Known] = {}
        self._changed: set[int] = set()
        self._passing: OrderedDict[int, None] = OrderedDict()
        """Charts that are forgotten in the end, first those that come first: stopped, or never announced."""

    def reset(self) -> None:
        """Keep what is known of the charts but announce none before it shows life; for a forked child."""
        self.hear()
        self._changed = set()
        for known in self._known.values():
            known.dormant = True

    def announce(self, chart: ChartId, structure: ChartStructure, state: str, number: int) -> None:
        """Take a chart's structure, present state and last step number; it lives (again)."""
        self._news.append(_News(chart.serial, chart.name, structure, state, number))

    def stopped(self, chart: ChartId, next_number: int) -> None:
        """Take note that a chart was stopped when the probe's next number was ``next_number``."""
        self._news.append(_News(chart.serial, chart.name, stopped_at=next_number))

    def hear(self) -> None:
        """Enter what is new; it stays new until it is entered whole, since a fork may come at any moment."""
        news = self._news
        while news:
            self._enter(news[0])
            news.popleft()

    def _enter(self, news: _News) -> None:
        serial = news.serial
        known = self._known.setdefault(serial, _Known(news.name))
        known.name = news.name
        known.dormant = False
        known.stopped_at = news.stopped_at
        self._changed.add(serial)
        self._passing.pop(serial, None)
        if news.stopped_at is not None:
            self._pass(serial)
            return
        known.structure = news.structure
        if news.number >= known.number:
            known.state, known.number = news.state, news.number

    def _pass(self, serial: int) -> None:
        """Let a chart be forgotten when its turn comes."""
        self._passing[serial] = None
        self._trim()

    def _trim(self) -> None:
        while len(self._passing) > STOPPED_KEPT:
            first = next(iter(self._passing))
            if first in self._changed and len(self._passing) <= UNSAID_KEPT:
                return
            self._forget(first)

    def _forget(self, serial: int) -> None:
        self._passing.pop(serial, None)
        self._known.pop(serial, None)
        self._changed.discard(serial)

    def follow(self, steps: Iterable[RawStep]) -> set[int]:
        """Bring states and numbers up to the last of ``steps``; return the serials of their charts."""
        self.hear()
        last = {step[0][3]: step for step in steps}
        for serial, (chart, number, shape, *_) in last.items():
            known = self._known.get(serial)
            if known is None:
                known = self._known[serial] = _Known(chart.name)
                self._pass(serial)
            if known.dormant:
                known.dormant = False
                self._changed.add(serial)
            known.name = chart.name
            if number >= known.number:
                known.state, known.number = shape.end, number
        return set(last)

    def mentioned(self, serials: Iterable[int], head: int) -> list[ChartEntry]:
        """Return short entries, without structures, of the charts given."""
        return [self._entry(serial, head)._replace(structure=None) for serial in sorted(serials)]

    def everything(self, head: int) -> list[ChartEntry]:
        """Return an entry, with its structure, of every chart that shows life; all changes are in them."""
        self.hear()
        entries = [self._entry(serial, head) for serial in sorted(self._known) if self._lives(serial)]
        self._said([serial for serial in self._changed if self._ready(serial, head)])
        return entries

    def changes(self, head: int) -> list[ChartEntry]:
        """Return entries of charts announced or stopped since these were last asked for.

        ``head`` is the number below which every step was sent: a stop waits for the chart's last step.
        """
        self.hear()
        ready = sorted(serial for serial in self._changed if self._ready(serial, head))
        entries = [self._entry(serial, head) for serial in ready]
        self._said(ready)
        return entries

    def _said(self, serials: Iterable[int]) -> None:
        self._changed.difference_update(serials)
        self._trim()

    def has_changes(self) -> bool:
        """Whether there are changes nobody asked for yet."""
        return bool(self._news or self._changed)

    def _lives(self, serial: int) -> bool:
        return not self._known[serial].dormant

    def _ready(self, serial: int, head: int) -> bool:
        stopped_at = self._known[serial].stopped_at
        return stopped_at is None or stopped_at <= head

    def _entry(self, serial: int, head: int) -> ChartEntry:
        known = self._known.get(serial) or _Known("")
        stopped = known.stopped_at is not None and known.stopped_at <= head
        return ChartEntry(serial, known.name, known.state, known.number, stopped, known.structure)
