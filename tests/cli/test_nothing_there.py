"""A mistyped address is distinguished from an empty log, and a watcher that sees nothing says so once."""

from __future__ import annotations

import fcntl
import socket
import subprocess
import sys
import termios
from typing import IO

import pytest

from farscope import Scope
from farscope.cli.nothing_there import Waiting, check_log_exists
from farscope.errors import LogRefused
from farscope.logs.memory import MemoryLog
from farscope.logs.url import open_log
from farscope.records.heartbeat import QUIET_S
from farscope.testing.waiting import eventually
from farscope.wire.keys import new_key_file
from support.program import Program

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
    with pytest.raises(LogRefused, match=f"there is no log in {tmp_path}: no program has broadcast there"):
        check_log_exists(open_log(f"sqlite:{tmp_path}"))


def test_what_is_no_folder_is_an_error_too(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(LogRefused, match="cannot use the log folder"):
        check_log_exists(open_log(f"sqlite:{tmp_path / 'notes.txt'}"))


def test_a_log_is_found(play, log_url):
    play("lamp")
    check_log_exists(open_log(log_url))
    check_log_exists(MemoryLog("anything"))


class Hours:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def waiting(scope: Scope, url: str, told: list[str], hours: Hours, *, from_now: bool = True) -> Waiting:
    return Waiting(scope, open_log(url), url, told.append, from_now=from_now, clock=hours)


def test_a_log_nobody_has_written_is_told_once_and_not_before_its_time(log_url, tmp_path):
    told, hours = [], Hours()
    with Scope(log_url) as scope:
        looks = waiting(scope, log_url, told, hours)
        looks.check()
        hours.now_s += QUIET_S / 2
        looks.check()
        assert not told
        for _ in range(3):
            hours.now_s += QUIET_S
            looks.check()
    assert len(told) == 2
    assert f"nothing seen yet in sqlite:{tmp_path / 'log'}: the folder does not exist" in told[0]
    assert "broadcast(chart, url=...)" in told[1]
    assert "--since start" in told[1]


def test_what_was_seen_in_time_leaves_nothing_to_tell(log_url, play):
    told, hours = [], Hours()
    play("lamp")
    with Scope(log_url, since="start") as scope:
        looks = waiting(scope, log_url, told, hours, from_now=False)
        assert scope.wait_for(lambda scope: scope.stats.batches, 60)
        hours.now_s += QUIET_S
        looks.check()
    assert not told


def test_what_is_sealed_with_another_key_is_something_seen(log_url, play, tmp_path):
    told, hours = [], Hours()
    play("lamp")
    new_key_file(tmp_path / "other.key")
    with Scope(log_url, key=tmp_path / "other.key", since="start") as scope:
        looks = waiting(scope, log_url, told, hours, from_now=False)
        assert scope.wait_for(lambda scope: scope.stats.refused, 60)
        hours.now_s += QUIET_S
        looks.check()
    assert not told


def test_a_past_that_was_asked_for_is_not_offered_again(log_url):
    told, hours = [], Hours()
    with Scope(log_url, since="start") as scope:
        looks = waiting(scope, log_url, told, hours, from_now=False)
        hours.now_s += QUIET_S
        looks.check()
    assert "--since" not in told[1]


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (lambda _: None, "the folder does not exist"),
        (lambda folder: folder.mkdir(), "no program has broadcast there, or what it left was removed"),
        (lambda folder: folder.touch(), "cannot use the log folder {}: Not a directory"),
    ],
    ids=["nothing", "a folder", "a file"],
)
def test_a_watcher_who_sees_nothing_is_told_why_there_is_no_log(made, found, tmp_path):
    told, hours, folder = [], Hours(), tmp_path / "log"
    with Scope("memory:nothing-there") as scope:
        looks = waiting(scope, f"sqlite:{folder}", told, hours)
        made(folder)
        hours.now_s += QUIET_S
        looks.check()
    assert told[0] == f"nothing seen yet in sqlite:{folder}: {found.format(folder)}"


@pytest.mark.parametrize("scheme", ["sqlite", "memory", "amqp"])
def test_a_watcher_who_sees_nothing_is_told_what_is_there(scheme, play, log_url):
    play("lamp")
    url = {"sqlite": log_url, "memory": "memory:nothing-there", "amqp": "amqp://127.0.0.1:1/"}[scheme]
    told, hours = [], Hours()
    with Scope("memory:nothing-there") as scope:
        looks = waiting(scope, url, told, hours)
        hours.now_s += QUIET_S
        looks.check()
    holds = "the folder holds 1 file of programs that broadcast there, and " if scheme == "sqlite" else ""
    assert told[0] == f"nothing seen yet in {url}: {holds}no program speaks at the moment"


def test_it_is_on_standard_error_also_when_that_is_no_terminal_and_the_watching_goes_on(log_url, play):
    with Program("-m", "farscope", "watch", log_url) as watcher:
        watcher.wait_err("farscope doctor examines an address")
        play("lamp")
        watcher.wait_out("e->PRESS() off->on")
        watcher.interrupt()
        assert watcher.wait() == 0
        assert watcher.err.count("nothing seen yet") == 1


SMALL = """
import sys
from farscope.cli.main import main
from farscope.scope import inbox
inbox.CONSUMER_PATIENCE_S = 0.0
inbox.Inbox.__init__.__defaults__ = (100, inbox.DEFAULT_BYTES)
main()
"""
"""Our command with little room for what is not shown yet, and no patience with those who take nothing."""


PIPE_BYTES = 32_768
"""A pipe that holds so much and gets no more is as good as full."""
PRESSES = 20_000


@pytest.mark.parametrize("verb", ["watch", "replay", "export"])
def test_a_pipe_nobody_empties_for_long_costs_no_step(verb, log_url, play, farscope, tmp_path):
    play("lamp", presses=PRESSES)
    recorded = tmp_path / "run.farscope"
    assert farscope("record", recorded, log_url, "--snapshot").returncode == 0
    arguments = {
        "watch": ("watch", log_url, "--since", "start", "--for", "100ms"),
        "replay": ("replay", str(recorded), "--speed", "max"),
        "export": ("export", log_url, "--format", "jsonl"),
    }[verb]
    with subprocess.Popen(
        [sys.executable, "-c", SMALL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        eventually(lambda: waiting_in(program.stdout) >= PIPE_BYTES, 60)
        shown, told = program.communicate(timeout=120)
    assert len(shown.splitlines()) == PRESSES + 1
    assert f"{PRESSES + 1:,} steps of 1 probe, lost 0" in told.decode()


def waiting_in(pipe: IO[bytes]) -> int:
    """Return how many bytes were written into a pipe and not read yet."""
    answer = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, sys.byteorder)
