"""Random access to a recording: any moment is reconstructed from the batches around it."""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from threading import RLock
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar

from farscope.errors import WireError
from farscope.logs.recording.file import RecordingFile
from farscope.logs.recording.log import RecordingLog
from farscope.records.configuration import text_of
from farscope.records.step import CHART, ChartId, ChartKey, RawStep, Value
from farscope.records.weight import STEP_BYTES, structure_bytes
from farscope.scope.chart import ChartView
from farscope.scope.intake import Accepted, Intake
from farscope.scope.liveness import Liveness, LivenessTracker
from farscope.scope.playback.header_index import LATEST_NS, HeaderIndex, ProbeFrames
from farscope.scope.since import Since, since_ns
from farscope.scope.world import World
from farscope.wire.batch import Batch
from farscope.wire.codec import Decoder
from farscope.wire.envelope import Flags
from farscope.wire.keyring import Keyring
from farscope.wire.keys import resolve_keyring
from farscope.wire.seal import Opener

READ_AHEAD_NS: Final = 1_000_000_000
"""How far after a moment batches are read as well, because a step is sent some time after it ended."""

BACK_FRAMES: Final = 1_024
"""Most batches read to find a probe's last announcement of all its charts, five seconds back for a busy one.
Beyond it, charts that have done nothing since are left out."""

UNANNOUNCED_FRAMES: Final = 16
"""Batches read if there is no announcement, as at the beginning of a recording."""

MAX_STEPS: Final = 150_000
"""Most steps around a moment; for probes examined after this limit, only the last batch is read."""

KEPT_STEPS: Final = 60_000
"""Steps of opened batches cached for the next moment, some 20 MB, since it is often close by."""

SNAPSHOT_BYTES: Final = 24 << 20
"""Most bytes the steps around a moment may take; if they do not fit, only states are returned."""

KEPT_BYTES: Final = 16 << 20
"""Most bytes the cached batches may take."""

HEARTBEAT_STEPS: Final = 10
"""How many steps a batch without steps counts as in these limits."""

T = TypeVar("T")


class AnnouncedState(NamedTuple):
    """A chart as announced by a batch near the moment."""

    chart: ChartId
    states: tuple[str, ...]
    """Its active leaf states."""
    number: int
    """Number of its last step."""
    values: tuple[tuple[str, Value], ...] = ()

    @property
    def state(self) -> str:
        """Text of its configuration; empty if it had not started yet."""
        return text_of(self.states) if self.states or self.number else ""


@dataclass(slots=True)
class Snapshot:
    """The content of a recording around a moment."""

    from_ns: int = -LATEST_NS
    to_ns: int = LATEST_NS
    """Everything between ``from_ns`` and ``to_ns`` is included; both are corrected times."""
    announced: dict[ChartKey, AnnouncedState] = field(default_factory=dict)
    """Every chart heard by then, as it was at some point in this interval; steps give its exact states."""
    steps: dict[ChartKey, list[RawStep]] = field(default_factory=dict)
    """Steps of each chart, in order, by its own clock."""
    lives: dict[str, Liveness] = field(default_factory=dict)
    """Liveness of each probe, as far as these batches show it."""
    bytes: int = 0
    """Memory use of the steps."""


class _Opened(NamedTuple):
    flags: Flags
    number: int
    batch: Batch


