"""What became of every step: the probe's half of the accounting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from farscope.errors import Invariant
from farscope.records.step import RawStep
from farscope.wire.batch import Drop

OUTBOX_FULL = "outbox_full"
"""The outbox had no room: the log was away or slower than the charts for too long."""
TOO_LARGE = "too_large"
"""The step alone is more than a batch may hold."""
UNENCODABLE = "unencodable"
"""The step holds something the wire format cannot carry."""
CLOSING = "closing"
"""Still pending when the time for closing was up, or offered after it."""
PROBE_FAILED = "probe_failed"
"""The pump ended by an error of its own; ``ProbeStats.last_error`` tells which."""

DROPS_AT_ONCE = 1_000
"""Runs of lost numbers declared with one haul; further ones wait for the next."""


@dataclass(frozen=True, slots=True)
class ProbeStats:
    """Where every step went; ``emitted == stored + sum(dropped.values()) + pending`` always holds."""

    emitted: int
    """Steps the charts offered to the probe."""
    stored: int
    """Steps in batches the log said it has stored."""
    dropped: Mapping[str, int]
    """Steps given up, by reason; the numbers of each are declared to every scope."""
    pending: int
    """Steps waiting in the outbox or the spool, or under way and not yet known to be stored."""
    batches: int
    """Batches stored, those without steps included."""
    bytes: int
    """Bytes stored, sealed as they are in the log."""
    retries: int
    """Attempts to store that failed and were, or will be, repeated."""
    last_error: str | None
    """The last thing that went wrong, in words; None if nothing ever did."""
    spooled: int = 0
    """Of the pending ones, those that wait on the disk; after the end the next program sends them."""


class Loss:
    """A run of numbers given up for one reason.

    Grows in place: making a new object could start a garbage collection, and with it a finaliser
    that offers a step in the middle of the bookkeeping.
    """

    __slots__ = ("count", "first", "reason")

    def __init__(self, first: int, count: int, reason: str) -> None:
        self.first = first
        self.count = count
        self.reason = reason


class Haul:
    """Steps taken from the outbox together, and the losses to declare with them."""

    __slots__ = ("drops", "numbers", "steps")

    def __init__(self, numbers: list[int], steps: list[RawStep], drops: tuple[Drop, ...] = ()) -> None:
        self.numbers = numbers
        self.steps = steps
        self.drops = drops

    @property
    def first(self) -> int:
        """The smallest number the haul accounts for."""
        return min([drop.first for drop in self.drops] + self.numbers[:1])


class _Kept:
    """What a haul that the carrier keeps accounts for, without its steps."""

    __slots__ = ("count", "drops", "first", "runs", "size")

    def __init__(self, haul: Haul, size: int) -> None:
        self.count = len(haul.steps)
        self.drops = haul.drops
        self.first = haul.first if haul.steps or haul.drops else None
        self.runs = runs_of(haul.numbers)
        self.size = size


class Ledger:
    """Counts; has no lock of its own, whoever calls it holds the outbox's."""

    def __init__(self) -> None:
        self.stored = 0
        self.batches = 0
        self.bytes = 0
        self.retries = 0
        self.last_error: str | None = None
        self._dropped: defaultdict[str, int] = defaultdict(int)
        self._undeclared: list[Loss] = []
        self._hand: list[Haul] = []
        self._kept: dict[int, _Kept] = {}
        self._kept_firsts: list[tuple[int, int]] = []
        self.spooled = 0

    @property
    def dropped(self) -> Mapping[str, int]:
        """A copy of the counts by reason."""
        return dict(self._dropped)

    @property
    def in_hand(self) -> int:
        """Steps taken from the outbox and neither stored nor given up, counted one haul after the other."""
        return sum(len(haul.steps) for haul in self._hand)

    @property
    def undeclared(self) -> bool:
        """Whether there are losses that no haul carries yet."""
        return bool(self._undeclared)

    def open_from(self, head: int) -> int:
        """Return the first number that is neither stored nor declared, if all below ``head`` was taken."""
        firsts = [haul.first for haul in self._hand if haul.steps or haul.drops]
        firsts += [loss.first for loss in self._undeclared]
        while self._kept_firsts and self._kept_firsts[0][1] not in self._kept:
            heappop(self._kept_firsts)
        firsts += [first for first, _ in self._kept_firsts[:1]]
        return min([head, *firsts])

    def lose(self, first: int, count: int, reason: str) -> None:
        """Count steps as dropped, and remember their numbers until a batch declares them."""
        self.count_lost(count, reason)
        self.declare(first, count, reason)

    def count_lost(self, count: int, reason: str) -> None:
        """Count steps as dropped whose numbers are remembered elsewhere."""
        self._dropped[reason] += count

    def declare(self, first: int, count: int, reason: str) -> None:
        """Remember numbers of steps that were counted as dropped, until a batch declares them."""
        last = self._undeclared[-1] if self._undeclared else None
        if last is not None and last.reason == reason and last.first + last.count == first:
            last.count += count
        else:
            self._undeclared.append(Loss(first, count, reason))

    def take(self, numbers: list[int], steps: list[RawStep]) -> Haul:
        """Put steps in hand, together with the losses not declared so far."""
        self._undeclared.sort(key=lambda loss: loss.first)
        losses, self._undeclared = self._undeclared[:DROPS_AT_ONCE], self._undeclared[DROPS_AT_ONCE:]
        drops = tuple(Drop(loss.first, loss.count, loss.reason) for loss in losses)
        haul = Haul(numbers, steps, drops)
        self._hand.append(haul)
        return haul

    def split(self, haul: Haul) -> tuple[Haul, Haul]:
        """Replace a haul in hand by its halves; losses go with the first."""
        if len(haul.steps) < 2:
            raise Invariant("a haul of fewer than two steps was split")
        middle = len(haul.steps) // 2
        first = Haul(haul.numbers[:middle], haul.steps[:middle], haul.drops)
        second = Haul(haul.numbers[middle:], haul.steps[middle:])
        if haul in self._hand:
            at = self._hand.index(haul)
            self._hand[at : at + 1] = [first, second]
        return first, second

    def settle(self, haul: Haul, size: int) -> None:
        """Count a haul as stored, unless it was given up in the meantime."""
        self.batches += 1
        self.bytes += size
        if haul in self._hand:
            self._hand.remove(haul)
            self.stored += len(haul.steps)

    @property
    def keeping(self) -> bool:
        """Whether the carrier keeps anything, be it without steps."""
        return bool(self._kept)

    def keep(self, haul: Haul, key: int, size: int) -> None:
        """Take note that the carrier keeps a haul under ``key``, unless the haul was given up meanwhile."""
        if haul in self._hand:
            self._hand.remove(haul)
        elif haul.steps or haul.drops:
            return
        kept = self._kept[key] = _Kept(haul, size)
        self.spooled += kept.count
        if kept.first is not None:
            heappush(self._kept_firsts, (kept.first, key))

    def settle_kept(self, key: int) -> None:
        """Count as stored what was kept under ``key``."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.batches += 1
            self.bytes += kept.size
            self.stored += kept.count
            self.spooled -= kept.count

    def give_up_kept(self, key: int, reason: str) -> None:
        """Count as dropped what was kept under ``key``; its losses, and these, wait to be declared."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.spooled -= kept.count
            for drop in kept.drops:
                self.declare(*drop)
            for first, count in kept.runs:
                self.lose(first, count, reason)

    def give_up(self, haul: Haul, reason: str) -> None:
        """Count a haul's steps as dropped; its losses, and these, wait to be declared."""
        if haul not in self._hand:
            return
        self._hand.remove(haul)
        for drop in haul.drops:
            self.declare(*drop)
        for first, count in runs_of(haul.numbers):
            self.lose(first, count, reason)

    def give_up_all(self, reason: str) -> None:
        """Give up every haul in hand."""
        for haul in list(self._hand):
            self.give_up(haul, reason)


def runs_of(numbers: list[int]) -> list[tuple[int, int]]:
    """Return rising numbers as first numbers and counts."""
    if not numbers:
        return []
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return [(numbers[0], len(numbers))]
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and sum(runs[-1]) == number:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return runs
