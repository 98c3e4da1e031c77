"""A progress line on standard error for long operations; shown only on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Final, Self

from farscope.cli.style import painted
from farscope.records.text import encodable

EVERY_S: Final = 0.2
"""Seconds between two updates: frequent enough to show movement, rare enough to be read."""


class Progress:
    """Keeps one line up to date; leaving the block removes it. Used by one thread at a time."""

    def __init__(self) -> None:
        self._wanted = sys.stderr.isatty()
        self._updated_s = float("-inf")
        self._shown = False

    def update(self, text: Callable[[], str]) -> None:
        """Show the text, which is asked for only when it is time to; it must be fit for a terminal."""
        if not self._wanted or time.monotonic() - self._updated_s < EVERY_S:
            return
        self._updated_s = time.monotonic()
        self._shown = True
        line = encodable(text(), sys.stderr.encoding)[: max(1, shutil.get_terminal_size().columns - 1)]
        sys.stderr.write("\r\x1b[K" + painted(line, "bright_black", stream=sys.stderr))
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line, so that something else can be printed."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
