"""The charging site of ``examples/plant`` runs, and farscope finds its faults."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from farscope.logs.url import open_log
from farscope.records.step import NANOSECONDS
from farscope.scope.ordering.reorder_buffer import WINDOW_S
from farscope.wire.codec import Decoder
from farscope.wire.keys import resolve_keyring
from farscope.wire.seal import Opener
from support.held_port import HeldRow
from support.program import Program

EXAMPLES = Path(__file__).parent.parent / "examples"
PORTS = 6
CHARTS = {"site", "balancer", "meter", "gateway", "uplink"} | {
    f"c{number}{part}" for number in (1, 2, 3) for part in ("", ".contactor", ".billing")
}
STAMPED = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\] ")


class Plant(NamedTuple):
    """A log of the plant, and what was seen of it while it ran."""

    url: str
    env: dict[str, str]

    def farscope(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "farscope", *arguments]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120, check=False)

    def run(self, seconds: float) -> None:
        command = [sys.executable, "-m", "plant", str(seconds)]
        subprocess.run(command, cwd=EXAMPLES, env=self.env, timeout=seconds + 60, check=True)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    url = f"sqlite:{tmp_path / 'log'}"
    with HeldRow(PORTS) as ports:
        yield Plant(url, {**os.environ, "FARSCOPE_URL": url, "PLANT_PORT": str(ports.first)})


def test_the_plant_is_seen_whole_with_dated_notices_and_its_first_fault(plant):
    plant.run(6.0)
    done = plant.farscope("watch", "--since", "start", "--for", "200ms", "--json")
    items = [json.loads(line) for line in done.stdout.splitlines()]
    notices = [item for item in items if "notice" in item]
    steps = [item for item in items if "notice" not in item]
    assert {notice["chart"] for notice in notices if notice["notice"] == "appeared"} == CHARTS
    assert all(notice["time_ns"] for notice in notices)
    account = json.loads(done.stderr.splitlines()[-2])["account"]
    assert (account["lost"], account["late"]) == (0, 0)
    places = {(step["probe"], step["serial"], step["number"]): place for place, step in enumerate(steps)}
    for place, step in enumerate(steps):
        if step["cause"]:
            cause = places.get((step["probe"], step["cause"]["serial"], step["cause"]["number"]))
            assert cause is None or cause < place
    # The optimiser of the balancer takes its time, and nothing is out of order because of it.
    assert max(step["duration_ns"] for step in steps if step["chart"] == "balancer") > 50_000_000
    failed = plant.farscope("watch", "--since", "start", "--for", "200ms", "--only", "failed")
    lines = failed.stdout.splitlines()
    assert lines
    assert all(re.search(r"\] \[meter, failed\] e->SAMPLE\(\) in sampling", line) for line in lines)
    told = [line for line in failed.stderr.splitlines() if STAMPED.match(line)]
    assert sum("meter: SAMPLE failed in sampling: ZeroDivisionError" in line for line in told) == len(lines)


def held_up(plant: Plant) -> int:
    """Return how many steps were sent later after their end than anybody waits, on a machine that is busy."""
    opener, decoder, late = Opener(resolve_keyring(None, shared=False)), Decoder(), 0
    with closing(open_log(plant.url).reader(0)) as reader:
        while entries := reader.read(0.0, 256):
            for entry in entries:
                header, body = opener.open(entry.data)
                batch = decoder.decode(body, header.probe)
                waited = (batch.sent_ns - step[3] - step[4] for step in batch.steps)
                late += sum(ns > WINDOW_S * NANOSECONDS / 2 for ns in waited)
    return late


@pytest.mark.soak
def test_in_two_minutes_every_fault_shows_and_nothing_is_late_because_of_a_slow_handler(plant):
    watching = ("-m", "farscope", "watch", "--for", "150s")
    with Program(*watching, "--json", env=plant.env) as watcher:
        watcher.wait_err("watching")
        plant.run(120.0)
        assert watcher.wait(timeout_s=60) == 0
        shown, told = watcher.out, watcher.err
    items = [json.loads(line) for line in shown.splitlines()]
    notices = [item for item in items if "notice" in item]
    assert all(notice["time_ns"] for notice in notices)
    assert {notice["chart"] for notice in notices if notice["notice"] == "silent"} == {
        "c3",
        "c3.billing",
        "c3.contactor",
    }
    account = json.loads(told.splitlines()[-2])["account"]
    assert account["lost"] == 0
    assert account["late"] <= held_up(plant)
    failed = {(item["chart"], item["signal"]) for item in items if item.get("kind") == "failed"}
    assert {("meter", "SAMPLE"), ("c1.billing", "SESSION_END")} <= failed
