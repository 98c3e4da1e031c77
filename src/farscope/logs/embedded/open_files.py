"""A bounded cache of a reader's open files."""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from errno import EMFILE, ENFILE
from pathlib import Path
from typing import Final, TypeVar

from farscope.logs.embedded.file import open_regular

if sys.platform != "win32":
    import resource

MAX_OPEN: Final = 32
"""Maximum number of files a reader keeps open, or a quarter of the process limit if that is lower; the least
recently used one is closed to make room. The number of writers therefore does not affect descriptor use."""

Result = TypeVar("Result")


class OpenFiles:
    """Files open for reading, keyed by path. Not thread-safe."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, int] = OrderedDict()
        self._limit = _limit()

    def __contains__(self, path: Path) -> bool:
        return path in self._open

    def __len__(self) -> int:
        return len(self._open)

    def get(self, path: Path) -> int:
        """Return a descriptor of the file at ``path``; raises ``OSError`` or ``ForeignFormat``."""
        descriptor = self._open.get(path)
        if descriptor is None:
            while len(self._open) >= self._limit:
                self._close_oldest()
            descriptor = self.make_room(lambda: open_regular(path))
            self._open[path] = descriptor
        self._open.move_to_end(path)
        return descriptor

    def make_room(self, use: Callable[[], Result]) -> Result:
        """Return the result of ``use``; if it runs out of descriptors, close all files and try again."""
        try:
            return use()
        except OSError as error:
            if error.errno not in {EMFILE, ENFILE} or not self._open:
                raise
        self.close()
        return use()

    def _close_oldest(self) -> None:
        os.close(self._open.popitem(last=False)[1])

    def drop(self, path: Path) -> None:
        """Close the file at ``path``, if it is open."""
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._close_oldest()


def _limit() -> int:
    if sys.platform != "win32":
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if allowed >= 0:
            return max(1, min(MAX_OPEN, allowed // 4))
    return MAX_OPEN
