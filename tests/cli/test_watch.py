from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from farscope import Event, Factory, broadcast, return_status, signals
from farscope.cli.step_printer import ALARMING
from farscope.logs.recording.writer import RecordingWriter
from farscope.logs.url import open_log
from farscope.records.text import without_all_remarks
from farscope.scope.notice import INTRODUCING, NoticeKind
from farscope.wire.keys import default_key_path, new_key_file
from support.program import Program

TRACE_LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\] \[.+\] e->\w+\(\) \S+->\S+")

STAMPED = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\] ")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'log'}"


def lamp(name: str) -> Factory:
    chart = Factory(name, threaded=False)
    off = chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
    on = (
        chart.create("on")
        .catch("PRESS", lambda chart, _: chart.trans("off"))
        .catch("BREAK", _breaks)
        .to_method()
    )
    return chart.nest(off, parent=None).nest(on, parent=None)


def _breaks(chart: Factory, e: Event):
    raise OSError("bulb\x1b[2J")


def play(url: str, *names: str, presses: int = 1) -> None:
    """Run a lamp of each name, press its button, and leave with a goodbye."""
    charts = [lamp(name) for name in names]
    with broadcast(*charts, url=url):
        for chart in charts:
            chart.start_at("off")
            for _ in range(presses):
                chart.dispatch(Event("PRESS"))


