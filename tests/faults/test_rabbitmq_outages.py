"""Nothing that was appended is lost in any outage of the broker, and no one has to intervene."""

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from farscope.errors import LogUnavailable
from farscope.logs.rabbitmq.log import RabbitLog
from farscope.logs.rabbitmq.log import open as open_rabbitmq
from farscope.testing.waiting import eventually
from support.account_check import Verdict, check
from support.broker import Broker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

SETTLED_S = 30.0
"""How long everything may take to be read after the last fault."""


YOUNG_S = 2.0
"""RabbitMQ 3.10 does not find a stream again that it was told to make less than a second before a kill."""


class Producer:
    """Appends numbered batches, each again and again until it is acknowledged, in a thread of its own."""

    def __init__(self, log: RabbitLog, name: str) -> None:
        self.attempted = 0
        self.acknowledged = 0
        self.failures: list[str] = []
        self._name = name
        self._writer = log.writer(name)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"producer-{name}")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            batches = [
                f"{self._name}:{number}".encode() for number in range(self.attempted, self.attempted + 10)
            ]
            self.attempted += len(batches)
            while not self._stored(batches):
                self._stop.wait(0.05)
            self.acknowledged += len(batches)

    def _stored(self, batches: list[bytes]) -> bool:
        try:
            self._writer.append(batches, 2)
        except LogUnavailable as error:
            self.failures.append(error.message)
            return False
        return True

    def finish(self) -> None:
        self._stop.set()
        self._thread.join()
        self._writer.close()


