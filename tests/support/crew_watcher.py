"""A process of scopes that read a crew's steps; started by ``support.crew``.

A line on standard input tells what to wait for: the number of steps of each name. Then it reports and ends.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

from farscope.records.step import Step
from farscope.scope.scope import Scope

TELL_S: Final = 0.2
"""How often the process tells how far it is."""

PATIENCE_S: Final = 60.0
"""How long the end waits for what is still to come."""

TAKE_STEPS: Final = 4_096


class Watcher:
    """One scope, and a thread that takes from it."""

    def __init__(self, url: str, key: Path, since: str | None) -> None:
        self.runs: defaultdict[str, list[list[int]]] = defaultdict(list)
        """For each name what was had in order of arrival, as first and last counts of unbroken runs."""
        self.newest_ns: dict[str, int] = {}
        self.had: defaultdict[str, int] = defaultdict(int)
        self.scope = Scope(url, key, since)
        self.scope.__enter__()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            for step in self.scope.take(0.1, TAKE_STEPS):
                self._note(step)

    def _note(self, step: Step) -> None:
        for text in step.texts:
            name, _, count = text.rpartition(":")
            runs, number = self.runs[name], int(count)
            if runs and runs[-1][1] + 1 == number:
                runs[-1][1] = number
            else:
                runs.append([number, number])
            self.had[name] += 1
            self.newest_ns[name] = step.time_ns

    def has(self, expected: dict[str, int]) -> bool:
        """Whether as much was had, or is known not to come."""
        there = all(self.had[name] >= count for name, count in expected.items())
        return there or sum(self.had.values()) + self.scope.stats.lost >= sum(expected.values())

    def finish(self) -> dict[str, object]:
        """End, and return the report."""
        self._stop.set()
        self._thread.join()
        self.scope.close()
        stats = self.scope.stats
        notices = self.scope.notices()
        return {
            "runs": self.runs,
            "received": stats.received,
            "duplicated": stats.duplicated,
            "missing": stats.missing,
            "dropped": sum(stats.dropped.values()),
            "refused": sum(stats.refused.values()),
            "cut": stats.cut,
            "notices": [(str(n.kind), n.subject, n.detail, n.count, n.span) for n in notices],
        }


def main(words: list[str]) -> None:
    """Arguments: address, key file, since (``-`` for now), number of scopes."""
    url, key, since, count = words
    watchers = [Watcher(url, Path(key), None if since == "-" else since) for _ in range(int(count))]
    asked: list[str] = []
    listener = threading.Thread(target=lambda: asked.append(sys.stdin.readline()), daemon=True)
    listener.start()
    while not asked:
        listener.join(TELL_S)
        told = {
            "had": [sum(watcher.had.values()) for watcher in watchers],
            "newest_ns": [watcher.newest_ns for watcher in watchers],
        }
        print(json.dumps(told), flush=True)
    expected = json.loads(asked[0] or "{}")
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and not all(watcher.has(expected) for watcher in watchers):
        time.sleep(TELL_S / 4)
    print(json.dumps({"final": [watcher.finish() for watcher in watchers]}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