def watch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Watch what is there already."""
    command = [sys.executable, "-m", "farscope", "watch", "--since", "start", "--for", "300ms", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    # On a busy machine any step may take long.
    done.stdout = without_all_remarks(done.stdout)
    return done


def test_piped_output_is_plain_trace_lines_and_nothing_else(url):
    play(url, "lamp", presses=3)
    done = watch(url)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.rpartition("] ")[2] for line in lines] == [
        "e->start_at() top->off",
        "e->PRESS() off->on",
        "e->PRESS() on->off",
        "e->PRESS() off->on",
    ]
    assert all(TRACE_LINE.fullmatch(line) for line in lines)


def test_what_appeared_and_said_goodbye_and_the_account_go_to_standard_error(url):
    play(url, "lamp")
    told = watch(url).stderr.splitlines()
    assert told[0] == f"watching {url}; Ctrl-C ends"
    assert [line.rpartition("] ")[2] for line in told[1:-1]] == ["lamp: appeared", "lamp: closed"]
    assert all(STAMPED.match(line) for line in told[1:-1])
    assert told[-1] == "seen 2 steps of 1 probe, lost 0, duplicated 0"


def test_spy_shows_every_fact_with_its_time_and_chart(url):
    play(url, "lamp")
    shown = watch(url, "--spy").stdout.splitlines()
    facts = [line.partition("] [lamp] ")[2] for line in shown]
    pressed = facts[facts.index("e->PRESS() off->on") + 1 :]
    assert pressed[0] == "PRESS:off"
    assert {"EXIT_SIGNAL:off", "ENTRY_SIGNAL:on", "INIT_SIGNAL:on"} < set(pressed)
    assert pressed[-1] == "<- Queued:(0) Deferred:(0)"


def guarded() -> Factory:
    """A door that refuses to open, ignores a knock, handles a look, and fails when broken."""
    chart = Factory("door", threaded=False)
    shut = (
        chart.create("shut")
        .catch("OPEN", lambda _chart, _event: return_status.UNHANDLED)
        .catch("LOOK", lambda _chart, _event: return_status.HANDLED)
        .catch("BREAK", _breaks)
        .to_method()
    )
    return chart.nest(shut, parent=None)


def play_guarded(url: str) -> None:
    chart = guarded()
    with broadcast(chart, url=url):
        chart.start_at("shut")
        for name in ("KNOCK", "OPEN", "LOOK"):
            chart.dispatch(Event(name))
        with pytest.raises(OSError, match="bulb"):
            chart.dispatch(Event("BREAK"))


CAME_TO_NOTHING = [
    "[door, ignored] e->KNOCK() in shut",
    "[door, refused] e->OPEN() in shut",
    "[door, failed] e->BREAK() in shut",
]


def test_spy_tells_ignored_refused_and_failed_events_apart_and_leaves_their_facts_alone(url):
    play_guarded(url)
    shown = [line.partition("] ")[2] for line in watch(url, "--spy").stdout.splitlines()]
    assert [line for line in shown if line.startswith("[door, ")] == CAME_TO_NOTHING
    at = shown.index(CAME_TO_NOTHING[0])
    assert shown[at + 1 : at + 3] == ["[door] KNOCK:shut", "[door] <- Queued:(0) Deferred:(0)"]


def test_on_a_terminal_events_that_came_to_nothing_have_a_line_and_in_a_pipe_they_do_not(url):
    play_guarded(url)
    command = [sys.executable, "-m", "farscope", "watch", url, "--since", "start", "--for", "300ms"]
    shown = re.sub(r"\x1b\[\d*m", "", in_terminal(command))
    lines = [
        line.partition("] ")[2] for line in without_all_remarks(shown.replace("\r\n", "\n")).splitlines()
    ]
    assert lines == ["[door] e->start_at() top->shut", *CAME_TO_NOTHING]
    assert len(watch(url).stdout.splitlines()) == 1


def test_only_chosen_charts_are_shown_and_the_others_counted(url):
    play(url, "hall lamp", "desk lamp", "door")
    done = watch(url, "--chart", "hall*", "--chart", "door@*")
    assert {line.partition("] [")[2].partition("]")[0] for line in done.stdout.splitlines()} == {
        "hall lamp",
        "door",
    }
    assert "seen 6 steps" in done.stderr


def test_notices_about_charts_that_are_not_chosen_are_left_out(url):
    play(url, "hall lamp", "door")
    told = watch(url, "--chart", "door").stderr
    assert "door: appeared\n" in told
    assert "door: closed\n" in told
    assert "hall lamp" not in told


def test_a_glob_that_matched_no_chart_is_told_at_the_end(url):
    play(url, "lamp")
    done = watch(url, "--chart", "lamb*", "--chart", "lam[p]")
    assert done.stderr.splitlines()[-2] == "no chart matched 'lamb*'"
    assert "lam[p]" not in done.stderr


def test_json_is_one_object_a_step(url):
    play(url, "lamp")
    items = [json.loads(line) for line in watch(url, "--json").stdout.splitlines()]
    steps = [item for item in items if "notice" not in item]
    assert [(step["chart"], step["signal"], step["end"]) for step in steps] == [
        ("lamp", "start_at", "off"),
        ("lamp", "PRESS", "on"),
    ]


def test_with_json_notices_are_dated_objects_in_their_place(url):
    play(url, "lamp")
    done = watch(url, "--json")
    items = [json.loads(line) for line in done.stdout.splitlines()]
    assert [item.get("notice", item.get("signal")) for item in items] == [
        "appeared",
        "start_at",
        "PRESS",
        "closed",
    ]
    times = [item["time_ns"] if "notice" in item else item["ended_ns"] for item in items]
    assert times == sorted(times)
    closed = items[-1]
    assert (closed["chart"], closed["text"]) == ("lamp", "lamp: closed")
    assert datetime.fromisoformat(closed["time"]).timestamp() == pytest.approx(closed["time_ns"] / 1e9)
    assert "] lamp: closed\n" in done.stderr


def test_what_there_is_to_tell_stands_in_its_place_between_the_steps(url):
    play_guarded(url)
    command = [sys.executable, "-m", "farscope", "watch", url, "--spy", "--since", "start", "--for", "300ms"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )
    bare = without_all_remarks(done.stdout)
    lines = [re.sub(r" \(test_watch.*", "", line.partition("] ")[2]) for line in bare.splitlines()]
    assert lines[1:3] == ["door: appeared", "[door] e->start_at() top->shut"]
    failed = lines.index("[door, failed] e->BREAK() in shut")
    assert lines[failed + 1].startswith("[door] BREAK:shut")
    assert lines[-3:-1] == ["door: BREAK failed in shut: OSError: bulb\\x1b[2J", "door: closed"]
    stamps = [line[:28] for line in done.stdout.splitlines()[1:-1]]
    assert stamps == sorted(stamps)


def test_with_json_the_account_is_an_object_too_before_the_line_for_people(url):
    play(url, "lamp")
    *_, account, line = watch(url, "--json").stderr.splitlines()
    told = json.loads(account)["account"]
    assert (told["received"], told["lost"], told["missing"], told["unknown"]) == (2, 0, 0, [])
    assert line == "seen 2 steps of 1 probe, lost 0, duplicated 0"


@pytest.mark.parametrize("options", [(), ("--spy",), ("--json",)])
def test_hostile_names_are_shown_and_never_sent(url, options):
    hostile = "lamp\n[fake] \x1b]0;owned\x07\x9b2J\u202e"
    play(url, hostile)
    done = watch(url, *options)
    assert done.stdout
    assert not set(done.stdout + done.stderr) & set("\x1b\x07\x9b\u202e\r")
    assert all("lamp\\n" in line for line in done.stdout.splitlines())


def test_a_handlers_failure_is_told_without_asking_for_it(url):
    chart = lamp("lamp")
    with broadcast(chart, url=url):
        chart.start_at("on")
        with pytest.raises(OSError, match="bulb"):
            chart.dispatch(Event("BREAK"))
    told = watch(url).stderr
    assert re.search(
        r"lamp: BREAK failed in on: OSError: bulb\\x1b\[2J \(test_watch\.py, line \d+\)$", told, re.MULTILINE
    )


def test_a_failure_names_the_state_that_was_being_entered_or_left(url):
    chart = Factory("till", threaded=False)

    def fail(_chart, _event):
        raise ValueError("stuck")

    shut = chart.create("shut").catch("OPEN", lambda chart, _: chart.trans("open"))
    shut.catch("LOCK", lambda chart, _: chart.trans("locked")).catch("OWN", fail)
    chart.create("open").catch(signals.ENTRY_SIGNAL, fail)
    chart.create("locked").catch(signals.INIT_SIGNAL, fail)
    for state in ("shut", "open", "locked"):
        chart.nest(state, parent=None)
    with broadcast(chart, url=url):
        chart.start_at("shut")
        for signal in ("OPEN", "LOCK", "OWN"):
            with pytest.raises(ValueError, match="stuck"):
                chart.dispatch(Event(signal))
    told = re.findall(r"till: (\w+) failed in (.*): ValueError: stuck \(test_watch", watch(url).stderr)
    assert told == [
        ("OPEN", "shut while entering open"),
        ("LOCK", "shut while choosing the initial state of locked"),
        ("OWN", "shut"),
    ]


@pytest.mark.parametrize("verb", ["watch", "top"])
def test_a_mistyped_folder_is_told_when_the_time_to_wait_is_over(verb, tmp_path, farscope):
    new_key_file(default_key_path())
    done = farscope(verb, f"sqlite:{tmp_path / 'typo'}", "--for", "100ms")
    assert done.returncode == 0
    assert f"there is no log in {tmp_path / 'typo'}: " in done.stderr.splitlines()[-1]


def test_on_a_terminal_a_failure_is_red_a_refusal_is_not_and_neither_has_a_charts_colour(url):
    play_guarded(url)
    command = [sys.executable, "-m", "farscope", "watch", url, "--since", "start", "--for", "300ms"]
    colours = re.findall(r"\x1b\[(\d+)m\[[^]]+\] \[door, (\w+)\]", in_terminal(command))
    assert {word: colour for colour, word in colours} == {"ignored": "90", "refused": "33", "failed": "31"}


def test_a_terminal_gets_colours_that_are_the_same_for_a_chart_everywhere(url):
    play(url, "lamp", "door")
    command = [sys.executable, "-m", "farscope", "watch", url, "--since", "start", "--for", "300ms"]
    shown = in_terminal(command)
    colours = {name: colour for colour, name in re.findall(r"\x1b\[(\d+)m\[[^]]+\] \[(\w+)\]", shown)}
    assert colours.keys() == {"lamp", "door"}
    again = re.findall(r"\x1b\[(\d+)m\[[^]]+\] \[(\w+)\]", in_terminal(command))
    assert {name: colour for colour, name in again} == colours


def test_no_color_is_respected(url, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    play(url, "lamp")
    command = [sys.executable, "-m", "farscope", "watch", url, "--since", "start", "--for", "300ms"]
    assert "\x1b[" not in in_terminal(command)


def test_ctrl_c_ends_it_cleanly_with_the_account(url):
    with Program("-m", "farscope", "watch", url) as watcher:
        watcher.wait_err("watching")
        play(url, "lamp", presses=2)
        watcher.wait_out("e->PRESS() on->off")
        watcher.interrupt()
        assert watcher.wait() == 0
        assert watcher.err.splitlines()[-1] == "seen 3 steps of 1 probe, lost 0, duplicated 0"
        assert "Traceback" not in watcher.err


def test_lines_come_while_the_chart_runs_also_through_a_pipe(url):
    chart = lamp("lamp")
    with Program("-m", "farscope", "watch", url) as watcher, broadcast(chart, url=url):
        watcher.wait_err("watching")
        chart.start_at("off")
        watcher.wait_out("e->start_at() top->off")
        chart.dispatch(Event("PRESS"))
        watcher.wait_out("e->PRESS() off->on")


def test_a_span_counts_from_when_the_past_was_shown(long_url):
    command = [sys.executable, "-m", "farscope", "watch", long_url, "--since", "start", "--for", "100ms"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 200_001
    assert done.stderr.splitlines()[-1] == "seen 200,001 steps of 1 probe, lost 0, duplicated 0"


def test_a_reader_that_has_enough_ends_it_quietly(url):
    play(url, "lamp", presses=5)
    watching = f'"{sys.executable}" -m farscope watch "{url}" --since start 2>/dev/null'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {watching} | head -n 1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)


def test_another_key_is_named_by_its_fingerprint_and_opens_nothing(url, tmp_path):
    play(url, "lamp")
    new_key_file(tmp_path / "other.key")
    done = watch(url, "--key", str(tmp_path / "other.key"))
    assert done.returncode == 3
    assert done.stdout == ""
    fingerprint = re.search(r"refused a batch: .*another key.*?([0-9a-f]{8,})", done.stderr)[1]
    account, error, hint = done.stderr.splitlines()[-3:]
    assert "refused" in account
    assert error == "error: nothing here could be opened with your key"
    assert hint == f"hint: sealed with another key (fingerprint {fingerprint}); pass its key file with --key"


def test_several_other_keys_are_all_named(url, tmp_path, monkeypatch):
    play(url, "lamp")
    for name in ("other.key", "third.key"):
        new_key_file(tmp_path / name)
    monkeypatch.setenv("FARSCOPE_KEY_FILE", str(tmp_path / "other.key"))
    play(url, "fan")
    done = watch(url, "--key", str(tmp_path / "third.key"))
    assert done.returncode == 3
    sealed = r"hint: sealed with other keys \(fingerprints [0-9a-f]+, [0-9a-f]+\); "
    hint = sealed + "pass a matching key file with --key"
    assert re.fullmatch(hint, done.stderr.splitlines()[-1])


def test_a_log_another_key_sealed_in_part_is_no_error(url, tmp_path, monkeypatch):
    play(url, "lamp")
    new_key_file(tmp_path / "other.key")
    monkeypatch.setenv("FARSCOPE_KEY_FILE", str(tmp_path / "other.key"))
    play(url, "door")
    done = watch(url)
    assert done.returncode == 0
    assert "[door] e->start_at()" in done.stdout
    assert "refused" in done.stderr.splitlines()[-1]


def test_a_recording_another_key_sealed_is_an_error_also_without_a_span(url, tmp_path):
    play(url, "lamp")
    new_key_file(tmp_path / "other.key")
    path = record(url, tmp_path)
    command = [sys.executable, "-m", "farscope", "watch", str(path), "--key", str(tmp_path / "other.key")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("mars:somewhere",), 4),
        (("--since", "yesterday"), 2),
        (("--for", "soon"), 2),
        (("--key", "no-such-file"), 3),
        (("--loud",), 2),
    ],
    ids=["address", "since", "for", "key", "option"],
)
def test_what_makes_no_sense_is_an_error_with_a_hint_and_its_exit_code(url, arguments, code):
    address = [] if arguments[0].startswith("mars") else [url]
    command = [sys.executable, "-m", "farscope", "watch", *address, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")


def test_every_kind_of_notice_is_told_on_one_side_of_the_steps():
    assert not ALARMING & INTRODUCING
    assert set(NoticeKind) >= ALARMING | INTRODUCING


def in_terminal(command: list[str]) -> str:
    """Return what a command prints when its standard output is a terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command, stdout=its, stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm-256color"}
    )
    os.close(its)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # Linux tells the end of a terminal this way
        pass
    finally:
        os.close(ours)
        process.wait()
    return shown.decode()