class Consumer:
    """Reads all there is, in a thread of its own."""

    def __init__(self, log: RabbitLog) -> None:
        self.had: list[bytes] = []
        self.failures: list[str] = []
        self._reader = log.reader(since_ns=0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumer")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.had += [entry.data for entry in self._reader.read(0.5)]
            except LogUnavailable as error:
                self.failures.append(error.message)

    def finish(self) -> None:
        self._stop.set()
        self._reader.interrupt()
        self._thread.join()
        self._reader.close()


def verdict(producers: list[Producer], had: list[bytes]) -> Verdict:
    attempted = {f"{p._name}:{n}".encode() for p in producers for n in range(p.attempted)}
    acknowledged = {f"{p._name}:{n}".encode() for p in producers for n in range(p.acknowledged)}
    return check(attempted, acknowledged, had)


@pytest.fixture
def log(fresh_log_url: Callable[..., str]) -> RabbitLog:
    return open_rabbitmq(fresh_log_url())


@pytest.fixture
def restored(broker: Broker) -> Iterator[Broker]:
    """The private broker, which runs and accepts again afterwards, whatever the test did."""
    yield broker
    if not broker.answers():
        broker.kill()
        broker.start()


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_killing_the_broker_again_and_again_loses_nothing_acknowledged(
    restored: Broker, log: RabbitLog, kills: int
):
    producers = [Producer(log, name) for name in ("aa", "bb")]
    consumers = [Consumer(log) for _ in range(2)]
    threading.Event().wait(YOUNG_S)
    try:
        for _ in range(kills):
            before = [producer.acknowledged for producer in producers]
            eventually(
                lambda before=before: all(
                    producer.acknowledged > count + 200
                    for producer, count in zip(producers, before, strict=True)
                ),
                what="progress before the kill",
            )
            restored.kill()
            restored.start()
            back = time.monotonic()
            before = [producer.acknowledged for producer in producers]
            eventually(
                lambda before=before: all(
                    producer.acknowledged > count for producer, count in zip(producers, before, strict=True)
                ),
                timeout_s=SETTLED_S,
                what="recovery after the kill",
            )
            print(f"writers recovered {time.monotonic() - back:.1f} s after the port answered")
    finally:
        for producer in producers:
            producer.finish()
    try:
        for consumer in consumers:
            eventually(
                lambda consumer=consumer: verdict(producers, consumer.had).lost == 0,
                timeout_s=SETTLED_S,
                what="everything acknowledged to be read",
            )
    finally:
        for consumer in consumers:
            consumer.finish()
    for consumer in consumers:
        result = verdict(producers, consumer.had)
        print(result)
        assert (result.lost, result.unexpected) == (0, 0)
        assert result.ok == result.acknowledged
        # Each kill can make the batches of one append per producer come twice.
        assert result.duplicated <= 10 * len(producers) * (kills + 1)
        in_order = [data for data in dict.fromkeys(consumer.had) if data.startswith(b"aa:")]
        assert in_order == sorted(in_order, key=lambda data: int(data[3:]))


def test_a_memory_alarm_blocks_appends_in_time_and_all_is_stored_once_after_it(
    restored: Broker, log: RabbitLog
):
    writer = log.writer("aa")
    reader = log.reader()
    writer.append([b"before"], 20)
    restored.memory_alarm(on=True)
    try:
        with pytest.raises(LogUnavailable, match="short of memory or disk") as caught:
            writer.append([b"during"], 1)
        assert caught.value.hint
        with pytest.raises(LogUnavailable):
            writer.append([b"during"], 0.2)
        begun = time.monotonic()
        late = log.writer("bb")
        with pytest.raises(LogUnavailable):
            late.append([b"late"], 0.5)
        late.close(0.5)
        assert time.monotonic() - begun < 5
        # Readers are not blocked: what was stored before is still there for those who come now.
        other = log.reader(since_ns=0)
        assert [entry.data for entry in other.read(10)] == [b"before"]
        other.close()
    finally:
        restored.memory_alarm(on=False)
    writer.append([b"during"], 20)
    writer.append([b"after"], 20)
    had: list[bytes] = []
    eventually(lambda: had.extend(entry.data for entry in reader.read(0.5)) or b"after" in had)
    assert [data for data in had if data != b"late"] == [b"before", b"during", b"after"]
    writer.close()
    reader.close()


def test_a_frozen_broker_delays_and_loses_nothing(restored: Broker, log: RabbitLog):
    producer = Producer(log, "aa")
    consumer = Consumer(log)
    try:
        eventually(lambda: producer.acknowledged > 100)
        restored.freeze()
        try:
            eventually(lambda: producer.failures, what="the freeze to be noticed")
        finally:
            restored.thaw()
        before = producer.acknowledged
        eventually(lambda: producer.acknowledged > before + 100, timeout_s=SETTLED_S)
    finally:
        producer.finish()
    try:
        eventually(lambda: verdict([producer], consumer.had).lost == 0, timeout_s=SETTLED_S)
    finally:
        consumer.finish()
    result = verdict([producer], consumer.had)
    assert (result.lost, result.unexpected) == (0, 0)


def test_many_writers_and_readers_leave_nothing_behind_on_the_broker(restored: Broker, log: RabbitLog):
    def standing() -> tuple[int, int]:
        connections = restored.control("list_connections", "pid").split()
        queues = restored.control("list_queues", "name").split()
        return len(connections), len(queues)

    log.reader().close()
    before = eventually(lambda: standing() if standing()[0] <= 1 else None, what="other connections to end")
    producers = [Producer(log, f"{number:02x}") for number in range(5)]
    consumers = [Consumer(log) for _ in range(5)]
    eventually(lambda: all(producer.acknowledged > 50 for producer in producers))
    for producer in producers:
        producer.finish()
    for consumer in consumers:
        eventually(lambda consumer=consumer: verdict(producers, consumer.had).lost == 0)
        consumer.finish()
        assert verdict(producers, consumer.had).duplicated == 0
    eventually(lambda: standing() == before, what="the broker's connections and queues to be as before")


def test_a_slow_reader_holds_up_nobody(restored: Broker, log: RabbitLog):
    batch = os.urandom(50_000)
    writer = log.writer("aa")
    slow = log.reader(since_ns=0)
    quick = log.reader(since_ns=0)
    for _ in range(20):
        writer.append([batch] * 20, 20)
        count = 0
        while count < 20:
            count += len(quick.read(20))
    count = 0
    while count < 400:
        count += len(slow.read(20))
    assert (slow.cut, quick.cut) == (0, 0)
    for user in (writer, slow, quick):
        user.close()
