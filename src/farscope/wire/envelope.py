"""The cleartext header of a sealed body: its key, its probe and its number.

The header can be read without a key, but must not be trusted before the seal has been verified.
``docs/wire-format.md`` is normative for the bytes.
"""

from __future__ import annotations

import struct
from enum import IntFlag, unique
from typing import NamedTuple

from farscope.errors import Malformed, UnsupportedVersion

MAGIC = b"FARS"
FORMAT_VERSION = 1
"""The only version this release writes and reads; incremented with any change of the format's bytes."""

KEY_ID_BYTES = 8
PROBE_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16

MAX_BATCH_BYTES = 1 << 20
"""Maximum size of a sealed batch; a larger one is ``Malformed`` when read, ``BatchTooLarge`` when written."""

MAX_BATCH_NUMBER = (1 << 64) - 1

_LAYOUT = struct.Struct(f">4sHH{KEY_ID_BYTES}s{PROBE_BYTES}sQ{NONCE_BYTES}s")
_MAGIC_AND_VERSION = struct.Struct(">4sH")

HEADER_BYTES = _LAYOUT.size
OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES
"""Number of bytes that sealing adds to a body."""


@unique
class Flags(IntFlag):
    """Properties of a batch's content that are visible without the key."""

    NONE = 0
    ANNOUNCE = 1
    """The batch contains the structures of charts."""
    HEARTBEAT = 2
    """The batch contains no steps, only a sign of life."""
    GOODBYE = 4
    """The last batch of its probe."""


_ALL_FLAGS = int(Flags.ANNOUNCE | Flags.HEARTBEAT | Flags.GOODBYE)


class Header(NamedTuple):
    """The header of a sealed batch."""

    version: int
    flags: Flags
    key_id: bytes
    """Identifies the key that sealed the batch, and reveals nothing else about it."""
    probe: bytes
    """16 random bytes that identify the probe; new in every process and after every fork."""
    number: int
    """Number of the batch within its probe, from 0, in 64 bits."""
    nonce: bytes = bytes(NONCE_BYTES)

    def pack(self) -> bytes:
        """Return the header's bytes, which are also the associated data of the seal."""
        return _LAYOUT.pack(MAGIC, self.version, self.flags, self.key_id, self.probe, self.number, self.nonce)


def peek_header(data: bytes) -> Header:
    """Read the header of a sealed batch without a key, and so without verifying it.

    Raises:
        Malformed: not a batch: too short, too long, wrong magic bytes, or an undefined flag.
        UnsupportedVersion: a batch with another format version.
    """
    size = len(data)
    if size > MAX_BATCH_BYTES:
        raise Malformed(f"a batch of {size} bytes is over the limit of {MAX_BATCH_BYTES}")
    if size < OVERHEAD_BYTES:
        raise Malformed(f"{size} bytes are too few for a batch")
    magic, version = _MAGIC_AND_VERSION.unpack_from(data)
    if magic != MAGIC:
        raise Malformed("not a farscope batch: it begins otherwise")
    if version != FORMAT_VERSION:
        raise UnsupportedVersion(
            f"a batch of format version {version}; this release reads version {FORMAT_VERSION}",
            "use the same release of farscope on both ends",
            version=version,
        )
    _, _, flags, key_id, probe, number, nonce = _LAYOUT.unpack_from(data)
    if flags & ~_ALL_FLAGS:
        raise Malformed("the header has a flag that format version 1 does not define")
    return Header(version, Flags(flags), key_id, probe, number, nonce)