def record(url: str, folder: Path) -> Path:
    """Write what the log holds into a recording."""
    path = folder / "run.farscope"
    with closing(open_log(url).reader(0)) as reader, RecordingWriter(path) as writer:
        writer.append(reader.read(1.0))
    return path


def test_a_recording_is_shown_to_its_end_with_the_account(url, tmp_path):
    play(url, "lamp", presses=3)
    path = record(url, tmp_path)
    command = [sys.executable, "-m", "farscope", "watch", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4)
    assert done.stderr.splitlines()[-1] == "seen 4 steps of 1 probe, lost 0, duplicated 0"


@pytest.mark.parametrize("name", ["[1] lamp*", "lamp #2", "lamp@home"])
def test_a_chart_can_be_chosen_by_its_name_and_by_the_label_it_is_shown_with(name, play, log_url, farscope):
    play(name, "other")
    shown = farscope("watch", log_url, "--since", "start", "--for", "0s", "--json", "--chart", name)
    labels = {json.loads(line)["chart"] for line in shown.stdout.splitlines()}
    assert len(labels) == 1
    by_label = farscope("watch", log_url, "--since", "start", "--for", "0s", "--json", "--chart", *labels)
    assert by_label.stdout == shown.stdout


CHARGER = """
import logging
from farscope import Event, broadcast, fields
from farscope.engine import Chart, State

logging.basicConfig(filename={log_file!r}, level=logging.INFO)

class Charger(Chart):
    idle = State(initial=True)
    charging = State()
    amps, temp = 0, 20.5

    @idle.on("PLUG", to=charging)
    def plug(self):
        self.amps = 16
        logging.info("plugged in")

chart = Charger("charger", threaded=False)
with broadcast(chart, url={url!r}, values=fields("amps", "temp"), logs="INFO"):
    chart.start_at()
    chart.dispatch(Event("PLUG"))
    chart.dispatch(Event("OTHER"))
"""


def test_values_and_log_records_of_another_program_are_shown_as_text_and_as_json(url, tmp_path):
    log_file = tmp_path / "charger.log"
    program = CHARGER.format(url=url, log_file=str(log_file))
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    lines = [STAMPED.sub("", line) for line in watch(url, "--values").stdout.splitlines()]
    assert "[charger, values] amps=16" in lines
    assert any("plugged in" in line and "INFO" in line for line in lines)
    rows = [json.loads(line) for line in watch(url, "--json").stdout.splitlines()]
    assert [row["values"] for row in rows if "values" in row] == [{"amps": 0, "temp": 20.5}, {"amps": 16}, {}]
    assert log_file.read_text().strip().endswith("plugged in")
