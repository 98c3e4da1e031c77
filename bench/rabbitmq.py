"""From chart to scope through RabbitMQ: ours against the miros design, on the same broker, in turns.

Run with ``python bench/rabbitmq.py``; ``--help`` lists its options. Producer and consumer are processes of
their own. The miros design is written after its document, with pika: for each line one Fernet token and one
``basic_publish``, spy and trace in a fanout exchange each, a token opened for each line received.
"Prepared" means that what a chart makes lies ready, lines for the miros design and steps for ours, so that
the transport is compared and not the engines; the lines are those of the steps. Ours waits for confirms;
the miros one does not, so a row shows it with confirms, too. A rate is lines by the time from the first one
offered to the last one had.
"""

from __future__ import annotations

import importlib.util
import logging
import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import parts.tests_on_path  # noqa: F401 - makes tests/support importable
from farscope.wire.keys import new_key_file
from parts.options import Option, choose, rounds
from support.broker import Broker, available
from support.tcp_proxy import TcpProxy

if importlib.util.find_spec("pika") is None:
    print("skipped: needs pika; pip install pika")
    sys.exit()

from parts.rabbitmq_sides import (
    PATIENCE_S,
    Job,
    Road,
    lines_of_a_step,
    miros_consumer,
    miros_producer,
    our_consumer,
    our_producer,
)

ROUNDS = 5
STEPS = 200_000
MIROS_LINES = 18_000
CONFIRMED_LINES = 1_800
PACED_STEPS = 4_000

Side = Callable[[Connection, Job], None]
Pair = tuple[Side, Side]
OURS: Pair = (our_producer, our_consumer)
MIROS: Pair = (miros_producer, miros_consumer)


@contextmanager
def started(side: Side, job: Job) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=side, args=(there, job))
    process.start()
    there.close()
    try:
        assert here.recv() == "ready"
        yield here
        process.join(PATIENCE_S)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()


def run(pair: Pair, producers: Job, consumers: Job) -> tuple[float, list[float]]:
    """Return seconds from the first offer to the last line had, and the delays of a paced run in ms."""
    with started(pair[1], consumers) as consumer:
        consumer.send("go")
        with started(pair[0], producers) as producer:
            producer.send("go")
            began = producer.recv()
            ended, delays = consumer.recv()
            producer.send("done")
    return ended - began, delays


class Bench:
    """The measurements, on one broker."""

    def __init__(self, broker: Broker, key: Path, share: float) -> None:
        self._broker = broker
        self._key = key
        self._share = share
        self._lines = len(lines_of_a_step())

    def road(self, port: int | None = None) -> Road:
        """Return the way to the broker, or to a proxy's port."""
        broker, port = self._broker, port or self._broker.port
        return Road(broker.url(port=port), port, broker.user, broker.password, self._key)

    def rate(self, pair: Pair, count: int, variant: str = "prepared") -> float:
        """Return lines a second."""
        count = int(count * self._share)
        job = Job(self.road(), count, variant=variant)
        producer = job._replace(variant="prepared") if variant == "rendered" else job
        seconds, _ = run(pair, producer, job)
        return count * (self._lines if pair is OURS else 1) / seconds

    def bytes_a_line(self, pair: Pair, count: int, *, paced: bool) -> float:
        """Return bytes between producer and broker, both directions and all of AMQP, for each line."""
        count = int(count * self._share)
        with TcpProxy("127.0.0.1", self._broker.port, record=True) as proxy:
            job = Job(self.road(proxy.port), count, paced, "" if paced else "prepared")
            run(pair, job, job._replace(road=self.road()))
            return len(proxy.recorded) / (count * (self._lines if pair is OURS else 1))

    def delays(self, pair: Pair) -> list[float]:
        """Return milliseconds from each step to its scope, a thousand steps a second."""
        steps = int(PACED_STEPS * self._share)
        job = Job(self.road(), steps * (1 if pair is OURS else self._lines), paced=True)
        return run(pair, job, job)[1]

    def report(self, rounds: int) -> None:
        """Measure and print."""
        rates: dict[str, list[float]] = {}
        delays: dict[str, list[float]] = {"ours": [], "miros design": []}
        for number in range(rounds):
            for name, pair, count, variant in (
                ("miros design, prepared lines", MIROS, MIROS_LINES, "prepared"),
                ("miros design, with confirms", MIROS, CONFIRMED_LINES, "confirms"),
                ("ours, prepared steps", OURS, STEPS, "prepared"),
                ("ours, every line rendered", OURS, STEPS, "rendered"),
                ("ours, the chart itself at work", OURS, STEPS, "chart"),
            ):
                rates.setdefault(name, []).append(self.rate(pair, count, variant))
            delays["ours"] += self.delays(OURS)
            delays["miros design"] += self.delays(MIROS)
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
        base = statistics.median(rates["miros design, prepared lines"])
        print(f"{'lines a second':34}{'median':>12}{'least':>12}{'most':>12}{'times':>8}")
        for name, found in rates.items():
            median = statistics.median(found)
            print(f"{name:34}{median:12,.0f}{min(found):12,.0f}{max(found):12,.0f}{median / base:8.1f}")
        print(f"\n{'bytes on the wire for a line':34}{'flat out':>12}{'1,000 steps/s':>16}")
        for name, pair, count in (
            ("miros design", MIROS, MIROS_LINES),
            ("ours", OURS, STEPS),
        ):
            flat = self.bytes_a_line(pair, count, paced=False)
            slow_count = PACED_STEPS * (1 if pair is OURS else self._lines)
            print(f"{name:34}{flat:12.1f}{self.bytes_a_line(pair, slow_count, paced=True):16.1f}")
        print(f"\n{'ms from step to scope, 1,000 a second':38}{'p50':>8}{'p99':>8}{'max':>8}")
        for name, found in delays.items():
            ordered = sorted(found)
            marks = (ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1])
            print(f"{name:38}" + "".join(f"{mark:8.1f}" for mark in marks))


def main() -> None:
    """Start a broker, measure, print."""
    chosen = choose(
        __doc__,
        rounds(ROUNDS),
        Option("percent", 100, 1, "share of the usual numbers of steps and lines, in percent"),
    )
    if not available():
        print("skipped: no RabbitMQ can be started here; apt install rabbitmq-server")
        return
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        new_key_file(Path(name) / "key")
        with Broker(Path(name) / "node") as broker:
            Bench(broker, Path(name) / "key", chosen.percent / 100).report(chosen.rounds)


if __name__ == "__main__":
    main()
