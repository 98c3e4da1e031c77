"""What a handler raised: the error in one line, and where in the user's program it was raised."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_FRAME = '  File "'
_SOURCE = "    "
"""How lines of a traceback begin: those that name a frame, and those that show what stands there."""

_TRACEBACK = "Traceback (most recent call last):"
_PLACE = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
_MARKS = frozenset("^~ ")
"""Lines of these show which part of a line of source is meant."""

_OURS = re.compile(r"[/\\]farscope[/\\](?:engine|probe|adapters)[/\\]")
_OF_A_LIBRARY = re.compile(r"[/\\](?:site|dist)-packages[/\\]|[/\\][Ll]ib[/\\]python3[^/\\]*[/\\]|^<frozen ")

MOST_FRAMES: Final = 20
"""Frames of the user's own that are told apart; further ones stand in the whole traceback only."""


class Frame(NamedTuple):
    """A place in a program that an error passed through."""

    file: str
    line: int
    function: str
    """Empty where none is named, as for an error of syntax."""
    source: str
    """What stands there; empty if that is not known."""

    @property
    def mine(self) -> bool:
        """Whether it belongs to the user's program: neither to farscope nor to a library."""
        return not (_OURS.search(self.file) or _OF_A_LIBRARY.search(self.file))

    @property
    def place(self) -> str:
        """The file without its folder, and the line."""
        name = self.file.replace("\\", "/").rpartition("/")[2]
        return f"{name}, line {self.line}"


class Failure(NamedTuple):
    """A traceback, read."""

    error: tuple[str, ...]
    """The line that names the error, and further lines of its message."""
    frames: tuple[Frame, ...]
    """Where it was raised, the innermost first."""

    @property
    def mine(self) -> tuple[Frame, ...]:
        """The frames of the user's program, the innermost first; ``MOST_FRAMES`` at most."""
        return tuple(frame for frame in self.frames if frame.mine)[:MOST_FRAMES]


def error_line(traceback: str) -> str:
    """Return the line behind a traceback's last frame, which names the error and begins its message.

    Messages may have more lines, like a hint, so the last line of all would not do.
    """
    return next(iter(_error(traceback.strip().splitlines())), "")


def error_place(traceback: str) -> str:
    """Return the innermost place of the user's program, as ``door.py, line 12``; empty if there is none."""
    return next((frame.place for frame in read_traceback(traceback).mine), "")


def read_traceback(traceback: str) -> Failure:
    """Read a traceback as Python writes it; of errors raised about one another, the last."""
    lines = traceback.strip().splitlines()
    begin = max((number for number, line in enumerate(lines) if line == _TRACEBACK), default=0)
    frames: list[Frame] = []
    for number, line in enumerate(lines[begin:], start=begin):
        if found := _PLACE.fullmatch(line):
            below = lines[number + 1] if number + 1 < len(lines) else ""
            source = below.strip() if below.startswith(_SOURCE) and set(below) - _MARKS else ""
            frames.append(Frame(found["file"], int(found["line"]), found["function"] or "", source))
    return Failure(tuple(_error(lines)), tuple(reversed(frames)))


def _error(lines: list[str]) -> list[str]:
    """Return the line that names the error, and those below it."""
    frames = [number for number, line in enumerate(lines) if line.startswith(_FRAME)]
    behind = lines[frames[-1] + 1 :] if frames else lines[-1:]
    first = next((number for number, line in enumerate(behind) if not line.startswith(_SOURCE)), len(behind))
    return behind[first:]
