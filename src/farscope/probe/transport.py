"""Transports: what carries batches from the pump to the log.

The pump counts, splits and retries; a transport defines what is actually sent. One appends sealed batches to
a log; another publishes the miros Fernet lines to two exchanges. A transport may keep batches, as a spool
does, and report their outcome later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from farscope.errors import BatchTooLarge
from farscope.logs.base import LogWriter
from farscope.wire.batch import Batch
from farscope.wire.codec import encode_body
from farscope.wire.envelope import MAX_BATCH_BYTES, OVERHEAD_BYTES, Flags
from farscope.wire.keys import Keyring
from farscope.wire.seal import Sealer

PayloadT = TypeVar("PayloadT")


@dataclass(frozen=True, slots=True)
class Stored:
    """The outcome of ``send``: everything is stored."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The outcome of ``send``: the transport keeps everything, and delivers it later."""

    first_key: int
    """Key of the first payload in delivery reports; the others have the keys that follow."""


Delivery: TypeAlias = Stored | Kept
STORED = Stored()


class DeliveryReport(NamedTuple):
    """The outcome of payloads kept by a transport, since the last report."""

    stored: Sequence[int] = ()
    """Keys of stored payloads."""
    lost: Sequence[tuple[int, str]] = ()
    """Keys of payloads that were given up, with the reasons."""
    failures: int = 0
    """Number of failed attempts to store."""
    last_error: str | None = None
    """Description of the last failure."""


NO_DELIVERIES = DeliveryReport()


class Transport(Protocol[PayloadT]):
    """Delivers batches to where scopes find them.

    Used only by the pump's thread, except ``interrupt``.
    """

    def encode(self, batch: Batch, flags: Flags) -> PayloadT:
        """Turn a batch into a payload; retries send this payload unchanged, it is never made again.

        Raises:
            BatchTooLarge: the batch is too large; the pump splits it.
        """

    def size(self, payload: PayloadT) -> int:
        """Return the number of bytes sent."""

    def send(self, payloads: Sequence[PayloadT], timeout_s: float) -> Delivery:
        """Deliver payloads in order; return once all are stored, or kept by the transport for later delivery.

        If they are kept, ``delivery_report`` gives the outcome of each later.

        Raises:
            LogUnavailable: the log is unavailable; the pump retries with the same payloads.
            LogRefused: the log refuses the payloads; the pump retries later.
        """

    def delivery_report(self) -> DeliveryReport:
        """Return the outcome of kept payloads since the last call; each key is reported once."""

    def interrupt(self) -> None:
        """Make a waiting ``send`` raise soon; callable from any thread."""

    def close(self, timeout_s: float) -> None:
        """Release all resources within ``timeout_s``."""


AnyTransport: TypeAlias = Transport[Any]
TransportMaker: TypeAlias = Callable[[bytes], AnyTransport]
"""Makes the transport for a probe id; called again, with a new id, after every fork."""


class SealedTransport:
    """A transport that encodes and seals each batch, and appends it to a log."""

    def __init__(self, writer: LogWriter, keyring: Keyring, probe: bytes) -> None:
        self._writer = writer
        self._sealer = Sealer(keyring, probe)
        self._next = 0

    def encode(self, batch: Batch, flags: Flags) -> bytes:
        """Return the sealed batch; a batch that is too large does not use up a batch number."""
        body = encode_body(batch)
        if len(body) + OVERHEAD_BYTES > MAX_BATCH_BYTES:
            raise BatchTooLarge(f"a body of {len(body)} bytes, sealed, is over {MAX_BATCH_BYTES}")
        sealed = self._sealer.seal(self._next, flags, body)
        self._next += 1
        return sealed

    def size(self, payload: bytes) -> int:
        """Return the length of a sealed batch."""
        return len(payload)

    def send(self, payloads: Sequence[bytes], timeout_s: float) -> Delivery:
        """Append sealed batches to the log."""
        self._writer.append(payloads, timeout_s)
        return STORED

    def delivery_report(self) -> DeliveryReport:
        """Return an empty report: this transport keeps nothing."""
        return NO_DELIVERIES

    def interrupt(self) -> None:
        """Make a waiting append raise soon."""
        self._writer.interrupt()

    def close(self, timeout_s: float) -> None:
        """Close the writer."""
        self._writer.close(timeout_s)
