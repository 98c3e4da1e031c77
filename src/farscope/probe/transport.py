"""Between pump and log: how batches travel.

The pump counts, cuts and repeats; a carrier knows what a batch becomes on its way. Sealed batches
into a log are one carrier; the miros Fernet lines into two exchanges are another. A carrier may keep what
it was given, as a spool does, and tell later what became of it.
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
    """What became of cargo that a carrier had kept, since it was last asked."""

    stored: Sequence[int] = ()
    """Keys of what was stored."""
    lost: Sequence[tuple[int, str]] = ()
    """Keys of what was given up, and the reasons."""
    failures: int = 0
    """Attempts to store that failed."""
    last_error: str | None = None
    """What went wrong with the last of them."""


NO_NEWS = News()


class Carrier(Protocol[CargoT]):
    """Takes batches to where scopes find them.

    Used by the pump's thread alone, except ``interrupt``.
    """

    def load(self, batch: Batch, flags: Flags) -> CargoT:
        """Turn a batch into what travels; from here on it is repeated as it is and never made again.

        Raises:
            BatchTooLarge: the pump cuts the batch into smaller ones.
        """

    def size(self, cargo: CargoT) -> int:
        """Return how many bytes travel."""

    def carry(self, cargo: Sequence[CargoT], timeout_s: float) -> int | None:
        """Return when all of it is stored, in order; or when the carrier keeps it and will see to it.

        None means stored. Otherwise the first one's key is returned, the others' keys follow it,
        and ``news`` tells later what became of each.

        Raises:
            LogUnavailable: not now; the pump comes again with the same cargo.
            LogRefused: not like this; the pump comes again later.
        """

    def news(self) -> News:
        """Return what became of cargo that was kept, since this was last asked; each key comes once."""

    def interrupt(self) -> None:
        """Make a waiting ``carry`` raise soon; callable from any thread."""

    def close(self, timeout_s: float) -> None:
        """Give everything back within ``timeout_s``."""


AnyCarrier: TypeAlias = Carrier[Any]
CarrierMaker: TypeAlias = Callable[[bytes], AnyCarrier]
"""Makes the carrier of the probe whose id is given; called again, with a new id, after every fork."""


class SealedCarrier:
    """Encodes and seals each batch, and appends it to a log."""

    def __init__(self, writer: LogWriter, keyring: Keyring, probe: bytes) -> None:
        self._writer = writer
        self._sealer = Sealer(keyring, probe)
        self._next = 0

    def load(self, batch: Batch, flags: Flags) -> bytes:
        """Return the sealed batch; a batch number is used up only by one that has the right size."""
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
        """Return that there are none: nothing is kept here."""
        return NO_NEWS

    def interrupt(self) -> None:
        """Make a waiting append raise soon."""
        self._writer.interrupt()

    def close(self, timeout_s: float) -> None:
        """Close the writer."""
        self._writer.close(timeout_s)
