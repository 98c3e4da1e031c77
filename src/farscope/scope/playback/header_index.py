"""Index of a recording's batches by probe and time, built from their headers in milliseconds.

No key is needed, and headers are not verified: the index shows where to look, and the batches found
there are then opened.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Final

from farscope.errors import WireError
from farscope.logs.recording.file import RecordingFile
from farscope.records.step import NANOSECONDS
from farscope.scope.intake import MAX_PROBES
from farscope.scope.ordering.clock_offsets import FAR_NS, ClockOffsets
from farscope.scope.ordering.reorder_buffer import WINDOW_S
from farscope.wire.envelope import OVERHEAD_BYTES, Flags, peek_header

LATEST_NS: Final = 1 << 62
"""Latest time represented; implausible later times are clipped to it."""


class ProbeFrames:
    """The frames of one probe, in the order it sent them; about 25 bytes each."""

    def __init__(self) -> None:
        self.numbers = array("Q")
        """Frame numbers in the recording."""
        self.reached_ns = array("q")
        """When each was stored, by the probe's own clock; never decreasing."""
        self.announcing = array("I")
        """Places of the frames that announce all charts, or a part of all of them; ascending."""
        self.busy = array("I")
        """Places of the frames with steps; ascending."""

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, number: int, stored_ns: int, flags: Flags) -> None:
        """Add the next frame."""
        place = len(self.numbers)
        self.numbers.append(number)
        self.reached_ns.append(max(stored_ns, self.reached_ns[-1]) if place else stored_ns)
        if flags & Flags.ANNOUNCE:
            self.announcing.append(place)
        if not flags & Flags.HEARTBEAT:
            self.busy.append(place)

    def place(self, time_ns: int) -> int:
        """Return the place of the first frame stored at ``time_ns`` or later; the frame count if none was."""
        return bisect_left(self.reached_ns, time_ns)

    def announced_before(self, place: int) -> int | None:
        """Return where the last announcement before a place begins, or None if there is none."""
        last = bisect_left(self.announcing, place) - 1
        if last < 0:
            return None
        # One announcement may span several adjacent batches.
        while last and self.announcing[last - 1] == self.announcing[last] - 1:
            last -= 1
        return self.announcing[last]

    def busy_from(self, place: int) -> int | None:
        """Return the place of the first frame with steps at or after ``place``, or None."""
        found = bisect_left(self.busy, place)
        return self.busy[found] if found < len(self.busy) else None

    def busy_until(self, place: int) -> int | None:
        """Return the place of the last frame with steps at or before ``place``, or None."""
        found = bisect_right(self.busy, place) - 1
        return self.busy[found] if found >= 0 else None


class HeaderIndex:
    """The frames of a recording by probe, and the offsets of the probes' clocks from the first one's.

    Offsets are computed from the whole recording in advance, so no time has to be changed later. A clock that
    was set during the recording is treated as it was at the end.
    """

    def __init__(
        self,
        file: RecordingFile,
        from_ns: int = 0,
        going_on: Callable[[Iterable[tuple[int, int]]], Iterable[tuple[int, int]]] = iter,
    ) -> None:
        """Read every header, at some hundred thousand a second.

        Args:
            file: the recording.
            from_ns: leave out batches stored before this time, in nanoseconds since the epoch.
            going_on: passes on items to examine for as long as there is time.
        """
        self.probes: dict[str, ProbeFrames] = {}
        """Probes by id, in the order of their first batches. Those beyond ``MAX_PROBES`` are left out: anyone
        can invent a probe."""
        clocks = ClockOffsets("", delay_ns=int(WINDOW_S * NANOSECONDS))
        for number, stored_ns in going_on(enumerate(file.frames.stored_ns)):
            if stored_ns < from_ns:
                continue
            try:
                header = peek_header(file.beginning(number, OVERHEAD_BYTES))
            except WireError:
                continue
            probe = header.probe.hex()
            frames = self.probes.get(probe)
            if frames is None:
                if len(self.probes) >= MAX_PROBES:
                    continue
                frames = self.probes[probe] = ProbeFrames()
            frames.add(number, min(stored_ns, LATEST_NS), header.flags)
            clocks.add_past(probe, probe, min(stored_ns, LATEST_NS))
        offsets = {probe: clocks.correction_ns(probe) for probe in self.probes}
        self.corrections = {
            probe: offset_ns if abs(offset_ns) > FAR_NS else 0 for probe, offset_ns in offsets.items()
        }
        """Is subtracted from the times of each probe to convert them to the first one's clock; 0 if its
        clock is off by no more than ``FAR_NS``."""
        self.begin_ns = min(
            (frames.reached_ns[0] - self.corrections[probe] for probe, frames in self.probes.items()),
            default=0,
        )
        """When the first batch was stored, by the first probe's clock; 0 if there is none."""
        self.end_ns = max(
            (frames.reached_ns[-1] - self.corrections[probe] for probe, frames in self.probes.items()),
            default=0,
        )
        """When the last batch was stored, by the same clock."""
