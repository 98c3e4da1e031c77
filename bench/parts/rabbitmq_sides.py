"""The two sides of ``rabbitmq.py``: producers and consumers, each in a separate process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pika
from cryptography.fernet import Fernet

from farscope import Event, Factory, Scope, Step, broadcast
from farscope.records.observable import Observable
from farscope.records.sink import Sink
from farscope.records.step import RawStep

PACE_S = 0.001
PATIENCE_S = 120.0


class Road(NamedTuple):
    """Where a process finds the broker, and the key."""

    url: str
    port: int
    user: str
    password: str
    key: Path

    def parameters(self) -> pika.ConnectionParameters:
        """Return it in pika's words."""
        return pika.ConnectionParameters(
            "127.0.0.1", self.port, "/", pika.PlainCredentials(self.user, self.password)
        )

    def fernet_key(self) -> str:
        """Return the key that seals, which is a Fernet key as well."""
        return next(line for line in self.key.read_text().splitlines() if line and line[0] != "#")


class Job(NamedTuple):
    """What one side of a measurement is to do."""

    road: Road
    count: int
    """Lines for the miros design, steps for ours."""
    paced: bool = False
    variant: str = ""


# The miros example's chart, and its steps.


class Charted:
    """The miros example's chart, whose every B is a step of eight spy lines and one trace line, or nearly."""

    def __init__(self) -> None:
        self.chart = Factory("producer_192.168.1.72", threaded=False)
        self.chart.create("producer_outer").catch("INIT_SIGNAL", lambda chart, _: chart.trans("c1")).catch(
            "B", lambda chart, _: chart.trans("producer_outer")
        )
        self.chart.create("c1").catch("A", lambda chart, _: chart.trans("c2"))
        self.chart.create("c2").catch("A", lambda chart, _: chart.trans("c1"))
        self.chart.nest("producer_outer", parent=None)
        self.chart.nest("c1", parent="producer_outer").nest("c2", parent="producer_outer")

    def start(self) -> None:
        """Make the first step."""
        self.chart.start_at("producer_outer")

    def step(self) -> None:
        """Make another one."""
        self.chart.dispatch(Event("B"))


class Prepared(Observable):
    """Steps that lie ready, in the place of a chart."""

    def __init__(self, count: int) -> None:
        charted, caught = Charted(), Caught()
        charted.start()
        charted.chart.attach(caught)
        for _ in range(count):
            charted.step()
        charted.chart.detach(caught)
        self._announcement = caught.announcement
        self.steps = caught.steps
        self._sink: Sink | None = None

    def attach(self, sink: Sink) -> None:
        """Take the sink that is to have the steps."""
        self._sink = sink
        sink.announce(*self._announcement)

    def detach(self, sink: Sink) -> None:
        """Let it go."""
        if sink is self._sink:
            self._sink = None

    def offer(self) -> None:
        """Hand over all steps, one by one."""
        assert self._sink is not None
        offer = self._sink.step
        for step in self.steps:
            offer(step)


class Caught:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.steps: list[RawStep] = []
        self.announcement: tuple = ()

    def step(self, step: RawStep) -> None:
        """Keep it."""
        self.steps.append(step)

    def announce(self, *announcement: object) -> None:
        """Keep it."""
        self.announcement = announcement

    def stopped(self, chart: object, _status: object) -> None:
        """Nothing to keep."""


def lines_of_a_step() -> list[tuple[str, str]]:
    """Return exchange and text of each line that the miros example's chart makes of one B."""
    step = Step._make(Prepared(1).steps[0])
    return [("spy", line) for line in step.spy()] + [("trace", step.trace() or "")]


def ticks(count: int) -> Iterator[None]:
    """Yield a thousand times a second."""
    due = time.perf_counter()
    for _ in range(count):
        due += PACE_S
        time.sleep(max(0.0, due - time.perf_counter()))
        yield


# Ours.


def our_producer(pipe: Connection, job: Job) -> None:
    road, prepared, charted = job.road, Prepared(job.count), Charted()
    source = prepared if job.variant == "prepared" else charted.chart
    with broadcast(source, url=road.url, key=road.key, spool=False, capacity=job.count + 10) as probe:
        if source is not prepared:
            charted.start()
        assert probe.flush(PATIENCE_S)
        pipe.send("ready")
        pipe.recv()
        began = time.monotonic()
        if job.paced:
            for _ in ticks(job.count):
                charted.step()
        elif source is prepared:
            prepared.offer()
        else:
            for _ in range(job.count):
                charted.step()
        assert probe.flush(PATIENCE_S), probe.stats
        pipe.send(began)
        pipe.recv()


def our_consumer(pipe: Connection, job: Job) -> None:
    delays: list[float] = []
    with Scope(job.road.url, job.road.key) as scope:
        pipe.send("ready")
        pipe.recv()
        if job.paced or job.variant == "rendered":
            lines, had = 0, 0
            while had < job.count:
                steps = [step for step in scope.take(0.5) if step.signal == "B"]
                now_ns, had = time.time_ns(), had + len(steps)
                if job.paced:
                    delays += [(now_ns - step.time_ns) / 1e6 for step in steps]
                else:
                    lines += sum(len(step.spy()) + (step.trace() is not None) for step in steps)
        else:
            assert scope.wait_for(lambda scope: scope.stats.received >= job.count, PATIENCE_S)
        pipe.send((time.monotonic(), delays))
        assert scope.stats.lost == 0


# The miros design.


def miros_producer(pipe: Connection, job: Job) -> None:
    key, lines = job.road.fernet_key(), lines_of_a_step()
    with pika.BlockingConnection(job.road.parameters()) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange="spy", exchange_type="fanout")
        channel.exchange_declare(exchange="trace", exchange_type="fanout")
        if job.variant == "confirms":
            channel.confirm_delivery()

        def send(exchange: str, line: str) -> None:
            token = Fernet(key).encrypt(line.encode())
            channel.basic_publish(exchange=exchange, routing_key="", body=token)

        pipe.send("ready")
        pipe.recv()
        began = time.monotonic()
        if job.paced:
            for _ in ticks(job.count // len(lines)):
                for exchange, line in lines[:-1]:
                    send(exchange, line)
                send("trace", str(time.time_ns()))
        else:
            for exchange, line in islice(cycle(lines), job.count):
                send(exchange, line)
        pipe.send(began)
        pipe.recv()


def miros_consumer(pipe: Connection, job: Job) -> None:
    key, delays, had = job.road.fernet_key(), [], 0
    with pika.BlockingConnection(job.road.parameters()) as connection:
        channel = connection.channel()

        def receive(_: object, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
            nonlocal had
            line = Fernet(key).decrypt(body).decode()
            had += 1
            if job.paced and method.exchange == "trace":
                delays.append((time.time_ns() - int(line)) / 1e6)
            if had == job.count:
                channel.stop_consuming()

        for exchange in ("spy", "trace"):
            channel.exchange_declare(exchange=exchange, exchange_type="fanout")
            queue = channel.queue_declare(queue="", exclusive=True).method.queue
            channel.queue_bind(exchange=exchange, queue=queue)
            channel.basic_consume(queue=queue, on_message_callback=receive, auto_ack=True)
        pipe.send("ready")
        pipe.recv()
        channel.start_consuming()
        pipe.send((time.monotonic(), delays))
