"""The embedded log the whole way: many living programs, few descriptors, files that others spoil."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from farscope import Event, Factory, Scope, broadcast
from farscope.scope.unknown import Why
from farscope.testing.waiting import eventually
from farscope.wire.keys import new_key_file
from support.program import Program

STEPS = 20
"""Made by each producer, the start among them."""

PRODUCERS = """
import os, sys
from pathlib import Path
from farscope import Event, Factory, broadcast

url, key, total = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
ended, end = os.pipe()
children = []
for number in range(total):
    if (pid := os.fork()) == 0:
        os.close(end)
        lamp = Factory(f"lamp {number}", threaded=False)
        lamp.create("off").catch("PRESS", lambda chart, e: chart.trans("on"))
        lamp.create("on").catch("PRESS", lambda chart, e: chart.trans("off"))
        lamp.nest("off", parent=None).nest("on", parent=None)
        with broadcast(lamp, url=url, key=key) as probe:
            lamp.start_at("off")
            for _ in range(STEPS - 1):
                lamp.dispatch(Event("PRESS"))
            assert probe.flush(60)
            print("stored", number, flush=True)
            os.read(ended, 1)
        os._exit(0)
    children.append(pid)
sys.stdin.read()
os.close(end)
for pid in children:
    os.waitpid(pid, 0)
print("all ended", flush=True)
""".replace("STEPS", str(STEPS))

WATCHER = """
import resource, sys
from pathlib import Path
from farscope import Scope

url, key, expected, descriptors = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
with Scope(url, key) as scope:
    print("ready", flush=True)
    while scope.stats.received < expected:
        scope.take(0.2, 10_000)
    stats = scope.stats
    print("seen", stats.received, "of", stats.probes, "lost", stats.lost, "cut", stats.cut, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key_file(tmp_path / "key")
    return tmp_path / "key"


@pytest.mark.parametrize(
    ("producers", "descriptors"),
    [
        (30, 24),
        pytest.param(400, 256, marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
        pytest.param(400, 32, marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
def test_every_step_of_more_living_producers_than_descriptors_is_seen(
    tmp_path: Path, key: Path, producers: int, descriptors: int
):
    url = f"sqlite:{tmp_path / 'log'}"
    expected = producers * STEPS
    with Program("-c", WATCHER, url, str(key), str(expected), str(descriptors)) as watcher:
        watcher.wait_out("ready")
        with Program("-c", PRODUCERS, url, str(key), str(producers)) as living:
            eventually(lambda: living.out.count("stored") == producers, timeout_s=2 * producers)
            watcher.wait_out(f"seen {expected} of {producers} lost 0 cut 0", timeout_s=2 * producers)
            living.end_input()
            living.wait_out("all ended", timeout_s=2 * producers)


def lamp() -> Factory:
    chart = Factory("lamp", threaded=False)
    chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on"))
    chart.create("on").catch("PRESS", lambda chart, _: chart.trans("off"))
    return chart.nest("off", parent=None).nest("on", parent=None)


def test_files_cut_short_under_a_program_and_its_watcher_end_neither(tmp_path: Path, key: Path):
    url = f"sqlite:{tmp_path / 'log'}"
    with (
        Program("-c", WATCHER, url, str(key), str(10**9), "256") as watcher,
        Program("-c", PRODUCERS, url, str(key), "1") as living,
    ):
        watcher.wait_out("ready")
        living.wait_out("stored")
        for _ in range(3):
            before = set((tmp_path / "log").glob("*.fslog"))
            for path in (tmp_path / "log").iterdir():
                os.truncate(path, 0)
            # Its heartbeat finds the file cut short, and goes on in a new one.
            eventually(lambda before=before: set((tmp_path / "log").glob("*.fslog")) - before)
        living.end_input()
        living.wait_out("all ended")
        watcher.interrupt()
        assert watcher.wait() == -signal.SIGINT


def test_what_is_made_for_a_user_is_closed_to_others_even_without_an_umask(tmp_path: Path, monkeypatch):
    for name, value in {
        "HOME": "home",
        "XDG_STATE_HOME": "home/state",
        "XDG_CONFIG_HOME": "home/config",
    }.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    before = os.umask(0)
    try:
        chart = lamp()
        with broadcast(chart) as probe:
            chart.start_at("off")
            assert probe.flush(20)
    finally:
        os.umask(before)
    made = list((tmp_path / "home").rglob("*"))
    assert {path.suffix for path in made} >= {".fslog"}
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@pytest.mark.parametrize("place", [0.5, 1.0])
def test_steps_in_a_damaged_file_are_unknown_or_lost_and_never_said_to_be_all(
    tmp_path: Path, key: Path, place: float
):
    url, chart = f"sqlite:{tmp_path / 'log'}", lamp()
    with broadcast(chart, url=url, key=key) as probe:
        chart.start_at("off")
        for _ in range(STEPS - 1):
            chart.dispatch(Event("PRESS"))
            assert probe.flush(20)
    (path,) = (tmp_path / "log").glob("*.fslog")
    content = bytearray(path.read_bytes())
    # What comes last is the goodbye, and without it nobody knows what else there was.
    at = len(content) // 2 if place < 1 else len(content) - 40
    content[at] ^= 0xFF
    path.write_bytes(content)
    with Scope(url, key, since="start") as scope:
        eventually(lambda: scope.take(0.1, 1000) or scope.caught_up)
        eventually(lambda: scope.caught_up)
        stats = scope.stats
        assert stats.received + stats.missing == STEPS
        assert (stats.missing > 0) == (place < 1)
        assert path.name in {each.subject for each in stats.unknown if each.why is Why.UNREADABLE}
