"""The cost of a step while the chart's broker is healthy, refuses, hangs, is slow, blocks, or is frozen.

Run with ``make bench-faults`` or ``python bench/faults.py``; ``--help`` lists its options. The chart is
paced at 1,000 events a second and each step is timed by itself. The kinds take turns within every round,
each with a probe of its own that was connected and had stored before the fault began (where there was
anything to connect to), so that whatever else the machine does hits them alike. The faults that a network
makes come from a proxy.
"""

from __future__ import annotations

import gc
import logging
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import parts.tests_on_path  # noqa: F401 - makes tests/support importable
from farscope import Event, broadcast
from farscope.wire.keys import new_key_file
from parts.lamp import make_lamp, paced
from parts.options import Option, choose, rounds
from support.broker import Broker, available
from support.tcp_proxy import TcpProxy

ROUNDS = 10
STEPS = 2_000
SETTLE_S = 0.2
"""Between the begin of a fault and the first step that is timed."""
SLOW_BYTES_PER_S = 10_000
NOWHERE = "no-such-host.invalid"

Fault = Callable[[Broker, TcpProxy], AbstractContextManager[None]]


def through(make_bad: Callable[[TcpProxy], None]) -> Fault:
    """Return the fault that the proxy makes."""

    @contextmanager
    def fault(_: Broker, proxy: TcpProxy) -> Iterator[None]:
        make_bad(proxy)
        try:
            yield
        finally:
            proxy.pass_on()

    return fault


@contextmanager
def alarm(broker: Broker, _: TcpProxy) -> Iterator[None]:
    broker.memory_alarm(on=True)
    try:
        yield
    finally:
        broker.memory_alarm(on=False)


@contextmanager
def frozen(broker: Broker, _: TcpProxy) -> Iterator[None]:
    broker.freeze()
    try:
        yield
    finally:
        broker.thaw()


def nothing(_: Broker, __: TcpProxy) -> AbstractContextManager[None]:
    return nullcontext()


NO_PROBE, HEALTHY, UNRESOLVABLE = "no probe", "healthy", "unresolvable name"
KINDS: dict[str, Fault] = {
    NO_PROBE: nothing,
    HEALTHY: nothing,
    "refused": through(TcpProxy.refuse),
    "hanging": through(TcpProxy.hang),
    "slow (10 kB/s)": through(lambda proxy: proxy.slow(SLOW_BYTES_PER_S)),
    "memory alarm": alarm,
    "frozen": frozen,
    UNRESOLVABLE: nothing,
}


def measure(kind: str, broker: Broker, folder: Path, steps: int) -> list[float]:
    """Return the microseconds of each step under one fault."""
    chart = make_lamp()
    chart.start_at("off")
    with TcpProxy("127.0.0.1", broker.port) as proxy:
        place = NOWHERE if kind == UNRESOLVABLE else f"127.0.0.1:{proxy.port}"
        url = re.sub(r"@127\.0\.0\.1:\d+", f"@{place}", broker.url())
        probe = None
        if kind != NO_PROBE:
            probe = broadcast(chart, url=url, key=folder / "key", spool=folder / f"spool{time.time_ns()}")
        try:
            if probe is not None and kind != UNRESOLVABLE:
                chart.dispatch(Event("PRESS"))
                assert probe.flush(20), probe.stats
            with KINDS[kind](broker, proxy):
                time.sleep(SETTLE_S)
                gc.collect()
                taken = paced(chart.dispatch, steps)
        finally:
            if probe is not None:
                probe.close(0.5)
    return taken


def report(times: dict[str, list[float]]) -> None:
    """Print the table."""
    print(
        f"{'microseconds a step':20}{'steps':>8}{'p50':>9}{'p99':>9}{'p99.9':>9}{'max':>10}"
        f"{'p50 - healthy':>16}{'p99.9 - healthy':>18}"
    )
    shares = (0.5, 0.99, 0.999)
    marks = {
        kind: [sorted(taken)[int(len(taken) * share)] for share in shares] for kind, taken in times.items()
    }
    for kind, taken in times.items():
        p50, p99, p999 = marks[kind]
        print(
            f"{kind:20}{len(taken):8}{p50:9.1f}{p99:9.1f}{p999:9.1f}{max(taken):10.1f}"
            f"{p50 - marks[HEALTHY][0]:+16.1f}{p999 - marks[HEALTHY][2]:+18.1f}"
        )


def main() -> None:
    """Measure and print."""
    chosen = choose(__doc__, rounds(ROUNDS), Option("steps", STEPS, 50, "steps under each fault in a round"))
    if not available():
        print("skipped: no RabbitMQ can be started here; apt install rabbitmq-server")
        return
    logging.getLogger("farscope").setLevel(logging.CRITICAL)  # the faults are on purpose
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        new_key_file(folder / "key")
        with Broker(folder / "node") as broker:
            for number in range(chosen.rounds):
                for kind in KINDS:
                    times[kind] += measure(kind, broker, folder, chosen.steps)
                print(f"round {number + 1} of {chosen.rounds}", file=sys.stderr)
    report(times)


if __name__ == "__main__":
    main()
