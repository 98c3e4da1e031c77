"""The page under load: 500 charts, 50,000 steps/s, in a real browser.

Run with ``make bench-web`` or ``python bench/web.py``; ``--help`` lists its options. One process makes the
steps, one serves the page, headless Chromium shows it; all share the machine, as they would on a laptop.
Frame times are the page's own, between two pictures, while it draws everything that comes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from parts.options import Option, choose
from parts.process import memory_mb, processor_s

SECONDS, CHARTS, RATE = 60.0, 500, 50_000
BROWSER = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
ROUND_S = 0.02

FRAME_TIMES = """() => {
  window.frameTimes = [];
  let last = performance.now();
  const next = () => {
    const now = performance.now();
    window.frameTimes.push(now - last);
    last = now;
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
}"""


def produce(url: str, charts: int, rate: int) -> None:
    """Make steps at a steady rate until standard input ends; then print how many."""
    from farscope import Event, broadcast  # noqa: PLC0415 - only the producing process needs it
    from parts.lamp import make_lamp  # noqa: PLC0415 - same

    lamps = [make_lamp(f"lamp {number:03d}") for number in range(charts)]
    press, made = Event("PRESS"), 0
    with broadcast(*lamps, url=url) as probe:
        for lamp in lamps:
            lamp.start_at("off")
        os.set_blocking(0, False)
        began = time.monotonic()
        while sys.stdin.buffer.read(1) != b"":
            while made < (time.monotonic() - began) * rate:
                for lamp in lamps:
                    lamp.dispatch(press)
                made += charts
            time.sleep(ROUND_S)
        seconds = time.monotonic() - began
    print(f"{made} {seconds} {sum(probe.stats.dropped.values())}", flush=True)


def look(address: str, server: int, seconds: float) -> tuple[list[tuple[str, ...]], dict[str, Any]]:
    """Look at the page for a while; return a row for each sixth of the time, and what was seen at the end."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only the looking process needs it

    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.goto(address)
        page.wait_for_selector(".rows .row[data-chart]")
        inspector = page.context.new_cdp_session(page)
        page.evaluate(FRAME_TIMES)
        for part in range(1, 7):
            used = processor_s(server)
            page.wait_for_timeout(seconds * 1000 / 6)
            used = processor_s(server) - used
            times = page.evaluate("() => window.frameTimes.splice(0)")
            inspector.send("HeapProfiler.collectGarbage")
            heap = page.evaluate("() => performance.memory.usedJSHeapSize") / 1e6
            asked = time.perf_counter()
            page.evaluate(
                "() => fetch('/api/at?time=' + (Date.now() % 1000)).then((answer) => answer.text())"
            )
            answered = (time.perf_counter() - asked) * 1000
            rows.append(
                (
                    f"{seconds * part / 6:.0f}",
                    f"{statistics.median(times):.0f}",
                    f"{statistics.quantiles(times, n=20)[18]:.0f}",
                    f"{max(times):.0f}",
                    f"{heap:.1f}",
                    f"{memory_mb(server):.0f}",
                    f"{100 * used / (seconds / 6):.0f}",
                    f"{answered:.0f}",
                )
            )
        account = page.inner_text("#account")
        browser.close()
    return rows, {"account": account, "console": told}


def main() -> None:
    """Measure and print."""
    chosen = choose(
        __doc__,
        Option("seconds", SECONDS, 3.0, "seconds to look at the page"),
        Option("charts", CHARTS, 10, "charts that make steps"),
        Option("rate", RATE, 1_000, "steps a second of all of them together"),
    )
    seconds, charts, rate = chosen.seconds, chosen.charts, chosen.rate
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {**os.environ, "HOME": folder, "XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder}
        url = f"sqlite:{folder}/log?max_bytes=200MB"
        server = subprocess.Popen(
            [sys.executable, "-m", "farscope", "web", url, "--port", "0"],
            env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        producer = subprocess.Popen(
            [sys.executable, __file__, "--produce", url, str(charts), str(rate)],
            env=surroundings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            rows, seen = look(server.stdout.readline().strip(), server.pid, seconds)
            made, took, dropped = producer.communicate("")[0].split()
        finally:
            for process in (producer, server):
                process.terminate()
                process.wait()
    print(f"{charts} charts, {int(made) / float(took):,.0f} steps/s made, {dropped} dropped at the source")
    heads = ("after s", "frame ms", "p95", "most", "page MB", "server MB", "server %", "at ms")
    for row in (heads, *rows):
        print("".join(text.rjust(11) for text in row))
    print(f"the page says: {seen['account']}")
    print(f"browser's console: {seen['console'] or 'nothing'}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--produce"]:
        produce(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
