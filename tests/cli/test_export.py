from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag

import pytest

from farscope import Event, Factory, Scope, broadcast
from farscope.cli.export import FORMATS
from farscope.wire.keys import Keyring, default_key_path, new_key_file


def lamp(name: str) -> Factory:
    chart = Factory(name, threaded=False)
    off = chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
    on = chart.create("on").catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
    return chart.nest(off, parent=None).nest(on, parent=None)


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:{tmp_path / 'log'}"
    charts = [lamp("hall"), lamp("stairs")]
    with broadcast(*charts, url=address):
        for chart in charts:
            chart.start_at("off")
            chart.dispatch(Event("PRESS"))
    return address


def export(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farscope", "export", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_json_lines_hold_what_the_charts_themselves_say(url):
    done = export(url, "--format", "jsonl")
    assert done.stderr == f"read {url}: seen 4 steps of 1 probe, lost 0, duplicated 0\n"
    told = [json.loads(line) for line in done.stdout.splitlines()]
    with Scope(url, since="start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, timeout_s=30)
        for name in ("hall", "stairs"):
            spy = [line for step in told if step["name"] == name for line in step["spy"]]
            assert spy == scope[name].spy()


def test_what_is_told_as_seen_is_what_is_written_also_while_a_chart_goes_on(url, tmp_path):
    stop = Flag()
    chart = lamp("busy")

    def press() -> None:
        while not stop.wait(0.001):
            chart.dispatch(Event("PRESS"))

    with broadcast(chart, url=url), ThreadPoolExecutor(1) as pool:
        chart.start_at("off")
        pressing = pool.submit(press)
        try:
            done = [export(url, "--format", "csv") for _ in range(3)]
        finally:
            stop.set()
        pressing.result(30)
    for one in done:
        rows = len(list(csv.reader(io.StringIO(one.stdout)))) - 1
        assert f": seen {rows:,} steps of 2 probes, lost 0," in one.stderr


def test_of_chosen_charts_it_tells_how_much_was_written(url):
    done = export(url, "--format", "csv", "--chart", "hall")
    assert len(list(csv.reader(io.StringIO(done.stdout)))) == 3
    assert done.stderr.splitlines() == [
        f"read {url}: seen 4 steps of 1 probe, lost 0, duplicated 0",
        "wrote 2 of 4 steps",
    ]


def test_each_format_is_what_it_is_called(url):
    assert json.loads(export(url, "--format", "perfetto").stdout)["displayTimeUnit"] == "ns"
    assert "resourceSpans" in json.loads(export(url, "--format", "otlp").stdout)
    assert len(list(csv.reader(io.StringIO(export(url, "--format", "csv").stdout)))) == 5
    assert export(url, "--format", "mermaid").stdout.startswith("stateDiagram-v2\n")
    assert export(url, "--format", "plantuml").stdout.startswith("@startuml\n")


def test_what_was_announced_and_not_seen_is_in_the_state_diagram(url):
    mermaid = export(url, "--format", "mermaid", "--chart", "hall").stdout
    assert "PRESS x 1" in mermaid
    assert "stairs" not in mermaid


def test_a_file_appears_only_when_it_is_whole(url, tmp_path):
    target = tmp_path / "run.csv"
    assert export(url, "--format", "csv", "--out", str(target)).returncode == 0
    assert target.read_text().count("\n") == 5
    untouched = tmp_path / "untouched.csv"
    assert export("nonsense:", "--format", "csv", "--out", str(untouched)).returncode != 0
    assert not untouched.exists()


def test_a_format_must_be_named(url):
    done = export(url)
    assert done.returncode == 2
    assert "--format" in done.stderr


def test_the_formats_there_are_stand_in_one_line(url):
    assert "choose from: perfetto, otlp," in export(url).stderr.lower()


def test_a_pipe_is_written_into_and_stays_one(url, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        assert export(url, "--format", "csv", "--out", str(pipe)).returncode == 0
        assert read.result(timeout=30).count("\n") == 5
    assert pipe.is_fifo()


def test_a_folder_that_is_not_there_is_an_error_with_a_hint(url, tmp_path):
    target = tmp_path / "none" / "run.csv"
    done = export(url, "--format", "csv", "--out", str(target))
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        f"error: {target}: no such file or directory",
        "hint: make the folder first, or give another path",
    ]


def test_with_the_wrong_key_it_is_an_error_and_no_file_appears(url, tmp_path):
    right = Keyring.load(default_key_path()).fingerprint
    wrong = tmp_path / "wrong"
    new_key_file(wrong)
    target = tmp_path / "run.csv"
    done = export(url, "--format", "csv", "--out", str(target), "--key", str(wrong))
    assert done.returncode == 3
    error, hint = done.stderr.splitlines()[-2:]
    assert error == "error: nothing here could be opened with your key"
    assert right in hint
    assert "--key" in hint
    assert not target.exists()


@pytest.mark.parametrize("form", ["csv", "perfetto", "mermaid", "plantuml", "jsonl", "otlp"])
def test_with_the_wrong_key_nothing_is_written_and_every_right_one_is_named(url, form, tmp_path):
    with broadcast(lamp("shed"), url=url, key=new_key_file(tmp_path / "other")):
        pass
    with Scope(url, key=new_key_file(tmp_path / "wrong"), since="start") as scope:
        assert scope.wait_for(lambda scope: scope.reached_end, 30)
        fingerprints = scope.foreign_keys
    assert len(fingerprints) == 2
    done = export(url, "--format", form, "--key", str(tmp_path / "wrong"))
    assert (done.returncode, done.stdout) == (3, "")
    assert f"fingerprints {', '.join(fingerprints)}" in done.stderr


def test_text_without_trace_lines_is_said_to_have_none(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing of the kind\n")
    done = export(str(tmp_path / "notes.txt"), "--format", "jsonl")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"no trace lines in {tmp_path / 'notes.txt'}\n"


def test_the_help_tells_every_format_and_what_it_is():
    text = " ".join(export("--help").stdout.split())
    assert [name for name, each in FORMATS.items() if f"{name}: {each.summary}" not in text] == []
