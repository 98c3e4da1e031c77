"""Checks of an embedded log: its folder, free disk space, and whether all files can be read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from farscope.logs.diagnostics import Check, fail, ok, warn
from farscope.logs.embedded.errors import RIGHT_TO_READ
from farscope.logs.embedded.file import open_regular, read_at
from farscope.logs.embedded.file_reader import reason_of
from farscope.logs.embedded.format import HEAD_BYTES, FileName, ForeignFormat, parse_head

LITTLE_BYTES: Final = 500_000_000
"""With less free disk space than this, a log may not be able to grow to its limit."""


def examine(folder: Path) -> Iterator[Check]:
    """Check the folder of an embedded log; changes nothing."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        yield fail("folder", f"{place} is not a folder", "name another one in the address")
        return
    if not os.access(place, os.R_OK | os.X_OK):
        yield fail("folder", f"{place} may not be read", RIGHT_TO_READ)
        return
    if not os.access(place, os.W_OK):
        yield warn("folder", f"{place} may be read, not written", "fine for a user who only watches")
    else:
        yield ok("folder", f"{folder} can be written" if place == folder else f"{folder} will be made")
    if place == folder:
        yield _examine_files(folder)
    free = shutil.disk_usage(place).free
    if free < LITTLE_BYTES:
        yield warn("room", f"{free:,} bytes are free", "make room, or lower max_bytes= in the address")
    else:
        yield ok("room", f"{free:,} bytes are free")


def _examine_files(folder: Path) -> Check:
    """Read the start of every file and report those that cannot be read."""
    names = [name for name in os.listdir(folder) if FileName.parse(name) is not None]  # noqa: PTH208 - names
    bad = sorted((name, why) for name in names if (why := _why_unreadable(folder / name)))
    if not bad:
        return ok("files", f"{len(names):,} can be read")
    name, why = bad[0]
    what = f"{len(bad):,} of {len(names):,} cannot be read, among them {name}: {why}"
    return warn("files", what, "what programs stored in them is not seen by this user")


def _why_unreadable(path: Path) -> str:
    try:
        descriptor = open_regular(path)
        try:
            parse_head(read_at(descriptor, 0, HEAD_BYTES))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return ""
    except (OSError, ForeignFormat) as error:
        return reason_of(error)
    return ""
