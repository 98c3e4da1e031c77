"""The cost to a scope of batches of one step each, from many probes, read through each kind of log.

Run with ``python bench/small_batches.py``; ``--help`` lists its options. The batches are sealed beforehand
and appended by one writer, at a steady rate and as fast as it can. The scope is in a separate process, whose
processor time is divided by the batches; for the log in memory, which both share, the thread of the writer is
subtracted. "Behind" is how long the scope took for the rest after the last batch was appended, "a second" how
many batches it took in, counting that time: as fast as possible, this is the highest rate it keeps up with.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import parts.tests_on_path  # noqa: F401 - makes tests/support importable
from farscope.logs.url import open_log
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, RawStep
from farscope.scope.scope import Scope
from farscope.wire.batch import Batch, ChartEntry
from farscope.wire.codec import encode_body
from farscope.wire.envelope import Flags
from farscope.wire.keys import Keyring, new_key_file
from farscope.wire.seal import Sealer
from parts.options import Option, choose, rounds
from support.broker import Broker, available

ROUNDS = 3
PROBES = 300
BROKER_PROBES = 1_000
BATCHES = 6_000
RATE = 1_000
APPENDED_EVERY_S = 0.01
PATIENCE_S = 60.0

SHAPE = Shape(
    StepKind.TRANSITION,
    "GO",
    "idle",
    "busy",
    (
        Fact(FactKind.OFFER, "idle"),
        Fact(FactKind.EXIT, "idle"),
        Fact(FactKind.ENTRY, "busy"),
        Fact(FactKind.INIT, "busy"),
    ),
)


class Job(NamedTuple):
    """What is measured."""

    url: str
    key: Path
    probes: int
    batches: int
    rate: int
    """Batches a second; 0 is as fast as possible."""


class Cost(NamedTuple):
    """What it took."""

    cpu_us: float
    """Processor time of a batch, in microseconds."""
    behind_ms: float
    rate: float
    """Batches a second, from the first one appended to the last one taken."""
    megabytes: float
    lost: int


def sealed(job: Job) -> list[bytes]:
    """Return the batches, each of one step, of all probes in turn."""
    keyring, batches = Keyring.load(job.key), []
    ids = [os.urandom(16) for _ in range(job.probes)]
    sealers = [Sealer(keyring, probe) for probe in ids]
    begin_ns = time.time_ns()
    gap_ns = 1_000_000_000 // (job.rate or RATE)
    for place in range(job.batches):
        number, which = divmod(place, job.probes)
        time_ns = begin_ns + place * gap_ns
        chart = ChartId(f"oven {which}", "kitchen", which + 1, 1, ids[which].hex(), f"oven-{which}")
        step: RawStep = (chart, number + 1, SHAPE, time_ns, 2_000, 0, 0, 3_000, None, (), ())
        batch = Batch(
            host="kitchen",
            pid=which + 1,
            started_ns=begin_ns,
            sent_ns=time_ns + 10_000,
            next_number=number + 1,
            service=f"oven-{which}",
            writer="farscope 0.1.0",
            heartbeat_ns=1_000_000_000,
            charts=(ChartEntry(1, chart.name, ("busy",), number + 1),),
            numbers=[number],
            steps=[step],
        )
        batches.append(sealers[which].seal(number, Flags.NONE, encode_body(batch)))
    return batches


def append(job: Job, batches: Sequence[bytes]) -> float:
    """Append the batches; return the processor time of this thread in seconds."""
    writer = open_log(job.url).writer("bench")
    began_s, done, portion = time.monotonic(), 0, int(job.rate * APPENDED_EVERY_S) or 64
    while done < len(batches):
        writer.append(batches[done : done + portion], PATIENCE_S)
        done += portion
        if job.rate:
            time.sleep(max(0.0, began_s + done / job.rate - time.monotonic()))
    writer.close()
    return time.thread_time()


def watch(pipe: Connection, job: Job) -> None:
    """Be the process with the scope."""
    inside = job.url.startswith("memory:")
    batches = sealed(job) if inside else []
    with Scope(job.url, job.key) as scope:
        spent_s: list[float] = []
        writer = Thread(target=lambda: spent_s.append(append(job, batches)))
        pipe.send("ready")
        before_s, began_s = time.process_time(), time.monotonic()
        if inside:
            writer.start()
        seen = 0
        while seen < job.batches:
            taken = scope.take(PATIENCE_S)
            if not taken:
                break
            seen += len(taken)
        ended_s = time.monotonic()
        if inside:
            writer.join()
        cpu_s = time.process_time() - before_s - sum(spent_s)
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        pipe.send((cpu_s, began_s, ended_s, megabytes, job.batches - seen + scope.stats.lost))


def measure(job: Job) -> Cost:
    """Run one scope and one writer."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    inside = job.url.startswith("memory:")
    open_log(job.url).writer("made").close()
    batches = [] if inside else sealed(job)
    process = context.Process(target=watch, args=(there, job))
    process.start()
    try:
        assert here.recv() == "ready"
        if not inside:
            append(job, batches)
        appended_s = time.monotonic()
        cpu_s, began_s, ended_s, megabytes, lost = here.recv()
        process.join(PATIENCE_S)
    finally:
        process.kill()
        process.join()
    behind_ms = 0.0 if inside else max(0.0, ended_s - appended_s) * 1e3
    rate = job.batches / (ended_s - began_s)
    return Cost(cpu_s / job.batches * 1e6, behind_ms, rate, megabytes, lost)


