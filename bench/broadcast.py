"""The cost of a step while its chart is broadcast: log healthy, failing, hanging, outbox full.

Run with ``python bench/broadcast.py``; ``--help`` lists its options. The kinds take turns within every
round, so that whatever else the machine does hits them alike; the table shows medians and spreads. The pump
shares the interpreter with the chart, so "flat out" includes its encoding and sealing, "own CPU" only what
the chart's thread does itself; "paced" is the chart at a thousand steps a second, each step timed by
itself.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from farscope import Event, fields
from farscope.errors import LogUnavailable
from farscope.logs.base import LogWriter
from farscope.logs.url import open_log
from farscope.probe.broadcast import Probe
from farscope.probe.outbox import Outbox
from farscope.probe.transport import SealedTransport
from farscope.values import ValuesFunction
from farscope.wire.keys import Keyring, new_key_file
from parts.lamp import make_lamp, paced
from parts.options import Option, choose, rounds

STEPS = 50_000
ROUNDS = 5
PACED_STEPS = 500


class Failing:
    """A log that cannot be reached."""

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        """Raise at once."""
        del batches, timeout_s
        raise LogUnavailable("away")

    def close(self, timeout_s: float = 2.0) -> None:
        """Nothing to give back."""

    def interrupt(self) -> None:
        """Nothing waits."""


class Hanging(Failing):
    """A log that says nothing, until it is interrupted."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()

    def append(self, batches: Sequence[bytes], timeout_s: float) -> None:
        """Wait for nothing."""
        del batches, timeout_s
        self._interrupted.wait()
        raise LogUnavailable("interrupted")

    def interrupt(self) -> None:
        """End the waiting."""
        self._interrupted.set()


@contextmanager
def watched(
    make_writer: Callable[[str], LogWriter] | None,
    keyring: Keyring,
    capacity: int = 10**6,
    values: ValuesFunction | None = None,
) -> Iterator[Callable[[Event], None]]:
    """Give a chart's dispatch, broadcast to such a log, or to none."""
    chart = make_lamp()
    chart.amps, chart.temp = 16, 20.5
    chart.start_at("off")
    if make_writer is None:
        yield chart.dispatch
        return
    probe = Probe(
        lambda probe_id: SealedTransport(make_writer(probe_id.hex()), keyring, probe_id),
        "bench:",
        capacity=capacity,
        values=values,
    )
    probe.add(chart)
    probe.start()
    try:
        yield chart.dispatch
    finally:
        probe.close(0.2)
        stats = probe.stats
        assert stats.emitted == stats.stored + sum(stats.dropped.values()) + stats.pending, stats


def flat_out(dispatch: Callable[[Event], None], steps: int) -> tuple[float, float]:
    """Return microseconds a step, one right after the other: passed, and spent on the chart's own thread."""
    press = Event(signal="PRESS")
    began, began_own = time.perf_counter(), time.thread_time()
    for _ in range(steps):
        dispatch(press)
    passed, own = time.perf_counter() - began, time.thread_time() - began_own
    return passed / steps * 1e6, own / steps * 1e6


def offer_alone(steps: int) -> float:
    """Return microseconds for leaving one step in an outbox with room, loop included."""
    outbox = Outbox(lambda: None, 10**9)
    offer, step = outbox.offer, (None,) * 9 + ((),)
    began = time.perf_counter()
    for _ in range(steps):
        offer(step)  # type: ignore[arg-type]  # the outbox looks at a step's texts only
    return (time.perf_counter() - began) / steps * 1e6


def main() -> None:
    """Measure and print."""
    chosen = choose(
        __doc__,
        rounds(ROUNDS),
        Option("steps", STEPS, 200, "steps made flat out in a round"),
        Option("paced_steps", PACED_STEPS, 20, "steps made at a thousand a second in a round"),
    )
    steps = chosen.steps
    logging.getLogger("farscope").setLevel(logging.CRITICAL)  # the faults are on purpose
    with tempfile.TemporaryDirectory() as folder:
        new_key_file(Path(folder) / "key")
        keyring = Keyring.load(Path(folder) / "key")
        log = open_log(f"sqlite:{folder}/log")
        two = fields("amps", "temp")
        kinds: dict[str, tuple[Callable[[str], LogWriter] | None, int, ValuesFunction | None]] = {
            "no probe": (None, 1, None),
            "embedded log": (log.writer, 10**6, None),
            "the same, two values": (log.writer, 10**6, two),
            "log fails": (lambda _: Failing(), 10**6, None),
            "log hangs": (lambda _: Hanging(), 10**6, None),
            "log hangs, two values": (lambda _: Hanging(), 10**6, two),
            "log hangs, outbox full": (lambda _: Hanging(), 1_000, None),
        }
        alone: list[float] = []
        flat: dict[str, list[float]] = {kind: [] for kind in kinds}
        own: dict[str, list[float]] = {kind: [] for kind in kinds}
        slow: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(chosen.rounds):
            alone.append(offer_alone(steps * 4))
            for kind, (make_writer, capacity, values) in kinds.items():
                with watched(make_writer, keyring, capacity, values) as dispatch:
                    passed, spent = flat_out(dispatch, steps)
                    flat[kind].append(passed)
                    own[kind].append(spent)
                with watched(make_writer, keyring, capacity, values) as dispatch:
                    slow[kind] += paced(dispatch, chosen.paced_steps)
    print(f"offer alone: {statistics.median(alone):.3f} us\n")
    heads = f"{'flat out':>10}{'spread':>14}{'added':>8}{'own CPU':>9}{'paced p50':>11}{'p99.9':>9}{'max':>9}"
    print(f"{'microseconds a step':24}{heads}")
    base = statistics.median(flat["no probe"])
    for kind in kinds:
        median, spent = statistics.median(flat[kind]), statistics.median(own[kind])
        ordered = sorted(slow[kind])
        late = ordered[int(len(ordered) * 0.999)]
        print(
            f"{kind:24}{median:10.2f}{min(flat[kind]):7.2f}-{max(flat[kind]):<6.2f}{median - base:8.2f}"
            f"{spent:9.2f}{statistics.median(ordered):11.1f}{late:9.1f}{ordered[-1]:9.1f}"
        )


if __name__ == "__main__":
    main()
