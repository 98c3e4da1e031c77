from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from farscope import Event, Factory, broadcast
from farscope.wire.keys import Keyring, default_key_path, new_key_file

GOLDEN = Path(__file__).parents[1] / "views" / "sequence" / "golden"


def sequence(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farscope", "sequence", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return a log of a lamp whose button was pressed forty times."""
    address = f"sqlite:{tmp_path / 'log'}"
    chart = Factory("lamp", threaded=False)
    off = chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
    on = chart.create("on").catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
    chart.nest(off, parent=None).nest(on, parent=None)
    with broadcast(chart, url=address):
        chart.start_at("off")
        for _ in range(40):
            chart.dispatch(Event("PRESS"))
    return address


@pytest.mark.parametrize("name", ["miros-example", "arrows", "blocks"])
def test_trace_lines_on_standard_input_become_the_picture(name):
    lines, _, picture = (GOLDEN / f"{name}.txt").read_text().partition("\n\n")
    noise = "\n".join(f"noise\n  {line}" for line in lines.splitlines())
    done = sequence("-", given=noise)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == picture


def test_a_log_is_drawn_up_to_its_present_end_and_loops_are_folded(url):
    done = sequence(url)
    assert ".-- x 20 (2..41) -" in done.stdout
    assert done.stderr == f"read {url}: seen 41 steps of 1 probe, lost 0, duplicated 0\n"


def test_every_format_can_be_asked_for(url, tmp_path):
    assert sequence(url, "--format", "mermaid").stdout.startswith("sequenceDiagram\n")
    assert sequence(url, "--format", "plantuml").stdout.endswith("@enduml\n")
    assert "(41)" in sequence(url, "--by", "chart", "--fold", "0").stdout
    picture = tmp_path / "picture.svg"
    assert sequence(url, "--format", "svg", "--out", str(picture)).stdout == ""
    assert ET.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - made here


def test_a_part_of_a_run_can_be_chosen():
    lines = (GOLDEN / "blocks.txt").read_text()
    assert sequence("-", "--last", "1", given=lines).stdout.count("(1)") == 1
    assert "Chart: one" not in sequence("-", "--chart", "t*", given=lines).stdout
    assert "start_at" not in sequence("-", "--signal", "B", given=lines).stdout
    window = sequence("-", "--from", "2018-01-10 13:14:27", "--to", "2018-01-10 13:14:28", given=lines).stdout
    assert "(2)" in window
    assert "(3)" not in window


def test_a_file_with_trace_lines_is_read_like_standard_input():
    lines, _, picture = (GOLDEN / "miros-example.txt").read_text().partition("\n\n")
    assert sequence(str(GOLDEN / "miros-example.txt")).stdout == picture
    assert lines


def test_text_without_a_trace_line_says_that_there_is_nothing():
    done = sequence("-", given="nothing here\n")
    assert done.returncode == 0
    assert done.stdout.strip() == "nothing to show"


def test_a_moment_nobody_understands_is_told_with_what_one_looks_like():
    done = sequence("-", "--from", "soon", given="")
    assert done.returncode == 2
    assert "invalid time 'soon'" in done.stderr


def test_what_fits_no_chart_and_no_signal_is_told_as_mistyped(url):
    done = sequence(url, "--chart", "lmap", "--chart", "l*", "--signal", "PERSS")
    assert done.returncode == 0
    assert done.stdout.strip() == "nothing to show"
    assert done.stderr.splitlines()[1:] == ["no chart matched 'lmap'", "no signal matched 'PERSS'"]


def test_what_was_asked_for_and_lies_outside_the_window_was_not_mistyped(url):
    done = sequence(url, "--chart", "lamp", "--to", "2018-01-10")
    assert done.stdout.strip() == "nothing to show"
    assert done.stderr.splitlines()[1:] == ["chart 'lamp' matched, but has no step there"]


def test_of_a_recording_the_day_is_its_own(recording, farscope):
    text = farscope("watch", recording).stdout.splitlines()[-1]
    of_day = text[len("[2026-01-10 ") : text.index("]")]
    done = farscope("sequence", recording, "--from", of_day, "--to", of_day)
    assert "(1)" in done.stdout


@pytest.mark.parametrize("verb", ["sequence", "replay"])
def test_who_looks_beside_a_recording_is_told_from_when_to_when_it_is(verb, recording, farscope):
    done = farscope(verb, recording, "--from", "2h")
    assert done.returncode == 0
    told = r"nothing lies there: the recording is from [-\d]+ [:.\d]+ to [-\d]+ [:.\d]+"
    assert [line for line in done.stderr.splitlines() if re.fullmatch(told, line)]


@pytest.mark.parametrize(
    ("verb", "first"), [("sequence", "start_at()"), ("replay", "e->start_at() top->off")]
)
def test_from_the_very_beginning_nothing_is_left_out(verb, first, recording, farscope):
    done = farscope(verb, recording, "--from", "0s", "--to", "2h")
    assert first in done.stdout
    assert "nothing lies there" not in done.stderr


def test_with_the_wrong_key_it_is_an_error_that_names_the_right_one(recording, farscope, tmp_path):
    new_key_file(tmp_path / "wrong")
    done = farscope("sequence", recording, "--key", tmp_path / "wrong")
    assert (done.returncode, done.stdout) == (3, "")
    assert Keyring.load(default_key_path()).fingerprint in done.stderr.splitlines()[-1]
