"""Converts batches to bodies and back. No key, no I/O; ``docs/wire-format.md`` is normative."""

from __future__ import annotations

import zlib

import msgspec

from farscope.errors import BatchTooLarge, Malformed
from farscope.wire.batch import Batch
from farscope.wire.body_schema import MAX_BODY_BYTES, PLAIN, ZLIB, Body
from farscope.wire.decoder import UNREADABLE, take_up
from farscope.wire.encoder import lay_out
from farscope.wire.envelope import MAX_BATCH_BYTES, OVERHEAD_BYTES
from farscope.wire.intern import Interned

COMPRESSION_LEVEL = 1
"""Higher levels take several times as long on columns of differences, and save little."""

COMPRESSED_FROM_BYTES = 512
"""Bodies shorter than this are left as they are: compressing them takes longer than all the rest, and saves a
few dozen bytes."""

MAX_COMPRESSED_BYTES = MAX_BATCH_BYTES - OVERHEAD_BYTES
"""Maximum size of a compressed body; a larger one raises ``BatchTooLarge``: no sealed batch could hold it."""

_SPLIT = "send fewer steps in one batch"
_PLAIN = bytes([PLAIN])
_ZLIB = bytes([ZLIB])
_reader = msgspec.msgpack.Decoder(Body)
_writer = msgspec.msgpack.Encoder()


def encode_body(batch: Batch) -> bytes:
    """Return the compressed body of a batch, ready to be sealed. Thread-safe.

    Names and texts over the format's length are cut and marked; numbers outside 63 bits are clamped. A batch
    that can be encoded can therefore always be decoded.

    Raises:
        BatchTooLarge: the batch exceeds a limit; halves of it may fit.
        Invariant: the batch is inconsistent.
    """
    plain = _writer.encode(lay_out(batch))
    if len(plain) > MAX_BODY_BYTES:
        raise BatchTooLarge(f"a body of {len(plain)} bytes is over the limit of {MAX_BODY_BYTES}", _SPLIT)
    if len(plain) < COMPRESSED_FROM_BYTES:
        return _PLAIN + plain
    body = _ZLIB + zlib.compress(plain, COMPRESSION_LEVEL)
    if len(body) > MAX_COMPRESSED_BYTES:
        raise BatchTooLarge(
            f"a compressed body of {len(body)} bytes is over the limit of {MAX_COMPRESSED_BYTES}", _SPLIT
        )
    return body


def decode_body(body: bytes, probe: bytes) -> Batch:
    """Return the batch of a compressed body; ``probe`` is the probe id of its header. Thread-safe.

    Raises:
        Malformed: the body breaks the format or one of its limits.
    """
    return Decoder().decode(body, probe)


class Decoder:
    """A caching ``decode_body``: equal shapes and chart ids of all batches are the same object.

    Use one per reader, in one thread at a time.
    """

    def __init__(self) -> None:
        self._interned = Interned()

    def decode(self, body: bytes, probe: bytes) -> Batch:
        """Return the batch of a compressed body.

        Raises:
            Malformed: the body breaks the format or one of its limits.
        """
        plain = _decompress(body)
        try:
            laid_out = _reader.decode(plain)
        except UNREADABLE as error:
            raise Malformed("the body of a batch breaks the format") from error
        return take_up(laid_out, probe, self._interned)


def _decompress(body: bytes) -> bytes | memoryview:
    if len(body) > MAX_COMPRESSED_BYTES:
        raise Malformed(f"a body of {len(body)} bytes is over the limit of {MAX_COMPRESSED_BYTES}")
    if body[:1] == _PLAIN:
        return memoryview(body)[1:]
    if body[:1] != _ZLIB:
        raise Malformed("the body of a batch is packed in an unknown way")
    stream = zlib.decompressobj()
    try:
        # One byte more than allowed distinguishes a body that is too large from one that just fits.
        plain = stream.decompress(memoryview(body)[1:], MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise Malformed("the body of a batch cannot be decompressed") from error
    if len(plain) > MAX_BODY_BYTES:
        raise Malformed(f"a body of more than {MAX_BODY_BYTES} bytes is over the limit")
    if not stream.eof or stream.unused_data:
        raise Malformed("the body of a batch is cut off, or followed by something else")
    return plain
