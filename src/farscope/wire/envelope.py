"""The cleartext header of a sealed body: its key, its probe and its number.

The header can be read without a key, but must not be trusted before the seal has been verified.
``docs/wire-format.md`` is normative for the bytes.
"""

from __future__ import annotations

import struct
from enum import IntFlag, unique
from functools import lru_cache
from typing import Final, NamedTuple

from farscope.errors import Malformed, UnsupportedSuite, UnsupportedVersion

MAGIC = b"FARS"
FORMAT_VERSION = 2
"""The only version this release writes and reads; ``docs/wire-format.md`` says what may change without a new
one."""

SHARED_KEY_SUITE = 1
"""The sealing suite with one shared key: HKDF-SHA256 and AES-256-GCM."""

KEY_ID_BYTES = 8
PROBE_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16

MAX_BATCH_BYTES = 1 << 20
"""Maximum size of a sealed batch; a larger one is ``Malformed`` when read, ``BatchTooLarge`` when written."""

MAX_BATCH_NUMBER = (1 << 64) - 1

SPARE_BYTES = 6
"""Header bytes that this version leaves zero when writing, and ignores when reading."""

_LAYOUT = struct.Struct(f">4sHHH{SPARE_BYTES}x{KEY_ID_BYTES}s{PROBE_BYTES}sQ{NONCE_BYTES}s")

HEADER_BYTES = _LAYOUT.size
OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES
"""Number of bytes that sealing adds to a body."""


@unique
class Flags(IntFlag):
    """Properties of a batch's content that are visible without the key; later releases may add some."""

    NONE = 0
    ANNOUNCE = 1
    """The batch contains the structures of charts."""
    HEARTBEAT = 2
    """The batch contains no steps, only a sign of life."""
    GOODBYE = 4
    """The last batch of its probe."""


_flags = lru_cache(maxsize=256)(Flags)  # making a flag takes longer than all else about a header


_GOODBYE: Final = int(Flags.GOODBYE)


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
    suite: int = SHARED_KEY_SUITE
    """How it was sealed."""

    @property
    def is_goodbye(self) -> bool:
        """Whether it is the last batch of its probe."""
        return int.__and__(self.flags, _GOODBYE) != 0  # a tenth of the price of an operation on flags

    def pack(self) -> bytes:
        """Return the header's bytes, which are also the associated data of the seal."""
        return _LAYOUT.pack(
            MAGIC, self.version, self.suite, self.flags, self.key_id, self.probe, self.number, self.nonce
        )


def peek_header(data: bytes) -> Header:
    """Read the header of a sealed batch without a key, and so without verifying it.

    Raises:
        Malformed: not a batch: too short, too long, or wrong magic bytes.
        UnsupportedVersion: a batch with another format version.
    """
    size = len(data)
    if size > MAX_BATCH_BYTES:
        raise Malformed(f"a batch of {size} bytes is over the limit of {MAX_BATCH_BYTES}")
    if size < OVERHEAD_BYTES:
        raise Malformed(f"{size} bytes are too few for a batch")
    magic, version, suite, flags, key_id, probe, number, nonce = _LAYOUT.unpack_from(data)
    if magic != MAGIC:
        raise Malformed("not a farscope batch: it begins otherwise")
    if version != FORMAT_VERSION:
        raise _unsupported(version)
    return Header(version, _flags(flags), key_id, probe, number, nonce, suite)


def check_suite(header: Header) -> None:
    """Check that this release can open a batch with that header.

    Raises:
        UnsupportedSuite: it cannot.
    """
    if header.suite != SHARED_KEY_SUITE:
        raise UnsupportedSuite(
            f"sealed with suite {header.suite}; this release opens suite {SHARED_KEY_SUITE}",
            "upgrade farscope here",
            suite=header.suite,
        )


def _unsupported(version: int) -> UnsupportedVersion:
    reads = f"this release reads version {FORMAT_VERSION}"
    if version > FORMAT_VERSION:
        return UnsupportedVersion(
            f"written by a newer farscope in format version {version}; {reads}: upgrade",
            "upgrade farscope here: watchers are updated before what they watch",
            version=version,
        )
    return UnsupportedVersion(
        f"a batch of format version {version}; {reads}",
        "use a newer release of farscope where the batch comes from",
        version=version,
    )
