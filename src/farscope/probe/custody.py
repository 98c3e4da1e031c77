"""The pump's half of a spool: what the carrier keeps, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence

from farscope.probe.batcher import Parcel
from farscope.probe.clock import Bell, Clock
from farscope.probe.outbox import Outbox
from farscope.probe.transport import AnyCarrier

LOOK_S = 0.05
"""How often the pump asks what became of what is kept; so much later ``flush`` and ``stats`` hear of it."""
LINGER_S = 0.25
"""How long steps gather at least while batches are kept: nobody sees them yet, and fewer batches result."""


class Custody:
    """Enters into the outbox's ledger what a carrier keeps; used by the pump's thread alone."""

    def __init__(self, outbox: Outbox, carrier: AnyCarrier) -> None:
        self._outbox = outbox
        self._carrier = carrier

    @property
    def holding(self) -> bool:
        """Whether anything is kept."""
        return self._outbox.ledger.keeping

    def hold(self, parcels: Sequence[Parcel], first_key: int) -> None:
        """Take note that the carrier keeps ``parcels``, the first under ``first_key``."""
        with self._outbox.lock:
            for key, parcel in enumerate(parcels, first_key):
                self._outbox.ledger.keep(parcel.haul, key, self._carrier.size(parcel.cargo))

    def look(self) -> bool:
        """Enter what has become of what was kept; return whether anything has."""
        if not self.holding:
            return False
        news = self._carrier.news()
        with self._outbox.lock:
            ledger = self._outbox.ledger
            for key in news.stored:
                ledger.settle_kept(key)
            for key, reason in news.lost:
                ledger.give_up_kept(key, reason)
            ledger.retries += news.failures
            ledger.last_error = news.last_error or ledger.last_error
        return bool(news.stored or news.lost)

    def wait(self, clock: Clock, bell: Bell, until_s: float) -> bool:
        """Wait for a moment if anything is kept and there is time; return whether that is so."""
        left_s = until_s - clock.monotonic_s()
        if not self.holding or left_s <= 0:
            return False
        clock.wait(bell, min(LOOK_S, left_s))
        return True

    def shorter(self, due_s: float) -> float:
        """Return how long to sleep at most instead of ``due_s``: news ring no bell."""
        return LOOK_S if self.holding else due_s

    def longer(self, linger_s: float) -> float:
        """Return how long to let steps gather instead of ``linger_s``."""
        return max(linger_s, LINGER_S) if self.holding else linger_s
