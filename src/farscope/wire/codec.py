"""Converts batches to compressed bodies and back. No key, no I/O; ``docs/wire-format.md`` is normative."""

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
"""Higher levels take several times as long on columns of differences, and save little."""

MAX_COMPRESSED_BYTES = MAX_BATCH_BYTES - OVERHEAD_BYTES
"""Maximum size of a compressed body; a larger one raises ``BatchTooLarge``: no sealed batch could hold it."""

_SPLIT = "send fewer steps in one batch"
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
    body = zlib.compress(plain, COMPRESSION_LEVEL)
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
        # In addition to its own errors, msgspec raises those of Python's text and number types.
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
            raise Malformed("the body of a batch breaks the format") from error
        return take_up(laid_out, probe, self._interned)


def _decompress(body: bytes) -> bytes:
    if len(body) > MAX_COMPRESSED_BYTES:
        raise Malformed(f"a body of {len(body)} bytes is over the limit of {MAX_COMPRESSED_BYTES}")
    stream = zlib.decompressobj()
    try:
        # One byte more than allowed distinguishes a body that is too large from one that just fits.
        plain = stream.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise Malformed("the body of a batch cannot be decompressed") from error
    if len(plain) > MAX_BODY_BYTES:
        raise Malformed(f"a body of more than {MAX_BODY_BYTES} bytes is over the limit")
    if not stream.eof or stream.unused_data:
        raise Malformed("the body of a batch is cut off, or followed by something else")
    return plain
