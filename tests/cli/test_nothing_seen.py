"""Who watches and sees nothing is told so once, and what there is to check."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import termios
from typing import IO

import pytest

from farscope import Scope
from farscope.cli.nothing_seen import QUIET_S, Waiting, folder_in_words
from farscope.logs.url import open_log
from farscope.testing.waiting import eventually
from farscope.wire.keys import new_key_file
from support.program import Program


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
        looks.look()
        hours.now_s += QUIET_S / 2
        looks.look()
        assert not told
        for _ in range(3):
            hours.now_s += QUIET_S
            looks.look()
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
        looks.look()
    assert not told


def test_what_is_sealed_with_another_key_is_something_seen(log_url, play, tmp_path):
    told, hours = [], Hours()
    play("lamp")
    new_key_file(tmp_path / "other.key")
    with Scope(log_url, key=tmp_path / "other.key", since="start") as scope:
        looks = waiting(scope, log_url, told, hours, from_now=False)
        assert scope.wait_for(lambda scope: scope.stats.refused, 60)
        hours.now_s += QUIET_S
        looks.look()
    assert not told


def test_a_past_that_was_asked_for_is_not_offered_again(log_url):
    told, hours = [], Hours()
    with Scope(log_url, since="start") as scope:
        looks = waiting(scope, log_url, told, hours, from_now=False)
        hours.now_s += QUIET_S
        looks.look()
    assert "--since" not in told[1]


def test_a_folder_is_told_by_what_it_holds(tmp_path, log_url, play):
    assert "the folder does not exist" in folder_in_words(tmp_path / "log")
    (tmp_path / "empty").mkdir()
    assert "holds no log" in folder_in_words(tmp_path / "empty")
    (tmp_path / "file").touch()
    assert "cannot be looked at" in folder_in_words(tmp_path / "file")
    play("lamp")
    assert "holds 1 file" in folder_in_words(tmp_path / "log")


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
inbox.TAKER_PATIENCE_S = 0.0
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