class TimeIndex:
    """Gives access to any moment of a recording. Use it in a ``with`` block; every method is thread-safe."""

    def __init__(
        self,
        log: RecordingLog,
        key: Keyring | str | bytes | os.PathLike[str] | None = None,
        since: Since = None,
    ) -> None:
        """Store the arguments, which are those of ``Scope``; nothing is read yet.

        Raises:
            KeyringError: there is no key to open the batches with.
        """
        self._log = log
        self._since = since
        keyring = resolve_keyring(key, shared=False)
        self._opener, self._intake = Opener(keyring), Intake(Opener(keyring))
        self._decoder = Decoder()
        self.lock = RLock()
        """Held during a query; see ``YieldingLog``."""
        self._skim: HeaderIndex | None = None
        self._kept: OrderedDict[int, _Opened] = OrderedDict()
        self._kept_steps = self._kept_bytes = 0
        self._ended: dict[str, Snapshot] = {}
        self._cancelled = False

    def __enter__(self) -> Self:
        """Open the recording.

        Raises:
            LogRefused: the file does not exist, cannot be read, or is not a recording.
            UsageError: ``since`` is invalid.
        """
        self._file = RecordingFile(self._log.path)
        try:
            self._from_ns = since_ns(self._since, self._file.end_ns) or 0
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.lock:
            self._file.close()

    def cancel(self) -> None:
        """End running queries, and let later ones return only what is found immediately.

        Call it before leaving the block: a large recording of many probes takes minutes to search, and
        leaving waits for running queries.
        """
        self._cancelled = True

    def _unless_cancelled(self, parts: Iterable[T]) -> Iterator[T]:
        return takewhile(lambda _: not self._cancelled, parts)

    @property
    def headers(self) -> HeaderIndex:
        """The index of all headers; the first access waits until they have been read.

        Raises:
            LogUnavailable: the disk fails.
        """
        with self.lock:
            if self._skim is None:
                self._skim = HeaderIndex(self._file, self._from_ns, self._unless_cancelled)
            return self._skim

    def charts(self) -> list[ChartView]:
        """Return every chart as last announced by its probe.

        Raises:
            LogUnavailable: the disk fails.
        """
        world, skim = World(), self.headers
        with self.lock:
            for probe, frames in self._unless_cancelled(skim.probes.items()):
                begin = frames.announced_before(len(frames))
                age_ns = skim.end_ns - (frames.reached_ns[-1] - skim.corrections[probe])
                announced = (place for place in frames.announcing if begin is not None and place >= begin)
                for place in self._unless_cancelled(sorted({*announced, len(frames) - 1})):
                    entry = self._file.entry(frames.numbers[place])
                    outcome = None if entry is None else self._intake.receive(entry.data, 0)
                    if isinstance(outcome, Accepted):
                        world.apply(outcome, 0, age_ns)
        return world.charts()

    def snapshot(self, time_ns: int) -> Snapshot:
        """Return what is known about a moment, given as a corrected time.

        Raises:
            LogUnavailable: the disk fails.
        """
        found, skim = Snapshot(), self.headers
        with self.lock:
            for probe, frames in self._unless_cancelled(skim.probes.items()):
                self._add(found, probe, frames, (time_ns, skim.corrections[probe]))
        return found

    def next_busy(self, probes: Iterable[str], time_ns: int, *, forward: bool) -> int | None:
        """Return when the next batch with steps at or after a moment was stored, or the last before it."""
        found, skim = [], self.headers
        for probe in probes:
            frames = skim.probes.get(probe)
            if frames is None:
                continue
            correction_ns = skim.corrections[probe]
            place = frames.place(time_ns + correction_ns)
            busy = frames.busy_from(place) if forward else frames.busy_until(place - 1)
            if busy is not None:
                found.append(frames.reached_ns[busy] - correction_ns)
        return (min if forward else max)(found, default=None)

    def _add(self, found: Snapshot, probe: str, frames: ProbeFrames, moment: tuple[int, int]) -> None:
        """Add the data of one probe; ``moment`` is a time and how far the probe's clock is ahead of it."""
        time_ns, correction_ns = moment
        own_ns = time_ns + correction_ns
        if frames.reached_ns[0] > own_ns + READ_AHEAD_NS:
            found.to_ns = min(found.to_ns, frames.reached_ns[0] - READ_AHEAD_NS - correction_ns)
            return
        if (ended := self._ended.get(probe)) is not None and own_ns > frames.reached_ns[-1] + READ_AHEAD_NS:
            found.from_ns = max(found.from_ns, frames.reached_ns[-1] + READ_AHEAD_NS - correction_ns)
            found.announced |= ended.announced
            found.lives |= ended.lives
            return
        target = self._target(frames, own_ns)
        places, room = self._places(found, frames, target, own_ns), max(0, SNAPSHOT_BYTES - found.bytes)
        part = self._read(probe, frames, places, correction_ns, room)
        found.from_ns = max(found.from_ns, part.from_ns - correction_ns)
        found.to_ns = min(found.to_ns, part.to_ns - correction_ns)
        found.announced |= part.announced
        found.steps |= part.steps
        found.bytes += part.bytes
        found.lives |= part.lives
        if target == len(frames):
            self._ended[probe] = Snapshot(announced=part.announced, lives=part.lives)

    def _places(self, found: Snapshot, frames: ProbeFrames, target: int, own_ns: int) -> Iterator[int]:
        """Yield the frames to read: from the last announcement of all charts to just after the moment."""
        begin = frames.announced_before(target)
        if begin is None:
            begin = target - UNANNOUNCED_FRAMES
        if sum(map(len, found.steps.values())) > MAX_STEPS or found.bytes > SNAPSHOT_BYTES:
            begin = target - 1
        yield from range(max(0, begin, target - BACK_FRAMES), target)
        for place in range(target, min(len(frames), target + BACK_FRAMES)):
            yield place
            if self._sent_ns(frames, place) >= own_ns + READ_AHEAD_NS:
                return

    def _read(
        self, probe: str, frames: ProbeFrames, places: Iterable[int], correction_ns: int, room: int
    ) -> Snapshot:
        """Read frames of a probe within ``room`` bytes; return their content and the own times it spans."""
        part, pulse = Snapshot(), LivenessTracker()
        steps: defaultdict[int, list[RawStep]] = defaultdict(list)
        seen: set[int] = set()
        batches: deque[Batch] = deque()
        size, place = 0, -1
        for place in self._unless_cancelled(places):
            opened = self._opened(frames.numbers[place])
            # A probe resends unconfirmed batches.
            if opened is None or opened.number in seen:
                continue
            batch = opened.batch
            if not seen and place > 0:
                part.from_ns = batch.sent_ns
            seen.add(opened.number)
            part.to_ns = batch.sent_ns
            pulse.add_batch(batch.sent_ns, goodbye=bool(opened.flags & Flags.GOODBYE))
            for entry in batch.charts:
                chart = ChartId(entry.name, batch.host, batch.pid, entry.serial, probe, batch.service)
                part.announced[chart.key] = AnnouncedState(chart, entry.states, entry.number, entry.values)
                if entry.stopped:
                    pulse.stop(entry.serial, batch.sent_ns, entry.status)
                else:
                    pulse.resume(entry.serial)
            batches.append(batch)
            size += _bytes_of(batch)
            while size > room and batches:
                size -= _bytes_of(batches.popleft())
                part.from_ns = batches[0].sent_ns if batches else batch.sent_ns
        part.bytes = size
        for batch in batches:
            for step in batch.steps:
                steps[step[CHART].serial].append(step)
        if place == len(frames) - 1:
            part.to_ns = LATEST_NS
        part.steps = {ChartKey(probe, serial): its for serial, its in steps.items()}
        part.lives = {probe: pulse.liveness(correction_ns)}
        return part

    def _target(self, frames: ProbeFrames, own_ns: int) -> int:
        """Return the place of the first frame sent at a time or later; the frame count if none was.

        This is its place by time of storing, or a later one if batches had to wait for their log.
        """
        low, count = frames.place(own_ns), len(frames)
        if low == count or self._sent_ns(frames, low) >= own_ns:
            return low
        stride = 1
        while low + stride < count and self._sent_ns(frames, low + stride) < own_ns:
            low += stride
            stride *= 2
        high = min(count, low + stride)
        while high - low > 1:
            middle = (low + high) // 2
            if self._sent_ns(frames, middle) < own_ns:
                low = middle
            else:
                high = middle
        return high

    def _sent_ns(self, frames: ProbeFrames, place: int) -> int:
        opened = self._opened(frames.numbers[place])
        return frames.reached_ns[place] if opened is None else opened.batch.sent_ns

    def _opened(self, frame: int) -> _Opened | None:
        """Return the batch in a frame, or None if it cannot be opened."""
        kept = self._kept.get(frame)
        if kept is not None:
            self._kept.move_to_end(frame)
            return kept
        entry = self._file.entry(frame)
        if entry is None:
            return None
        try:
            header, body = self._opener.open(entry.data)
            batch = self._decoder.decode(body, header.probe)
        except WireError:
            # The sequential reader counts it and reports why.
            return None
        opened = self._kept[frame] = _Opened(header.flags, header.number, batch)
        self._kept_steps += len(batch.steps) + HEARTBEAT_STEPS
        self._kept_bytes += _bytes_of(batch)
        while self._is_full() and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._kept_steps -= len(gone.batch.steps) + HEARTBEAT_STEPS
            self._kept_bytes -= _bytes_of(gone.batch)
        return opened

    def _is_full(self) -> bool:
        return self._kept_steps > KEPT_STEPS or self._kept_bytes > KEPT_BYTES


def _bytes_of(batch: Batch) -> int:
    structures = sum(structure_bytes(entry.structure) for entry in batch.charts if entry.structure)
    return STEP_BYTES * len(batch.steps) + batch.extra_bytes + structures
