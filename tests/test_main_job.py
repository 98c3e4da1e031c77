"""The main job, end to end: charts in some processes, watched from others, sealed, with no server."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from farscope import Event, Factory, Scope, broadcast
from farscope.testing.waiting import eventually
from farscope.wire.keys import new_key_file
from support.program import Program

STEPS = 100_000
PIECE = 10_000
"""Steps between two flushes: a tight loop would outrun any log, and outrunning it is not the point here."""

PRODUCER = f"""
import sys
from pathlib import Path
from farscope import Event, Factory, broadcast

name, steps, url, key = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
chart = Factory(name, threaded=False)
chart.create("c1").catch("A", lambda chart, _: chart.trans("c2"))
chart.create("c2").catch("A", lambda chart, _: chart.trans("c1"))
chart.nest("c1", parent=None).nest("c2", parent=None)

def run(probe, steps):
    for number in range(1, steps + 1):
        chart.dispatch(Event("A"))
        if number % {PIECE} == 0 and not probe.flush(30):
            sys.exit(f"not stored: {{probe.stats}}")
    probe.flush(30)

with broadcast(chart, url=url, key=key) as probe:
    chart.start_at("c1")
    run(probe, steps // 2 - 1)
    print("half", flush=True)
    sys.stdin.read()
    run(probe, steps - steps // 2)
"""

WATCHER = """
import json, sys
from pathlib import Path
from farscope import Scope

url, key, since = sys.argv[1], Path(sys.argv[2]), (sys.argv[3:] or [None])[0]
had, disorder = {}, 0
with Scope(url=url, key=key, since=since) as scope:
    print("watching", flush=True)
    while True:
        over = len(scope.charts) == 2 and all(chart.status == "closed" for chart in scope.charts)
        steps = scope.take(0.1)
        for step in steps:
            disorder += step.number != had.get(step.chart.name, 0) + 1
            had[step.chart.name] = step.number
        if over and not steps:
            break
    stats = scope.stats
    print(json.dumps({"had": had, "disorder": disorder, "received": stats.received, "lost": stats.lost,
                      "duplicated": stats.duplicated, "unread": stats.unread}), flush=True)
"""


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    new_key_file(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def address(folder: Path, key_file: Path) -> tuple[str, str]:
    """What a watcher knows."""
    return f"sqlite:{folder}", str(key_file)


def toggle(name: str) -> Factory:
    chart = Factory(name, threaded=False)
    chart.create("c1").catch("A", lambda chart, _: chart.trans("c2"))
    chart.create("c2").catch("A", lambda chart, _: chart.trans("c1"))
    return chart.nest("c1", parent=None).nest("c2", parent=None)


def test_every_watcher_has_every_step_once_and_in_order_also_one_that_came_late(address):
    with ExitStack() as stack:
        watchers = [stack.enter_context(Program("-c", WATCHER, *address)) for _ in range(2)]
        for watcher in watchers:
            watcher.wait_out("watching")
        producers = [
            stack.enter_context(Program("-c", PRODUCER, name, str(STEPS), *address))
            for name in ("one", "two")
        ]
        for producer in producers:
            producer.wait_out("half", 60)
        watchers.append(stack.enter_context(Program("-c", WATCHER, *address, "start")))
        watchers[-1].wait_out("watching")
        for producer in producers:
            producer.end_input()
        for program in producers + watchers:
            assert program.wait(90) == 0, program.err
        for watcher in watchers:
            assert json.loads(watcher.out.splitlines()[-1]) == {
                "had": {"one": STEPS, "two": STEPS},
                "disorder": 0,
                "received": 2 * STEPS,
                "lost": 0,
                "duplicated": 0,
                "unread": 0,
            }


def test_of_a_killed_producer_what_was_stored_is_read_and_its_silence_told(address):
    url, key = address
    with Program("-m", "farscope", "watch", url, "--key", key) as watcher:
        watcher.wait_err("watching")
        with Program("-c", PRODUCER, "victim", "1000", *address) as producer:
            producer.wait_out("half")
            producer.kill()
        watcher.wait_err("victim: fell silent after step 500")
        watcher.interrupt()
        assert watcher.wait() == 0
        assert len(watcher.out.splitlines()) == 500
        assert watcher.err.splitlines()[-1] == (
            "seen 500 steps of 1 probe, lost 0, unknown after step 500 of victim, duplicated 0"
        )


def test_a_closed_producer_says_goodbye_and_is_never_called_silent(address):
    url, key = address
    with Program("-m", "farscope", "watch", url, "--key", key) as watcher:
        watcher.wait_err("watching")
        with Program("-c", PRODUCER, "polite", "10", *address) as producer:
            producer.end_input()
            assert producer.wait() == 0, producer.err
        watcher.wait_err("polite: closed")
        watcher.interrupt()
        watcher.wait()
        assert "silent" not in watcher.err


def test_without_the_right_key_nothing_is_readable_and_the_other_key_is_named(address, folder, tmp_path):
    url, key = address
    chart = toggle("the chart's name")
    with broadcast(chart, url=url, key=Path(key)):
        chart.start_at("c1")
    new_key_file(tmp_path / "other")
    with Scope(url, Path(tmp_path / "other"), "start") as scope:
        assert scope.wait_for(lambda scope: scope.stats.refused, 20)
        assert not scope.charts
        told = [notice.detail for notice in scope.notices()]
    assert any(re.search("sealed with another key.*[0-9a-f]{8}", detail) for detail in told)
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert stored
    assert b"the chart's name" not in stored
    assert b"start_at" not in stored


def test_a_watcher_without_its_key_file_gets_an_error_and_a_hint(address):
    url, _ = address
    with Program("-m", "farscope", "watch", url, "--key", "lost.key") as watcher:
        assert watcher.wait() == 3
        error, hint = watcher.err.splitlines()
        assert error.startswith("error: ")
        assert hint.startswith("hint: ")


def test_a_chart_runs_on_when_its_log_may_not_be_written(folder, key_file, caplog):
    folder.mkdir(mode=0o500)
    # Root may write to any folder of a disk, but to none of the kernel's own.
    unwritable = folder if os.geteuid() else Path("/sys/farscope")
    assert_runs_on_and_counts(f"sqlite:{unwritable}", key_file, caplog)


def test_a_chart_runs_on_when_its_log_cannot_be_made(folder, key_file, caplog):
    folder.write_text("in the way")
    assert_runs_on_and_counts(f"sqlite:{folder}", key_file, caplog)


def test_a_chart_runs_on_when_its_log_vanishes_and_what_is_lost_is_told(folder, key_file):
    chart = toggle("steady")
    probe = broadcast(chart, url=f"sqlite:{folder}", key=key_file)
    chart.start_at("c1")
    assert probe.flush(20)
    shutil.rmtree(folder)
    for _ in range(1000):
        chart.dispatch(Event("A"))
    probe.close()
    assert chart.state_name == "c1"
    stats = probe.stats
    assert stats.emitted == 1001 == stats.stored + sum(stats.dropped.values())
    assert stats.pending == 0


def assert_runs_on_and_counts(url: str, key_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    chart = toggle("steady")
    with caplog.at_level(logging.WARNING, "farscope"):
        probe = broadcast(chart, url=url, key=key_file)
        chart.start_at("c1")
        for _ in range(999):
            chart.dispatch(Event("A"))
        eventually(lambda: probe.stats.last_error, what="a word about the log")
        probe.close()
    assert chart.state_name == "c2"
    stats = probe.stats
    assert (stats.emitted, stats.stored, sum(stats.dropped.values()), stats.pending) == (1000, 0, 1000, 0)
    assert any("1000 steps were not stored" in record.getMessage() for record in caplog.records)
