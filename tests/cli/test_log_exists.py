"""A mistyped address does not look like a log that is empty."""

from __future__ import annotations

import socket

import pytest

from farscope.cli.log_exists import check_place, why_no_log
from farscope.errors import LogRefused
from farscope.logs.memory import MemoryLog
from farscope.logs.url import open_log

VERBS = {
    "inspect": ["inspect", "{}"],
    "record": ["record", "run.farscope", "{}", "--snapshot"],
    "export": ["export", "{}", "--format", "csv"],
    "sequence": ["sequence", "{}"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_where_no_program_has_broadcast_the_verbs_of_the_past_say_so(verb, farscope, tmp_path):
    done = farscope(*(part.format("sqlite:nowhere_at_all") for part in VERBS[verb]), folder=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        f"error: there is no log in {tmp_path / 'nowhere_at_all'}: the folder does not exist\n"
        "hint: check the address; a log is made by the first program that calls broadcast(chart, url=...) "
        "with it\n"
    )
    assert list(tmp_path.glob("*.farscope")) == []


@pytest.mark.parametrize("verb", VERBS)
def test_where_nothing_listens_the_verbs_of_the_past_end_and_say_so(verb, farscope, tmp_path, monkeypatch):
    monkeypatch.setenv("FARSCOPE_KEY", "A" * 43)
    with socket.socket() as taken:
        # Bound, and not listening: nobody else can listen there meanwhile.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = farscope(*(part.format(f"amqp://127.0.0.1:{port}/") for part in VERBS[verb]), folder=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"error: nothing listens on 127.0.0.1:{port}\nhint: " in done.stderr
    assert list(tmp_path.glob("*.farscope")) == []


def test_a_folder_with_other_things_in_it_holds_no_log(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(LogRefused, match="no program has broadcast there"):
        check_place(open_log(f"sqlite:{tmp_path}"))


def test_what_is_no_folder_is_an_error_too(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(LogRefused):
        why_no_log(tmp_path / "notes.txt")


def test_a_log_is_found(play, log_url):
    play("lamp")
    check_place(open_log(log_url))
    check_place(MemoryLog("anything"))
