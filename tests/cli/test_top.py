from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Self

import pytest

from farscope import Event, Factory, broadcast
from farscope.testing.waiting import PATIENCE_S
from farscope.wire.keys import new_key_file

ALT_SCREEN, NORMAL_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
SHOW_CURSOR = b"\x1b[?25h"


class Terminal(AbstractContextManager["Terminal"]):
    """Our command in a terminal of its own."""

    def __init__(self, *arguments: str, lines: int = 24, columns: int = 100) -> None:
        self.ours, self.its = pty.openpty()
        self.resize(lines, columns)
        self.before = termios.tcgetattr(self.its)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "farscope", *arguments],
            stdin=self.its,
            stdout=self.its,
            stderr=self.its,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        self.sent = b""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.its, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    @property
    def screen(self) -> str:
        """What has come of the last frame, as text."""
        frame = self.sent.rpartition(b"\x1b[H")[2].decode(errors="replace")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame).replace("\r", "")

    def wait_for(self, seen: Callable[[], object], what: str = "") -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not seen():
            assert time.monotonic() < deadline, f"{what} did not come; the screen is\n{self.screen}"
            self.listen(0.1)

    def listen(self, timeout_s: float) -> bool:
        if not select.select([self.ours], [], [], timeout_s)[0]:
            return False
        self.sent += os.read(self.ours, 65_536)
        return True

    def wait(self) -> int:
        """Wait for its end, and return its exit code."""
        self.wait_for(lambda: self.process.poll() is not None, "the end")
        while self.listen(0.0):
            pass
        return self.process.returncode

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.its)

    def __enter__(self) -> Self:
        return self


@pytest.fixture
def lamp(log_url: str):
    chart = Factory("lamp", threaded=False)
    off = chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
    on = chart.create("on").catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
    chart.nest(off, parent=None).nest(on, parent=None)
    with broadcast(chart, url=log_url):
        yield chart


def press(chart: Factory) -> None:
    chart.dispatch(Event("PRESS"))


def is_restored(terminal: Terminal) -> bool:
    at_end = terminal.sent.rpartition(NORMAL_SCREEN)
    return (
        ALT_SCREEN in at_end[0]
        and SHOW_CURSOR in at_end[0][-30:] + at_end[2]
        and termios.tcgetattr(terminal.its) == terminal.before
    )


def test_a_chart_appears_and_changes_while_one_looks(log_url, lamp):
    with Terminal("top", log_url) as terminal:
        terminal.wait_for(lambda: "farscope top" in terminal.screen)
        lamp.start_at("off")
        terminal.wait_for(lambda: re.search(r"\nlamp .* alive +off ", terminal.screen), "the lamp")
        press(lamp)
        terminal.wait_for(lambda: re.search(r"\nlamp .* alive +on .*PRESS", terminal.screen), "the change")
        terminal.wait_for(lambda: "e->PRESS() off->on" in terminal.screen, "its step below")
        terminal.press(b"q")
        assert terminal.wait() == 0
        assert is_restored(terminal)
        assert b"seen 2 steps of 1 probe, lost 0" in terminal.sent.rpartition(NORMAL_SCREEN)[2]


def test_keys_sort_choose_search_pause_and_help(log_url, play, farscope, tmp_path):
    play("door", "lamp", "valve")
    recording = tmp_path / "run.farscope"
    farscope("record", recording, log_url, "--snapshot")
    with Terminal("top", str(recording)) as terminal:
        terminal.wait_for(lambda: re.search(r"\ndoor(.|\n)*\nlamp(.|\n)*\nvalve", terminal.screen))
        terminal.press(b"n")
        terminal.wait_for(
            lambda: re.search(r"CHART▼(.|\n)*\nvalve(.|\n)*\nlamp(.|\n)*\ndoor", terminal.screen)
        )
        terminal.press(b"\x1b[B")
        terminal.wait_for(lambda: "lamp  4 steps received" in terminal.screen, "the second row")
        terminal.press(b"/oor\r")
        terminal.wait_for(lambda: "1 of 3 charts" in terminal.screen and "\ndoor" in terminal.screen)
        terminal.press(b"\x1b")
        terminal.wait_for(lambda: "\n3 charts" in terminal.screen, "all again")
        terminal.press(b"p")
        terminal.wait_for(lambda: "PAUSED" in terminal.screen)
        terminal.press(b"?")
        terminal.wait_for(lambda: "sort by steps a second" in terminal.screen)
        terminal.press(b"q")
        assert terminal.wait() == 0


