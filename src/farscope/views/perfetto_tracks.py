"""Numbers and names of a trace's processes and tracks, and the open states on each track."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from farscope.records.facts import FactKind
from farscope.records.shape import StepKind
from farscope.records.step import ChartId, Step
from farscope.records.structure import ChartStructure
from farscope.views.labels import visible
from farscope.views.statechart.model import Statechart

FIRST_MADE_UP_PID = 1 << 22
"""Linux gives no process a number from here on: these stand for processes of other hosts and for text."""

Event = dict[str, Any]


class Track:
    """A chart's track. All times are nanoseconds since the trace's base."""

    def __init__(self, pid: int, tid: int, label: str, structure: ChartStructure | None) -> None:
        self.pid = pid
        self.tid = tid
        self.label = label
        self.end = -1
        """Where the last slice ends."""
        self._open: list[str] = []
        self._tree = Statechart()
        if structure is not None:
            self._tree.add_structure(structure)

    def place(self, event: Event, at: int) -> Event:
        """Put an event on this track at a time, which the format wants in microseconds."""
        event["pid"] = self.pid
        event["tid"] = self.tid
        event["ts"] = at / 1000
        return event

    def change(self, step: Step, begin: int, end: int) -> Iterator[Event]:
        """Yield the ends of states a step left, at its begin; the begins of those it entered, at its end."""
        shape = step.shape
        if shape.kind is StepKind.START:
            yield from self._leave(0, begin)
        elif not self._open or self._open[-1] != shape.start:
            yield from self._rest_in(self._tree.path(shape.start), begin)
        if not shape.traced and shape.end in self._open[-1:]:
            return
        path = self._tree.path(shape.end)
        exits = sum(fact.kind is FactKind.EXIT for fact in shape.facts)
        if exits == 0 and shape.start == shape.end and not shape.facts:
            exits = 1
        stay = max(0, min(len(self._open) - exits, self._common(path)))
        yield from self._leave(stay, begin)
        yield from self._enter(path[stay:], end)

    def _rest_in(self, path: tuple[str, ...], at: int) -> Iterator[Event]:
        """Catch up with a chart whose steps between were not seen."""
        stay = self._common(path)
        yield from self._leave(stay, at)
        yield from self._enter(path[stay:], at)

    def close(self) -> Iterator[Event]:
        """Yield the ends of all states still open, where the last slice ended."""
        yield from self._leave(0, max(self.end, 0))

    def _common(self, path: tuple[str, ...]) -> int:
        common = 0
        for open_state, state in zip(self._open, path, strict=False):
            if open_state != state:
                break
            common += 1
        return common

    def _enter(self, states: tuple[str, ...], at: int) -> Iterator[Event]:
        for state in states:
            self._open.append(state)
            yield self._state_event("b", state, at)

    def _leave(self, stay: int, at: int) -> Iterator[Event]:
        while len(self._open) > stay:
            yield self._state_event("e", self._open.pop(), at)

    def _state_event(self, phase: str, state: str, at: int) -> Event:
        return self.place({"ph": phase, "cat": "state", "id": f"0x{self.tid:x}", "name": visible(state)}, at)


class Tracks:
    """Gives every process and chart its number, once."""

    def __init__(self, structures: Mapping[ChartId, ChartStructure | None]) -> None:
        self._structures = structures
        self._tracks: dict[ChartId, Track] = {}
        self._pids: dict[tuple[str, int, str], int] = {}
        self._labels: set[tuple[int, str]] = set()

    def __iter__(self) -> Iterator[Track]:
        return iter(self._tracks.values())

    def of(self, chart: ChartId) -> tuple[Track, list[Event]]:
        """Return the chart's track, with the events that introduce it when it is new."""
        track = self._tracks.get(chart)
        if track is not None:
            return track, []
        events = []
        process = (chart.host, chart.pid, chart.probe)
        pid = self._pids.get(process)
        if pid is None:
            pid = self._pids[process] = self._free_pid(chart.pid)
            place = f"{chart.host}:{chart.pid}"
            name = f"{chart.service} ({place})" if chart.service else place
            events.append(_metadata("process_name", pid, 0, name=visible(name)))
            events.append(_metadata("process_sort_index", pid, 0, sort_index=len(self._pids)))
        tid = len(self._tracks) + 1
        label = visible(chart.name)
        if (pid, label) in self._labels:
            label = f"{label} #{tid}"
        self._labels.add((pid, label))
        track = self._tracks[chart] = Track(pid, tid, label, self._structures.get(chart))
        events.append(_metadata("thread_name", pid, tid, name=label))
        events.append(_metadata("thread_sort_index", pid, tid, sort_index=tid))
        return track, events

    def _free_pid(self, wanted: int) -> int:
        taken = set(self._pids.values())
        if 0 < wanted < FIRST_MADE_UP_PID and wanted not in taken:
            return wanted
        return FIRST_MADE_UP_PID + len(taken)


def _metadata(name: str, pid: int, tid: int, /, **args: str | int) -> Event:
    return {"ph": "M", "name": name, "pid": pid, "tid": tid, "args": args}
