from __future__ import annotations

import os
import pty
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.cli import keyboard
from farscope.cli.keyboard import NAMES, Keys, open_keyboard


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1b[B", ["up", "down"]),
        (b"\x1bOA\x1bOF", ["up", "end"]),
        (b"\x1b[5~\x1b[6~\x1b[1~\x1b[4~", ["pageup", "pagedown", "home", "end"]),
        (b"\r\x7f\n", ["enter", "backspace", "enter"]),
        ("ü日".encode(), ["ü", "日"]),
        (b"\x1b[1;5C\x1b[200~x", ["x"]),
        (b"\x1bq", ["escape", "q"]),
        (b"\x1b\x1b[A", ["escape", "up"]),
    ],
)
def test_what_terminals_send_becomes_keys_in_whatever_pieces_it_comes(data, keys):
    assert Keys().feed(data) == keys
    one_by_one = Keys()
    assert [key for byte in data for key in one_by_one.feed(bytes([byte]))] == keys
    assert one_by_one.settle() == []


def test_an_escape_with_nothing_behind_it_is_the_key():
    keys = Keys()
    assert keys.feed(b"\x1b") == []
    assert keys.settle() == ["escape"]
    assert keys.feed(b"x") == ["x"]


@given(st.binary(max_size=80))
def test_anything_a_terminal_sends_is_taken_and_kept_short(data):
    keys = Keys()
    found = keys.feed(data) + keys.settle()
    assert all(key in {*NAMES.values(), "escape"} or len(key) == 1 for key in found)
    assert keys.feed(b"x")[-1:] == ["x"]


@pytest.fixture
def terminal(monkeypatch):
    ours, its = pty.openpty()

    class Input:
        def fileno(self) -> int:
            return its

    monkeypatch.setattr(keyboard.sys, "stdin", Input())
    yield ours, its
    for descriptor in (ours, its):
        os.close(descriptor)


def test_keys_come_without_enter_and_the_terminal_is_as_before_afterwards(terminal):
    ours, its = terminal
    before = termios.tcgetattr(its)

    def read_until_it_fails() -> None:
        with open_keyboard() as keys:
            assert keys.read(0.0) == []
            os.write(ours, b"q\x1b[A\x1a")
            assert keys.read(10.0) == ["q", "up", "\x1a"]
            raise OSError("on the way")

    with pytest.raises(OSError, match="on the way"):
        read_until_it_fails()
    assert termios.tcgetattr(its) == before
