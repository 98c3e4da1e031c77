"""Numbers and names of a trace's processes and tracks, and the open states on each track."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from farscope.records.step import ChartId, Step
from farscope.records.structure import ChartStructure
from farscope.views.labels import visible
from farscope.views.perfetto_states import OpenStates, StateChange
from farscope.views.step_facts import plain_values

FIRST_MADE_UP_PID = 1 << 22
"""Linux gives no process a number from here on: these stand for processes of other hosts and for text."""

PART_BITS: Final = 32
"""Bits of the number of a track in the identity of its states; the number of the region is above them."""

Event = dict[str, Any]


class Track:
    """A chart's track. All times are nanoseconds since the trace's base."""

    def __init__(self, pid: int, tid: int, label: str, structure: ChartStructure | None) -> None:
        self.pid = pid
        self.tid = tid
        self.label = label
        self.end = -1
        """Where the last slice ends."""
        self._states = OpenStates(structure)

    def place(self, event: Event, at: int) -> Event:
        """Put an event on this track at a time, which the format wants in microseconds."""
        event["pid"] = self.pid
        event["tid"] = self.tid
        event["ts"] = at / 1000
        return event

    def change(self, step: Step, begin: int, end: int) -> Iterator[Event]:
        """Yield the ends of states a step left, at its begin; the begins of those it entered, at its end."""
        yield from map(self._state_event, self._states.change(step.shape, begin, end))

    def values(self, step: Step, at: int) -> Iterator[Event]:
        """Yield a counter for each number that a step changed."""
        for name, value in plain_values(step.values).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                counter = f"{visible(name)} of {self.label}"
                yield self.place({"ph": "C", "name": counter, "args": {"value": value}}, at)

    def close(self) -> Iterator[Event]:
        """Yield the ends of all states still open, where the last slice ended."""
        yield from map(self._state_event, self._states.close(max(self.end, 0)))

    def _state_event(self, change: StateChange) -> Event:
        region = f"region {visible(self._states.regions.names[change.part - 1])}" if change.part else "state"
        identity = f"0x{change.part << PART_BITS | self.tid:x}"
        event = {"ph": "b" if change.begins else "e", "cat": region, "id": identity}
        return self.place({**event, "name": visible(change.state)}, change.at)


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
