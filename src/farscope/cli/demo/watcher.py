"""One watcher of the demo: it knows the log's address and the key file, and nothing of the producers.

Run as ``python -m farscope.cli.demo.watcher URL KEY_FILE``. Says ``watching`` once it misses nothing
more, prints each step as it comes, and when its standard input has ended and every chart has said
goodbye, each chart's collected spy and trace. Its last line is the account of all it has seen.
"""

from __future__ import annotations

import pprint
import select
import sys
import time
from pathlib import Path

from farscope.cli.exit_codes import finish
from farscope.scope.scope import Scope
from farscope.views.text import escape, spy_lines, stats_line, trace_line

LOOK_S = 0.05
"""Pause between two looks at whether standard input has ended."""

GOODBYE_S = 5.0
"""Time limit in seconds for the goodbyes after the producers have ended; later ones count as missing."""


def watch(url: str, key_file: Path) -> int:
    """Print everything until the producers have ended; return 1 if anything was lost, otherwise 0."""
    with Scope(url=url, key=key_file) as scope:
        print("watching", flush=True)
        while not _input_ended():
            _show_live(scope)
        deadline = time.monotonic() + GOODBYE_S
        while not _all_ended(scope) and time.monotonic() < deadline:
            _show_live(scope)
        # A step may still be waiting for earlier ones.
        while scope.stats.waiting:
            _show_live(scope)
        _show_collected(scope)
        return _show_account(scope)


def _show_live(scope: Scope) -> None:
    for step in scope.take(LOOK_S):
        for line in (trace_line(step), *spy_lines(step)):
            if line is not None:
                print(line)
    sys.stdout.flush()


def _show_collected(scope: Scope) -> None:
    for chart in scope.charts:
        foreign = scope[chart.label]
        print(f"{escape(chart.name)}: collected spy")
        print(pprint.pformat([escape(line) for line in foreign.spy()]))
        print(f"{escape(chart.name)}: collected trace")
        for line in foreign.trace().splitlines():
            if line:
                print(escape(line))


def _show_account(scope: Scope) -> int:
    complete = _all_ended(scope) and not scope.stats.lost and not scope.stats.refused
    print(stats_line(scope.stats), flush=True)
    return 0 if complete else 1


def _all_ended(scope: Scope) -> bool:
    return bool(scope.charts) and all(chart.status not in ("alive", "silent") for chart in scope.charts)


def _input_ended() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) and sys.stdin.read(1) == ""


if __name__ == "__main__":
    finish(lambda: watch(sys.argv[1], Path(sys.argv[2])))
