"""The cost of opening a recording of five million steps on the page, and of dragging through it.

Run with ``python bench/web_recording.py``; ``--help`` lists its options. The recording is that of
``bench/recording.py``. One process serves the page; the other asks as the page does: the last moment, then
moments all over it while it is still being read, and again when it was read through.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import recording as made
from farscope.wire.keys import new_key_file
from parts.options import Option, choose
from parts.process import peak_mb, processor_s

STEPS = made.STEPS
PLACES = 60
ANSWERS_S = 120.0


class Page:
    """Asks the server as a page does."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    def ask(self, path: str) -> Any:
        """Return a plain answer."""
        with urllib.request.urlopen(f"{self._address}{path}", timeout=60) as answer:  # noqa: S310 - our own
            return json.loads(answer.read())

    def account(self) -> dict[str, Any]:
        """Return the account of the first frame, and the charts it tells of."""
        with urllib.request.urlopen(f"{self._address}/api/live", timeout=60) as stream:  # noqa: S310 - our own
            line = stream.readline()
        frame = json.loads(re.sub(rb"^data: ", b"", line))
        return {**frame["account"], "charts": len(frame["rows"])}

    def drag(self, places: list[int]) -> list[float]:
        """Go to moments one after the other; return how long each took, in milliseconds."""
        times = []
        for place in places:
            began_s = time.perf_counter()
            rows = self.ask(f"/api/at?time={place}")["rows"]
            times.append((time.perf_counter() - began_s) * 1e3)
            assert all(row[1] for row in rows)
        return times


def places(span: list[int], count: int) -> list[int]:
    """Return moments all over a recording, each far from the one before."""
    first, last = span
    return [first + (last - first) * (number * 37 % count + 1) // (count + 1) for number in range(count)]


def drags(name: str, times: list[float]) -> str:
    slow = statistics.quantiles(times, n=20)[18]
    return f"{name:42} median {statistics.median(times):4.0f} ms, p95 {slow:4.0f}, longest {max(times):4.0f}"


def main() -> None:
    """Measure and print."""
    chosen = choose(
        __doc__,
        Option("steps", STEPS, 40_000, "steps of the recording"),
        Option("batch", made.STEPS_A_BATCH, made.STEPS_A_BATCH, "steps of each of its batches"),
    )
    steps = chosen.steps
    with tempfile.TemporaryDirectory() as name:
        path, key = Path(name) / "run.farscope", Path(name) / "key"
        keyring = new_key_file(key)
        made.in_a_process(lambda: str(made.make(path, keyring, steps, chosen.batch)))
        command = [sys.executable, "-m", "farscope", "web", str(path), "--port", "0", "--key", str(key)]
        surroundings = {**os.environ, "HOME": name, "XDG_STATE_HOME": name, "XDG_CONFIG_HOME": name}
        began_s = time.perf_counter()
        server = subprocess.Popen(
            command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert server.stdout is not None
            page = Page(server.stdout.readline().strip())
            while not (account := page.account())["span"]:
                assert time.perf_counter() - began_s < ANSWERS_S
            span = account["span"]
            page.drag([span[1]])
            opened_s = time.perf_counter() - began_s
            print(f"{steps:,} steps in {path.stat().st_size / 1e6:.1f} MB, {account['charts']} charts")
            used_s = processor_s(server.pid)
            print(f"{'the last moment is shown after':42} {opened_s:.2f} s, {used_s:.2f} s of processor time")
            print(drags("dragged to, while it is being read", page.drag(places(span, PLACES))))
            read = page.account()["received"]
            print(f"{'read through by then':42} {read:,} steps")
            while not page.account()["finished"]:
                time.sleep(0.2)
            print(f"{'all read through after':42} {time.perf_counter() - began_s:.1f} s")
            print(drags("dragged to, when it was read", page.drag(places(span, PLACES))))
            print(f"{'memory at most':42} {peak_mb(server.pid):.0f} MB")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
