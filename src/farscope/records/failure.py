"""What a handler raised, in one line."""

from __future__ import annotations

_FRAME = '  File "'
_SOURCE = "    "
"""How lines of a traceback begin: those that name a frame, and those that show what stands there."""


def error_line(traceback: str) -> str:
    """Return the line behind a traceback's last frame, which names the error and begins its message.

    Messages may have more lines, like a hint, so the last line of all would not do.
    """
    lines = traceback.strip().splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith(_FRAME)]
    behind = lines[frames[-1] + 1 :] if frames else lines[-1:]
    return next((line for line in behind if not line.startswith(_SOURCE)), "")
