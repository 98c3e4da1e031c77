"""Step accounting on the probe's side: the outcome of every step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from farscope.errors import Invariant
from farscope.records.step import RawStep
from farscope.wire.batch import Drop

OUTBOX_FULL = "outbox_full"
"""The outbox was full: the log was unreachable, or slower than the charts, for too long."""
TOO_LARGE = "too_large"
"""The step alone exceeds the size limit of a batch."""
UNENCODABLE = "unencodable"
"""The step contains something the wire format cannot represent."""
CLOSING = "closing"
"""The step was still pending when the closing timeout expired, or was offered after that."""
PROBE_FAILED = "probe_failed"
"""The pump died of an internal error; ``ProbeStats.last_error`` describes it."""

DROPS_AT_ONCE = 1_000
"""Maximum number of loss runs declared with one chunk; the rest wait for the next chunk."""


@dataclass(frozen=True, slots=True)
class ProbeStats:
    """Outcome of every step; ``emitted == stored + sum(dropped.values()) + pending`` always holds."""

    emitted: int
    """Steps offered to the probe by the charts."""
    stored: int
    """Steps in batches that the log has confirmed as stored."""
    dropped: Mapping[str, int]
    """Dropped steps, by reason; their numbers are declared to every scope."""
    pending: int
    """Steps waiting in the outbox or the spool, or sent but not yet confirmed as stored."""
    batches: int
    """Batches stored, including those without steps."""
    bytes: int
    """Bytes stored, counted as sealed batches."""
    retries: int
    """Failed attempts to store that were, or will be, retried."""
    last_error: str | None
    """Description of the last error; None if there was none."""
    spooled: int = 0
    """Pending steps that are on disk; if the program ends first, the next one sends them."""
    invalid_tokens: int = 0
    """Cause tokens that ``caused_by`` could not read and ignored, in this process, whichever chart they were
    for."""
    values_failed: int = 0
    """Steps after which the values function raised, or returned something that is not a mapping."""
    values_refused: int = 0
    """Values that were left out, cut, or replaced by the name of their type."""


class Loss:
    """A run of consecutive step numbers dropped for one reason. Grows in place."""

    __slots__ = ("count", "first", "reason")

    def __init__(self, first: int, count: int, reason: str) -> None:
        self.first = first
        self.count = count
        self.reason = reason


class Chunk:
    """Steps taken from the outbox together, plus the losses to declare with them."""

    __slots__ = ("drops", "is_open", "numbers", "steps")

    def __init__(self, numbers: list[int], steps: list[RawStep], drops: tuple[Drop, ...] = ()) -> None:
        self.numbers = numbers
        self.steps = steps
        self.drops = drops
        self.is_open = False
        """Whether its steps count as in hand: each chunk is confirmed, kept or dropped exactly once."""

    @property
    def first(self) -> int:
        """The smallest number the chunk accounts for."""
        return min([drop.first for drop in self.drops] + self.numbers[:1])


class _Kept:
    """Accounting data of a chunk kept by the transport, without the steps themselves."""

    __slots__ = ("count", "drops", "first", "is_open", "runs", "size")

    def __init__(self, chunk: Chunk, size: int) -> None:
        self.count = len(chunk.steps)
        self.drops = chunk.drops
        self.first = chunk.first if chunk.steps or chunk.drops else None
        self.runs = runs_of(chunk.numbers)
        self.size = size
        self.is_open = False


class SentAccount:
    """Counts of all steps of a probe. Not thread-safe: callers that change it must hold the outbox's lock.

    A finaliser or a signal handler may run between any two calls, read the counts, and raise. Steps are
    therefore moved from one count to another in statements that call nothing, which CPython runs without
    interruption, and the records that account for step numbers are added to their new place before they are
    removed from the old one.
    """

    def __init__(self) -> None:
        self.stored = 0
        self.batches = 0
        self.bytes = 0
        self.retries = 0
        self.last_error: str | None = None
        self.in_hand = 0
        """Steps taken from the outbox that are neither stored nor dropped yet."""
        self.spooled = 0
        self.changes = 0
        """Incremented with every change of a count, so that readers of several can check consistency."""
        self.dropped_by: defaultdict[str, int] = defaultdict(int)
        self._undeclared: list[Loss] = []
        self._declaring: list[Loss] = []
        self._hand: list[Chunk] = []
        self._kept: dict[int, _Kept] = {}
        self._kept_firsts: list[tuple[int, int]] = []

    @property
    def dropped(self) -> Mapping[str, int]:
        """A copy of the drop counts, by reason."""
        return dict(self.dropped_by)

    @property
    def undeclared(self) -> bool:
        """Whether any losses are not yet assigned to a chunk."""
        return bool(self._undeclared or self._declaring)

    def open_from(self, head: int) -> int:
        """Return the first number that is neither stored nor declared, if all below ``head`` were taken."""
        firsts = [chunk.first for chunk in self._hand.copy() if chunk.steps or chunk.drops]
        firsts += [loss.first for loss in self._declaring + self._undeclared]
        firsts += [first for first, _ in self._kept_firsts[:1]]
        return min([head, *firsts])

    def count_dropped(self, first: int, count: int, reason: str) -> None:
        """Count steps as dropped, and remember their numbers until a batch declares them."""
        self.declare(first, count, reason)
        self.changes += 1
        self.dropped_by[reason] += count

    def declare(self, first: int, count: int, reason: str) -> None:
        """Remember the numbers of steps already counted as dropped until a batch declares them."""
        last = self._undeclared[-1] if self._undeclared else None
        if last is not None and last.reason == reason and last.first + last.count == first:
            last.count += count
        else:
            loss = Loss(first, count, reason)
            self._undeclared.append(loss)

    def begin_loss(self, reason: str, head: int) -> Loss:
        """Add an empty loss to those to declare and return it: it can grow without a function call."""
        loss = Loss(head, 0, reason)
        self._undeclared.append(loss)
        return loss

    def open_chunk(self, numbers: list[int], steps: list[RawStep]) -> Chunk:
        """Take steps in hand, together with all undeclared losses."""
        chunk = self.begin_chunk()
        count = len(steps)
        self.changes += 1
        chunk.numbers = numbers
        chunk.steps = steps
        self.in_hand += count
        self.declare_with(chunk)
        return chunk

    def begin_chunk(self) -> Chunk:
        """Return an empty chunk in hand; a caller that adds steps counts them with no call between."""
        chunk = Chunk([], [])
        chunk.is_open = True
        self._hand.append(chunk)
        return chunk

    def declare_with(self, chunk: Chunk) -> None:
        """Assign all undeclared losses to a chunk in hand."""
        if self._undeclared:
            fresh = self._declaring
            self._declaring = self._undeclared
            self._undeclared = fresh
        losses = _merged(self._declaring)
        chunk.drops = tuple(Drop(loss.first, loss.count, loss.reason) for loss in losses[:DROPS_AT_ONCE])
        self._undeclared[:0] = losses[DROPS_AT_ONCE:]
        none: list[Loss] = []
        self.changes += 1
        self._declaring = none

    def discard_chunk(self, chunk: Chunk) -> None:
        """Discard a chunk that has neither steps nor losses."""
        if chunk.is_open:
            chunk.is_open = False
            self._hand.remove(chunk)

    def split(self, chunk: Chunk) -> tuple[Chunk, Chunk]:
        """Replace a chunk in hand with its two halves; losses go with the first half."""
        if len(chunk.steps) < 2:
            raise Invariant("a chunk of fewer than two steps was split")
        middle = len(chunk.steps) // 2
        first = Chunk(chunk.numbers[:middle], chunk.steps[:middle], chunk.drops)
        second = Chunk(chunk.numbers[middle:], chunk.steps[middle:])
        if chunk.is_open:
            self._hand += [first, second]
            chunk.is_open = False
            first.is_open = second.is_open = True
            self._hand.remove(chunk)
        return first, second

    def confirm(self, chunk: Chunk, size: int) -> None:
        """Count a chunk as stored, unless it has been dropped in the meantime."""
        count = len(chunk.steps)
        self.batches += 1
        self.bytes += size
        self.changes += 1
        if chunk.is_open:
            chunk.is_open = False
            self.in_hand -= count
            self.stored += count
            self._hand.remove(chunk)

    @property
    def has_kept(self) -> bool:
        """Whether the transport keeps anything, even batches without steps."""
        return bool(self._kept)

    def keep(self, chunk: Chunk, key: int, size: int) -> None:
        """Record that the transport keeps a chunk under ``key``, unless it has been dropped meanwhile."""
        if not chunk.is_open and (chunk.steps or chunk.drops):
            return
        kept = self._kept[key] = _Kept(chunk, size)
        if kept.first is not None:
            heappush(self._kept_firsts, (kept.first, key))
        self.changes += 1
        if chunk.is_open:
            chunk.is_open = False
            kept.is_open = True
            self.in_hand -= kept.count
            self.spooled += kept.count
            self._hand.remove(chunk)

    def confirm_kept(self, key: int) -> None:
        """Count the chunk kept under ``key`` as stored."""
        kept = self._kept.get(key)
        self.changes += 1
        if kept is not None and not kept.count:
            self.batches += 1
            self.bytes += kept.size
        elif kept is not None and kept.is_open:
            kept.is_open = False
            self.batches += 1
            self.bytes += kept.size
            self.stored += kept.count
            self.spooled -= kept.count
        self._release(key)

    def drop_kept(self, key: int, reason: str) -> None:
        """Count the chunk kept under ``key`` as dropped; its steps and its losses must be declared again."""
        kept = self._kept.get(key)
        if kept is None:
            return
        self._declare_all(kept.drops, kept.runs, reason)
        self.changes += 1
        if kept.is_open:
            kept.is_open = False
            self.spooled -= kept.count
            if kept.count:
                self.dropped_by[reason] += kept.count
        self._release(key)

    def _release(self, key: int) -> None:
        self._kept.pop(key, None)
        while self._kept_firsts and self._kept_firsts[0][1] not in self._kept:
            heappop(self._kept_firsts)

    def drop(self, chunk: Chunk, reason: str) -> None:
        """Count a chunk's steps as dropped; its steps and its losses must be declared again."""
        if not chunk.is_open:
            return
        count = len(chunk.steps)
        self._declare_all(chunk.drops, runs_of(chunk.numbers), reason)
        self.changes += 1
        if chunk.is_open:
            chunk.is_open = False
            self.in_hand -= count
            if count:
                self.dropped_by[reason] += count
            self._hand.remove(chunk)

    def _declare_all(self, drops: Iterable[Drop], runs: Iterable[tuple[int, int]], reason: str) -> None:
        for drop in drops:
            self.declare(*drop)
        for first, count in runs:
            self.declare(first, count, reason)

    def drop_all(self, reason: str) -> None:
        """Drop every chunk in hand."""
        for chunk in self._hand.copy():
            self.drop(chunk, reason)


def _merged(losses: Iterable[Loss]) -> list[Loss]:
    """Return losses in ascending order, merging adjacent ones with the same reason."""
    merged: list[Loss] = []
    for loss in sorted((loss for loss in losses if loss.count), key=lambda loss: loss.first):
        last = merged[-1] if merged else None
        if last is not None and last.reason == loss.reason and last.first + last.count >= loss.first:
            last.count = max(last.first + last.count, loss.first + loss.count) - last.first
        else:
            merged.append(loss)
    return merged


def runs_of(numbers: list[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as runs: pairs of first number and count."""
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
