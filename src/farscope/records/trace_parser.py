"""Parses trace lines into steps: the inverse of ``Step.trace``, for saved or piped text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from sys import getsizeof

from farscope.records.configuration import leaves_in
from farscope.records.shape import Shape, StepKind
from farscope.records.step import NANOSECONDS, ChartId, Step
from farscope.records.text import without_remarks

MAX_LINE_CHARACTERS = 20_000
"""Longer lines are skipped: no real names come near this length, and splitting would be too slow."""

MAX_KNOWN_CHARTS = 10_000
"""Maximum number of charts whose last state is remembered; lines of others are parsed by their text alone."""

MAX_KNOWN_BYTES = 16 << 20
"""Maximum bytes of their names and states; lines of further charts are parsed by their text alone."""

_STAMP = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(\d{6})\] \[")
_STARTED = "] e->start_at() top->"


def parse_trace(lines: Iterable[str]) -> Iterator[Step]:
    """Yield a step for each trace line among ``lines``; other lines are skipped.

    The steps contain what a trace line contains: chart name, signal, start, end and time. Charts are
    identified by name, so two charts with one name are merged. Names may contain spaces, brackets and arrows:
    if a line can be split in several ways, the chart's last known state decides. The duration is taken from
    the remarks that ``watch`` appends to a line.
    """
    reader = TraceReader()
    for line in lines:
        bare, took_ns = without_remarks(line.removesuffix("\n").removesuffix("\r"))
        step = reader.read(bare)
        if step is not None:
            yield step._replace(time_ns=step.time_ns - took_ns, duration_ns=took_ns)


class TraceReader:
    """A parser that remembers each chart's state, to distinguish ``a->b`` + ``c`` from ``a`` + ``b->c``."""

    def __init__(self) -> None:
        self._charts: dict[str, ChartId] = {}
        self._numbers: dict[str, int] = {}
        self._resting: dict[str, str] = {}
        self._bytes = 0

    def read(self, line: str) -> Step | None:
        """Return the step of a trace line; None if the line is not one."""
        line = line.removesuffix("\n").removesuffix("\r")
        if len(line) > MAX_LINE_CHARACTERS:
            return None
        stamp = _STAMP.search(line)
        if stamp is None:
            return None
        time_ns = _nanoseconds(stamp[1], stamp[2])
        parts = self._split(line[stamp.end() :])
        if time_ns is None or parts is None:
            return None
        name, signal, start, end = parts
        kind = StepKind.START if (signal, start) == ("start_at", "top") else StepKind.TRANSITION
        chart = self._charts.get(name) or ChartId(name, "", 0, len(self._charts) + 1)
        number = self._numbers.get(name, 0) + 1
        if name not in self._charts:
            self._bytes += 2 * getsizeof(name) + getsizeof(end) + 500
        else:
            self._bytes += getsizeof(end) - getsizeof(self._resting[name])
        if name in self._charts or (len(self._charts) < MAX_KNOWN_CHARTS and self._bytes < MAX_KNOWN_BYTES):
            self._charts[name] = chart
            self._numbers[name] = number
            self._resting[name] = end
        return Step(
            chart, number, Shape(kind, signal, leaves_in(start), leaves_in(end), ()), time_ns, 0, 0, 0
        )

    def _split(self, text: str) -> tuple[str, str, str, str] | None:
        name, found, end = text.partition(_STARTED)
        if found:
            return name, "start_at", "top", end
        name = self._name_in(text)
        rest = text[len(name) + len("] e->") :]
        if not text.startswith(f"{name}] e->"):
            return None
        resting = self._resting.get(name)
        if resting is not None:
            signal, found, end = rest.partition(f"() {resting}->")
            if found:
                return name, signal, resting, end
        signal, called, states = rest.partition("() ")
        start, arrow, end = states.partition("->")
        return (name, signal, start, end) if called and arrow else None

    def _name_in(self, text: str) -> str:
        """Return the longest known name that matches, else everything up to the first ``] e->``."""
        place = text.find("] e->")
        first = text[: max(place, 0)]
        best = first
        while place >= 0:
            if text[:place] in self._charts:
                best = text[:place]
            place = text.find("] e->", place + 1)
        return best


def _nanoseconds(second: str, microseconds: str) -> int | None:
    try:
        moment = datetime.strptime(second, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the trace's text is in local time
        return int(moment.timestamp()) * NANOSECONDS + int(microseconds) * 1000
    except (ValueError, OverflowError, OSError):
        return None
