"""Carriers: the transport of batches between pump and log.

The pump counts, splits and retries; a carrier defines what is actually sent. One carrier appends sealed
batches to a log; another publishes the miros Fernet lines to two exchanges. A carrier may keep batches, as a
spool does, and report their outcome later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from farscope.errors import BatchTooLarge
from farscope.logs.base import LogWriter
from farscope.wire.batch import Batch
from farscope.wire.codec import encode_body
from farscope.wire.envelope import MAX_BATCH_BYTES, OVERHEAD_BYTES, Flags
from farscope.wire.keys import Keyring
from farscope.wire.seal import Sealer

CargoT = TypeVar("CargoT")


class News(NamedTuple):
    """The outcome of cargo kept by a carrier, since the last call."""

    stored: Sequence[int] = ()
    """Keys of stored cargo."""
    lost: Sequence[tuple[int, str]] = ()
    """Keys of cargo that was given up, with the reasons."""
    failures: int = 0
    """Number of failed attempts to store."""
    last_error: str | None = None
    """Description of the last failure."""


NO_NEWS = News()


class Carrier(Protocol[CargoT]):
    """Delivers batches to where scopes find them.

    Used only by the pump's thread, except ``interrupt``.
    """

    def load(self, batch: Batch, flags: Flags) -> CargoT:
        """Turn a batch into cargo; retries send this cargo unchanged, it is never made again.

        Raises:
            BatchTooLarge: the batch is too large; the pump splits it.
        """

    def size(self, cargo: CargoT) -> int:
        """Return the number of bytes sent."""

    def carry(self, cargo: Sequence[CargoT], timeout_s: float) -> int | None:
        """Deliver cargo in order; return once all of it is stored, or kept by the carrier for later delivery.

        None means stored. Otherwise the key of the first item is returned, the others have the keys that
        follow, and ``news`` reports the outcome of each later.

        Raises:
            LogUnavailable: the log is unavailable; the pump retries with the same cargo.
            LogRefused: the log refuses the cargo; the pump retries later.
        """

    def news(self) -> News:
        """Return the outcome of kept cargo since the last call; each key is reported once."""

    def interrupt(self) -> None:
        """Make a waiting ``carry`` raise soon; callable from any thread."""

    def close(self, timeout_s: float) -> None:
        """Release all resources within ``timeout_s``."""


AnyCarrier: TypeAlias = Carrier[Any]
CarrierMaker: TypeAlias = Callable[[bytes], AnyCarrier]
"""Makes the carrier for a probe id; called again, with a new id, after every fork."""


class SealedCarrier:
    """A carrier that encodes and seals each batch, and appends it to a log."""

    def __init__(self, writer: LogWriter, keyring: Keyring, probe: bytes) -> None:
        self._writer = writer
        self._sealer = Sealer(keyring, probe)
        self._next = 0

    def load(self, batch: Batch, flags: Flags) -> bytes:
        """Return the sealed batch; a batch that is too large does not use up a batch number."""
        body = encode_body(batch)
        if len(body) + OVERHEAD_BYTES > MAX_BATCH_BYTES:
            raise BatchTooLarge(f"a body of {len(body)} bytes, sealed, is over {MAX_BATCH_BYTES}")
        sealed = self._sealer.seal(self._next, flags, body)
        self._next += 1
        return sealed

    def size(self, cargo: bytes) -> int:
        """Return the length of a sealed batch."""
        return len(cargo)

    def carry(self, cargo: Sequence[bytes], timeout_s: float) -> None:
        """Append sealed batches to the log."""
        self._writer.append(cargo, timeout_s)

    def news(self) -> News:
        """Return empty news: this carrier keeps nothing."""
        return NO_NEWS

    def interrupt(self) -> None:
        """Make a waiting append raise soon."""
        self._writer.interrupt()

    def close(self, timeout_s: float) -> None:
        """Close the writer."""
        self._writer.close(timeout_s)
