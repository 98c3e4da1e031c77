from __future__ import annotations

import json
import re
from pathlib import Path

import pytest


def test_it_tells_probes_spans_and_sizes_without_a_key(recording, farscope, tmp_path, monkeypatch):
    monkeypatch.setenv("FARSCOPE_KEY_FILE", str(tmp_path / "none"))
    done = farscope("inspect", recording)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"file:{recording}"
    assert re.fullmatch(r"recording of version 1, .* k?B, closed in order", lines[1])
    assert re.fullmatch(r"\d+ batches of 1 probe, .* sealed", lines[2])
    assert re.fullmatch(r"[0-9a-f]{32}  [0-9a-f]{16} .* goodbye", lines[-1])
    assert "lamp" not in done.stdout


def test_a_log_is_inspected_like_a_recording(recording, log_url, farscope):
    of_log = json.loads(farscope("inspect", log_url, "--json").stdout)
    of_file = json.loads(farscope("inspect", recording, "--json").stdout)
    assert of_log["file"] is None
    assert of_log["probes"] == of_file["probes"]
    assert of_file["whole"]


@pytest.mark.parametrize("spoil", ["cut", "change", "gap"])
def test_what_is_not_whole_ends_with_1_and_says_what(recording, farscope, spoil):
    data = bytearray(recording.read_bytes())
    if spoil == "cut":
        data = data[: len(data) // 2]
    elif spoil == "change":
        data[60] ^= 1
    else:
        data[24 + 16 :] = b"\0" * 300 + data[24 + 16 + 300 :]
    recording.write_bytes(data)
    done = farscope("inspect", recording)
    assert done.returncode == 1
    assert {"cut": "torn: ", "change": "changed: ", "gap": "with another checksum"}[spoil] in done.stdout


def test_a_file_of_a_log_that_is_not_whole_is_named(log_url, play, farscope, tmp_path):
    play("lamp")
    (path,) = Path(log_url.removeprefix("sqlite:")).glob("*.fslog")
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"?" + content[101:])
    done = farscope("inspect", log_url)
    assert done.returncode == 1
    assert f"unknown what else {path.name} holds (unreadable)" in done.stdout
    (unknown,) = json.loads(farscope("inspect", log_url, "--json").stdout)["unknown"]
    assert (unknown["subject"], unknown["detail"]) == (path.name, "batches of it that are damaged: 1")
    done = farscope("record", "--snapshot", tmp_path / "run.farscope", log_url)
    assert f"unknown what else {path.name} holds (unreadable)" in done.stderr


def test_nothing_at_all_is_whole(tmp_path, farscope):
    empty = tmp_path / "run.farscope"
    assert farscope("record", empty, f"sqlite:{tmp_path}", "--for", "50ms").returncode == 0
    done = farscope("inspect", empty)
    assert (done.returncode, done.stdout.splitlines()[2]) == (0, "0 batches of 0 probes, 0 B sealed")


def test_what_is_no_recording_is_an_error(tmp_path, farscope):
    (tmp_path / "x.farscope").write_text("hello")
    done = farscope("inspect", tmp_path / "x.farscope")
    assert done.returncode == 4
    assert "is not a recording" in done.stderr
