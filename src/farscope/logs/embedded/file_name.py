"""The names of files that hold batches: whose a file is and when it was made."""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple
from urllib.parse import quote

SUFFIX: Final = ".fslog"

_NAME: Final = re.compile(r"(?P<stream>.+-[0-9a-f]{8})-(?P<created>[0-9a-f]{16})" + re.escape(SUFFIX))


class FileName(NamedTuple):
    """What a file's name says: whose it is and when it was made."""

    stream: str
    """The writer, by the name it was given and a random part; a writer may go through several files."""
    created_ns: int
    """Rises within a stream: a writer has left all earlier files for good."""

    def __str__(self) -> str:
        return f"{self.stream}-{self.created_ns:016x}{SUFFIX}"

    @classmethod
    def parse(cls, text: str) -> FileName | None:
        """Return what ``text`` says, or None if it is no such name."""
        match = _NAME.fullmatch(text)
        return cls(match["stream"], int(match["created"], 16)) if match else None


def stream_name(name: str) -> str:
    """Return a stream name for the writer ``name``, another one with every call."""
    return f"{quote(name, safe='').replace('.', '%2E')}-{os.urandom(4).hex()}"
