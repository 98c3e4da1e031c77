"""Parses tracebacks: the error as one line, and where in the user's program it was raised."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_FRAME = '  File "'
_SOURCE = "    "
"""Prefixes of traceback lines: ``_FRAME`` for those that name a frame, ``_SOURCE`` for source lines."""

_TRACEBACK = "Traceback (most recent call last):"
_PLACE = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
_MARKS = frozenset("^~ ")
"""Characters of the lines that mark part of a source line."""

_OURS = re.compile(r"[/\\]farscope[/\\](?:engine|probe|adapters)[/\\]")
_OF_A_LIBRARY = re.compile(r"[/\\](?:site|dist)-packages[/\\]|[/\\][Ll]ib[/\\]python3[^/\\]*[/\\]|^<frozen ")

MOST_FRAMES: Final = 20
"""Maximum number of user frames listed; further ones appear only in the full traceback."""


class Frame(NamedTuple):
    """A place in a program through which an error propagated."""

    file: str
    line: int
    function: str
    """Empty if no function is named, as for a syntax error."""
    source: str
    """The source line; empty if unknown."""

    @property
    def mine(self) -> bool:
        """Whether it belongs to the user's program, not to farscope or a library."""
        return not (_OURS.search(self.file) or _OF_A_LIBRARY.search(self.file))

    @property
    def place(self) -> str:
        """The file name without its folder, and the line."""
        name = self.file.replace("\\", "/").rpartition("/")[2]
        return f"{name}, line {self.line}"


class Failure(NamedTuple):
    """A parsed traceback."""

    error: tuple[str, ...]
    """The line that names the error, and any further lines of its message."""
    frames: tuple[Frame, ...]
    """The frames, innermost first."""

    @property
    def mine(self) -> tuple[Frame, ...]:
        """The frames of the user's program, innermost first; at most ``MOST_FRAMES``."""
        return tuple(frame for frame in self.frames if frame.mine)[:MOST_FRAMES]


def error_line(traceback: str) -> str:
    """Return the line after a traceback's last frame, which names the error and begins its message.

    Messages may have more lines, such as a hint, so this need not be the last line.
    """
    return next(iter(_error(traceback.strip().splitlines())), "")


def error_place(traceback: str) -> str:
    """Return the innermost place in the user's program, such as ``door.py, line 12``; empty if none."""
    return next((frame.place for frame in read_traceback(traceback).mine), "")


def read_traceback(traceback: str) -> Failure:
    """Parse a traceback as written by Python; of chained errors, the last."""
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
    """Return the line that names the error, and the lines below it."""
    frames = [number for number, line in enumerate(lines) if line.startswith(_FRAME)]
    behind = lines[frames[-1] + 1 :] if frames else lines[-1:]
    first = next((number for number, line in enumerate(behind) if not line.startswith(_SOURCE)), len(behind))
    return behind[first:]
