"""The files a reader keeps open: few, however many there are."""

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
"""Files a reader keeps open, if that is no more than a quarter of what the process may have; the one not used
for longest is closed for another. However many programs write, a reader needs no more descriptors."""

Result = TypeVar("Result")


class Shelf:
    """Files open for reading, by their paths. Not thread-safe."""

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
        """Return what ``use`` does; where no descriptor is left for that, all files are closed first."""
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
