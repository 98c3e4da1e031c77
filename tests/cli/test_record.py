from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from farscope.cli.outage import OutageTimer
from farscope.cli.record import Copy
from farscope.logs.base import Entry
from farscope.logs.recording.file import RecordingFile
from farscope.logs.recording.writer import RecordingWriter
from farscope.logs.url import open_log
from farscope.testing.waiting import eventually
from farscope.views.humanize import size_text
from support.program import Program


def test_a_snapshot_has_all_there_is_and_names_the_key(play, log_url, farscope, tmp_path):
    play("lamp")
    path = tmp_path / "run.farscope"
    done = farscope("record", path, log_url, "--snapshot")
    assert (done.returncode, done.stdout) == (0, "")
    account = done.stderr.splitlines()[-1]
    fingerprint = farscope("key", "show").stdout
    assert re.fullmatch(
        r"recorded \d+ batches of 1 probe, .* k?B, to be opened with the key [0-9a-f]{16}", account
    )
    assert account[-16:] in fingerprint
    size = size_text(path.stat().st_size)
    assert size in account.split(", ")
    assert f"recording of version 1, {size}, closed in order" in farscope("inspect", path).stdout
    shown = farscope("watch", path)
    assert len(shown.stdout.splitlines()) == 4


def test_no_key_is_needed_and_none_is_made(play, log_url, farscope, tmp_path, monkeypatch):
    play("lamp")
    elsewhere = tmp_path / "no keys here"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(elsewhere))
    monkeypatch.setenv("FARSCOPE_KEY_FILE", str(elsewhere / "none"))
    done = farscope("record", tmp_path / "run.farscope", log_url, "--snapshot")
    assert done.returncode == 0
    assert not elsewhere.exists()


def test_a_recording_stays_sealed(recording):
    data = recording.read_bytes()
    assert not [word for word in (b"lamp", b"PRESS", b"off") if word in data]


def size_of(path: Path) -> int:
    with RecordingFile(path) as file:
        return len(file.frames)


def stored(url: str) -> int:
    with closing(open_log(url).reader(0)) as reader:
        return len(reader.read(1.0))


def test_from_now_on_until_ctrl_c(play, log_url, tmp_path, farscope):
    play("before")
    path = tmp_path / "run.farscope"
    with Program("-m", "farscope", "record", str(path), log_url) as recorder:
        recorder.wait_err("recording")
        before = stored(log_url)
        play("lamp")
        eventually(lambda: size_of(path) == stored(log_url) - before)
        recorder.interrupt()
        assert recorder.wait() == 0
        assert recorder.err.splitlines()[-1].startswith("recorded ")
        assert "Traceback" not in recorder.err
    with RecordingFile(path) as file:
        assert file.indexed
    assert {line.split("] [")[1].split("]")[0] for line in farscope("watch", path).stdout.splitlines()} == {
        "lamp"
    }


def test_a_recorder_that_is_killed_leaves_a_recording(play, log_url, tmp_path, farscope):
    play("lamp")
    path = tmp_path / "run.farscope"
    with Program("-m", "farscope", "record", str(path), log_url, "--since", "start") as recorder:
        recorder.wait_err("recording")
        eventually(lambda: size_of(path) == stored(log_url))
        recorder.kill()
    shown = farscope("watch", path)
    assert len(shown.stdout.splitlines()) == 4


VICTIM = """
import sys, time
from farscope import Event, Factory, broadcast

lamp = Factory("victim", threaded=False)
lamp.create("off").catch("PRESS", lambda chart, _: chart.trans("on"))
lamp.create("on").catch("PRESS", lambda chart, _: chart.trans("off"))
lamp.nest("off", parent=None).nest("on", parent=None)
with broadcast(lamp, url=sys.argv[1]) as probe:
    lamp.start_at("off")
    lamp.dispatch(Event("PRESS"))
    assert probe.flush(30)
    print("stored", flush=True)
    time.sleep(3600)
"""


def test_every_verb_says_of_a_recording_what_nobody_knows_of_a_killed_program(log_url, tmp_path, farscope):
    with Program("-c", VICTIM, log_url) as victim:
        victim.wait_out("stored")
        victim.kill()
    path = tmp_path / "run.farscope"
    known = re.compile(r"unknown after batch \d+ of probe [0-9a-f]{32}")
    told = known.search(farscope("record", path, log_url, "--snapshot").stderr)
    assert told
    assert told[0] in farscope("inspect", path).stdout.splitlines()
    (unknown,) = json.loads(farscope("inspect", path, "--json").stdout)["unknown"]
    assert unknown["why"] == "no goodbye"
    account = "seen 2 steps of 1 probe, lost 0, unknown after step 2 of victim, duplicated 0"
    for words in (
        ("watch", path),
        ("replay", path, "--speed", "max"),
        ("export", path, "--format", "jsonl"),
        ("sequence", path),
        ("top", path),
    ):
        assert farscope(*words).stderr.splitlines()[-1].endswith(account), words


@pytest.mark.parametrize("how", ["behind", "snapshot"])
def test_a_recorder_that_is_ended_before_the_logs_end_says_so(tmp_path, how):
    class Endless:
        """A log to which more is added than anybody reads."""

        cut, caught_up, position = 0, False, {}

        def read(self, _timeout_s, limit=256):
            return [Entry(b"x", 1)] * min(limit, 3)

        close = interrupt = lambda _: None

    rounds = iter(range(3))
    with RecordingWriter(tmp_path / "run.farscope") as writer:
        copy = Copy(Endless(), writer, OutageTimer())
        copy.run(lambda: next(rounds, None) is None, to_present_end=how == "snapshot")
    assert copy.account(open_log("memory:x")).endswith("; ended before the log's end was reached")


def test_a_span_ends_it(log_url, tmp_path, farscope):
    path = tmp_path / "run.farscope"
    done = farscope("record", path, log_url, "--for", "50ms")
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == f"recorded 0 batches of 0 probes, {path.stat().st_size} B"


def test_a_recorder_that_waits_for_a_first_program_says_so(log_url, tmp_path, farscope):
    done = farscope("record", tmp_path / "run.farscope", log_url, "--for", "50ms")
    assert "nothing to record yet: the folder does not exist; waiting for it" in done.stderr.splitlines()


def test_a_part_of_a_recording_can_be_recorded_anew(recording, tmp_path, farscope):
    again = tmp_path / "again.farscope"
    assert farscope("record", again, recording).returncode == 0
    with RecordingFile(recording) as one, RecordingFile(again) as other:
        assert [one.entry(n) for n in range(len(one.frames))] == [
            other.entry(n) for n in range(len(other.frames))
        ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("sqlite:somewhere",), 2, "is an address, and a recording is a file"),
        (("there.farscope",), 2, "already exists"),
        (("none/run.farscope",), 4, "the folder exists"),
        (("run.farscope", "mars:x"), 4, "cannot be understood"),
        (("run.farscope", "none.farscope"), 4, "No such file"),
        (("run.farscope", "--since", "yesterday"), 2, "invalid span of time"),
    ],
)
def test_what_makes_no_sense_is_an_error_with_a_hint_and_leaves_no_file(
    arguments, code, says, tmp_path: Path, farscope
):
    (tmp_path / "there.farscope").touch()
    done = farscope("record", *arguments, folder=tmp_path)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert "hint: " in done.stderr
    assert not (tmp_path / "run.farscope").exists()
