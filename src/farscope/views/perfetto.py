"""Steps as a trace for the Perfetto UI and chrome://tracing, in the Trace Event Format."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from farscope.records.step import NANOSECONDS, Cause, ChartId, Step
from farscope.records.structure import ChartStructure
from farscope.views.json_text import json_text
from farscope.views.labels import visible
from farscope.views.perfetto_tracks import Event, Track, Tracks
from farscope.views.step_facts import logs_of, plain_values, transitions_of
from farscope.views.timestamps import Clock, by_one_clock, own_clock, utc_text

MAX_REMEMBERED_STEPS = 100_000
"""Number of steps kept as possible causes of later ones; older causes get no arrow, to bound memory use."""

_DAY_NS = 86_400 * NANOSECONDS

NO_STRUCTURES: Mapping[ChartId, ChartStructure | None] = {}


def perfetto_trace(
    steps: Iterable[Step],
    structures: Mapping[ChartId, ChartStructure | None] = NO_STRUCTURES,
    clock: Clock = own_clock,
    resolved: Callable[[Step], Step] = lambda step: step,
) -> Iterator[str]:
    """Yield the pieces of one JSON document, with one track per chart and one slice per step.

    The document also has a slice for each state from its entry to its exit, nested like the states, on a
    track for each region; the queue and every numeric value as counters; and an arrow from each step to the
    steps whose events it posted. Arrows that rest on a token are called ``claimed``. ``resolved`` returns a
    step with its cause, if that became known later.

    Times are microseconds since the base time in ``otherData``, so that a float has nanosecond precision.
    Slices of a chart are kept a nanosecond apart, because readers truncate, and never overlap, even if the
    chart's clock was set back. If ``clock`` shows that a machine's clock is off by more than a second, slices
    have corrected times; ``args`` contains the times of the chart's own clock. ``structures`` gives the
    nesting of states; for a chart without a structure, only the resting state is shown.
    """
    remaining = iter(steps)
    first = next(remaining, None)
    first_ns = _DAY_NS if first is None else by_one_clock(first, clock).time_ns
    base_ns = first_ns - first_ns % _DAY_NS - _DAY_NS
    other = {"producer": "farscope", "base_time": utc_text(base_ns), "base_time_ns": str(base_ns)}
    yield f'{{"displayTimeUnit":"ns","otherData":{json_text(other)},"traceEvents":['
    separator = "\n"
    if first is not None:
        for event in _Trace(base_ns, structures, clock, resolved).events(chain([first], remaining)):
            yield f"{separator}{json_text(event)}"
            separator = ",\n"
    yield "\n]}\n"


class _Trace:
    """Converts steps to trace events one by one."""

    def __init__(
        self,
        base_ns: int,
        structures: Mapping[ChartId, ChartStructure | None],
        clock: Clock,
        resolved: Callable[[Step], Step],
    ) -> None:
        self._base_ns = base_ns
        self._clock = clock
        self._tracks = Tracks(structures)
        self._arrows = _Arrows(resolved)

    def events(self, steps: Iterable[Step]) -> Iterator[Event]:
        for step in steps:
            track, introduction = self._tracks.of(step.chart)
            yield from introduction
            time_ns = by_one_clock(step, self._clock).time_ns
            begin = max(time_ns - self._base_ns, track.end + 1)
            end = begin + max(step.duration_ns, 1)
            track.end = end
            yield track.place(_slice(step, end - begin), begin)
            yield from track.change(step, begin, end)
            depths = {"queued": step.queued, "deferred": step.deferred}
            yield track.place({"ph": "C", "name": f"queue of {track.label}", "args": depths}, end)
            yield from track.values(step, end)
            yield from self._arrows.through(step, track, begin)
        yield from self._arrows.known_late()
        for track in self._tracks:
            yield from track.close()


def _slice(step: Step, duration: int) -> Event:
    shape = step.shape
    more = {
        "transitions": [f"{each.source} -> {each.target}" for each in transitions_of(step)],
        "values": plain_values(step.values),
        "log": [f"{record.level} {record.logger}: {record.message}" for record in logs_of(step)],
    }
    return {
        "ph": "X",
        "cat": shape.kind.name.lower(),
        "name": visible(shape.signal),
        "dur": duration / 1000,
        "args": {
            "start": shape.start,
            "end": shape.end,
            "number": step.number,
            "time_ns": str(step.time_ns),
            "duration_ns": step.duration_ns,
            "waited_ns": step.waited_ns,
            "spy": step.spy(),
            **{name: thing for name, thing in more.items() if thing},
        },
    }


_StepKey = tuple[str, int, int, int]


class _Place(NamedTuple):
    track: Track
    at: int


class _Target(NamedTuple):
    """The end of an arrow."""

    place: _Place
    claimed: bool


class _Arrows:
    """Draws an arrow once both its ends are known, whichever of the two steps comes first."""

    def __init__(self, resolved: Callable[[Step], Step]) -> None:
        self._resolved = resolved
        self._places: OrderedDict[_StepKey, _Place] = OrderedDict()
        self._waiting: OrderedDict[_StepKey, list[_Target]] = OrderedDict()
        self._processes: OrderedDict[str, tuple[str, int]] = OrderedDict()
        """Host and process of each probe."""
        self._unknown: deque[tuple[Step, _Place]] = deque(maxlen=MAX_REMEMBERED_STEPS)
        """Steps with a token whose step is not known yet."""
        self._drawn = 0

    def through(self, step: Step, track: Track, begin: int) -> Iterator[Event]:
        chart = step.chart
        key = (chart.host, chart.pid, chart.serial, step.number)
        place = _Place(track, begin)
        elsewhere = (chart.probe, 0, chart.serial, step.number)
        for target in (*self._waiting.pop(key, ()), *self._waiting.pop(elsewhere, ())):
            yield from self._arrow(place, target)
        self._places[key] = place
        self._processes[chart.probe] = (chart.host, chart.pid)
        for known in (self._places, self._processes):
            if len(known) > MAX_REMEMBERED_STEPS:
                known.popitem(last=False)
        cause = step.cause
        if cause is not None and cause.serial:
            yield from self._lead_to(step, cause, place)
        elif cause is not None:
            self._unknown.append((step, place))

    def known_late(self) -> Iterator[Event]:
        """Draw the arrows of steps whose cause became known after they were drawn."""
        for step, place in self._unknown:
            cause = self._resolved(step).cause
            if cause is not None and cause.serial:
                yield from self._lead_to(step, cause, place)

    def _lead_to(self, step: Step, cause: Cause, place: _Place) -> Iterator[Event]:
        process = self._processes.get(cause.probe) if cause.probe else (step.chart.host, step.chart.pid)
        key = (*(process or (cause.probe, 0)), cause.serial, cause.number)
        target = _Target(place, cause.claimed)
        source = self._places.get(key)
        if source is not None:
            yield from self._arrow(source, target)
            return
        self._waiting.setdefault(key, []).append(target)
        if len(self._waiting) > MAX_REMEMBERED_STEPS:
            self._waiting.popitem(last=False)

    def _arrow(self, source: _Place, target: _Target) -> Iterator[Event]:
        """A flow does not fork, so each arrow is a flow of its own."""
        self._drawn += 1
        name = "claimed" if target.claimed else "posted"
        for phase, (track, at) in (("s", source), ("f", target.place)):
            event: Event = {"ph": phase, "cat": "cause", "name": name, "id": self._drawn}
            if phase == "f":
                event["bp"] = "e"
            yield track.place(event, at)