def test_a_terminal_that_is_resized_is_filled_anew(log_url):
    with Terminal("top", log_url, lines=24, columns=100) as terminal:
        terminal.wait_for(lambda: terminal.screen.count("\n") == 23)
        terminal.resize(40, 60)
        terminal.wait_for(lambda: terminal.screen.count("\n") == 39, "the new height")
        assert max(len(line) for line in terminal.screen.splitlines()) == 60
        terminal.press(b"q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_the_terminal_is_as_before(log_url, number):
    with Terminal("top", log_url) as terminal:
        terminal.wait_for(lambda: "farscope top" in terminal.screen)
        terminal.process.send_signal(number)
        assert terminal.wait() == 0
        assert is_restored(terminal)


def test_an_error_at_the_beginning_is_told_and_leaves_the_terminal_alone(log_url, tmp_path):
    (tmp_path / "log").write_text("a file in the folder's place")
    with Terminal("top", log_url) as terminal:
        assert terminal.wait() == 4
        assert termios.tcgetattr(terminal.its) == terminal.before
        assert terminal.sent.count(ALT_SCREEN) == terminal.sent.count(NORMAL_SCREEN)
        assert b"error: " in terminal.sent.rpartition(NORMAL_SCREEN)[2]


def test_a_log_that_is_spoilt_on_the_way_is_told_and_waited_for(log_url, tmp_path):
    log = tmp_path / "log"
    with Terminal("top", log_url) as terminal:
        terminal.wait_for(lambda: "farscope top" in terminal.screen)
        log.write_text("a file in the folder's place")
        terminal.wait_for(lambda: "log unavailable: " in terminal.screen)
        terminal.press(b"q")
        assert terminal.wait() == 0
        assert is_restored(terminal)


def test_hostile_names_are_shown_and_never_sent(log_url):
    name = "lamp\x1b]0;owned\x07\x9b2J\u202e"
    chart = Factory(name, threaded=False)
    off = chart.create("off").to_method()
    chart.nest(off, parent=None)
    with Terminal("top", log_url) as terminal, broadcast(chart, url=log_url):
        chart.start_at(off)
        terminal.wait_for(lambda: r"lamp\x1b" in terminal.screen, "the name")
        assert not any(
            bad in terminal.sent for bad in (b"\x1b]0;owned", b"\x07", "\u202e".encode(), b"\xc2\x9b")
        )
        terminal.press(b"q")
        terminal.wait()


def test_without_a_terminal_one_table_is_printed(recording, farscope):
    done = farscope("top", recording)
    assert done.returncode == 0
    head, lamp = done.stdout.splitlines()
    assert head.split() == [
        "CHART",
        "HOST",
        "STATUS",
        "STATE",
        "FOR",
        "STEPS/S",
        "EVENT",
        "QUEUE",
        "DEFER",
        "LOST",
    ]
    assert re.fullmatch(r"lamp +\S+:\d+ +closed +on +[\d.]+s +[\d.]+ +PRESS +0 +0 +0", lamp)
    assert "not a terminal" in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[-1] == "seen 4 steps of 1 probe, lost 0, duplicated 0"


def test_the_charts_of_finished_runs_are_left_out_while_others_go_on_unless_asked_for(
    log_url, play, lamp, farscope
):
    play("door")
    lamp.start_at("off")
    done = farscope("top", log_url, "--since", "start", "--for", "300ms")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["CHART", "lamp"]
    assert "1 chart of finished runs left out; --all shows them" in done.stderr.splitlines()
    everything = farscope("top", log_url, "--since", "start", "--for", "300ms", "--all")
    assert [line.split()[0] for line in everything.stdout.splitlines()] == ["CHART", "door", "lamp"]
    with Terminal("top", log_url, "--since", "start") as terminal:
        terminal.wait_for(lambda: "1 of 2 charts (f: 1 finished)" in terminal.screen, "the live run")
        assert "\ndoor" not in terminal.screen
        terminal.press(b"f")
        terminal.wait_for(lambda: "\ndoor" in terminal.screen, "the finished run")
        terminal.press(b"q")
        assert terminal.wait() == 0


def test_without_a_terminal_a_log_is_listened_to_for_a_moment(log_url, lamp, farscope):
    lamp.start_at("off")
    done = farscope("top", log_url)
    assert re.search(r"\nlamp +\S+ +alive +off", done.stdout)


def test_without_a_terminal_the_listening_begins_behind_the_past(long_url, farscope):
    done = farscope("top", long_url, "--since", "start", "--for", "100ms")
    assert done.returncode == 0
    assert re.search(r"\nlamp +\S+ +closed +off .* PRESS ", done.stdout)
    assert done.stderr.splitlines()[-1] == "seen 200,001 steps of 1 probe, lost 0, duplicated 0"


def test_a_table_of_what_another_key_sealed_is_an_error(recording, farscope, tmp_path):
    new_key_file(tmp_path / "other.key")
    done = farscope("top", recording, "--key", tmp_path / "other.key")
    assert done.returncode == 3
    assert "hint: sealed with another key (fingerprint " in done.stderr