@contextmanager
def broker_address(folder: Path) -> Iterator[str | None]:
    """Yield the address of a broker that was started for this; None if there is none here."""
    if importlib.util.find_spec("pika") is None or not available():
        print("without RabbitMQ: it needs pika and a broker", file=sys.stderr)
        yield None
        return
    with Broker(folder / "broker") as broker:
        yield broker.url()


def main() -> None:
    """Measure and print."""
    chosen = choose(
        __doc__,
        rounds(ROUNDS),
        Option("probes", PROBES, 5, "probes that take turns"),
        Option("broker_probes", BROKER_PROBES, 10, "the same, with RabbitMQ"),
        Option("batches", BATCHES, 100, "batches of a measurement"),
        Option("rate", RATE, 500, "batches a second of the steady rate"),
    )
    found: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as name, broker_address(Path(name)) as broker:
        folder, key = Path(name), Path(name) / "key"
        new_key_file(key)
        for turn in range(chosen.rounds):
            roads = {"memory": f"memory:{turn}", "embedded": f"sqlite:{folder}/log-{turn}"}
            if broker is not None:
                roads["RabbitMQ"] = broker
            for log, url in roads.items():
                probes = chosen.broker_probes if log == "RabbitMQ" else chosen.probes
                for rate in (chosen.rate, 0):
                    pace = f"{rate:,}/s" if rate else "flat out"
                    job = Job(url, key, probes, chosen.batches, rate)
                    found.setdefault(f"{log}, {pace}", []).append(measure(job))
            print(f"round {turn + 1} of {chosen.rounds}", file=sys.stderr)
    columns = f"{'CPU µs':>9}{'least':>9}{'behind ms':>12}{'a second':>12}{'MB':>8}{'lost':>7}"
    print(f"{'one step a batch':24}{columns}")
    for row, costs in found.items():
        cpu = [cost.cpu_us for cost in costs]
        behind = statistics.median(cost.behind_ms for cost in costs)
        megabytes, lost = max(cost.megabytes for cost in costs), sum(cost.lost for cost in costs)
        rate = statistics.median(cost.rate for cost in costs)
        print(
            f"{row:24}{statistics.median(cpu):9.1f}{min(cpu):9.1f}"
            f"{behind:12.0f}{rate:12,.0f}{megabytes:8.0f}{lost:7}"
        )


if __name__ == "__main__":
    main()
