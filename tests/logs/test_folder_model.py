"""The embedded log against a model: in any order of operations, nothing is lost silently."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from farscope.logs.embedded.file_reader import first_number
from farscope.logs.embedded.format import FileName
from farscope.logs.embedded.reader import FolderReader
from farscope.logs.embedded.retention import MIN_MAX_BYTES, Limits
from farscope.logs.embedded.writer import FolderWriter

SECOND_NS = 10**9
SIZES = st.sampled_from([0, 1, 100, 5_000, 40_000])


class Reading:
    """A reader, and for each writer the number its next batch must have at least."""

    def __init__(self, reader: FolderReader, due: dict[int, int]) -> None:
        self.reader = reader
        self.due = due
        self.skipped = 0

    def take(self, limit: int) -> bool:
        entries = self.reader.read(0.0, limit)
        assert len(entries) <= limit
        for entry in entries:
            head = entry.data.partition(b" ")[0]
            writer, number = map(int, head.split(b":"))
            expected = self.due.get(writer, 0)
            assert number >= expected, "read twice, or out of order"
            self.skipped += number - expected
            self.due[writer] = number + 1
        return bool(entries)


class EmbeddedLog(RuleBasedStateMachine):
    writers = Bundle("writers")
    readings = Bundle("readings")

    @initialize(max_bytes=st.sampled_from([MIN_MAX_BYTES, 10**6, 10**9]))
    def start(self, max_bytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.now = self.steady = 10**18
        self.limits = Limits(max_bytes, max_age_ns=3_600 * SECOND_NS)
        self.unbounded = max_bytes == 10**9
        self.stored: dict[int, int] = {}
        self.all_writers: list[tuple[int, FolderWriter]] = []
        self.all_readings: list[Reading] = []

    @rule(target=writers)
    def open_writer(self) -> tuple[int, FolderWriter]:
        number = len(self.all_writers)
        writer = FolderWriter(
            self.folder, f"{number:02x}", self.limits, clock=lambda: self.now, steady=lambda: self.steady
        )
        self.all_writers.append((number, writer))
        self.stored[number] = 0
        return self.all_writers[-1]

    @rule(which=writers, sizes=st.lists(SIZES, min_size=1, max_size=6))
    def append(self, which: tuple[int, FolderWriter], sizes: list[int]) -> None:
        number, writer = which
        first = self.stored[number]
        writer.append([b"%d:%d " % (number, first + at) + bytes(size) for at, size in enumerate(sizes)], 1.0)
        self.stored[number] += len(sizes)

    @rule(which=consumes(writers))
    def close_writer(self, which: tuple[int, FolderWriter]) -> None:
        which[1].close()

    @rule(span_ns=st.sampled_from([1, SECOND_NS, 20 * SECOND_NS, -SECOND_NS]))
    def let_time_pass(self, span_ns: int) -> None:
        self.now += span_ns
        self.steady += max(0, span_ns)

    @rule(target=readings)
    def read_from_now_on(self) -> Reading:
        return self._reading(FolderReader(self.folder, None, None), dict(self.stored))

    @rule(target=readings)
    def read_from_the_start(self) -> Reading:
        return self._reading(FolderReader(self.folder, 0, None), self._first_in_folder())

    def _first_in_folder(self) -> dict[int, int]:
        """Return the number of each writer's first batch in the folder: "the start" for a new reader.

        Batches removed before a reader was made are not its loss: only those that were there to be read, or
        were stored since, count as cut. A writer without any file left has nothing before its next batch.
        """
        first = dict(self.stored)
        for path in self.folder.iterdir():
            if name := FileName.parse(path.name):
                number = int(name.stream.partition("-")[0], 16)
                begin = first_number(path)
                assert begin is not None
                first[number] = min(first[number], begin - 1)
        return first

    @rule(target=readings, reading=readings)
    def read_on_from_a_position(self, reading: Reading) -> Reading:
        return self._reading(FolderReader(self.folder, None, reading.reader.position), dict(reading.due))

    def _reading(self, reader: FolderReader, due: dict[int, int]) -> Reading:
        self.all_readings.append(Reading(reader, due))
        return self.all_readings[-1]

    @rule(reading=readings, limit=st.sampled_from([1, 3, 256]))
    def read(self, reading: Reading, limit: int) -> None:
        reading.take(limit)

    @rule(target=readings, reading=consumes(readings))
    def close_reader(self, reading: Reading):
        reading.reader.close()
        self.all_readings.remove(reading)
        return multiple()

    @invariant()
    def without_retention_nothing_is_skipped(self) -> None:
        for reading in getattr(self, "all_readings", ()):
            assert not (self.unbounded and (reading.skipped or reading.reader.cut))
            assert not reading.reader.unread

    def teardown(self) -> None:
        first = self._first_in_folder() if hasattr(self, "folder") else {}
        # If no file of a writer is left, a last one that was not opened again may have held one more batch.
        uncertain = sum(0 < self.stored[number] == begin for number, begin in first.items())
        for reading in getattr(self, "all_readings", ()):
            while reading.take(256):
                pass
            assert reading.reader.caught_up
            never_came = sum(count - reading.due.get(number, 0) for number, count in self.stored.items())
            assert reading.skipped <= reading.reader.cut <= reading.skipped + never_came + uncertain
            if self.unbounded:
                assert all(reading.due.get(number, 0) == count for number, count in self.stored.items())
            reading.reader.close()
        for _, writer in getattr(self, "all_writers", ()):
            writer.close()
        shutil.rmtree(getattr(self, "folder", ""), ignore_errors=True)


TestEmbeddedLog = EmbeddedLog.TestCase
TestEmbeddedLog.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
