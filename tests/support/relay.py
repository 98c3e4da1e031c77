"""A process whose chart is caused by a token and hands out another: ``python -m support.relay URL KEY NAME``.

Each line of standard input is a token; each line of standard output is the token of the last step it led to.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import farscope
from farscope import Event, Hsm, broadcast, return_status


def relay(chart: Any, e: Event) -> int:
    """Let the received event cause another, whose step hands out the token."""
    if e.signal_name == "RECEIVED":
        chart.post_fifo(Event("FORWARDED"))
        return return_status.HANDLED
    if e.signal_name == "FORWARDED":
        print(farscope.cause(), flush=True)
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER


def main() -> None:
    """Relay tokens until the input ends."""
    url, key, name = sys.argv[1:]
    chart = Hsm(name)
    chart.start_at(relay)
    with broadcast(chart, url=url, key=Path(key), service=name):
        for line in sys.stdin:
            with farscope.caused_by(line.strip()):
                chart.post_fifo(Event("RECEIVED"))
            chart.complete_circuit()


if __name__ == "__main__":
    main()
