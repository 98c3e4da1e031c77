"""Every step is stored, dropped for a reason, or pending: at any instant of a faulty run, and at its end."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from farscope import Event, Factory, Scope
from farscope.logs.url import open_log
from farscope.probe.accounting import ProbeStats
from farscope.probe.broadcast import Probe
from farscope.probe.spool.queue import Bounds
from farscope.probe.spool.transport import SpoolTransports
from farscope.wire.keyring import Keyring, new_key_text
from support.broker import Broker
from support.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

INSTANTS = 100
CAPACITY = 1_000
BURST = 3 * CAPACITY
SMALL = Bounds(max_bytes=64_000, max_batches=16)

FAULTS: tuple[Callable[[TcpProxy], None], ...] = (
    TcpProxy.refuse,
    TcpProxy.hang,
    TcpProxy.stall,
    TcpProxy.reset_all,
    lambda proxy: proxy.slow(20_000),
    TcpProxy.pass_on,
    TcpProxy.pass_on,
)


class Worker:
    """A chart that works in a thread of its own, and counts before and after every step."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.chart = Factory("worker", threaded=False)
        self.chart.create("a").catch("A", lambda chart, _: chart.trans("b"))
        self.chart.create("b").catch("A", lambda chart, _: chart.trans("a"))
        self.chart.nest("a", parent=None).nest("b", parent=None)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        self._count(lambda: self.chart.start_at("a"))
        dice = random.Random(1)  # noqa: S311 - the same run each time, no secret
        while not self._stop.wait(0.002):
            for _ in range(BURST if dice.random() < 0.005 else 2):
                self._count(lambda: self.chart.dispatch(Event("A")))

    def _count(self, step: Callable[[], object]) -> None:
        self.begun += 1
        step()
        self.ended += 1

    def finish(self) -> None:
        self._stop.set()
        self._thread.join()


def balanced(stats: ProbeStats) -> bool:
    return stats.emitted == stats.stored + sum(stats.dropped.values()) + stats.pending


def test_the_account_is_exact_at_any_instant_of_a_run_with_faults(
    broker: Broker, fresh_log_url: Callable[..., str], tmp_path: Path
):
    dice = random.Random(2)  # noqa: S311 - the same run each time, no secret
    key, worker, seen = Keyring.from_text(new_key_text()), Worker(), []
    with TcpProxy("127.0.0.1", broker.port) as proxy:
        url = re.sub(r"@127\.0\.0\.1:\d+", f"@127.0.0.1:{proxy.port}", fresh_log_url())
        with Scope(url, key) as scope:
            transports = SpoolTransports(open_log(url), key, tmp_path / "spool", SMALL)
            with Probe(transports, "the broker", capacity=CAPACITY) as probe:
                probe.add(worker.chart)
                probe.start()
                worker.start()
                try:
                    for number in range(INSTANTS):
                        if number % 5 == 0:
                            dice.choice(FAULTS)(proxy)
                        threading.Event().wait(dice.uniform(0.0, 0.15))
                        least = worker.ended
                        stats = probe.stats
                        seen.append(stats)
                        assert balanced(stats), stats
                        assert least <= stats.emitted <= worker.begun
                finally:
                    worker.finish()
                proxy.pass_on()
                assert probe.flush(60), probe.stats
                assert balanced(probe.stats)
            final = probe.stats
            assert balanced(final)
            assert (final.emitted, final.pending) == (worker.ended, 0)
            assert scope.wait_for(lambda scope: scope.stats.received == final.stored, 30), scope.stats
            deadline = time.monotonic() + 30
            while not scope.wait_for(lambda scope: scope.stats.lost == sum(final.dropped.values()), 1):
                assert time.monotonic() < deadline, scope.stats
            assert scope.stats.missing == 0
            assert dict(scope.stats.dropped) == dict(final.dropped)
    print(final)
    # The run was worth the name: steps waited in memory and on disk, and were dropped.
    assert any(stats.spooled for stats in seen)
    assert any(stats.pending > stats.spooled for stats in seen)
    assert final.dropped
    assert final.retries or final.last_error
