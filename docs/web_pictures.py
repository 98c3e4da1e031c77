"""Redraw the pictures of the page in ``docs/img``: ``make pictures``.

A kitchen of charts runs for half a minute; the page is opened on it in headless Chromium, and each view is
taken in light and dark. Colours are cut down to a palette, so that the files stay small.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMAGES = Path(__file__).parent / "img"
BROWSER = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZE = {"width": 1280, "height": 800}
COLOURS = 192
MOST_BYTES = 80_000
NAMES = ("oven north", "oven south", "dishwasher", "pump station", "valve 7", "valve 8", "lift", "gate")
WASHED = ("START", "FULL", "WARM", "EMPTY", "PAUSE", "RESUME", "RESUME")
WASHING = 0.06
"""Share of moments at which something happens to the washer."""
REGIONS_LIT = "() => document.querySelectorAll('#picture .active').length === 2"
SIGNALS = ("HEAT", "TICK", "TICK", "TICK", "TOAST", "OPEN", "CLOSE", "CLOSE", "CLOSE", "STOP")
WASHER = "washer"
VIEWS = {"picture": "1", "steps": "2", "statistics": "3", "sequence": "4"}


def produce(url: str) -> None:
    """Run the kitchen until standard input ends."""
    from farscope import Event, Factory, broadcast, return_status  # noqa: PLC0415 - the producing process alone
    from farscope.engine import Chart, Final, History, State  # noqa: PLC0415 - same

    luck = random.Random(7)  # noqa: S311 - the same kitchen every time

    def oven(name: str) -> Factory:
        chart = Factory(name)

        def go(state: str) -> object:
            return lambda chart, _: chart.trans(state)

        def tick(chart: Factory, _: Event) -> int:
            if luck.random() < 0.2:
                chart.post_fifo(Event("DONE"))
            return return_status.HANDLED

        chart.create("door_open").catch("CLOSE", go("closed"))
        chart.create("closed").catch("INIT_SIGNAL", go("off")).catch("OPEN", go("door_open"))
        chart.create("off").catch("HEAT", go("baking"))
        chart.create("heating").catch("STOP", go("off")).catch("DONE", go("off"))
        chart.create("baking").catch("TICK", tick).catch("TOAST", go("toasting"))
        chart.create("toasting").catch("TICK", tick)
        for state, parent in (
            ("door_open", None), ("closed", None), ("off", "closed"), ("heating", "closed"),
            ("baking", "heating"), ("toasting", "heating"),
        ):  # fmt: skip
            chart.nest(state, parent=parent)
        return chart

    def warm_enough(_chart: Chart, _event: Event) -> bool:
        return luck.random() < 0.8

    class Washer(Chart):
        with State(initial=True) as plugged_in:
            idle = State(initial=True)
            with State(parallel=True) as washing:
                with State() as drum:
                    tumbling = State(initial=True)
                    spinning = State()
                    still = Final()
                with State() as water:
                    filling = State(initial=True)
                    heating = State()
                    draining = State()
                    dry = Final()
                where_it_was = History(deep=True)
            paused = State()
        unplugged = Final()

        idle.on("START", to=washing)
        washing.on("PAUSE", to=paused)
        paused.on("RESUME", to=where_it_was)
        tumbling.after(6, to=spinning)
        spinning.after(3, to=still)
        filling.on("FULL", to=heating)
        heating.on("WARM", to=draining, guard=warm_enough)
        water.on("EMPTY", to=dry)
        washing.on_done(to=idle)
        plugged_in.on("UNPLUG", to=unplugged)

    washer = Washer(WASHER)
    charts = [oven(name) for name in NAMES]
    os.set_blocking(0, False)
    with broadcast(*charts, washer, url=url):
        washer.start_at()
        for chart in charts:
            chart.start_at("closed")
        while sys.stdin.buffer.read(1) != b"":
            luck.choice(charts).post_fifo(Event(luck.choice(SIGNALS)))
            if luck.random() < WASHING:
                washer.post_fifo(Event(luck.choice(WASHED)))
            time.sleep(luck.expovariate(25))
        for chart in (*charts, washer):
            chart.stop()


def take(address: str) -> None:
    """Take every picture."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the process that looks alone

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_page(viewport=SIZE)
        page.goto(address)
        page.wait_for_selector(".rows .row[data-chart]")
        page.wait_for_timeout(25_000)
        page.get_by_text("oven north", exact=True).first.click()
        page.mouse.move(10, 600)
        page.keyboard.press("+")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for view, key in VIEWS.items():
                page.keyboard.press(key)
                page.wait_for_timeout(1_500)
                if view == "steps":
                    page.locator("#view-steps tbody tr").nth(3).click()
                    page.wait_for_timeout(500)
                save(page.screenshot(), f"web-{view}-{scheme}")
            page.keyboard.press("1")
            for _ in range(12):
                page.keyboard.press("ArrowLeft")
                page.wait_for_timeout(150)
            page.wait_for_timeout(700)
            save(page.screenshot(), f"web-travel-{scheme}")
            page.keyboard.press("l")
        page.emulate_media(color_scheme="light")
        page.get_by_text(WASHER, exact=True).first.click()
        page.keyboard.press("1")
        page.wait_for_function(REGIONS_LIT)
        page.wait_for_timeout(1_000)
        save(page.screenshot(), "web-regions-light")
        page.get_by_text("oven north", exact=True).first.click()
        page.set_viewport_size({"width": 800, "height": 1000})
        page.wait_for_timeout(1_000)
        save(page.screenshot(), "web-narrow-light")
        browser.close()


def save(png: bytes, name: str) -> None:
    """Write a picture with few colours; give up if it is still large."""
    from io import BytesIO  # noqa: PLC0415 - stands with what needs it

    from PIL import Image  # noqa: PLC0415 - needed for pictures only

    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    image = Image.open(BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    size = path.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"{path.name} has {size:,} bytes: fewer colours would help")


def main() -> None:
    """Run kitchen and page, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {**os.environ, "HOME": folder, "XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder}
        url = f"sqlite:{folder}/log"
        kitchen = subprocess.Popen(
            [sys.executable, __file__, "--produce", url], env=surroundings, stdin=subprocess.PIPE
        )
        server = subprocess.Popen(
            [sys.executable, "-m", "farscope", "web", url, "--port", "0", "--since", "start"],
            env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            if server.stdout is not None:
                take(server.stdout.readline().strip())
        finally:
            kitchen.communicate(b"")
            server.terminate()
            server.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--produce"]:
        produce(sys.argv[2])
    else:
        main()
