"""The cost of opening a recording of five million steps, and of going to any place in it.

Run with ``python bench/recording.py``; ``--help`` lists its options. The recording is made in a temporary
folder, of 50 charts of one probe at 10,000 steps a second. Each line of the table is measured in a process
of its own, whose greatest memory stands beside it; "to the first step" includes opening.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from farscope.logs.base import Entry
from farscope.logs.recording.file import RecordingFile
from farscope.logs.recording.format import END_BYTES
from farscope.logs.recording.log import RecordingLog
from farscope.logs.recording.writer import RecordingWriter
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import NANOSECONDS, ChartId, RawStep
from farscope.scope.header_survey import HeaderSurvey
from farscope.scope.scope import Scope
from farscope.wire.batch import Batch, ChartEntry
from farscope.wire.codec import encode_body
from farscope.wire.envelope import Flags
from farscope.wire.keys import Keyring, new_key_file
from farscope.wire.seal import Sealer
from parts.options import Option, choose

STEPS = 5_000_000
CHARTS = 50
STEPS_A_BATCH = 2_000
STEPS_A_SECOND = 10_000
BEGIN_NS = 1_767_225_600 * NANOSECONDS
PROBE = bytes(range(16))

Measured = tuple[str, Callable[[], str]]


def shapes() -> list[Shape]:
    states = ("idle", "heating", "cooling", "done")
    return [
        Shape(
            StepKind.TRANSITION,
            f"GO_{end.upper()}",
            start,
            end,
            (
                Fact(FactKind.OFFER, start),
                Fact(FactKind.EXIT, start),
                Fact(FactKind.ENTRY, end),
                Fact(FactKind.INIT, end),
            ),
        )
        for start in states
        for end in states
    ]


def make(path: Path, keyring: Keyring, steps: int, steps_a_batch: int = STEPS_A_BATCH) -> None:
    """Record as a probe of 50 charts would have been."""
    charts = [ChartId(f"oven {n}", "kitchen", 42, n + 1, PROBE.hex()) for n in range(CHARTS)]
    kinds, sealer = shapes(), Sealer(keyring, PROBE)
    chance = random.Random(5)  # noqa: S311 - no secret, and the same run each time
    gap_ns = NANOSECONDS // STEPS_A_SECOND
    with RecordingWriter(path) as writer:
        for batch_number, first in enumerate(range(0, steps, steps_a_batch)):
            numbers = list(range(first, min(steps, first + steps_a_batch)))
            made: list[RawStep] = [
                (
                    charts[n % CHARTS],
                    n // CHARTS + 1,
                    kinds[chance.randrange(len(kinds))],
                    BEGIN_NS + n * gap_ns + chance.randrange(gap_ns),
                    chance.randrange(1_500, 2_400),
                    chance.randrange(3),
                    0,
                    chance.randrange(2_000, 7_000),
                    None,
                    (),
                    (),
                )
                for n in numbers
            ]
            sent_ns = made[-1][3]
            entries = tuple(
                ChartEntry(chart.serial, chart.name, ("idle",), numbers[-1] // CHARTS + 1) for chart in charts
            )
            batch = Batch(
                host="kitchen",
                pid=42,
                started_ns=BEGIN_NS,
                sent_ns=sent_ns,
                next_number=numbers[-1] + 1,
                charts=entries,
                numbers=numbers,
                steps=made,
            )
            writer.append([Entry(sealer.seal(batch_number, Flags.NONE, encode_body(batch)), sent_ns)])


def opening(path: Path) -> str:
    with RecordingFile(path) as file:
        return f"{len(file.frames):,} batches, index {'found' if file.indexed else 'made by a scan'}"


def first_step(path: Path, keyring: Keyring, since: int | str = "start", until_ns: int | None = None) -> str:
    log = RecordingLog(path)
    part = log if until_ns is None else log.part(0, until_ns)
    with Scope(part, keyring, since) as scope:
        step = scope.take(60.0, 1)[0]
        return f"step {step.number:,} of {step.chart.name}"


def dragging(path: Path, keyring: Keyring, places: int = 50) -> str:
    """Go to places all over it, as somebody who drags does, and read a second of it at each."""
    log = RecordingLog(path)
    begin_ns, end_ns = log.span_ns()
    slowest_s, total_s = 0.0, 0.0
    for n in range(places):
        at_ns = begin_ns + (end_ns - begin_ns) * (n * 37 % places) // places
        began_s = time.perf_counter()
        with Scope(log.part(at_ns, at_ns + NANOSECONDS), keyring) as scope:
            seen = sum(1 for _ in scope)
        assert seen
        passed_s = time.perf_counter() - began_s
        slowest_s, total_s = max(slowest_s, passed_s), total_s + passed_s
    return f"mean {total_s / places * 1e3:.0f} ms, slowest {slowest_s * 1e3:.0f} ms"


def reading(path: Path, keyring: Keyring) -> str:
    with Scope(RecordingLog(path), keyring) as scope:
        seen = sum(1 for _ in scope)
        assert scope.stats.lost == 0
        return f"{seen:,} steps, none lost"


def inspecting(path: Path) -> str:
    survey = HeaderSurvey()
    with RecordingFile(path) as file:
        for number in range(len(file.frames)):
            entry = file.entry(number)
            assert entry is not None
            assert file.is_sound(number)
            survey.add(*entry)
    return f"{survey.batches:,} batches, missing {survey.missing}"


def in_a_process(work: Callable[[], str]) -> tuple[float, float, str]:
    """Return seconds, megabytes at most, and what was seen."""

    def run(answer: Connection) -> None:
        began_s = time.perf_counter()
        seen = work()
        passed_s = time.perf_counter() - began_s
        answer.send((passed_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, seen))

    ours, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=run, args=(its,))
    process.start()
    # Otherwise the wait for a process that failed would never end.
    its.close()
    answer: tuple[float, float, str] = ours.recv()
    process.join()
    return answer


def main() -> None:
    """Measure and print."""
    steps = choose(__doc__, Option("steps", STEPS, 40_000, "steps of the recording")).steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keyring = new_key_file(folder / "key")
        whole, cut = folder / "whole.farscope", folder / "cut.farscope"
        made_s, _, _ = in_a_process(lambda: str(make(whole, keyring, steps)))
        shutil.copy(whole, cut)
        os.truncate(cut, cut.stat().st_size - END_BYTES - 5)
        with RecordingFile(whole) as file:
            middle_ns = (BEGIN_NS + file.end_ns) // 2
            size = file.size
        print(
            f"{steps:,} steps, {size / 1e6:.1f} MB, {size / steps:.1f} bytes a step, made in {made_s:.0f} s\n"
        )
        rows: list[Measured] = [
            ("open, with its index", lambda: opening(whole)),
            ("open, cut off", lambda: opening(cut)),
            ("to the first step", lambda: first_step(whole, keyring)),
            ("to the first step, cut off", lambda: first_step(cut, keyring)),
            ("to the middle", lambda: first_step(whole, keyring, (file.end_ns - middle_ns) / NANOSECONDS)),
            ("50 places, a second of each", lambda: dragging(whole, keyring)),
            ("read all of it", lambda: reading(whole, keyring)),
            ("inspect all of it", lambda: inspecting(whole)),
        ]
        print(f"{'':30}{'seconds':>9}{'MB at most':>12}   seen")
        for what, work in rows:
            passed_s, most_mb, seen = in_a_process(work)
            print(f"{what:30}{passed_s:9.3f}{most_mb:12.0f}   {seen}")


if __name__ == "__main__":
    main()
