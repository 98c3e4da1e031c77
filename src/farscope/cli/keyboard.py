"""Reads key presses without waiting for Enter, on Unix and Windows terminals."""

from __future__ import annotations

import codecs
import os
import re
import sys
import time
from types import TracebackType
from typing import Final, Protocol, Self

ESCAPE: Final = "\x1b"

NAMES: Final = {
    "[A": "up",
    "[B": "down",
    "[5~": "pageup",
    "[6~": "pagedown",
    "[H": "home",
    "[1~": "home",
    "[7~": "home",
    "[F": "end",
    "[4~": "end",
    "[8~": "end",
    "OA": "up",
    "OB": "down",
    "OH": "home",
    "OF": "end",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
}
"""Byte sequences sent by terminals, after an escape character if there is one, and the names of the keys."""

LONGEST: Final = 32
"""Maximum length of an escape sequence; a longer one is not a key."""

_SEQUENCE = re.compile(r"(\[[0-9;?<]*[A-Za-z~]|O[A-Za-z])")
_BEGINNING = re.compile(r"(\[[0-9;?<]*|O)?")

WINDOWS_NAMES: Final = {
    "H": "up",
    "P": "down",
    "I": "pageup",
    "Q": "pagedown",
    "G": "home",
    "O": "end",
}
"""The codes that Windows sends after a null or an à."""


class Keys:
    """Decodes keys from the bytes sent by a terminal, however these are split."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that are complete now; unknown sequences are dropped."""
        self._pending += self._decoder.decode(data)
        keys: list[str] = []
        while self._pending:
            if not self._pending.startswith(ESCAPE):
                character, self._pending = self._pending[0], self._pending[1:]
                keys.append(NAMES.get(character, character))
                continue
            rest = self._pending[1:]
            if match := _SEQUENCE.match(rest):
                self._pending = rest[match.end() :]
                if name := NAMES.get(match[0]):
                    keys.append(name)
            elif _BEGINNING.fullmatch(rest) and len(rest) < LONGEST:
                break
            else:
                self._pending = rest
                keys.append("escape")
        return keys

    def settle(self) -> list[str]:
        """Return the rest when no more input follows: an escape character that does not start a sequence."""
        if not self._pending:
            return []
        self._pending = ""
        return ["escape"]


class Keyboard(Protocol):
    """Reads keys while its block lasts; Ctrl-C stays an interrupt."""

    def read(self, timeout_s: float) -> list[str]:
        """Return the keys pressed since the last call; wait up to ``timeout_s`` for the first one.

        Raises:
            EOFError: the terminal was closed.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


if sys.platform == "win32":
    import msvcrt

    class _WindowsKeyboard:
        POLL_S = 0.01

        def read(self, timeout_s: float) -> list[str]:
            deadline = time.monotonic() + timeout_s
            while not msvcrt.kbhit() and time.monotonic() < deadline:
                time.sleep(self.POLL_S)
            keys: list[str] = []
            while msvcrt.kbhit():
                character = msvcrt.getwch()
                if character in "\x00\xe0" and msvcrt.kbhit():
                    if name := WINDOWS_NAMES.get(msvcrt.getwch()):
                        keys.append(name)
                else:
                    keys.append("escape" if character == ESCAPE else NAMES.get(character, character))
            return keys

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing was changed."""

    def open_keyboard() -> Keyboard:
        """Return a keyboard on the console."""
        return _WindowsKeyboard()

else:
    import select
    import termios
    import tty

    SUSPEND: Final = 10
    """Place of Ctrl-Z among a terminal's characters; it would leave the terminal as it is."""

    class _UnixKeyboard:
        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor
            self._keys = Keys()
            self._before: list[object] = []

        def read(self, timeout_s: float) -> list[str]:
            ready, _, _ = select.select([self._descriptor], [], [], timeout_s)
            if not ready:
                return self._keys.settle()
            try:
                data = os.read(self._descriptor, 4096)
            except OSError as error:  # Linux reports a closed terminal this way
                raise EOFError from error
            if not data:
                raise EOFError
            return self._keys.feed(data)

        def __enter__(self) -> Self:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)
            settings = termios.tcgetattr(self._descriptor)
            settings[6][termios.VSUSP] = b"\0"
            termios.tcsetattr(self._descriptor, termios.TCSANOW, settings)
            return self

        def __exit__(self, *_: object) -> None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]  # the value of tcgetattr

    def open_keyboard() -> Keyboard:
        """Return a keyboard on the terminal that is our standard input."""
        return _UnixKeyboard(sys.stdin.fileno())
