"""The names of files that hold batches: they contain the writer and the creation time."""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple
from urllib.parse import quote

SUFFIX: Final = ".fslog"

_NAME: Final = re.compile(r"(?P<stream>.+-[0-9a-f]{8})-(?P<created>[0-9a-f]{16})" + re.escape(SUFFIX))


class FileName(NamedTuple):
    """The content of a file name: the writer and the creation time."""

    stream: str
    """The writer: its name and a random part; one writer may write several files in succession."""
    created_ns: int
    """Increases within a stream: a writer never returns to an earlier file."""

    def __str__(self) -> str:
        return f"{self.stream}-{self.created_ns:016x}{SUFFIX}"

    @classmethod
    def parse(cls, text: str) -> FileName | None:
        """Parse ``text``; return None if it is not the name of a file that holds batches."""
        match = _NAME.fullmatch(text)
        return cls(match["stream"], int(match["created"], 16)) if match else None


def stream_name(name: str) -> str:
    """Return a stream name for the writer ``name``; each call returns a different one."""
    return f"{quote(name, safe='').replace('.', '%2E')}-{os.urandom(4).hex()}"
