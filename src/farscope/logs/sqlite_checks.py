"""Examining an embedded log: its folder, its room, the SQLite that keeps it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from farscope.logs.check import Check, fail, ok, warn

LITTLE_BYTES: Final = 500_000_000
"""With less free on the disk than this, a log may not find the room it is allowed."""


def examine(folder: Path) -> Iterator[Check]:
    """Look at the folder of an embedded log; changes nothing."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        yield fail("folder", f"{place} is no folder", "name another one in the address")
        return
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        yield fail(
            "folder", f"{place} may not be read and written", f"chmod u+rwx {place}, or name another one"
        )
        return
    yield ok("folder", f"{folder} can be written" if place == folder else f"{folder} will be made")
    free = shutil.disk_usage(place).free
    if free < LITTLE_BYTES:
        yield warn("room", f"{free:,} bytes are free", "make room, or lower max_bytes= in the address")
    else:
        yield ok("room", f"{free:,} bytes are free")
    yield ok("SQLite", f"version {sqlite3.sqlite_version}; each file has one writer")
