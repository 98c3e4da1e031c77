"""The pump's side of a spool: tracks batches kept by the carrier and their outcome."""

from __future__ import annotations

from collections.abc import Sequence

from farscope.probe.batcher import Parcel
from farscope.probe.clock import Bell, Clock
from farscope.probe.outbox import Outbox
from farscope.probe.transport import AnyCarrier

LOOK_S = 0.05
"""How often the pump asks about kept batches; ``flush`` and ``stats`` see the outcome with this delay."""
LINGER_S = 0.25
"""Minimum time steps accumulate while batches are kept: nobody sees them yet, and it makes fewer batches."""


class Custody:
    """Records batches kept by a carrier in the outbox's ledger; used only by the pump's thread."""

    def __init__(self, outbox: Outbox, carrier: AnyCarrier) -> None:
        self._outbox = outbox
        self._carrier = carrier

    @property
    def holding(self) -> bool:
        """Whether anything is kept."""
        return self._outbox.ledger.keeping

    def hold(self, parcels: Sequence[Parcel], first_key: int) -> None:
        """Record that the carrier keeps ``parcels``, the first under ``first_key``."""
        with self._outbox.lock:
            for key, parcel in enumerate(parcels, first_key):
                self._outbox.ledger.keep(parcel.haul, key, self._carrier.size(parcel.cargo))

    def look(self) -> bool:
        """Record the outcome of kept batches; return whether there was any news."""
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
        """Wait briefly if anything is kept and time is left; return whether both were true."""
        left_s = until_s - clock.monotonic_s()
        if not self.holding or left_s <= 0:
            return False
        clock.wait(bell, min(LOOK_S, left_s))
        return True

    def shorter(self, due_s: float) -> float:
        """Return the maximum sleep, given ``due_s``: news about kept batches does not ring the bell."""
        return LOOK_S if self.holding else due_s

    def longer(self, linger_s: float) -> float:
        """Return how long to let steps accumulate, given ``linger_s``."""
        return max(linger_s, LINGER_S) if self.holding else linger_s
