"""One producer of the demo: runs the chart of the miros example under a given name and broadcasts it.

Run as ``python -m farscope.cli.demo.producer NAME URL KEY_FILE``. Says ``started`` once its chart is,
posts the event when its standard input ends, and leaves with the probe's goodbye.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from farscope.cli.exit_codes import finish
from farscope.engine import Event, Factory, signals
from farscope.errors import LogUnavailable
from farscope.probe.broadcast import broadcast

STORED_S = 5.0
"""Time limit in seconds for storing the last steps in a log on this machine."""


def build(name: str, reached: threading.Event) -> tuple[Factory, object]:
    """Return the miros example's chart, not yet started, and its outer state; ``B`` sets ``reached``.

    ::

        +-------- producer_outer ---------+
        |   +--- c1 ----+   +---- c2 ---+ |
        | * |           |   |           | +--+
        | | |           +-A->           | |  |
        | +->           <-A-+           | |  B
        |   |           |   |           | <--+
        |   +-----------+   +-----------+ |
        +---------------------------------+
    """
    chart = Factory(name)
    outer = chart.create(state="producer_outer")
    c1 = (
        chart.create(state="c1")
        .catch(signal=signals.A, handler=lambda chart, _: chart.trans("c2"))
        .to_method()
    )

    def on_b(chart: Factory, _: Event) -> int:
        reached.set()
        return chart.trans(outer.to_method())

    outer.catch(signal=signals.INIT_SIGNAL, handler=lambda chart, _: chart.trans(c1))
    outer.catch(signal=signals.B, handler=on_b)
    c2 = (
        chart.create(state="c2").catch(signal=signals.A, handler=lambda chart, _: chart.trans(c1)).to_method()
    )
    chart.nest(outer.to_method(), parent=None).nest(c1, parent="producer_outer").nest(
        c2, parent="producer_outer"
    )
    return chart, outer.to_method()


def produce(name: str, url: str, key_file: Path) -> None:
    """Run the chart: start it, wait for the end of standard input, post ``B``, stop, say goodbye."""
    reached = threading.Event()
    chart, outer = build(name, reached)
    with broadcast(chart, url=url, key=key_file) as probe:
        chart.start_at(outer)
        print("started", flush=True)
        sys.stdin.read()
        chart.post_fifo(Event(signal=signals.B))
        # Stopping waits for the current step, but not for events in the queue.
        reached.wait(STORED_S)
        chart.stop()
        if not probe.flush(STORED_S):
            raise LogUnavailable(
                f"the last steps were not stored within {STORED_S:g} s: {probe.stats.last_error}",
                "check that the folder for temporary files has free space",
            )


if __name__ == "__main__":
    finish(lambda: produce(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
