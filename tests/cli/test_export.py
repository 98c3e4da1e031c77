from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from farscope import Event, Factory, Scope, broadcast


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
