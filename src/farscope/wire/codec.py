"""Batches to compressed bodies and back. No key, no header, no I/O; ``docs/wire-format.md`` is normative."""

from __future__ import annotations

import zlib

import msgspec

from farscope.errors import BatchTooLarge, Malformed
from farscope.wire.batch import Batch
from farscope.wire.body_schema import MAX_BODY_BYTES, Body
from farscope.wire.decoder import take_up
from farscope.wire.encoder import lay_out
from farscope.wire.envelope import MAX_BATCH_BYTES, OVERHEAD_BYTES
from farscope.wire.intern import Interned

COMPRESSION_LEVEL = 1
"""Higher levels take several times as long on columns of deltas and save little."""

MAX_COMPRESSED_BYTES = MAX_BATCH_BYTES - OVERHEAD_BYTES
"""A compressed body of more bytes is ``BatchTooLarge``: it would not fit into a sealed batch."""

_SPLIT = "send fewer steps in one batch"
_reader = msgspec.msgpack.Decoder(Body)
_writer = msgspec.msgpack.Encoder()


def encode_body(batch: Batch) -> bytes:
    """Return the compressed body of a batch, ready to be sealed. Safe from any thread.

    What a name or text has over the format's length is cut and marked; numbers outside 63 bits are
    moved to the nearer end. So a batch that can be encoded can always be decoded.

    Raises:
        BatchTooLarge: more than one batch may hold; halves of it may fit.
        Invariant: the batch does not hold together.
    """
    plain = _writer.encode(lay_out(batch))
    if len(plain) > MAX_BODY_BYTES:
        raise BatchTooLarge(f"a body of {len(plain)} bytes is over the limit of {MAX_BODY_BYTES}", _SPLIT)
    body = zlib.compress(plain, COMPRESSION_LEVEL)
    if len(body) > MAX_COMPRESSED_BYTES:
        raise BatchTooLarge(
            f"a compressed body of {len(body)} bytes is over the limit of {MAX_COMPRESSED_BYTES}", _SPLIT
        )
    return body


def decode_body(body: bytes, probe: bytes) -> Batch:
    """Return the batch of a compressed body; ``probe`` is the probe id of its header. Safe from any thread.

    Raises:
        Malformed: the body breaks the format or one of its limits.
    """
    return Decoder().decode(body, probe)


class Decoder:
    """``decode_body`` with a memory: equal shapes and chart ids of all batches are the same object.

    Keep one for each reader. Used by one thread at a time.
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
        # Besides its own errors msgspec lets those of Python's text and number types through.
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
            raise Malformed("the body of a batch breaks the format") from error
        return take_up(laid_out, probe, self._interned)


def _decompress(body: bytes) -> bytes:
    if len(body) > MAX_COMPRESSED_BYTES:
        raise Malformed(f"a body of {len(body)} bytes is over the limit of {MAX_COMPRESSED_BYTES}")
    stream = zlib.decompressobj()
    try:
        # One byte more than allowed tells a body that is too large from one that just fits.
        plain = stream.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise Malformed("the body of a batch cannot be decompressed") from error
    if len(plain) > MAX_BODY_BYTES:
        raise Malformed(f"a body of more than {MAX_BODY_BYTES} bytes is over the limit")
    if not stream.eof or stream.unused_data:
        raise Malformed("the body of a batch is cut off, or followed by something else")
    return plain
